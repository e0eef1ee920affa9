package neighbors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/vector"
)

const (
	// stepRows is how many entries a step looks at, stepNodes how many nodes a step of a repair, and
	// stepLinks how many vectors get their links in a step that has nothing else to do; in one that has
	// entries to look at, as many as take about the same time.
	stepRows  = 256
	stepNodes = 256
	stepLinks = 64
	busyLinks = 8
	// A graph is stored when so many of its vectors have changed, at least saveLeast and one in saveShare,
	// or when its pages that have changed take saveBytes.
	saveLeast = 1000
	saveShare = 16
	saveBytes = 32 << 20
	// saveAfter is how long changes of a graph that has come to rest wait.
	saveAfter = 10 * time.Second
	// dropLeast is how many rows of the tail are worth dropping.
	dropLeast = 64
)

// Step does some of the work on the graph: it loads or begins it, puts entries in, repairs, stores. The
// table cannot change meanwhile. more says that there is more to do at once; rests that changes wait to be
// stored.
func (x *Index) Step(ctx context.Context, l *lease.Lease, now time.Time) (more, rests bool, err error) {
	f := x.graph.Load()
	if f == nil {
		if needed, err := x.needed(ctx); err != nil || !needed {
			return false, false, err
		}
		begun, err := x.begin(ctx, l)
		return begun, false, err
	}
	more, err = x.advance(ctx, f)
	if err != nil {
		return false, false, err
	}
	f.Tidy()
	switch links := stepLinks; {
	case f.RepairDue():
		f.Repair(stepNodes)
		f.unsaved++
		more = true
	case f.CalibrateDue():
		f.Calibrate()
		f.unsaved++
		more = true
	case f.LinkDue():
		if more {
			links = busyLinks
		}
		f.unsaved += f.Link(links)
		more = true
	}
	if bytes := f.Bytes(); !x.set.take(x, bytes) {
		return false, false, x.giveUp(ctx, l, bytes)
	}
	due := f.unsaved >= max(saveLeast, f.Live()/saveShare) || f.ChangedBytes() >= saveBytes
	if !more && f.unsaved > 0 && now.Sub(f.savedAt) >= saveAfter {
		due = true
	}
	if due {
		if err := x.Save(ctx, l, now); err != nil {
			return false, false, err
		}
	}
	return more, f.unsaved > 0, nil
}

// needed says whether the graph is to be loaded: because a search wants it, because there is none yet, or
// because entries have changed that it does not follow. One that was given up is so when there is room.
func (x *Index) needed(ctx context.Context) (bool, error) {
	v, err := x.set.store.Get(ctx, key.AppendGraph(nil, x.table, x.ix))
	if err != nil || !v.Present {
		return true, err
	}
	state, err := decodeState(v.Data)
	switch {
	case err == nil && state.Given:
		return x.regain(ctx, state)
	case err != nil || state.Filling || x.wanted.Load():
		return true, nil //nolint:nilerr // begin meets it again
	}
	rows, err := x.behind(ctx, state.Cursor, ^uint64(0), 1)
	return rows > 0, err
}

// behind is how many entries the tail names behind a Seq and up to another one, or most if these are more.
func (x *Index) behind(ctx context.Context, cursor, upTo uint64, most int) (n int, err error) {
	err = storage.Fresh(ctx, func() error {
		snap, err := x.set.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerFollow})
		if err != nil {
			return err
		}
		defer snap.Close()
		rows, _, err := x.tail(ctx, snap, cursor, upTo, most)
		n = min(most, len(rows))
		return err
	})
	return n, err
}

// ownerFollow names the snapshots of whoever follows.
const ownerFollow = "graph of vectors"

// begin loads the graph, or begins a new one where there is none or it is damaged. It reports false if there
// is no room.
func (x *Index) begin(ctx context.Context, l *lease.Lease) (bool, error) {
	err := x.Load(ctx)
	if err != nil && !damaged(err) {
		return false, err
	}
	if x.graph.Load() != nil {
		return true, nil
	}
	if err == nil {
		if there, err := x.waits(ctx, l); err != nil || there {
			return false, err
		}
	}
	// What is written from now on is in the tail behind the cursor; what was there before is put in.
	mark, err := x.set.store.Watermark(ctx, 0)
	if err != nil {
		return false, err
	}
	f := &following{Graph: vector.New(x.params())}
	f.cursor.Store(uint64(mark))
	f.filling.Store(true)
	x.graph.Store(f)
	return true, nil
}

// advance puts the next entries in and reports whether there are more.
func (x *Index) advance(ctx context.Context, f *following) (more bool, err error) {
	mark, err := x.set.store.Watermark(ctx, 0)
	if err != nil {
		return false, err
	}
	err = storage.Fresh(ctx, func() error {
		snap, err := x.set.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerFollow})
		if err != nil {
			return err
		}
		defer snap.Close()
		if f.filling.Load() {
			more, err = true, x.fill(ctx, f, snap)
			return err
		}
		more, err = x.follow(ctx, f, snap, uint64(mark))
		return err
	})
	return more, err
}

