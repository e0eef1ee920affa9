package engine

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/changelog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

// logged is a database with one table "t" whose sort keys are of all kinds, and times of which the items are
// known.
type logged struct {
	*DB
	t      *testing.T
	clock  *clock
	rnd    *rand.Rand
	reopen func() *DB
	past   []moment
}

// moment is what the table held at a time.
type moment struct {
	ms    int64
	items map[string]string
}

var logSorts = []string{"a", "a\x00", "a\x00\x00\x00\x00\x00\x00\x00\x00\x01", "\x00", "\x00\xff", "\xff", "b"}

func (l *logged) key(pk, sk int) *attr.Builder {
	return attr.NewItem().S("pk", fmt.Sprint("p", pk)).B("sk", []byte(logSorts[sk]))
}

func buildItem(t *testing.T, b *attr.Builder) attr.Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

func (l *logged) create() {
	l.t.Helper()
	_, err := l.CreateTable(l.t.Context(), &api.CreateTableInput{
		TableName: api.Some("log"), BillingMode: api.Some(api.BillingModePayPerRequest),
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}, {AttributeName: api.Some("sk"), AttributeType: api.Some("B")},
		},
		KeySchema: []api.KeySchemaElement{
			{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}, {AttributeName: api.Some("sk"), KeyType: api.Some("RANGE")},
		},
	})
	require.NoError(l.t, err)
	_, err = l.UpdateTimeToLive(l.t.Context(), &api.UpdateTimeToLiveInput{TableName: api.Some("log"),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: api.Some("end"), Enabled: api.Some(true)}})
	require.NoError(l.t, err)
}

// item is a random one.
func (l *logged) item() attr.Item {
	b := l.key(l.rnd.IntN(3), l.rnd.IntN(len(logSorts))).N("v", fmt.Sprint(l.rnd.IntN(1000)))
	if l.rnd.IntN(4) == 0 {
		b.N("end", fmt.Sprint(l.clock.Now().Unix()+int64(l.rnd.IntN(5))))
	}
	if l.rnd.IntN(4) == 0 {
		b.S("pad", strings.Repeat("x", l.rnd.IntN(3000)))
	}
	return buildItem(l.t, b)
}

func (l *logged) randomKey() attr.Item {
	return buildItem(l.t, l.key(l.rnd.IntN(3), l.rnd.IntN(len(logSorts))))
}

// write does something to some items.
func (l *logged) write() {
	ctx, name := l.t.Context(), api.Some("log")
	var err error
	switch l.rnd.IntN(7) {
	case 0, 1:
		_, err = l.PutItem(ctx, &api.PutItemInput{TableName: name, Item: l.item()})
	case 2:
		_, err = l.DeleteItem(ctx, &api.DeleteItemInput{TableName: name, Key: l.randomKey()})
	case 3:
		_, err = l.UpdateItem(ctx, &api.UpdateItemInput{TableName: name, Key: l.randomKey(), UpdateExpression: api.Some("ADD v :v"),
			ExpressionAttributeValues: valueOf(storagetest.Cell(l.rnd.IntN(9)))})
	case 4:
		in := &api.TransactWriteItemsInput{}
		seen := map[string]bool{}
		for range 4 {
			it := l.item()
			if k := string(it.Project([]string{"pk", "sk"})); !seen[k] {
				seen[k] = true
				in.TransactItems = append(in.TransactItems, api.TransactWriteItem{Put: &api.Put{TableName: name, Item: it}})
			}
		}
		_, err = l.TransactWriteItems(ctx, in)
	case 5:
		in := &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "log"}}}
		k := l.randomKey()
		in.RequestItems[0].Value = []api.WriteRequest{{DeleteRequest: &api.DeleteRequest{Key: k}}}
		if it := l.item(); string(it.Project([]string{"pk", "sk"})) != string(k) {
			in.RequestItems[0].Value = append(in.RequestItems[0].Value, api.WriteRequest{PutRequest: &api.PutRequest{Item: it}})
		}
		_, err = l.BatchWriteItem(ctx, in)
	case 6:
		_, err = l.ExecuteStatement(ctx, &api.ExecuteStatementInput{
			Statement:  api.Some("DELETE FROM log WHERE pk = ? AND sk = ?"),
			Parameters: []attr.Value{attr.String("p1"), attr.Binary([]byte(logSorts[l.rnd.IntN(len(logSorts))]))},
		})
	}
	require.NoError(l.t, err)
}

