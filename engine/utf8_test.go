package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
)

// TestNotUTF8: other bytes, which no door brings but a Go program may, are in no item: not every door
// could tell of them.
func TestNotUTF8(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	table := d.Table("orders")
	for what, err := range map[string]error{
		"statement": d.Client().Statement("INSERT INTO orders VALUE {'pk':'\xff','sk':1}").Exec(t.Context()),
		"name":      table.Update("a", 1).Set("\xff", 1).Run(t.Context()),
		"text":      table.Update("a", 1).Expr("SET #a = :v", build.Args{"#a": "\xff", ":v": 1}).Run(t.Context()),
		"key":       table.Put(map[string]any{"pk": "\xff", "sk": 1}).Run(t.Context()),
		"set":       table.Update("a", 1).Add("set", build.StringSet("\xff")).Run(t.Context()),
	} {
		require.ErrorContains(t, err, "not UTF-8", what)
		if what == "name" || what == "statement" {
			assert.Equal(t, api.Validation, api.CodeOf(err), what)
		}
	}
	items, err := table.Scan().All(t.Context())
	require.NoError(t, err)
	assert.Empty(t, items)
}
