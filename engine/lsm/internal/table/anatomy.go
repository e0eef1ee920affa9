package table

import (
	"fmt"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// Part is one part of a table and whether it verifies.
type Part struct {
	Name           string
	Offset, Length int64  // in the table
	Text           string // what is in it, for people
	Err            error
}

// BlockPlace is where a data block stands in its table, and the bounds that the index gives it.
type BlockPlace struct {
	Offset, Length uint32
	First, Last    []byte
}

// Anatomy is a table taken apart as far as it can be read.
type Anatomy struct {
	Parts []Part
	// Blocks are those that the index names; Properties nil when they do not verify.
	Blocks     []BlockPlace
	Properties *Properties
}

// Anatomy reads all but the data blocks, each part for itself: one that is damaged does not hide the
// others.
func (r *Reader) Anatomy() Anatomy {
	var a Anatomy
	var h [headerBytes]byte
	err := r.readAt(h[:], 0)
	if err == nil {
		if wrong := checkHeader(h[:], r.sums); wrong != "" {
			err = r.corrupt(0, "%s", wrong)
		}
	}
	a.add("header", section{0, headerBytes}, "", err)
	f, end, err := r.readEnd(func(f footer) section { return f.filter })
	last := section{uint32(max(r.opts.Length-footerBytes, 0)), footerBytes}
	if err != nil {
		a.add("footer", last, "", err)
		return a
	}
	filter, err := r.unseal(nil, f.filter, end.part(f.filter), sectionRawMaxBytes)
	a.add("filter", f.filter, fmt.Sprintf("%d lines", len(filter)/filterLineBytes), err)
	raw, err := r.unseal(nil, f.index, end.part(f.index), sectionRawMaxBytes)
	if err == nil {
		if x, ok := parseIndex(raw, f.filter.offset); ok {
			a.blocks(x)
		} else {
			err = r.corrupt(int64(f.index.offset), "malformed index")
		}
	}
	a.add("index", f.index, fmt.Sprintf("%d blocks, %d bytes decoded", len(a.Blocks), len(raw)), err)
	p, _, err := r.decodeProperties(f, end)
	a.Properties = p
	a.add("properties", f.properties, "", err)
	a.add("footer", last, fmt.Sprintf("digest %016x", f.digest), nil)
	return a
}

func (a *Anatomy) add(name string, s section, text string, err error) {
	if err != nil {
		text = ""
	}
	a.Parts = append(a.Parts, Part{Name: name, Offset: int64(s.offset), Length: int64(s.length), Text: text, Err: err})
}

func (a *Anatomy) blocks(x *index) {
	for i, s := range x.blocks {
		a.Blocks = append(a.Blocks, BlockPlace{Offset: s.offset, Length: s.length, First: x.first(i), Last: x.last(i)})
	}
}

// EachEntry decodes a data block and calls fn for its versions, valid during the call, up to the first
// that is malformed. It returns the size of the decoded block.
func (r *Reader) EachEntry(p BlockPlace, fn func(base.Entry)) (rawBytes int, err error) {
	s := section{p.Offset, p.Length}
	raw, err := r.readBlock(s, &lender{}, false)
	if err != nil {
		return 0, err
	}
	bad := r.corrupt(int64(p.Offset), "malformed data block")
	b, ok := parseBlock(raw)
	if !ok {
		return len(raw), bad
	}
	var e blockEntry
	var key []byte
	for off := b.restart(0); off < len(b.data); off = e.next {
		if !b.entry(&e, off) || e.shared > len(key) {
			return len(raw), bad
		}
		key = append(key[:e.shared], e.suffix...)
		fn(base.Entry{Key: key, LSN: e.lsn, Kind: e.kind, Value: e.value})
	}
	return len(raw), nil
}
