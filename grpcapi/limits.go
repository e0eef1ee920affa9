package grpcapi

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Limits of connections, beside that of messages. A client that exceeds one is refused, or loses its
// connection, and no other notices.
const (
	// HeaderListMaxBytes bounds the metadata of a call, with 32 bytes for each pair, as over HTTP.
	HeaderListMaxBytes = 64 << 10
	// StreamsMax is how many calls may run on a connection at once. Clients hold back further ones.
	StreamsMax = 1000
	// HandshakeTimeout is how long a new connection may take until it speaks HTTP/2.
	HandshakeTimeout = 10 * time.Second
	// IdleTimeout ends a connection without calls. Clients connect again by themselves.
	IdleTimeout = 5 * time.Minute
	// PingInterval is how long a connection may be silent before the server asks whether somebody is
	// there, PingTimeout how long the answer may take.
	PingInterval = 2 * time.Minute
	PingTimeout  = 20 * time.Second
	// ClientPingInterval is how often a client may ask: one that does so more often loses its connection.
	ClientPingInterval = 10 * time.Second
	// writeBufferBytes and readBufferBytes are the buffers of a connection beneath its calls.
	writeBufferBytes = 32 << 10
	readBufferBytes  = 32 << 10
)

// LimitOptions are the limits for a server: give them to it as Options.GRPC.
func LimitOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxHeaderListSize(HeaderListMaxBytes),
		grpc.MaxConcurrentStreams(StreamsMax),
		grpc.ConnectionTimeout(HandshakeTimeout),
		grpc.WriteBufferSize(writeBufferBytes),
		grpc.ReadBufferSize(readBufferBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: IdleTimeout, Time: PingInterval, Timeout: PingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: ClientPingInterval, PermitWithoutStream: true,
		}),
	}
}
