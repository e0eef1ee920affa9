package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/storage"
)

// tailReadBytes is read at once from the end of a table when it is used first; in most tables that
// holds all but the data blocks.
const tailReadBytes = 16 << 10

// ReaderOptions of one table.
type ReaderOptions struct {
	DatabaseID DatabaseID
	Num        base.ObjectNum
	// File holds the table at Offset, Length bytes long.
	File           io.ReaderAt
	Offset, Length int64
	// Keys open the blocks; nil for a plain table.
	Keys *crypt.Keys
	// Cache and Resident are shared by the tables of a database; nil means none.
	Cache    *cache.Cache
	Resident *Resident
}

// Reader reads one table. It is safe for concurrent use, holds no file handle and needs no Close.
type Reader struct {
	opts     ReaderOptions
	sums     sums
	filters  *filterShards
	resident atomic.Pointer[resident]
	sealer   atomic.Pointer[crypt.Sealer] // nil until needed
}

// resident is what a table keeps in memory while it is in use.
type resident struct {
	fences *fences
	filter []byte
	props  *Properties
	bytes  int64
	used   atomic.Bool // since the clock hand passed
	slot   int         // in Resident.ring, under its mutex
}

// NewReader does no I/O: footer, index, filter and properties are read on first use.
func NewReader(opts ReaderOptions) *Reader {
	return &Reader{opts: opts, sums: newSums(opts.DatabaseID, opts.Num), filters: opts.Resident.filterShards()}
}

// corrupt names a place of the table by its offset in the file.
func (r *Reader) corrupt(offset int64, format string, args ...any) error {
	return &base.CorruptError{
		Region: "table", Offset: r.opts.Offset + offset,
		Reason: fmt.Sprintf("table %v: ", r.opts.Num) + fmt.Sprintf(format, args...),
	}
}

// readAt fills p from an offset of the table. A file that ends before is corruption.
func (r *Reader) readAt(p []byte, offset int64) error {
	n, err := r.opts.File.ReadAt(p, r.opts.Offset+offset)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return r.corrupt(offset+int64(n), "the file ends inside the table")
	}
	return fmt.Errorf("table %v: read %d bytes at %d: %w", r.opts.Num, len(p), r.opts.Offset+offset, err)
}

// held returns the resident part if it is there, else nil.
func (r *Reader) held() *resident {
	m := r.resident.Load()
	if m != nil && !m.used.Load() {
		m.used.Store(true)
	}
	return m
}

// open returns the resident part, read now if it is not there.
func (r *Reader) open() (*resident, error) {
	if m := r.held(); m != nil {
		return m, nil
	}
	m, err := r.load()
	if err != nil {
		return nil, err
	}
	return r.opts.Resident.add(r, m), nil
}

// load reads footer, filter, index and properties.
func (r *Reader) load() (*resident, error) {
	f, end, err := r.readEnd(func(f footer) section { return f.filter })
	if err != nil {
		return nil, err
	}
	m, _, err := r.assemble(f, end)
	return m, err
}

// ending is the end of a table from an offset on.
type ending struct {
	bytes []byte
	at    int64
}

func (e ending) part(s section) []byte { return e.bytes[int64(s.offset)-e.at : s.end()-e.at] }

// readEnd reads the end of the table, from the section on that first names, or from before it.
func (r *Reader) readEnd(first func(footer) section) (footer, ending, error) {
	length := r.opts.Length
	if length < headerBytes+footerBytes || length > LengthMaxBytes {
		return footer{}, ending{}, r.corrupt(0, "impossible length %d", length)
	}
	tail := make([]byte, min(length, tailReadBytes))
	tailAt := length - int64(len(tail))
	if err := r.readAt(tail, tailAt); err != nil {
		return footer{}, ending{}, err
	}
	f, wrong := parseFooter(tail[len(tail)-footerBytes:], length, r.sums)
	if wrong != "" {
		return footer{}, ending{}, r.corrupt(length-footerBytes, "%s", wrong)
	}
	if at := int64(first(f).offset); at < tailAt {
		whole := make([]byte, length-at)
		copy(whole[tailAt-at:], tail)
		if err := r.readAt(whole[:tailAt-at], at); err != nil {
			return footer{}, ending{}, err
		}
		tail, tailAt = whole, at
	}
	return f, ending{tail, tailAt}, nil
}

