package serve

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
)

// writeCertificate writes a certificate for localhost with the serial number, and its key.
func writeCertificate(t *testing.T, certPath, keyPath string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(path, kind string, b []byte) {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
	}
	write(certPath, "CERTIFICATE", der)
	write(keyPath, "PRIVATE KEY", secret)
}

// testDoor is a door with one access key and the certificate number 1.
func testDoor(t *testing.T, logs io.Writer) *door {
	t.Helper()
	dir := t.TempDir()
	c := Config{
		Region: "us-east-1", Credentials: filepath.Join(dir, "keys"),
		TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem"),
	}
	writeCertificate(t, c.TLSCert, c.TLSKey, 1)
	require.NoError(t, os.WriteFile(c.Credentials, []byte("[a]\naws_access_key_id=a\naws_secret_access_key=b\n"), 0o600))
	d, err := openDoor(c, zerolog.New(logs))
	require.NoError(t, err)
	return d
}

// serials dials the door n times and counts the certificates that it shows.
func serials(t *testing.T, addr string, n int) map[int64]int {
	t.Helper()
	out := map[int64]int{}
	for range n {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		out[c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()]++
		require.GreaterOrEqual(t, c.ConnectionState().Version, uint16(tls.VersionTLS12))
		require.NoError(t, c.Close())
	}
	return out
}

// TestCertificateReload: the certificate changes while clients connect; none fails, and after the
// change all see the new one. A file that cannot be used leaves the last good one.
func TestCertificateReload(t *testing.T) {
	var logs bytes.Buffer
	d := testDoor(t, zerolog.SyncWriter(&logs))
	l, err := listenOne(t.Context(), "127.0.0.1", 0)
	require.NoError(t, err)
	server := &http.Server{
		Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute, ErrorLog: errorLog(zerolog.Nop()),
	}
	go func() { _ = server.Serve(d.secure([]net.Listener{l})[0]) }()
	defer server.Close()
	addr := l.Addr().String()

	var load sync.WaitGroup
	load.Go(func() {
		seen := serials(t, addr, 100)
		assert.Equal(t, 100, seen[1]+seen[2])
	})
	d.reload(false)
	require.Equal(t, map[int64]int{1: 1}, serials(t, addr, 1), "nothing has changed")
	writeCertificate(t, d.c.TLSCert, d.c.TLSKey, 2)
	require.Equal(t, map[int64]int{1: 1}, serials(t, addr, 1), "not read again yet")
	d.reload(true)
	require.Equal(t, map[int64]int{2: 3}, serials(t, addr, 3))
	require.NoError(t, os.WriteFile(d.c.TLSKey, []byte("half a file"), 0o600))
	d.reload(false)
	require.Equal(t, map[int64]int{2: 1}, serials(t, addr, 1))
	require.Contains(t, logs.String(), "what was there before stays in force")
	load.Wait()

	old, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.Nil(t, old)
	require.ErrorContains(t, err, "protocol version")
}

// TestWatch: a tick reads what has changed, a signal everything.
func TestWatch(t *testing.T) {
	d := testDoor(t, io.Discard)
	verifies := func(id string) bool {
		r := sigv4.Request{Method: "POST", Path: "/", Header: http.Header{
			"X-Amz-Date": {time.Now().UTC().Format("20060102T150405Z")},
			"Authorization": {"AWS4-HMAC-SHA256 Credential=" + id + time.Now().UTC().Format("/20060102/") +
				"us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"},
		}}
		_, err := d.verifier.Check(&r, time.Now())
		if err == nil {
			return true
		}
		assert.EqualError(t, err, "UnrecognizedClientException: The security token included in the request is invalid.")
		return false
	}
	require.True(t, verifies("a"))
	tick, hup, done := make(chan time.Time), make(chan os.Signal), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		d.watch(ctx, tick, hup)
	}()
	write := func(id string) {
		require.NoError(t, os.WriteFile(d.c.Credentials, []byte("["+id+"]\naws_access_key_id="+id+"\naws_secret_access_key=b\n"), 0o600))
	}
	write("longer")
	tick <- time.Time{}
	tick <- time.Time{} // taken once the first is done with
	require.True(t, verifies("longer"))
	require.False(t, verifies("a"))
	write("c")
	hup <- os.Interrupt
	tick <- time.Time{}
	require.True(t, verifies("c"))
	require.NoError(t, os.WriteFile(d.c.Credentials, []byte("half a"), 0o600))
	hup <- os.Interrupt
	cancel()
	<-done
	require.True(t, verifies("c"), "the keys before stay in force")
}

// TestConnectionLimit: at the limit a client waits until another's connection ends.
func TestConnectionLimit(t *testing.T) {
	l, err := listenOne(t.Context(), "127.0.0.1", 0)
	require.NoError(t, err)
	m := newLimiter(2, zerolog.Nop())
	bound := m.bound([]net.Listener{l})[0]
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := bound.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	var clients []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		clients = append(clients, c)
	}
	first, second := <-accepted, <-accepted
	require.Len(t, m.slots, 2)
	require.NoError(t, first.Close())
	require.Error(t, first.Close(), "a second close gives no second slot")
	third := <-accepted
	require.Len(t, m.slots, 2)
	require.NoError(t, bound.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed, "closing ends the wait for a slot")
	for _, c := range append(clients, second, third) {
		require.NoError(t, c.Close())
	}
	require.Empty(t, m.slots)
}

func TestConfigOfTheDoor(t *testing.T) {
	good := Config{Host: HostDefault, Account: "123456789012", Region: "r", InMemory: true, MaxConnections: 1,
		SyncInterval: 1, TTLInterval: 1, StreamRetention: 1, StreamShards: 1, CollectionBytes: 1,
		ArchiveInterval: 1, ArchiveBaseInterval: 1}
	require.NoError(t, good.check())
	outside := good
	outside.Host = "0.0.0.0"
	require.ErrorContains(t, outside.check(), "give --credentials FILE")
	outside.Credentials = "keys"
	require.NoError(t, outside.check(), "with signatures it may listen anywhere")
	outside.NoAuth = true
	require.ErrorContains(t, outside.check(), "exclude each other")
	outside.Credentials = ""
	require.NoError(t, outside.check())
}

func TestStatementAccess(t *testing.T) {
	for text, want := range map[string]dynamowire.StatementAction{
		`SELECT * FROM "T"."I" WHERE a = 1`:     dynamowire.StatementSelect,
		`INSERT INTO T VALUE {'a': 1}`:          dynamowire.StatementInsert,
		`UPDATE T SET b = 1 WHERE a = 1`:        dynamowire.StatementUpdate,
		`DELETE FROM T WHERE a = 1`:             dynamowire.StatementDelete,
		`EXPLAIN DELETE FROM T WHERE a = 1`:     dynamowire.StatementSelect,
		`EXISTS(SELECT * FROM T WHERE a = 1)`:   dynamowire.StatementSelect,
		"\n update\tT set b=1 where a='DELETE'": dynamowire.StatementUpdate,
	} {
		table, _, action, ok := statementAccess(text)
		require.True(t, ok, text)
		require.Equal(t, "T", table, text)
		require.Equal(t, want, action, text)
	}
	_, _, _, ok := statementAccess("DROP TABLE T")
	require.False(t, ok)
}
