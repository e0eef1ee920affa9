package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
	"github.com/keystone-db/kstone/engine/validate"
)

const (
	// streamsPage is the page size of ListStreams and DescribeStream when none is given.
	streamsPage = 100
	// iteratorLife is how long a shard iterator holds.
	iteratorLife = 15 * time.Minute
	// shardChildrenMax is into how many children a shard can be split.
	shardChildrenMax = 2
)

// Constants of every record (wire-facts §7.4).
const (
	eventVersion     = "1.1"
	eventSource      = "aws:dynamodb"
	servicePrincipal = "dynamodb.amazonaws.com"
	serviceType      = "Service"
)

// streamARN is the ARN of a stream of this database.
func (db *core) streamARN(s *schema.Stream) string {
	return db.tableARN(catalog.StreamPath(s.Table, s.Label))
}

// stream finds the stream of an ARN that was checked.
func (db *core) stream(arn string) (*schema.Stream, error) {
	path, _ := validate.Stream(arn)
	s := db.catalog.Stream(path)
	if s == nil {
		return nil, api.Errorf(api.ResourceNotFound, api.MsgStreamNotFound, arn)
	}
	return s, nil
}

// ListStreams answers all streams, or those of one table, by ARN. A table that is not there has
// none: unsure, the sheet does not say.
func (db *core) ListStreams(ctx context.Context, in *api.ListStreamsInput) (*api.ListStreamsOutput, error) {
	if err := validate.ListStreams(in, db.rules); err != nil {
		return nil, err
	}
	db.lookAfterStreams(ctx)
	out := &api.ListStreamsOutput{Streams: []api.Stream{}}
	limit := int(in.Limit.Or(streamsPage))
	after, _ := validate.Stream(in.ExclusiveStartStreamArn.Value)
	for _, s := range db.catalog.Streams() {
		if in.TableName.Set && s.Table != tableName(in.TableName.Value) ||
			catalog.StreamPath(s.Table, s.Label) <= after {
			continue
		}
		if len(out.Streams) == limit {
			out.LastEvaluatedStreamArn = out.Streams[limit-1].StreamArn
			break
		}
		out.Streams = append(out.Streams, api.Stream{
			StreamArn: api.Some(db.streamARN(s)), TableName: api.Some(s.Table),
			StreamLabel: api.Some(s.Label),
		})
	}
	return out, nil
}

// DescribeStream answers a stream and its shards, in order of their ids.
func (db *core) DescribeStream(ctx context.Context, in *api.DescribeStreamInput) (*api.DescribeStreamOutput, error) {
	if err := validate.DescribeStream(in, db.rules); err != nil {
		return nil, err
	}
	db.lookAfterStreams(ctx)
	s, err := db.stream(in.StreamArn.Value)
	if err != nil {
		return nil, err
	}
	d := &api.StreamDescription{
		StreamArn: api.Some(db.streamARN(s)), StreamLabel: api.Some(s.Label),
		StreamStatus: api.Some(db.streamStatus(s)), StreamViewType: api.Some(s.View),
		CreationRequestDateTime: fromMillis(s.CreatedMs), TableName: api.Some(s.Table),
		KeySchema: keySchema(&s.Key), Shards: []api.Shard{},
	}
	limit := int(in.Limit.Or(streamsPage))
	for _, sh := range shardsByID(s) {
		if sh.ID <= in.ExclusiveStartShardId.Value && in.ExclusiveStartShardId.Set ||
			in.ShardFilter != nil && sh.Parent != in.ShardFilter.ShardId.Value {
			continue
		}
		if len(d.Shards) == limit {
			d.LastEvaluatedShardId = d.Shards[limit-1].ShardId
			break
		}
		d.Shards = append(d.Shards, describeShard(s, &sh))
	}
	return &api.DescribeStreamOutput{StreamDescription: d}, nil
}

// streamStatus lingers in its passing states as tables do. The stream works meanwhile.
func (db *core) streamStatus(s *schema.Stream) string {
	passing := func(sinceMs int64) bool {
		return db.exec.Now().UnixMilli()-sinceMs < db.opts.TableDelay.Milliseconds()
	}
	switch {
	case s.ClosedMs != 0 && passing(s.ClosedMs):
		return api.StreamStatusDisabling
	case s.ClosedMs != 0:
		return api.StreamStatusDisabled
	case passing(s.CreatedMs):
		return api.StreamStatusEnabling
	}
	return api.StreamStatusEnabled
}

