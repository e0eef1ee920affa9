package key

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// TestExpiryRow: the vector of the form on disk, and the way back to the item.
func TestExpiryRow(t *testing.T) {
	tb := table(true)
	k, ok := AppendItem(nil, tb, item(t, attr.NewItem().S("pk", "123456789").S("sk", "s")))
	require.True(t, ok)
	h := HashOf(k)
	row := AppendExpiry(nil, 9, 0x1_0203_0405, k)
	require.Equal(t, "0100000000000007"+"00000009"+hex.EncodeToString([]byte{byte(h>>28) << 4, 0, 0, 0})+
		"0000000102030405"+hex.EncodeToString(k[12:]), hex.EncodeToString(row))
	back, ok := ItemOfExpiry(row)
	require.True(t, ok)
	require.Equal(t, k, back)
	_, ok = ItemOfExpiry(row[:20])
	require.False(t, ok)

	bucket := int(h >> 28)
	in := func(r Range) bool {
		return bytes.Compare(row, r.Start) >= 0 && bytes.Compare(row, r.End) < 0
	}
	require.True(t, in(ExpiryRange(7, 9, bucket, 0x1_0203_0406)))
	require.False(t, in(ExpiryRange(7, 9, bucket, 0x1_0203_0405)), "not before its time")
	require.False(t, in(ExpiryRange(7, 9, (bucket+1)%ExpiryBuckets, 0x1_0203_0406)))
	require.False(t, in(ExpiryRange(7, 8, bucket, 0x1_0203_0406)))
}

// TestCollectionRow: all items of a partition key share one row, in their own stripe.
func TestCollectionRow(t *testing.T) {
	tb := table(true)
	row := func(pk, sk string) []byte {
		k, ok := AppendItem(nil, tb, item(t, attr.NewItem().S("pk", pk).S("sk", sk)))
		require.True(t, ok)
		return AppendCollection(nil, 9, k)
	}
	require.Equal(t, row("ab", "1"), row("ab", "2"))
	require.NotEqual(t, row("ab", "1"), row("a", "b1"))
	hash := AppendHead(nil, TableSpace(7), 9, Hash([]byte("ab")))
	require.Equal(t, hex.EncodeToString(hash)+"0002"+"6162", hex.EncodeToString(row("ab", "1")))
}

// TestEntriesLeaveOutWhatNoKeyCanHave: values that an item may hold and an index key may not.
func TestEntriesLeaveOutWhatNoKeyCanHave(t *testing.T) {
	tb := table(false)
	has := func(g, x string) bool {
		_, ok := AppendEntry(nil, tb, &tb.Indexes[0], item(t, attr.NewItem().S("pk", "p").S("sk", "s").S("g", g).S("x", x)))
		return ok
	}
	long := func(n int) string { return string(bytes.Repeat([]byte("x"), n)) }
	require.True(t, has("g", "x"))
	require.False(t, has("", "x"))
	require.False(t, has("g", ""))
	require.True(t, has(long(PartitionMaxBytes), long(SortMaxBytes)))
	require.False(t, has(long(PartitionMaxBytes+1), "x"))
	require.False(t, has("g", long(SortMaxBytes+1)))
}
