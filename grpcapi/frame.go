package grpcapi

import (
	"runtime"
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

// buffers is the pool of answers.
type buffers struct{ pool sync.Pool }

// answer is a buffer with an answer. It comes back when gRPC has sent it or thrown it away.
type answer struct {
	bytes []byte
	from  *buffers
	room  *hold
}

// Get is of no use: gRPC only gives the buffer back.
func (a *answer) Get(int) *[]byte { return new([]byte) }

// Put takes the buffer back, unless the answer has blown it up.
func (a *answer) Put(*[]byte) {
	a.room.free()
	*a.room = hold{}
	if cap(a.bytes) <= pooledMaxBytes {
		a.bytes = a.bytes[:0]
		a.from.pool.Put(a)
	}
}

// newAnswer makes a buffer with room for a common answer. gRPC forgets some that it does not send, when
// a call or a connection is given up: the collector finds what room they have.
func (b *buffers) newAnswer() *answer {
	a := &answer{bytes: make([]byte, 0, bufferBytes), from: b, room: new(hold)}
	runtime.AddCleanup(a, (*hold).free, a.room)
	return a
}

// answer makes a frame of what the function appends. It takes what the call holds and gives that back
// with the frame.
func (b *buffers) answer(room *hold, write func(dst []byte) []byte) *frame {
	a, ok := b.pool.Get().(*answer)
	if !ok {
		a = b.newAnswer()
	}
	a.bytes = write(a.bytes)
	room.resize(int64(cap(a.bytes)))
	*a.room, *room = *room, hold{}
	return &frame{mem.BufferSlice{mem.NewBuffer(&a.bytes, a)}}
}
