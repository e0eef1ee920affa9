package log

import (
	"bytes"
	"errors"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Found is a group that stands somewhere in an extent, whether it belongs to the live log or not.
type Found struct {
	Header Header
	// Whole: every frame holds. Digest is of the group then, and Payloads are those of its frames. Err
	// says why they could not be decrypted; they are as they are on disk then.
	Whole    bool
	Digest   uint64
	Payloads [][]byte
	Err      error
}

// LSN of frame i.
func (f *Found) LSN(i int) base.LSN { return f.Header.FirstLSN + base.LSN(i) }

// Scan calls fn for every header of a log in an extent, live or left over from an earlier lap, in the
// order of their places. It is for people who look at damage: nothing is concluded from what is
// missing. The payloads are valid during the call; keys open them, nil those of a plain file.
func Scan(file io.ReaderAt, e Extent, ident Ident, keys *crypt.Keys, fn func(*Found) error) error {
	o := opener{keys: keys}
	buf := vfs.AlignedBuffer(int(e.Length))
	n, err := file.ReadAt(buf, e.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	buf = buf[:n]
	for off := 0; off+HeaderBytes <= len(buf); {
		h, ok := decodeHeader(buf[off:])
		if !ok || h.Ident != ident || h.Position != e.Offset+int64(off) {
			next := bytes.Index(buf[off+1:], []byte(magic))
			if next < 0 {
				return nil
			}
			off = (off + 1 + next + vfs.SectorBytes - 1) / vfs.SectorBytes * vfs.SectorBytes
			continue
		}
		f := Found{Header: h}
		var fr frames
		step := vfs.SectorBytes
		if off+int(h.Length) <= len(buf) {
			group := buf[off : off+int(h.Length)]
			if f.Whole = fr.parse(&h, group); f.Whole {
				f.Digest, f.Payloads = digest(group, fr.crcs), fr.payloads
				f.Err = o.open(&h, f.Payloads)
				step = int(h.Length)
			}
		}
		if err := fn(&f); err != nil {
			return err
		}
		off += step
	}
	return nil
}
