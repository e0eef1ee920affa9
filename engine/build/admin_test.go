package build_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// creations keeps the requests that make and change tables.
type creations struct {
	api.Service
	made    []*api.CreateTableInput
	changed []*api.UpdateTableInput
}

func (c *creations) CreateTable(ctx context.Context, in *api.CreateTableInput) (*api.CreateTableOutput, error) {
	c.made = append(c.made, in)
	return c.Service.CreateTable(ctx, in)
}

func (c *creations) UpdateTable(ctx context.Context, in *api.UpdateTableInput) (*api.UpdateTableOutput, error) {
	c.changed = append(c.changed, in)
	return c.Service.UpdateTable(ctx, in)
}

func keySchema(pairs ...string) (list []api.KeySchemaElement) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, api.KeySchemaElement{AttributeName: api.Some(pairs[i]), KeyType: api.Some(pairs[i+1])})
	}
	return list
}

func definitions(pairs ...string) (list []api.AttributeDefinition) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, api.AttributeDefinition{AttributeName: api.Some(pairs[i]), AttributeType: api.Some(pairs[i+1])})
	}
	return list
}

func TestCreate(t *testing.T) {
	db, ctx := open(t), t.Context()
	service := &creations{Service: db}
	client := build.New(service)
	d, err := client.Create("rich").PK(build.StringKey("pk")).SK(build.NumberKey("sk")).Index(
		build.GSI("global").PK(build.StringKey("a"), build.BinaryKey("b")).SK(build.NumberKey("sk")).KeysOnly(),
		build.LSI("local").SK(build.StringKey("a")).Include("x", "y"),
	).Stream(api.StreamViewTypeNewImage).Run(ctx)
	require.NoError(t, err)
	assert.Equal(t, "rich", d.TableName.Value)
	assert.Equal(t, &api.CreateTableInput{
		TableName: api.Some("rich"), BillingMode: api.Some("PAY_PER_REQUEST"),
		KeySchema:            keySchema("pk", "HASH", "sk", "RANGE"),
		AttributeDefinitions: definitions("pk", "S", "sk", "N", "a", "S", "b", "B"),
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{{
			IndexName: api.Some("global"), KeySchema: keySchema("a", "HASH", "b", "HASH", "sk", "RANGE"),
			Projection: &api.Projection{ProjectionType: api.Some("KEYS_ONLY")},
		}},
		LocalSecondaryIndexes: []api.LocalSecondaryIndex{{
			IndexName: api.Some("local"), KeySchema: keySchema("pk", "HASH", "a", "RANGE"),
			Projection: &api.Projection{ProjectionType: api.Some("INCLUDE"), NonKeyAttributes: []string{"x", "y"}},
		}},
		StreamSpecification: &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: api.Some("NEW_IMAGE")},
	}, service.made[0])

	_, err = client.Create("paid").PK(build.StringKey("pk")).Index(
		build.GSI("same").PK(build.StringKey("a")), build.GSI("other").PK(build.StringKey("a")).Provisioned(7, 8),
	).Provisioned(3, 4).Run(ctx)
	require.NoError(t, err)
	made := service.made[1]
	assert.Equal(t, "PROVISIONED", made.BillingMode.Value)
	units := func(read, write int64) *api.ProvisionedThroughput {
		return &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(read), WriteCapacityUnits: api.Some(write)}
	}
	assert.Equal(t, units(3, 4), made.ProvisionedThroughput)
	assert.Equal(t, units(3, 4), made.GlobalSecondaryIndexes[0].ProvisionedThroughput)
	assert.Equal(t, units(7, 8), made.GlobalSecondaryIndexes[1].ProvisionedThroughput)

	_, err = client.Create("rich").PK(build.StringKey("pk")).Run(ctx)
	code(t, api.ResourceInUse, err)
	_, err = client.Create("keyless").Run(ctx)
	code(t, api.Validation, err)
}

