package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/stream"
)

// errEnough ends a feed that has delivered what a test wants.
var errEnough = errors.New("enough")

// subscription is a feed that runs beside a test.
type subscription struct {
	t     *testing.T
	stop  context.CancelFunc
	pages chan *api.SubscribeOutput // what it delivers, one after the other
	ended chan error
}

// subscribe starts a feed and waits until it has begun.
func subscribe(t *testing.T, db *DB, in *api.SubscribeInput) *subscription {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &subscription{t: t, stop: stop, pages: make(chan *api.SubscribeOutput), ended: make(chan error, 1)}
	t.Cleanup(stop)
	go func() {
		s.ended <- db.Subscribe(ctx, in, func(out *api.SubscribeOutput) error {
			page := *out
			select {
			case s.pages <- &page:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	require.Empty(t, s.page().Records, "the first delivery tells where it begins")
	return s
}

// page takes the next delivery.
func (s *subscription) page() *api.SubscribeOutput {
	s.t.Helper()
	select {
	case page := <-s.pages:
		return page
	case err := <-s.ended:
		require.FailNow(s.t, "the feed ended", "%v", err)
	}
	return nil
}

// take takes so many records.
func (s *subscription) take(n int) (records []api.Record) {
	s.t.Helper()
	for len(records) < n {
		for _, r := range s.page().Records {
			records = append(records, r.Record)
		}
	}
	require.Len(s.t, records, n)
	return records
}

// end waits for the end.
func (s *subscription) end() error {
	s.t.Helper()
	select {
	case page := <-s.pages:
		require.FailNow(s.t, "one more delivery", "%d records", len(page.Records))
	case err := <-s.ended:
		return err
	}
	return nil
}

func from(arn, start string) *api.SubscribeInput {
	return &api.SubscribeInput{StreamArn: api.Some(arn), StartingPosition: api.Some(start)}
}

// TestSubscribe: what is there and what comes, in order; the end of the stream ends the feed.
func TestSubscribe(t *testing.T) {
	d := openTest(t, Options{})
	arn := d.events("NEW_AND_OLD_IMAGES")
	d.put(item1("a", "1"))
	all := subscribe(t, d.DB, from(arn, api.StartTrimHorizon))
	latest := subscribe(t, d.DB, &api.SubscribeInput{TableName: api.Some("orders")})
	require.Equal(t, "INSERT a - 1", tell(all.take(1)))
	d.put(item1("a", "2"))
	require.Equal(t, "MODIFY a 1 2", tell(all.take(1)))
	require.Equal(t, "MODIFY a 1 2", tell(latest.take(1)))
	d.remove("a", "1")
	d.disable()
	require.Equal(t, "REMOVE a 2 -", tell(all.take(1)))
	require.NoError(t, all.end())
	require.Equal(t, "REMOVE a 2 -", tell(latest.take(1)))
	require.NoError(t, latest.end())
}

// feedDB is a database whose clock may be looked at beside the test, and whose looks at the store are
// counted.
type feedDB struct {
	*testDB
	now   *atomic.Int64
	looks *looks
}

// looks counts the calls that a feed makes.
type looks struct {
	storage.Store
	n atomic.Int64
	// before and after, unless nil, are called before and after the next watermark is asked for.
	before, after func()
}

func (l *looks) Watermark(ctx context.Context, after storage.Seq) (storage.Seq, error) {
	l.n.Add(1)
	if before := l.before; before != nil {
		l.before = nil
		before()
	}
	mark, err := l.Store.Watermark(ctx, after)
	if after := l.after; after != nil {
		l.after = nil
		after()
	}
	return mark, err
}

func (l *looks) Snapshot(ctx context.Context, opts storage.SnapshotOptions) (storage.Snapshot, error) {
	l.n.Add(1)
	return l.Store.Snapshot(ctx, opts)
}

func openFeeds(t *testing.T, opts Options) *feedDB {
	t.Helper()
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	d := &feedDB{now: new(atomic.Int64), looks: &looks{Store: store}}
	d.now.Store(1_800_000_000_000)
	opts.Clock = func() time.Time { return time.UnixMilli(d.now.Load()) }
	opts.NoBackground = true
	db, err := OpenStore(d.looks, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	d.testDB = &testDB{DB: db, t: t}
	return d
}

// later moves the clock and does what is due by then.
func (d *feedDB) later(by time.Duration) {
	d.t.Helper()
	d.now.Add(by.Milliseconds())
	require.NoError(d.t, d.Work(context.Background()))
}

// TestIdleSubscribersSleep: a hundred feeds do not look at the store while other tables, and other shards,
// are written; a record makes each look a few times.
func TestIdleSubscribersSleep(t *testing.T) {
	const feeds, writes = 100, 200
	synctest.Test(t, func(t *testing.T) {
		d := openFeeds(t, Options{StreamShards: 16})
		arn := d.events("KEYS_ONLY")
		d.put(item1("a", "1"))
		s, err := d.served.Load().stream(arn)
		require.NoError(t, err)
		home := d.all(arn)[0]
		var all, others []*subscription
		for i := range feeds {
			in := from(arn, api.StartLatest)
			if i%2 == 0 {
				in.ShardId = api.Some(s.Shards[i/2%len(s.Shards)].ID)
			}
			f := subscribe(t, d.DB, in)
			all = append(all, f)
			if it, err := d.iterator(arn, in.ShardId.Value, api.ShardIteratorTypeTrimHorizon, ""); in.ShardId.Set {
				require.NoError(t, err)
				if out, err := d.records(it, 0); len(out.Records) == 0 {
					require.NoError(t, err)
					others = append(others, f)
				}
			}
		}
		require.NotEmpty(t, others)
		require.Less(t, len(others), feeds/2)
		synctest.Wait()

		in := ordersInput()
		in.TableName = api.Some("other")
		_, err = d.CreateTable(t.Context(), in)
		require.NoError(t, err)
		_, err = d.UpdateTable(t.Context(), &api.UpdateTableInput{
			TableName: in.TableName, StreamSpecification: &api.StreamSpecification{
				StreamEnabled: api.Some(true), StreamViewType: api.Some("KEYS_ONLY"),
			},
		})
		require.NoError(t, err)
		before := d.looks.n.Load()
		for i := range writes {
			_, err := d.PutItem(t.Context(), &api.PutItemInput{
				TableName: in.TableName, Item: d.build(item1(fmt.Sprint(i), "1")),
			})
			require.NoError(t, err)
			synctest.Wait()
		}
		require.Equal(t, before, d.looks.n.Load())

		d.put(item1("a", "2"))
		synctest.Wait()
		woken := 0
		for _, f := range all {
			select {
			case page := <-f.pages:
				require.Len(t, page.Records, 1)
				require.Equal(t, home.Dynamodb.Keys, page.Records[0].Dynamodb.Keys)
				woken++
			default:
			}
		}
		synctest.Wait()
		require.Equal(t, feeds-len(others), woken)
		require.LessOrEqual(t, d.looks.n.Load()-before, int64(3*woken))
	})
}

// TestSubscribeStarts: where a feed begins, and that its first position leads there again.
func TestSubscribeStarts(t *testing.T) {
	d := openFeeds(t, Options{})
	arn := d.events("NEW_IMAGE")
	var at []string
	for i := range 6 {
		d.put(item1("a", fmt.Sprint(i)))
		d.now.Add(time.Minute.Milliseconds())
	}
	all := d.all(arn)
	for _, r := range all {
		at = append(at, r.Dynamodb.SequenceNumber.Value)
	}
	numbered := func(start, number string) *api.SubscribeInput {
		in := from(arn, start)
		in.SequenceNumber = api.Some(number)
		return in
	}
	timed := func(ms int64) *api.SubscribeInput {
		in := from(arn, api.StartAtTimestamp)
		in.Timestamp = api.Some(time.UnixMilli(ms))
		return in
	}
	const born = 1_800_000_000_000
	for name, c := range map[string]struct {
		in    *api.SubscribeInput
		first int
	}{
		"horizon":      {from(arn, api.StartTrimHorizon), 0},
		"latest":       {from(arn, api.StartLatest), 6},
		"default":      {&api.SubscribeInput{StreamArn: api.Some(arn)}, 6},
		"at":           {numbered(api.StartAt, at[2]), 2},
		"after":        {numbered(api.StartAfter, at[2]), 3},
		"after all":    {numbered(api.StartAfter, at[5]), 6},
		"before all":   {timed(born - 1), 0},
		"at the first": {timed(born), 0},
		"after it":     {timed(born + 1), 1},
		"at the last":  {timed(born + 5*60_000), 5},
		"to come":      {timed(born + 60*60_000), 6},
	} {
		t.Run(name, func(t *testing.T) {
			for _, whole := range []bool{true, false} {
				in := *c.in
				if !whole {
					in.ShardId = d.describeStream(arn).Shards[0].ShardId
				}
				var first string
				for range 2 { // and again from what was told first
					ctx, stop := context.WithCancel(t.Context())
					var got []api.Record
					err := d.Subscribe(ctx, &in, func(out *api.SubscribeOutput) error {
						if first == "" {
							require.Empty(t, out.Records)
							first = out.Position
						}
						for _, r := range out.Records {
							got = append(got, r.Record)
						}
						if len(got) == len(all)-c.first {
							stop()
						}
						return nil
					})
					require.ErrorIs(t, err, context.Canceled)
					require.Equal(t, all[c.first:], append([]api.Record{}, got...))
					in.StartingPosition, in.SequenceNumber = api.Some(api.StartAfter), api.Some(first)
					in.Timestamp = api.Opt[time.Time]{}
				}
			}
		})
	}
}

// TestSubscribeRefuses: what is refused, in which words.
func TestSubscribeRefuses(t *testing.T) {
	d := openFeeds(t, Options{})
	arn := d.events("NEW_IMAGE")
	d.put(item1("a", "1"))
	some := func(change func(*api.SubscribeInput)) *api.SubscribeInput {
		in := &api.SubscribeInput{StreamArn: api.Some(arn)}
		change(in)
		return in
	}
	start := func(name string) *api.SubscribeInput {
		return some(func(in *api.SubscribeInput) { in.StartingPosition = api.Some(name) })
	}
	number := strings.Repeat("1", stream.SequenceDigits)
	low := stream.Position{Seq: 1}.String()
	for want, in := range map[string]*api.SubscribeInput{
		"ValidationException: 1 validation error detected: Value null at 'streamArn' failed to satisfy constraint: " +
			"Member must not be null": {},
		"ValidationException: 1 validation error detected: Value 'SOON' at 'startingPosition' failed to satisfy constraint: " +
			"Member must satisfy enum value set: [TRIM_HORIZON, LATEST, AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, AT_TIMESTAMP]": start("SOON"),
		"ValidationException: 2 validation errors detected: Value 'x' at 'shardId' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 28; Value '1001' at 'limit' failed to satisfy constraint: " +
			"Member must have value less than or equal to 1000": some(func(in *api.SubscribeInput) {
			in.ShardId, in.Limit = api.Some("x"), api.Some[int64](api.SubscribeLimitMax+1)
		}),
		"ValidationException: " + api.MsgFeedTwice:      some(func(in *api.SubscribeInput) { in.TableName = api.Some("orders") }),
		"ValidationException: " + api.MsgStreamArn:      {StreamArn: api.Some(strings.Repeat("x", 40))},
		"ValidationException: " + api.MsgFeedTimeAbsent: start(api.StartAtTimestamp),
		"ValidationException: " + fmt.Sprintf(api.MsgFeedTimeGiven, "LATEST"): some(func(in *api.SubscribeInput) {
			in.Timestamp = api.Some(time.UnixMilli(1))
		}),
		"ValidationException: " + fmt.Sprintf(api.MsgFeedSequenceAbsent, api.StartAfter): start(api.StartAfter),
		"ValidationException: " + fmt.Sprintf(api.MsgFeedSequenceGiven, "LATEST"): some(func(in *api.SubscribeInput) {
			in.SequenceNumber = api.Some(number)
		}),
		"ValidationException: " + api.MsgSequenceInvalid: some(func(in *api.SubscribeInput) {
			in.StartingPosition, in.SequenceNumber = api.Some(api.StartAt), api.Some(low)
		}),
		"ResourceNotFoundException: " + fmt.Sprintf(api.MsgStreamNotFound, arn+"1"): {StreamArn: api.Some(arn + "1")},
		"ResourceNotFoundException: " + fmt.Sprintf(api.MsgTableNotFound, "gone"):   {TableName: api.Some("gone")},
		"ResourceNotFoundException: " + api.MsgShardNotFound: some(func(in *api.SubscribeInput) {
			in.ShardId = api.Some("shardId-00000001800000000000-00000000")
		}),
	} {
		err := d.Subscribe(t.Context(), in, func(*api.SubscribeOutput) error {
			require.FailNow(t, "it began", want)
			return nil
		})
		require.EqualError(t, err, want)
	}
	in := ordersInput()
	in.TableName = api.Some("silent")
	_, err := d.CreateTable(t.Context(), in)
	require.NoError(t, err)
	err = d.Subscribe(t.Context(), &api.SubscribeInput{TableName: in.TableName}, nil)
	require.EqualError(t, err, "ResourceNotFoundException: "+fmt.Sprintf(api.MsgFeedNoStream, "silent"))
}

// TestSubscribeEnds: with its shard, its table, its caller and the database.
func TestSubscribeEnds(t *testing.T) {
	t.Run("shard", func(t *testing.T) {
		d := openFeeds(t, Options{})
		arn := d.events("NEW_IMAGE")
		in := from(arn, api.StartTrimHorizon)
		in.ShardId = d.describeStream(arn).Shards[0].ShardId
		one, all := subscribe(t, d.DB, in), subscribe(t, d.DB, from(arn, api.StartTrimHorizon))
		d.put(item1("a", "1"))
		require.NoError(t, d.RollStreamShards(t.Context(), arn, 2))
		d.put(item1("a", "2"))
		require.Equal(t, "INSERT a - 1", tell(one.take(1)))
		require.NoError(t, one.end())
		require.Equal(t, "INSERT a - 1\nMODIFY a . 2", strings.ReplaceAll(tell(all.take(2)), " - 2", " . 2"))
	})
	t.Run("table", func(t *testing.T) {
		d := openFeeds(t, Options{})
		all := subscribe(t, d.DB, from(d.events("NEW_IMAGE"), api.StartTrimHorizon))
		d.put(item1("a", "1"))
		_, err := d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("orders")})
		require.NoError(t, err)
		require.Equal(t, "INSERT a - 1", tell(all.take(1)))
		require.NoError(t, all.end())
	})
	t.Run("at once", func(t *testing.T) {
		d := openFeeds(t, Options{})
		arn := d.events("NEW_IMAGE")
		d.put(item1("a", "1"))
		d.disable()
		for start, records := range map[string]int{api.StartTrimHorizon: 1, api.StartLatest: 0} {
			f := subscribe(t, d.DB, from(arn, start))
			f.take(records)
			require.NoError(t, f.end())
		}
		f := subscribe(t, d.DB, &api.SubscribeInput{TableName: api.Some("orders")})
		require.NoError(t, f.end(), "its newest stream is disabled")
	})
	t.Run("caller", func(t *testing.T) {
		d := openFeeds(t, Options{})
		arn := d.events("NEW_IMAGE")
		idle := subscribe(t, d.DB, from(arn, api.StartLatest))
		idle.stop()
		require.ErrorIs(t, idle.end(), context.Canceled)
		d.put(item1("a", "1"))
		ctx, stop := context.WithCancel(t.Context())
		err := d.Subscribe(ctx, from(arn, api.StartTrimHorizon), func(out *api.SubscribeOutput) error {
			if len(out.Records) > 0 {
				stop()
			}
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		for _, when := range []int{0, 1} {
			err = d.Subscribe(t.Context(), from(arn, api.StartTrimHorizon), func(out *api.SubscribeOutput) error {
				if len(out.Records) == when {
					return errEnough
				}
				return nil
			})
			require.Equal(t, errEnough, err, "the error is the caller's own")
		}
	})
	t.Run("database", func(t *testing.T) {
		store, err := lsm.Open("", lsm.Options{InMemory: true})
		require.NoError(t, err)
		db := openSerialWith(t, store, Options{}).DB
		arn := subscribed(t, db)
		idle := subscribe(t, db, from(arn, api.StartLatest))
		busy := subscribe(t, db, from(arn, api.StartTrimHorizon))
		_, err = db.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some(serialTable), Item: serialItem(1, 1)})
		require.NoError(t, err)
		idle.take(1)
		busy.take(1) // before the end: what is not read then is not delivered any more
		require.NoError(t, db.Close())
		for _, f := range []*subscription{idle, busy} {
			err := f.end()
			require.ErrorIs(t, err, storage.ErrClosed)
			require.Equal(t, api.Unavailable, api.CodeOf(err))
		}
	})
}

// TestSubscribeTrimmed: records that go before they are delivered are an error, never a gap; a feed that
// has delivered all goes on, however old its last record.
func TestSubscribeTrimmed(t *testing.T) {
	const shards, items = 4, 40
	synctest.Test(t, func(t *testing.T) {
		d := openFeeds(t, Options{StreamShards: shards, StreamRetention: time.Hour})
		arn := d.events("NEW_IMAGE")
		d.put(item1("a", "1"))
		slow, idle := subscribe(t, d.DB, from(arn, api.StartTrimHorizon)), subscribe(t, d.DB, from(arn, api.StartTrimHorizon))
		var parts []*subscription
		for _, sh := range d.describeStream(arn).Shards {
			in := from(arn, api.StartLatest)
			in.ShardId = sh.ShardId
			parts = append(parts, subscribe(t, d.DB, in))
		}
		idle.take(1)
		synctest.Wait() // slow has the first record in hand, before there is a second that the same delivery could hold
		d.put(item1("a", "2"))
		number := idle.page().Records[0].Dynamodb.SequenceNumber
		synctest.Wait() // one shard has its only record in hand
		d.later(2 * time.Hour)
		s, err := d.served.Load().stream(arn)
		require.NoError(t, err)
		require.NotZero(t, s.Trimmed)
		for i := range items {
			d.put(item1(fmt.Sprint(i), "1"))
		}
		idle.take(items)
		for _, f := range parts {
			require.NotEmpty(t, f.page().Records)
		}
		slow.take(1)
		require.Equal(t, api.TrimmedDataAccess, codeOf(slow.end()))
		in := from(arn, api.StartAfter)
		in.SequenceNumber = number
		err = d.Subscribe(t.Context(), in, nil)
		require.Equal(t, api.TrimmedDataAccess, codeOf(err))

		for range 4 {
			d.later(5 * time.Hour) // shards come and go
			d.put(item1("b", fmt.Sprint(d.now.Load())))
			idle.take(1)
		}
		now, err := d.served.Load().stream(arn)
		require.NoError(t, err)
		require.Nil(t, now.Shard(s.Shards[0].ID))
	})
}

// TestSubscribeAtTheHorizon: what is trimmed before the first record was delivered is no loss, if it was
// there before the feed began.
func TestSubscribeAtTheHorizon(t *testing.T) {
	for _, before := range []bool{true, false} {
		d := openFeeds(t, Options{StreamRetention: time.Hour})
		arn := d.events("NEW_IMAGE")
		d.put(item1("a", "1"))
		var positions []string
		err := d.Subscribe(t.Context(), from(arn, api.StartTrimHorizon), func(out *api.SubscribeOutput) error {
			if positions = append(positions, out.Position); len(positions) > 1 {
				require.Less(t, positions[len(positions)-2], out.Position)
			}
			if len(out.Records) > 0 {
				require.Len(t, out.Records, 1)
				require.Equal(t, "b", out.Records[0].Dynamodb.Keys.Get("pk").Text())
				return errEnough
			}
			if len(positions) == 1 {
				if !before {
					d.put(item1("c", "1"))
				}
				d.later(2 * time.Hour)
				d.put(item1("b", "1"))
			}
			return nil
		})
		if before {
			require.Equal(t, errEnough, err)
		} else {
			require.Equal(t, api.TrimmedDataAccess, codeOf(err))
		}
	}
}

// TestSubscribeWaitsForOlderUpdates: a record whose update is over is held back while an older one is not,
// and delivered when that is over, without another word from anybody.
func TestSubscribeWaitsForOlderUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openFeeds(t, Options{})
		arn := d.events("NEW_IMAGE")
		there := subscribe(t, d.DB, from(arn, api.StartLatest))
		begun, goOn := make(chan struct{}), make(chan struct{})
		go func() {
			named := []storage.Named{{Key: []byte("a key of other work")}}
			_ = d.served.Load().store.Update(t.Context(), named, storage.UpdateOptions{}, func(tx storage.Tx) error {
				tx.Seq()
				close(begun)
				<-goOn
				return nil
			})
		}()
		<-begun
		d.put(item1("a", "1"))
		late := subscribe(t, d.DB, from(arn, api.StartTrimHorizon)) // after the last bell
		synctest.Wait()
		for _, f := range []*subscription{there, late} {
			select {
			case <-f.pages:
				require.FailNow(t, "delivered too early")
			default:
			}
		}
		close(goOn)
		there.take(1)
		late.take(1)
	})
}

