package engine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

func setTTL(ctx context.Context, db *DB, table, attribute string, on bool) error {
	_, err := db.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName: api.Some(table), TimeToLiveSpecification: &api.TimeToLiveSpecification{
			AttributeName: api.Some(attribute), Enabled: api.Some(on),
		},
	})
	return err
}

// expiryRows counts the expiry rows of a table, those of disabled settings too.
func expiryRows(t *testing.T, db *DB, table string) int {
	t.Helper()
	held, err := db.served.Load().catalog.Enter(table, 0)
	require.NoError(t, err)
	defer held.Leave(0)
	n := 0
	for sub := uint32(1); sub < held.NextSub; sub++ {
		if !held.Table.HasSub(sub) && sub != held.Table.CollectionSub {
			n += len(subRows(t, db, held.Table.ID, sub))
		}
	}
	return n
}

// subRows are the keys of a table under a sub.
func subRows(t *testing.T, db *DB, table uint64, sub uint32) (keys []string) {
	t.Helper()
	settled(t, func() error {
		keys = nil
		snap, err := db.served.Load().store.Snapshot(t.Context(), storage.SnapshotOptions{})
		if err != nil {
			return err
		}
		defer snap.Close()
		it, err := snap.Iter(t.Context(), storage.Range(key.SpaceRange(key.TableSpace(table), sub)), storage.IterOptions{})
		if err != nil {
			return err
		}
		defer it.Close()
		for it.Next() {
			keys = append(keys, string(it.Key()))
		}
		return it.Err()
	})
	return keys
}

// scanned is how many items a Scan of the table orders reads and how many it shows.
func (d *testDB) scanned(index string) [2]int64 {
	d.t.Helper()
	in := &api.ScanInput{TableName: api.Some("orders")}
	if index != "" {
		in.IndexName = api.Some(index)
	}
	out, err := d.Scan(d.t.Context(), in)
	require.NoError(d.t, err)
	return [2]int64{out.ScannedCount.Value, out.Count.Value}
}

// mortal is an item of the table orders that ends in so many seconds.
func (d *testDB) mortal(pk string, seconds int64) *attr.Builder {
	return attr.NewItem().S("pk", pk).N("sk", "1").S("g", "g").N("h", "1").S("l", "x").
		N("ttl", fmt.Sprint(d.clock.Now().Unix()+seconds))
}

// TestSweep: items that are past their time count as read until they are swept; then they are gone
// with their index entries, and what is not to be swept stays.
func TestSweep(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	for i := range 100 {
		d.put(d.mortal(fmt.Sprint("short", i), 10))
	}
	d.put(d.mortal("long", 100))
	d.put(d.mortal("ancient", -6*365*24*3600))
	d.put(attr.NewItem().S("pk", "text").N("sk", "1").S("ttl", "1"))
	d.put(attr.NewItem().S("pk", "moment").N("sk", "1").Ts("ttl", d.clock.Now().UnixMilli()+10_000))
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, [2]int64{104, 104}, d.scanned(""))
	d.clock.add(10 * time.Second)
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, [2]int64{104, 104}, d.scanned(""), "not before its time")
	d.clock.add(time.Millisecond)
	require.Equal(t, [2]int64{104, 3}, d.scanned(""), "absent at once")
	require.Equal(t, [2]int64{102, 2}, d.scanned("byG"))
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, [2]int64{3, 3}, d.scanned(""))
	require.Equal(t, [2]int64{2, 2}, d.scanned("byG"))
	require.Equal(t, 1, expiryRows(t, d.DB, "orders"), "the row of the item that still lives")
}

// TestSweepLooksAgain: an item that is written between the search for what is due and the update that
// would remove it is judged by what it is then.
func TestSweepLooksAgain(t *testing.T) {
	d := openTest(t, Options{TTLLag: true})
	d.orders()
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	require.NoError(t, d.Work(t.Context()))
	for _, pk := range []string{"ends", "longer", "forever", "deleted", "ended before"} {
		d.put(d.mortal(pk, 5))
	}
	d.clock.add(10 * time.Second)
	held, err := d.served.Load().catalog.Enter("orders", 0)
	require.NoError(t, err)
	var rows [][]byte
	for bucket := range key.ExpiryBuckets {
		due, err := d.served.Load().exec.Due(t.Context(), held, bucket, 10, nil, d.clock.Now())
		require.NoError(t, err)
		rows = append(rows, due...)
	}
	require.Len(t, rows, 5)

	d.put(d.mortal("longer", 1))
	d.put(attr.NewItem().S("pk", "forever").N("sk", "1"))
	_, err = d.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", "deleted").N("sk", "1")),
	})
	require.NoError(t, err)
	d.put(d.mortal("ended before", -7))
	sweeper := &d.served.Load().background.sweeper
	require.NoError(t, d.served.Load().hold(t.Context(), sweeper))
	_, err = d.served.Load().exec.Sweep(t.Context(), held, rows, d.clock.Now(), sweeper.lease)
	held.Leave(0)
	require.NoError(t, err)
	require.Nil(t, d.get("ends", "1"))
	require.NotNil(t, d.get("longer", "1"))
	require.NotNil(t, d.get("forever", "1"))
	require.NotNil(t, d.get("ended before", "1"), "it has a row of its own, which comes later")
	require.Equal(t, 2, expiryRows(t, d.DB, "orders"))
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, [2]int64{2, 2}, d.scanned(""), "the two that have a later time or none")
}

