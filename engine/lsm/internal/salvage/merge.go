package salvage

import (
	"bytes"
	"context"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
)

// rescuer makes a base.Iterator that only goes forward of what can be read of a table.
type rescuer struct {
	*table.Rescue
	e  base.Entry
	ok bool
	n  int
}

func (r *rescuer) Next() bool {
	if r.ok = r.Rescue.Next(); r.ok {
		r.e = r.Entry()
		r.n++
	}
	return r.ok
}

func (r *rescuer) First() bool            { return r.Next() }
func (r *rescuer) Last() bool             { return false }
func (r *rescuer) SeekGE(key []byte) bool { return false }
func (r *rescuer) SeekLT(key []byte) bool { return false }
func (r *rescuer) Prev() bool             { return false }
func (r *rescuer) Valid() bool            { return r.ok }
func (r *rescuer) Key() []byte            { return r.e.Key }
func (r *rescuer) LSN() base.LSN          { return r.e.LSN }
func (r *rescuer) Kind() base.Kind        { return r.e.Kind }
func (r *rescuer) Value() []byte          { return r.e.Value }
func (r *rescuer) Err() error             { return nil }
func (r *rescuer) Close() error           { return nil }

// rescue begins with a table.
func (s *Source) rescue(t manifest.Table) *rescuer {
	return &rescuer{Rescue: s.reader(t).Rescue(func(f table.Fault) {
		l := Loss{
			Region: "table", Part: f.Part, Offset: f.Offset, Length: f.Length, Object: t.Meta.Num.String(), What: f.Reason,
		}
		if f.Lost {
			if l.First, l.Last = f.First, f.Last; f.First == nil && t.Meta.Largest != nil {
				l.First, l.Last = t.Meta.Smallest, t.Meta.Largest
			}
		}
		s.report(l)
	})}
}

// Each calls fn for the newest version of every key of a stripe that can be read, in order, unless that is
// a tombstone or its key is dropped. Key and value are valid until fn returns.
func (s *Source) Each(ctx context.Context, stripe uint8, fn func(base.Entry) error) error {
	var sources []base.Iterator
	if m := s.logs[stripe]; m != nil {
		sources = append(sources, m.NewIter(nil, memtable.IterOptions{}))
	}
	for _, t := range s.stripes[stripe] {
		sources = append(sources, s.rescue(t))
	}
	it := merge.New(sources...)
	defer it.Close()
	var key []byte
	started := false
	for ok := it.First(); ok; ok = it.Next() {
		s.Last = max(s.Last, it.LSN())
		if started && bytes.Equal(key, it.Key()) {
			continue
		}
		key, started = append(key[:0], it.Key()...), true
		if it.Kind() == base.KindTombstone || s.dead.Has(key) {
			continue
		}
		if err := fn(base.Entry{Key: key, LSN: it.LSN(), Kind: base.KindPut, Value: it.Value()}); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return it.Err()
}

// Bytes of the tables of a stripe, for progress.
func (s *Source) Bytes(stripe uint8) (n int64) {
	for _, t := range s.stripes[stripe] {
		n += t.Meta.Length
	}
	return n
}

// Clear forgets the keys of an encrypted file.
func (s *Source) Clear() { s.super.Keys.Clear() }
