package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/follow"
	"github.com/keystone-db/kstone/engine/kinesis"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/stream"
)

const (
	// feedRetention is how long a feed keeps a record for consumers that are behind, unless one of them
	// must not lose any (catalog.Consumer.Keep). It is what the service keeps for its streams.
	feedRetention = 24 * time.Hour
	// consumersInterval is how long a consumer waits after a failure, and the worker that starts them until it
	// looks again at those that another process serves.
	consumersInterval = time.Second
	// consumersWaitMax is how long a consumer waits at most after failures one after the other.
	consumersWaitMax = 30 * time.Second
	// consumerInfix ends the word for the kind in the name of a consumer.
	consumerInfix = "/"
)

// deliverer gives records of a table's feed to a consumer: see follow.Env.Deliver.
type deliverer func(ctx context.Context, t *catalog.Table, consumer string, found []stream.Found) error

// consumerName is that of a consumer of a kind, about something.
func consumerName(kind, about string) string { return kind + consumerInfix + about }

// following are the consumers of feeds that this process serves.
type following struct {
	// sinceMs is when the database was opened, in milliseconds since 1970.
	sinceMs int64
	mu      sync.Mutex
	// kinds are the deliverers by the word that names of consumers begin with. Words are stored: never
	// rename. Guarded by mu.
	kinds map[string]deliverer
	// runs are those at work, by stream id and name; guarded by mu.
	runs map[runID]*run
}

type runID struct {
	stream   uint64
	consumer string
}

// run is one consumer at work.
type run struct {
	db      *core
	id      runID
	table   string
	deliver deliverer
	started bool // in the background; guarded by following.mu
	// figures for Stats: when the consumer last had all changes, in milliseconds since 1970, and whether it has.
	idleMs atomic.Int64
	idle   atomic.Bool
	passed atomic.Uint64
	missed atomic.Uint64
	// refused counts changes that were left out since the database was opened.
	refused atomic.Uint64

	// anew makes the next pass begin at the stored cursor, poke has it made; it holds one call.
	anew     atomic.Bool
	poke     chan struct{}
	mu       sync.Mutex
	follower *follow.Follower // guarded by mu
	lease    *lease.Lease     // guarded by mu
}

// prepareFollowing registers the kinds of consumers.
func (db *core) prepareFollowing() {
	db.following.sinceMs = db.exec.Now().UnixMilli()
	db.following.kinds, db.following.runs = map[string]deliverer{}, map[runID]*run{}
	if db.opts.DataStreams != nil {
		db.following.kinds[consumerKinesis] = db.deliverKinesis
	}
}

// serveConsumers lets a deliverer serve the consumers whose names begin with a word.
func (db *core) serveConsumers(kind string, deliver deliverer) {
	db.following.mu.Lock()
	defer db.following.mu.Unlock()
	db.following.kinds[kind] = deliver
}

// setConsumers changes who follows a table, together with whatever else of its record, and has them served.
func (db *core) setConsumers(ctx context.Context, table string, change func(*catalog.Record) error) (*catalog.Table, error) {
	t, err := db.catalog.Update(ctx, table, false, change)
	db.following.mu.Lock()
	for _, r := range db.following.runs {
		if r.table == table { // it may be gone, or have another place
			r.anew.Store(true)
			select {
			case r.poke <- struct{}{}:
			default:
			}
		}
	}
	db.following.mu.Unlock()
	db.background.feeds.look()
	return t, err
}

// followers brings the runs up to date with the catalog and returns them.
func (db *core) followers() []*run {
	f := &db.following
	f.mu.Lock()
	defer f.mu.Unlock()
	there := map[runID]bool{}
	for _, name := range db.catalog.Followed() {
		t, err := db.catalog.Lookup(db.background.ctx, name)
		if err != nil || t.Feed == nil {
			continue
		}
		for _, c := range t.Feed.Consumers {
			id := runID{t.Feed.ID, c.Name}
			kind, _, _ := strings.Cut(c.Name, consumerInfix)
			if there[id] = true; f.runs[id] == nil && f.kinds[kind] != nil {
				f.runs[id] = db.newRun(id, name, f.kinds[kind])
			}
		}
	}
	maps.DeleteFunc(f.runs, func(id runID, r *run) bool { return !there[id] && !r.started })
	return slices.Collect(maps.Values(f.runs))
}

func (db *core) newRun(id runID, table string, deliver deliverer) *run {
	r := &run{db: db, id: id, table: table, deliver: deliver, poke: make(chan struct{}, 1)}
	r.idleMs.Store(db.exec.Now().UnixMilli())
	path := catalog.FeedPath(table, fmt.Sprint(id.stream))
	r.follower = follow.New(follow.Env{
		Store: db.store, Consumer: id.consumer, Bell: db.catalog.Bell(&schema.Stream{ID: id.stream}),
		Stream: func() *schema.Stream { return db.catalog.Stream(path) },
		Hold:   r.hold,
		Deliver: func(ctx context.Context, found []stream.Found) error {
			t, err := db.catalog.Lookup(ctx, table)
			if err == nil && t.Consumer(id.consumer) == nil {
				err = follow.ErrGone
			}
			if err != nil {
				return err
			}
			return r.leftOut(deliver(ctx, t, id.consumer, found))
		},
		Missed: func(before stream.Position) {
			db.opts.Logger.Error().Str("table", table).Str("consumer", id.consumer).Stringer("before", before).
				Dur("kept_ms", feedRetention).Msg("changes were forgotten before a consumer had passed them")
		},
	})
	return r
}

