package dump

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compressed returns what compresses into out as the name of a file says: .gz or .zst; any other is
// plain. Close ends the compressed text and leaves out open.
func Compressed(name string, out io.Writer) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewWriter(out), nil
	case strings.HasSuffix(name, ".zst"):
		return zstd.NewWriter(out)
	}
	return plain{out}, nil
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// Decompressed returns the plain text of in, which may be gzip or zstd: its first bytes say so. Close
// leaves in open.
func Decompressed(in io.Reader) (io.ReadCloser, error) {
	const magicBytes = 4
	r := bufio.NewReaderSize(in, bufferBytes)
	head, _ := r.Peek(magicBytes) // what cannot be read is told by the first Read
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(r)
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}
