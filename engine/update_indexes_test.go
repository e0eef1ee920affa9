package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/index"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// creating is an UpdateTable that makes an index on x (S) and y (N).
func creating(table, name, projection string) *api.UpdateTableInput {
	element := func(name, typ string) api.KeySchemaElement {
		return api.KeySchemaElement{AttributeName: api.Some(name), KeyType: api.Some(typ)}
	}
	return &api.UpdateTableInput{
		TableName: api.Some(table),
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("x"), AttributeType: api.Some("S")},
			{AttributeName: api.Some("y"), AttributeType: api.Some("N")},
		},
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{
			Create: &api.CreateGlobalSecondaryIndexAction{
				IndexName: api.Some(name), Projection: &api.Projection{ProjectionType: api.Some(projection)},
				KeySchema: []api.KeySchemaElement{element("x", "HASH"), element("y", "RANGE")},
			},
		}},
	}
}

func deleting(table, name string) *api.UpdateTableInput {
	return &api.UpdateTableInput{
		TableName: api.Some(table),
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{
			Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: api.Some(name)},
		}},
	}
}

// indexState is the state of a table and of one of its global indexes, nil when it has none such.
func indexState(ctx context.Context, db *DB, table, name string) (string, *api.GlobalSecondaryIndexDescription, error) {
	out, err := db.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some(table)})
	if err != nil {
		return "", nil, err
	}
	for i := range out.Table.GlobalSecondaryIndexes {
		if ix := &out.Table.GlobalSecondaryIndexes[i]; ix.IndexName.Value == name {
			return out.Table.TableStatus.Value, ix, nil
		}
	}
	return out.Table.TableStatus.Value, nil, nil
}

func shownIndex(t *testing.T, db *DB, table, name string) (string, *api.GlobalSecondaryIndexDescription) {
	t.Helper()
	state, ix, err := indexState(t.Context(), db, table, name)
	require.NoError(t, err)
	return state, ix
}

// rebuilt returns what an index holds and what one that is made anew from the items would hold.
func rebuilt(ctx context.Context, db *DB, table, name string) (got, want map[string]string, err error) {
	held, err := db.served.Load().catalog.Enter(table, 0)
	if err != nil {
		return nil, nil, err
	}
	defer held.Leave(0)
	got, want = map[string]string{}, map[string]string{}
	snap, err := db.served.Load().store.Snapshot(ctx, storage.SnapshotOptions{})
	if err != nil {
		return nil, nil, err
	}
	defer snap.Close()
	read := func(sub uint32, f func(k, v []byte)) error {
		r := storage.Range(key.SpaceRange(key.TableSpace(held.Table.ID), sub))
		it, err := snap.Iter(ctx, r, storage.IterOptions{})
		if err != nil {
			return err
		}
		defer it.Close()
		for it.Next() {
			f(it.Key(), it.Value())
		}
		return it.Err()
	}
	for i := range held.Table.Indexes {
		ix := &held.Table.Indexes[i]
		if ix.Name != name {
			continue
		}
		err := read(key.TableSub, func(_, v []byte) {
			if k, entry, ok := index.Entry(&held.Table, ix, held.ProjectedNames(i), v); ok {
				want[string(k)] = string(entry)
			}
		})
		if err != nil {
			return nil, nil, err
		}
		return got, want, read(ix.Sub, func(k, v []byte) { got[string(k)] = string(v) })
	}
	return nil, nil, fmt.Errorf("no index %s", name)
}

// requireRebuilt demands that an index holds what one that is made anew would hold, and nothing else.
func requireRebuilt(t *testing.T, db *DB, table, name string) int {
	t.Helper()
	var got, want map[string]string
	settled(t, func() (err error) { got, want, err = rebuilt(t.Context(), db, table, name); return err })
	require.Len(t, got, len(want))
	require.Equal(t, want, got)
	return len(got)
}