// remember notes what the table holds now.
func (l *logged) remember() {
	m := moment{ms: l.clock.Now().UnixMilli(), items: map[string]string{}}
	out, err := l.Scan(l.t.Context(), &api.ScanInput{TableName: api.Some("log")})
	require.NoError(l.t, err)
	for _, it := range out.Items {
		m.items[string(it.Project([]string{"pk", "sk"}))] = string(it)
	}
	l.past = append(l.past, m)
}

func (l *logged) core() *core { return l.served.Load() }

// asOf reads the table as of a time, in steps and spans of random size.
func (l *logged) asOf(ms int64) map[string]string {
	l.t.Helper()
	c, ctx := l.core(), l.t.Context()
	table, err := c.catalog.Lookup(ctx, "log")
	require.NoError(l.t, err)
	seq, err := c.cutAt(ctx, table, ms)
	require.NoError(l.t, err)
	at := &cut{Name: "log", ID: table.Table.ID, Seq: seq, AtMs: ms}
	items := map[string]string{}
	middle := l.rnd.Uint64N(1 << 32)
	for _, span := range []changelog.Span{{To: middle}, {From: middle}} {
		if span.To == 0 && span.From == 0 {
			continue
		}
		for done := false; !done; {
			var after []byte
			after, done, err = c.readAsOf(ctx, at, span, 1+l.rnd.IntN(4000), func() {}, func(_ []byte, it attr.Item) error {
				k := string(it.Project([]string{"pk", "sk"}))
				require.NotContains(l.t, items, k)
				items[k] = string(it)
				return nil
			})
			require.NoError(l.t, err)
			span.After = after
			if l.rnd.IntN(5) == 0 {
				l.clock.add(time.Millisecond)
				l.write() // it does not matter what is written meanwhile
			}
		}
	}
	return items
}

func logStores(t *testing.T, c *clock) map[string]func() (*DB, func() *DB) {
	opts := Options{Clock: c.Now, NoBackground: true}
	return map[string]func() (*DB, func() *DB){
		"memstore": func() (*DB, func() *DB) {
			s, err := memstore.Open(memstore.Hostile(3))
			require.NoError(t, err)
			db, err := OpenStore(s, opts)
			require.NoError(t, err)
			return db, nil
		},
		"lsm": func() (*DB, func() *DB) {
			path := filepath.Join(t.TempDir(), "log")
			open := func() *DB {
				s, err := lsm.Open(path, lsm.Options{MemtableBytes: 64 << 10, CacheBytes: 256 << 10, LogBytes: 1 << 20, Sync: lsm.SyncOff})
				require.NoError(t, err)
				db, err := OpenStore(s, opts)
				require.NoError(t, err)
				return db
			}
			return open(), open
		},
	}
}

// TestReadAsOf: after random writes, deletes, transactions and restarts, and while more come, the table reads
// at every moment that the log covers as it was then.
func TestReadAsOf(t *testing.T) {
	seed, moments := uint64(5), 60
	if os.Getenv("KSTONE_NIGHT") != "" {
		seed, moments = rand.Uint64(), 1000
	}
	t.Logf("seed %d", seed)
	for _, name := range []string{"memstore", "lsm"} {
		t.Run(name, func(t *testing.T) {
			c := newClock(time.Unix(1_800_000_000, 0))
			db, reopen := logStores(t, c)[name]()
			l := &logged{DB: db, t: t, clock: c, rnd: rand.New(rand.NewPCG(seed, 6)), reopen: reopen}
			t.Cleanup(func() { _ = l.Close() })
			l.create()
			for range 20 {
				l.write()
			}
			from := c.Now().UnixMilli()
			hold := catalog.LogHold{ID: "test", FromMs: from, MadeMs: from}
			_, err := l.core().holdLog(t.Context(), "log", hold, func(r *catalog.Record) error {
				r.Recover(35, from)
				return nil
			})
			require.NoError(t, err)
			for range moments {
				for range l.rnd.IntN(6) {
					l.write()
				}
				l.remember()
				switch l.rnd.IntN(12) {
				case 0:
					c.add(60 * time.Hour) // time for another generation
					require.NoError(t, l.Work(t.Context()))
				case 1:
					if l.reopen != nil {
						require.NoError(t, l.Close())
						l.DB = l.reopen()
					}
				case 2:
					require.NoError(t, l.Work(t.Context()))
				}
				c.add(time.Duration(1+l.rnd.IntN(2000)) * time.Millisecond)
			}
			table, err := l.core().catalog.Lookup(t.Context(), "log")
			require.NoError(t, err)
			require.NotEmpty(t, table.Log.Generations[1:])
			// As it is now, and as it was in any order.
			l.remember()
			c.add(time.Second)
			_, earliest, _ := table.Recovery(c.Now().UnixMilli())
			past := slices.DeleteFunc(slices.Clone(l.past), func(m moment) bool { return m.ms < earliest })
			l.rnd.Shuffle(len(past), func(i, j int) { past[i], past[j] = past[j], past[i] })
			for _, m := range past {
				require.Equal(t, m.items, l.asOf(m.ms), "at %d", m.ms)
			}
			l.changes(past)
			require.NoError(t, consistent(t.Context(), l.core().store, c.Now()))
		})
	}
}

