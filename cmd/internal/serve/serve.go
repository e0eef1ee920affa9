package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/cmd/internal/archives"
	"github.com/keystone-db/kstone/cmd/internal/buckets"
	"github.com/keystone-db/kstone/cmd/internal/datastreams"
	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/grpcapi"
)

// Run serves until the context is cancelled, then finishes running requests, checkpoints and
// returns nil. Errors are one line with a remedy. Stdout gets what a person pastes, stderr the logs.
func Run(ctx context.Context, c Config, stdout, stderr io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := checkFiles(&c); err != nil {
		return err
	}
	defer holdBallast()()
	began := time.Now()
	zerolog.TimeFieldFormat = time.RFC3339Nano
	logger := zerolog.New(zerolog.SyncWriter(stderr)).Level(c.LogLevel).With().Timestamp().Logger()
	door, err := openDoor(c, logger)
	if err != nil {
		return err
	}
	key, err := c.Key.Key(ctx, stderr)
	defer clear(key)
	if err != nil {
		return err
	}
	// The ports come before the file: a second server on a port that is taken makes no file.
	at, err := openPorts(ctx, c, logger)
	if err != nil {
		return err
	}
	db, err := open(c, key, at.first(), logger)
	if err != nil {
		return errors.Join(err, at.close())
	}
	s := &servers{db: db, logger: logger, grace: c.ShutdownGrace, save: c.Save, key: key, grpc: newGRPC(c, db, door, at.grpc, logger)}
	if s.http, err = newServer(c, db, door.verifier, logger); err != nil {
		return errors.Join(err, db.Close(), at.close())
	}
	defer door.watchFiles(ctx)()
	limit := newLimiter(c.MaxConnections, logger)
	failed := s.serve(door.secure(limit.bound(at.http)), limit.bound(at.grpc))
	if err = announce(c, at, stdout); err == nil {
		logger.Info().Str("version", c.Version).Bool("in_memory", c.InMemory).
			Int("port", portOf(at.first())).Dur("start_ms", time.Since(began)).Msg("serving")
		err = wait(ctx, failed)
	}
	return errors.Join(err, s.stop())
}

// ports are the listeners of the doors.
type ports struct{ http, grpc []net.Listener }

func openPorts(ctx context.Context, c Config, logger zerolog.Logger) (p ports, err error) {
	if !c.GRPCOnly {
		if p.http, err = listen(ctx, c.Host, c.Port); err != nil {
			return p, explainListen(c.Host, c.Port, "--port", err)
		}
	}
	if p.grpc, err = listenGRPC(ctx, c, logger); err != nil {
		return p, errors.Join(err, p.close())
	}
	return p, nil
}

func (p ports) close() error { return closeAll(slices.Concat(p.http, p.grpc)) }

// first is the listener that stands for the server.
func (p ports) first() net.Listener { return slices.Concat(p.http, p.grpc)[0] }

// servers are the doors of one database.
type servers struct {
	db     *engine.DB
	http   *http.Server
	grpc   *grpcapi.Server // nil without listeners
	grace  time.Duration
	logger zerolog.Logger
	save   string // where what is in memory goes in the end; empty for nowhere
	key    []byte // of that
}

// serve begins to serve. The channel gets the error of a listener that fails.
func (s *servers) serve(http, grpc []net.Listener) <-chan error {
	failed := make(chan error, len(http)+len(grpc))
	for _, l := range http {
		go func() { failed <- s.http.Serve(l) }()
	}
	for _, l := range grpc {
		go func() {
			if err := s.grpc.Serve(l); err != nil {
				failed <- err
			}
		}()
	}
	return failed
}

func open(c Config, key []byte, l net.Listener, logger zerolog.Logger) (*engine.DB, error) {
	path := c.Path
	if c.InMemory {
		path = ""
		if c.Load == "" {
			key = nil // it is for the file to save to
		}
	}
	archive, err := openArchive(c)
	if err != nil {
		return nil, err
	}
	buckets, err := openBuckets(c)
	if err != nil {
		return nil, err
	}
	importErrors, err := openImportErrors(c)
	if err != nil {
		return nil, err
	}
	streams, err := openDataStreams(c)
	if err != nil {
		return nil, err
	}
	db, err := engine.Open(path, engine.Options{
		Buckets: buckets, ImportErrors: importErrors, Replicas: c.Replicas, DataStreams: streams,
		Archive: archive, ArchiveEvery: c.ArchiveInterval, ArchiveBaseEvery: c.ArchiveBaseInterval,
		StreamRetention: c.StreamRetention, StreamBytes: c.StreamBytes,
		SnapshotMaxAge: c.SnapshotMaxAge, SnapshotMaxBytes: c.SnapshotMaxBytes,
		InMemory: c.InMemory, Load: c.Load, EncryptionKey: key,
		Sync: c.Sync, SyncInterval: c.SyncInterval, Compression: c.Compression, MmapReads: c.MmapReads, LogBytes: c.LogBytes,
		ScrubRate: c.ScrubRate, VectorBytes: c.VectorBytes,
		Region: c.Region, Account: c.Account, TableDelay: c.TableDelay, ClassicErrors: c.ClassicErrors,
		Throttle: c.Throttle, StrictLimits: c.StrictLimits,
		StreamShards: c.StreamShards, WaitOnConflict: c.WaitOnConflict,
		Endpoint: net.JoinHostPort(clientHost(c.Host), strconv.Itoa(portOf(l))),
		Clock:    time.Now, After: time.After, CollectionBytes: c.CollectionBytes, TTLLag: c.TTLLag, TTLInterval: c.TTLInterval, Logger: logger,
	})
	if err != nil {
		return nil, explainOpen(path+c.Load, err) // one of them
	}
	return db, nil
}

