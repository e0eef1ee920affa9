package verify

import (
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// pieceBytes is how much is read at once.
const pieceBytes = 1 << 20

// unaligned reads any bytes of a file that wants aligned reads, without keeping anything.
type unaligned struct {
	file io.ReaderAt
	size int64
}

func (u unaligned) ReadAt(p []byte, off int64) (int, error) {
	var i image
	i.load(u.file, u.size, off, int64(len(p)))
	return i.ReadAt(p, off)
}

// image is a stretch of the file in memory. What could not be read has its error, so that one bad
// sector does not hide its neighbours.
type image struct {
	at    int64
	bytes []byte
	bad   []badPiece
}

// badPiece could not be read.
type badPiece struct {
	from, to int64
	err      error
}

// load reads n bytes from off on; the memory of an earlier load is used again.
func (i *image) load(file io.ReaderAt, size, off, n int64) {
	begin := off &^ (vfs.AlignMaxBytes - 1)
	end := min(off+n, size)
	i.at, i.bad = begin, i.bad[:0]
	length := max(vfs.AlignUp(end-begin, vfs.AlignMaxBytes), 0)
	if int64(cap(i.bytes)) < length {
		i.bytes = vfs.AlignedBuffer(int(length))
	}
	i.bytes = i.bytes[:length]
	for from := int64(0); from < length; from += pieceBytes {
		i.piece(file, from, min(from+pieceBytes, length))
	}
	i.bytes = i.bytes[:max(end-begin, 0)]
}

// piece reads one piece, block by block when it cannot be read whole.
func (i *image) piece(file io.ReaderAt, from, to int64) {
	_, err := file.ReadAt(i.bytes[from:to], i.at+from)
	if err == nil || errors.Is(err, io.EOF) {
		return
	}
	if to-from <= vfs.AlignMaxBytes {
		i.bad = append(i.bad, badPiece{i.at + from, i.at + to, fmt.Errorf("read %d bytes at %d: %w", to-from, i.at+from, err)})
		return
	}
	for at := from; at < to; at += vfs.AlignMaxBytes {
		i.piece(file, at, min(at+vfs.AlignMaxBytes, to))
	}
}

// ReadAt reads what was loaded, by offsets in the file.
func (i *image) ReadAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	for _, b := range i.bad {
		if off < b.to && b.from < end {
			return 0, b.err
		}
	}
	if off < i.at || off-i.at >= int64(len(i.bytes)) {
		return 0, io.EOF
	}
	n := copy(p, i.bytes[off-i.at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