// changes compares what changed between two moments with what the items were.
func (l *logged) changes(past []moment) {
	l.t.Helper()
	c, ctx := l.core(), l.t.Context()
	table, err := c.catalog.Lookup(ctx, "log")
	require.NoError(l.t, err)
	for i := range 20 {
		from, to := past[i], past[i+1]
		if from.ms > to.ms {
			from, to = to, from
		}
		a, err := c.cutAt(ctx, table, from.ms)
		require.NoError(l.t, err)
		b, err := c.cutAt(ctx, table, to.ms)
		require.NoError(l.t, err)
		got := map[string]string{}
		maps.Copy(got, from.items)
		at := func(seq storage.Seq, ms int64) *cut { return &cut{Name: "log", ID: table.Table.ID, Seq: seq, AtMs: ms} }
		var span changelog.Span
		for done := false; !done; {
			span.After, done, err = c.readChanges(ctx, at(a, from.ms), at(b, to.ms), span, 700, func() {},
				func(_ []byte, old, now attr.Item, lastMs int64) error {
					require.True(l.t, lastMs > from.ms && lastMs <= to.ms)
					item := now
					if item == nil {
						item = old
					}
					if item == nil {
						return nil // it was not there at either moment
					}
					k := string(item.Project([]string{"pk", "sk"}))
					require.Equal(l.t, from.items[k], string(c.there(&table.Record, old, from.ms)))
					if delete(got, k); now != nil {
						got[k] = string(now)
					}
					return nil
				})
			require.NoError(l.t, err)
		}
		for k, v := range to.items {
			require.Equal(l.t, v, got[k])
		}
		for k := range got {
			if _, there := to.items[k]; !there {
				require.Contains(l.t, from.items, k, "only an item that ended between the two")
			}
		}
	}
}

// TestLogGoes: without anybody who needs it a log is gone, with all its rows, and blind writes are back.
func TestLogGoes(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	c, ctx, now := d.served.Load(), context.Background(), d.clock.Now().UnixMilli()
	ok := func(*catalog.Record) error { return nil }
	table, err := c.holdLog(ctx, "orders", catalog.LogHold{ID: "a", FromMs: now, MadeMs: now}, ok)
	require.NoError(t, err)
	require.Equal(t, now, table.Log.SinceMs)
	for i := range 5 {
		d.put(item1(fmt.Sprint(i), "x"))
	}
	rows := func() int64 {
		var n int64
		for _, sub := range []uint32{4, 5} {
			st, err := c.store.Stats(ctx, storage.Range(key.SpaceRange(key.TableSpace(table.Table.ID), sub)))
			require.NoError(t, err)
			n += st.Keys
		}
		return n
	}
	require.Equal(t, []uint32{4, 5}, table.Log.Subs())
	require.EqualValues(t, 6, rows(), "a history row each, and one mark for the millisecond")
	d.later(2 * time.Hour)
	require.NoError(t, d.Work(ctx))
	table, err = c.catalog.Lookup(ctx, "orders")
	require.NoError(t, err)
	require.Nil(t, table.Log, "a hold whose task never was")
	require.Zero(t, rows())
	require.Empty(t, table.Jobs)
	require.False(t, table.Recorded())
}
