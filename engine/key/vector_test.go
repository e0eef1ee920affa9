package key

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
)

// TestVectorRows pins the rows of an index of vectors, and reads them back.
func TestVectorRows(t *testing.T) {
	table := &schema.Table{ID: 7, Key: schema.Key{
		Hash: []schema.KeyAttr{{Name: "pk", Type: attr.S}}, Range: []schema.KeyAttr{{Name: "sk", Type: attr.S}},
	}}
	item, err := attr.NewItem().S("pk", "ab").S("sk", "q").S("h", "xyz").Build()
	require.NoError(t, err)
	all := &schema.Index{Sub: 2, Vector: &schema.Vector{Tail: 3, Graph: 4}}
	byH := &schema.Index{Sub: 5, Vector: &schema.Vector{Tail: 6, Graph: 8}, Key: schema.Key{
		Hash: []schema.KeyAttr{{Name: "h", Type: attr.S}},
	}}

	base, ok := AppendItem(nil, table, item)
	require.True(t, ok)
	own, ok := AppendEntry(nil, table, all, item)
	require.True(t, ok)
	require.Equal(t, "0100000000000007"+"00000002"+hex.EncodeToString(base[12:16])+"0002616271", hex.EncodeToString(own))
	require.Equal(t, base[12:], own[12:], "an index without a key has its entries where the items are")
	entry, ok := AppendEntry(nil, table, byH, item)
	require.True(t, ok)
	require.Equal(t, "000378797a"+"0002616271", hex.EncodeToString(entry[16:]))

	for _, c := range []struct {
		ix    *schema.Index
		entry []byte
		part  string
	}{{all, own, ""}, {byH, entry, "000378797a"}} {
		row := AppendTail(nil, c.ix, 0x0102030405060708, c.entry)
		require.Equal(t, "0102030405060708"+hex.EncodeToString(c.entry[12:]), hex.EncodeToString(row[16:]))
		seq, back, ok := SplitTail(c.ix, row)
		require.True(t, ok)
		require.Equal(t, uint64(0x0102030405060708), seq)
		require.Equal(t, c.entry, back)
		_, _, ok = SplitTail(c.ix, row[:24])
		require.False(t, ok)
		_, _, ok = SplitTail(c.ix, c.entry)
		require.False(t, ok)

		in := func(first, last uint64) bool {
			r := TailRange(7, c.ix, first, last)
			return string(row) >= string(r.Start) && (r.End == nil || string(row) < string(r.End))
		}
		require.True(t, in(0x0102030405060708, 0x0102030405060708))
		require.True(t, in(0, ^uint64(0)))
		require.False(t, in(0x0102030405060709, ^uint64(0)))
		require.False(t, in(0, 0x0102030405060707))

		part := VectorPartition(c.ix, c.entry)
		if c.part == "" {
			require.Equal(t, AppendVectorPartition(nil, 7, c.ix, nil), part)
		} else {
			require.Equal(t, c.part, hex.EncodeToString(part[16:]))
			require.Equal(t, AppendVectorPartition(nil, 7, c.ix, item.Get("h")), part)
		}
	}

	page := AppendPage(nil, 7, all, 1, 0x01020304)
	require.Equal(t, "0005"+"01"+"01020304", hex.EncodeToString(page[16:]))
	kind, number, ok := SplitPage(page)
	require.True(t, ok)
	require.Equal(t, []uint32{1, 0x01020304}, []uint32{uint32(kind), number})
	_, _, ok = SplitPage(AppendGraph(nil, 7, all))
	require.False(t, ok)
	require.Equal(t, "0100000000000007"+"00000004"+"00000000", hex.EncodeToString(AppendGraph(nil, 7, all)))
}
