package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// rawCodec sends bytes as they are and gives answers as bytes.
type rawCodec struct{}

// Name is what servers see.
func (rawCodec) Name() string { return proto.Name }

// Marshal takes a []byte.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

// answer is what came.
type answer struct {
	length  int
	keep    bool
	content []byte // when it is kept
}

// Unmarshal looks at the length of an answer, and keeps it where that is wanted.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	a := v.(*answer)
	if a.length = data.Len(); a.keep {
		a.content = data.Materialize()
	}
	return nil
}

// path is the full name of a call.
func path(call string) string { return "/keystone.v1.KeystoneDb/" + call }

// dial opens connections to a server over gRPC.
func dial(address string, n int) (conns []*grpc.ClientConn, closeAll func(), err error) {
	const answerMaxBytes = 64 << 20
	closeAll = func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
	for range n {
		c, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(answerMaxBytes)))
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	return conns, closeAll, nil
}

// callGRPC makes a call of random ones of the requests.
func callGRPC(conns []*grpc.ClientConn, call string, requests [][]byte, answerMin int) caller {
	return func(ctx context.Context, worker int, random *rand.Rand) error {
		var a answer
		if err := conns[worker%len(conns)].Invoke(ctx, path(call), requests[random.IntN(len(requests))], &a); err != nil {
			return err
		}
		if a.length < answerMin {
			return fmt.Errorf("%s answered %d bytes", call, a.length)
		}
		return nil
	}
}

// invoke makes one call that prepares something.
func invoke(ctx context.Context, conn *grpc.ClientConn, call string, in any) error {
	return conn.Invoke(ctx, path(call), encode(in), new(answer))
}

// openStream begins a call whose answer is a stream.
func openStream(ctx context.Context, conn *grpc.ClientConn, call string, in any) (grpc.ClientStream, error) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path(call))
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(encode(in)); err != nil {
		return nil, err
	}
	return stream, stream.CloseSend()
}
