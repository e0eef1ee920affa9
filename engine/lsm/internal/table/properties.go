package table

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// PrefixCount is what a table holds under one 12-byte prefix.
type PrefixCount struct {
	Prefix     []byte // shorter for shorter keys; must not be changed
	Entries    int64  // versions, tombstones included
	Keys       int64  // whose newest version here is a value
	Tombstones int64  // keys whose newest version here is a tombstone
	Bytes      int64  // keys and values of the newest versions, before compression
}

// Properties of a table; must not be changed.
type Properties struct {
	Smallest, Largest []byte
	MinLSN, MaxLSN    base.LSN
	// Sums over Prefixes.
	Entries, Keys, Tombstones, Bytes int64
	Prefixes                         []PrefixCount // sorted by prefix
}

// In returns the prefixes under which keys of the range may be.
func (p *Properties) In(r storage.Range) []PrefixCount {
	at := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(p.Prefixes, key, func(c PrefixCount, key []byte) int {
			return bytes.Compare(c.Prefix, key)
		})
		return i
	}
	first, end := at(r.Start[:min(len(r.Start), storage.PrefixBytes)]), len(p.Prefixes)
	if r.End != nil {
		end = max(first, at(r.End))
	}
	return p.Prefixes[first:end]
}

// count adds a version to the figures. The writer calls it in the order of the table.
func (p *Properties) count(e base.Entry, newKey bool) {
	prefix := e.Key[:min(len(e.Key), storage.PrefixBytes)]
	n := len(p.Prefixes)
	if n == 0 || !bytes.Equal(p.Prefixes[n-1].Prefix, prefix) {
		p.Prefixes = append(p.Prefixes, PrefixCount{Prefix: bytes.Clone(prefix)})
		n++
	}
	c := &p.Prefixes[n-1]
	c.Entries++
	if newKey {
		if e.Kind == base.KindTombstone {
			c.Tombstones++
		} else {
			c.Keys++
		}
		c.Bytes += int64(len(e.Key) + len(e.Value))
	}
	if p.Entries == 0 || e.LSN < p.MinLSN {
		p.MinLSN = e.LSN
	}
	p.MaxLSN = max(p.MaxLSN, e.LSN)
	p.Entries++
}

func (p *Properties) sum() {
	p.Entries, p.Keys, p.Tombstones, p.Bytes = 0, 0, 0, 0
	for _, c := range p.Prefixes {
		p.Entries += c.Entries
		p.Keys += c.Keys
		p.Tombstones += c.Tombstones
		p.Bytes += c.Bytes
	}
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendProperties(dst []byte, p *Properties) []byte {
	dst = appendBytes(appendBytes(dst, p.Smallest), p.Largest)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.MinLSN))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.MaxLSN))
	dst = binary.AppendUvarint(dst, uint64(len(p.Prefixes)))
	for _, c := range p.Prefixes {
		dst = appendBytes(dst, c.Prefix)
		for _, v := range []int64{c.Entries, c.Keys, c.Tombstones, c.Bytes} {
			dst = binary.AppendUvarint(dst, uint64(v))
		}
	}
	return dst
}

// decoder takes fields from bytes that may hold anything; bad is set at the first that is missing.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.bad, d.b = true, nil
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// figure is a count: it must leave room for sums.
func (d *decoder) figure() int64 {
	v := d.uvarint()
	if v > 1<<48 {
		d.bad = true
		return 0
	}
	return int64(v)
}

// parseProperties decodes a properties block; ok is false when it is malformed. The result keeps b.
func parseProperties(b []byte) (*Properties, bool) {
	d := decoder{b: b}
	p := &Properties{Smallest: d.bytes(d.uvarint()), Largest: d.bytes(d.uvarint())}
	p.MinLSN, p.MaxLSN = base.LSN(d.uint64()), base.LSN(d.uint64())
	n := d.uvarint()
	const countsMinBytes = 5
	if n > uint64(len(d.b)/countsMinBytes) {
		return nil, false
	}
	p.Prefixes = make([]PrefixCount, 0, n)
	for range n {
		c := PrefixCount{Prefix: d.bytes(d.uvarint())}
		c.Entries, c.Keys, c.Tombstones, c.Bytes = d.figure(), d.figure(), d.figure(), d.figure()
		p.Prefixes = append(p.Prefixes, c)
	}
	p.sum()
	return p, !d.bad && len(d.b) == 0
}
