package key

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
)

// TestHistoryOrder: rows stand in the order of their items and, for one item, of the updates, whatever
// bytes a sort key has.
func TestHistoryOrder(t *testing.T) {
	table := &schema.Table{ID: 7}
	var items [][]byte
	for _, sort := range []string{"", "\x00", "\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00\x05", "\x00\x01", "\x00\xff", "a", "a\x00", "a\x00\x00\x00\x00\x00\x00\x00\x01", "b", "\xff"} {
		items = append(items, AppendValues(nil, table, attr.String("ab"), attr.Binary([]byte(sort))))
	}
	items = append(items, AppendValues(nil, table, attr.String("ab"), attr.String("x\x00y")), AppendValues(nil, table, attr.String("other"), attr.String("")))
	slices.SortFunc(items, bytes.Compare)
	var last []byte
	for _, item := range items {
		for _, seq := range []uint64{1, 2, 256, 1 << 40} {
			row := AppendHistory(nil, 3, item, seq)
			require.Negative(t, bytes.Compare(last, row))
			require.True(t, bytes.HasPrefix(row, AppendHistoryPrefix(nil, 3, item)))
			got, s, ok := SplitHistory(nil, row)
			require.True(t, ok)
			require.Equal(t, seq, s)
			require.Equal(t, item, got)
			for cut := range row {
				if back, s, ok := SplitHistory(nil, row[:cut]); ok {
					require.Equal(t, row[:cut], AppendHistory(nil, 3, back, s), "what is accepted is a row")
				}
			}
			last = row
		}
	}
}

func TestHistoryBytes(t *testing.T) {
	item := AppendValues(nil, &schema.Table{ID: 7}, attr.String("ab"), attr.String("x\x00y"))
	require.Equal(t, "010000000000000700000003"+hex.EncodeToString(item[12:16])+"0002616278"+"00ff79"+"0001"+"0000000000000102",
		hex.EncodeToString(AppendHistory(nil, 3, item, 0x102)))
	mark := AppendMark(nil, 7, 4, 0x0304, 0x05)
	require.Equal(t, "010000000000000700000004000000000000000000000304"+"0000000000000005", hex.EncodeToString(mark))
	ms, seq, ok := SplitMark(mark)
	require.True(t, ok)
	require.EqualValues(t, 0x304, ms)
	require.EqualValues(t, 5, seq)
	_, _, ok = SplitMark(mark[1:])
	require.False(t, ok)
}
