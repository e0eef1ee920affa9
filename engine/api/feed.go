package api

import (
	"context"
	"time"
)

// Feeder is the change feed of a table: what its stream holds and gets, pushed. No operation of the
// wire stands for it; the native doors have it.
type Feeder interface {
	// Subscribe delivers the records of a stream in the order of their sequence numbers, each once,
	// first those that are there and then those that come, until ctx ends (its error), deliver fails (its
	// error is returned unchanged), or the stream is disabled or its table deleted and all its records are
	// delivered (nil). A feed of one shard also ends with the shard. When the database is closed it ends
	// with an error of code Unavailable.
	//
	// The first call of deliver comes at once, without records: it tells where the feed begins, so that
	// everything written after it will be delivered. Others without records may follow; they move the
	// position on. Deliver is called from one goroutine at a time and may block: nothing is read ahead
	// of it, and a delivery holds at most SubscribeInput.Limit records, of 1 MiB together unless it is
	// one. The output is the receiver's to keep.
	//
	// A record that is written is delivered when its write and all that were under way before it are over.
	// A feed that has nothing to deliver costs nothing until a record comes for it. It learns of the
	// writes of its own process only.
	//
	// Errors are those of DescribeStream and GetShardIterator: ResourceNotFound, TrimmedDataAccess when
	// the records after the start are no longer kept, or stop being kept before they are delivered.
	Subscribe(ctx context.Context, in *SubscribeInput, deliver func(*SubscribeOutput) error) error
}

// Values of SubscribeInput.StartingPosition.
const (
	StartTrimHorizon = "TRIM_HORIZON"
	StartLatest      = "LATEST"
	StartAt          = "AT_SEQUENCE_NUMBER"
	StartAfter       = "AFTER_SEQUENCE_NUMBER"
	StartAtTimestamp = "AT_TIMESTAMP"
)

// Bounds of SubscribeInput.Limit.
const (
	SubscribeLimitMax     = 1000
	SubscribeLimitDefault = 100
)

// SubscribeInput says which changes are wanted. Either StreamArn or TableName names the stream; a table
// stands for its newest one, which may be disabled.
type SubscribeInput struct {
	StreamArn Opt[string]
	TableName Opt[string]
	// ShardId restricts the feed to one shard; it ends with the shard. Without it the feed has all
	// shards, merged.
	ShardId Opt[string]
	// StartingPosition is one of the constants above; LATEST when absent.
	StartingPosition Opt[string]
	// SequenceNumber of StartAt and StartAfter. It need not be a record's: SubscribeOutput.Position is
	// one too.
	SequenceNumber Opt[string]
	// Timestamp of StartAtTimestamp: the feed begins with the first record that is not older, in
	// milliseconds, though later ones may be a little older again. A time to come is as good as now.
	Timestamp Opt[time.Time]
	// Limit is the most records of one delivery: 1 to SubscribeLimitMax, SubscribeLimitDefault when absent.
	Limit Opt[int64]
}

// SubscribeOutput is one delivery.
type SubscribeOutput struct {
	Records []FeedRecord
	// Position is where to resume after this delivery, with StartAfter: everything up to it was
	// delivered. It is as good as a sequence number, and often behind that of the last record.
	Position string
}

// FeedRecord is a record and its shard.
type FeedRecord struct {
	Record
	ShardId string
}
