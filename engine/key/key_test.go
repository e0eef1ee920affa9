package key

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

func TestHashVector(t *testing.T) {
	require.Equal(t, uint32(0xe3069283), crc32.Checksum([]byte("123456789"), castagnoli))
	require.Equal(t, uint32(0x83e30692), Hash([]byte("123456789")))
}

func table(local bool) *schema.Table {
	return &schema.Table{
		ID: 7, Name: "t",
		Key: schema.Key{
			Hash:  []schema.KeyAttr{{Name: "pk", Type: attr.S}},
			Range: []schema.KeyAttr{{Name: "sk", Type: attr.S}},
		},
		Indexes: []schema.Index{{
			Name: "ix", Sub: 2, Local: local,
			Key: schema.Key{
				Hash:  []schema.KeyAttr{{Name: map[bool]string{true: "pk", false: "g"}[local], Type: attr.S}},
				Range: []schema.KeyAttr{{Name: "x", Type: attr.S}},
			},
		}},
	}
}

func item(t *testing.T, b *attr.Builder) attr.Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

// The vector of the package doc.
func TestLocalEntryVector(t *testing.T) {
	tb := table(true)
	k, ok := AppendEntry(nil, tb, &tb.Indexes[0],
		item(t, attr.NewItem().S("pk", "ab").S("x", "x\x00y").S("sk", "q")))
	require.True(t, ok)
	hash := binary.BigEndian.AppendUint32(nil, Hash([]byte("ab")))
	require.Equal(t, "0100000000000007"+"00000002"+hex.EncodeToString(hash)+"0002"+"6162"+
		"7800ff790001"+"71", hex.EncodeToString(k))
}

func TestGlobalEntryEndsWithTheTableKey(t *testing.T) {
	tb := table(false)
	k, ok := AppendEntry(nil, tb, &tb.Indexes[0],
		item(t, attr.NewItem().S("pk", "ab").S("x", "v").S("sk", "q").S("g", "G")))
	require.True(t, ok)
	require.Equal(t, "000147"+"760001"+"00026162"+"71", hex.EncodeToString(k[16:]))
}

func TestEntryNeedsAllKeyAttributes(t *testing.T) {
	tb := table(false)
	for name, b := range map[string]*attr.Builder{
		"no partition": attr.NewItem().S("pk", "a").S("sk", "b").S("x", "c"),
		"no sort":      attr.NewItem().S("pk", "a").S("sk", "b").S("g", "c"),
		"other type":   attr.NewItem().S("pk", "a").S("sk", "b").S("g", "c").N("x", "1"),
	} {
		_, ok := AppendEntry(nil, tb, &tb.Indexes[0], item(t, b))
		require.False(t, ok, name)
	}
}

// Several partition values are told apart by their lengths: no order among them is needed.
func TestPartitionOfSeveralValues(t *testing.T) {
	values := func(list ...string) (out []attr.Value) {
		for _, s := range list {
			out = append(out, attr.String(s))
		}
		return out
	}
	encoded := func(list ...string) string {
		return hex.EncodeToString(AppendPartition(nil, values(list...))[4:])
	}
	require.Equal(t, "0002"+"6162", encoded("ab"))
	require.Equal(t, "0009"+"000161"+"00026200"+"6300", encoded("a", "b\x00", "c\x00"))
	require.NotEqual(t, encoded("a", "bc"), encoded("ab", "c"))
	require.NotEqual(t, encoded("a\x00", "b"), encoded("a", "\x00b"))
}

// TestLongestKey: the longest key that the service's limits allow is within those of storage. Escapes
// double zero bytes, but of sort keys only.
func TestLongestKey(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	tb := table(false)
	ix := &tb.Indexes[0]
	it := attr.NewItem().S("pk", zeros(PartitionMaxBytes)).S("sk", zeros(SortMaxBytes))
	ix.Key = schema.Key{}
	for i := range partsMax {
		g, x := fmt.Sprint("g", i), fmt.Sprint("x", i)
		ix.Key.Hash = append(ix.Key.Hash, schema.KeyAttr{Name: g, Type: attr.S})
		ix.Key.Range = append(ix.Key.Range, schema.KeyAttr{Name: x, Type: attr.S})
		it.S(g, zeros(PartitionMaxBytes/partsMax)).S(x, zeros(SortMaxBytes/partsMax))
	}
	k, ok := AppendEntry(nil, tb, ix, item(t, it))
	require.True(t, ok)
	const longest = storage.HeadBytes + // space, sub, hash
		lengthBytes + (partsMax-1)*lengthBytes + PartitionMaxBytes + // index partition
		2*SortMaxBytes + partsMax*2 + // index sort, escaped
		lengthBytes + PartitionMaxBytes + SortMaxBytes // table key
	require.Len(t, k, longest)
	require.LessOrEqual(t, len(k), storage.KeyMaxBytes)
}

