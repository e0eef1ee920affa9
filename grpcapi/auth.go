package grpcapi

import (
	"context"
	"crypto/x509"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/fault"
)

// Metadata by which a caller says who he is: the names of an access key and its secret, and of its
// session token where it has one. They go with every call, over TLS or on the server's own machine.
const (
	MetadataAccessKey    = "x-kstone-access-key"
	MetadataSecretKey    = "x-kstone-secret-key"
	MetadataSessionToken = "x-kstone-session-token"
)

// msgPlaintext refuses secrets that others could have read on their way.
const msgPlaintext = "Secrets are taken over TLS or from the server's own machine only"

// healthPrefix begins the calls that need no credentials: who supervises a server has none.
const healthPrefix = "/grpc.health.v1.Health/"

// Auth finds the access key of a caller: by the metadata above, else by the certificate that the client
// has shown, if the server asked for one and it is signed as the server wants; its common name is the
// access key then. It is safe for concurrent use.
type Auth struct {
	keys  *sigv4.Verifier
	clock func() time.Time
	// certificates says that clients may show one: who sends no metadata may be known by it.
	certificates bool
}

// NewAuth makes an Auth of the access keys, which may change meanwhile.
func NewAuth(keys *sigv4.Verifier, certificates bool, clock func() time.Time) *Auth {
	return &Auth{keys: keys, certificates: certificates, clock: clock}
}

// Options are what a server needs for every call to be asked for, Reflection included and Health not:
// give them to it with Authenticate.
func (a *Auth) Options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.InTapHandle(a.tap), grpc.ChainStreamInterceptor(a.otherService)}
}

// Peer tells where a call comes from, as an address with a port, and whether over TLS: for
// dynamowire.Access.
func Peer(ctx context.Context) (address string, secure bool) {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return "", false
	}
	_, secure = p.AuthInfo.(credentials.TLSInfo)
	return p.Addr.String(), secure
}

// knownKey is the key of a context in which the holder of an access key is found.
type knownKey struct{}

// tap refuses a call before its message is taken.
func (a *Auth) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	if strings.HasPrefix(info.FullMethodName, healthPrefix) {
		return ctx, nil
	}
	id := one(info.Header, MetadataAccessKey)
	if id == "" {
		if a.certificates {
			return ctx, nil // the connection is known later
		}
		return ctx, refusal(ctx, sigv4.MissingToken())
	}
	key, err := a.keys.Secret(id, one(info.Header, MetadataSecretKey), one(info.Header, MetadataSessionToken), a.clock())
	if err != nil {
		return ctx, refusal(ctx, err)
	}
	return context.WithValue(ctx, knownKey{}, key), nil
}

// Authenticate finds the key of a call's context. The error is UNAUTHENTICATED to a client.
func (a *Auth) Authenticate(ctx context.Context) (*sigv4.Key, error) {
	from, _ := peer.FromContext(ctx)
	if key, ok := ctx.Value(knownKey{}).(*sigv4.Key); ok {
		if !private(from) {
			return nil, api.Errorf(api.UnrecognizedClient, msgPlaintext)
		}
		return key, nil
	}
	if cert := certificate(from); cert != nil {
		return a.keys.Named(cert.Subject.CommonName, a.clock())
	}
	return nil, sigv4.MissingToken()
}

// otherService asks for the key of calls of services that do not ask by themselves: reflection.
func (a *Auth) otherService(srv any, to grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if _, ours := srv.(*Server); !ours && !strings.HasPrefix(info.FullMethod, healthPrefix) {
		if _, err := a.Authenticate(to.Context()); err != nil {
			return refusal(to.Context(), err)
		}
	}
	return next(srv, to)
}

func refusal(ctx context.Context, err error) error {
	st, _ := fault.Status(ctx, err)
	return st.Err()
}

// one is the only value of a name in metadata, empty for none and for several.
func one(md metadata.MD, name string) string {
	if values := md[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// private says that nobody else could read what came by the connection.
func private(from *peer.Peer) bool {
	if from == nil {
		return false
	}
	if from.AuthInfo != nil && from.AuthInfo.AuthType() == "tls" {
		return true
	}
	tcp, ok := from.Addr.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback() // what is no TCP does not leave the machine
}

// certificate is the one that a client has shown and that was verified.
func certificate(from *peer.Peer) *x509.Certificate {
	if from == nil {
		return nil
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil
	}
	return info.State.VerifiedChains[0][0]
}
