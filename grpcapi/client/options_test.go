package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

func TestOptionsAreChecked(t *testing.T) {
	_, err := client.Dial("localhost:1", client.Options{SecretKey: "s", SessionToken: "t", Tries: -1, MessageMaxBytes: -1})
	require.EqualError(t, err, "client: an access key needs a secret key, and the other way round\n"+
		"a session token needs an access key\na message cannot have at most -1 bytes\na call cannot be tried -1 times")
	_, err = client.Dial("localhost:1", client.Options{AccessKey: "a", SecretKey: "s"})
	require.EqualError(t, err, "client: a secret key is not sent without TLS, unless PlaintextSecret is set")
	_, err = client.Dial("", client.Options{})
	require.ErrorContains(t, err, "give HOST:PORT")
	_, err = client.Dial("http://localhost:1", client.Options{})
	require.ErrorContains(t, err, "is a URL: give HOST:PORT")
	_, err = client.Dial("localhost:1", client.Options{Dial: []grpc.DialOption{grpc.WithDefaultServiceConfig("?")}})
	require.ErrorContains(t, err, "client: ")
}

// certificateOf makes a certificate that stands for itself.
func certificateOf(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: clock().Add(-time.Hour), NotAfter: clock().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: secret}, pool
}

// clock is the time of the tests.
func clock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// TestKeysOverTLS: keys go with every call, unary or not, and a client can show a certificate.
func TestKeysOverTLS(t *testing.T) {
	serverCert, serverPool := certificateOf(t, "server")
	clientCert, clientPool := certificateOf(t, "somebody")
	var names []string
	var keys [][]string
	p := &pipe{}
	t.Cleanup(p.serve(t, feedDB(t), grpcapi.Options{
		Authenticate: func(ctx context.Context) (*sigv4.Key, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			var key []string
			for _, name := range []string{grpcapi.MetadataAccessKey, grpcapi.MetadataSecretKey, grpcapi.MetadataSessionToken} {
				key = append(key, md.Get(name)...)
			}
			keys = append(keys, key)
			from, _ := peer.FromContext(ctx)
			info, _ := from.AuthInfo.(credentials.TLSInfo)
			names = append(names, info.State.PeerCertificates[0].Subject.CommonName)
			return nil, nil
		},
		GRPC: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{serverCert}, ClientCAs: clientPool,
			ClientAuth: tls.RequireAndVerifyClientCert, Time: clock,
		}))},
	}))
	opts := client.Options{
		TLS: &tls.Config{
			RootCAs: serverPool, ServerName: "server", Certificates: []tls.Certificate{clientCert}, Time: clock,
		},
		AccessKey: "access", SecretKey: "secret", SessionToken: "token",
	}
	c := dialPipe(t, p, opts)
	_, err := c.Service().ListTables(t.Context(), &api.ListTablesInput{})
	require.NoError(t, err)
	_, err = c.Scan("orders").All(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"somebody", "somebody"}, names)
	require.Equal(t, [][]string{{"access", "secret", "token"}, {"access", "secret", "token"}}, keys)

	opts.TLS = &tls.Config{RootCAs: clientPool, ServerName: "server", Time: clock}
	opts.Tries = 1
	_, err = dialPipe(t, p, opts).Service().ListTables(t.Context(), &api.ListTablesInput{})
	lost, ok := errors.AsType[*client.TransportError](err)
	require.True(t, ok, "%v", err)
	require.True(t, lost.NotSent, "the server is not the one")
}

// TestRefusal: keys that are refused are an error of the database.
func TestRefusal(t *testing.T) {
	refused := api.Errorf(api.UnrecognizedClient, "The security token included in the request is invalid.")
	var got []string
	p := &pipe{}
	t.Cleanup(p.serve(t, api.Base{}, grpcapi.Options{Authenticate: func(ctx context.Context) (*sigv4.Key, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		got = md.Get(grpcapi.MetadataSecretKey)
		return nil, refused
	}}))
	c := dialPipe(t, p, client.Options{AccessKey: "a", SecretKey: "s", PlaintextSecret: true})
	_, err := c.Service().ListTables(t.Context(), &api.ListTablesInput{})
	require.Equal(t, refused, err)
	require.Equal(t, []string{"s"}, got)
	_, err = c.Scan("orders").All(t.Context())
	require.Equal(t, refused, err)
	_, err = c.Call(t.Context(), "ListTables", []byte("{}"))
	require.Equal(t, refused, err)
}

// TestServerKnowsKeys: the metadata is what servers of this module look at.
func TestServerKnowsKeys(t *testing.T) {
	known, err := sigv4.ReadKeys(strings.NewReader("[a]\naws_access_key_id = AKIDEXAMPLE000000000\naws_secret_access_key = hush\n"))
	require.NoError(t, err)
	auth := grpcapi.NewAuth(sigv4.NewVerifier("us-east-1", known), false, clock)
	p := &pipe{}
	t.Cleanup(p.serve(t, feedDB(t), grpcapi.Options{Authenticate: auth.Authenticate, GRPC: auth.Options()}))
	for _, test := range []struct {
		key, secret string
		want        api.Code
	}{
		{"AKIDEXAMPLE000000000", "hush", ""},
		{"AKIDEXAMPLE000000000", "wrong", api.UnrecognizedClient},
		{"AKIDEXAMPLE000000001", "hush", api.UnrecognizedClient},
		{"", "", api.MissingAuthenticationToken},
	} {
		c := dialPipe(t, p, client.Options{AccessKey: test.key, SecretKey: test.secret, PlaintextSecret: true})
		_, err := c.Service().ListTables(t.Context(), &api.ListTablesInput{})
		require.Equal(t, test.want, api.CodeOf(err), "%v", err)
		_, err = c.Scan("orders").All(t.Context())
		require.Equal(t, test.want, api.CodeOf(err), "%v", err)
		for _, err := range c.Table("orders").Changes().Deliveries(t.Context()) {
			require.Equal(t, test.want, api.CodeOf(err), "%v", err)
			break
		}
	}
}

// TestMessageMax: an answer that is too long is an error, and is not asked for again.
func TestMessageMax(t *testing.T) {
	c, f := connectFaulty(t, client.Options{MessageMaxBytes: 20})
	_, err := c.Service().GetItem(t.Context(), &api.GetItemInput{TableName: some("orders"), Key: key(t, "a", "b")})
	lost, ok := errors.AsType[*client.TransportError](err)
	require.True(t, ok, "%v", err)
	require.False(t, lost.NotSent)
	require.Equal(t, codes.ResourceExhausted, status.Code(errors.Unwrap(err)))
	require.Equal(t, 1, f.calls)
}