// TestSweepRate: one pass removes no more than the rate allows, the next one goes on.
func TestSweepRate(t *testing.T) {
	d := openTest(t, Options{TTLRate: 100, TTLInterval: time.Second})
	d.orders()
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	for i := range 250 {
		d.put(d.mortal(fmt.Sprint(i), -1))
	}
	for _, left := range []int64{150, 50, 0, 0} {
		waiting, err := d.served.Load().sweepOnce(t.Context())
		require.NoError(t, err)
		require.True(t, waiting)
		require.Equal(t, [2]int64{left, 0}, d.scanned(""))
	}
}

// TestTTLLag: with it items are there until they are swept.
func TestTTLLag(t *testing.T) {
	d := openTest(t, Options{TTLLag: true})
	d.orders()
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	d.put(d.mortal("a", -1))
	d.put(d.mortal("b", -1))
	require.NotNil(t, d.get("a", "1"))
	require.Equal(t, [2]int64{2, 2}, d.scanned("byG"))
	_, err := d.UpdateItem(t.Context(), &api.UpdateItemInput{
		TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", "b").N("sk", "1")),
		UpdateExpression: api.Some("REMOVE #t"), ConditionExpression: api.Some("attribute_exists(pk)"),
		ExpressionAttributeNames: []api.Name{{Placeholder: "#t", Name: "ttl"}},
	})
	require.NoError(t, err, "a write may save an item that is not swept yet")
	require.NoError(t, d.Work(t.Context()))
	require.Nil(t, d.get("a", "1"))
	require.NotNil(t, d.get("b", "1"))
	require.Equal(t, [2]int64{1, 1}, d.scanned("byG"))
	require.Zero(t, expiryRows(t, d.DB, "orders"))
}

// TestSweepWritesStreamRecords: a removal by time names the service, whether a sweep did it or a write
// that met the item; with the lag, a user's deletion of an item past its time is the user's.
func TestSweepWritesStreamRecords(t *testing.T) {
	const service = " by dynamodb.amazonaws.com Service"
	for lag, want := range map[bool]string{
		false: "INSERT a - 1\nINSERT b - 1\nREMOVE b 1 -" + service + "\nINSERT b - 2\nREMOVE a 1 -" + service,
		true:  "INSERT a - 1\nINSERT b - 1\nMODIFY b 1 2\nREMOVE a 1 -" + service,
	} {
		d := openTest(t, Options{TTLLag: lag})
		arn := d.events("NEW_AND_OLD_IMAGES")
		require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
		d.put(d.mortal("a", 1).S("v", "1"))
		d.put(d.mortal("b", 1).S("v", "1"))
		d.clock.add(2 * time.Second)
		d.put(item1("b", "2"))
		require.NoError(t, d.Work(t.Context()))
		require.Equal(t, want, tell(d.all(arn)))
	}
}

