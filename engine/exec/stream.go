package exec

import (
	"bytes"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/changelog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/replica"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// partsPerWrite is how many stream records one write may make: the removal of an expired item, and
// its own.
const partsPerWrite = 2

// written is what an update wrote beside the items.
type written struct {
	// stream is its Seq if it wrote stream records.
	stream storage.Seq
	// logs are the tables in whose change logs it wrote.
	logs []*catalog.Table
	// out: it wrote something that is to be sent to replicas.
	out bool
}

// reset forgets a run that is thrown away.
func (w *written) reset() { w.stream, w.logs, w.out = 0, w.logs[:0], false }

// outcome is what a write of a table with a stream or a change log did to one item.
type outcome struct {
	table  *catalog.Table
	write  *plan.Write
	stored storage.Value
	result *Result
	now    time.Time
	// index is the place of the write in its update.
	index int
	// beside are the rows beside the items of the update, in which the write is the place-th.
	beside *collections
	place  int
	// remote is the stamp of a write that was made elsewhere; nil for one that is made here.
	remote *replica.Stamp
	// forward: it is to be sent on.
	forward bool
}

// record writes what an outcome leaves beside the item, and notes it. One that changed nothing leaves nothing.
func (o *outcome) record(tx storage.Tx, w *written) error {
	if o.write.Kind == plan.WriteCheck {
		return nil
	}
	if o.table.Streams() || o.table.Feed != nil {
		o.stream(tx, &w.stream)
	}
	if o.table.Log != nil {
		o.log(tx, w)
	}
	if o.table.Global != nil {
		return o.stamp(tx, w)
	}
	return nil
}

// log writes the history row of an outcome, and a mark of its time.
func (o *outcome) log(tx storage.Tx, w *written) {
	c := changelog.Change{Item: o.write.Key, After: o.result.New != nil, AtMs: o.now.UnixMilli()}
	if o.stored.Present {
		c.Before = o.stored.Data
	}
	if !c.After && c.Before == nil || c.After && c.Before != nil && bytes.Equal(c.Before, o.result.New) {
		return
	}
	changelog.Write(tx, o.table.History(), &c)
	if sub, wanted := o.table.Mark(o.now); wanted {
		changelog.WriteMark(tx, o.table.Table.ID, sub, c.AtMs)
	}
	w.logs = append(w.logs, o.table)
}

// stream writes the records of an outcome in the table's stream and feed and sets seq to their Seq; one that changed nothing has
// none, and leaves it. An item that had expired was removed before the write met it, and so has a record
// of its own.
func (o *outcome) stream(tx storage.Tx, seq *storage.Seq) {
	old, part := o.result.Old, uint16(o.index*partsPerWrite)
	if old == nil && o.stored.Present {
		o.put(tx, &stream.Change{Old: attr.Item(o.stored.Data), Expired: true, Part: part})
		*seq = tx.Seq()
	}
	if old == nil && o.result.New == nil || attr.EqualItems(old, o.result.New) {
		return
	}
	o.put(tx, &stream.Change{Old: old, New: o.result.New, Expired: o.result.Expired, Part: part + 1})
	*seq = tx.Seq()
}

// put writes a record for the clients of the table's stream, and one for the consumers of its feed.
func (o *outcome) put(tx storage.Tx, c *stream.Change) {
	c.At = o.now
	if s := o.table.Stream; o.table.Streams() {
		o.putTo(tx, stream.Target{ID: s.ID, Slots: s.Slots, View: s.ViewType}, o.table.Bell(), c)
	}
	if f := o.table.Feed; f != nil {
		o.putTo(tx, stream.Target{ID: f.ID, Slots: f.Slots, View: stream.ViewBoth, Micros: true}, o.table.FeedBell(), c)
	}
}

func (o *outcome) putTo(tx storage.Tx, to stream.Target, bell *stream.Bell, c *stream.Change) {
	hash := key.HashOf(o.write.Key)
	// Before anything of the update can be seen. A run that is thrown away does no harm.
	bell.Note(schema.SlotOf(hash, to.Slots), tx.Seq())
	stream.Write(tx, to, &o.table.Table.Key, hash, c)
}

// ring wakes who reads a table's stream or feed when an update is over that wrote records, whatever came of
// it; seq is its Seq, zero when it wrote none.
func ring(t *catalog.Table, seq storage.Seq) {
	if seq == 0 {
		return
	}
	if t.Streams() {
		t.Bell().Ring(seq)
	}
	if t.Feed != nil {
		t.FeedBell().Ring(seq)
	}
}

// over tells the tables what an update that is over wrote of them, whatever came of it.
func (w *written) over(t *catalog.Table, now time.Time, err error) {
	ring(t, w.stream)
	if w.out && t.Global != nil {
		t.Wrote()
	}
	if err == nil {
		for _, l := range w.logs {
			l.Marked(now)
		}
	}
}
