package engine

import (
	"context"
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
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// follower reads a stream as consumers do: page after page, a shard only when its parent is read to
// its end. What it has read grows in order for each item.
type follower struct {
	db      *DB
	arn     string
	next    map[string]string // iterators of shards that are being read; empty once at the end
	changes map[string][]api.Record
	events  map[string]bool
	last    map[string]string // sequence number last seen, by shard
	broken  error             // what no stream may do
}

func followStream(db *DB, arn string) *follower {
	return &follower{
		db: db, arn: arn, next: map[string]string{}, changes: map[string][]api.Record{},
		events: map[string]bool{}, last: map[string]string{},
	}
}

// shards lists all shards, in pages of two.
func (f *follower) shards(ctx context.Context) ([]api.Shard, error) {
	var shards []api.Shard
	in := &api.DescribeStreamInput{StreamArn: api.Some(f.arn), Limit: api.Some[int64](2)}
	for {
		out, err := f.db.DescribeStream(ctx, in)
		if err != nil {
			return nil, err
		}
		shards = append(shards, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; !in.ExclusiveStartShardId.Set {
			return shards, nil
		}
	}
}

// step reads one page of every shard whose turn it is, and says whether there was any record, and
// whether a shard came to its end.
func (f *follower) step(ctx context.Context) (more bool, err error) {
	shards, err := f.shards(ctx)
	if err != nil {
		return false, err
	}
	for _, sh := range shards {
		id := sh.ShardId.Value
		it, known := f.next[id]
		if parent := sh.ParentShardId; !known && parent.Set && f.reading(parent.Value) {
			continue
		}
		if !known {
			out, err := f.db.GetShardIterator(ctx, &api.GetShardIteratorInput{
				StreamArn: api.Some(f.arn), ShardId: api.Some(id), ShardIteratorType: api.Some("TRIM_HORIZON"),
			})
			if err != nil {
				return false, err
			}
			it = out.ShardIterator.Value
		} else if it == "" {
			continue
		}
		out, err := f.db.GetRecords(ctx, &api.GetRecordsInput{ShardIterator: api.Some(it), Limit: api.Some[int64](7)})
		if err != nil {
			return false, err
		}
		f.next[id] = out.NextShardIterator.Value
		more = more || len(out.Records) > 0 || !out.NextShardIterator.Set
		f.take(id, out.Records)
	}
	return more, nil
}

// reading says whether a shard is known to have an end that is not reached, or is not begun.
func (f *follower) reading(id string) bool {
	it, known := f.next[id]
	return !known || it != ""
}

// take checks the records of one shard and adds them to their items.
func (f *follower) take(shard string, records []api.Record) {
	for _, r := range records {
		number := r.Dynamodb.SequenceNumber.Value
		switch {
		case f.events[r.EventID.Value]:
			f.broken = fmt.Errorf("event %s twice", r.EventID.Value)
		case number <= f.last[shard]:
			f.broken = fmt.Errorf("shard %s: %s after %s", shard, number, f.last[shard])
		}
		f.events[r.EventID.Value], f.last[shard] = true, number
		pk := r.Dynamodb.Keys.Get("pk").Text()
		f.changes[pk] = append(f.changes[pk], r)
	}
}

// check wants an unbroken chain for an item: what one record leaves, the next one finds, and the
// last one leaves what is there.
func (f *follower) check(t *testing.T, pk string, now attr.Item) {
	t.Helper()
	var state attr.Item
	for i, r := range f.changes[pk] {
		require.True(t, attr.EqualItems(state, r.Dynamodb.OldImage), "%s: record %d does not find what the one before left", pk, i)
		state = r.Dynamodb.NewImage
		require.Equal(t, state == nil, r.EventName.Value == "REMOVE")
	}
	require.True(t, attr.EqualItems(state, now), "%s: the last of %d records leaves another item", pk, len(f.changes[pk]))
}

// churn changes items in all ways at once. Errors of a store that fails are as good as answers: the
// stream must tell what is there either way.
func churn(ctx context.Context, db *DB, rnd *rand.Rand, items int) {
	key := func() attr.Item { return serialKey(rnd.IntN(items)) }
	table := api.Some(serialTable)
	put := func() attr.Item {
		return key().With("v", attr.Int(int64(rnd.IntN(3))))
	}
	add := []api.NamedValue{{Placeholder: ":v", Value: attr.Int(1)}}
	switch rnd.IntN(5) {
	case 0:
		_, _ = db.PutItem(ctx, &api.PutItemInput{TableName: table, Item: put()})
	case 1:
		_, _ = db.DeleteItem(ctx, &api.DeleteItemInput{TableName: table, Key: key()})
	case 2:
		_, _ = db.UpdateItem(ctx, &api.UpdateItemInput{
			TableName: table, Key: key(), UpdateExpression: api.Some("ADD n :v"), ExpressionAttributeValues: add,
		})
	case 3:
		_, _ = db.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{
			Key: serialTable, Value: []api.WriteRequest{
				{PutRequest: &api.PutRequest{Item: put()}}, {DeleteRequest: &api.DeleteRequest{Key: key()}},
			},
		}}})
	case 4:
		_, _ = db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
			{Put: &api.Put{TableName: table, Item: put()}},
			{Update: &api.Update{
				TableName: table, Key: key(), UpdateExpression: api.Some("ADD n :v"), ExpressionAttributeValues: add,
			}},
		}})
	}
}

