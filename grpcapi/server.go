package grpcapi

import (
	"context"
	"net"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// Limits of the door.
const (
	// MessageMaxBytesDefault is the largest message that is taken, as for bodies over HTTP.
	MessageMaxBytesDefault = dynamowire.BodyMaxBytes
	// AnswerMaxBytes is the largest message that is sent: 16 MB of items, as BatchGet may answer, take a
	// multiple of it as a message. Clients must allow what they ask for: many take 4 MB only by default.
	AnswerMaxBytes = 128 << 20
)

// workers is how many goroutines wait for calls. A call that finds none gets a new one, whose stack must
// grow first: with workers a Get takes a fifth less processor time. They are for as many calls at once
// as a busy server has, and take little memory before they are used.
const workers = 64

// Options of a server. The zero value serves everyone, without a log.
type Options struct {
	// Logger gets what clients must not see: the text of internal errors, panics.
	Logger zerolog.Logger
	// MessageMaxBytes is the largest message that is taken; 0 means MessageMaxBytesDefault.
	MessageMaxBytes int
	// Authenticate finds the key of a caller, by the metadata or the peer in the context. Its error
	// refuses the call. A nil key, or a nil Authenticate, may do everything.
	Authenticate func(ctx context.Context) (*sigv4.Key, error)
	// Access says what a key may do.
	Access dynamowire.Access
	// GRPC are further options of the gRPC server: credentials, limits, interceptors, statistics.
	GRPC []grpc.ServerOption
}

// Server serves the database over gRPC. It is safe for concurrent use.
type Server struct {
	svc     api.Service
	opts    Options
	grpc    *grpc.Server
	health  *health.Server
	buffers buffers
	// stopping ends when the server is asked to stop: feeds, which last for ever, end then.
	stopping context.Context
	stop     context.CancelFunc
}

// NewServer makes a server of a service; one that is an api.Feeder too has Subscribe.
func NewServer(svc api.Service, opts Options) *Server {
	if opts.MessageMaxBytes == 0 {
		opts.MessageMaxBytes = MessageMaxBytesDefault
	}
	s := &Server{svc: svc, opts: opts, health: health.NewServer()}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(frameCodec{}),
		grpc.NumStreamWorkers(workers),
		grpc.MaxRecvMsgSize(opts.MessageMaxBytes),
		grpc.MaxSendMsgSize(AnswerMaxBytes),
	}, opts.GRPC...)...)
	s.grpc.RegisterService(serviceDesc(), s)
	healthv1.RegisterHealthServer(s.grpc, watchedHealth{s.health, s.stopping})
	s.health.SetServingStatus(keystonev1.KeystoneDb_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_SERVING)
	reflection.Register(s.grpc)
	return s
}

// watchedHealth ends watches when the server is to stop: they last for ever, like feeds.
type watchedHealth struct {
	*health.Server
	stopping context.Context //nolint:containedctx // ends with the server
}

// Watch tells how the server is until it stops.
func (h watchedHealth) Watch(
	in *healthv1.HealthCheckRequest, to grpc.ServerStreamingServer[healthv1.HealthCheckResponse],
) error {
	ctx, cancel := context.WithCancel(to.Context())
	defer cancel()
	defer context.AfterFunc(h.stopping, cancel)()
	err := h.Server.Watch(in, watch{to, ctx})
	if h.stopping.Err() != nil {
		return status.Error(codes.Unavailable, api.MsgUnavailable)
	}
	return err
}

// watch is the stream of a watch with the context that ends it.
type watch struct {
	grpc.ServerStreamingServer[healthv1.HealthCheckResponse]
	ctx context.Context //nolint:containedctx // of the stream
}

// Context ends the watch.
func (w watch) Context() context.Context { return w.ctx }

// Serve answers calls that come by the listener, which it closes, until Stop or GracefulStop.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// GracefulStop takes no more calls and returns when those that run are done. Feeds and watches of the
// health service end with UNAVAILABLE, and the health service answers NOT_SERVING from now on. A client that takes nothing of what its call
// answers, a feed's too, keeps it waiting: Stop, called meanwhile, ends both.
func (s *Server) GracefulStop() {
	s.stop()
	s.health.Shutdown()
	s.grpc.GracefulStop()
}

// Stop ends all calls at once.
func (s *Server) Stop() {
	s.stop()
	s.grpc.Stop()
}

// enter finds the key of a caller.
func (s *Server) enter(ctx context.Context) (*sigv4.Key, error) {
	if s.opts.Authenticate == nil {
		return nil, nil
	}
	return s.opts.Authenticate(ctx)
}
