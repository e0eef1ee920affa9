// Package serve runs the server of kstone: it opens the database, listens, says where, and on a
// cancelled context finishes what runs and closes the database.
package serve

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// Defaults of Config, for the flags.
const (
	HostDefault = "localhost"
	PortDefault = 8000
	// MaxConnectionsDefault is room for 10,000 idle clients and some more; an idle connection costs
	// about 20 KiB.
	MaxConnectionsDefault = 16_384
	// ShutdownGraceDefault leaves the checkpoint some of the 10 s after which Docker kills.
	ShutdownGraceDefault = 5 * time.Second
)

// accountDigits is the length of an account number.
const accountDigits = 12

// Config says what to serve, and where. The command line fills it in.
type Config struct {
	// Path is the database file; unused with InMemory.
	Path     string
	InMemory bool
	// Load and Save are files with what a server in memory begins, and that it leaves when it is
	// stopped; empty for none.
	Load, Save string
	// Key is where the encryption key of the file comes from.
	Key filekey.Source
	// Host is an address or a name. "localhost" stands for 127.0.0.1 and, where there is one, ::1.
	Host string
	// Port 0 picks a free one.
	Port uint16
	// PortFile, when not empty, gets the port in decimal once the server listens.
	PortFile string
	// GRPCPort and GRPCPortFile are the same for the gRPC door.
	GRPCPort     GRPCPort
	GRPCPortFile string
	// GRPCOnly leaves the HTTP door closed: Port and PortFile are unused.
	GRPCOnly bool
	// Sync and SyncInterval say when a write is acknowledged.
	Sync         engine.SyncMode
	SyncInterval time.Duration
	// ScrubRate is that of engine.Options.
	ScrubRate int64
	// Compression of the tables that are written.
	Compression engine.Compression
	// MmapReads reads tables through mappings of the file.
	MmapReads bool
	// LogBytes is the target size of the write-ahead log; 0 means the default.
	LogBytes int64
	// Archive, if not empty, is where the log and base backups are kept, see package archives. ArchiveInterval
	// is how long a write waits at most before it is there, ArchiveBaseInterval the time between base backups.
	Archive                              string
	ArchiveInterval, ArchiveBaseInterval time.Duration
	// S3Root is the folder whose folders are the buckets of exports, imports and bulk puts. S3 has them in S3,
	// S3EndpointURL in a service at that address that speaks as S3 does. At most one of the three; without one
	// there are no buckets.
	S3Root        string
	S3            bool
	S3EndpointURL string
	// ImportErrors is a folder for what imports could not take, a file each; empty for the server's log alone.
	ImportErrors string
	// Kinesis delivers the changes of tables with a Kinesis destination to Kinesis, KinesisEndpointURL to a
	// service at that address that speaks as Kinesis does, KinesisDir to a file for each data stream in this
	// folder. At most one of the three; without one there are no data streams.
	Kinesis            bool
	KinesisEndpointURL string
	KinesisDir         string
	// Region and Account go into ARNs.
	Region, Account string
	// Replicas are the servers in which tables may have replicas, by region.
	Replicas map[string]api.Replicator
	// NoAuth allows to listen on addresses that other machines reach.
	NoAuth bool
	// Credentials is a file of access keys (see sigv4.ReadKeys); empty accepts any credentials.
	Credentials string
	// TLSCert and TLSKey are PEM files; empty serves plain HTTP.
	TLSCert, TLSKey string
	// TLSClientCA is a PEM file of authorities that sign the certificates of gRPC clients; the common name
	// of such a certificate is an access key of Credentials.
	TLSClientCA string
	// MaxConnections bounds the connections that are open at once.
	MaxConnections int
	// ShutdownGrace is how long running requests may take to finish once the server is told to stop.
	ShutdownGrace time.Duration
	// TableDelay is how long tables stay CREATING and DELETING.
	TableDelay time.Duration
	// StreamShards is the number of open shards of a stream.
	StreamShards int
	// StreamRetention is how long streams keep records, StreamBytes how much each keeps; 0 bytes mean
	// no bound.
	StreamRetention time.Duration
	StreamBytes     int64
	// SnapshotMaxAge and SnapshotMaxBytes bound snapshots; 0 means the engine's defaults.
	SnapshotMaxAge   time.Duration
	SnapshotMaxBytes int64
	// VectorBytes bounds the memory of the graphs of vector indexes; 0 means the engine's default.
	VectorBytes int64
	// CollectionBytes bounds the item collections of tables with local indexes.
	CollectionBytes int64
	// TTLLag shows items that are past their time until they are swept, every TTLInterval.
	TTLLag      bool
	TTLInterval time.Duration
	// Throttle holds requests to the throughput of their tables.
	Throttle bool
	// StrictLimits enforces limits that only pace administrators.
	StrictLimits bool
	// WaitOnConflict waits for transactions in flight instead of answering with their conflict.
	WaitOnConflict bool
	// ClassicErrors gives the error texts from before 2026.
	ClassicErrors bool
	// Metrics serves /metrics to whoever reaches the port.
	Metrics  bool
	LogLevel zerolog.Level
	// Version is what the start output names.
	Version string
}