// TestCreateIndex: wire-facts §6.2. The table is UPDATING first, then ACTIVE while the index is still
// CREATING and fills.
func TestCreateIndex(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Minute})
	d.orders()
	d.clock.add(time.Minute)
	d.put(attr.NewItem().S("pk", "a").N("sk", "1").S("x", "one").N("y", "5").S("z", "z"))
	d.put(attr.NewItem().S("pk", "a").N("sk", "2").S("x", "one"))
	d.put(attr.NewItem().S("pk", "a").N("sk", "3").N("x", "7").N("y", "5"))
	d.put(attr.NewItem().S("pk", "a").N("sk", "4").S("x", "").N("y", "5"))

	out, err := d.UpdateTable(t.Context(), creating("orders", "late", "KEYS_ONLY"))
	require.NoError(t, err)
	require.Equal(t, "UPDATING", out.TableDescription.TableStatus.Value)
	require.NoError(t, d.Work(t.Context()), "nothing is ready")
	state, ix := shownIndex(t, d.DB, "orders", "late")
	require.Equal(t, "UPDATING", state)
	require.Equal(t, "CREATING", ix.IndexStatus.Value)
	require.Equal(t, api.Some(false), ix.Backfilling)
	_, err = d.UpdateTable(t.Context(), deleting("orders", "late"))
	requireError(t, err, api.ResourceInUse, fmt.Sprintf(api.MsgTableBusy, "updated", "orders"))

	d.clock.add(time.Minute)
	state, ix = shownIndex(t, d.DB, "orders", "late")
	require.Equal(t, "ACTIVE", state)
	require.Equal(t, "CREATING", ix.IndexStatus.Value)
	require.Equal(t, api.Some(true), ix.Backfilling)
	d.put(attr.NewItem().S("pk", "b").N("sk", "1").S("x", "one").N("y", "4"))
	backfilling := func(_ any, err error) {
		t.Helper()
		requireError(t, err, api.Validation, "Cannot read from backfilling global secondary index: late")
	}
	query := &api.QueryInput{
		TableName: api.Some("orders"), IndexName: api.Some("late"), KeyConditionExpression: api.Some("x = :x"),
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":x", Value: attr.String("one")}},
	}
	backfilling(d.Query(t.Context(), query))
	backfilling(d.Scan(t.Context(), &api.ScanInput{TableName: api.Some("orders"), IndexName: api.Some("late")}))
	_, err = d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("orders")})
	requireError(t, err, api.ResourceInUse, fmt.Sprintf(api.MsgTableBusy, "updated", "orders"))
	_, err = d.UpdateTable(t.Context(), creating("orders", "more", "ALL"))
	requireError(t, err, api.LimitExceeded, api.MsgOneIndexChange)

	require.NoError(t, d.Work(t.Context()))
	_, ix = shownIndex(t, d.DB, "orders", "late")
	require.Equal(t, "ACTIVE", ix.IndexStatus.Value)
	require.False(t, ix.Backfilling.Set)
	require.Equal(t, 2, requireRebuilt(t, d.DB, "orders", "late"), "items of another type are left out")
	got, err := d.Query(t.Context(), query)
	require.NoError(t, err)
	require.Equal(t, []attr.Item{
		d.build(attr.NewItem().S("pk", "b").N("sk", "1").S("x", "one").N("y", "4")),
		d.build(attr.NewItem().S("pk", "a").N("sk", "1").S("x", "one").N("y", "5")),
	}, got.Items)
	_, err = d.PutItem(t.Context(), &api.PutItemInput{
		TableName: api.Some("orders"), Item: d.build(attr.NewItem().S("pk", "a").N("sk", "3").N("x", "7")),
	})
	require.Equal(t, api.Validation, api.CodeOf(err), "from now on the type is demanded")
	update := func(expression string) error {
		_, err := d.UpdateItem(t.Context(), &api.UpdateItemInput{
			TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", "a").N("sk", "3")),
			UpdateExpression:          api.Some(expression),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":v", Value: number(t, "9")}},
		})
		return err
	}
	require.NoError(t, update("SET z = :v"), "but not of what an update leaves alone")
	requireError(t, update("SET y = :v"), api.Validation, api.MsgUpdateIndexKeyType)
}

