package grpcapi

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// CallInfo says how a call went.
type CallInfo struct {
	Method string        // such as /keystone.v1.KeystoneDb/Get
	Peer   string        // address of the caller
	Code   codes.Code    // OK, or that of the error
	Took   time.Duration // from the first message to the end, which streams may have late
}

// Observe makes the interceptors that tell of every call when it has ended, for logs and metrics: give
// them to a server as Options.GRPC. each runs on the goroutine of the call, several at a time. Calls that are
// refused before they begin, by Auth for their metadata or by limits, are not told of.
func Observe(clock func() time.Time, each func(CallInfo)) []grpc.ServerOption {
	ended := func(ctx context.Context, method string, began time.Time, err error) {
		info := CallInfo{Method: method, Code: status.Code(err), Took: clock().Sub(began)}
		if p, ok := peer.FromContext(ctx); ok {
			info.Peer = p.Addr.String()
		}
		each(info)
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(
			ctx context.Context, in any, info *grpc.UnaryServerInfo, serve grpc.UnaryHandler,
		) (any, error) {
			began := clock()
			out, err := serve(ctx, in)
			ended(ctx, info.FullMethod, began, err)
			return out, err
		}),
		grpc.ChainStreamInterceptor(func(
			srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, serve grpc.StreamHandler,
		) error {
			began := clock()
			err := serve(srv, stream)
			ended(stream.Context(), info.FullMethod, began, err)
			return err
		}),
	}
}

// LogCalls logs calls at debug level: give it to Observe.
func LogCalls(logger zerolog.Logger) func(CallInfo) {
	return func(c CallInfo) {
		logger.Debug().Str("call", c.Method).Str("peer", c.Peer).Str("code", c.Code.String()).
			Dur("took", c.Took).Msg("call")
	}
}
