package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

func (d *testDB) later(by time.Duration) { d.clock.add(by) }

// kept counts the keys and bytes of all streams in the store.
func (d *testDB) kept() storage.Stats {
	d.t.Helper()
	st, err := d.served.Load().store.Stats(context.Background(), storage.Range{
		Start: key.WholeSpace(key.StreamSpace(0)).Start, End: key.WholeSpace(key.TokenSpace(0)).Start,
	})
	require.NoError(d.t, err)
	return st
}

// TestStreamRetention: records are there for 24 hours and then they are gone, in the store too.
func TestStreamRetention(t *testing.T) {
	d := openTest(t, Options{StreamShards: 3})
	arn := d.events("NEW_IMAGE")
	for i := range 6 {
		d.put(item1(fmt.Sprint(i), "old"))
	}
	old := d.all(arn)
	require.Len(t, old, 6)
	shards := d.describeStream(arn).Shards
	d.later(23 * time.Hour)
	for i := range 6 {
		d.put(item1(fmt.Sprint(i), "new"))
	}
	d.later(time.Hour)
	require.Len(t, d.all(arn), 12, "24 hours to the millisecond")
	d.later(time.Hour)
	records := d.all(arn)
	require.Len(t, records, 6)
	require.NotContains(t, tell(records), "old")
	require.Equal(t, int64(12), d.kept().Keys, "a record and an image each")

	// What points to what is gone says so; the oldest record that there is can be asked for.
	for _, sh := range shards {
		for _, typ := range []string{"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"} {
			_, err := d.iterator(arn, sh.ShardId.Value, typ, sh.SequenceNumberRange.StartingSequenceNumber.Value)
			require.Contains(t, []api.Code{api.TrimmedDataAccess, api.ResourceNotFound}, api.CodeOf(err))
		}
	}
}

// TestTrimmedIterator: an iterator before the horizon is refused, one at the horizon follows it.
func TestTrimmedIterator(t *testing.T) {
	d := openTest(t, Options{StreamRetention: 10 * time.Minute})
	arn := d.events("KEYS_ONLY")
	d.put(item1("a", "1"))
	first := d.all(arn)[0].Dynamodb.SequenceNumber.Value
	id := d.describeStream(arn).Shards[0].ShardId.Value
	at, err := d.iterator(arn, id, "AT_SEQUENCE_NUMBER", first)
	require.NoError(t, err)
	horizon, err := d.iterator(arn, id, "TRIM_HORIZON", "")
	require.NoError(t, err)
	d.later(11 * time.Minute)
	d.put(item1("b", "1"))
	_, err = d.records(at, 0)
	require.Equal(t, api.Errorf(api.TrimmedDataAccess, "%s", api.MsgTrimmed), err)
	out, err := d.records(horizon, 0)
	require.NoError(t, err)
	require.Equal(t, "INSERT b - -", tell(out.Records))
}

// TestIdleReader: a reader that has read everything is not told that it lost something.
func TestIdleReader(t *testing.T) {
	d := openTest(t, Options{})
	arn := d.events("KEYS_ONLY")
	d.put(item1("a", "1"))
	it, err := d.iterator(arn, d.describeStream(arn).Shards[0].ShardId.Value, "TRIM_HORIZON", "")
	require.NoError(t, err)
	read := 0
	for range 26 * 5 {
		out, err := d.records(it, 0)
		require.NoError(t, err)
		read += len(out.Records)
		if it = out.NextShardIterator.Value; it == "" {
			break // replaced by its child meanwhile
		}
		d.later(12 * time.Minute)
	}
	require.Equal(t, 1, read)
}

// TestShardsAge: an open shard is replaced after four hours, and gone when its records are.
func TestShardsAge(t *testing.T) {
	d := openTest(t, Options{})
	arn := d.events("KEYS_ONLY")
	first := d.describeStream(arn).Shards[0].ShardId.Value
	d.later(4*time.Hour - time.Millisecond)
	require.Len(t, d.describeStream(arn).Shards, 1)
	d.later(time.Hour)
	shards := d.describeStream(arn).Shards
	require.Len(t, shards, 2)
	require.Equal(t, first, shards[1].ParentShardId.Value)
	for range 100 {
		d.later(time.Hour)
		shards = d.describeStream(arn).Shards
		require.LessOrEqual(t, len(shards), 8)
	}
	_, err := d.iterator(arn, first, "TRIM_HORIZON", "")
	require.Equal(t, api.Errorf(api.ResourceNotFound, "%s", api.MsgShardNotFound), err)
	require.True(t, shards[0].ParentShardId.Set, "it may name a shard that is gone")
	require.Empty(t, d.all(arn))
}

// TestDisabledStreamGoes: 24 hours after it was disabled nothing is left of a stream.
func TestDisabledStreamGoes(t *testing.T) {
	d, ctx := openTest(t, Options{}), context.Background()
	arn := d.events("NEW_AND_OLD_IMAGES")
	d.later(time.Hour)
	d.put(item1("a", "1"))
	_, err := d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	d.later(24*time.Hour - time.Millisecond)
	require.NoError(t, d.Work(ctx))
	list, err := d.ListStreams(ctx, &api.ListStreamsInput{})
	require.NoError(t, err)
	require.Len(t, list.Streams, 1)
	d.later(time.Hour)
	require.NoError(t, d.Work(ctx))
	require.Zero(t, d.kept().Keys)
	list, err = d.ListStreams(ctx, &api.ListStreamsInput{})
	require.NoError(t, err)
	require.Empty(t, list.Streams)
	_, err = d.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: api.Some(arn)})
	require.Equal(t, api.ResourceNotFound, api.CodeOf(err))
}

