package newfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// A stream carries a new file to where it is to stand, in the order in which it is written:
//
//	stream = "kstnstr1" 8 · record* · end | failure
//	record = 1 · offset 8 · length 4 · bytes
//	       | 2 · offset 8 · length 8                zeros
//	       | 5 · length 4 · text                    what the sender says of the file
//	end    = 3 · xxhash64 of all before 8
//	failure = 4 · length 4 · text
const (
	streamMagic   = "kstnstr1"
	recordData    = 1
	recordZeros   = 2
	recordEnd     = 3
	recordFailure = 4
	recordNote    = 5

	// streamPieceMaxBytes bounds a record.
	streamPieceMaxBytes = 8 << 20
	// streamEndMaxBytes bounds the file: more is an error of the sender.
	streamEndMaxBytes = 1 << 62
)

// Stream is a file that is written to a stream. It cannot be read.
type Stream struct {
	w   io.Writer
	sum xxhash.Digest
	end int64
	err error
}

var _ vfs.File = (*Stream)(nil)

var errStreamed = errors.New("newfile: a stream is only written")

// NewStream begins a stream.
func NewStream(w io.Writer) *Stream {
	s := &Stream{w: w}
	s.sum.Reset()
	s.put([]byte(streamMagic))
	return s
}

func (s *Stream) put(p []byte) {
	if s.err != nil {
		return
	}
	_, _ = s.sum.Write(p) // never fails
	_, s.err = s.w.Write(p)
}

// WriteAt sends bytes, or that they are zeros.
func (s *Stream) WriteAt(p []byte, off int64) (int, error) {
	var head [17]byte
	binary.LittleEndian.PutUint64(head[1:], uint64(off))
	s.end = max(s.end, off+int64(len(p)))
	if isZero(p) {
		head[0] = recordZeros
		binary.LittleEndian.PutUint64(head[9:], uint64(len(p)))
		s.put(head[:])
		return len(p), s.err
	}
	for at := 0; at < len(p); at += streamPieceMaxBytes {
		piece := p[at:min(at+streamPieceMaxBytes, len(p))]
		head[0] = recordData
		binary.LittleEndian.PutUint64(head[1:], uint64(off+int64(at)))
		binary.LittleEndian.PutUint32(head[9:], uint32(len(piece)))
		s.put(head[:13])
		s.put(piece)
	}
	return len(p), s.err
}

func isZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

func (s *Stream) text(kind byte, text []byte) {
	s.put(binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(text))))
	s.put(text)
}

// End says that the file is whole; note is for Receive's caller.
func (s *Stream) End(note []byte) error {
	s.text(recordNote, note)
	s.put(binary.LittleEndian.AppendUint64([]byte{recordEnd}, s.sum.Sum64()))
	return s.err
}

// Fail says that there will be no file.
func (s *Stream) Fail(err error) { s.text(recordFailure, []byte(err.Error())) }

// ReadAt fails.
func (*Stream) ReadAt([]byte, int64) (int, error) { return 0, errStreamed }

// Close does nothing: the stream ends with End or Fail.
func (*Stream) Close() error { return nil }

// Sync does nothing, as do the others: who receives the file makes it durable.
func (*Stream) Sync() error { return nil }

// SyncFull does nothing.
func (*Stream) SyncFull() error { return nil }

// Allocate does nothing.
func (*Stream) Allocate(int64, int64) error { return nil }

// Truncate fails.
func (*Stream) Truncate(int64) error { return errStreamed }

// PunchHole fails.
func (*Stream) PunchHole(int64, int64) error { return errStreamed }

// Size of what was sent.
func (s *Stream) Size() (int64, error) { return s.end, nil }

// Align is one that every file system takes.
func (*Stream) Align() int { return vfs.AlignMaxBytes }

// ErrCut: the stream ended too early, or is not what was sent.
var ErrCut = errors.New("the backup was cut off or changed on its way")

// Receive writes the file of a stream into dst and returns the sender's note. What does not come whole is
// an error.
func Receive(r io.Reader, dst io.WriterAt, progress func(done int64)) (note []byte, err error) {
	in := &receiver{r: bufio.NewReaderSize(r, pieceBytes), dst: dst, progress: progress}
	in.sum.Reset()
	if magic := in.take(len(streamMagic)); in.err == nil && string(magic) != streamMagic {
		return nil, fmt.Errorf("%w: this is no stream of a backup", ErrCut)
	}
	for !in.done && in.err == nil {
		in.record()
	}
	if errors.Is(in.err, io.EOF) || errors.Is(in.err, io.ErrUnexpectedEOF) {
		in.err = ErrCut
	}
	return in.note, in.err
}

type receiver struct {
	r        *bufio.Reader
	dst      io.WriterAt
	progress func(done int64)
	sum      xxhash.Digest
	buf      []byte
	note     []byte
	written  int64
	done     bool
	err      error
}

// take reads n bytes, valid until the next call.
func (in *receiver) take(n int) []byte {
	if cap(in.buf) < n {
		in.buf = make([]byte, n)
	}
	b := in.buf[:n]
	if in.err == nil {
		_, in.err = io.ReadFull(in.r, b)
	}
	if in.err != nil {
		clear(b)
		return b
	}
	_, _ = in.sum.Write(b) // never fails
	return b
}

func (in *receiver) length() int {
	n := binary.LittleEndian.Uint32(in.take(4))
	if n > streamPieceMaxBytes {
		in.err = fmt.Errorf("%w: a piece of %d bytes", ErrCut, n)
		return 0
	}
	return int(n)
}

func (in *receiver) record() {
	le := binary.LittleEndian
	before := in.sum.Sum64()
	switch kind := in.take(1)[0]; kind {
	case recordData:
		off := int64(le.Uint64(in.take(8)))
		in.write(in.take(in.length()), off)
	case recordZeros:
		off, n := int64(le.Uint64(in.take(8))), int64(0)
		if n = int64(le.Uint64(in.take(8))); n < 0 || off < 0 || off > streamEndMaxBytes || n > streamEndMaxBytes {
			in.err = fmt.Errorf("%w: impossible places", ErrCut)
			return
		}
		zeros := make([]byte, min(n, pieceBytes))
		for n > 0 && in.err == nil {
			piece := zeros[:min(n, int64(len(zeros)))]
			in.write(piece, off)
			off, n = off+int64(len(piece)), n-int64(len(piece))
		}
	case recordNote:
		in.note = append([]byte(nil), in.take(in.length())...)
	case recordFailure:
		text := in.take(in.length())
		if in.err == nil {
			in.err = errors.New(string(text))
		}
	case recordEnd:
		if sum := le.Uint64(in.take(8)); in.err == nil && sum != before {
			in.err = fmt.Errorf("%w: its digest does not match", ErrCut)
		}
		in.done = true
	default:
		if in.err == nil {
			in.err = fmt.Errorf("%w: a record of kind %d", ErrCut, kind)
		}
	}
}

func (in *receiver) write(p []byte, off int64) {
	if in.err != nil {
		return
	}
	if _, in.err = in.dst.WriteAt(p, off); in.err == nil && in.progress != nil {
		in.written += int64(len(p))
		in.progress(in.written)
	}
}
