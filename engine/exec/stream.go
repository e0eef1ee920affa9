package exec

import (
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// partsPerWrite is how many stream records one write may make: the removal of an expired item, and
// its own.
const partsPerWrite = 2

// outcome is what a write of a table with a stream did to one item.
type outcome struct {
	table  *catalog.Table
	write  *plan.Write
	stored storage.Value
	result *Result
	now    time.Time
	// index is the place of the write in its update.
	index int
}

// record writes the stream records of an outcome and sets seq to their Seq; one that changed nothing has
// none, and leaves it. An item that had expired was removed before the write met it, and so has a record
// of its own.
func (o *outcome) record(tx storage.Tx, seq *storage.Seq) {
	if o.write.Kind == plan.WriteCheck {
		return
	}
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

func (o *outcome) put(tx storage.Tx, c *stream.Change) {
	c.At = o.now
	s := o.table.Stream
	to := stream.Target{ID: s.ID, Slots: s.Slots, View: s.ViewType}
	hash := key.HashOf(o.write.Key)
	// Before anything of the update can be seen. A run that is thrown away does no harm.
	o.table.Bell().Note(schema.SlotOf(hash, s.Slots), tx.Seq())
	stream.Write(tx, to, &o.table.Table.Key, hash, c)
}

// ring wakes the feeds of a table's stream when an update is over that wrote records, whatever came of
// it; seq is its Seq, zero when it wrote none.
func ring(t *catalog.Table, seq storage.Seq) {
	if seq > 0 && t.Streams() {
		t.Bell().Ring(seq)
	}
}