// TestStreamBytes: the bytes that a stream keeps are bounded; the newest records stay.
func TestStreamBytes(t *testing.T) {
	const bound = 1 << 20
	d := openTest(t, Options{StreamShards: 2, StreamBytes: bound})
	arn := d.events("NEW_IMAGE")
	big := strings.Repeat("x", 20_000)
	for i := range 300 {
		d.put(item1(fmt.Sprint(i), big))
		if i%50 == 0 {
			d.later(10 * time.Minute)
			d.describeStream(arn)
		}
	}
	d.later(10 * time.Minute)
	records := d.all(arn)
	kept := d.kept().Bytes
	require.LessOrEqual(t, kept, int64(bound))
	require.Greater(t, kept, int64(bound)/2)
	newest := map[string]bool{}
	for _, r := range records {
		newest[r.Dynamodb.Keys.Get("pk").Text()] = true
	}
	require.True(t, newest["299"])
	require.False(t, newest["0"])
}

// TestStreamsSurviveRestart: streams, open and disabled, are there after the database was opened
// again, with iterators that go on and numbers that grow.
func TestStreamsSurviveRestart(t *testing.T) {
	path := t.TempDir() + "/db"
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	open := func() *testDB {
		db, err := Open(path, Options{Clock: c.Now, NoBackground: true, Sync: SyncOff})
		require.NoError(t, err)
		return &testDB{DB: db, t: t, clock: c}
	}
	d := open()
	first := d.events("NEW_IMAGE")
	d.put(item1("a", "1"))
	d.disable()
	second := d.enable("NEW_IMAGE")
	d.put(item1("a", "2"))
	it, err := d.iterator(second, d.describeStream(second).Shards[0].ShardId.Value, "TRIM_HORIZON", "")
	require.NoError(t, err)
	out, err := d.records(it, 0)
	require.NoError(t, err)
	require.Equal(t, "MODIFY a - 2", tell(out.Records))
	require.NoError(t, d.Close())

	d = open()
	defer func() { require.NoError(t, d.Close()) }()
	require.Equal(t, "INSERT a - 1", tell(d.all(first)))
	d.put(item1("a", "3"))
	next, err := d.records(out.NextShardIterator.Value, 0)
	require.NoError(t, err)
	require.Equal(t, "MODIFY a - 3", tell(next.Records))
	require.Greater(t, next.Records[0].Dynamodb.SequenceNumber.Value, out.Records[0].Dynamodb.SequenceNumber.Value)
	require.Equal(t, "MODIFY a - 2\nMODIFY a - 3", tell(d.all(second)))
}

// TestStreamsTendThemselves: with a timer nobody has to ask.
func TestStreamsTendThemselves(t *testing.T) {
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli())
	timer := make(chan time.Time)
	db, err := OpenStore(store, Options{
		Clock: func() time.Time { return time.UnixMilli(now.Load()) },
		After: func(d time.Duration) <-chan time.Time {
			if d != DefaultStreamRetention/tendsPerRetention/looksPerTend {
				return nil
			}
			return timer
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	d := &testDB{DB: db, t: t}
	d.events("NEW_IMAGE")
	d.put(item1("a", "1"))
	now.Add((25 * time.Hour).Milliseconds())
	timer <- time.Time{}
	timer <- time.Time{} // taken when the work is done
	require.Zero(t, d.kept().Keys)
}

// openShared opens a database on a store that another one may share, which second opens. They have one
// clock, and do background work only in Work.
func openShared(t *testing.T) (first *testDB, second func() *testDB) {
	mem, err := memstore.Open(memstore.Options{Shared: true})
	require.NoError(t, err)
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	open := func(store storage.Store) *testDB {
		db, err := OpenStore(store, Options{Clock: c.Now, NoBackground: true})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return &testDB{DB: db, t: t, clock: c}
	}
	return open(mem), func() *testDB {
		store, err := mem.Second()
		require.NoError(t, err)
		return open(store)
	}
}

// TestOneTendsAtATime: of two databases on a shared store the one that began tends the streams while it
// is alive; what the other does not do is not forgotten.
func TestOneTendsAtATime(t *testing.T) {
	a, openSecond := openShared(t)
	c, arn := a.clock, a.events("NEW_IMAGE")
	b := openSecond()
	shards := func(d *testDB) int {
		require.NoError(t, d.Work(t.Context()))
		s, err := d.served.Load().stream(arn)
		require.NoError(t, err)
		return len(s.Shards)
	}
	c.add(shardAge)
	require.Equal(t, 2, shards(a))
	require.Equal(t, 1, shards(b), "it is not b's turn")
	c.add(b.served.Load().tendInterval())
	require.Equal(t, 2, shards(b), "a is silent; b takes over, and finds it done")
	c.add(shardAge)
	require.Equal(t, 3, shards(b))
	require.Equal(t, 2, shards(a), "a lost its turn, which is no error")
	c.add(shardAge)
	require.Equal(t, 4, shards(a), "b is silent")
}
