package grpcapi

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
)

func testAuth(t *testing.T, certificates bool) *Auth {
	t.Helper()
	keys, err := sigv4.ReadKeys(strings.NewReader("[me]\naws_access_key_id = ID\naws_secret_access_key = secret\n"))
	require.NoError(t, err)
	return NewAuth(sigv4.NewVerifier("us-east-1", keys), certificates, func() time.Time { return time.Unix(1_800_000_000, 0) })
}

// TestSecretsOverPlainText: only from the same machine.
func TestSecretsOverPlainText(t *testing.T) {
	a := testAuth(t, false)
	given := metadata.Pairs(MetadataAccessKey, "ID", MetadataSecretKey, "secret")
	ctx, err := a.tap(t.Context(), &tap.Info{FullMethodName: "/keystone.v1.KeystoneDb/Get", Header: given})
	require.NoError(t, err)
	near, far := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
	info := credentials.TLSInfo{State: tls.ConnectionState{}}
	for _, tt := range []struct {
		from *peer.Peer
		want bool
	}{
		{&peer.Peer{Addr: near}, true},
		{&peer.Peer{Addr: &net.TCPAddr{IP: net.IPv6loopback}}, true},
		{&peer.Peer{Addr: &net.UnixAddr{Name: "socket"}}, true},
		{&peer.Peer{Addr: far, AuthInfo: info}, true},
		{&peer.Peer{Addr: far}, false},
		{&peer.Peer{Addr: &net.TCPAddr{IP: net.IPv6unspecified}}, false},
	} {
		key, err := a.Authenticate(peer.NewContext(ctx, tt.from))
		if tt.want {
			require.NoError(t, err)
			require.Equal(t, "me", key.User)
			continue
		}
		require.ErrorContains(t, err, msgPlaintext)
	}
	_, err = a.Authenticate(ctx)
	require.Error(t, err, "who knows where it came from")
	_, err = a.Authenticate(peer.NewContext(context.Background(), &peer.Peer{Addr: far, AuthInfo: info}))
	require.ErrorContains(t, err, "missing Authentication Token", "no verified certificate either")
}

// TestTap: what is refused before a message is taken.
func TestTap(t *testing.T) {
	try := func(a *Auth, method string, pairs ...string) error {
		_, err := a.tap(t.Context(), &tap.Info{FullMethodName: method, Header: metadata.Pairs(pairs...)})
		return err
	}
	const call = "/keystone.v1.KeystoneDb/Put"
	plain, certificates := testAuth(t, false), testAuth(t, true)
	require.NoError(t, try(plain, "/grpc.health.v1.Health/Check"))
	require.NoError(t, try(certificates, call), "a certificate may follow")
	for _, pairs := range [][]string{
		nil,
		{MetadataAccessKey, ""},
		{MetadataAccessKey, "ID", MetadataAccessKey, "ID", MetadataSecretKey, "secret"},
		{MetadataAccessKey, "ID"},
		{MetadataAccessKey, "ID", MetadataSecretKey, "secret", MetadataSecretKey, "secret"},
		{MetadataAccessKey, "ID", MetadataSecretKey, "wrong"},
	} {
		err := try(plain, call, pairs...)
		require.Equal(t, codes.Unauthenticated, status.Code(err), "%v", pairs)
		require.Len(t, status.Convert(err).Proto().GetDetails(), 1)
	}
	require.Error(t, try(plain, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"))
}
