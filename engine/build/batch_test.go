package build_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// busy processes a part of each batch only: of the requests of each table the first share. Plan has one
// share for each call; after its end all are processed. A negative one is a throttled call.
type busy struct {
	api.Service
	plan  []int
	calls int
	sizes []int // entries of each call
	waits []time.Duration
}

func (b *busy) share(entries int) int {
	b.sizes = append(b.sizes, entries)
	if b.calls++; b.calls > len(b.plan) {
		return entries
	}
	return b.plan[b.calls-1]
}

func (b *busy) wait(ctx context.Context, d time.Duration) error {
	b.waits = append(b.waits, d)
	return ctx.Err()
}

func (b *busy) client() *build.Client { return build.NewWith(b, build.Options{Wait: b.wait}) }

func (b *busy) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	n := 0
	for _, t := range in.RequestItems {
		n += len(t.Value)
	}
	share := b.share(n)
	if share < 0 {
		return nil, api.Errorf(api.ProvisionedThroughputExceeded, "slow down")
	}
	var now, left []api.BatchWriteItemRequestMapEntry
	for _, t := range in.RequestItems {
		k := min(share, len(t.Value))
		if k > 0 {
			now = append(now, api.BatchWriteItemRequestMapEntry{Key: t.Key, Value: t.Value[:k]})
		}
		if k < len(t.Value) {
			left = append(left, api.BatchWriteItemRequestMapEntry{Key: t.Key, Value: t.Value[k:]})
		}
	}
	out := &api.BatchWriteItemOutput{UnprocessedItems: left}
	if now == nil {
		return out, nil
	}
	_, err := b.Service.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: now})
	return out, err
}

func (b *busy) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	n := 0
	for _, t := range in.RequestItems {
		n += len(t.Value.Keys)
	}
	share := b.share(n)
	if share < 0 {
		return nil, api.Errorf(api.Throttling, "slow down")
	}
	var now, left []api.BatchGetRequestMapEntry
	for _, t := range in.RequestItems {
		k := min(share, len(t.Value.Keys))
		first, second := t, t
		first.Value.Keys, second.Value.Keys = t.Value.Keys[:k], t.Value.Keys[k:]
		if k > 0 {
			now = append(now, first)
		}
		if k < len(t.Value.Keys) {
			left = append(left, second)
		}
	}
	if now == nil {
		return &api.BatchGetItemOutput{UnprocessedKeys: left}, nil
	}
	out, err := b.Service.BatchGetItem(ctx, &api.BatchGetItemInput{RequestItems: now})
	if err == nil {
		out.UnprocessedKeys = left
	}
	return out, err
}

func numbered(i int) map[string]any {
	return map[string]any{"pk": "p", "sk": fmt.Sprintf("%03d", i), "n": i}
}

func TestBatchesOfAnySize(t *testing.T) {
	for _, c := range []struct {
		name          string
		items         int
		plan          []int
		writes, reads []int // entries of each request
		waits         []time.Duration
	}{
		{"none", 0, nil, nil, nil, nil},
		{"one", 1, nil, []int{1}, []int{1}, nil},
		{"full", 25, nil, []int{25}, []int{25}, nil},
		{"many", 130, nil, []int{25, 25, 25, 25, 25, 5}, []int{100, 30}, nil},
		{"left over", 30, []int{10, 5}, []int{25, 20, 15}, []int{30, 20, 15},
			[]time.Duration{50 * time.Millisecond, 50 * time.Millisecond}},
		{"nothing done", 3, []int{0, -1, 0, 1}, []int{3, 3, 3, 3, 2}, []int{3, 3, 3, 3, 2},
			[]time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 50 * time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, ctx := orders(t), t.Context()
			writer := &busy{Service: db, plan: c.plan}
			write := writer.client().BatchWrite()
			for i := range c.items {
				write.Put("orders", numbered(i))
			}
			require.NoError(t, write.Run(ctx))
			assert.Equal(t, c.writes, writer.sizes)

			reader := &busy{Service: db, plan: c.plan}
			read := reader.client().BatchGet()
			for i := range c.items {
				read.Get("orders", "p", fmt.Sprintf("%03d", i))
			}
			all, err := read.All(ctx)
			require.NoError(t, err)
			assert.Len(t, all["orders"], c.items)
			assert.Equal(t, c.reads, reader.sizes)
			assert.Equal(t, c.waits, writer.waits)
			assert.Equal(t, c.waits, reader.waits)

			eraser := &busy{Service: db, plan: c.plan}
			erase := eraser.client().BatchWrite()
			for i := range c.items {
				erase.Delete("orders", "p", fmt.Sprintf("%03d", i))
			}
			require.NoError(t, erase.Run(ctx))
			assert.Equal(t, c.writes, eraser.sizes)
			n, err := db.Table("orders").Scan().Count(ctx)
			require.NoError(t, err)
			assert.Zero(t, n)
		})
	}
}

// TestBatchOrder: writes of one key are done in their order, however much is left unprocessed.
func TestBatchOrder(t *testing.T) {
	db, ctx := orders(t), t.Context()
	service := &busy{Service: db, plan: []int{1, 2, 0, 1}}
	batch := service.client().BatchWrite()
	for i := range 3 {
		for key := range 10 {
			batch.Put("orders", map[string]any{"pk": "p", "sk": fmt.Sprint(key), "n": i})
		}
	}
	batch.Delete("orders", "p", "9")
	require.NoError(t, batch.Run(ctx))
	for it, err := range db.Table("orders").Query().PK("p").Items(ctx) {
		require.NoError(t, err)
		assert.Equal(t, attr.Int(2), it.Get("n"))
	}
	got, err := db.Table("orders").Get("p", "9").Item(ctx)
	require.NoError(t, err)
	assert.Nil(t, got)

	read := db.Client().BatchGet()
	for range 3 {
		read.Get("orders", "p", "0").Get("orders", "p", "1")
	}
	all, err := read.All(ctx)
	require.NoError(t, err)
	assert.Len(t, all["orders"], 6)
}