// assemble checks and decodes the sections.
func (r *Reader) assemble(f footer, end ending) (*resident, *index, error) {
	m := &resident{}
	var err error
	if m.filter, err = r.unseal(nil, f.filter, end.part(f.filter), sectionRawMaxBytes); err != nil {
		return nil, nil, err
	}
	if len(m.filter) == 0 || len(m.filter)%filterLineBytes != 0 {
		return nil, nil, r.corrupt(int64(f.filter.offset), "malformed filter")
	}
	raw, err := r.unseal(nil, f.index, end.part(f.index), sectionRawMaxBytes)
	if err != nil {
		return nil, nil, err
	}
	x, ok := parseIndex(raw, f.filter.offset)
	if !ok {
		return nil, nil, r.corrupt(int64(f.index.offset), "malformed index")
	}
	m.fences = x.fences()
	var propertiesBytes int
	if m.props, propertiesBytes, err = r.decodeProperties(f, end); err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(m.props.Smallest, x.first(0)) ||
		!bytes.Equal(m.props.Largest, x.last(len(x.blocks)-1)) {
		return nil, nil, r.corrupt(int64(f.properties.offset), "bounds differ from the index")
	}
	m.bytes = m.fences.bytes() + int64(cap(m.filter)+propertiesBytes+len(m.props.Prefixes)*64) + 256
	return m, x, nil
}

// decodeProperties also returns how long their raw form is, which they hold.
func (r *Reader) decodeProperties(f footer, end ending) (p *Properties, rawBytes int, err error) {
	raw, err := r.unseal(nil, f.properties, end.part(f.properties), sectionRawMaxBytes)
	if err != nil {
		return nil, 0, err
	}
	p, ok := parseProperties(raw)
	if !ok {
		return nil, 0, r.corrupt(int64(f.properties.offset), "malformed properties")
	}
	return p, cap(raw), nil
}

// unseal checks and decodes a stored block, into dst where that has room and into a new slice
// otherwise, never into stored, which holds the plaintext of an encrypted block afterwards.
func (r *Reader) unseal(dst []byte, s section, stored []byte, rawMax int) ([]byte, error) {
	payload, codec, err := r.verifyBlock(s, stored)
	if err != nil {
		return nil, err
	}
	if r.opts.Keys != nil {
		if payload, err = r.decrypt(s, payload, codec); err != nil {
			return nil, err
		}
	}
	raw, err := decompress(dst, payload, codec, rawMax)
	if err != nil {
		return nil, r.corrupt(int64(s.offset), "%v", err)
	}
	return raw, nil
}

// verifyBlock checks the sum of a stored block, which is longer than its trailer.
func (r *Reader) verifyBlock(s section, stored []byte) (payload []byte, codec Codec, err error) {
	at := len(stored) - trailerBytes
	if r.sums.of(int64(s.offset), stored[:at+1]) != binary.LittleEndian.Uint32(stored[at+1:]) {
		return nil, 0, r.corrupt(int64(s.offset), "block checksum")
	}
	return stored[:at], Codec(stored[at]), nil
}

// MayContainPrefix asks the filter whether some key has this storage.FilterPrefix.
func (r *Reader) MayContainPrefix(prefix []byte) (bool, error) {
	m, err := r.open()
	if err != nil {
		return false, err
	}
	has := filterHas(m.filter, filterHash(prefix))
	if has {
		r.filters.mine().prefixTrue.Add(1)
	} else {
		r.filters.mine().prefixNegative.Add(1)
	}
	return has, nil
}

// FilterRange returns the filter prefix that all keys of a range share, if the range lies inside
// one: only then may MayContainPrefix be asked about it.
func FilterRange(r storage.Range) (prefix []byte, ok bool) {
	if len(r.Start) < storage.HeadBytes+2 || r.End == nil {
		return nil, false
	}
	n := storage.HeadBytes + 2 + int(binary.BigEndian.Uint16(r.Start[storage.HeadBytes:]))
	if n > len(r.Start) {
		return nil, false
	}
	p := r.Start[:n]
	if bytes.HasPrefix(r.End, p) {
		return p, true
	}
	// The end may also be the first key behind all that begin with p.
	i := n - 1
	for i >= 0 && p[i] == 0xff {
		i--
	}
	if i < 0 || len(r.End) != i+1 || !bytes.Equal(r.End[:i], p[:i]) || r.End[i] != p[i]+1 {
		return nil, false
	}
	return p, true
}

// Properties of the table. Where the resident parts have no room left they are read without filter and
// index: a question about the figures of many tables must not push out what gets need.
func (r *Reader) Properties() (*Properties, error) {
	if r.resident.Load() == nil && r.opts.Resident.full() {
		f, end, err := r.readEnd(func(f footer) section { return f.properties })
		if err != nil {
			return nil, err
		}
		p, _, err := r.decodeProperties(f, end)
		return p, err
	}
	m, err := r.open()
	if err != nil {
		return nil, err
	}
	return m.props, nil
}

// Num is the table's number.
func (r *Reader) Num() base.ObjectNum { return r.opts.Num }

// Forget gives back what the table keeps resident, and its key. Call it when the table has left all versions,
// or the database is closed.
func (r *Reader) Forget() {
	r.opts.Resident.drop(r)
	r.sealer.Store(nil)
}

// HoldsKey says whether the table's key is in memory.
func (r *Reader) HoldsKey() bool { return r.sealer.Load() != nil }
