package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/lease"
)

// background is the work that goes on beside the operations: jobs of the catalog. It begins with Open
// and has ended when Close returns.
type background struct {
	stop context.CancelFunc
	done sync.WaitGroup
	jobs chan struct{} // holds one wake-up
	// mu is held by whoever does jobs; it guards lease.
	mu    sync.Mutex
	lease *lease.Lease
}

// backgroundInterval is how long a worker waits that has something to wait for.
const backgroundInterval = time.Second

func (db *DB) startBackground() {
	ctx, stop := context.WithCancel(context.Background())
	db.background = &background{stop: stop, jobs: make(chan struct{}, 1)}
	if db.opts.NoBackground {
		return
	}
	db.loop(ctx, db.background.jobs, db.doJobs)
}

func (db *DB) stopBackground() {
	db.background.stop()
	db.background.done.Wait()
}

// loop runs one kind of work again whenever it is woken and, while it has something to wait for,
// after the interval. What fails is logged and tried again.
func (db *DB) loop(ctx context.Context, wake <-chan struct{}, work func(context.Context) (waiting bool, err error)) {
	db.background.done.Go(func() {
		for {
			waiting, err := work(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				db.opts.Logger.Error().Err(err).Msg("background work failed and will be tried again")
			}
			var timer <-chan time.Time
			if db.opts.After != nil && (waiting || err != nil) {
				timer = db.opts.After(backgroundInterval)
			}
			select {
			case <-ctx.Done():
				return
			case <-wake:
			case <-timer:
			}
		}
	})
}

// wakeJobs makes the worker look at the jobs of the catalog.
func (db *DB) wakeJobs() {
	select {
	case db.background.jobs <- struct{}{}:
	default:
	}
}

// Work does all background work that is due by now and returns when it is done. With
// Options.NoBackground it is the only way to have it done.
func (db *DB) Work(ctx context.Context) error {
	_, err := db.doJobs(ctx)
	return errors.Join(err, db.tendStreams(ctx))
}