// TestStreamOrder: while writers change few items, shards are closed and consumers read along, every
// shard tells each item's changes in order, completely, nothing twice. A consumer that comes later
// reads the same.
func TestStreamOrder(t *testing.T) {
	const writers, items, rounds, rolls, shards = 6, 5, 120, 4, 3
	for name, open := range serialStores() {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			db := openSerialWith(t, open(t, 7), Options{StreamShards: shards}).DB
			var arn string
			settled(t, func() error {
				out, err := db.UpdateTable(ctx, &api.UpdateTableInput{
					TableName: api.Some(serialTable), StreamSpecification: &api.StreamSpecification{
						StreamEnabled: api.Some(true), StreamViewType: api.Some(stream.ViewBoth),
					},
				})
				if err == nil {
					arn = out.TableDescription.LatestStreamArn.Value
				}
				return err
			})
			var wg sync.WaitGroup
			var running atomic.Int64
			for w := range writers {
				running.Add(1)
				wg.Go(func() {
					defer running.Add(-1)
					rnd := rand.New(rand.NewPCG(11, uint64(w)))
					for i := range rounds {
						churn(ctx, db, rnd, items)
						if w == 0 && i%(rounds/rolls) == 0 {
							_ = db.RollStreamShards(ctx, arn, 1+i/(rounds/rolls)%2)
						}
					}
				})
			}
			along := followStream(db, arn)
			for running.Load() > 0 {
				settled(t, func() error { _, err := along.step(ctx); return err })
				runtime.Gosched() // or the writers come no further on one processor
			}
			wg.Wait()
			finish(t, db, arn)
			later := followStream(db, arn)
			for _, f := range []*follower{along, later} {
				for more := true; more; {
					settled(t, func() (err error) { more, err = f.step(ctx); return err })
				}
				require.NoError(t, f.broken)
				for i := range items {
					f.check(t, fmt.Sprint("k", i), db.itemNow(t, serialKey(i)))
				}
			}
			require.Equal(t, along.changes, later.changes)
			require.Greater(t, len(later.events), rounds)
			require.Greater(t, len(later.next), shards)
		})
	}
}

// finish closes all shards and waits until nothing can appear in them any more.
func finish(t *testing.T, db *DB, arn string) {
	t.Helper()
	settled(t, func() error { return db.RollStreamShards(t.Context(), arn, 1) })
	s, err := db.served.Load().stream(arn)
	require.NoError(t, err)
	var last uint64
	for i := range s.Shards {
		last = max(last, s.Shards[i].Last)
	}
	_, err = db.served.Load().store.Watermark(t.Context(), storage.Seq(last-1))
	require.NoError(t, err)
}

// itemNow reads an item.
func (db *DB) itemNow(t *testing.T, key attr.Item) (item attr.Item) {
	t.Helper()
	settled(t, func() error {
		out, err := db.GetItem(t.Context(), &api.GetItemInput{
			TableName: api.Some(serialTable), Key: key, ConsistentRead: api.Some(true),
		})
		if err == nil {
			item = out.Item
		}
		return err
	})
	return item
}

