package crossref

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/index"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/ttl"
)

// tableCheck is the check of one table of items.
type tableCheck struct {
	*checker
	*catalog.Record
	projected [][]string
	indexes   []pair
	counted   map[uint32]*Kept // by sub
	expiry    pair
	sizes     pair
	// open is the item collection at hand.
	open collection
}

// collection adds up the items with one partition key and their entries in local indexes.
type collection struct {
	item []byte // key of one of them; nil for none
	size int64
}

// table checks one table with its indexes and the rows that follow from its items.
func (c *checker) table(ctx context.Context, r *catalog.Record) error {
	if r.Status == catalog.StatusDeleting {
		return nil // what is left of it goes
	}
	c.out.Counts.Tables++
	t := &tableCheck{
		checker: c, Record: r, projected: catalog.Projections(&r.Table), indexes: make([]pair, len(r.Table.Indexes)),
		counted: map[uint32]*Kept{},
	}
	c.begin(ctx, r.Table.Name, storage.Range(key.WholeSpace(key.TableSpace(r.Table.ID))))
	if err := t.compare(ctx); err != nil {
		return err
	}
	return t.graphs(ctx)
}

// compare looks for whatever does not follow from the items.
func (t *tableCheck) compare(ctx context.Context) error {
	if err := t.sum(ctx); err != nil {
		return err
	}
	if err := t.compareKept(ctx); err != nil {
		return err
	}
	if err := t.history(ctx); err != nil {
		return err
	}
	if err := t.replication(ctx); err != nil {
		return err
	}
	equal := t.expiry.equal() && t.sizes.equal()
	for i := range t.indexes {
		equal = equal && t.indexes[i].equal()
	}
	if equal {
		return nil
	}
	return t.search(ctx)
}

func (t *tableCheck) rows(sub uint32) storage.Range {
	return storage.Range(key.SpaceRange(key.TableSpace(t.Table.ID), sub))
}

