package table

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
	"github.com/keystone-db/kstone/engine/lsm/internal/invariants"
)

// lender gives a reader of data blocks the memory that it reads and decodes them in, of the cache's
// stock. The zero value has borrowed nothing.
type lender struct {
	cache *cache.Cache
	have  *cache.Buffers
	// have.Stored holds the table from at on; of that, lo to hi is as it was read and of use still.
	at, lo, hi int64
}

func (l *lender) buffers() *cache.Buffers {
	if l.have == nil {
		l.have = l.cache.Lend()
	}
	return l.have
}

// giveBack ends the use of all blocks that were decoded in the memory.
func (l *lender) giveBack() {
	if l.have == nil {
		return
	}
	if invariants.Enabled {
		clear(l.have.Raw[:cap(l.have.Raw)]) // spoil it for whoever still refers to it
	}
	l.cache.Return(l.have)
	l.have, l.lo, l.hi = nil, 0, 0
}

// upkeep says what becomes of a block that is read from the file.
type upkeep uint8

const (
	// fill lets the cache take it, if the cache wants it.
	fill upkeep = 1 << iota
	// own gives it memory of its own; otherwise, and unless the cache has taken it, it is lent: it lies
	// in the lender's memory until the next block.
	own
)

const (
	// aheadMax blocks are read at once at most, and aheadBytesMax bytes unless one block is longer.
	aheadMax      = 8
	aheadBytesMax = 64 << 10
)

// span is what to read when block i is: it and up to ahead blocks behind it, or -ahead before it.
func (m *resident) span(i, ahead int) section {
	s := m.fences.block(i)
	from, to := int64(s.offset), s.end()
	for j := i + 1; j <= i+ahead && j < m.fences.len(); j++ {
		if end := m.fences.block(j).end(); end-from <= aheadBytesMax {
			to = end
		}
	}
	for j := i - 1; j >= i+ahead && j >= 0; j-- {
		if at := int64(m.fences.starts[j]); to-at <= aheadBytesMax {
			from = at
		}
	}
	return section{offset: uint32(from), length: uint32(to - from)}
}

// dataBlock returns the i-th data block. Unless lent it is never changed, and whoever refers to it
// keeps it. Where it must be read from the file, before is called first, and up to ahead blocks behind
// it, or -ahead before it, are read with it.
func (r *Reader) dataBlock(
	m *resident, i int, l *lender, how upkeep, ahead int, before func(),
) (b block, lent bool, err error) {
	s := m.fences.block(i)
	key := cache.Key{Table: r.opts.Num, Offset: s.offset}
	raw := r.opts.Cache.Get(key)
	if raw == nil {
		before()
		keep := how&fill != 0 && r.opts.Cache.Wants(key)
		lent = !keep && how&own == 0
		if ahead != 0 && (int64(s.offset) < l.lo || s.end() > l.hi) {
			r.readAhead(m.span(i, ahead), l)
		}
		if raw, err = r.readBlock(s, l, lent); err != nil {
			return block{}, false, err
		}
		if keep {
			r.opts.Cache.Put(key, raw)
		}
	}
	b, ok := parseBlock(raw)
	if !ok {
		return block{}, false, r.malformed(m, i)
	}
	return b, lent, nil
}

func (r *Reader) malformed(m *resident, i int) error {
	return r.corrupt(int64(m.fences.starts[i]), "malformed data block")
}

// readAhead fills the lender's memory. Where it cannot, each block is read when it is asked for.
func (r *Reader) readAhead(s section, l *lender) {
	l.lo, l.hi = 0, 0
	if r.readAt(l.buffers().StoredRoom(int(s.length)), int64(s.offset)) == nil {
		l.at, l.lo, l.hi = int64(s.offset), int64(s.offset), s.end()
	}
}

// stored returns a block as the file has it, in the lender's memory, where it may be changed.
func (r *Reader) stored(s section, l *lender) ([]byte, error) {
	b := l.buffers()
	at, end := int64(s.offset), s.end()
	if at < l.lo || end > l.hi {
		l.lo, l.hi = 0, 0
		stored := b.StoredRoom(int(s.length))
		return stored, r.readAt(stored, at)
	}
	// Of use is now what lies behind the block, or before it where that is the end.
	if at == l.lo {
		l.lo = end
	} else {
		l.hi = at
	}
	return b.Stored[at-l.at : end-l.at], nil
}

// readBlock reads and decodes a data block from the file: into the lender's memory, or new memory.
func (r *Reader) readBlock(s section, l *lender, lent bool) ([]byte, error) {
	stored, err := r.stored(s, l)
	if err != nil {
		return nil, err
	}
	b := l.have
	if !lent {
		return r.unseal(nil, s, stored, blockRawMaxBytes)
	}
	if invariants.Enabled {
		clear(b.Raw[:cap(b.Raw)])
	}
	raw, err := r.unseal(b.Raw, s, stored, blockRawMaxBytes)
	if err == nil {
		b.Raw = raw
	}
	return raw, err
}

// Get returns the newest version of key with an LSN of at most maxLSN, tombstones included. It calls
// before, once or more, when it is about to read from the file, and not at all otherwise. The Key of the
// entry is the caller's. Value is never changed and may be kept: it has memory of its own, or aliases a
// block of the cache, at the cost of keeping that (some 8 KiB) in memory.
func (r *Reader) Get(key []byte, maxLSN base.LSN, before func()) (e base.Entry, ok bool, err error) {
	m := r.held()
	if m == nil {
		before()
		if m, err = r.open(); err != nil {
			return base.Entry{}, false, err
		}
	}
	if maxLSN < m.props.MinLSN {
		return base.Entry{}, false, nil
	}
	if !filterHas(m.filter, filterHash(key)) {
		r.filters.mine().negative.Add(1)
		return base.Entry{}, false, nil
	}
	l := lender{cache: r.opts.Cache}
	var be blockEntry
	for i := m.fences.find(key); i < m.fences.len(); i++ {
		b, lent, err := r.dataBlock(m, i, &l, fill, 0, before)
		if err != nil {
			l.giveBack()
			return base.Entry{}, false, err
		}
		what := b.get(&be, key, maxLSN)
		if what == goOn && m.fences.at(i, key) {
			continue
		}
		if what == found && lent {
			be.value = bytes.Clone(be.value)
		}
		l.giveBack()
		switch what {
		case found:
			r.filters.mine().found.Add(1)
			return base.Entry{Key: key, LSN: be.lsn, Kind: be.kind, Value: be.value}, true, nil
		case malformed:
			return base.Entry{}, false, r.malformed(m, i)
		default:
			r.filters.mine().vain.Add(1)
			return base.Entry{}, false, nil
		}
	}
	l.giveBack()
	r.filters.mine().vain.Add(1)
	return base.Entry{}, false, nil
}
