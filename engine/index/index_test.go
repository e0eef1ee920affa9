package index

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
)

// projected is one list for the one index.
type projected []string

func (p projected) ProjectedNames(int) []string { return p }

func song(t *testing.T, artist, genre, year string) attr.Item {
	t.Helper()
	b := attr.NewItem().S("artist", artist).N("year", year)
	if genre != "" {
		b = b.S("genre", genre)
	}
	item, err := b.Build()
	require.NoError(t, err)
	return item
}

func songs() *schema.Table {
	return &schema.Table{
		ID: 7, Key: schema.Key{Hash: []schema.KeyAttr{{Name: "artist", Type: attr.S}}},
		Indexes: []schema.Index{{
			Name: "genres", Sub: 2, Key: schema.Key{Hash: []schema.KeyAttr{{Name: "genre", Type: attr.S}}},
		}},
	}
}

func TestAppendChanges(t *testing.T) {
	var none attr.Item
	soul, jazz, bare := song(t, "a", "soul", "1965"), song(t, "a", "jazz", "1965"), song(t, "a", "", "1965")
	older := song(t, "a", "soul", "1964")
	keys := projected{"artist", "genre"}
	for name, c := range map[string]struct {
		old, new    attr.Item
		projection  projected
		first       bool // of a new index
		delete, put bool
	}{
		"the item is new":                       {none, soul, nil, false, false, true},
		"the item goes":                         {soul, none, nil, false, true, false},
		"the key changes":                       {soul, jazz, nil, false, true, true},
		"a projected attribute changes":         {older, soul, nil, false, false, true},
		"an attribute outside changes":          {older, soul, keys, false, false, false},
		"nothing changes":                       {soul, soul, nil, false, false, false},
		"the key comes":                         {bare, soul, nil, false, false, true},
		"the key goes":                          {soul, bare, nil, false, true, false},
		"never in the index":                    {bare, none, nil, false, false, false},
		"in its first step an index gets none":  {none, soul, nil, true, false, false},
		"in its first step it loses the old":    {soul, jazz, nil, true, true, false},
		"in its first step it loses the rest":   {soul, none, nil, true, true, false},
		"in its first step it loses equal ones": {soul, soul, nil, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			table := songs()
			table.Indexes[0].DeleteOnly = c.first
			changes := AppendChanges(nil, table, c.projection, c.old, c.new)
			if !c.delete && !c.put {
				require.Empty(t, changes)
				return
			}
			require.Len(t, changes, 1)
			require.Equal(t, c.delete, changes[0].Delete != nil)
			require.Equal(t, c.put, changes[0].Put != nil)
			require.Equal(t, c.delete && c.put, changes[0].Moved())
			if c.put {
				_, entry, ok := Entry(table, &table.Indexes[changes[0].Index], c.projection.ProjectedNames(changes[0].Index), c.new)
				require.True(t, ok)
				require.Equal(t, entry, changes[0].Value)
				require.Equal(t, changes[0].Value.Size(), changes[0].NewSize)
			}
		})
	}
}
