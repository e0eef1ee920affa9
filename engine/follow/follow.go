// Package follow runs the consumers of the change feeds of tables: each reads the records in the order of
// their positions and keeps the place up to which it has passed them in a row of the store. What a consumer
// was given and had not passed when the process died it is given again: at least once, and in order.
//
// A feed is a stream with both images that no client sees (package stream), written in the update of the
// item. The catalog says who follows which table (catalog.Record.Follow); the place where a consumer begins
// is stored in the same update as that.
package follow

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// ErrGone: the consumer or the feed is no more. There is nothing to follow.
var ErrGone = errors.New("follow: the consumer is gone")

// Env is what a follower needs.
type Env struct {
	Store storage.Store
	// Stream returns the feed as of now, nil when it is gone; Bell is its bell.
	Stream func() *schema.Stream
	Bell   *stream.Bell
	// Consumer is the name whose cursor moves.
	Consumer string
	// Hold returns the lease that the consumer's work goes under.
	Hold func(context.Context) (*lease.Lease, error)
	// Deliver takes records in the order of their positions; without an error the consumer has passed them.
	// What comes first may have come before. The list is not empty, and the consumer's to keep.
	Deliver func(context.Context, []stream.Found) error
	// Missed, if not nil, is told that records before a position are forgotten that the consumer never got.
	Missed func(before stream.Position)
}

// pageRecords bounds the records that are delivered at once.
const pageRecords = stream.RecordsMax

// Follower is one consumer at work. It is not safe for concurrent use.
type Follower struct {
	env      Env
	merge    *stream.Merge
	listener *stream.Listener
	cursor   stream.Cursor
}

// New makes a follower, which goes on at its cursor. Close it.
func New(env Env) *Follower { return &Follower{env: env} }

// Close ends the following. It may be used again, and then begins at its cursor.
func (f *Follower) Close() {
	if f.listener != nil {
		f.listener.Close()
	}
	f.merge, f.listener = nil, nil
}

// Wake holds a call when there may be something new. It is nil before the first Step and after Close.
func (f *Follower) Wake() <-chan struct{} {
	if f.listener == nil {
		return nil
	}
	return f.listener.Wake()
}

// Cursor is how far the consumer has come, as of the last Step.
func (f *Follower) Cursor() stream.Cursor { return f.cursor }

// Step delivers at most one page and stores that it is passed. idle says that the consumer has passed all
// that there is; Wake calls when that may have changed. After an error the page comes again.
func (f *Follower) Step(ctx context.Context) (idle bool, err error) {
	idle, err = f.step(ctx)
	if err != nil {
		f.Close()
	}
	return idle, err
}

func (f *Follower) step(ctx context.Context) (idle bool, err error) {
	if f.merge == nil {
		if err := f.begin(ctx); err != nil {
			return false, err
		}
	}
	// A call that comes later is for later.
	select {
	case <-f.listener.Wake():
	default:
	}
	mark, err := f.env.Store.Watermark(ctx, 0)
	if err != nil {
		return false, err
	}
	rung, _ := f.merge.Hear(f.listener, mark)
	end, err := f.page(ctx, mark)
	if err != nil || !end {
		return false, err
	}
	if mark < rung { // the update is over, and an older one is not
		_, err := f.env.Store.Watermark(ctx, rung-1)
		return false, err
	}
	return true, nil
}

// begin goes to the place of the cursor.
func (f *Follower) begin(ctx context.Context) error {
	s := f.env.Stream()
	if s == nil || s.ClosedMs != 0 {
		return ErrGone
	}
	c, ok, err := stream.ReadCursor(ctx, f.env.Store, s.ID, f.env.Consumer)
	if err != nil {
		return err
	}
	if !ok {
		return ErrGone
	}
	f.cursor = c
	f.merge = stream.NewMerge(s, nil, c.At)
	f.listener = f.merge.Listen(f.env.Bell)
	mark, err := f.env.Store.Watermark(ctx, 0)
	f.merge.HearAll(mark) // the bell knows nothing of what an earlier process wrote
	return err
}

// page delivers one page, and says whether everything up to the watermark is passed.
func (f *Follower) page(ctx context.Context, mark storage.Seq) (end bool, err error) {
	m, from := f.merge, f.merge.Next()
	last := m.Last(mark)
	var found []stream.Found
	if end = !m.Pending(last); end {
		m.Skip(last)
	} else {
		err = storage.Fresh(ctx, func() error {
			found, end, err = f.read(ctx, last)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	s := f.env.Stream()
	switch {
	case s == nil || s.ClosedMs != 0:
		return false, ErrGone
	case uint64(from.Seq) <= s.Trimmed:
		return false, f.missed(ctx, s.Trimmed) // what was forgotten meanwhile may lack in the page
	case len(found) == 0:
		return end, nil
	}
	if err := f.env.Deliver(ctx, found); err != nil {
		return false, err
	}
	next := f.cursor
	next.At, next.TimeMs = m.Next(), found[len(found)-1].TimeMs
	next.Passed += uint64(len(found))
	return end, f.store(ctx, next)
}

func (f *Follower) read(ctx context.Context, last uint64) ([]stream.Found, bool, error) {
	snap, err := f.env.Store.Snapshot(ctx, storage.SnapshotOptions{Owner: "change feed"})
	if err != nil {
		return nil, false, err
	}
	defer snap.Close()
	return f.merge.Read(ctx, snap, last, pageRecords)
}

// missed goes on behind what was forgotten.
func (f *Follower) missed(ctx context.Context, trimmed uint64) error {
	next := f.cursor
	next.At = stream.Position{Seq: storage.Seq(trimmed + 1)}
	next.Missed++
	if f.env.Missed != nil {
		f.env.Missed(next.At)
	}
	f.merge.Restart(next.At)
	return f.store(ctx, next)
}

// store moves the cursor, unless the consumer was taken away.
func (f *Follower) store(ctx context.Context, next stream.Cursor) error {
	l, err := f.env.Hold(ctx)
	if err != nil {
		return err
	}
	b, err := next.Encode()
	if err != nil {
		return err
	}
	row := key.AppendCursor(nil, f.merge.Stream().ID, f.env.Consumer)
	named := []storage.Named{{Key: row}, l.Named()}
	err = f.env.Store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(1)); err != nil {
			return err
		}
		if !tx.Value(0).Present {
			return ErrGone
		}
		tx.Put(row, b)
		return nil
	})
	if err == nil {
		f.cursor = next
	}
	return err
}
