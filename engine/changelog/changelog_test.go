package changelog

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

var tested = &schema.Table{ID: 20, Key: schema.Key{Hash: []schema.KeyAttr{{Name: "pk", Type: attr.S}}}}

func itemOf(t *testing.T, pk, v string) (k []byte, it attr.Item) {
	t.Helper()
	it, err := attr.NewItem().S("pk", pk).S("v", v).Build()
	require.NoError(t, err)
	k, ok := key.AppendItem(nil, tested, it)
	require.True(t, ok)
	return k, it
}

func openStore(t *testing.T) storage.Store {
	t.Helper()
	s, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func snapshot(t *testing.T, s storage.Store) storage.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context(), storage.SnapshotOptions{})
	require.NoError(t, err)
	t.Cleanup(snap.Close)
	return snap
}

// TestCut: the cut of a time is the lowest Seq of a later update, in whichever order times and Seqs came, and
// in whichever generation.
func TestCut(t *testing.T) {
	s := openStore(t)
	var b storage.Batch
	for _, m := range []struct {
		sub uint32
		ms  int64
		seq uint64
	}{
		{5, 10, 9}, {5, 12, 7}, {5, 14, 11}, {5, 14 + SlackMs, 20}, {5, 15 + SlackMs, 4}, {6, 13, 10}, {6, 200 + SlackMs, 30},
	} {
		b.Put(key.AppendMark(nil, tested.ID, m.sub, m.ms, m.seq), []byte{})
	}
	require.NoError(t, s.Apply(t.Context(), &b, storage.UpdateOptions{}))
	snap := snapshot(t, s)
	for ms, want := range map[int64]storage.Seq{9: 7, 10: 7, 11: 7, 12: 10, 13: 11, 14: 4, 15 + SlackMs: 30} {
		got, ok, err := Cut(t.Context(), snap, tested.ID, []uint32{5, 6}, ms)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, got, ms)
	}
	_, ok, err := Cut(t.Context(), snap, tested.ID, []uint32{5, 6}, 200+SlackMs)
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, s.Apply(t.Context(), &storage.Batch{Ops: []storage.Op{
		{Key: append(key.AppendMark(nil, tested.ID, 5, 100, 1), 'x'), Value: []byte{}},
	}}, storage.UpdateOptions{}))
	_, _, err = Cut(t.Context(), snapshot(t, s), tested.ID, []uint32{5}, 99)
	require.ErrorIs(t, err, storage.ErrCorrupt)
}

