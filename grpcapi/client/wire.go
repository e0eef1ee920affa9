package client

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/mem"

	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
)

// outgoing is a request: a struct and how it is written.
type outgoing struct {
	codec *pbapi.Codec
	in    any
	flags pbapi.Flags
	// sent is set when gRPC asks for the bytes, which it does when it has a connection for them.
	sent bool
}

// incoming is an answer, or a part of one.
type incoming struct {
	codec *pbapi.Codec
	out   any
}

// wire is the codec of gRPC for them. Servers see that of protobuf.
type wire struct{}

// Name is that of protobuf's.
func (wire) Name() string { return "proto" }

// scratchMaxBytes bounds the memory that is kept for the next request.
const scratchMaxBytes = 64 << 10

var scratches = sync.Pool{New: func() any { return new([]byte) }}

// Marshal writes a request.
func (wire) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*outgoing)
	if !ok {
		return nil, fmt.Errorf("client: a request of type %T", v)
	}
	m.sent = true
	scratch, _ := scratches.Get().(*[]byte)
	enc := pbapi.Encoder{Flags: m.flags}
	p := enc.Append((*scratch)[:0], m.codec, m.in)
	out := mem.BufferSlice{mem.Copy(p, mem.DefaultBufferPool())}
	if cap(p) <= scratchMaxBytes {
		*scratch = p
	}
	scratches.Put(scratch)
	return out, nil
}

var decoders = sync.Pool{New: func() any { return new(pbapi.Decoder) }}

// Unmarshal reads an answer.
func (wire) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*incoming)
	if !ok {
		return fmt.Errorf("client: an answer of type %T", v)
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	dec, _ := decoders.Get().(*pbapi.Decoder)
	defer func() {
		dec.Release()
		decoders.Put(dec)
	}()
	return dec.Decode(m.codec, buf.ReadOnlyData(), m.out)
}
