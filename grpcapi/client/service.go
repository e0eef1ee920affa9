package client

import (
	"context"
	"errors"
	"io"
	"reflect"

	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
)

// service is an api.Service and an api.Feeder over a connection.
type service struct {
	api.Forward
	conn   grpc.ClientConnInterface
	opts   Options // with defaults
	random *randomness
}

var (
	_ api.Service = (*service)(nil)
	_ api.Feeder  = (*service)(nil)
)

func newService(conn grpc.ClientConnInterface, opts Options) *service {
	s := &service{conn: conn, opts: opts, random: newRandomness(opts.Rand)}
	s.Do = s.do
	return s
}

// do makes the call of an operation.
func (s *service) do(ctx context.Context, operation string, in, out any) error {
	in, err := s.withToken(in)
	if err != nil {
		return err
	}
	c, own := calls()[operation]
	if !own {
		return s.doJSON(ctx, operation, in, out)
	}
	if err := refuseBad(in); err != nil {
		return err
	}
	try := s.unary
	if c.parts != nil {
		try = s.page
	}
	if err := s.repeat(ctx, s.rule(operation, in), func() error { return try(ctx, c, in, out) }); err != nil {
		return err
	}
	withLists(in, out)
	return nil
}

// badMember is the member of inputs that lists bad values.
const badMember = "Bad"

// refuseBad refuses a request with values that are bad: they are lost (api.BadValue), so it cannot be
// sent as it was.
func refuseBad(in any) error {
	member := reflect.ValueOf(in).Elem().FieldByName(badMember)
	if !member.IsValid() || member.Len() == 0 {
		return nil
	}
	bad, _ := reflect.TypeAssert[api.BadValue](member.Index(0))
	return api.Errorf(api.Validation, "%s", bad.Err.Message())
}

// unary makes a call with one answer.
func (s *service) unary(ctx context.Context, c call, in, out any) error {
	m := outgoing{codec: c.request, in: in}
	if err := s.conn.Invoke(ctx, c.method, &m, &incoming{c.answer, out}, callOptions...); err != nil {
		return failure(ctx, err, m.sent)
	}
	return nil
}

// callOptions are those of every call.
var callOptions = []grpc.CallOption{grpc.ForceCodecV2(wire{})}

// page makes a call whose answer comes in parts, for one page as DynamoDB has them.
func (s *service) page(ctx context.Context, c call, in, out any) error {
	reflect.ValueOf(out).Elem().SetZero() // the parts of a try that failed
	parts := c.parts(out)
	m := outgoing{codec: c.request, in: in, flags: pbapi.Flags{OnePage: true}}
	return s.stream(ctx, c, &m, parts.part, func() error {
		parts.take()
		return nil
	})
}

// stream makes a call and hands on each message of its answer, which is read into part.
func (s *service) stream(ctx context.Context, c call, m *outgoing, part any, take func() error) error {
	own, cancel := context.WithCancel(ctx)
	defer cancel() // ends the call when it is left early
	stream, err := s.conn.NewStream(own, &grpc.StreamDesc{ServerStreams: true}, c.method, callOptions...)
	if err == nil {
		err = stream.SendMsg(m)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil && !errors.Is(err, io.EOF) { // with EOF the reason is what is received
		return failure(ctx, err, m.sent)
	}
	for {
		err := stream.RecvMsg(&incoming{c.answer, part})
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return failure(ctx, err, m.sent)
		}
		if err := take(); err != nil {
			return err
		}
	}
}

// doJSON makes the call of an operation by its JSON.
func (s *service) doJSON(ctx context.Context, operation string, in, out any) error {
	body, err := codec.AppendRequest(nil, operation, in)
	if err != nil {
		return err
	}
	answer, err := s.call(ctx, operation, body, s.rule(operation, in))
	if err != nil {
		return err
	}
	return codec.DecodeAnswer(operation, answer, out)
}

// call runs an operation by its JSON.
func (s *service) call(ctx context.Context, operation string, body []byte, r api.Repeat) ([]byte, error) {
	var out callAnswer
	err := s.repeat(ctx, r, func() error {
		return s.unary(ctx, jsonCall(), &callRequest{operation, body}, &out)
	})
	return out.Body, err
}