// TestDeleteIndex: DELETING, then gone with its entries and the definitions that only it used.
func TestDeleteIndex(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1").S("x", "one").N("y", "5"))
	_, err := d.UpdateTable(t.Context(), creating("orders", "late", "ALL"))
	require.NoError(t, err)
	require.NoError(t, d.Work(t.Context()))
	held, err := d.served.Load().catalog.Enter("orders", 0)
	require.NoError(t, err)
	sub := held.Table.Index("late").Sub
	held.Leave(0)

	_, err = d.UpdateTable(t.Context(), deleting("orders", "late"))
	require.NoError(t, err)
	_, ix := shownIndex(t, d.DB, "orders", "late")
	require.Equal(t, "DELETING", ix.IndexStatus.Value)
	_, err = d.Scan(t.Context(), &api.ScanInput{TableName: api.Some("orders"), IndexName: api.Some("late")})
	requireError(t, err, api.Validation, fmt.Sprintf(api.MsgIndexUnknown, "late"))
	_, err = d.UpdateTable(t.Context(), deleting("orders", "byG"))
	requireError(t, err, api.LimitExceeded, api.MsgOneIndexChange)
	in := &api.UpdateTableInput{
		TableName:                   api.Some("orders"),
		GlobalSecondaryIndexUpdates: indexUnitsOf("late", nil),
	}
	_, err = d.UpdateTable(t.Context(), in)
	requireError(t, err, api.ResourceInUse, fmt.Sprintf(api.MsgTableBusy, "updated", "orders"))
	d.put(attr.NewItem().S("pk", "a").N("sk", "2").S("x", "one").N("y", "5"))

	require.NoError(t, d.Work(t.Context()))
	_, ix = shownIndex(t, d.DB, "orders", "late")
	require.Nil(t, ix)
	stats, err := d.served.Load().store.Stats(t.Context(), storage.Range(key.SpaceRange(key.TableSpace(held.Table.ID), sub)))
	require.NoError(t, err)
	require.Zero(t, stats.Keys)
	out, err := d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Len(t, out.Table.AttributeDefinitions, 5)

	_, err = d.UpdateTable(t.Context(), creating("orders", "late", "ALL"))
	require.NoError(t, err, "the name is free again")
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, 2, requireRebuilt(t, d.DB, "orders", "late"))
}

// TestDeleteIndexThatFills: one that is being made may be deleted; its job ends.
func TestDeleteIndexThatFills(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1").S("x", "one").N("y", "5"))
	_, err := d.UpdateTable(t.Context(), creating("orders", "late", "ALL"))
	require.NoError(t, err)
	_, ix := shownIndex(t, d.DB, "orders", "late")
	require.Equal(t, "CREATING", ix.IndexStatus.Value)
	_, err = d.UpdateTable(t.Context(), deleting("orders", "late"))
	require.NoError(t, err)
	require.NoError(t, d.Work(t.Context()))
	_, ix = shownIndex(t, d.DB, "orders", "late")
	require.Nil(t, ix)
}

// TestIndexChangeErrors: wire-facts §6.2, the checks on the table.
func TestIndexChangeErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	update := func(in *api.UpdateTableInput) func() error {
		return func() error {
			_, err := d.UpdateTable(t.Context(), in)
			return err
		}
	}
	both := creating("orders", "late", "ALL")
	both.GlobalSecondaryIndexUpdates = append(both.GlobalSecondaryIndexUpdates,
		deleting("orders", "byG").GlobalSecondaryIndexUpdates...)
	units := creating("orders", "late", "ALL")
	units.GlobalSecondaryIndexUpdates[0].Create.ProvisionedThroughput = unitsOf(1, 1)
	undefined := creating("orders", "late", "ALL")
	undefined.AttributeDefinitions = undefined.AttributeDefinitions[:1]
	typed := creating("orders", "late", "ALL")
	typed.GlobalSecondaryIndexUpdates[0].Create.KeySchema[0].AttributeName = api.Some("g")
	typed.AttributeDefinitions[0] = api.AttributeDefinition{AttributeName: api.Some("g"), AttributeType: api.Some("B")}
	const invalid = "One or more parameter values were invalid: "
	requireRefusals(t, []refusal{
		{"two changes", update(both), api.LimitExceeded,
			"Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"},
		{"units on demand", update(units), api.Validation,
			invalid + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"},
		{"there already", update(creating("orders", "byG", "ALL")), api.Validation,
			"Attempting to create an index which already exists"},
		{"local one there", update(creating("orders", "byL", "ALL")), api.Validation,
			"Attempting to create an index which already exists"},
		{"delete none", update(deleting("orders", "none")), api.ResourceNotFound,
			"Requested resource not found: Index none for table orders"},
		{"delete a local one", update(deleting("orders", "byL")), api.Validation,
			"Cannot delete an index that is not a GlobalSecondaryIndex: byL"},
		{"undefined", update(undefined), api.Validation, invalid +
			"Some index key attributes are not defined in AttributeDefinitions. Keys: [x, y], AttributeDefinitions: [x]"},
		{"another type", update(typed), api.Validation, fmt.Sprintf(api.MsgDefinitionType,
			"Schema:[SchemaElement: key{g:S:HASH}]", "Schema:[SchemaElement: key{g:B:HASH}]")},
	})
	_, ix := shownIndex(t, d.DB, "orders", "late")
	require.Nil(t, ix)
}