// TestItemsOfTwoGenerations: of an item that two generations have rows of, out of order, the first one from the
// cut on counts; reading can end after any item and go on behind it.
func TestItemsOfTwoGenerations(t *testing.T) {
	s := openStore(t)
	var seqs []storage.Seq
	write := func(pk, before, after string, sub uint32) {
		k, old := itemOf(t, pk, before)
		_, next := itemOf(t, pk, after)
		c := &Change{Item: k, After: after != "", AtMs: int64(100 * len(seqs))}
		if before != "" {
			c.Before = old
		}
		require.NoError(t, s.Update(t.Context(), []storage.Named{{Key: k}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
			Write(tx, sub, c)
			if after == "" {
				tx.Delete(k)
			} else {
				tx.Put(k, next)
			}
			if len(seqs) == 0 || seqs[len(seqs)-1] != tx.Seq() {
				seqs = append(seqs, tx.Seq())
			}
			return nil
		}))
	}
	write("a", "", "1", 5)
	write("b", "", "1", 5)
	write("a", "1", "2", 6)
	write("a", "2", "3", 5) // by one who had not left the old generation
	write("b", "1", "", 6)
	write("c", "", "1", 6)
	want := []map[string]string{
		{}, {"a": "1"}, {"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "3", "b": "1"}, {"a": "3"}, {"a": "3", "c": "1"},
	}
	source, snap := Source{Table: tested.ID, History: []uint32{5, 6}}, snapshot(t, s)
	value := func(it attr.Item) string { return string(it.Get("v").Payload()) }
	for i, items := range want {
		cut := seqs[len(seqs)-1] + 1
		if i < len(seqs) {
			cut = seqs[i]
		}
		for _, bound := range []int{0, 1} {
			got := map[string]string{}
			var span Span
			for more := true; more; {
				it, err := source.Items(t.Context(), snap, span, cut)
				require.NoError(t, err)
				it.Bound(bound)
				for it.Next() {
					got[string(it.Item().Get("pk").Payload())] = value(it.Item())
				}
				require.NoError(t, it.Err())
				span.After, more = append([]byte(nil), it.At()...), it.More()
				it.Close()
			}
			require.Equal(t, items, got, "cut %d, bound %d", i, bound)
		}
	}
	ch, err := source.Changes(t.Context(), snap, Span{}, seqs[2], seqs[5])
	require.NoError(t, err)
	defer ch.Close()
	told := map[string]string{}
	for ch.Next() {
		now := "-"
		if ch.New() != nil {
			now = value(ch.New())
		}
		told[string(ch.Old().Get("pk").Payload())] = fmt.Sprint(value(ch.Old()), " ", now, " ", ch.LastMs())
	}
	require.NoError(t, ch.Err())
	require.Equal(t, map[string]string{"a": "1 3 300", "b": "1 - 400"}, told)
}

// TestManyVersions: of an item with very many changes, in two generations, few are read, and they are the
// right ones.
func TestManyVersions(t *testing.T) {
	const many = 3000
	s := openStore(t)
	k, _ := itemOf(t, "hot", "")
	seqs := make([]storage.Seq, many)
	var sum int
	for i := range many {
		_, old := itemOf(t, "hot", fmt.Sprint(i))
		_, now := itemOf(t, "hot", fmt.Sprint(i+1))
		sum += len(k) + len(old)
		require.NoError(t, s.Update(t.Context(), []storage.Named{{Key: k}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
			Write(tx, 5+uint32(2*i/many), &Change{Item: k, Before: old, After: true, AtMs: int64(i)})
			tx.Put(k, now)
			seqs[i] = tx.Seq()
			return nil
		}))
	}
	next, after := itemOf(t, "next", "1")
	require.NoError(t, s.Apply(t.Context(), &storage.Batch{Ops: []storage.Op{{Key: next, Value: after}}}, storage.UpdateOptions{}))
	source, snap := Source{Table: tested.ID, History: []uint32{5, 6}}, snapshot(t, s)
	value := func(it attr.Item) string { return string(it.Get("v").Payload()) }
	for i := 0; i < many; i += 37 {
		it, err := source.Items(t.Context(), snap, Span{}, seqs[i])
		require.NoError(t, err)
		got := map[string]string{}
		for it.Next() {
			got[string(it.Item().Get("pk").Payload())] = value(it.Item())
		}
		require.NoError(t, it.Err())
		require.Equal(t, map[string]string{"hot": fmt.Sprint(i), "next": "1"}, got)
		require.Less(t, it.Read(), sum/20)
		it.Close()
		ch, err := source.Changes(t.Context(), snap, Span{}, seqs[i/2], seqs[i])
		require.NoError(t, err)
		n := 0
		for ; ch.Next(); n++ {
			require.Equal(t, []string{fmt.Sprint(i / 2), fmt.Sprint(i)}, []string{value(ch.Old()), value(ch.New())})
			require.EqualValues(t, i-1, ch.LastMs())
		}
		require.NoError(t, ch.Err())
		require.Equal(t, min(i, 1), n)
		require.Less(t, ch.Read(), sum/20)
		ch.Close()
	}
}

// TestHistoryValue pins the bytes of a history row, and what is none is refused.
func TestHistoryValue(t *testing.T) {
	s := openStore(t)
	k, it := itemOf(t, "a", "1")
	require.NoError(t, s.Update(t.Context(), []storage.Named{{Key: k}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		Write(tx, 5, &Change{Item: k, Before: it, After: true, AtMs: 0x0102})
		return nil
	}))
	it2, err := snapshot(t, s).Iter(t.Context(), storage.Range(key.SpaceRange(key.TableSpace(tested.ID), 5)), storage.IterOptions{})
	require.NoError(t, err)
	defer it2.Close()
	require.True(t, it2.Next())
	require.Equal(t, "01030000000000000102"+fmt.Sprintf("%x", []byte(it)), fmt.Sprintf("%x", it2.Value()))
	keyOf := func(it attr.Item) ([]byte, bool) { return key.AppendItem(nil, tested, it) }
	require.Empty(t, Check(it2.Key(), it2.Value(), 1<<40, keyOf))
	for _, bad := range [][]byte{nil, {1}, append([]byte{2}, it2.Value()[1:]...), it2.Value()[:12]} {
		require.NotEmpty(t, Check(it2.Key(), bad, 1<<40, keyOf))
	}
	require.NotEmpty(t, Check(it2.Key(), it2.Value(), 0, keyOf))
}
