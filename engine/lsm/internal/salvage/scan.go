// Package salvage takes what can be read out of a damaged database file. What superblock, manifest and
// log still say is believed; what they lack is looked for in the whole file, whose parts say inside what
// they are. Of each key the version with the highest LSN counts.
package salvage

import (
	"bytes"
	"context"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// scanned is what lies about in a file.
type scanned struct {
	groups []log.Header
	tables map[base.ObjectNum]found
	idents map[table.DatabaseID]int // how many tables of each database there are
	// encrypted says that tables are.
	encrypted bool
}

// found is a table by its own account.
type found struct {
	id     table.DatabaseID
	offset int64
	length int64
	digest uint64
}

// scanBytes is how much is read at once; a footer may stand across the edge of two pieces.
const scanBytes = 4 << 20

// scan goes over the whole file. What cannot be read is left out.
func scan(ctx context.Context, file io.ReaderAt, size int64, progress func(done, total int64)) (*scanned, error) {
	s := &scanned{tables: map[base.ObjectNum]found{}, idents: map[table.DatabaseID]int{}}
	buf := make([]byte, scanBytes+table.FooterBytes)
	for at := int64(superblock.AreaBytes); at < size; at += scanBytes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		piece := buf[:min(int64(len(buf)), size-at)]
		if _, err := file.ReadAt(piece, at); err != nil {
			readAround(file, piece, at)
		}
		s.piece(piece, at)
		if progress != nil {
			progress(min(at+scanBytes, size), size)
		}
	}
	return s, nil
}

// most is the database of which there is most; false if there is none.
func (s *scanned) most() (id log.DatabaseID, ok bool) {
	most := 0
	for of, n := range s.idents {
		if n > most || n == most && bytes.Compare(of[:], id[:]) < 0 {
			most, id = n, log.DatabaseID(of)
		}
	}
	if most == 0 && len(s.groups) > 0 {
		return s.groups[0].Ident.Database, true
	}
	return id, most > 0
}

// readAround reads block by block; what cannot be read is zero.
func readAround(file io.ReaderAt, p []byte, at int64) {
	for off := 0; off < len(p); off += vfs.AlignMaxBytes {
		block := p[off:min(off+vfs.AlignMaxBytes, len(p))]
		if n, err := file.ReadAt(block, at+int64(off)); err != nil {
			clear(block[max(n, 0):])
		}
	}
}

func (s *scanned) piece(p []byte, at int64) {
	for off := 0; off < min(len(p), scanBytes); off += vfs.SectorBytes {
		b := p[off:]
		if bytes.HasPrefix(b, []byte(log.Magic)) {
			if h, ok := log.DecodeHeader(b); ok && h.Position == at+int64(off) {
				s.groups = append(s.groups, h)
			}
		}
		if off%space.Unit == 0 && bytes.HasPrefix(b, []byte(table.HeaderMagic)) {
			if id, _, encrypted, ok := table.FindHeader(b); ok {
				s.idents[id]++
				s.encrypted = s.encrypted || encrypted
			}
		}
	}
	for off := 0; ; off++ {
		n := bytes.Index(p[off:], []byte(table.FooterMagic))
		if n < 0 {
			return
		}
		off += n
		begin := off + len(table.FooterMagic) - table.FooterBytes
		if begin < 0 {
			continue
		}
		id, num, length, digest, ok := table.FindFooter(p[begin:])
		offset := at + int64(begin) + table.FooterBytes - length
		if ok && offset >= superblock.AreaBytes && offset%space.Unit == 0 {
			s.tables[num] = found{id, offset, length, digest}
		}
	}
}