func TestTables(t *testing.T) {
	db, ctx := open(t), t.Context()
	client := db.Client()
	var want []string
	for i := range 120 { // more than a page
		want = append(want, fmt.Sprintf("table-%03d", i))
		_, err := client.Create(want[i]).PK(build.StringKey("pk")).Run(ctx)
		require.NoError(t, err)
	}
	var got []string
	for name, err := range client.Tables(ctx) {
		require.NoError(t, err)
		got = append(got, name)
	}
	assert.Equal(t, want, got)
	for range client.Tables(ctx) {
		break
	}

	table := client.Table("table-000")
	assert.Equal(t, "table-000", table.Name())
	d, err := table.Describe(ctx)
	require.NoError(t, err)
	assert.Equal(t, api.TableStatusActive, d.TableStatus.Value)
	require.NoError(t, table.Drop(ctx))
	_, err = table.Describe(ctx)
	code(t, api.ResourceNotFound, err)
	code(t, api.ResourceNotFound, table.Drop(ctx))
	code(t, api.ResourceNotFound, table.Wait(ctx))

	for _, err := range build.New(failing{}).Tables(ctx) {
		code(t, api.UnknownOperation, err)
	}
}

// failing has no operation.
type failing struct{ api.Base }

func TestIndexesStreamsTTL(t *testing.T) {
	db, ctx := open(t), t.Context()
	service := &creations{Service: db}
	table := build.New(service).Table("things")
	_, err := build.New(service).Create("things").PK(build.StringKey("pk")).Run(ctx)
	require.NoError(t, err)

	require.NoError(t, table.CreateIndex(ctx, build.GSI("byA").PK(build.StringKey("a")).SK(build.StringKey("pk"))))
	assert.Equal(t, &api.UpdateTableInput{
		TableName: api.Some("things"), AttributeDefinitions: definitions("a", "S", "pk", "S"),
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Create: &api.CreateGlobalSecondaryIndexAction{
			IndexName: api.Some("byA"), KeySchema: keySchema("a", "HASH", "pk", "RANGE"),
			Projection: &api.Projection{ProjectionType: api.Some("ALL")},
		}}},
	}, service.changed[0])
	require.NoError(t, db.Work(ctx))
	require.NoError(t, table.Wait(ctx))
	require.NoError(t, table.Put(map[string]any{"pk": "p", "a": "x"}).Run(ctx))
	n, err := table.Query().Index("byA").PK("x").Count(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(1), n)
	require.NoError(t, table.DropIndex(ctx, "byA"))
	require.NoError(t, db.Work(ctx))
	_, err = table.Query().Index("byA").PK("x").Count(ctx)
	code(t, api.Validation, err)
	code(t, api.ResourceNotFound, table.DropIndex(ctx, "byA"))

	require.NoError(t, table.EnableStream(ctx, api.StreamViewTypeKeysOnly))
	d, err := table.Describe(ctx)
	require.NoError(t, err)
	assert.Equal(t, api.StreamViewTypeKeysOnly, d.StreamSpecification.StreamViewType.Value)
	require.NoError(t, table.DisableStream(ctx))
	code(t, api.Validation, table.DisableStream(ctx))

	attribute, err := table.TTL(ctx)
	require.NoError(t, err)
	assert.Empty(t, attribute)
	require.NoError(t, table.EnableTTL(ctx, "expires"))
	attribute, err = table.TTL(ctx)
	require.NoError(t, err)
	assert.Equal(t, "expires", attribute)
	require.NoError(t, table.DisableTTL(ctx, "expires"))
	attribute, err = table.TTL(ctx)
	require.NoError(t, err)
	assert.Empty(t, attribute)
	_, err = db.Table("none").TTL(ctx)
	code(t, api.ResourceNotFound, err)
}

// TestWait asks at growing intervals until the table is there.
func TestWait(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	db, err := engine.OpenInMemory(engine.Options{
		Clock: func() time.Time { return now }, NoBackground: true, TableDelay: 20 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	var waits []time.Duration
	client := build.NewWith(db, build.Options{Wait: func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		now = now.Add(d)
		return ctx.Err()
	}})
	_, err = client.Create("slow").PK(build.StringKey("pk")).Run(ctx)
	require.NoError(t, err)
	code(t, api.ResourceNotFound, client.Table("slow").Put(attr.NewItem().S("pk", "p")).Run(ctx))
	require.NoError(t, client.Table("slow").Wait(ctx))
	require.NoError(t, client.Table("slow").Put(attr.NewItem().S("pk", "p")).Run(ctx))
	assert.Len(t, waits, 9)
	assert.Equal(t, 100*time.Millisecond, waits[0])
	assert.Equal(t, 5*time.Second, waits[8])

	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.NoError(t, client.Table("slow").EnableStream(ctx, api.StreamViewTypeKeysOnly))
	require.ErrorIs(t, client.Table("slow").Wait(ended), context.Canceled)
}
