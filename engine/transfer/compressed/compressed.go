// Package compressed compresses and decompresses streams as imports and exports name the ways: GZIP, ZSTD
// and NONE. Nothing is ever held whole, whatever a stream says of itself.
package compressed

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/keystone-db/kstone/engine/api"
)

// windowMaxBytes bounds the memory of a zstd stream: what its strongest levels use.
const windowMaxBytes = 128 << 20

// Error says that a stream is not what it should be.
type Error struct{ Err error }

func (e *Error) Error() string { return "the object cannot be decompressed: " + e.Err.Error() }

// Unwrap implements what errors.Is needs.
func (e *Error) Unwrap() error { return e.Err }

// NewReader returns the text of a stream. kind is one of the service's names, empty for NONE. Errors of in
// come unchanged, others are *Error. Close does not close in.
func NewReader(kind string, in io.Reader) (io.ReadCloser, error) {
	src := &source{in: in}
	switch kind {
	case "", api.InputCompressionTypeNone:
		return io.NopCloser(in), nil
	case api.InputCompressionTypeGzip:
		z, err := gzip.NewReader(src)
		if errors.Is(err, io.EOF) && src.err == io.EOF && src.n == 0 {
			return io.NopCloser(eof{}), nil // an empty object has no text
		}
		if err != nil {
			return nil, src.explain(err)
		}
		return &reader{src, z, z.Close}, nil
	case api.InputCompressionTypeZstd:
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMaxBytes), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, src.explain(err)
		}
		return &reader{src, z, func() error { z.Close(); return nil }}, nil
	}
	return nil, fmt.Errorf("compressed: no kind %q", kind)
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// source remembers how reading ended.
type source struct {
	in  io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.n += int64(n)
	s.err = err
	return n, err
}

// explain tells an error of reading from one of what was read.
func (s *source) explain(err error) error {
	if s.err != nil && s.err != io.EOF { //nolint:errorlint // as readers return it
		return s.err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &Error{err}
}

type reader struct {
	src   *source
	text  io.Reader
	close func() error
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.text.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers return it
		err = r.src.explain(err)
	}
	return n, err
}

func (r *reader) Close() error { return r.close() }
