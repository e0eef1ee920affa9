package compat

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/keystone-db/kstone/dynamowire"
)

const (
	idleConnections = 10_000
	// spareFiles is what the two processes need beside the connections.
	spareFiles = 400
	dialers    = 64
)

// hostOf is the HOST:PORT of a server.
func hostOf(s *server) string { return s.url[strings.LastIndex(s.url, "/")+1:] }

// client is a connection by hand.
type client struct {
	net.Conn
	in    *bufio.Reader
	began time.Time
}

func dial(s *server) (*client, error) {
	began := time.Now()
	c, err := net.Dial("tcp", hostOf(s))
	if err != nil {
		return nil, err
	}
	return &client{Conn: c, in: bufio.NewReader(c), began: began}, nil
}

// ask sends a GET and wants the answer's status to be 200; the connection stays open.
func (c *client) ask() error {
	if _, err := c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	if _, err = io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	return answer.Body.Close()
}

// putHead is the head of a PutItem with a body of n bytes.
func putHead(n int) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n"+
		"X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c\r\nContent-Length: %d\r\n\r\n", n)
}

// underWay sends the head of a PutItem and waits until the server reads its body, of n bytes.
func (c *client) underWay(t *testing.T, n int) {
	t.Helper()
	_, err := c.Write([]byte(strings.Replace(putHead(n), "Host: x", "Host: x\r\nExpect: 100-continue", 1)))
	require.NoError(t, err)
	answer, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusContinue, answer.StatusCode)
}

// TestIdleConnections: 10,000 connections wait for their next request, and the server serves others and
// then every one of them.
func TestIdleConnections(t *testing.T) {
	needFiles(t, idleConnections+spareFiles)
	s := newServer(t, "--in-memory")
	clients := make([]*client, idleConnections)
	var work errgroup.Group
	work.SetLimit(dialers)
	for i := range clients {
		work.Go(func() (err error) {
			if clients[i], err = dial(s); err != nil {
				return err
			}
			return clients[i].ask()
		})
	}
	require.NoError(t, work.Wait())
	t.Logf("%d idle connections: %s", idleConnections, memoryOf(s))
	c := s.client()
	require.NoError(t, createTables(t.Context(), c))
	for range 100 {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(hashTable), Item: hashKey(t)})
		require.NoError(t, err)
	}
	for _, c := range clients {
		work.Go(func() error {
			err := c.ask()
			if time.Since(c.began) > dynamowire.IdleTimeout {
				return nil // the server need not have waited so long
			}
			return err
		})
	}
	require.NoError(t, work.Wait())
	s.stop(t)
	for _, c := range clients {
		require.NoError(t, c.Close())
	}
}

// memoryOf is the resident memory of a server where the system tells it.
func memoryOf(s *server) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			return line
		}
	}
	return "memory unknown"
}

// TestSlowClients: clients that stop in the middle of a head or of a body hold up nobody, not even the
// end of the server.
func TestSlowClients(t *testing.T) {
	s := newServer(t, "--in-memory")
	const each = 100
	const large = 2 << 20 // counts against the budget of large bodies
	for range each {
		for _, text := range []string{"", "POST / HTTP/1.1\r\nHos", putHead(100) + "{", putHead(large) + "{"} {
			c, err := dial(s)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Write([]byte(text))
			require.NoError(t, err)
		}
	}
	c := s.client()
	require.NoError(t, createTables(t.Context(), c))
	for range 100 {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(hashTable), Item: hashKey(t)})
		require.NoError(t, err)
	}
	// However long that took, one is there that the server still waits for.
	last, err := dial(s)
	require.NoError(t, err)
	defer last.Close()
	last.underWay(t, large)
	s.stop(t)
	assert.Contains(t, s.stderr.String(), "requests still running were cut off")
}

