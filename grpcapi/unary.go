package grpcapi

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/fault"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
)

// method is a unary call: it turns a message into the message of the answer.
type method struct {
	name string // of the call
	// call decodes the message, calls the service and gives the answer.
	call func(ctx context.Context, s *Server, key *sigv4.Key, message []byte) (*frame, error)
}

// request is what one call needs to decode, pooled.
type request[In any] struct {
	dec pbapi.Decoder
	in  In
}

// unary makes a method of an operation of the service.
func unary[In, Out any](
	name, operation string, serve func(api.Service, context.Context, *In) (*Out, error),
) method {
	codecs := codecsOf[In, Out](name)
	pool := &sync.Pool{New: func() any { return new(request[In]) }}
	call := func(ctx context.Context, s *Server, key *sigv4.Key, message []byte) (*frame, error) {
		inCodec, outCodec := codecs()
		req := pool.Get().(*request[In])
		defer func() {
			if len(message) <= pooledMaxBytes { // what a large one left behind is not worth keeping
				req.in = *new(In)
				req.dec.Release()
				pool.Put(req)
			}
		}()
		err := req.dec.Decode(inCodec, message, &req.in)
		if err == nil {
			ctx, err = s.opts.Access.May(ctx, key, operation, &req.in)
		}
		if err != nil {
			return nil, err
		}
		room, err := unaryRoom(ctx, operation)
		if err != nil {
			return nil, err
		}
		defer room.free()
		out, err := serve(s.svc, ctx, &req.in)
		if err != nil {
			return nil, err
		}
		enc := pbapi.Encoder{JSON: req.dec.Flags.DynamodbJSON}
		return s.buffers.answer(&room, func(dst []byte) []byte { return enc.Append(dst, outCodec, out) }), nil
	}
	return method{name: name, call: call}
}

// codecsOf makes the codecs of a call when it is first made.
func codecsOf[In, Out any](name string) func() (in, out *pbapi.Codec) {
	return sync.OnceValues(func() (in, out *pbapi.Codec) {
		call := methodDescriptor(name)
		return pbapi.New(call.Input(), *new(In)), pbapi.New(call.Output(), *new(Out))
	})
}

// methodDescriptor describes a call of the service.
func methodDescriptor(name string) protoreflect.MethodDescriptor {
	return serviceDescriptor().Methods().ByName(protoreflect.Name(name))
}

// desc is the method as gRPC wants it.
func (m method) desc(fullName string) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: m.name, Handler: func(
		srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor,
	) (any, error) {
		in := new(frame)
		if err := decode(in); err != nil {
			return nil, err
		}
		s := srv.(*Server)
		if interceptor == nil {
			return s.unary(ctx, m, in)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: fullName},
			func(ctx context.Context, in any) (any, error) { return s.unary(ctx, m, in.(*frame)) })
	}}
}

// unary answers one call.
func (s *Server) unary(ctx context.Context, m method, in *frame) (out any, err error) {
	message, free := in.bytes()
	defer free()
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, s.fail(ctx, m.name, s.panicked(p))
		}
	}()
	key, err := s.enter(ctx)
	if err == nil {
		out, err = m.call(ctx, s, key, message)
	}
	if err != nil {
		return nil, s.fail(ctx, m.name, err)
	}
	return out, nil
}

// panicked logs a panic: what a client sends never ends the process.
func (s *Server) panicked(p any) error {
	s.opts.Logger.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("panic")
	return api.Errorf(api.InternalServerError, api.MsgInternal)
}

// fail is the error of a call as a status; what the client must not see goes to the log. An error of
// gRPC itself, of a message that could not be sent, has its status.
func (s *Server) fail(ctx context.Context, call string, err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	st, hidden := fault.Status(ctx, err)
	if hidden {
		s.opts.Logger.Error().Err(err).Str("call", call).Msg("internal error")
	}
	return st.Err()
}
