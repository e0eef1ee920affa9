package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/archives"
	"github.com/keystone-db/kstone/cmd/internal/flags"
	"github.com/keystone-db/kstone/cmd/internal/serve"
	"github.com/keystone-db/kstone/engine"
)

// metricsAuto is the default of --metrics.
const metricsAuto = "auto"

func newServe() *cobra.Command {
	c := serve.Config{GRPCPort: serve.GRPCPort{Port: serve.GRPCPortDefault}}
	var sync, compression, level, metrics string
	var replicas map[string]string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start the server",
		Long: "Start the server. Every flag is also an environment variable: --sync-interval is\n" +
			"KSTONE_SYNC_INTERVAL. A flag wins over the environment, which wins over the default.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.ApplyEnvironment(cmd.Flags()); err != nil {
				return err
			}
			if err := settle(cmd, &c, sync, compression, level, metrics); err != nil {
				return err
			}
			var err error
			if c.Replicas, err = openReplicas(cmd.Context(), replicas); err != nil {
				return err
			}
			return runServe(cmd, c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Path, "db", "./"+databaseFile, "database file, created when absent")
	f.BoolVar(&c.InMemory, "in-memory", false, "keep everything in memory and nothing on disk")
	f.StringVar(&c.Load, "load", "", "begin with what this database file holds, with --in-memory; it may be absent when it\n"+
		"is the file of --save")
	f.StringVar(&c.Save, "save", "", "write everything to this file when the server is stopped, with --in-memory")
	c.Key.AddFlags(f)
	f.StringVar(&c.Host, "host", serve.HostDefault, "address to listen on; localhost is 127.0.0.1 and ::1")
	f.Uint16Var(&c.Port, "port", serve.PortDefault, "port to listen on; 0 picks a free one")
	f.StringVar(&c.PortFile, "port-file", "", "write the port to this file once the server listens")
	f.Var(&c.GRPCPort, "grpc-port", "port of the gRPC door; 0 picks a free one, off turns it off")
	f.StringVar(&c.GRPCPortFile, "grpc-port-file", "", "write the port of the gRPC door to this file once it listens")
	f.StringVar(&sync, "sync", "always", "when a write is acknowledged: always (survives a power loss), "+
		"interval or off (survive a killed process)")
	f.DurationVar(&c.SyncInterval, "sync-interval", engine.DefaultSyncInterval, "time between syncs with --sync interval")
	f.StringVar(&compression, "compression", "s2", "how the file is compressed from now on: s2, zstd (smaller, and several times\n"+
		"the work when it is written and read) or none")
	f.BoolVar(&c.MmapReads, "mmap-reads", false, "read the file through memory mappings: quicker while it stays in memory")
	f.Int64Var(&c.LogBytes, "log-bytes", 0, "most bytes of the write-ahead log; may change at any start; 0 for 192 MiB")
	f.StringVar(&c.Archive, "archive", "", "keep the log of the database and base backups here, for kstone restore --archive:\n"+archives.Help)
	f.DurationVar(&c.ArchiveInterval, "archive-interval", engine.DefaultArchiveEvery, "how long a write waits at most before it is in the archive")
	f.DurationVar(&c.ArchiveBaseInterval, "archive-base-interval", engine.DefaultArchiveBaseEvery, "time between base backups in the archive")
	f.StringVar(&c.S3Root, "s3-root", "", "folder with a folder for each bucket that exports, imports and bulk puts name")
	f.BoolVar(&c.S3, "s3", false, "take these buckets from S3; access as AWS tools find it, another service than AWS by\n"+
		"AWS_ENDPOINT_URL_S3")
	f.StringVar(&c.S3EndpointURL, "s3-endpoint-url", "", "take them from this service, which speaks as S3 does: http://HOST:PORT")
	f.StringVar(&c.ImportErrors, "import-errors", "", "write what an import could not take to ID.jsonl in this folder, ID being the end of its ARN")
	f.BoolVar(&c.Kinesis, "kinesis", false, "deliver changes of tables with a Kinesis destination to Kinesis; access as AWS tools\n"+
		"find it, another service than AWS by AWS_ENDPOINT_URL_KINESIS")
	f.StringVar(&c.KinesisEndpointURL, "kinesis-endpoint-url", "", "deliver them to this service, which speaks as Kinesis does: http://HOST:PORT")
	f.StringVar(&c.KinesisDir, "kinesis-dir", "", "deliver them to files in this folder, NAME.jsonl for the data stream NAME")
	f.StringVar(&c.Region, "region", engine.DefaultRegion, "region in ARNs")
	f.StringVar(&c.Account, "account", engine.DefaultAccount, "account in ARNs")
	f.StringToStringVar(&replicas, "replica", nil, "let tables have replicas in the kstone server at this URL, which serves that region,\n"+
		"as REGION=URL; that one wants a --replica with this one. Requests are signed with the\n"+
		"credentials that AWS tools would take")
	f.BoolVar(&c.NoAuth, "no-auth", false, "accept any credentials from other machines too")
	f.StringVar(&c.Credentials, "credentials", "", "verify signatures with the access keys of this file, which has the\n"+
		"form of ~/.aws/credentials; \"access = read-only\", \"tables = A, B-*\" and \"buckets = C\" restrict a key;\n"+
		"read again when it changes")
	f.StringVar(&c.TLSCert, "tls-cert", "", "serve HTTPS (TLS 1.2 or later) with this certificate in PEM form;\n"+
		"read again when it changes, and on SIGHUP")
	f.StringVar(&c.TLSKey, "tls-key", "", "key of --tls-cert, in PEM form")
	f.StringVar(&c.TLSClientCA, "tls-client-ca", "", "take certificates of gRPC clients that these authorities signed, in PEM\n"+
		"form; their common name is an access key of --credentials")
	f.IntVar(&c.MaxConnections, "max-connections", serve.MaxConnectionsDefault, "most connections at once; more clients wait")
	f.DurationVar(&c.ShutdownGrace, "shutdown-grace", serve.ShutdownGraceDefault, "how long running requests may take to finish on SIGTERM")
	f.DurationVar(&c.TableDelay, "table-delay", 0, "how long tables stay CREATING and DELETING")
	f.IntVar(&c.StreamShards, "stream-shards", engine.DefaultStreamShards, "open shards of a stream, as of its enabling")
	f.DurationVar(&c.StreamRetention, "stream-retention", engine.DefaultStreamRetention, "how long a stream keeps a record")
	f.Int64Var(&c.StreamBytes, "stream-bytes", 0, "most bytes of records that a stream keeps, whatever their age; 0 for no bound")
	f.Int64Var(&c.VectorBytes, "vector-bytes", 0, "memory of the graphs of all vector indexes; a vector takes about five bytes a\n"+
		"dimension and 400 more; an index for whose graph there is no room is searched by\n"+
		"reading all of it; 0 means 2 GiB")
	f.DurationVar(&c.SnapshotMaxAge, "snapshot-max-age", engine.DefaultSnapshotMaxAge, "how long work that reads one state of the database may keep that state")
	f.Int64Var(&c.SnapshotMaxBytes, "snapshot-max-bytes", 0, "most bytes that are written before such work begins anew with a newer state; 0\n"+
		"for no bound")
	f.Int64Var(&c.CollectionBytes, "collection-bytes", engine.DefaultCollectionBytes, "largest item collection of a table with local indexes")
	f.Int64Var(&c.ScrubRate, "scrub-rate", 0, "bytes a second of the file, its log included, that are read and checked for\n"+
		"damage in the background, an eighth of it beside many commits; 0 takes a week for all of it,\n"+
		"-1 turns it off; a round begins an hour after the one before began, at the earliest")
	f.BoolVar(&c.TTLLag, "ttl-lag", false, "show items that are past their time to live until they are swept")
	f.DurationVar(&c.TTLInterval, "ttl-interval", engine.DefaultTTLInterval, "time between two sweeps of items past their time to live")
	f.BoolVar(&c.Throttle, "throttle", false, "refuse what exceeds the provisioned throughput of a table or index, or the\n"+
		"maximum of an on-demand one; five minutes of unused throughput are kept for bursts")
	f.BoolVar(&c.StrictLimits, "strict-limits", false, "enforce limits of the service that only pace administrators: a change of\n"+
		"time to live an hour, decreases of throughput and switches of the billing mode a day,\n"+
		"2,500 tables, 40,000 units of a table and 80,000 of all")
	f.BoolVar(&c.WaitOnConflict, "wait-on-conflict", false, "let requests that meet a transaction in flight on the same item wait for it\n"+
		"instead of TransactionConflictException")
	f.BoolVar(&c.ClassicErrors, "classic-errors", false, "error texts of PutItem, UpdateItem and Query as before 2026")
	f.StringVar(&metrics, "metrics", metricsAuto, "serve /metrics for Prometheus, without a signature, to whoever reaches the\n"+
		"port: on, off, or auto, which is on where only this machine reaches it")
	f.StringVar(&level, "log-level", "info", "least level of logs on stderr: debug, info, warn, error, disabled")
	return cmd
}