// TestStreamBoundaries: a stream that is enabled and disabled while writers run tells an unbroken
// chain of each item's changes, with all that was written between the two answers and nothing from
// outside of them.
func TestStreamBoundaries(t *testing.T) {
	const writers, items, streams = 4, 4, 6
	for _, name := range []string{"lsm", "hostile"} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			db := openSerialWith(t, serialStores()[name](t, 7), Options{StreamShards: 2}).DB
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(13, uint64(w)))
					for {
						select {
						case <-stop:
							return
						default:
							churn(ctx, db, rnd, items)
						}
					}
				})
			}
			set := func(on bool) string {
				spec := &api.StreamSpecification{StreamEnabled: api.Some(on)}
				if on {
					spec.StreamViewType = api.Some(stream.ViewBoth)
				}
				out, err := db.UpdateTable(ctx, &api.UpdateTableInput{TableName: api.Some(serialTable), StreamSpecification: spec})
				require.NoError(t, err)
				return out.TableDescription.LatestStreamArn.Value
			}
			mark := func(text string) {
				_, err := db.PutItem(ctx, &api.PutItemInput{
					TableName: api.Some(serialTable), Item: serialKey(items).With("v", attr.String(text)),
				})
				require.NoError(t, err)
			}
			var arns []string
			for i := range streams {
				mark(fmt.Sprint("before ", i))
				arns = append(arns, set(true))
				mark(fmt.Sprint("first ", i))
				for range 20 {
					churn(ctx, db, rand.New(rand.NewPCG(17, uint64(i))), items)
				}
				mark(fmt.Sprint("last ", i))
				set(false)
			}
			close(stop)
			wg.Wait()
			for i, arn := range arns {
				f := followStream(db, arn)
				for more := true; more; {
					var err error
					more, err = f.step(ctx)
					require.NoError(t, err)
				}
				require.NoError(t, f.broken)
				require.NotEmpty(t, f.next)
				for _, it := range f.next {
					require.Empty(t, it, "a disabled stream has an end")
				}
				for pk, changes := range f.changes {
					for k := 1; k < len(changes); k++ {
						require.True(t, attr.EqualItems(changes[k-1].Dynamodb.NewImage, changes[k].Dynamodb.OldImage),
							"%s of stream %d: record %d", pk, i, k)
					}
				}
				var marks []string
				for _, r := range f.changes[fmt.Sprint("k", items)] {
					marks = append(marks, r.Dynamodb.NewImage.Get("v").Text())
				}
				require.Equal(t, []string{fmt.Sprint("first ", i), fmt.Sprint("last ", i)}, marks)
			}
		})
	}
}

// TestStreamTrimsBesideReaders: what is trimmed while a page is read is missing at its beginning or
// reported, never in the middle.
func TestStreamTrimsBesideReaders(t *testing.T) {
	const writes, readers = 300, 3
	for _, name := range []string{"lsm", "hostile"} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			var now atomic.Int64
			now.Store(1_800_000_000_000)
			db := openSerialWith(t, serialStores()[name](t, 7), Options{
				StreamRetention: tendsPerRetention * time.Millisecond,
				Clock:           func() time.Time { return time.UnixMilli(now.Load()) },
			}).DB
			out, err := db.UpdateTable(ctx, &api.UpdateTableInput{
				TableName: api.Some(serialTable), StreamSpecification: &api.StreamSpecification{
					StreamEnabled: api.Some(true), StreamViewType: api.Some(stream.ViewBoth),
				},
			})
			require.NoError(t, err)
			arn := out.TableDescription.LatestStreamArn.Value
			d, err := db.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: api.Some(arn)})
			require.NoError(t, err)
			shard := d.StreamDescription.Shards[0].ShardId
			done := make(chan struct{})
			var wg sync.WaitGroup
			for range readers {
				wg.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						if err := readWhole(ctx, db, arn, shard.Value); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for i := range writes {
				_, err := db.PutItem(ctx, &api.PutItemInput{
					TableName: api.Some(serialTable), Item: serialKey(0).With("v", attr.Int(int64(i))),
				})
				require.NoError(t, err)
				now.Add(3)
				require.NoError(t, db.served.Load().tendStreams(ctx))
			}
			close(done)
			wg.Wait()
			s, err := db.served.Load().stream(arn)
			require.NoError(t, err)
			require.NotZero(t, s.Trimmed)
		})
	}
}

// readWhole reads a shard of one item page by page; each record must find what the one before left.
func readWhole(ctx context.Context, db *DB, arn, shard string) error {
	it, err := db.GetShardIterator(ctx, &api.GetShardIteratorInput{
		StreamArn: api.Some(arn), ShardId: api.Some(shard), ShardIteratorType: api.Some("TRIM_HORIZON"),
	})
	if err != nil {
		return err
	}
	next, state, read := it.ShardIterator, attr.Item(nil), 0
	for {
		out, err := db.GetRecords(ctx, &api.GetRecordsInput{ShardIterator: next, Limit: api.Some[int64](20)})
		if codeOf(err) == api.TrimmedDataAccess {
			return nil
		}
		if err != nil || len(out.Records) == 0 {
			return err
		}
		for _, r := range out.Records {
			if read > 0 && !attr.EqualItems(state, r.Dynamodb.OldImage) {
				return fmt.Errorf("a gap before record %d, %s", read, r.Dynamodb.SequenceNumber.Value)
			}
			state = r.Dynamodb.NewImage
			read++
		}
		next = out.NextShardIterator
		runtime.Gosched() // or the writer comes no further on few processors
	}
}