// TestSweeperRunsByItself: at every tick of the injected timer while a table has time to live.
func TestSweeperRunsByItself(t *testing.T) {
	ticks := make(chan time.Time)
	asked := make(chan time.Duration, 1)
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	c := newClock(time.Unix(1_800_000_000, 0))
	db, err := OpenStore(store, Options{Clock: c.Now, TTLInterval: 3 * time.Second, After: func(wait time.Duration) <-chan time.Time {
		if wait == 3*time.Second { // not another worker
			select {
			case asked <- wait:
			default: // asked before, and not heard yet
			}
			return ticks
		}
		return nil
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	d := &testDB{DB: db, t: t, clock: c}
	d.orders()
	d.put(d.mortal("a", -1))
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	for d.scanned("")[0] == 1 {
		select {
		case <-asked:
			ticks <- time.Time{}
		case <-t.Context().Done():
			t.Fatal("never swept")
		}
	}
}

// TestTTLOfAFullTable: enabling it reaches the items that are there; disabling it leaves no rows.
func TestTTLOfAFullTable(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Minute})
	d.orders()
	d.clock.add(time.Minute)
	for i := range 600 {
		d.put(d.mortal(fmt.Sprint(i), 300))
	}
	d.put(attr.NewItem().S("pk", "forever").N("sk", "1"))
	state := func() api.TimeToLiveDescription {
		out, err := d.DescribeTimeToLive(t.Context(), &api.DescribeTimeToLiveInput{TableName: api.Some("orders")})
		require.NoError(t, err)
		return *out.TimeToLiveDescription
	}
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	require.Equal(t, api.TimeToLiveDescription{TimeToLiveStatus: api.Some("ENABLING"), AttributeName: api.Some("ttl")}, state())
	requireError(t, setTTL(t.Context(), d.DB, "orders", "ttl", false), api.Validation,
		"Time to live has been modified multiple times within a fixed interval")
	require.Zero(t, expiryRows(t, d.DB, "orders"))
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, 600, expiryRows(t, d.DB, "orders"))
	d.clock.add(time.Minute)
	require.Equal(t, api.TimeToLiveDescription{TimeToLiveStatus: api.Some("ENABLED"), AttributeName: api.Some("ttl")}, state())

	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", false))
	require.Equal(t, "DISABLING", state().TimeToLiveStatus.Value)
	require.NoError(t, d.Work(t.Context()))
	require.Zero(t, expiryRows(t, d.DB, "orders"))
	d.clock.add(time.Hour)
	require.Equal(t, api.TimeToLiveDescription{TimeToLiveStatus: api.Some("DISABLED")}, state())
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, [2]int64{601, 601}, d.scanned(""), "disabled: nothing is past its time")

	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, [2]int64{1, 1}, d.scanned(""))
	require.Zero(t, expiryRows(t, d.DB, "orders"))
}

// TestExpiryRowsFollowTheItem: whichever write it is, one row speaks of an item, or the sweep drops it.
func TestExpiryRowsFollowTheItem(t *testing.T) {
	for name, open := range indexStores() {
		t.Run(name, func(t *testing.T) {
			var db *DB
			var now atomic.Int64
			now.Store(1_800_000_000)
			store := open(t)
			settled(t, func() (err error) {
				db, err = OpenStore(store, Options{NoBackground: true, Clock: func() time.Time { return time.Unix(now.Load(), 0) }})
				return err
			})
			t.Cleanup(func() { _ = db.Close() })
			enable := func(on bool) {
				settled(t, func() error {
					err := setTTL(t.Context(), db, "items", "ttl", on)
					if err != nil && api.CodeOf(err) == api.Validation {
						return nil // an answer that was lost
					}
					return err
				})
			}
			const items = 600
			fillTable(t, db, items)
			var done atomic.Int64
			stop := make(chan struct{})
			var writers sync.WaitGroup
			for w := range 4 {
				rnd := rand.New(rand.NewPCG(uint64(w), 6))
				writers.Go(func() { writeMortals(t.Context(), db, rnd, items, &now, stop, &done) })
			}
			for n := int64(1); n <= 6; n++ {
				if n%3 == 1 {
					enable(true)
				}
				for done.Load() < n*300 {
					runtime.Gosched()
				}
				now.Add(3)
				settled(t, func() error { return db.Work(t.Context()) })
				if n%3 == 0 {
					enable(false)
				}
			}
			enable(true)
			settled(t, func() error { return db.Work(t.Context()) })
			for n := done.Load() + 300; done.Load() < n; {
				runtime.Gosched()
			}
			close(stop)
			writers.Wait()
			settled(t, func() error { return db.Work(t.Context()) })
			now.Add(1000)
			settled(t, func() error { return db.Work(t.Context()) })
			require.Zero(t, expiryRows(t, db, "items"))
			held, err := db.served.Load().catalog.Enter("items", 0)
			require.NoError(t, err)
			defer held.Leave(0)
			for _, k := range subRows(t, db, held.Table.ID, key.TableSub) {
				var v storage.Value
				settled(t, func() (err error) { v, err = store.Get(t.Context(), []byte(k)); return err })
				require.Nil(t, attr.Item(v.Data).Get("ttl"), "an item without a row that says when it ends")
			}
		})
	}
}