func shardsByID(s *schema.Stream) []schema.Shard {
	shards := s.Clone().Shards
	slices.SortFunc(shards, func(a, b schema.Shard) int { return strings.Compare(a.ID, b.ID) })
	return shards
}

func describeShard(s *schema.Stream, sh *schema.Shard) api.Shard {
	first := stream.First(s, sh)
	d := api.Shard{
		ShardId: api.Some(sh.ID),
		SequenceNumberRange: &api.SequenceNumberRange{
			StartingSequenceNumber: api.Some(first.String()),
		},
	}
	if sh.Parent != "" {
		d.ParentShardId = api.Some(sh.Parent)
	}
	if !sh.Open() {
		last := stream.Position{Seq: storage.Seq(sh.Last)}
		d.SequenceNumberRange.EndingSequenceNumber = api.Some(last.String())
	}
	return d
}

// GetShardIterator answers a place to read from.
func (db *core) GetShardIterator(ctx context.Context, in *api.GetShardIteratorInput) (*api.GetShardIteratorOutput, error) {
	if err := validate.GetShardIterator(in, db.rules); err != nil {
		return nil, err
	}
	db.lookAfterStreams(ctx)
	s, err := db.stream(in.StreamArn.Value)
	if err != nil {
		return nil, err
	}
	sh := s.Shard(in.ShardId.Value)
	if sh == nil {
		return nil, api.Errorf(api.ResourceNotFound, api.MsgShardNotFound)
	}
	at, err := db.startAt(ctx, s, sh, in)
	if err != nil {
		return nil, err
	}
	it := stream.Iterator{
		ARN: in.StreamArn.Value, Shard: sh.ID, At: at, MadeMs: db.exec.Now().UnixMilli(),
	}
	return &api.GetShardIteratorOutput{ShardIterator: api.Some(it.String())}, nil
}

// startAt is the place that a request for an iterator means.
func (db *core) startAt(ctx context.Context, s *schema.Stream, sh *schema.Shard, in *api.GetShardIteratorInput) (stream.Position, error) {
	switch in.ShardIteratorType.Value {
	case api.ShardIteratorTypeTrimHorizon:
		return stream.Position{}, nil
	case api.ShardIteratorTypeLatest:
		mark, err := db.store.Watermark(ctx, 0)
		return stream.Position{Seq: mark + 1}, err
	}
	at, ok := stream.ParsePosition(in.SequenceNumber.Value)
	switch {
	case !ok || uint64(at.Seq) < sh.First || !sh.Open() && uint64(at.Seq) > sh.Last:
		return at, api.Errorf(api.Validation, api.MsgSequenceInvalid)
	case at.Less(stream.First(s, sh)):
		return at, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
	}
	if in.ShardIteratorType.Value == api.ShardIteratorTypeAfterSequenceNumber {
		at = at.Next()
	}
	if db.undone(at) {
		return at, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
	}
	return at, nil
}

// GetRecords answers the records of a shard from an iterator on, and where to read on.
func (db *core) GetRecords(ctx context.Context, in *api.GetRecordsInput) (*api.GetRecordsOutput, error) {
	if err := validate.GetRecords(in, db.rules); err != nil {
		return nil, err
	}
	it, ok := stream.ParseIterator(in.ShardIterator.Value)
	if !ok {
		return nil, api.Errorf(api.Validation, api.MsgIterator)
	}
	now := db.exec.Now().UnixMilli()
	if now-it.MadeMs > iteratorLife.Milliseconds() {
		return nil, api.Errorf(api.ExpiredIterator, api.MsgIteratorExpired)
	}
	db.lookAfterStreams(ctx)
	page, err := db.readShard(ctx, &it, int(in.Limit.Or(stream.RecordsMax)))
	if err != nil {
		return nil, err
	}
	out := &api.GetRecordsOutput{Records: db.describeRecords(&page, it.ARN)}
	if !page.End {
		next := stream.Iterator{ARN: it.ARN, Shard: it.Shard, At: page.Next, MadeMs: now}
		out.NextShardIterator = api.Some(next.String())
	}
	return out, nil
}

