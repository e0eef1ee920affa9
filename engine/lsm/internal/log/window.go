package log

import (
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// windowBytes is how much of an extent is read at once.
const windowBytes = 1 << 20

// window reads a file in large aligned pieces, as a descriptor for direct I/O wants it.
type window struct {
	file   io.ReaderAt
	region string
	ahead  int64  // bytes to read at once; 0: only what is asked for
	buf    []byte // aligned
	off    int64
	n      int64 // valid bytes of buf
}

// bytes returns [off, off+n) of the file, which lies inside e, valid until the next call. A file
// that ends before is corrupt.
func (w *window) bytes(e Extent, off, n int64) ([]byte, error) {
	if off < w.off || off+n > w.off+w.n {
		if err := w.load(e, off, n); err != nil {
			return nil, err
		}
	}
	return w.buf[off-w.off : off-w.off+n], nil
}

// load reads from the block of off on: n bytes at least, ahead if the extent goes on.
func (w *window) load(e Extent, off, n int64) error {
	if off < e.Offset || n > e.End()-off {
		return &base.CorruptError{Region: w.region, Offset: off, Reason: fmt.Sprintf(
			"%d bytes are not inside the extent of %d bytes at %d", n, e.Length, e.Offset)}
	}
	begin := off &^ (vfs.AlignMaxBytes - 1)
	size := min(max(w.ahead, off+n-begin), e.End()-begin)
	size = min(vfs.AlignUp(size, vfs.AlignMaxBytes), e.End()-begin)
	if int64(len(w.buf)) < size {
		w.buf = vfs.AlignedBuffer(int(size))
	}
	w.n = 0
	got, err := w.file.ReadAt(w.buf[:size], begin)
	if int64(got) < size {
		if err == nil || errors.Is(err, io.EOF) {
			return &base.CorruptError{Region: w.region, Offset: begin + int64(got),
				Reason: "the file ends inside the log"}
		}
		return fmt.Errorf("read %s at %d: %w", w.region, begin, err)
	}
	w.off, w.n = begin, size
	return nil
}
