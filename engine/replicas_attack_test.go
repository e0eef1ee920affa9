package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// TestItemsThatAnIndexElsewhereDoesNotTake: an index made in one region while another one writes what it would refuse.
func TestItemsThatAnIndexElsewhereDoesNotTake(t *testing.T) {
	g := newGroup(t, 2, engine.Options{})
	g.table("tab")
	_, err := g.dbs[0].UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName:            api.Some("tab"),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("v"), AttributeType: api.Some("N")}},
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Create: &api.CreateGlobalSecondaryIndexAction{
			IndexName: api.Some("byV"), Projection: &api.Projection{ProjectionType: api.Some("ALL")},
			KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("v"), KeyType: api.Some("HASH")}},
		}}},
	})
	require.NoError(t, err)
	for i, set := range []func(*attr.Builder) *attr.Builder{
		func(b *attr.Builder) *attr.Builder { return b.S("v", "text") },
		func(b *attr.Builder) *attr.Builder { return b.S("v", "") },
		func(b *attr.Builder) *attr.Builder { return b.N("v", "7") },
	} {
		item, err := set(attr.NewItem().S("id", fmt.Sprint(i))).Build()
		require.NoError(t, err)
		_, err = g.dbs[1].PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("tab"), Item: item})
		require.NoError(t, err)
	}
	g.put(1, "tab", "fine", 1)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(0, "tab"), 4)
	require.Len(t, g.index(0, "tab"), 2)
	require.Equal(t, g.index(0, "tab"), g.index(1, "tab"))
	g.put(0, "tab", "0", 5)
	g.settle()
	g.equal("tab")
	require.Len(t, g.index(1, "tab"), 3)
}
