package crossref

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// Kept is a count of the items of a table, or of the entries of an index, that came to its end.
type Kept struct {
	// Items, the sum of their accounted sizes, and the bytes of their keys and values.
	Items, Size, Bytes int64
	// End is what storage said then.
	End storage.Stats
	// Settled: nothing was written meanwhile.
	Settled bool
}

// keptID is what a row of a count is about.
type keptID struct {
	table uint64
	sub   uint32
}

// keptRow says what is wrong with the row of a count, and remembers what it says; "" for nothing.
func (c *checker) keptRow(k, v []byte) string {
	table, sub, ok := key.SplitCount(k)
	switch {
	case !ok:
		return "the row of a count has an impossible key"
	case c.opts.Kept == nil:
		if !json.Valid(v) {
			return "the row of a count does not parse"
		}
		return ""
	}
	n, err := c.opts.Kept(v)
	switch {
	case err != nil:
		return "the row of a count does not parse"
	case n == nil:
		return "" // it is on its way
	case n.Items < 0 || n.Size < 0 || n.Bytes < 0:
		return "the row of a count says less than nothing"
	}
	c.kept[keptID{table, sub}] = n
	return ""
}

// tallyUp counts what stands under a sub, as the background does.
func (t *tableCheck) tallyUp(sub uint32, k, v []byte) {
	n := t.counted[sub]
	if n == nil {
		n = &Kept{}
		t.counted[sub] = n
	}
	n.Items++
	n.Size += int64(attr.Item(v).Size())
	n.Bytes += int64(len(k) + len(v))
}

// compareKept compares kept counts with what there is. A count that items were written after is an estimate
// until the next one, and is not wrong.
func (t *tableCheck) compareKept(ctx context.Context) error {
	subs := map[uint32]string{key.TableSub: ""}
	for i := range t.Table.Indexes {
		subs[t.Table.Indexes[i].Sub] = t.Table.Indexes[i].Name
	}
	for sub, index := range subs {
		kept := t.kept[keptID{t.Table.ID, sub}]
		if kept == nil || !kept.Settled || t.touched(t.rows(sub)) {
			continue
		}
		now, err := t.store.Stats(ctx, t.rows(sub))
		if errors.Is(err, storage.ErrCorrupt) {
			continue
		}
		if err != nil {
			return err
		}
		is := Kept{}
		if n := t.counted[sub]; n != nil {
			is = *n
		}
		if now.Keys != kept.End.Keys || now.Bytes != kept.End.Bytes ||
			is.Items == kept.Items && is.Size == kept.Size && is.Bytes == kept.Bytes {
			continue
		}
		row := key.AppendCount(nil, t.Table.ID, sub)
		t.add(Fault{
			Warning: true, Region: Catalog, Table: t.Table.Name, Index: index, Key: row,
			What: fmt.Sprintf("the kept count says %d items of %d bytes (%d stored), and there are %d of %d (%d stored)",
				kept.Items, kept.Size, kept.Bytes, is.Items, is.Size, is.Bytes),
		})
		if err := t.remove(ctx, row); err != nil { // it is counted anew
			return err
		}
	}
	return nil
}