// TestSubscribePositions: a position is never ahead of a record that was not delivered, whenever records
// come while a feed begins.
func TestSubscribePositions(t *testing.T) {
	for name, write := range map[string]func(d *feedDB, put func(pk string)){
		// Below the watermark that the feed is about to ask for: it must have heard of them afterwards.
		"before it asks": func(d *feedDB, put func(string)) {
			d.looks.before = func() { put("a"); put("b"); put("c") }
		},
		// Above it, so that only what the bell has heard tells of them.
		"after it asked": func(d *feedDB, put func(string)) {
			d.looks.after = func() { put("a"); put("b"); put("c") }
		},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, late), func(t *testing.T) {
				d := openFeeds(t, Options{})
				in := from(d.events("NEW_IMAGE"), api.StartLatest)
				in.Limit = api.Some[int64](1)
				put := func(pk string) { d.put(item1(pk, "1")) }
				want := []string{"a", "b", "c"}
				if !late { // before there is a listener
					_, err := d.ListStreams(t.Context(), &api.ListStreamsInput{}) // what is due is done
					require.NoError(t, err)
					write(d, put)
					want = append(want, "d")
				}
				var got []string
				position := ""
				require.Equal(t, errEnough, d.Subscribe(t.Context(), in, func(out *api.SubscribeOutput) error {
					if position == "" && late {
						write(d, put)
					} else if position == "" {
						put("d") // the first that the listener hears of
					}
					for _, r := range out.Records {
						require.Less(t, position, r.Dynamodb.SequenceNumber.Value, "who resumed there has lost it")
						got = append(got, r.Dynamodb.NewImage.Get("pk").Text())
					}
					if position = out.Position; len(got) > 0 && got[len(got)-1] == want[len(want)-1] {
						return errEnough
					}
					return nil
				}))
				if name == "before it asks" && !late {
					want = want[3:] // they are not after LATEST
				}
				require.Equal(t, want, got)
			})
		}
	}
}

