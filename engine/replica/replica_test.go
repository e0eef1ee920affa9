package replica

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// TestStampBytes: the form on disk, and that what is none is refused.
func TestStampBytes(t *testing.T) {
	s := Stamp{Micros: 0x0102030405060708, Region: "eu-west-1", Deleted: true}
	require.Equal(t, "01"+"01"+"0102030405060708"+hex.EncodeToString([]byte("eu-west-1")), hex.EncodeToString(s.Encode()))
	back, err := Decode(storage.Value{Present: true, Data: s.Encode()})
	require.NoError(t, err)
	require.Equal(t, s, back)
	none, err := Decode(storage.Value{})
	require.NoError(t, err)
	require.Equal(t, Stamp{}, none)
	for _, bad := range []string{"", "01", "02000000000000000000aa", "0102000000000000000061", "01000000000000000000"} {
		b, err := hex.DecodeString(bad)
		require.NoError(t, err)
		_, err = DecodeBytes(b)
		require.ErrorIs(t, err, storage.ErrCorrupt, bad)
	}
}

// TestStampOrder: the order is total but for one and the same write, and who writes over a stamp is after it.
func TestStampOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a := Stamp{Micros: rng.Int64N(4), Region: string(rune('a' + rng.IntN(3)))}
		b := Stamp{Micros: rng.Int64N(4), Region: string(rune('a' + rng.IntN(3)))}
		require.Equal(t, a != b, a.After(b) != b.After(a))
		now := time.UnixMicro(rng.Int64N(8))
		next := a.Next(now, b.Region)
		require.True(t, next.After(a), "whatever the clock says")
		require.GreaterOrEqual(t, next.Micros, now.UnixMicro())
	}
	require.True(t, Stamp{Region: "a"}.After(Stamp{}), "an item that is sent without one wins over none")
}

// kept is a table with stamps in a store.
type kept struct {
	t     *testing.T
	store storage.Store
	rows  Rows
	table schema.Table
	now   int64
}

func newKept(t *testing.T) *kept {
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return &kept{
		t: t, store: store, rows: Rows{Table: 7, Stamps: 3, Out: 4, Dead: 5},
		table: schema.Table{ID: 7, Key: schema.Key{Hash: []schema.KeyAttr{{Name: "id", Type: attr.S}}}},
	}
}

// write writes or deletes an item, as a write here or one that came from elsewhere.
func (k *kept) write(id, v, region string) {
	k.t.Helper()
	item, err := attr.NewItem().S("id", id).S("v", v).Build()
	require.NoError(k.t, err)
	at, ok := key.AppendItem(nil, &k.table, item)
	require.True(k.t, ok)
	k.now++
	s := Stamp{Micros: k.now * microsPerMilli, Region: region, Deleted: v == ""}
	stamp := key.AppendStamp(nil, k.rows.Stamps, at)
	err = k.store.Update(k.t.Context(), []storage.Named{{Key: at}, {Key: stamp}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if s.Deleted {
			tx.Delete(at)
			NoteDead(tx, k.rows.Dead, at, s)
		} else {
			tx.Put(at, item)
		}
		if region == "here" {
			Note(tx, k.rows.Out, at)
		}
		tx.Put(stamp, s.Encode())
		return nil
	})
	require.NoError(k.t, err)
}

func text(changes []Change) (list []string) {
	for _, c := range changes {
		id := string(key.ItemTail(c.Key)[6:])
		v := "-"
		if c.Item != nil {
			v = string(c.Item.Get("v").Payload())
		}
		list = append(list, id+v+c.Stamp.Region)
	}
	slices.Sort(list)
	return list
}

// pending reads what is to be sent in batches of about n, and says how many it took.
func (k *kept) pending(after storage.Seq, n int) (all []string, next storage.Seq, batches int) {
	k.t.Helper()
	for more := true; more; batches++ {
		b, err := k.rows.Pending(k.t.Context(), k.store, after, n)
		require.NoError(k.t, err)
		all, after, more = append(all, text(b.Changes)...), b.Next, b.More
	}
	return all, after, batches
}

