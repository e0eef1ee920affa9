package grpcapi

import (
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// frame is a message as bytes, of which this package makes sense itself.
type frame struct{ buffers mem.BufferSlice }

// bytes are the bytes of a message that came, in one piece; free must be called when they are no longer
// looked at.
func (f *frame) bytes() (message []byte, free func()) {
	if len(f.buffers) == 1 {
		return f.buffers[0].ReadOnlyData(), f.buffers.Free
	}
	whole := f.buffers.MaterializeToBuffer(mem.DefaultBufferPool())
	f.buffers.Free()
	return whole.ReadOnlyData(), whole.Free
}

// frameCodec passes frames as they are. The messages of other services, health and reflection, go
// through the codec of protobuf.
type frameCodec struct{}

// Name is what content types say: a frame holds protobuf.
func (frameCodec) Name() string { return proto.Name }

// Marshal gives the buffers of a frame away.
func (frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return f.buffers, nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

// Unmarshal keeps the buffers for the frame.
func (frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
	}
	data.Ref()
	f.buffers = data
	return nil
}

// Sizes of pooled buffers for answers.
const (
	bufferBytes    = 4 << 10
	pooledMaxBytes = 1 << 20
)

// buffers is the pool of answers. It gives buffers of no length.
type buffers struct{ pool sync.Pool }

// Get gives an empty buffer with room for a common answer, whatever the length.
func (b *buffers) Get(int) *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, 0, bufferBytes)
	return &p
}

// Put takes a buffer back, unless an answer has blown it up.
func (b *buffers) Put(p *[]byte) {
	if cap(*p) <= pooledMaxBytes {
		*p = (*p)[:0]
		b.pool.Put(p)
	}
}

// answer makes a frame of what the function appends.
func (b *buffers) answer(write func(dst []byte) []byte) *frame {
	p := b.Get(0)
	*p = write(*p)
	return &frame{mem.BufferSlice{mem.NewBuffer(p, b)}}
}