// leftOut counts what a consumer will never take, which is no failure.
func (r *run) leftOut(err error) error {
	refused, ok := errors.AsType[*kinesis.Refused](err)
	if !ok {
		return err
	}
	r.refused.Add(uint64(len(refused.Records)))
	r.db.opts.Logger.Error().Err(refused.Err).Str("table", r.table).Str("consumer", r.id.consumer).
		Int("records", len(refused.Records)).Msg("changes are left out that will never be taken")
	return nil
}

// hold takes the lease of the run or renews it.
func (r *run) hold(ctx context.Context) (l *lease.Lease, err error) {
	if r.lease == nil {
		name := fmt.Sprintf("follow/%d/%s", r.id.stream, r.id.consumer)
		r.lease, err = lease.Take(ctx, r.db.store, name, r.db.newUUID(), r.db.exec.Now())
		return r.lease, err
	}
	if err = r.lease.Beat(ctx, r.db.store, r.db.exec.Now()); err != nil {
		r.lease = nil
	}
	return r.lease, err
}

// pass delivers until the consumer has passed all that there is. It returns what calls it again.
func (r *run) pass(ctx context.Context) (wake <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.anew.Swap(false) {
		r.follower.Close()
	}
	for {
		// Before anything is delivered, not only before it is noted: others may be at it.
		if _, err := r.hold(ctx); err != nil {
			return nil, err
		}
		r.idle.Store(false)
		idle, err := r.follower.Step(ctx)
		r.figures(idle && err == nil)
		if err != nil || idle {
			return r.follower.Wake(), err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// figures notes what Stats tells.
func (r *run) figures(idle bool) {
	if idle {
		r.idleMs.Store(r.db.exec.Now().UnixMilli())
	}
	r.idle.Store(idle)
	c := r.follower.Cursor()
	r.passed.Store(c.Passed)
	r.missed.Store(c.Missed)
}

// consumerStats are those of all runs.
func (db *core) consumerStats() []ConsumerStats {
	db.following.mu.Lock()
	defer db.following.mu.Unlock()
	var out []ConsumerStats
	now := db.exec.Now().UnixMilli()
	for _, r := range db.following.runs {
		s := ConsumerStats{
			Table: r.table, Consumer: r.id.consumer, Passed: r.passed.Load(), Missed: r.missed.Load(), Refused: r.refused.Load(),
		}
		if !r.idle.Load() {
			s.Lag = time.Duration(max(0, now-r.idleMs.Load())) * time.Millisecond
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b ConsumerStats) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Consumer, b.Consumer))
	})
	return out
}

// startFollowers is the work of the worker that runs consumers in the background.
func (db *core) startFollowers(ctx context.Context) (waiting bool, err error) {
	for _, r := range db.followers() {
		db.following.mu.Lock()
		begin := !r.started
		r.started = true
		db.following.mu.Unlock()
		if begin {
			db.background.done.Go(func() { r.serve(ctx) })
		}
	}
	return false, nil
}

// serve follows until the consumer is gone or the database closes.
func (r *run) serve(ctx context.Context) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.follower.Close()
		r.db.following.mu.Lock()
		defer r.db.following.mu.Unlock()
		delete(r.db.following.runs, r.id)
	}()
	wait := consumersInterval
	for ctx.Err() == nil {
		wake, err := r.pass(ctx)
		if r.over(err) || ctx.Err() != nil {
			return
		}
		if err != nil && !othersWork(err) {
			r.db.opts.Logger.Error().Err(err).Str("table", r.table).Str("consumer", r.id.consumer).
				Msg("delivering changes failed and will be tried again")
		}
		var timer <-chan time.Time
		if err == nil {
			wait = consumersInterval
		} else if wake = nil; r.db.opts.After != nil {
			timer = r.db.opts.After(wait)
			wait = min(2*wait, consumersWaitMax)
		}
		select {
		case <-ctx.Done():
		case <-r.poke:
		case <-wake:
		case <-timer:
		}
	}
}

// over says that an error is the end of a consumer.
func (r *run) over(err error) bool {
	return errors.Is(err, follow.ErrGone) || errors.Is(err, catalog.ErrNotFound)
}

// followDue lets all consumers pass what there is, for DB.Work.
func (db *core) followDue(ctx context.Context) error {
	var errs []error
	for _, r := range db.followers() {
		if _, err := r.pass(ctx); err != nil && !r.over(err) {
			errs = append(errs, fmt.Errorf("consumer %s of %s: %w", r.id.consumer, r.table, err))
		}
	}
	return errors.Join(errs...)
}

// tendFeed forgets what all consumers have passed, and what is too old to be kept for those that are behind.
func (db *core) tendFeed(ctx context.Context, s *schema.Stream, now int64) error {
	path := catalog.PathOf(s)
	t, err := db.catalog.Lookup(ctx, s.Table)
	if s.ClosedMs != 0 || errors.Is(err, catalog.ErrNotFound) || err == nil && (t.Feed == nil || t.Feed.ID != s.ID) {
		return db.catalog.DropFeed(ctx, path, db.holdTending) // unless it has just begun
	}
	if err != nil {
		return err
	}
	cursors, err := db.catalog.Cursors(ctx, t)
	if err != nil {
		return err
	}
	upTo, keep := uint64(0), false
	for i, c := range t.Feed.Consumers {
		passed := uint64(cursors[c.Name].At.Seq)
		passed -= min(passed, 1)
		if keep = keep || c.Keep; i == 0 || passed < upTo {
			upTo = passed
		}
	}
	if !keep {
		old, err := stream.Expired(ctx, db.store, s, now-feedRetention.Milliseconds())
		if err != nil {
			return err
		}
		upTo = max(upTo, old)
	}
	return db.catalog.TrimStream(ctx, path, upTo, 0, db.holdTending)
}