// writeMortals writes items that end soon until the channel is closed.
func writeMortals(ctx context.Context, db *DB, rnd *rand.Rand, keys int, now *atomic.Int64, stop <-chan struct{}, done *atomic.Int64) {
	for ; ; done.Add(1) {
		select {
		case <-stop:
			return
		default:
		}
		pk := fmt.Sprint(rnd.IntN(keys))
		k, _ := attr.NewItem().S("pk", pk).Build()
		it, _ := attr.NewItem().S("pk", pk).N("ttl", fmt.Sprint(now.Load()+int64(rnd.IntN(8))-2)).Build()
		switch rnd.IntN(5) {
		case 0:
			_, _ = db.DeleteItem(ctx, &api.DeleteItemInput{TableName: api.Some("items"), Key: k})
		case 1:
			_, _ = db.UpdateItem(ctx, &api.UpdateItemInput{
				TableName: api.Some("items"), Key: k, UpdateExpression: api.Some("SET #t = :t"),
				ExpressionAttributeNames:  []api.Name{{Placeholder: "#t", Name: "ttl"}},
				ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":t", Value: numberValue(int(now.Load()) + rnd.IntN(8))}},
			})
		case 2:
			_, _ = db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
				{Put: &api.Put{TableName: api.Some("items"), Item: it}},
			}})
		case 3:
			_, _ = db.PutItem(ctx, &api.PutItemInput{TableName: api.Some("items"), Item: k})
		default:
			_, _ = db.PutItem(ctx, &api.PutItemInput{TableName: api.Some("items"), Item: it})
		}
	}
}

// TestExpiredItemsCostUntilSwept: an item of 6 KB that is past its time is absent, but a read of it
// costs by its size until the sweep, and so does a check, which leaves it. A write that meets it sweeps
// it, which is free, and pays for what it writes.
func TestExpiredItemsCostUntilSwept(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	k := d.build(attr.NewItem().S("pk", "a").N("sk", "1"))
	expire := func() { d.put(d.mortal("a", -1).S("x", strings.Repeat("x", 6000))) }
	text := api.Some(`SELECT * FROM "orders" WHERE pk = 'a' AND sk = 1`)
	total := api.Some(api.ReturnConsumedCapacityTotal)
	reads := map[string]func() (found bool, units api.Opt[float64]){
		"GetItem": func() (bool, api.Opt[float64]) {
			out, err := d.GetItem(t.Context(), &api.GetItemInput{
				TableName: api.Some("orders"), Key: k, ConsistentRead: api.Some(true), ReturnConsumedCapacity: total,
			})
			require.NoError(t, err)
			return out.Item != nil, out.ConsumedCapacity.CapacityUnits
		},
		"BatchGetItem": func() (bool, api.Opt[float64]) {
			out, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{
				RequestItems: []api.BatchGetRequestMapEntry{
					{Key: "orders", Value: api.KeysAndAttributes{Keys: []attr.Item{k}, ConsistentRead: api.Some(true)}},
				},
				ReturnConsumedCapacity: total,
			})
			require.NoError(t, err)
			return len(out.Responses[0].Value) > 0, out.ConsumedCapacity[0].CapacityUnits
		},
		"TransactGetItems": func() (bool, api.Opt[float64]) {
			out, err := d.TransactGetItems(t.Context(), &api.TransactGetItemsInput{
				TransactItems:          []api.TransactGetItem{{Get: &api.Get{TableName: api.Some("orders"), Key: k}}},
				ReturnConsumedCapacity: total,
			})
			require.NoError(t, err)
			return out.Responses[0].Item != nil, out.ConsumedCapacity[0].CapacityUnits
		},
		"ConditionCheck": func() (bool, api.Opt[float64]) {
			out, err := d.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{
				TransactItems: []api.TransactWriteItem{{ConditionCheck: &api.ConditionCheck{
					TableName: api.Some("orders"), Key: k, ConditionExpression: api.Some("attribute_not_exists(pk)"),
				}}},
				ReturnConsumedCapacity: total,
			})
			require.NoError(t, err)
			return false, out.ConsumedCapacity[0].CapacityUnits
		},
		"ExecuteStatement": func() (bool, api.Opt[float64]) {
			out, err := d.ExecuteStatement(t.Context(), &api.ExecuteStatementInput{
				Statement: text, ConsistentRead: api.Some(true), ReturnConsumedCapacity: total,
			})
			require.NoError(t, err)
			return len(out.Items) > 0, out.ConsumedCapacity.CapacityUnits
		},
		"BatchExecuteStatement": func() (bool, api.Opt[float64]) {
			out, err := d.BatchExecuteStatement(t.Context(), &api.BatchExecuteStatementInput{
				Statements:             []api.BatchStatementRequest{{Statement: text, ConsistentRead: api.Some(true)}},
				ReturnConsumedCapacity: total,
			})
			require.NoError(t, err)
			return out.Responses[0].Item != nil, out.ConsumedCapacity[0].CapacityUnits
		},
		"ExecuteTransaction": func() (bool, api.Opt[float64]) {
			out, err := d.ExecuteTransaction(t.Context(), &api.ExecuteTransactionInput{
				TransactStatements: []api.ParameterizedStatement{{Statement: text}}, ReturnConsumedCapacity: total,
			})
			require.NoError(t, err)
			return out.Responses[0].Item != nil, out.ConsumedCapacity[0].CapacityUnits
		},
	}
	costs := func(when string, want map[string]float64) {
		t.Helper()
		for name, read := range reads {
			found, units := read()
			require.False(t, found, "%s %s", name, when)
			require.Equal(t, want[name], units.Value, "%s %s", name, when)
		}
	}
	expire()
	costs("before the sweep", map[string]float64{
		"GetItem": 2, "BatchGetItem": 2, "TransactGetItems": 4, "ConditionCheck": 12,
		"ExecuteStatement": 2, "BatchExecuteStatement": 2, "ExecuteTransaction": 4,
	})
	d.put(attr.NewItem().S("pk", "b").N("sk", "1"))
	batch, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{
		RequestItems: []api.BatchGetRequestMapEntry{{Key: "orders", Value: api.KeysAndAttributes{Keys: []attr.Item{
			d.build(attr.NewItem().S("pk", "b").N("sk", "1")), k, d.build(attr.NewItem().S("pk", "c").N("sk", "1")),
		}}}},
		ReturnConsumedCapacity: total,
	})
	require.NoError(t, err)
	require.Len(t, batch.Responses[0].Value, 1)
	require.Equal(t, 0.5+1+0.5, batch.ConsumedCapacity[0].CapacityUnits.Value, "one that lives, the expired, none")
	require.NoError(t, d.Work(t.Context()))
	misses := map[string]float64{
		"GetItem": 1, "BatchGetItem": 1, "TransactGetItems": 2, "ConditionCheck": 2,
		"ExecuteStatement": 1, "BatchExecuteStatement": 1, "ExecuteTransaction": 2,
	}
	costs("after the sweep", misses)

	expire()
	out, err := d.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: k, ReturnConsumedCapacity: total,
	})
	require.NoError(t, err)
	require.Equal(t, float64(1), out.ConsumedCapacity.CapacityUnits.Value, "the write is the sweep")
	costs("after a write that met it", misses)
}