// Defaults are what a command starts from.
func Defaults() Config {
	return Config{
		Host: HostDefault, Port: PortDefault, GRPCPort: GRPCPort{Port: GRPCPortDefault},
		Region: engine.DefaultRegion, Account: engine.DefaultAccount, SyncInterval: engine.DefaultSyncInterval,
		ArchiveInterval: engine.DefaultArchiveEvery, ArchiveBaseInterval: engine.DefaultArchiveBaseEvery,
		MaxConnections: MaxConnectionsDefault, ShutdownGrace: ShutdownGraceDefault,
		StreamShards: engine.DefaultStreamShards, StreamRetention: engine.DefaultStreamRetention,
		CollectionBytes: engine.DefaultCollectionBytes, TTLInterval: engine.DefaultTTLInterval,
		LogLevel: zerolog.InfoLevel,
	}
}

// check reports every fault of the configuration at once.
func (c Config) check() error {
	var errs []error
	if !c.NoAuth && c.Credentials == "" && !isLoopback(c.Host) {
		errs = append(errs, fmt.Errorf("host %q can be reached from other machines and signatures are "+
			"not verified: give --credentials FILE, add --no-auth if everyone may do everything, or "+
			"listen on localhost", c.Host))
	}
	if c.NoAuth && c.Credentials != "" {
		errs = append(errs, errors.New("--no-auth and --credentials exclude each other: leave one out"))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key belong together: give both"))
	}
	if c.TLSClientCA != "" && (c.TLSCert == "" || c.Credentials == "") {
		errs = append(errs, errors.New("--tls-client-ca signs for access keys over TLS: give --credentials, --tls-cert and --tls-key too"))
	}
	if c.Port != 0 && c.Port == c.GRPCPort.Port && !c.GRPCOnly && !c.GRPCPort.Off {
		errs = append(errs, fmt.Errorf("--port and --grpc-port are both %d: give two ports, or --grpc-port %s", c.Port, grpcOff))
	}
	if len(c.Account) != accountDigits || !allDigits(c.Account) {
		errs = append(errs, fmt.Errorf("--account %q: want %d digits", c.Account, accountDigits))
	}
	if !isRegion(c.Region) {
		errs = append(errs, fmt.Errorf("--region %q: want letters, digits and hyphens, such as %s", c.Region, engine.DefaultRegion))
	}
	for region := range c.Replicas {
		if !isRegion(region) || region == c.Region {
			errs = append(errs, fmt.Errorf("--replica %s: want another region than the server's own, such as us-west-2=http://HOST:PORT", region))
		}
	}
	errs = append(errs, c.checkNumbers()...)
	if c.InMemory && c.Key.Given() && c.Load == "" && c.Save == "" {
		errs = append(errs, errors.New("an encryption key is for a file and --in-memory has none: leave one out"))
	}
	if !c.InMemory && (c.Load != "" || c.Save != "") {
		errs = append(errs, errors.New("--load and --save are for a server in memory: add --in-memory"))
	}
	if c.InMemory && c.Archive != "" {
		errs = append(errs, errors.New("--archive keeps the log of a file and --in-memory has none: leave one out"))
	}
	if c.S3Root != "" && (c.S3 || c.S3EndpointURL != "") {
		errs = append(errs, errors.New("--s3-root keeps buckets in a folder, --s3 and --s3-endpoint-url elsewhere: give one"))
	}
	if c.S3EndpointURL != "" {
		if u, err := url.Parse(c.S3EndpointURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("--s3-endpoint-url %q: want a URL such as http://localhost:9000", c.S3EndpointURL))
		}
	}
	errs = append(errs, c.checkKinesis()...)
	if !c.InMemory && c.Path == "" {
		errs = append(errs, errors.New("--db is empty: give a file, or --in-memory"))
	}
	return errors.Join(errs...)
}