// fill puts in entries that were there when the graph was begun.
func (x *Index) fill(ctx context.Context, f *following, snap storage.Snapshot) error {
	r := storage.Range(key.SpaceRange(key.TableSpace(x.table), x.ix.Sub))
	if f.after != nil {
		r.Start = append(append([]byte(nil), f.after...), 0)
	}
	it, err := snap.Iter(ctx, r, storage.IterOptions{LimitHint: stepRows, Once: true})
	if err != nil {
		return err
	}
	defer it.Close()
	for range stepRows {
		if !it.Next() {
			if err := it.Err(); err != nil {
				return err
			}
			f.after = nil
			f.unsaved++
			f.filling.Store(false)
			return nil
		}
		if err := x.put(f, it.Key(), it.Value()); err != nil {
			return err
		}
		f.after = append(f.after[:0:0], it.Key()...)
	}
	return nil
}

// follow puts in what the next rows of the tail name.
func (x *Index) follow(ctx context.Context, f *following, snap storage.Snapshot, mark uint64) (more bool, err error) {
	rows, last, err := x.tail(ctx, snap, f.cursor.Load(), mark, stepRows)
	if err != nil {
		return false, err
	}
	values, err := snap.GetMany(ctx, rows)
	if err != nil {
		return false, err
	}
	for i, v := range values {
		if !v.Present {
			if f.Remove(nameOf(rows[i])) {
				f.unsaved++
			}
		} else if err := x.put(f, rows[i], v.Data); err != nil {
			return false, err
		}
	}
	f.cursor.Store(last)
	return last < mark, nil
}

// tail returns the entries, each once, that rows of the tail name behind a Seq and up to another one, and
// up to which Seq all of its rows were read: at least so many rows, unless there are fewer, and all of the
// last Seq.
func (x *Index) tail(ctx context.Context, snap storage.Snapshot, behind, upTo uint64, rows int) (entries [][]byte, last uint64, err error) {
	if behind >= upTo {
		return nil, behind, nil
	}
	it, err := snap.Iter(ctx, storage.Range(key.TailRange(x.table, x.ix, behind+1, upTo)), storage.IterOptions{LimitHint: rows})
	if err != nil {
		return nil, 0, err
	}
	defer it.Close()
	seen, last := map[string]bool{}, behind
	for n := 0; it.Next(); n++ {
		seq, entry, ok := key.SplitTail(x.ix, it.Key())
		if !ok {
			return nil, 0, fmt.Errorf("neighbors: row of a tail: %w", storage.ErrCorrupt)
		}
		if n >= rows && seq > last {
			return entries, last, nil
		}
		last = seq
		if !seen[string(entry)] {
			seen[string(entry)] = true
			entries = append(entries, entry)
		}
	}
	return entries, upTo, it.Err()
}

// put puts an entry into the graph.
func (x *Index) put(f *following, k, entry []byte) error {
	v := attr.Item(entry).Get(x.ix.Vector.Attribute)
	if v.Type() != attr.VecF32 || v.Len() != x.ix.Vector.Dimensions {
		return fmt.Errorf("neighbors: entry without its vector: %w", storage.ErrCorrupt)
	}
	name := nameOf(k)
	f.unsaved++
	return f.Insert(name, x.partOf(name), v.Float32s(nil), x.noteOf(entry))
}

// Save stores what has changed of the graph, together with how far it follows, and drops the rows of the
// tail that it does not need any more.
func (x *Index) Save(ctx context.Context, l *lease.Lease, now time.Time) error {
	f := x.graph.Load()
	if f == nil || f.unsaved == 0 {
		return nil
	}
	w := f.Widths()
	cursor := f.cursor.Load()
	b, err := json.Marshal(stateRow{
		Version: stateVersion, Cursor: cursor, Nodes: f.Nodes(), M: vector.MDefault, Bytes: f.Bytes(),
		Filling: f.filling.Load(), After: f.after, Few: w.Few, Many: w.Many, Far: w.Far,
	})
	if err != nil {
		return fmt.Errorf("neighbors: state of a graph: %w", err)
	}
	pages := f.Changed()
	content := make([][]byte, len(pages))
	for i, p := range pages {
		content[i] = f.AppendPage(nil, p)
	}
	state := key.AppendGraph(nil, x.table, x.ix)
	err = x.set.store.Update(ctx, []storage.Named{l.Named(), {Key: state}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(0)); err != nil {
			return err
		}
		for i, p := range pages {
			tx.Put(key.AppendPage(nil, x.table, x.ix, uint8(p.Kind), p.Number), content[i])
		}
		tx.Put(state, b)
		return nil
	})
	if errors.Is(err, storage.ErrUncertain) || errors.Is(err, lease.ErrLost) {
		x.forget() // perhaps it is stored, perhaps somebody else stores another one
	}
	if err != nil {
		return err
	}
	f.Clean()
	f.kept += f.unsaved
	f.unsaved, f.savedAt = 0, now
	if f.kept < dropLeast {
		return nil
	}
	f.kept = 0
	return x.set.store.DropRange(ctx, storage.Range(key.TailRange(x.table, x.ix, 0, cursor)))
}