// TestSlowReaders: clients that ask for a lot and take nothing of it hold up nobody.
func TestSlowReaders(t *testing.T) {
	s := newServer(t, "--in-memory")
	c := s.client()
	require.NoError(t, createTables(t.Context(), c))
	for _, pk := range []string{"a", "b", "c"} {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(hashTable), Item: item{
			"pk": str(pk), "large": str(strings.Repeat("x", 350_000)),
		}})
		require.NoError(t, err)
	}
	scan := fmt.Sprintf(`{"TableName":%q}`, hashTable)
	for range 100 {
		c, err := dial(s)
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write([]byte(strings.Replace(putHead(len(scan)), "PutItem", "Scan", 1) + scan))
		require.NoError(t, err)
	}
	t.Logf("100 readers that do not read: %s", memoryOf(s))
	for range 100 {
		_, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(hashTable), Key: hashKey(t)})
		require.NoError(t, err)
	}
	s.stop(t)
}

// TestShutdownFinishes: a request that is under way when the server is told to stop is answered, a new
// one is refused, and what was answered is there after the next start.
func TestShutdownFinishes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stop.keystone")
	s := newServer(t, "--db", path, "--shutdown-grace", waitMax.String())
	require.NoError(t, createTables(t.Context(), s.client()))
	body := fmt.Sprintf(`{"TableName":%q,"Item":{"pk":{"S":"late"}}}`, hashTable)
	slow, err := dial(s)
	require.NoError(t, err)
	defer slow.Close()
	slow.underWay(t, len(body))
	_, err = slow.Write([]byte(body[:10]))
	require.NoError(t, err)
	idle, err := dial(s)
	require.NoError(t, err)
	defer idle.Close()
	require.NoError(t, idle.ask())

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool {
		c, err := dial(s)
		if err == nil {
			c.Close()
		}
		return err != nil
	}, waitMax, time.Millisecond, "new connections are refused")
	_, err = slow.Write([]byte(body[10:]))
	require.NoError(t, err)
	answer, err := http.ReadResponse(slow.in, nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.True(t, answer.Close, "the client is told to come no more")
	_, err = idle.in.ReadByte()
	require.Error(t, err, "idle connections are ended")
	require.NoError(t, s.cmd.Wait(), s.stderr.String())

	s = newServer(t, "--db", path)
	out, err := s.client().GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(hashTable), Key: item{"pk": str("late")}, ConsistentRead: aws.Bool(true),
	})
	require.NoError(t, err)
	assert.NotNil(t, out.Item)
}

// authority signs certificates for localhost.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{key: key, cert: cert, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// write makes a certificate with the serial number, and its key.
func (a *authority) write(t *testing.T, certPath, keyPath string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

// TestTLS: the SDK over TLS with signatures, while the certificate is replaced under load.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, ca := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	a := newAuthority(t)
	a.write(t, cert, key, 1)
	require.NoError(t, os.WriteFile(ca, a.pem, 0o600))
	s, _ := guarded(t, "--tls-cert", cert, "--tls-key", key)
	require.True(t, strings.HasPrefix(s.url, "https://localhost:"), s.url)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	var serial atomic.Int64
	// A connection for each request, so that each shows its certificate.
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: pool,
		VerifyConnection: func(state tls.ConnectionState) error {
			serial.Store(state.PeerCertificates[0].SerialNumber.Int64())
			return nil
		},
	}}}
	c := s.as("AKIAOWNER", "owner/secret+1", "", func(o *dynamodb.Options) { o.HTTPClient = web })
	list := func() error {
		_, err := c.ListTables(t.Context(), &dynamodb.ListTablesInput{})
		return err
	}
	require.NoError(t, list())
	require.EqualValues(t, 1, serial.Load())
	done := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					assert.NoError(t, list())
				}
			}
		})
	}
	a.write(t, cert, key, 2)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	assert.Eventually(t, func() bool { return serial.Load() == 2 }, waitMax, time.Millisecond)
	close(done)
	load.Wait()

	out, err := exec.Command(binary, "health", s.url).CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.Command(binary, "health", strings.Replace(s.url, "https", "http", 1)).CombinedOutput()
	require.Error(t, err, string(out))
	s.stop(t)
}