// A filter that storage keeps for a partition must fit what this package writes.
func TestFilterPrefixIsHeadAndPartition(t *testing.T) {
	tb := table(true)
	a, ok := AppendItem(nil, tb, item(t, attr.NewItem().S("pk", "ab").S("sk", "1")))
	require.True(t, ok)
	b, ok := AppendItem(nil, tb, item(t, attr.NewItem().S("pk", "ab").S("sk", "2")))
	require.True(t, ok)
	require.Equal(t, storage.FilterPrefix(a), storage.FilterPrefix(b))
	require.Len(t, storage.FilterPrefix(a), storage.HeadBytes+4)
	require.Equal(t, storage.PrefixBytes, prefixBytes)
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"61", "62"}, {"61ff", "62"}, {"00ffff", "01"}, {"ff", ""}, {"", ""},
	} {
		in, err := hex.DecodeString(c.in)
		require.NoError(t, err)
		require.Equal(t, c.want, hex.EncodeToString(PrefixEnd(in)), c.in)
		require.Equal(t, c.in, hex.EncodeToString(in), "the argument is not changed")
	}
}

func TestSegmentsCoverAllHashesOnce(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 7, 1000, SegmentsMax} {
		var before uint64
		for i := range n {
			from, to := SegmentBounds(i, n)
			if from != before || to < from { // there are a million
				require.FailNow(t, "a gap or a lap", "segment %d of %d: %d to %d behind %d", i, n, from, to, before)
			}
			before = to
		}
		require.Equal(t, uint64(1)<<32, before)
	}
	last := SegmentRange(TableSpace(7), 3, 1, 2)
	require.Equal(t, AppendPrefix(nil, TableSpace(7), 4), last.End)
}

// Byte order of escaped values is the order of the values, whatever follows them.
func FuzzEscapedOrder(f *testing.F) {
	f.Add([]byte("a"), []byte("a\x00"), []byte{0xFF}, []byte{})
	f.Add([]byte{}, []byte{0}, []byte{0}, []byte{0xFF})
	f.Add([]byte{0, 0xFF}, []byte{0}, []byte{1}, []byte{2})
	f.Fuzz(func(t *testing.T, a, b, tailA, tailB []byte) {
		ka := append(AppendEscaped(nil, attr.Binary(a)), tailA...)
		kb := append(AppendEscaped(nil, attr.Binary(b)), tailB...)
		if want := bytes.Compare(a, b); want != 0 {
			require.Equal(t, want, bytes.Compare(ka, kb))
		}
		if bytes.HasPrefix(b, a) {
			require.True(t, bytes.HasPrefix(kb, AppendEscapedPrefix(nil, attr.Binary(a))))
		}
	})
}

// TestTokenKey: the hash of a token's key is that of the token, whatever stands before the key.
func TestTokenKey(t *testing.T) {
	k := AppendToken([]byte("before"), 7, "token")
	require.Equal(t, "before", string(k[:6]))
	require.Equal(t, append(AppendHead(nil, TokenSpace(7), 0, Hash([]byte("token"))), "\x00\x05token"...), k[6:])
}

// TestCountKey: a count's key says what it is about, and is no job's.
func TestCountKey(t *testing.T) {
	table, sub, ok := SplitCount(AppendCount(nil, 1<<40, 3))
	require.True(t, ok)
	require.Equal(t, uint64(1<<40), table)
	require.Equal(t, uint32(3), sub)
	for _, k := range [][]byte{nil, AppendJob(nil, 7, 3), AppendCount(nil, 7, 3)[:20], append(AppendCount(nil, 7, 3), 0)} {
		_, _, ok := SplitCount(k)
		require.False(t, ok)
	}
}