// sum reads both sides of everything.
func (t *tableCheck) sum(ctx context.Context) error {
	err := t.walk(ctx, t.rows(key.TableSub), func(k, v []byte) error {
		t.out.Counts.Items++
		if what := t.wrong(k, v); what != "" {
			t.fault(Items, "", k, "%s", what)
			return t.remove(ctx, k)
		}
		t.tallyUp(key.TableSub, k, v)
		t.expect(k, attr.Item(v))
		return nil
	})
	if err != nil {
		return err
	}
	t.closeCollection(func(row, size []byte) { t.sizes.want.add(row, size) })
	for i := range t.Table.Indexes {
		sub, into := t.Table.Indexes[i].Sub, &t.indexes[i].have
		err := t.walk(ctx, t.rows(sub), func(k, v []byte) error {
			t.out.Counts.IndexEntries++
			into.add(k, v)
			if attr.CheckItem(v) == nil {
				t.tallyUp(sub, k, v)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if t.Table.TTLSub != 0 {
		if err := t.have(ctx, t.Table.TTLSub, &t.expiry.have, &t.out.Counts.ExpiryRows); err != nil {
			return err
		}
	}
	if t.Table.CollectionSub != 0 {
		return t.have(ctx, t.Table.CollectionSub, &t.sizes.have, &t.out.Counts.Collections)
	}
	return nil
}

// have sums up what is stored under a sub.
func (t *tableCheck) have(ctx context.Context, sub uint32, into *tally, n *int64) error {
	return t.walk(ctx, t.rows(sub), func(k, v []byte) error {
		*n++
		into.add(k, v)
		return nil
	})
}

// fault names the table, and the index unless that is empty.
func (t *tableCheck) fault(region, index string, k []byte, format string, args ...any) {
	t.add(Fault{Region: region, Table: t.Table.Name, Index: index, Key: k, What: fmt.Sprintf(format, args...)})
}

// wrong says what is wrong with an item by itself; "" for nothing.
func (t *tableCheck) wrong(k, v []byte) string {
	if err := attr.CheckItem(v); err != nil {
		return "the item is malformed: " + err.Error()
	}
	if own, ok := key.AppendItem(nil, &t.Table, attr.Item(v)); !ok || !bytes.Equal(own, k) {
		return "the item stands under the key of another one"
	}
	return ""
}

// entry is what an item has in an index, if anything.
func (t *tableCheck) entry(i int, item attr.Item) (k []byte, value attr.Item, ok bool) {
	return index.Entry(&t.Table, &t.Table.Indexes[i], t.projected[i], item)
}

// expiryRow is nil for an item that has none.
func (t *tableCheck) expiryRow(k []byte, item attr.Item) []byte {
	if t.Table.TTLSub == 0 {
		return nil
	}
	ms, ok := ttl.Millis(t.Table.TTL, item)
	if !ok || ms < t.opts.Now.UnixMilli()-1000*ttl.HorizonSeconds {
		return nil // one that ended so long ago stays, and its row goes at the first look
	}
	return key.AppendExpiry(nil, t.Table.TTLSub, ms, k)
}

// expect adds what follows from an item.
func (t *tableCheck) expect(k []byte, item attr.Item) {
	for i := range t.indexes {
		if ek, v, ok := t.entry(i, item); ok {
			t.indexes[i].want.add(ek, v)
		}
	}
	if row := t.expiryRow(k, item); row != nil {
		t.expiry.want.add(row, nil)
	}
	t.collect(k, item, func(row, size []byte) { t.sizes.want.add(row, size) })
}

// collect counts an item in its collection; done gets the row of the one before, if that is over.
func (t *tableCheck) collect(k []byte, item attr.Item, done func(row, size []byte)) {
	if t.Table.CollectionSub == 0 {
		return
	}
	if t.open.item != nil && !bytes.Equal(storage.FilterPrefix(t.open.item), storage.FilterPrefix(k)) {
		t.closeCollection(done)
	}
	if t.open.item == nil {
		t.open.item = bytes.Clone(k)
	}
	t.open.size += int64(item.Size())
	for i := range t.Table.Indexes {
		if t.Table.Indexes[i].Local {
			if _, v, ok := t.entry(i, item); ok {
				t.open.size += int64(v.Size())
			}
		}
	}
}

func (t *tableCheck) closeCollection(done func(row, size []byte)) {
	if t.open.item != nil {
		row := key.AppendCollection(nil, t.Table.CollectionSub, t.open.item)
		done(row, binary.BigEndian.AppendUint64(nil, uint64(t.open.size)))
	}
	t.open = collection{}
}

// search looks at every key in a bucket that differs.
func (t *tableCheck) search(ctx context.Context) error {
	pending := t.pending(ctx)
	var failed error
	size := func(row, size []byte) {
		if err := t.checkSize(ctx, row, size); err != nil {
			failed = err
		}
	}
	// Entries first: a repair that removes one must not come after one that puts it right.
	for i := range t.Table.Indexes {
		if err := t.checkEntries(ctx, i); err != nil {
			return err
		}
	}
	err := t.walk(ctx, t.rows(key.TableSub), func(k, v []byte) error {
		if t.wrong(k, v) != "" {
			return nil
		}
		t.collect(k, attr.Item(v), size)
		if failed != nil {
			return failed
		}
		return t.checkItem(ctx, k, attr.Item(v), pending)
	})
	if err != nil {
		return err
	}
	if t.closeCollection(size); failed != nil {
		return failed
	}
	return t.checkSizes(ctx)
}

// pending says, by sub, up to which item a job has come that still fills it. An item behind that may lack
// what follows from it.
func (t *tableCheck) pending(ctx context.Context) map[uint32][]byte {
	out := map[uint32][]byte{}
	for _, j := range t.Jobs {
		if j.Kind != catalog.JobIndex && j.Kind != catalog.JobExpiry {
			continue
		}
		var cursor exec.Cursor
		v, known, err := t.get(ctx, t.Cursor(j.Sub))
		if err == nil && known && v.Present && json.Unmarshal(v.Data, &cursor) != nil {
			cursor = exec.Cursor{}
		}
		out[j.Sub] = append([]byte{}, cursor.After...)
	}
	return out
}

// checkItem looks for what follows from an item.
func (t *tableCheck) checkItem(ctx context.Context, k []byte, item attr.Item, pending map[uint32][]byte) error {
	mayLack := func(sub uint32) bool {
		after, ok := pending[sub]
		return ok && bytes.Compare(k, after) > 0
	}
	for i := range t.indexes {
		ek, want, ok := t.entry(i, item)
		if !ok || !t.indexes[i].differs(ek) {
			continue
		}
		v, known, err := t.get(ctx, ek)
		if err != nil {
			return err
		}
		ix := &t.Table.Indexes[i]
		switch {
		case !known, v.Present && bytes.Equal(v.Data, want), !v.Present && mayLack(ix.Sub):
			continue
		case v.Present:
			t.fault(Index, ix.Name, ek, "the entry differs from its item")
		default:
			t.fault(Index, ix.Name, ek, "an item has no entry")
		}
		if err := t.put(ctx, ek, want); err != nil {
			return err
		}
	}
	row := t.expiryRow(k, item)
	if row == nil || !t.expiry.differs(row) {
		return nil
	}
	v, known, err := t.get(ctx, row)
	if err != nil || !known || v.Present || mayLack(t.Table.TTLSub) {
		return err
	}
	t.fault(Expiry, "", row, "an item that ends has no row that says so")
	return t.put(ctx, row, nil)
}

// checkEntries looks for the item of each entry. Rows of expiry may speak of items as they were: whoever
// sweeps drops them.
func (t *tableCheck) checkEntries(ctx context.Context, i int) error {
	ix := &t.Table.Indexes[i]
	return t.walk(ctx, t.rows(ix.Sub), func(k, v []byte) error {
		if !t.indexes[i].differs(k) {
			return nil
		}
		what, err := t.stray(ctx, i, k, v)
		if err != nil || what == "" {
			return err
		}
		t.fault(Index, ix.Name, k, "%s", what)
		return t.remove(ctx, k)
	})
}

// stray says why an entry should not be there; "" if it should, whatever it holds.
func (t *tableCheck) stray(ctx context.Context, i int, k, v []byte) (string, error) {
	if attr.CheckItem(v) != nil {
		return "the entry is malformed", nil
	}
	item, ok := key.AppendItem(nil, &t.Table, attr.Item(v))
	if !ok {
		return "the entry does not hold the key of an item", nil
	}
	of, known, err := t.get(ctx, item)
	if err != nil || !known {
		return "", err
	}
	if !of.Present || t.wrong(item, of.Data) != "" {
		return "the entry has no item", nil
	}
	if ek, _, ok := t.entry(i, attr.Item(of.Data)); !ok || !bytes.Equal(ek, k) {
		return "the entry is one that its item does not have", nil
	}
	return "", nil
}

// checkSize looks at the row of a collection that has items.
func (t *tableCheck) checkSize(ctx context.Context, row, want []byte) error {
	if !t.sizes.differs(row) || t.touched(t.members(row)) {
		return nil
	}
	v, known, err := t.get(ctx, row)
	if err != nil || !known || v.Present && bytes.Equal(v.Data, want) {
		return err
	}
	t.fault(Collections, "", row, "the size of an item collection is not %d", binary.BigEndian.Uint64(want))
	return t.put(ctx, row, want)
}

// checkSizes looks for rows of collections without items.
func (t *tableCheck) checkSizes(ctx context.Context) error {
	if t.Table.CollectionSub == 0 || t.sizes.equal() {
		return nil
	}
	return t.walk(ctx, t.rows(t.Table.CollectionSub), func(k, _ []byte) error {
		members := t.members(k)
		if !t.sizes.differs(k) || t.touched(members) {
			return nil
		}
		some := false
		err := t.walk(ctx, members, func(k, v []byte) error {
			some = true
			return errEnough
		})
		if some || err != nil {
			return enough(err)
		}
		t.fault(Collections, "", k, "the size of an item collection without items")
		return t.remove(ctx, k)
	})
}

// members are the items of a collection, by the key of its row.
func (t *tableCheck) members(row []byte) storage.Range {
	p := key.AppendPrefix(nil, key.TableSpace(t.Table.ID), key.TableSub)
	return storage.Range(key.PrefixRange(append(p, row[min(len(row), storage.PrefixBytes):]...)))
}
