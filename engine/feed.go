package engine

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
	"github.com/keystone-db/kstone/engine/validate"
)

// feed is one Subscribe that runs. It sleeps at the bell of its stream (stream.Bell), without a timer and
// without looking at the watermark, which every update moves.
type feed struct {
	db       *core
	path     string
	merge    *stream.Merge
	listener *stream.Listener
	limit    int
	deliver  func(*api.SubscribeOutput) error
	arn      string
	// horizon: nothing was delivered since the feed began with the oldest record that there was, at a
	// watermark of born.
	horizon bool
	born    storage.Seq
}

// subscribe is DB.Subscribe.
func (db *core) subscribe(ctx context.Context, in *api.SubscribeInput, deliver func(*api.SubscribeOutput) error) error {
	if err := validate.Subscribe(in); err != nil {
		return err
	}
	db.lookAfterStreams(ctx)
	s, err := db.feedStream(ctx, in)
	if err != nil {
		return err
	}
	var sh *schema.Shard
	if in.ShardId.Set {
		if sh = s.Shard(in.ShardId.Value); sh == nil {
			return api.Errorf(api.ResourceNotFound, api.MsgShardNotFound)
		}
	}
	born, err := db.store.Watermark(ctx, 0)
	if err != nil {
		return err
	}
	start, err := db.feedStart(ctx, s, sh, in, born)
	if err != nil {
		return err
	}
	f := &feed{
		db: db, path: catalog.StreamPath(s.Table, s.Label), arn: db.streamARN(s), deliver: deliver,
		merge: stream.NewMerge(s, sh, start), limit: int(in.Limit.Or(api.SubscribeLimitDefault)),
		horizon: in.StartingPosition.Value == api.StartTrimHorizon, born: born,
	}
	f.listener = f.merge.Listen(db.catalog.Bell(s))
	defer f.listener.Close()
	return f.run(ctx)
}

// feedStream finds the stream that a request names: by its ARN, or the newest one of a table.
func (db *core) feedStream(ctx context.Context, in *api.SubscribeInput) (*schema.Stream, error) {
	if in.StreamArn.Set {
		return db.stream(in.StreamArn.Value)
	}
	name := tableName(in.TableName.Value)
	t, err := db.catalog.Lookup(ctx, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, api.Errorf(api.ResourceNotFound, api.MsgTableNotFound, name)
	}
	if err != nil {
		return nil, err
	}
	if t.Stream != nil {
		if s := db.catalog.Stream(catalog.StreamPath(name, t.Stream.Label)); s != nil {
			return s, nil
		}
	}
	return nil, api.Errorf(api.ResourceNotFound, api.MsgFeedNoStream, name)
}

// feedStart is where a request begins, given a watermark.
func (db *core) feedStart(ctx context.Context, s *schema.Stream, sh *schema.Shard, in *api.SubscribeInput, mark storage.Seq) (stream.Position, error) {
	first, last, ended := feedBounds(s, sh)
	behind := stream.Position{Seq: storage.Seq(last + 1)}
	latest := stream.Position{Seq: mark + 1}
	if latest.Less(first) {
		latest = first
	}
	if ended && behind.Less(latest) {
		latest = behind
	}
	switch in.StartingPosition.Or(api.StartLatest) {
	case api.StartTrimHorizon:
		return first, nil
	case api.StartLatest:
		return latest, nil
	case api.StartAtTimestamp:
		at, err := stream.Since(ctx, db.store, s, sh, in.Timestamp.Value.UnixMilli())
		if at.Less(first) {
			at = first
		}
		return at, err
	}
	at, ok := stream.ParsePosition(in.SequenceNumber.Value)
	if in.StartingPosition.Value == api.StartAfter {
		at = at.Next()
	}
	switch {
	case !ok || ended && behind.Less(at):
		return at, api.Errorf(api.Validation, api.MsgSequenceInvalid)
	case db.undone(at):
		return at, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
	case !at.Less(first):
		return at, nil
	case uint64(at.Seq) <= s.Trimmed:
		return at, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
	}
	return at, api.Errorf(api.Validation, api.MsgSequenceInvalid)
}