// TestBackfillGoesOnWhereItStopped: closed between two steps, another process does the rest and no
// item twice, whether an index fills or times to live are looked for.
func TestBackfillGoesOnWhereItStopped(t *testing.T) {
	dir := t.TempDir()
	open := func() *DB {
		db, err := Open(dir+"/db", Options{NoBackground: true, Sync: SyncOff})
		require.NoError(t, err)
		return db
	}
	db := open()
	const items = 1500
	fillTable(t, db, items)
	resume := func() {
		last := int64(0)
		for {
			tb, err := db.served.Load().catalog.Lookup(t.Context(), "items")
			require.NoError(t, err)
			require.Len(t, tb.Jobs, 1)
			sub := tb.Jobs[0].Sub
			done, err := db.served.Load().jobStep(t.Context(), "items", tb.Table.ID, sub)
			require.NoError(t, err)
			c, err := db.served.Load().exec.LoadCursor(t.Context(), tb.Cursor(sub))
			require.NoError(t, err)
			if done {
				require.Zero(t, c.Items, "the cursor is gone")
				require.Positive(t, last, "there was more than one step")
				return
			}
			require.Greater(t, c.Items, last)
			require.LessOrEqual(t, c.Items, int64(items))
			last = c.Items
			require.NoError(t, db.Close())
			db = open()
		}
	}
	_, err := db.UpdateTable(t.Context(), creating("items", "late", "ALL"))
	require.NoError(t, err)
	resume()
	require.Equal(t, items, requireRebuilt(t, db, "items", "late"))
	require.NoError(t, setTTL(t.Context(), db, "items", "y", true))
	resume()
	require.Equal(t, items, expiryRows(t, db, "items"))
	require.NoError(t, db.Close())
}

// fillTable creates a table without indexes and puts items that the index of creating holds.
func fillTable(t *testing.T, db *DB, n int) {
	t.Helper()
	plainTable(t, db)
	for at := 0; at < n; at += 25 {
		var list []api.WriteRequest
		for i := at; i < min(n, at+25); i++ {
			it, err := attr.NewItem().S("pk", fmt.Sprint(i)).S("x", fmt.Sprint(i%7)).N("y", fmt.Sprint(i)).Build()
			require.NoError(t, err)
			list = append(list, api.WriteRequest{PutRequest: &api.PutRequest{Item: it}})
		}
		settled(t, func() error {
			_, err := db.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{
				RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "items", Value: list}},
			})
			return err
		})
	}
}

func plainTable(t *testing.T, db *DB) {
	t.Helper()
	settled(t, func() error {
		_, err := db.CreateTable(t.Context(), &api.CreateTableInput{
			TableName: api.Some("items"), BillingMode: api.Some(api.BillingModePayPerRequest),
			KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
			AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
		})
		if api.CodeOf(err) == api.ResourceInUse {
			return nil // an answer that was lost
		}
		return err
	})
}

// writeUntil writes random items until the channel is closed.
func writeUntil(ctx context.Context, db *DB, rnd *rand.Rand, keys int, stop <-chan struct{}, done *atomic.Int64) {
	for ; ; done.Add(1) {
		select {
		case <-stop:
			return
		default:
		}
		pk := fmt.Sprint(rnd.IntN(keys))
		b := attr.NewItem().S("pk", pk)
		switch rnd.IntN(4) {
		case 0:
			b = b.N("x", "1")
		case 1:
		default:
			b = b.S("x", fmt.Sprint(rnd.IntN(5))).N("y", fmt.Sprint(rnd.IntN(50))).S("w", fmt.Sprint(rnd.IntN(3)))
		}
		it, err := b.Build()
		if err != nil {
			panic(err)
		}
		k, _ := attr.NewItem().S("pk", pk).Build()
		// Errors that a cruel store makes and refusals of the type are part of the game.
		switch rnd.IntN(4) {
		case 0:
			_, _ = db.DeleteItem(ctx, &api.DeleteItemInput{TableName: api.Some("items"), Key: k})
		case 1:
			_, _ = db.UpdateItem(ctx, &api.UpdateItemInput{
				TableName: api.Some("items"), Key: k, UpdateExpression: api.Some("SET y = :y"),
				ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":y", Value: numberValue(rnd.IntN(50))}},
			})
		case 2:
			_, _ = db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
				{Put: &api.Put{TableName: api.Some("items"), Item: it}},
			}})
		default:
			_, _ = db.PutItem(ctx, &api.PutItemInput{TableName: api.Some("items"), Item: it})
		}
	}
}