func TestBatchGivesUp(t *testing.T) {
	ctx := t.Context()
	never, throttle := make([]int, 100), make([]int, 100)
	for i := range throttle {
		throttle[i] = -1
	}
	write := func(b *busy) error {
		batch := b.client().BatchWrite()
		for i := range 30 {
			batch.Put("orders", numbered(i))
		}
		return batch.Run(ctx)
	}
	read := func(b *busy) error {
		_, err := b.client().BatchGet().Get("orders", "p", "x").Get("orders", "p", "y").Project("orders", "n").All(ctx)
		return err
	}

	b := &busy{Service: orders(t), plan: never}
	left, ok := errors.AsType[*build.UnprocessedError](write(b))
	require.True(t, ok)
	assert.Len(t, left.Writes[0].Value, 30)
	assert.EqualError(t, left, "build: 30 requests of a batch are not processed after 10 tries")
	assert.Equal(t, 10, b.calls)
	total := time.Duration(0)
	for _, d := range b.waits {
		total += d
	}
	assert.Len(t, b.waits, 9)
	assert.Equal(t, 50*time.Millisecond*(1+2+4+8+16+32+64)+2*5*time.Second, total)

	b = &busy{Service: orders(t), plan: never}
	left, ok = errors.AsType[*build.UnprocessedError](read(b))
	require.True(t, ok)
	assert.Len(t, left.Keys[0].Value.Keys, 2)
	assert.Equal(t, names("#_0", "n"), left.Keys[0].Value.ExpressionAttributeNames)
	assert.EqualError(t, left, "build: 2 requests of a batch are not processed after 10 tries")

	code(t, api.ProvisionedThroughputExceeded, write(&busy{Service: orders(t), plan: throttle}))
	code(t, api.Throttling, read(&busy{Service: orders(t), plan: throttle}))

	ended, cancel := context.WithCancel(ctx)
	cancel()
	b = &busy{Service: orders(t), plan: never}
	err := b.client().BatchWrite().Put("orders", numbered(0)).Run(ended)
	assert.ErrorIs(t, err, context.Canceled)
	// The default wait ends with its context too.
	err = build.New(b).BatchWrite().Put("orders", numbered(0)).Run(ended)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestBatchesOfSeveralTables(t *testing.T) {
	db, ctx := orders(t), t.Context()
	client := db.Client()
	_, err := client.Create("customers").PK(build.StringKey("id")).Run(ctx)
	require.NoError(t, err)
	require.NoError(t, client.BatchWrite().
		Put("orders", order{Customer: "c#1", Date: "2026", Total: 5}).
		Put("customers", map[string]any{"id": "c#1", "name": "Ann", "age": 7}).
		Put("customers", map[string]any{"id": "c#2", "name": "Bob"}).Run(ctx))
	require.NoError(t, client.BatchWrite().Delete("customers", "c#2").Run(ctx))

	all, err := client.BatchGet().Get("orders", "c#1", "2026").Get("customers", "c#1").Get("customers", "c#2").
		Project("customers", "name").Project("customers", "age").Consistent().All(ctx)
	require.NoError(t, err)
	assert.Equal(t, map[string][]attr.Item{
		"orders":    {item(t, attr.NewItem().S("pk", "c#1").S("sk", "2026").Int("total", 5))},
		"customers": {item(t, attr.NewItem().S("name", "Ann").Int("age", 7))},
	}, all)

	turns := 0
	for it, err := range client.BatchGet().Get("customers", "c#1").Get("orders", "c#1", "2026").Items(ctx) {
		require.NoError(t, err)
		assert.NotEmpty(t, it.Table)
		turns++
		break
	}
	assert.Equal(t, 1, turns)
}

func TestBatchErrors(t *testing.T) {
	db, ctx := orders(t), t.Context()
	client := db.Client()
	code(t, api.Validation, client.BatchWrite().Put("orders", attr.Item(nil)).Run(ctx))
	code(t, api.Validation, client.BatchWrite().Put("orders", map[string]any{"pk": "p"}).Run(ctx))
	code(t, api.Validation, client.BatchWrite().Delete("orders", attr.Value(nil)).Run(ctx))
	code(t, api.Validation, client.BatchWrite().Delete("orders", "p").Run(ctx))
	code(t, api.Validation, client.BatchWrite().Delete("orders", "p", "s", "t").Run(ctx))
	code(t, api.ResourceNotFound, client.BatchWrite().Put("none", numbered(1)).Run(ctx))
	code(t, api.ResourceNotFound, last(client.BatchGet().Get("none", "p").All(ctx)))
	code(t, api.Validation, last(client.BatchGet().Get("orders", attr.Value(nil)).All(ctx)))
	code(t, api.Validation, last(client.BatchGet().Get("orders", "p", "s").Project("orders", "").All(ctx)))
	for _, err := range client.BatchGet().Get("orders", "p").Items(ctx) {
		code(t, api.Validation, err)
	}
}