// readShard reads a page at an iterator. Records may be trimmed meanwhile, which would look like a
// gap, so what was trimmed is looked at afterwards; an iterator at the oldest record begins again.
func (db *core) readShard(ctx context.Context, it *stream.Iterator, limit int) (stream.Page, error) {
	path, _ := validate.Stream(it.ARN)
	if db.undone(it.At) {
		if _, err := db.stream(it.ARN); err != nil {
			return stream.Page{}, err
		}
		return stream.Page{}, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
	}
	source := stream.Source{Store: db.store, Find: func(ctx context.Context, snap storage.Snapshot) (*schema.Stream, *schema.Shard, error) {
		s, err := db.catalog.StreamIn(ctx, snap, path)
		if err != nil {
			return nil, nil, err
		}
		if sh := s.Shard(it.Shard); sh != nil {
			return s, sh, nil
		}
		return nil, nil, api.Errorf(api.ResourceNotFound, api.MsgShardGone)
	}}
	for {
		page, err := stream.Read(ctx, source, it.At, limit)
		switch {
		case errors.Is(err, stream.ErrTrimmed):
			return page, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
		case errors.Is(err, catalog.ErrNoStream):
			return page, api.Errorf(api.ResourceNotFound, api.MsgStreamNotFound, it.ARN)
		case err != nil:
			return page, err
		}
		after, err := db.stream(it.ARN)
		if err != nil {
			return page, err
		}
		if after.Trimmed <= page.Stream.Trimmed {
			return page, nil
		}
	}
}

// describeRecords turns the records of a page into the service's form. A page has thousands of small
// parts, so those of one kind lie side by side in one piece of memory.
func (db *core) describeRecords(page *stream.Page, arn string) []api.Record {
	names := recordNames(page.Records, arn)
	out := make([]api.Record, len(page.Records))
	details := make([]api.StreamRecord, len(page.Records))
	var service *api.Identity
	for i := range page.Records {
		r := &page.Records[i]
		at := i * recordNameDigits
		details[i] = api.StreamRecord{
			ApproximateCreationDateTime: api.Some(time.UnixMilli(r.TimeMs).Truncate(time.Second)),
			Keys:                        r.Keys, NewImage: r.New, OldImage: r.Old,
			SequenceNumber: api.Some(names[at+stream.EventIDDigits : at+recordNameDigits]),
			SizeBytes:      api.Some(int64(r.Size())), StreamViewType: api.Some(page.Stream.View),
		}
		out[i] = api.Record{
			EventID: api.Some(names[at : at+stream.EventIDDigits]), EventName: api.Some(r.Event),
			EventVersion: api.Some(eventVersion), EventSource: api.Some(eventSource),
			AwsRegion: api.Some(db.opts.Region), Dynamodb: &details[i],
		}
		if r.Expired {
			if service == nil {
				service = &api.Identity{PrincipalId: api.Some(servicePrincipal), Type: api.Some(serviceType)}
			}
			out[i].UserIdentity = service
		}
	}
	return out
}

// recordNameDigits is the length of a record's event id and sequence number.
const recordNameDigits = stream.EventIDDigits + stream.SequenceDigits

// recordNames is the event id and sequence number of each record, without anything between them.
func recordNames(records []stream.Record, arn string) string {
	if len(records) == 0 {
		return ""
	}
	b := make([]byte, 0, len(records)*recordNameDigits+stream.EventIDRoom(arn))
	for i := range records {
		b = records[i].At.AppendNumber(stream.AppendEventID(b, arn, records[i].At))
	}
	return string(b)
}

// rollStreamShards is DB.RollStreamShards.
func (db *core) rollStreamShards(ctx context.Context, streamArn string, children int) error {
	if children < 1 || children > shardChildrenMax {
		return fmt.Errorf("engine: %d children of a shard: want 1 or %d", children, shardChildrenMax)
	}
	s, err := db.stream(streamArn)
	if err != nil {
		return err
	}
	return db.catalog.RollShards(ctx, catalog.StreamPath(s.Table, s.Label), catalog.Roll{
		Split: children == shardChildrenMax, Hold: catalog.Anyone,
	})
}