func (c Config) checkKinesis() (errs []error) {
	if c.KinesisDir != "" && (c.Kinesis || c.KinesisEndpointURL != "") {
		errs = append(errs, errors.New("--kinesis-dir has data streams in a folder, --kinesis and --kinesis-endpoint-url elsewhere: give one"))
	}
	if c.KinesisEndpointURL != "" {
		if u, err := url.Parse(c.KinesisEndpointURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("--kinesis-endpoint-url %q: want a URL such as http://localhost:4567", c.KinesisEndpointURL))
		}
	}
	return errs
}

// checkNumbers refuses zeros too, which the engine would take for the default.
func (c Config) checkNumbers() []error {
	var errs []error
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"sync-interval", c.SyncInterval}, {"ttl-interval", c.TTLInterval}, {"stream-retention", c.StreamRetention},
		{"archive-interval", c.ArchiveInterval}, {"archive-base-interval", c.ArchiveBaseInterval}} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("--%s %s: want a positive duration such as 100ms", d.flag, d.value))
		}
	}
	if c.ShutdownGrace < 0 {
		errs = append(errs, fmt.Errorf("--shutdown-grace %s: want no negative one", c.ShutdownGrace))
	}
	if c.TableDelay < 0 {
		errs = append(errs, fmt.Errorf("--table-delay %s: want no negative one", c.TableDelay))
	}
	if c.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("--max-connections %d: want at least 1", c.MaxConnections))
	}
	if c.StreamShards < 1 || c.StreamShards > engine.StreamShardsMax {
		errs = append(errs, fmt.Errorf("--stream-shards %d: want 1 to %d", c.StreamShards, engine.StreamShardsMax))
	}
	if c.CollectionBytes < 1 {
		errs = append(errs, fmt.Errorf("--collection-bytes %d: want a positive number", c.CollectionBytes))
	}
	if c.LogBytes != 0 && c.LogBytes < engine.LogBytesMin {
		errs = append(errs, fmt.Errorf("--log-bytes %d: want at least %d", c.LogBytes, engine.LogBytesMin))
	}
	if c.SnapshotMaxAge < 0 {
		errs = append(errs, fmt.Errorf("--snapshot-max-age %s: want no negative one", c.SnapshotMaxAge))
	}
	if c.SnapshotMaxBytes < 0 {
		errs = append(errs, fmt.Errorf("--snapshot-max-bytes %d: want no negative one", c.SnapshotMaxBytes))
	}
	if c.StreamBytes < 0 {
		errs = append(errs, fmt.Errorf("--stream-bytes %d: want no negative one", c.StreamBytes))
	}
	if c.VectorBytes < 0 {
		errs = append(errs, fmt.Errorf("--vector-bytes %d: want no negative one", c.VectorBytes))
	}
	return errs
}

// isRegion is true of what ARNs, credential scopes and a shell take as it is.
func isRegion(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return s != ""
}

func allDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// MetricsDefault says whether /metrics is served on a host where nothing was said about it: only
// where no other machine can ask.
func MetricsDefault(host string) bool { return isLoopback(host) }

// isLoopback is true of addresses that only this machine reaches. A name other than localhost
// counts as an outside one: what it resolves to may change.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == HostDefault || ip != nil && ip.IsLoopback()
}
