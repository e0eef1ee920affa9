package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine"
)

// shutdownGrace is how long running requests may take to finish once the server is told to stop.
// Docker kills after 10 s, and the checkpoint wants some of them.
const shutdownGrace = 5 * time.Second

// Run serves until the context is cancelled, then finishes running requests, checkpoints and
// returns nil. Errors are one line with a remedy. Stdout gets what a person pastes, stderr the logs.
func Run(ctx context.Context, c Config, stdout, stderr io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	if !c.InMemory {
		if err := checkPath(c.Path); err != nil {
			return err
		}
	}
	defer holdBallast()()
	began := time.Now()
	zerolog.TimeFieldFormat = time.RFC3339Nano
	logger := zerolog.New(zerolog.SyncWriter(stderr)).Level(c.LogLevel).With().Timestamp().Logger()
	door, err := openDoor(c, logger)
	if err != nil {
		return err
	}
	// The port comes before the file: a second server on a port that is taken makes no file.
	listeners, err := listen(ctx, c.Host, c.Port)
	if err != nil {
		return explainListen(c, err)
	}
	db, err := open(c, listeners[0], logger)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	server, err := newServer(c, db, door.verifier, logger)
	if err != nil {
		return errors.Join(err, db.Close(), closeAll(listeners))
	}
	defer door.watchFiles(ctx)()
	failed := make(chan error, len(listeners))
	for _, l := range door.secure(newLimiter(c.MaxConnections, logger).bound(listeners)) {
		go func() { failed <- server.Serve(l) }()
	}
	if err = announce(c, listeners, stdout); err == nil {
		logger.Info().Str("version", c.Version).Bool("in_memory", c.InMemory).
			Int("port", portOf(listeners[0])).Dur("start_ms", time.Since(began)).Msg("serving")
		err = wait(ctx, failed)
	}
	return errors.Join(err, stop(server, db, logger))
}

func open(c Config, l net.Listener, logger zerolog.Logger) (*engine.DB, error) {
	path := c.Path
	if c.InMemory {
		path = ""
	}
	db, err := engine.Open(path, engine.Options{
		StreamRetention: c.StreamRetention, StreamBytes: c.StreamBytes,
		InMemory: c.InMemory, Sync: c.Sync, SyncInterval: c.SyncInterval,
		Region: c.Region, Account: c.Account, TableDelay: c.TableDelay, ClassicErrors: c.ClassicErrors,
		Throttle: c.Throttle, StrictLimits: c.StrictLimits,
		StreamShards: c.StreamShards, WaitOnConflict: c.WaitOnConflict,
		Endpoint: net.JoinHostPort(clientHost(c.Host), strconv.Itoa(portOf(l))),
		Clock:    time.Now, After: time.After, CollectionBytes: c.CollectionBytes, TTLLag: c.TTLLag, TTLInterval: c.TTLInterval, Logger: logger,
	})
	if err != nil {
		return nil, explainOpen(path, err)
	}
	return db, nil
}

func newServer(c Config, db *engine.DB, v *sigv4.Verifier, logger zerolog.Logger) (*http.Server, error) {
	var seed [8]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("no randomness: %w", err)
	}
	handler := dynamowire.NewHandler(db, dynamowire.Options{
		Region: c.Region, Seed: binary.LittleEndian.Uint64(seed[:]), Logger: logger, Clock: time.Now,
		Account: c.Account, Verifier: v, StatementAccess: statementAccess, Ready: db.Ready,
	})
	server := dynamowire.NewServer(handler)
	server.ErrorLog = errorLog(logger)
	return server, nil
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
func announce(c Config, listeners []net.Listener, stdout io.Writer) error {
	if c.PortFile != "" {
		if err := writePortFile(c.PortFile, portOf(listeners[0])); err != nil {
			return err
		}
	}
	// A closed stdout is no reason not to serve.
	_ = printStart(stdout, c, listeners)
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

// stop finishes running requests for shutdownGrace, then cuts them off, and closes the database.
func stop(server *http.Server, db *engine.DB, logger zerolog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		logger.Warn().Err(err).Msg("requests still running were cut off")
		_ = server.Close()
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	logger.Info().Msg("stopped")
	return nil
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
