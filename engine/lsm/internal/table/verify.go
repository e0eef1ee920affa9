package table

import (
	"context"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// Verify reads every byte of the table from the file and checks every checksum, the order of its
// entries, and its index, filter and properties against them.
func (r *Reader) Verify(ctx context.Context) error {
	m, err := r.load()
	if err != nil {
		return err
	}
	var h [headerBytes]byte
	if err := r.readAt(h[:], 0); err != nil {
		return err
	}
	if wrong := checkHeader(h[:], r.sums); wrong != "" {
		return r.corrupt(0, "%s", wrong)
	}
	var props Properties
	v := verifier{r: r, m: m, props: &props}
	for i := range m.index.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.block(i); err != nil {
			return err
		}
	}
	props.sum()
	p := m.props
	if props.Entries != p.Entries || props.Keys != p.Keys || props.Tombstones != p.Tombstones ||
		props.Bytes != p.Bytes || props.MinLSN != p.MinLSN || props.MaxLSN != p.MaxLSN ||
		len(props.Prefixes) != len(p.Prefixes) {
		return r.corrupt(r.opts.Length-footerBytes, "properties differ from the entries")
	}
	return nil
}

// verifier goes through the entries of a table.
type verifier struct {
	r     *Reader
	m     *resident
	props *Properties // counted anew
	key   []byte
	lsn   base.LSN
}

func (v *verifier) block(i int) error {
	s := v.m.index.blocks[i]
	raw, err := v.r.readBlock(s)
	if err != nil {
		return err
	}
	b, ok := parseBlock(raw)
	if !ok {
		return v.r.malformed(v.m, i)
	}
	var e blockEntry
	var prev, key []byte
	restart := 0
	for off := b.restart(0); off < len(b.data); off = e.next {
		isRestart := restart < b.n && off == b.restart(restart)
		if isRestart {
			restart++
		}
		if !b.entry(&e, off) || e.shared > len(prev) || isRestart && e.shared != 0 {
			return v.r.malformed(v.m, i)
		}
		key = append(append(key[:0], prev[:e.shared]...), e.suffix...)
		if err := v.entry(i, off == b.restart(0), base.Entry{Key: key, LSN: e.lsn, Kind: e.kind, Value: e.value}); err != nil {
			return err
		}
		prev, key = key, prev
	}
	if restart != b.n || string(prev) != string(v.m.index.last(i)) {
		return v.r.malformed(v.m, i)
	}
	return nil
}

func (v *verifier) entry(i int, first bool, e base.Entry) error {
	at := int64(v.m.index.blocks[i].offset)
	switch {
	case first && string(e.Key) != string(v.m.index.first(i)):
		return v.r.corrupt(at, "block begins with another key than the index says")
	case v.props.Entries > 0 && base.Compare(v.key, v.lsn, e.Key, e.LSN) >= 0:
		return v.r.corrupt(at, "entries out of order")
	case !filterHas(v.m.filter, filterHash(e.Key)):
		return v.r.corrupt(at, "the filter does not know a key")
	}
	v.props.count(e, v.props.Entries == 0 || string(v.key) != string(e.Key))
	v.key, v.lsn = append(v.key[:0], e.Key...), e.LSN
	return nil
}
