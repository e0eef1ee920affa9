package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/partiql"
)

// reloadInterval is how often files of credentials and certificates are looked at for a change.
const reloadInterval = 5 * time.Second

// othersMask are the rights of a file's group and of everyone.
const othersMask fs.FileMode = 0o077

// door holds what decides who gets in: access keys and certificate. Both are replaced while
// requests are served, when their files change or on SIGHUP; a file that cannot be used then leaves
// what was there before.
type door struct {
	c        Config
	logger   zerolog.Logger
	verifier *sigv4.Verifier // nil accepts any credentials
	cert     atomic.Pointer[tls.Certificate]
	// clientCAs sign the certificates of gRPC clients.
	clientCAs atomic.Pointer[x509.CertPool]
	stamps    map[string]stamp
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

// openDoor reads the files that the configuration names.
func openDoor(c Config, logger zerolog.Logger) (*door, error) {
	d := &door{c: c, logger: logger}
	d.stamps = d.stat()
	if c.Credentials != "" {
		keys, err := readCredentials(c.Credentials)
		if err != nil {
			return nil, err
		}
		d.verifier = sigv4.NewVerifier(c.Region, keys)
		d.warnOfReaders()
	}
	if c.TLSCert != "" {
		if err := d.loadCertificate(); err != nil {
			return nil, err
		}
	}
	if c.TLSClientCA != "" {
		if err := d.loadClientCAs(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func readCredentials(path string) (*sigv4.Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--credentials: %w: give a file of the form of ~/.aws/credentials", err)
	}
	defer f.Close()
	keys, err := sigv4.ReadKeys(f)
	if err != nil {
		return nil, fmt.Errorf("--credentials %s: %w", path, err)
	}
	return keys, nil
}

// warnOfReaders tells when others may read the secrets.
func (d *door) warnOfReaders() {
	if info, err := os.Stat(d.c.Credentials); err == nil && info.Mode()&othersMask != 0 {
		d.logger.Warn().Str("file", d.c.Credentials).Msg("other users may read the credentials: chmod 600 it")
	}
}

func (d *door) loadCertificate() error {
	cert, err := tls.LoadX509KeyPair(d.c.TLSCert, d.c.TLSKey)
	if err != nil {
		return fmt.Errorf("--tls-cert %s and --tls-key %s: %w: give a certificate in PEM form and its key",
			d.c.TLSCert, d.c.TLSKey, err)
	}
	d.cert.Store(&cert)
	return nil
}

func (d *door) loadClientCAs() error {
	text, err := os.ReadFile(d.c.TLSClientCA)
	if err != nil {
		return fmt.Errorf("--tls-client-ca: %w: give certificates in PEM form", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("--tls-client-ca %s: no certificate in it: give some in PEM form", d.c.TLSClientCA)
	}
	d.clientCAs.Store(pool)
	return nil
}

// files are those that are looked at for a change.
func (d *door) files() []string {
	var out []string
	for _, path := range [...]string{d.c.Credentials, d.c.TLSCert, d.c.TLSKey, d.c.TLSClientCA} {
		if path != "" {
			out = append(out, path)
		}
	}
	return out
}

// stat is the state of all files; one that is not there has the zero stamp.
func (d *door) stat() map[string]stamp {
	out := map[string]stamp{}
	for _, path := range d.files() {
		if info, err := os.Stat(path); err == nil {
			out[path] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// watchFiles starts watch, if there is anything to watch, and returns what ends it.
func (d *door) watchFiles(ctx context.Context) (stop func()) {
	if len(d.files()) == 0 {
		return func() {} // SIGHUP ends the process then, as it does others
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	ticker := time.NewTicker(reloadInterval)
	ctx, cancel := context.WithCancel(ctx)
	go d.watch(ctx, ticker.C, hup)
	return func() {
		cancel()
		ticker.Stop()
		signal.Stop(hup)
	}
}

// watch reloads until the context ends: at a tick what has changed, at a signal everything.
func (d *door) watch(ctx context.Context, tick <-chan time.Time, hup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			d.reload(false)
		case <-hup:
			d.reload(true)
		}
	}
}

// reload reads the files of which one has changed. Their state is taken before they are read, so a
// change meanwhile is seen next time.
func (d *door) reload(all bool) {
	now := d.stat()
	changed := func(path string) bool { return path != "" && (all || now[path] != d.stamps[path]) }
	var errs []error
	if changed(d.c.Credentials) {
		keys, err := readCredentials(d.c.Credentials)
		if err == nil {
			d.verifier.SetKeys(keys)
			d.logger.Info().Int("access_keys", keys.Len()).Msg("credentials read again")
			d.warnOfReaders()
		}
		errs = append(errs, err)
	}
	if changed(d.c.TLSCert) || changed(d.c.TLSKey) {
		err := d.loadCertificate()
		if err == nil {
			d.logger.Info().Msg("certificate read again")
		}
		errs = append(errs, err)
	}
	if changed(d.c.TLSClientCA) {
		err := d.loadClientCAs()
		if err == nil {
			d.logger.Info().Msg("authorities of clients read again")
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		d.logger.Error().Err(err).Msg("not read again: what was there before stays in force")
	}
	d.stamps = now
}

// secure puts TLS in front of listeners where there is a certificate. HTTP/2 is not offered: the
// service speaks HTTP/1.1 only.
func (d *door) secure(listeners []net.Listener) []net.Listener {
	if d.c.TLSCert == "" {
		return listeners
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return d.cert.Load(), nil
		},
	}
	out := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		out[i] = tls.NewListener(l, config)
	}
	return out
}

// statementAccess says what a PartiQL statement needs, for access keys that may not do everything.
func statementAccess(text string) (table, index string, action dynamowire.StatementAction, ok bool) {
	table, index, right, ok := partiql.Access(text)
	return table, index, dynamowire.StatementAction(right), ok
}
