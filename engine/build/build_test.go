package build_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// open opens an empty database in memory, whose clock stands still.
func open(t testing.TB) *engine.DB {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	db, err := engine.OpenInMemory(engine.Options{
		Clock: func() time.Time { return now }, NoBackground: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// orders opens a database with the table orders: keys pk and sk, a global index byStatus of two and two
// attributes, a local index byTotal.
func orders(t testing.TB) *engine.DB {
	t.Helper()
	db := open(t)
	key := func(name, typ string) api.KeySchemaElement {
		return api.KeySchemaElement{AttributeName: api.Some(name), KeyType: api.Some(typ)}
	}
	all := &api.Projection{ProjectionType: api.Some(api.ProjectionTypeAll)}
	in := &api.CreateTableInput{
		TableName: api.Some("orders"), BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema: []api.KeySchemaElement{key("pk", "HASH"), key("sk", "RANGE")},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{{
			IndexName: api.Some("byStatus"), Projection: all,
			KeySchema: []api.KeySchemaElement{key("status", "HASH"), key("country", "HASH"),
				key("city", "RANGE"), key("total", "RANGE")},
		}},
		LocalSecondaryIndexes: []api.LocalSecondaryIndex{{
			IndexName: api.Some("byTotal"), Projection: all,
			KeySchema: []api.KeySchemaElement{key("pk", "HASH"), key("total", "RANGE")},
		}},
	}
	for _, a := range [][2]string{{"pk", "S"}, {"sk", "S"}, {"status", "S"}, {"country", "S"},
		{"city", "S"}, {"total", "N"}} {
		in.AttributeDefinitions = append(in.AttributeDefinitions, api.AttributeDefinition{
			AttributeName: api.Some(a[0]), AttributeType: api.Some(a[1]),
		})
	}
	_, err := db.CreateTable(t.Context(), in)
	require.NoError(t, err)
	return db
}

// recorder keeps the requests that pass.
type recorder struct {
	api.Service
	got       []any
	described int // calls of DescribeTable
}

func record[T any](r *recorder, in *T) *T {
	kept := *in
	r.got = append(r.got, &kept)
	return in
}

func (r *recorder) GetItem(ctx context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	return r.Service.GetItem(ctx, record(r, in))
}

func (r *recorder) PutItem(ctx context.Context, in *api.PutItemInput) (*api.PutItemOutput, error) {
	return r.Service.PutItem(ctx, record(r, in))
}

func (r *recorder) DeleteItem(ctx context.Context, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	return r.Service.DeleteItem(ctx, record(r, in))
}

func (r *recorder) UpdateItem(ctx context.Context, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	return r.Service.UpdateItem(ctx, record(r, in))
}

func (r *recorder) Query(ctx context.Context, in *api.QueryInput) (*api.QueryOutput, error) {
	return r.Service.Query(ctx, record(r, in))
}

func (r *recorder) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	return r.Service.Scan(ctx, record(r, in))
}

func (r *recorder) DescribeTable(ctx context.Context, in *api.DescribeTableInput) (*api.DescribeTableOutput, error) {
	r.described++
	return r.Service.DescribeTable(ctx, in)
}

func item(t testing.TB, b *attr.Builder) attr.Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

func code(t *testing.T, want api.Code, err error) *api.Error {
	t.Helper()
	e, ok := errors.AsType[*api.Error](err)
	require.True(t, ok, "not of the service: %v", err)
	assert.Equal(t, want, e.Code, e.Message)
	return e
}

func TestGetPut(t *testing.T) {
	db, ctx := orders(t), t.Context()
	rec := &recorder{Service: db}
	table := build.New(rec).Table("orders")

	want := item(t, attr.NewItem().S("pk", "c#1").S("sk", "2026-01").Int("total", 5).L("list", attr.Int(7)))
	require.NoError(t, table.Put(want).If("attribute_not_exists(pk)").Run(ctx))
	assert.Equal(t, &api.PutItemInput{
		TableName: api.Some("orders"), Item: want, ConditionExpression: api.Some("attribute_not_exists(pk)"),
	}, rec.got[0])

	got, err := table.Get("c#1", "2026-01").Consistent().Project("total", "list[0]").Item(ctx)
	require.NoError(t, err)
	assert.Equal(t, item(t, attr.NewItem().Int("total", 5).L("list", attr.Int(7))), got)
	assert.Equal(t, &api.GetItemInput{
		TableName: api.Some("orders"), Key: item(t, attr.NewItem().S("pk", "c#1").S("sk", "2026-01")),
		ConsistentRead: api.Some(true), ProjectionExpression: api.Some("#_0, #_1[0]"),
		ExpressionAttributeNames: []api.Name{{Placeholder: "#_0", Name: "total"}, {Placeholder: "#_1", Name: "list"}},
	}, rec.got[1])

	got, err = table.Get("c#2", "none").Item(ctx)
	require.NoError(t, err)
	assert.Nil(t, got)

	code(t, api.ConditionalCheckFailed, table.Put(want).If("attribute_not_exists(pk)").Run(ctx))
	failed := code(t, api.ConditionalCheckFailed,
		table.Put(want).If(build.Attr("total").Greater(5)).ItemOnFailure().Run(ctx))
	assert.Equal(t, want, failed.Item)

	old, err := table.Put(map[string]any{"pk": "c#1", "sk": "2026-01", "total": 6}).
		If("#t < :max AND #t = :t", build.Args{"max": 9, "#t": "total", ":t": 5}).Old(ctx)
	require.NoError(t, err)
	assert.Equal(t, want, old)
}

func TestQueryReadsAsTheIssueSays(t *testing.T) {
	db, ctx := orders(t), t.Context()
	for _, sk := range []string{"2025-12", "2026-01", "2026-02", "2027-01"} {
		require.NoError(t, db.Table("orders").Put(attr.NewItem().S("pk", "c#1").S("sk", sk)).Run(ctx))
	}
	rec := &recorder{Service: db}
	client := build.New(rec)
	var got []string
	for it, err := range client.Query("orders").PK("c#1").SKBeginsWith("2026-").Limit(10).Items(ctx) {
		require.NoError(t, err)
		got = append(got, it.Get("sk").Text())
	}
	assert.Equal(t, []string{"2026-01", "2026-02"}, got)
	assert.Equal(t, &api.QueryInput{
		TableName: api.Some("orders"), Limit: api.Some(int64(10)),
		KeyConditionExpression:   api.Some("#_0 = :_0 AND begins_with(#_1, :_1)"),
		ExpressionAttributeNames: []api.Name{{Placeholder: "#_0", Name: "pk"}, {Placeholder: "#_1", Name: "sk"}},
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":_0", Value: attr.String("c#1")},
			{Placeholder: ":_1", Value: attr.String("2026-")}},
	}, rec.got[0])
}
