package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// indexParts is the most attributes of one kind in the key of a global index.
const indexParts = 4

// longKeys is a table whose index has as many key attributes as there may be, and an item whose keys
// are as long as they may be, all zero bytes: escapes make the most of them.
func longKeys(t *testing.T) (*api.CreateTableInput, attr.Item) {
	t.Helper()
	in := &api.CreateTableInput{TableName: api.Some("long"), BillingMode: api.Some("PAY_PER_REQUEST")}
	it := attr.NewItem()
	add := func(list *[]api.KeySchemaElement, name, kind string, n int) {
		*list = append(*list, api.KeySchemaElement{AttributeName: api.Some(name), KeyType: api.Some(kind)})
		in.AttributeDefinitions = append(in.AttributeDefinitions, api.AttributeDefinition{
			AttributeName: api.Some(name), AttributeType: api.Some("S"),
		})
		it.S(name, strings.Repeat("\x00", n))
	}
	add(&in.KeySchema, "pk", "HASH", key.PartitionMaxBytes)
	add(&in.KeySchema, "sk", "RANGE", key.SortMaxBytes)
	ix := api.GlobalSecondaryIndex{
		IndexName: api.Some("ix4"), Projection: &api.Projection{ProjectionType: api.Some("ALL")},
	}
	for i := range indexParts {
		add(&ix.KeySchema, fmt.Sprint("g", i), "HASH", key.PartitionMaxBytes/indexParts)
	}
	for i := range indexParts {
		add(&ix.KeySchema, fmt.Sprint("x", i), "RANGE", key.SortMaxBytes/indexParts)
	}
	in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{ix}
	out, err := it.Build()
	require.NoError(t, err)
	return in, out
}

// TestLongestKeys: what the limits of the service allow, storage takes.
func TestLongestKeys(t *testing.T) {
	stores := map[string]func() (storage.Store, error){
		"map": func() (storage.Store, error) { return memstore.Open(memstore.Options{}) },
		"lsm": func() (storage.Store, error) { return lsm.Open("", lsm.Options{InMemory: true}) },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store, err := open()
			require.NoError(t, err)
			db := openModel(t, store, newModelClock())
			in, item := longKeys(t)
			_, err = db.CreateTable(t.Context(), in)
			require.NoError(t, err)
			_, err = db.PutItem(t.Context(), &api.PutItemInput{TableName: in.TableName, Item: item})
			require.NoError(t, err)
			query := &api.QueryInput{
				TableName: in.TableName, IndexName: api.Some("ix4"),
				KeyConditionExpression: api.Some("g0 = :g AND g1 = :g AND g2 = :g AND g3 = :g AND begins_with(x0, :x)"),
				ExpressionAttributeValues: []api.NamedValue{
					{Placeholder: ":g", Value: item.Get("g0")}, {Placeholder: ":x", Value: item.Get("x0")},
				},
				Limit: api.Some[int64](1),
			}
			out, err := db.Query(t.Context(), query)
			require.NoError(t, err)
			require.Len(t, out.Items, 1)
			query.ExclusiveStartKey = out.LastEvaluatedKey
			out, err = db.Query(t.Context(), query)
			require.NoError(t, err)
			require.Empty(t, out.Items, "a page begins after the longest key")
		})
	}
}