// feedBounds are the place of the oldest record that a stream, or a shard of it, may hold, and the Seq
// with which it has ended.
func feedBounds(s *schema.Stream, sh *schema.Shard) (first stream.Position, last uint64, ended bool) {
	if sh != nil {
		return stream.First(s, sh), sh.Last, !sh.Open()
	}
	first.Seq, ended = storage.Seq(s.Trimmed+1), true
	for i := range s.Shards {
		sh := &s.Shards[i]
		if at := stream.First(s, sh); i == 0 || at.Less(first) {
			first = at
		}
		last, ended = max(last, sh.Last), ended && !sh.Open()
	}
	return first, last, ended
}

// run delivers until there is an end.
func (f *feed) run(ctx context.Context) error {
	if err := f.hand(nil); err != nil {
		return err
	}
	f.merge.HearAll(f.born)
	for {
		// The call is taken back before anything is looked at: one that comes later is for later.
		select {
		case <-f.listener.Wake():
		default:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f.db.lookAfterStreams(ctx)
		mark, err := f.db.store.Watermark(ctx, 0)
		if err != nil {
			return err
		}
		rung, changed := f.merge.Hear(f.listener, mark)
		end, err := f.page(ctx, mark, changed)
		switch {
		case err != nil:
			return err
		case !end:
			continue
		case f.merge.Ended():
			return nil
		case mark < rung:
			// The update is over, and an older one is not.
			if _, err := f.db.store.Watermark(ctx, rung-1); err != nil {
				return err
			}
			continue
		}
		select {
		case <-f.listener.Wake():
		case <-ctx.Done():
			return ctx.Err()
		case <-f.db.background.stopped:
			return storage.ErrClosed
		}
	}
}

// page delivers what the next page holds, and says whether everything up to the watermark is delivered.
func (f *feed) page(ctx context.Context, mark storage.Seq, changed bool) (end bool, err error) {
	m, from, before := f.merge, f.merge.Next(), f.merge.Stream()
	var found []stream.Found
	if end = true; changed || m.Pending(m.Last(mark)) {
		err = storage.Fresh(ctx, func() error {
			found, end, err = f.read(ctx, mark, changed)
			return err
		})
		if errors.Is(err, catalog.ErrNoStream) {
			return false, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
		}
		if err != nil {
			return false, err
		}
	} else {
		m.Skip(m.Last(mark))
	}
	// What was trimmed meanwhile may be missing in the page.
	now := f.db.catalog.Stream(f.path)
	if now == nil {
		return false, api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
	}
	if trimmed := max(now.Trimmed, m.Stream().Trimmed); uint64(from.Seq) <= trimmed {
		return false, f.trimmed(trimmed)
	}
	if len(found) == 0 && (m.Stream() == before || m.Ended()) {
		return end, nil
	}
	// Without records it tells those who keep its position of a newer one: shards were closed, and with
	// what was in them they are forgotten some day.
	return end, f.hand(found)
}

// read reads a page from a snapshot.
func (f *feed) read(ctx context.Context, mark storage.Seq, changed bool) (found []stream.Found, end bool, err error) {
	snap, err := f.db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "change feed"})
	if err != nil {
		return nil, false, err
	}
	defer snap.Close()
	if changed {
		s, err := f.db.catalog.StreamIn(ctx, snap, f.path)
		if err != nil {
			return nil, false, err
		}
		f.merge.SetStream(s)
	}
	return f.merge.Read(ctx, snap, f.merge.Last(mark), f.limit)
}

// trimmed is what follows when the next records are gone: an error, unless the feed is to begin with the
// oldest record there is and nothing is gone that was written since it began. Then it begins again.
func (f *feed) trimmed(upTo uint64) error {
	if !f.horizon || upTo > uint64(f.born) {
		return api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
	}
	f.merge.Restart(stream.Position{Seq: storage.Seq(upTo + 1)})
	return f.hand(nil)
}

// hand delivers records.
func (f *feed) hand(found []stream.Found) error {
	out := &api.SubscribeOutput{Position: f.merge.Next().Prev().String()}
	if len(found) > 0 {
		f.horizon = false
		page := stream.Page{Stream: f.merge.Stream(), Records: make([]stream.Record, len(found))}
		for i := range found {
			page.Records[i] = found[i].Record
		}
		records := f.db.describeRecords(&page, f.arn)
		out.Records = make([]api.FeedRecord, len(found))
		for i := range records {
			out.Records[i] = api.FeedRecord{Record: records[i], ShardId: found[i].Shard.ID}
		}
	}
	return f.deliver(out)
}
