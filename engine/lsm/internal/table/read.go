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
	l.have = nil
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

// dataBlock returns the i-th data block. Unless lent it is never changed, and whoever refers to it
// keeps it.
func (r *Reader) dataBlock(m *resident, i int, l *lender, how upkeep) (b block, lent bool, err error) {
	s := m.fences.block(i)
	key := cache.Key{Table: r.opts.Num, Offset: s.offset}
	raw := r.opts.Cache.Get(key)
	if raw == nil {
		keep := how&fill != 0 && r.opts.Cache.Wants(key)
		lent = !keep && how&own == 0
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

// readBlock reads and decodes a data block from the file: into the lender's memory, or new memory.
func (r *Reader) readBlock(s section, l *lender, lent bool) ([]byte, error) {
	b := l.buffers()
	stored := b.StoredRoom(int(s.length))
	if err := r.readAt(stored, int64(s.offset)); err != nil {
		return nil, err
	}
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

// Get returns the newest version of key with an LSN of at most maxLSN, tombstones included. The
// Key of the entry is the caller's. Value is never changed and may be kept: it has memory of its own, or
// aliases a block of the cache, at the cost of keeping that (some 8 KiB) in memory.
func (r *Reader) Get(key []byte, maxLSN base.LSN) (e base.Entry, ok bool, err error) {
	m, err := r.open()
	if err != nil || maxLSN < m.props.MinLSN {
		return base.Entry{}, false, err
	}
	if !filterHas(m.filter, filterHash(key)) {
		r.filters.negative.Add(1)
		return base.Entry{}, false, nil
	}
	l := lender{cache: r.opts.Cache}
	var be blockEntry
	for i := m.fences.find(key); i < m.fences.len(); i++ {
		b, lent, err := r.dataBlock(m, i, &l, fill)
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
			r.filters.found.Add(1)
			return base.Entry{Key: key, LSN: be.lsn, Kind: be.kind, Value: be.value}, true, nil
		case malformed:
			return base.Entry{}, false, r.malformed(m, i)
		default:
			r.filters.vain.Add(1)
			return base.Entry{}, false, nil
		}
	}
	l.giveBack()
	r.filters.vain.Add(1)
	return base.Entry{}, false, nil
}
