package compat

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// metadataKey sends an access key with each call.
type metadataKey struct{ id, secret, token string }

func (k metadataKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	md := map[string]string{"x-kstone-access-key": k.id, "x-kstone-secret-key": k.secret}
	if k.token != "" {
		md["x-kstone-session-token"] = k.token
	}
	return md, nil
}

// RequireTransportSecurity would keep a secret off connections without TLS; the server decides here.
func (metadataKey) RequireTransportSecurity() bool { return false }

var _ credentials.PerRPCCredentials = metadataKey{}

// holder is a connection of the holder of an access key.
func holder(t *testing.T, s *server, config *tls.Config, k metadataKey) *grpc.ClientConn {
	t.Helper()
	return dialGRPC(t, s.grpc, config, grpc.WithPerRPCCredentials(k))
}

// wantStatus checks code and text of a status.
func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	assert.Equal(t, code, status.Code(err), "%v", err)
	assert.Equal(t, text, status.Convert(err).Message())
}

const noToken = "Request is missing Authentication Token"

// TestGRPCAccess: access keys in metadata, with the refusals that the HTTP door has.
func TestGRPCAccess(t *testing.T) {
	s, path := guarded(t)
	owner := newDynamic(t, holder(t, s, nil, metadataKey{"AKIAOWNER", "owner/secret+1", ""}))
	owner.must(t, "CreateTable", grpcTable)
	newDynamic(t, holder(t, s, nil, metadataKey{"ASIAGUEST", "guest-secret", "guest-token"})).must(t, "ListTables", `{}`)
	reader := newDynamic(t, holder(t, s, nil, metadataKey{"AKIAREADER", "reader-secret", ""}))
	reader.must(t, "ListTables", `{}`)
	put := `{"tableName":"native","item":{"attributes":{"pk":{"S":"a"}}}}`
	_, err := reader.call(t, "Put", put)
	table := "native"
	_, refused := s.as("AKIAREADER", "reader-secret", "").PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("a")}})
	require.Error(t, refused)
	wantError(t, refused, "AccessDeniedException", status.Convert(err).Message())
	assert.Equal(t, codes.PermissionDenied, status.Code(err))
	clerk := newDynamic(t, holder(t, s, nil, metadataKey{"AKIACLERK", "clerk-secret", ""}))
	for _, name := range []string{"Scan", "ExecuteStatement", "Subscribe"} {
		request := map[string]string{
			"Scan": `{"tableName":"native"}`, "ExecuteStatement": `{"statement":"SELECT * FROM native"}`,
			"Subscribe": `{"tableName":"native","startingPosition":"LATEST"}`,
		}[name]
		_, err := clerk.stream(t, name, request).RecvMsg()
		assert.Equal(t, codes.PermissionDenied, status.Code(err), "%s: %v", name, err)
	}
	_, err = clerk.call(t, "Call", `{"operation":"DescribeTable","body":"eyJUYWJsZU5hbWUiOiJuYXRpdmUifQ=="}`) // native
	assert.Equal(t, codes.PermissionDenied, status.Code(err), "%v", err)

	for _, bad := range []struct {
		key  metadataKey
		text string
	}{
		{metadataKey{}, noToken},
		{metadataKey{"AKIANOBODY", "x", ""}, unknownKey},
		{metadataKey{"AKIAOWNER", "wrong", ""}, unknownKey},
		{metadataKey{"ASIAGUEST", "guest-secret", ""}, "The security token included in the request is invalid"},
	} {
		conn := holder(t, s, nil, bad.key)
		_, err = reflect(t.Context(), conn)
		wantStatus(t, err, codes.Unauthenticated, bad.text)
		stranger := owner.over(conn)
		_, err = stranger.call(t, "Put", put)
		wantStatus(t, err, codes.Unauthenticated, bad.text)
		_, err = stranger.stream(t, "Scan", `{"tableName":"native"}`).RecvMsg()
		wantStatus(t, err, codes.Unauthenticated, bad.text)
		_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
		require.NoError(t, err, "who supervises has no key")
	}

	require.NoError(t, os.WriteFile(path, []byte("[new]\naws_access_key_id = AKIANEW\naws_secret_access_key = n\n"), 0o600))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	fresh := owner.over(holder(t, s, nil, metadataKey{"AKIANEW", "n", ""}))
	require.Eventually(t, func() bool { _, err := fresh.call(t, "ListTables", `{}`); return err == nil }, waitMax, 10*time.Millisecond)
	_, err = owner.call(t, "ListTables", `{}`)
	wantStatus(t, err, codes.Unauthenticated, unknownKey)
	s.stop(t)
}

// client makes a certificate of a client.
func (a *authority) client(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestGRPCCertificates: TLS with the certificate of the HTTP door, which is replaced while a client is
// connected, and clients that are known by certificates of their own.
func TestGRPCCertificates(t *testing.T) {
	dir := t.TempDir()
	cert, key, ca := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	servers, clients := newAuthority(t), newAuthority(t)
	servers.write(t, cert, key, 1)
	require.NoError(t, os.WriteFile(ca, clients.pem, 0o600))
	s, _ := guarded(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca)
	pool := x509.NewCertPool()
	pool.AddCert(servers.cert)
	config := func(certificates ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: certificates}
	}
	named := func(name string) *grpc.ClientConn { return dialGRPC(t, s.grpc, config(clients.client(t, name))) }

	owner := newDynamic(t, named("AKIAOWNER"))
	owner.must(t, "CreateTable", grpcTable)
	_, err := owner.over(named("AKIAREADER")).call(t, "DeleteTable", `{"tableName":"native"}`)
	assert.Equal(t, codes.PermissionDenied, status.Code(err), "%v", err)
	_, err = owner.over(named("AKIANOBODY")).call(t, "ListTables", `{}`)
	wantStatus(t, err, codes.Unauthenticated, unknownKey)
	_, err = owner.over(dialGRPC(t, s.grpc, config())).call(t, "ListTables", `{}`)
	wantStatus(t, err, codes.Unauthenticated, noToken)
	_, err = owner.over(dialGRPC(t, s.grpc, config(servers.client(t, "AKIAOWNER")))).call(t, "ListTables", `{}`)
	assert.Equal(t, codes.Unavailable, status.Code(err), "another authority: %v", err)
	owner.over(holder(t, s, config(), metadataKey{"AKIAOWNER", "owner/secret+1", ""})).must(t, "ListTables", `{}`)
	_, err = owner.over(dialGRPC(t, s.grpc, nil)).call(t, "ListTables", `{}`)
	assert.Equal(t, codes.Unavailable, status.Code(err), "plain text: %v", err)

	shown := func() int64 {
		c, err := tls.Dial("tcp", s.grpc, &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"h2"}})
		require.NoError(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	require.EqualValues(t, 1, shown())
	servers.write(t, cert, key, 2)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	for shown() != 2 {
		owner.must(t, "ListTables", `{}`)
	}
	owner.must(t, "ListTables", `{}`)
	s.stop(t)
}