// settle parses what flags give as text and decides between a file and memory.
func settle(cmd *cobra.Command, c *serve.Config, sync, compression, level, metrics string) error {
	modes := map[string]engine.SyncMode{
		"always": engine.SyncAlways, "interval": engine.SyncInterval, "off": engine.SyncOff,
	}
	var ok bool
	if c.Sync, ok = modes[sync]; !ok {
		return fmt.Errorf("--sync %q: want always, interval or off", sync)
	}
	compressions := map[string]engine.Compression{
		"s2": engine.CompressionS2, "zstd": engine.CompressionZstd, "none": engine.CompressionNone,
	}
	if c.Compression, ok = compressions[compression]; !ok {
		return fmt.Errorf("--compression %q: want s2, zstd or none", compression)
	}
	var err error
	if c.LogLevel, err = zerolog.ParseLevel(level); err != nil {
		return fmt.Errorf("--log-level %q: want debug, info, warn, error or disabled", level)
	}
	switch metrics {
	case metricsAuto:
		c.Metrics = serve.MetricsDefault(c.Host)
	case "on", "off":
		c.Metrics = metrics == "on"
	default:
		return fmt.Errorf("--metrics %q: want on, off or auto", metrics)
	}
	memory, db := cmd.Flags().Changed("in-memory"), cmd.Flags().Changed("db")
	if memory && db && c.InMemory {
		return fmt.Errorf("--in-memory and --db exclude each other: leave one out")
	}
	// A flag wins over the environment: --db over KSTONE_IN_MEMORY.
	if db && !memory {
		c.InMemory = false
	}
	c.Version = versionText()
	return nil
}

// runServe serves until SIGTERM or SIGINT; a second signal ends the process at once.
func runServe(cmd *cobra.Command, c serve.Config) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)
	return serve.Run(ctx, c, cmd.OutOrStdout(), cmd.ErrOrStderr())
}