// openBuckets is where exports, imports and bulk puts find buckets; nil for nowhere.
func openBuckets(c Config) (objects.Open, error) {
	switch {
	case c.S3Root != "":
		if info, err := os.Stat(c.S3Root); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("--s3-root: there is no folder %s: make it, and a folder in it for each bucket", c.S3Root)
		}
		return objects.Folders(c.S3Root), nil
	case c.S3 || c.S3EndpointURL != "":
		client, err := buckets.New(context.Background(), c.S3EndpointURL)
		if err != nil {
			return nil, fmt.Errorf("--s3: %w", err)
		}
		return client.Open, nil
	}
	return nil, nil
}

// openArchive opens what --archive names; nil when it names nothing.
func openArchive(c Config) (engine.Archive, error) {
	if c.Archive == "" {
		return nil, nil
	}
	return archives.Open(context.Background(), c.Archive, false)
}

func newServer(c Config, db *engine.DB, v *sigv4.Verifier, logger zerolog.Logger) (*http.Server, error) {
	var seed [8]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("no randomness: %w", err)
	}
	handler := dynamowire.NewHandler(db, dynamowire.Options{
		Region: c.Region, Seed: binary.LittleEndian.Uint64(seed[:]), Logger: logger, Clock: time.Now,
		Account: c.Account, Verifier: v, StatementAccess: statementAccess, Policies: db, Ready: db.Ready,
		Metrics: figures(c, db),
	})
	server := dynamowire.NewServer(withOwn(handler, &backups{db, v, logger}, &keyInsights{db, v}))
	server.ErrorLog = errorLog(logger)
	return server, nil
}

// figures gives the body of /metrics, nil when nobody may ask.
func figures(c Config, db *engine.DB) func(asJSON bool) ([]byte, error) {
	if !c.Metrics {
		return nil
	}
	return func(asJSON bool) ([]byte, error) {
		stats := db.Stats()
		if asJSON {
			return json.Marshal(stats)
		}
		return stats.AppendPrometheus(nil), nil
	}
}

// errorLog takes what net/http has to say. Handshakes that fail are the clients' business.
func errorLog(logger zerolog.Logger) *log.Logger { //nolint:exit // the type that net/http takes
	return log.New(errorLogWriter{logger}, "", 0) //nolint:exit // the type that net/http takes
}

type errorLogWriter struct{ logger zerolog.Logger }

func (w errorLogWriter) Write(line []byte) (int, error) {
	level := zerolog.WarnLevel
	if bytes.Contains(line, []byte("TLS handshake error")) {
		level = zerolog.DebugLevel
	}
	w.logger.WithLevel(level).Msg(string(bytes.TrimSpace(line)))
	return len(line), nil
}

// announce tells people and scripts that the server listens.
func announce(c Config, at ports, stdout io.Writer) error {
	for _, f := range []struct {
		flag, path string
		listeners  []net.Listener
	}{{"--port-file", c.PortFile, at.http}, {"--grpc-port-file", c.GRPCPortFile, at.grpc}} {
		if f.path == "" || len(f.listeners) == 0 {
			continue
		}
		if err := writePortFile(f.flag, f.path, portOf(f.listeners[0])); err != nil {
			return err
		}
	}
	// A closed stdout is no reason not to serve.
	_ = printStart(stdout, c, at.http, at.grpc)
	return nil
}

// wait returns nil when the server is told to stop, an error when a listener fails.
func wait(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("listening failed: %w", err)
	}
}

// stop finishes running requests for the time of grace, then cuts them off, and closes the database.
func (s *servers) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.grace)
	defer cancel()
	cut := make(chan bool, 1)
	go func() { cut <- s.grpc != nil && stopGRPC(ctx, s.grpc) }()
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	if <-cut || err != nil {
		s.logger.Warn().Err(ctx.Err()).Msg("requests still running were cut off")
	}
	if s.save != "" {
		if err := s.db.Save(context.Background(), s.save, engine.SaveOptions{EncryptionKey: s.key}); err != nil {
			return errors.Join(explainSave(s.save, err), s.db.Close())
		}
		s.logger.Info().Str("file", s.save).Msg("saved")
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	s.logger.Info().Msg("stopped")
	return nil
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// openImportErrors appends to a file for each import; nil for nowhere.
func openImportErrors(c Config) (func(context.Context, string, []byte) error, error) {
	if c.ImportErrors == "" {
		return nil, nil
	}
	if info, err := os.Stat(c.ImportErrors); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--import-errors: there is no folder %s: make it", c.ImportErrors)
	}
	return func(_ context.Context, id string, lines []byte) error {
		f, err := os.OpenFile(filepath.Join(c.ImportErrors, id+".jsonl"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, importErrorsMode)
		if err != nil {
			return err
		}
		_, err = f.Write(lines)
		return errors.Join(err, f.Close())
	}, nil
}

// importErrorsMode is that of files with parts of what was imported.
const importErrorsMode = 0o600

// openDataStreams is what Kinesis destinations deliver to; nil for nothing.
func openDataStreams(c Config) (engine.DataStreams, error) {
	switch {
	case c.KinesisDir != "":
		files, err := datastreams.OpenFiles(c.KinesisDir)
		if err != nil {
			return nil, fmt.Errorf("--kinesis-dir: %w", err)
		}
		return files, nil
	case c.Kinesis || c.KinesisEndpointURL != "":
		client, err := datastreams.New(context.Background(), c.KinesisEndpointURL)
		if err != nil {
			return nil, fmt.Errorf("--kinesis: %w", err)
		}
		return client, nil
	}
	return nil, nil
}
