package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/stream"
)

// diary is what one feed delivered.
type diary struct {
	records []api.FeedRecord
	// positions are those of the deliveries, with the number of records up to there.
	positions []place
	err       error
}

type place struct {
	position string
	records  int
}

// keep runs a feed to its end and notes everything.
func (d *diary) keep(ctx context.Context, db *DB, in *api.SubscribeInput) {
	d.err = db.Subscribe(ctx, in, func(out *api.SubscribeOutput) error {
		d.records = append(d.records, out.Records...)
		d.positions = append(d.positions, place{out.Position, len(d.records)})
		return nil
	})
}

// sequences are the sequence numbers, in order.
func sequences(records []api.FeedRecord) []string {
	list := make([]string, len(records))
	for i := range records {
		list[i] = records[i].Dynamodb.SequenceNumber.Value
	}
	return list
}

// byNumber is all that GetRecords has of a stream, merged.
func byNumber(t *testing.T, db *DB, arn string) (all []api.FeedRecord) {
	t.Helper()
	s, err := db.served.Load().stream(arn)
	require.NoError(t, err)
	for i := range s.Shards {
		it := stream.Iterator{ARN: arn, Shard: s.Shards[i].ID}
		for end := false; !end; {
			page, err := db.served.Load().readShard(t.Context(), &it, 50)
			require.NoError(t, err)
			for _, r := range db.served.Load().describeRecords(&page, arn) {
				all = append(all, api.FeedRecord{Record: r, ShardId: it.Shard})
			}
			end, it.At = page.End, page.Next
		}
	}
	slices.SortFunc(all, func(a, b api.FeedRecord) int {
		return strings.Compare(a.Dynamodb.SequenceNumber.Value, b.Dynamodb.SequenceNumber.Value)
	})
	return all
}

// subscribed is a table with a stream of several shards.
func subscribed(t *testing.T, db *DB) (arn string) {
	t.Helper()
	settled(t, func() error {
		out, err := db.UpdateTable(t.Context(), &api.UpdateTableInput{
			TableName: api.Some(serialTable), StreamSpecification: &api.StreamSpecification{
				StreamEnabled: api.Some(true), StreamViewType: api.Some(stream.ViewBoth),
			},
		})
		if err == nil {
			arn = out.TableDescription.LatestStreamArn.Value
		}
		return err
	})
	return arn
}

// unsubscribe disables the stream, which ends its feeds.
func unsubscribe(t *testing.T, db *DB, arn string) {
	t.Helper()
	settled(t, func() error {
		s, err := db.served.Load().stream(arn)
		if err != nil || s.ClosedMs != 0 {
			return err
		}
		_, err = db.UpdateTable(t.Context(), &api.UpdateTableInput{
			TableName: api.Some(serialTable), StreamSpecification: &api.StreamSpecification{StreamEnabled: api.Some(false)},
		})
		return err
	})
}

// TestSubscribeOrder: while writers change few items and shards are closed and split, feeds that were
// there from the beginning deliver what GetRecords has, in order, each once; one that comes later
// delivers the end of it. From every position that they told, another one goes on exactly.
func TestSubscribeOrder(t *testing.T) {
	const writers, items, rounds, rolls = 4, 5, 60, 3
	for name, open := range serialStores() {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			db := openSerialWith(t, open(t, 7), Options{StreamShards: 3}).DB
			arn := subscribed(t, db)
			s, err := db.served.Load().stream(arn)
			require.NoError(t, err)
			var feeds sync.WaitGroup
			follow := func(in *api.SubscribeInput) *diary {
				d := new(diary)
				feeds.Go(func() { d.keep(ctx, db, in) })
				return d
			}
			whole := from(arn, api.StartTrimHorizon)
			small := from(arn, api.StartTrimHorizon)
			small.Limit = api.Some[int64](2)
			all, bits := follow(whole), follow(small)
			parts, shards := map[string]*api.SubscribeInput{}, map[string]*diary{}
			for i := range s.Shards {
				id, in := s.Shards[i].ID, from(arn, api.StartTrimHorizon)
				in.ShardId = api.Some(id)
				parts[id], shards[id] = in, follow(in)
			}
			var late atomic.Pointer[diary]

			var work sync.WaitGroup
			for w := range writers {
				work.Go(func() {
					rnd := rand.New(rand.NewPCG(19, uint64(w)))
					for i := range rounds {
						churn(ctx, db, rnd, items)
						if w == 0 && i%(rounds/rolls) == 0 {
							_ = db.RollStreamShards(ctx, arn, 1+i/(rounds/rolls)%2)
						}
						if w == 1 && i == rounds/2 {
							late.Store(follow(from(arn, api.StartLatest)))
						}
					}
				})
			}
			work.Wait()
			unsubscribe(t, db, arn)
			feeds.Wait()

			want := byNumber(t, db, arn)
			require.Greater(t, len(want), rounds)
			for _, d := range []*diary{all, bits} {
				require.NoError(t, d.err)
				require.Equal(t, sequences(want), sequences(d.records))
				require.Equal(t, want, d.records)
			}
			for id, d := range shards {
				require.NoError(t, d.err)
				require.Equal(t, sequences(slices.DeleteFunc(slices.Clone(want), func(r api.FeedRecord) bool {
					return r.ShardId != id
				})), sequences(d.records))
			}
			end := late.Load()
			require.NoError(t, end.err)
			missed := len(want) - len(end.records)
			require.Equal(t, sequences(want[missed:]), sequences(end.records))
			if missed > 0 { // an update that began before all others, and is not over, has it begin before them
				require.Greater(t, end.positions[0].position, sequences(want)[missed-1])
			}

			resume := func(d *diary, in *api.SubscribeInput) {
				places := append([]place(nil), d.positions...)
				for i, r := range d.records {
					places = append(places, place{r.Dynamodb.SequenceNumber.Value, i + 1})
				}
				for _, at := range places {
					in.StartingPosition, in.SequenceNumber = api.Some(api.StartAfter), api.Some(at.position)
					again := new(diary)
					again.keep(ctx, db, in)
					require.NoError(t, again.err)
					require.Equal(t, sequences(d.records[at.records:]), sequences(again.records), "after %s", at.position)
				}
			}
			resume(bits, whole)
			for id, d := range shards {
				resume(d, parts[id])
			}
		})
	}
}

// TestSubscribeMissesNothing: a feed that begins while a record is written delivers it, whatever comes
// first.
func TestSubscribeMissesNothing(t *testing.T) {
	const rounds = 100
	for name, open := range serialStores() {
		t.Run(name, func(t *testing.T) {
			db := openSerialWith(t, open(t, 7), Options{StreamShards: 2}).DB
			arn := subscribed(t, db)
			next := from(arn, api.StartTrimHorizon)
			for i := range rounds {
				var writing sync.WaitGroup
				writing.Go(func() {
					settled(t, func() error {
						_, err := db.PutItem(t.Context(), &api.PutItemInput{
							TableName: api.Some(serialTable), Item: serialItem(i, 1),
						})
						return err
					})
				})
				met := false
				err := db.Subscribe(t.Context(), next, func(out *api.SubscribeOutput) error {
					next = from(arn, api.StartAfter)
					next.SequenceNumber = api.Some(out.Position)
					for _, r := range out.Records {
						require.Equal(t, fmt.Sprint("k", i), r.Dynamodb.Keys.Get("pk").Text())
						met = true
					}
					if met {
						return errEnough
					}
					return nil
				})
				require.ErrorIs(t, err, errEnough)
				writing.Wait()
			}
		})
	}
}
