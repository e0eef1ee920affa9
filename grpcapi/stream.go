package grpcapi

import (
	"cmp"
	"context"

	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
)

// partBytes is about how many bytes of items a message of a stream has: a flow-control window, so that
// a client has something to do while the next part is on its way. A single item may be larger.
const partBytes = 64 << 10

// stream is a call whose answer is a stream of parts.
type stream struct {
	name  string // of the call
	serve func(s *Server, in *frame, to grpc.ServerStream) error
}

// streaming makes a stream call. run calls the service and gives the parts to send, which returns when
// the part may be forgotten and blocks while the client takes no more. It calls turn between two pages.
func streaming[In, Part any](
	name, operation string,
	run func(ctx context.Context, s *Server, in *In, onePage bool, turn func() error, send func(*Part) error) error,
) stream {
	codecs := codecsOf[In, Part](name)
	return stream{name: name, serve: func(s *Server, in *frame, to grpc.ServerStream) error {
		inCodec, partCodec := codecs()
		var req request[In]
		ctx := to.Context()
		message, free := in.bytes()
		key, err := s.enter(ctx)
		if err == nil {
			err = req.dec.Decode(inCodec, message, &req.in)
		}
		free()
		if err == nil {
			ctx, err = s.opts.Access.May(ctx, key, operation, &req.in)
		}
		if err != nil {
			return err
		}
		page, ofPart, err := streamRoom(ctx, operation)
		if err != nil {
			return err
		}
		defer page.free()
		turn := func() error { return page.turn(ctx) }
		enc := pbapi.Encoder{JSON: req.dec.Flags.DynamodbJSON}
		return run(ctx, s, &req.in, req.dec.Flags.OnePage, turn, func(part *Part) error {
			room := ofPart
			err := to.SendMsg(s.buffers.answer(&room, func(dst []byte) []byte { return enc.Append(dst, partCodec, part) }))
			return cmp.Or(ctx.Err(), err) // that nobody waits any more, where that is why
		})
	}}
}

// desc is the stream as gRPC wants it.
func (m stream) desc() grpc.StreamDesc {
	return grpc.StreamDesc{StreamName: m.name, ServerStreams: true, Handler: func(
		srv any, to grpc.ServerStream,
	) error {
		return srv.(*Server).stream(m, to)
	}}
}

// stream answers one stream call.
func (s *Server) stream(m stream, to grpc.ServerStream) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(p)
		}
		if err != nil {
			err = s.fail(to.Context(), m.name, err)
		}
	}()
	in := new(frame)
	if err := to.RecvMsg(in); err != nil {
		return err
	}
	return m.serve(s, in, to)
}

// parts cuts a list into parts of about partBytes and sends them. The last, perhaps empty, is left to
// the caller.
func parts[T any](list []T, size func(*T) int, send func(part []T) error) (last []T, err error) {
	from, bytes := 0, 0
	for i := range list {
		n := size(&list[i])
		if i > from && bytes+n > partBytes {
			if err := send(list[from:i]); err != nil {
				return nil, err
			}
			from, bytes = i, 0
		}
		bytes += n
	}
	return list[from:], nil
}

func itemSize(it *attr.Item) int { return len(*it) }
