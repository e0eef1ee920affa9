package api

import (
	"context"
	"time"
)

// Feeder is the change feed of a table: what its stream holds and gets, pushed. No operation of the
// wire stands for it; the native doors have it.
type Feeder interface {
	// Subscribe delivers the records of a stream in the order of their sequence numbers, each once,
	// first those that are there and then those that come, until ctx ends, deliver fails (its error is
	// returned unchanged), or the stream is disabled and all its records are delivered (nil).
	//
	// The first call of deliver comes at once, without records: it tells where the feed begins, so that
	// everything written after it will be delivered. Deliver is called from one goroutine at a time and
	// may block: nothing is read ahead of it but one page. The output is deliver's for the time of the
	// call; its items are the caller's to keep.
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
// stands for its present one.
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
	// Timestamp of StartAtTimestamp: the feed begins with the first record that is not older.
	Timestamp Opt[time.Time]
	// Limit is the most records of one delivery: 1 to SubscribeLimitMax.
	Limit Opt[int64]
}

// SubscribeOutput is one delivery.
type SubscribeOutput struct {
	Records []FeedRecord
	// Position is where to resume after this delivery, with StartAfter: everything up to it was
	// delivered.
	Position string
}

// FeedRecord is a record and its shard.
type FeedRecord struct {
	Record
	ShardId string
}
