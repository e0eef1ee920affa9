package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
)

// background is the work that goes on beside the operations. It begins with Open and has ended when
// Close returns.
type background struct {
	ctx  context.Context //nolint:containedctx // ends the background work of this database
	stop context.CancelFunc
	// stopped is closed when the database begins to close.
	stopped  <-chan struct{}
	done     sync.WaitGroup
	jobs     worker
	sweeper  worker
	streams  worker
	counts   worker
	tasks    worker
	scaling  worker
	vectors  worker
	feeds    worker
	kinesis  worker
	insights worker
	stamps   worker
}

// worker does one kind of work.
type worker struct {
	name string
	wake chan struct{} // holds one wake-up
	// mu is held by whoever does the work; it guards lease.
	mu    sync.Mutex
	lease *lease.Lease
}

// jobsInterval is how long the worker of jobs waits for a table to leave its passing state.
const jobsInterval = time.Second

// prepareBackground makes everything that operations need of the background work, which has not begun.
func (db *core) prepareBackground() {
	ctx, stop := context.WithCancel(context.Background())
	db.background = &background{
		ctx: ctx, stop: stop, stopped: ctx.Done(),
		jobs:     worker{name: "jobs", wake: make(chan struct{}, 1)},
		sweeper:  worker{name: "ttl", wake: make(chan struct{}, 1)},
		streams:  worker{name: "streams", wake: make(chan struct{}, 1)},
		counts:   worker{name: "counts", wake: make(chan struct{}, 1)},
		tasks:    worker{name: "tasks", wake: make(chan struct{}, 1)},
		scaling:  worker{name: "scaling", wake: make(chan struct{}, 1)},
		vectors:  worker{name: "vectors", wake: make(chan struct{}, 1)},
		feeds:    worker{name: "feeds", wake: make(chan struct{}, 1)},
		kinesis:  worker{name: "destinations", wake: make(chan struct{}, 1)},
		insights: worker{name: "insights", wake: make(chan struct{}, 1)},
		stamps:   worker{name: "stamps", wake: make(chan struct{}, 1)},
	}
	// Not at once: a database should open quickly.
	db.counting.nextSearch = db.exec.Now().Add(countSearch)
	db.counting.wanted, db.counting.runs = map[countID]string{}, map[countID]*tally{}
}

func (db *core) startBackground() {
	if db.opts.NoBackground || db.opts.ReadOnly {
		return
	}
	ctx := db.background.ctx
	db.loop(ctx, &db.background.jobs, jobsInterval, db.doJobs)
	db.loop(ctx, &db.background.sweeper, db.opts.TTLInterval, db.sweepOnce)
	db.loop(ctx, &db.background.streams, db.tendInterval()/looksPerTend, db.tendOnce)
	db.loop(ctx, &db.background.counts, countInterval, db.countOnce)
	db.loop(ctx, &db.background.tasks, taskInterval, db.doTasks)
	db.loop(ctx, &db.background.vectors, followInterval, db.followOnce)
	db.startSenders()
	db.loop(ctx, &db.background.stamps, collectInterval, db.collectOnce)
	db.loop(ctx, &db.background.insights, insightsKeptEvery, db.keepInsights)
	db.loop(ctx, &db.background.feeds, consumersInterval, db.startFollowers)
	db.loop(ctx, &db.background.kinesis, destinationsInterval, db.destinationsDue)
	if db.throttled() {
		db.loop(ctx, &db.background.scaling, scalingWindow/looksPerWindow, db.scaleOnce)
	}
}

func (db *core) stopBackground() {
	db.background.stop()
	db.background.done.Wait()
}

// failureWaitMax is how long a worker waits at most before it tries again what failed.
const failureWaitMax = time.Minute

// loop runs a worker again whenever it is woken and, while it has something to wait for, after the
// interval. What fails is logged and tried again, after twice the time whenever it fails anew: a disk that is
// full stays so for a while.
func (db *core) loop(ctx context.Context, w *worker, interval time.Duration, work func(context.Context) (waiting bool, err error)) {
	db.background.done.Go(func() {
		wait := interval
		for {
			waiting, err := work(ctx)
			if ctx.Err() != nil {
				return
			}
			if othersWork(err) {
				waiting, err = true, nil
			}
			if err == nil {
				wait = interval
			} else {
				db.opts.Logger.Error().Err(err).Str("worker", w.name).Dur("after", wait).Msg("background work failed and will be tried again")
			}
			var timer <-chan time.Time
			if db.opts.After != nil && (waiting || err != nil) {
				timer = db.opts.After(wait)
			}
			if err != nil {
				wait = min(2*wait, max(interval, failureWaitMax))
			}
			select {
			case <-ctx.Done():
				return
			case <-w.wake:
			case <-timer:
			}
		}
	})
}

// othersWork says that work was left to another process, which holds its lease.
func othersWork(err error) bool {
	return errors.Is(err, lease.ErrHeld) || errors.Is(err, lease.ErrLost)
}

// look makes a worker look for work.
func (w *worker) look() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// hold takes the worker's lease or renews it. One that was lost is taken anew with the next step.
func (db *core) hold(ctx context.Context, w *worker) (err error) {
	if w.lease == nil {
		w.lease, err = lease.Take(ctx, db.store, w.name, db.newUUID(), db.exec.Now())
		return err
	}
	err = w.lease.Beat(ctx, db.store, db.exec.Now())
	if errors.Is(err, lease.ErrLost) {
		w.lease = nil
	}
	return err
}

// work is DB.Work.
func (db *core) work(ctx context.Context) error {
	if db.opts.ReadOnly {
		return storage.ErrReadOnly
	}
	_, tasks := db.doTasks(ctx)
	_, destinations := db.destinationsDue(ctx)
	feeds := db.followDue(ctx)
	tend := db.tendStreams(ctx) // leaves jobs
	_, jobs := db.doJobs(ctx)
	_, counted := db.keepInsights(ctx)
	errs := []error{counted, tasks, destinations, feeds, tend, jobs, db.scaleDue(ctx), db.sendAll(ctx), db.collectAll(ctx), db.sweepAll(ctx), db.countDue(ctx, unpaced), db.followAll(ctx), db.keepTime(ctx, timeKeptEvery)}
	return errors.Join(slices.DeleteFunc(errs, othersWork)...)
}