// TestPending: each item that was written here comes, as it is now, once for all its writes; what is trimmed does not.
func TestPending(t *testing.T) {
	k := newKept(t)
	for i := range 3 {
		k.write("a", fmt.Sprint(i), "here")
	}
	k.write("b", "1", "there")
	k.write("c", "1", "here")
	k.write("c", "", "here")
	all, next, _ := k.pending(0, 100)
	require.Equal(t, []string{"a2here", "c-here"}, all)
	all, same, _ := k.pending(next, 100)
	require.Empty(t, all)
	require.Equal(t, next, same)
	k.write("a", "9", "here")
	k.write("a", "10", "there") // whoever wrote it sends it, too
	all, later, _ := k.pending(next, 100)
	require.Equal(t, []string{"a10there"}, all)
	for i := range 50 {
		k.write(fmt.Sprint("x", i), "1", "here")
	}
	all, _, batches := k.pending(later, 1)
	require.Greater(t, batches, 1)
	got := map[string]bool{}
	for _, x := range all {
		got[x] = true
	}
	require.Len(t, got, 50, "in as many batches as it takes")
	require.NoError(t, k.rows.Trim(t.Context(), k.store, 0, later))
	all, _, _ = k.pending(0, 1000)
	require.Len(t, all, 50)
}

// TestFill: everything comes, deleted items too, in any sizes of steps; what has no stamp comes with the least one.
func TestFill(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 100} {
		k := newKept(t)
		for i := range 7 {
			k.write(fmt.Sprint("i", i), fmt.Sprint(i), "here")
		}
		k.write("i3", "", "there")
		plain, err := attr.NewItem().S("id", "old").S("v", "0").Build()
		require.NoError(t, err)
		at, _ := key.AppendItem(nil, &k.table, plain)
		var b storage.Batch
		b.Put(at, plain)
		require.NoError(t, k.store.Apply(t.Context(), &b, storage.UpdateOptions{}))
		var all []string
		for c := (Cursor{}); !c.Done; {
			changes, next, err := k.rows.Fill(context.Background(), k.store, c, limit, 1<<20, "here")
			require.NoError(t, err)
			require.LessOrEqual(t, len(changes), limit)
			all, c = append(all, text(changes)...), next
		}
		slices.Sort(all)
		require.Equal(t, []string{"i00here", "i11here", "i22here", "i3-there", "i44here", "i55here", "i66here", "old0here"}, all)
	}
}

// TestCollect: stamps of deleted items go that are old enough, but for items that were written again.
func TestCollect(t *testing.T) {
	k := newKept(t)
	for i := range 1200 {
		k.write(fmt.Sprint(i), "1", "here")
		k.write(fmt.Sprint(i), "", "there")
	}
	k.write("7", "again", "here")
	old := k.now + 1
	k.write("8", "again", "here")
	k.write("8", "", "here")
	lease := storage.Named{Key: key.AppendLease(nil, "test"), Shared: true}
	guard := Guard{Named: lease, Check: func(storage.Value) error { return nil }}
	note := storage.Op{Key: []byte("note"), Value: []byte("x")}
	for more := true; more; {
		var err error
		more, err = k.rows.Collect(t.Context(), k.store, old, guard, note)
		require.NoError(t, err)
	}
	changes, _, err := k.rows.Fill(t.Context(), k.store, Cursor{}, 10_000, 1<<30, "here")
	require.NoError(t, err)
	require.Equal(t, []string{"7againhere", "8-here"}, text(changes))
	found, err := k.rows.HasDead(t.Context(), k.store)
	require.NoError(t, err)
	require.True(t, found, "one is not old enough")
	refused := Guard{Named: lease, Check: func(storage.Value) error { return storage.ErrClosed }}
	_, err = k.rows.Collect(t.Context(), k.store, k.now+1, refused, note)
	require.ErrorIs(t, err, storage.ErrClosed)
}
