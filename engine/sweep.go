package engine

import (
	"context"
	"errors"
	"time"

	"github.com/keystone-db/kstone/engine/key"
)

// sweepBatch is how many items one update removes at most.
const sweepBatch = 64

// sweepOnce removes what is past its time, no more than the rate allows for one interval. waiting says
// that there are tables with time to live.
func (db *core) sweepOnce(ctx context.Context) (waiting bool, err error) {
	budget := max(sweepBatch, int(float64(db.opts.TTLRate)*db.opts.TTLInterval.Seconds()))
	names := db.catalog.WithTTL()
	_, err = db.sweepTables(ctx, names, budget)
	return len(names) > 0, errors.Join(err, db.keepTime(ctx, timeKeptEvery))
}

// sweepAll removes everything that is past its time.
func (db *core) sweepAll(ctx context.Context) error {
	for {
		gone, err := db.sweepTables(ctx, db.catalog.WithTTL(), sweepBatch*key.ExpiryBuckets)
		if gone == 0 || err != nil {
			return err
		}
	}
}

// sweepTables removes up to budget items, from all tables alike.
func (db *core) sweepTables(ctx context.Context, names []string, budget int) (gone int, err error) {
	db.background.sweeper.mu.Lock()
	defer db.background.sweeper.mu.Unlock()
	now := db.exec.Now()
	var errs []error
	for i, name := range names {
		n, err := db.sweepTable(ctx, name, (budget-gone)/(len(names)-i), now)
		gone += n
		errs = append(errs, err)
	}
	return gone, errors.Join(errs...)
}

// sweepTable goes round the buckets of a table until nothing is due or the budget is spent.
func (db *core) sweepTable(ctx context.Context, name string, budget int, now time.Time) (gone int, err error) {
	var after [key.ExpiryBuckets][]byte
	for more := true; more && gone < budget; {
		more = false
		for bucket := range after {
			if gone >= budget {
				break
			}
			limit := min(sweepBatch, budget-gone)
			rows, n, err := db.sweepBucket(ctx, name, bucket, limit, after[bucket], now)
			if err != nil {
				return gone, err
			}
			gone += n
			if len(rows) > 0 {
				after[bucket], more = rows[len(rows)-1], true
			}
		}
	}
	return gone, nil
}

// sweepBucket handles the next rows of a bucket and returns them and how many are gone.
func (db *core) sweepBucket(
	ctx context.Context, name string, bucket, limit int, after []byte, now time.Time,
) (rows [][]byte, gone int, err error) {
	t, err := db.catalog.Enter(name, uint32(bucket))
	if err != nil {
		return nil, 0, nil // deleted meanwhile
	}
	defer t.Leave(uint32(bucket))
	if t.Table.TTLSub == 0 {
		return nil, 0, nil
	}
	rows, err = db.exec.Due(ctx, t, bucket, limit, after, now)
	if err != nil || len(rows) == 0 {
		return nil, 0, err
	}
	w := &db.background.sweeper
	if err := db.hold(ctx, w); err != nil {
		return nil, 0, err
	}
	gone, err = db.exec.Sweep(ctx, t, rows, now, w.lease)
	return rows, gone, err
}
