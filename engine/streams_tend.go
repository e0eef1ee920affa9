package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/stream"
)

const (
	// shardAge is how old an open shard becomes before a child replaces it.
	shardAge = 4 * time.Hour
	// tendsPerRetention is how often streams are looked at while a record is kept: every five minutes
	// by default. So much longer a record may stay.
	tendsPerRetention = 288
)

// looksPerTend is how often the worker looks whether streams are due.
const looksPerTend = 4

// tendInterval is the time from one look at all streams to the next.
func (db *core) tendInterval() time.Duration { return db.opts.StreamRetention / tendsPerRetention }

// tendOnce is the work of the streams' worker, which has nothing to wait for without any.
func (db *core) tendOnce(ctx context.Context) (waiting bool, err error) {
	err = errors.Join(db.tendStreams(ctx), db.keepTime(ctx, timeKeptEvery))
	return len(db.catalog.Streams()) > 0 || len(db.catalog.Feeds()) > 0 || len(db.catalog.WithLog()) > 0 || db.tending.expiring.Load(), err
}

// tending is what looks after the age of streams. Who does it holds the mutex of its worker.
type tending struct {
	// nextMs is when it is due.
	nextMs atomic.Int64
	// expiring: there are backups that go by themselves.
	expiring atomic.Bool
	meters   map[string]*stream.Meter // by path; guarded by the mutex of the worker
}

// holdTending is what a change of a stream needs that nobody asked for.
func (db *core) holdTending(ctx context.Context) (catalog.Fence, error) {
	w := &db.background.streams
	if err := db.hold(ctx, w); err != nil {
		return nil, err
	}
	return w.lease, nil
}

// tendStreams looks after streams and change logs. It replaces the shards that are old enough, forgets the records and the disabled streams
// that were kept long enough, and bounds the bytes that are kept. It does nothing until it is due by
// the injected clock; operations of streams call it too, so that a test needs no timer. On a shared
// store one process does it, and the others look again when it would be due.
func (db *core) tendStreams(ctx context.Context) error {
	db.background.streams.mu.Lock()
	defer db.background.streams.mu.Unlock()
	return db.tendStreamsLocked(ctx)
}

func (db *core) tendStreamsLocked(ctx context.Context) error {
	now := db.exec.Now().UnixMilli()
	if now < db.tending.nextMs.Load() {
		return nil
	}
	var errs []error
	for _, s := range append(db.catalog.Streams(), db.catalog.Feeds()...) {
		tend := db.tendStream
		if s.Feed {
			tend = db.tendFeed
		}
		err := tend(ctx, s, now)
		if othersWork(err) {
			db.background.streams.lease = nil
			break
		}
		if err != nil && !errors.Is(err, catalog.ErrNoStream) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(append(errs, db.tendLogs(ctx), db.tendBackups(ctx))...); err != nil {
		return err
	}
	db.tending.nextMs.Store(now + db.tendInterval().Milliseconds())
	return nil
}

func (db *core) tendStream(ctx context.Context, s *schema.Stream, now int64) error {
	path, before := catalog.StreamPath(s.Table, s.Label), now-db.opts.StreamRetention.Milliseconds()
	if s.ClosedMs != 0 && s.ClosedMs <= before {
		delete(db.tending.meters, path)
		return db.catalog.DropStream(ctx, path, db.holdTending)
	}
	born := now - shardAge.Milliseconds() + 1
	if slices.ContainsFunc(s.Shards, func(sh schema.Shard) bool { return sh.Open() && sh.CreatedMs < born }) {
		err := db.catalog.RollShards(ctx, path, catalog.Roll{BornBeforeMs: born, Hold: db.holdTending})
		if err != nil && !errors.Is(err, catalog.ErrShards) { // those wait until older ones are trimmed
			return err
		}
	}
	upTo, err := stream.Expired(ctx, db.store, s, before)
	if err != nil {
		return err
	}
	if db.opts.StreamBytes > 0 {
		m := db.tending.meters[path]
		if m == nil {
			m = new(stream.Meter)
			db.tending.meters[path] = m
		}
		excess, err := m.Excess(ctx, db.store, s, db.opts.StreamBytes)
		if err != nil {
			return err
		}
		upTo = max(upTo, excess)
	}
	return db.catalog.TrimStream(ctx, path, upTo, before, db.holdTending)
}

// lookAfterStreams tends streams on the way of an operation, unless somebody does.
func (db *core) lookAfterStreams(ctx context.Context) {
	if db.exec.Now().UnixMilli() < db.tending.nextMs.Load() || !db.background.streams.mu.TryLock() {
		return
	}
	defer db.background.streams.mu.Unlock()
	if err := db.tendStreamsLocked(ctx); err != nil && ctx.Err() == nil {
		db.opts.Logger.Error().Err(err).Msg("tending streams failed and will be tried again")
	}
}
