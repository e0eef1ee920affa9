package table

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

const (
	// HeaderMagic begins a table.
	HeaderMagic = headerMagic
	// FooterMagic ends it.
	FooterMagic = footerMagic
	// FooterBytes is the length of a footer.
	FooterBytes = footerBytes
)

// FindHeader reads what may be a header: ok unless its checksum does not hold. For those who look for
// tables without knowing where they are.
func FindHeader(b []byte) (id DatabaseID, num base.ObjectNum, encrypted, ok bool) {
	if len(b) < headerBytes {
		return id, 0, false, false
	}
	copy(id[:], b[16:])
	num = base.ObjectNum(binary.LittleEndian.Uint64(b[32:]))
	return id, num, b[cipherAt] != 0, checkHeader(b[:headerBytes], newSums(id, num)) == ""
}

// FindFooter reads what may be a footer: ok unless its checksum does not hold.
func FindFooter(b []byte) (id DatabaseID, num base.ObjectNum, length int64, digest uint64, ok bool) {
	if len(b) < footerBytes {
		return id, 0, 0, 0, false
	}
	b = b[:footerBytes]
	length, num = int64(binary.LittleEndian.Uint64(b[24:])), base.ObjectNum(binary.LittleEndian.Uint64(b[32:]))
	copy(id[:], b[40:])
	f, wrong := parseFooter(b, length, newSums(id, num))
	return id, num, length, f.digest, wrong == "" && length <= LengthMaxBytes
}

// Rescue walks forward over the entries of a table that can still be read, whatever else of the table is
// damaged: filter, properties and header are not needed, and without footer or index the blocks are found
// by their checksums.
type Rescue struct {
	r      *Reader
	lost   func(Fault)
	index  *index // nil when the blocks were found without it
	blocks []section

	next  int // block
	b     block
	off   int
	e     blockEntry
	key   []byte
	first bool
}

// Rescue does not use the reader's cache. lost is told what cannot be read.
func (r *Reader) Rescue(lost func(Fault)) *Rescue {
	x := &Rescue{r: r, lost: lost}
	c := checker{r: r, opts: CheckOptions{Fault: func(Fault) {}}}
	if f, ok := c.footer(); ok {
		if raw, ok := c.section("index", f.index); ok {
			if x.index, ok = parseIndex(raw, f.filter.offset); ok {
				x.blocks = x.index.blocks
				return x
			}
			x.index = nil
		}
	}
	x.find()
	return x
}

// find looks for data blocks one behind the other, each by its checksum.
func (x *Rescue) find() {
	r := x.r
	all := make([]byte, max(0, min(r.opts.Length, LengthMaxBytes)))
	n, _ := r.opts.File.ReadAt(all, r.opts.Offset) // what cannot be read does not verify
	all = all[:max(n, 0)]
	at := headerBytes
	for at < len(all) {
		length := r.blockAt(all, at)
		if length == 0 {
			break
		}
		s := section{uint32(at), uint32(length)}
		if b, ok := x.load(s); !ok || !b.plausible() {
			x.lost(Fault{
				Part: "index", Offset: r.opts.Offset + int64(at), Length: max(0, r.opts.Length-int64(at)),
				Reason: "it cannot be read; all blocks before the filter were found without it",
			})
			return
		}
		x.blocks = append(x.blocks, s)
		at += length
	}
	x.lost(Fault{
		Part: "table", Offset: r.opts.Offset + int64(at), Length: max(0, r.opts.Length-int64(at)), Lost: true,
		Reason: "without its index, the blocks behind the first damaged one are not found",
	})
}

// blockAt returns the length of the block that stands at an offset, 0 if none does.
func (r *Reader) blockAt(all []byte, at int) int {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(at))
	sum := crc32.Update(r.sums.seed, r.sums.table, b[:])
	for i := at; i+trailerBytes <= len(all) && i-at <= blockRawMaxBytes; i++ {
		sum = crc32.Update(sum, r.sums.table, all[i:i+1])
		if i > at && Codec(all[i]) <= CodecZstd && binary.LittleEndian.Uint32(all[i+1:]) == sum {
			return i + trailerBytes - at
		}
	}
	return 0
}

// plausible says whether every entry can be decoded, and all keys ascend.
func (b *block) plausible() bool {
	var key, prev []byte
	var e blockEntry
	for off := b.restart(0); off < len(b.data); off = e.next {
		if !b.entry(&e, off) || e.shared > len(prev) {
			return false
		}
		key = append(append(key[:0], prev[:e.shared]...), e.suffix...)
		if bytes.Compare(prev, key) > 0 {
			return false
		}
		prev, key = key, prev
	}
	return prev != nil
}

func (x *Rescue) load(s section) (block, bool) {
	stored := make([]byte, s.length)
	if x.r.readAt(stored, int64(s.offset)) != nil {
		return block{}, false
	}
	raw, err := x.r.unseal(nil, s, stored, blockRawMaxBytes)
	if err != nil {
		return block{}, false
	}
	return parseBlock(raw)
}

// Next moves to the next entry that can be read; false at the end.
func (x *Rescue) Next() bool {
	if x.first {
		x.off = x.e.next
	}
	for !x.first || x.off >= len(x.b.data) {
		if x.next == len(x.blocks) {
			return false
		}
		x.open(x.next)
		x.next++
	}
	x.b.entry(&x.e, x.off)
	x.key = append(x.key[:x.e.shared:x.e.shared], x.e.suffix...)
	return true
}

// open begins a block, or says that it is lost.
func (x *Rescue) open(i int) {
	b, ok := x.load(x.blocks[i])
	if x.first = ok && b.plausible(); x.first {
		x.b, x.off, x.key = b, b.restart(0), nil
		return
	}
	s := x.blocks[i]
	f := Fault{
		Part: "data block", Offset: x.r.opts.Offset + int64(s.offset), Length: int64(s.length), Lost: true,
		Reason: "it cannot be read",
	}
	if x.index != nil {
		f.First, f.Last = bytes.Clone(x.index.first(i)), bytes.Clone(x.index.last(i))
	}
	x.lost(f)
}

// Entry is the one that Next moved to. Its memory is not used again.
func (x *Rescue) Entry() base.Entry {
	return base.Entry{Key: x.key, LSN: x.e.lsn, Kind: x.e.kind, Value: x.e.value}
}
