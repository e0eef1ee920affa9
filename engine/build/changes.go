package build

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// Changes is what happens to the items of a table, read from its stream: what the stream holds and then,
// without end, what comes.
type Changes struct {
	client *Client
	in     api.SubscribeInput
}

// Changes begins to follow the changes of the table, whose stream must be enabled, from now on. It needs
// a service that is an api.Feeder, as the embedded database and the gRPC client are.
func (t *Table) Changes() *Changes {
	x := &Changes{client: t.client}
	x.in.TableName = api.Some(t.name)
	x.in.StartingPosition = api.Some(api.StartLatest)
	return x
}

// FromStart begins with the oldest record that the stream holds.
func (x *Changes) FromStart() *Changes { return x.from(api.StartTrimHorizon, "") }

// After resumes behind a position: the sequence number of a record, or the Position of a delivery. A
// program that stores it when it is done with a record and goes on after it misses none and, but for a
// crash between the two, sees none again.
func (x *Changes) After(position string) *Changes { return x.from(api.StartAfter, position) }

// At begins with the record of that sequence number.
func (x *Changes) At(sequenceNumber string) *Changes { return x.from(api.StartAt, sequenceNumber) }

// Since begins with the first record that is not older.
func (x *Changes) Since(moment time.Time) *Changes {
	x.from(api.StartAtTimestamp, "")
	x.in.Timestamp = api.Some(moment)
	return x
}

func (x *Changes) from(position, sequenceNumber string) *Changes {
	x.in.StartingPosition = api.Some(position)
	x.in.SequenceNumber = api.Opt[string]{Value: sequenceNumber, Set: sequenceNumber != ""}
	x.in.Timestamp = api.Opt[time.Time]{}
	return x
}

// Shard follows one shard only, until it is closed. Without it all shards are, as one sequence.
func (x *Changes) Shard(id string) *Changes {
	x.in.ShardId = api.Some(id)
	return x
}

// PageSize bounds the records of one delivery: 1 to api.SubscribeLimitMax.
func (x *Changes) PageSize(n int) *Changes {
	x.in.Limit = api.Some(int64(n))
	return x
}

// errBreak ends a subscription whose loop was left.
var errBreak = errors.New("build: the loop over changes was left")

// msgNoFeed: the service pushes no changes.
const msgNoFeed = "build: this service has no change feed: read its stream by GetRecords"

// Deliveries goes through the changes in deliveries as the service makes them. The first comes at once and
// has no records: what is written after it will be delivered. Each is the loop's for one turn; its items
// are the caller's to keep. The sequence ends when the stream is disabled and read to its end, and with
// the first error: that of ctx, in most cases. Nothing is read ahead but one page, and nothing runs on
// when the loop is left.
func (x *Changes) Deliveries(ctx context.Context) iter.Seq2[*api.SubscribeOutput, error] {
	return func(yield func(*api.SubscribeOutput, error) bool) {
		feeder, ok := x.client.service.(api.Feeder)
		if !ok {
			yield(nil, api.Errorf(api.UnknownOperation, msgNoFeed))
			return
		}
		in, left := x.in, false
		// The feed runs within the loop: a break makes deliver fail, and Subscribe returns.
		err := feeder.Subscribe(ctx, &in, func(out *api.SubscribeOutput) error {
			if left = !yield(out, nil); left {
				return errBreak
			}
			return nil
		})
		if err != nil && !left {
			yield(nil, err)
		}
	}
}

// Records goes through the changes one by one, in the order of their sequence numbers, each once; see
// Deliveries for the rest.
func (x *Changes) Records(ctx context.Context) iter.Seq2[api.FeedRecord, error] {
	return func(yield func(api.FeedRecord, error) bool) {
		for out, err := range x.Deliveries(ctx) {
			if err != nil {
				yield(api.FeedRecord{}, err)
				return
			}
			for i := range out.Records {
				if !yield(out.Records[i], nil) {
					return
				}
			}
		}
	}
}