func numberValue(n int) attr.Value {
	v, err := attr.Number(fmt.Sprint(n))
	if err != nil {
		panic(err)
	}
	return v
}

// indexStores are the stores under the races of index changes.
func indexStores() map[string]func(t *testing.T) storage.Store {
	memory := func(o memstore.Options) func(t *testing.T) storage.Store {
		return func(t *testing.T) storage.Store {
			s, err := memstore.Open(o)
			require.NoError(t, err)
			return s
		}
	}
	return map[string]func(t *testing.T) storage.Store{
		"hostile": memory(memstore.Hostile(3)),
		"cruel":   memory(memstore.Cruel(3)),
		"lsm": func(t *testing.T) storage.Store {
			s, err := lsm.Open("", lsm.Options{InMemory: true, MemtableBytes: 64 << 10, Sync: lsm.SyncOff})
			require.NoError(t, err)
			return s
		},
	}
}

// changeIndex changes an index and does the work of it, on a store that may lose answers.
func changeIndex(t *testing.T, db *DB, in *api.UpdateTableInput, done func(*api.GlobalSecondaryIndexDescription) bool) {
	t.Helper()
	settled(t, func() error {
		_, err := db.UpdateTable(t.Context(), in)
		switch api.CodeOf(err) {
		case api.ResourceInUse, api.ResourceNotFound, api.LimitExceeded:
			return nil // an answer that was lost
		}
		return err
	})
	settled(t, func() error {
		if err := db.Work(t.Context()); err != nil {
			return err
		}
		_, ix, err := indexState(t.Context(), db, "items", "late")
		if err == nil && !done(ix) {
			err = errors.New("not done")
		}
		return err
	})
}

// TestBackfillBesideWriters: while writers run, an index is made, removed and made again; it always
// holds what one that is made anew would hold.
func TestBackfillBesideWriters(t *testing.T) {
	for name, open := range indexStores() {
		t.Run(name, func(t *testing.T) {
			var db *DB
			store := open(t)
			settled(t, func() (err error) { db, err = OpenStore(store, Options{NoBackground: true}); return err })
			t.Cleanup(func() { _ = db.Close() })
			const items = 1200
			fillTable(t, db, items)
			var done atomic.Int64
			written := func(n int64) { // waits until writers have done so much more
				for n += done.Load(); done.Load() < n; {
					runtime.Gosched()
				}
			}
			stop := make(chan struct{})
			var writers sync.WaitGroup
			for w := range 4 {
				rnd := rand.New(rand.NewPCG(uint64(w), 5))
				writers.Go(func() { writeUntil(t.Context(), db, rnd, items, stop, &done) })
			}
			for range 4 {
				written(200)
				changeIndex(t, db, creating("items", "late", "KEYS_ONLY"), func(ix *api.GlobalSecondaryIndexDescription) bool {
					return ix != nil && ix.IndexStatus.Value == "ACTIVE"
				})
				requireRebuilt(t, db, "items", "late")
				written(200)
				requireRebuilt(t, db, "items", "late")
				changeIndex(t, db, deleting("items", "late"), func(ix *api.GlobalSecondaryIndexDescription) bool {
					return ix == nil
				})
			}
			wide := creating("items", "late", "ALL") // two attributes on either side
			create := wide.GlobalSecondaryIndexUpdates[0].Create
			create.KeySchema = []api.KeySchemaElement{
				{AttributeName: api.Some("x"), KeyType: api.Some("HASH")}, {AttributeName: api.Some("w"), KeyType: api.Some("HASH")},
				{AttributeName: api.Some("y"), KeyType: api.Some("RANGE")}, {AttributeName: api.Some("pk"), KeyType: api.Some("RANGE")},
			}
			for _, name := range []string{"w", "pk"} {
				wide.AttributeDefinitions = append(wide.AttributeDefinitions,
					api.AttributeDefinition{AttributeName: api.Some(name), AttributeType: api.Some("S")})
			}
			changeIndex(t, db, wide, func(ix *api.GlobalSecondaryIndexDescription) bool {
				return ix != nil && ix.IndexStatus.Value == "ACTIVE"
			})
			close(stop)
			writers.Wait()
			require.NotZero(t, requireRebuilt(t, db, "items", "late"))
		})
	}
}