// TestSubscribeResumesAtTheEnd: the last position of a shard's feed is one of the shard, though it has
// heard of a record of the shard's successor together with the end.
func TestSubscribeResumesAtTheEnd(t *testing.T) {
	d := openFeeds(t, Options{})
	in := from(d.events("NEW_IMAGE"), api.StartLatest)
	in.ShardId = api.Some(d.served.Load().catalog.Streams()[0].Shards[0].ID)
	position := ""
	records := 0
	deliver := func(out *api.SubscribeOutput) error {
		switch records += len(out.Records); {
		case position == "":
			d.put(item1("a", "1"))
		case len(out.Records) > 0:
			d.later(shardAge + time.Minute)
			d.put(item1("b", "1"))
		}
		position = out.Position
		return nil
	}
	require.NoError(t, d.Subscribe(t.Context(), in, deliver))
	require.Equal(t, 1, records)
	in.StartingPosition, in.SequenceNumber = api.Some(api.StartAfter), api.Some(position)
	require.NoError(t, d.Subscribe(t.Context(), in, deliver))
	require.Equal(t, 1, records)
}

// TestSubscribeHearsEveryWriter: single writes, batches, transactions, statements and the sweeper.
func TestSubscribeHearsEveryWriter(t *testing.T) {
	d := openFeeds(t, Options{})
	arn := d.events("KEYS_ONLY")
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	f := subscribe(t, d.DB, from(arn, api.StartLatest))
	table := api.Some("orders")
	d.put(d.mortalAt("a", d.now.Load()/1000+60))
	require.Equal(t, "INSERT a - -", tell(f.take(1)))
	d.later(2 * time.Minute)
	require.Equal(t, "REMOVE a - - by dynamodb.amazonaws.com Service", tell(f.take(1)))
	_, err := d.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{
		Key: "orders", Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: d.build(item1("b", "1"))}}},
	}}})
	require.NoError(t, err)
	require.Equal(t, "INSERT b - -", tell(f.take(1)))
	_, err = d.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: table, Item: d.build(item1("c", "1"))}},
		{Put: &api.Put{TableName: table, Item: d.build(item1("d", "1"))}},
	}})
	require.NoError(t, err)
	require.Equal(t, "INSERT c - -\nINSERT d - -", tell(f.take(2)))
	_, err = d.ExecuteStatement(t.Context(), &api.ExecuteStatementInput{
		Statement: api.Some(`DELETE FROM orders WHERE pk='c' AND sk=1`),
	})
	require.NoError(t, err)
	require.Equal(t, "REMOVE c - -", tell(f.take(1)))
}

