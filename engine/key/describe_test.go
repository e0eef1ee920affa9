package key

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// TestDescribe: what people see of each kind of key, and of pieces of keys.
func TestDescribe(t *testing.T) {
	item := AppendRaw(AppendPartition(AppendPrefix(nil, TableSpace(7), TableSub), []attr.Value{attr.String("ab")}), attr.String("x"))
	entry := AppendRaw(AppendEscaped(AppendPartition(AppendPrefix(nil, TableSpace(7), 2),
		[]attr.Value{attr.String("ab")}), attr.String("in")), attr.String("q"))
	for want, k := range map[string][]byte{
		`key `:                            nil,
		`key 0102`:                        {1, 2},
		`table record "items"`:            AppendCatalog(nil, SubTable, "items"),
		`lease "ttl"`:                     AppendLease(nil, "ttl"),
		`job of table 9 sub 3`:            AppendJob(nil, 9, 3),
		`count of table 9 sub 0`:          AppendCount(nil, 9, 0),
		`catalog 77 "x"`:                  AppendCatalog(nil, 77, "x"),
		`token of window 5 "t"`:           AppendToken(nil, 5, "t"),
		`stream 4 slot 12345678 01`:       append(AppendHead(nil, StreamSpace(4), 0, 0x12345678), 1),
		`table 7 item "ab" · "x"`:         item,
		`table 7 item "a"…`:               item[:19],
		`table 7 sub 2 "ab" · 696e000171`: entry,
		`table 7 sub 5 expiry 2023-11-14T22:13:20Z of "ab" · "x"`: AppendExpiry(nil, 5, 1_700_000_000_000, item),
	} {
		require.Equal(t, want, Describe(k))
	}
	for i := range item {
		require.NotEmpty(t, Describe(item[:i]))
	}
}