// TestOneSweepsAtATime: on a shared store the process that does not hold the lease leaves the work to the
// one that does, without an error, and takes it over when that one is silent.
func TestOneSweepsAtATime(t *testing.T) {
	a, openSecond := openShared(t)
	c := a.clock
	a.orders()
	require.NoError(t, setTTL(t.Context(), a.DB, "orders", "ttl", true))
	require.NoError(t, a.Work(t.Context()))
	b := openSecond()

	stored := func() int64 { return a.scanned("")[0] }
	a.put(a.mortal("x", 1))
	c.add(2 * time.Second)
	require.NoError(t, a.Work(t.Context()))
	require.Zero(t, stored())
	a.put(a.mortal("y", 1))
	c.add(2 * time.Second)
	require.NoError(t, b.Work(t.Context()))
	require.Equal(t, int64(1), stored(), "it is not b's turn")
	c.add(lease.Length)
	require.NoError(t, b.Work(t.Context()))
	require.Zero(t, stored(), "a is silent")
}

// TestClockSetBackWhileClosed: what had expired does not come back when the system's clock was set back
// between two runs.
func TestClockSetBackWhileClosed(t *testing.T) {
	path := t.TempDir() + "/db"
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	var log bytes.Buffer
	open := func() *testDB {
		db, err := Open(path, Options{Clock: c.Now, NoBackground: true, Logger: zerolog.New(&log)})
		require.NoError(t, err)
		return &testDB{DB: db, t: t, clock: c}
	}
	d := open()
	d.orders()
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	d.put(d.mortal("x", 10))
	c.add(time.Hour)
	require.Equal(t, [2]int64{1, 0}, d.scanned(""), "it has expired and is not swept")
	require.NoError(t, d.Close())
	require.Empty(t, log.String())

	c.add(-2 * time.Hour)
	d = open()
	defer func() { require.NoError(t, d.Close()) }()
	require.Equal(t, [2]int64{1, 0}, d.scanned(""))
	require.Contains(t, log.String(), "the system's clock was set back")
}