// mortalAt is an item that ends at a time, in seconds since 1970.
func (d *feedDB) mortalAt(pk string, at int64) *attr.Builder {
	return attr.NewItem().S("pk", pk).N("sk", "1").N("ttl", fmt.Sprint(at))
}

// TestSubscribeAfterReopening: a position holds beyond the life of the process, and what was written before
// is there without a word from anybody.
func TestSubscribeAfterReopening(t *testing.T) {
	const rounds, writes, read = 3, 3, 2
	path := filepath.Join(t.TempDir(), "db")
	in := new(api.SubscribeInput)
	got := 0
	take := func(db *DB, n int) {
		n += got
		in.Limit = api.Some[int64](1)
		require.Equal(t, errEnough, db.Subscribe(t.Context(), in, func(out *api.SubscribeOutput) error {
			in.StartingPosition, in.SequenceNumber = api.Some(api.StartAfter), api.Some(out.Position)
			for _, r := range out.Records {
				require.Equal(t, fmt.Sprint("k", got), r.Dynamodb.Keys.Get("pk").Text())
				got++
			}
			if got == n {
				return errEnough
			}
			return nil
		}))
	}
	for round := range rounds {
		store, err := lsm.Open(path, lsm.Options{})
		require.NoError(t, err)
		db := openSerialWith(t, store, Options{}).DB
		if round == 0 {
			in = from(subscribed(t, db), api.StartTrimHorizon)
		} else {
			take(db, writes-read)
		}
		for i := range writes {
			_, err := db.PutItem(t.Context(), &api.PutItemInput{
				TableName: api.Some(serialTable), Item: serialItem(got+i, 1),
			})
			require.NoError(t, err)
		}
		take(db, read)
		require.NoError(t, db.Close())
	}
}
