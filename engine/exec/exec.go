// Package exec runs bound operations on a store: conditions, updates, index entries and metering,
// each inside one atomic storage update.
//
// It never sees expression text, and it takes no locks: a write names the keys that it depends on
// and storage orders it. The functions that it hands to storage are pure and may run several times.
package exec

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/ttl"
)

// Executor runs operations on one store. It is safe for concurrent use.
type Executor struct {
	store storage.Store
	clock func() time.Time
	// tokens numbers the windows of request tokens.
	tokens tokenClock
	// running holds the tokens of transactions that run now. Storage may report a conflict on an
	// item before it comes to the token, and could not tell a repeated call from a foreign one.
	running sync.Map
	// CollectionLimit bounds the size of an item collection in bytes. It is set before the first use.
	CollectionLimit int64
	// WaitOnConflict waits for a transaction in flight instead of refusing what meets it. It is set
	// before the first use.
	WaitOnConflict bool
	// OnVectors is called after writes of tables with indexes of vectors. It must not block. It is set before
	// the first use.
	OnVectors func()
	// transactions that run now.
	transactions atomic.Int64
	// latest is the highest time handed out, in milliseconds: time never goes back here.
	latest atomic.Int64
	// kept is the time that is stored; see KeepTime.
	kept atomic.Int64
	// blinds holds batches, so that writing without reading allocates none.
	blinds sync.Pool // *storage.Batch
}

// New makes an executor and reads the stored clocks.
func New(ctx context.Context, store storage.Store, clock func() time.Time) (*Executor, error) {
	e := &Executor{store: store, clock: clock, CollectionLimit: CollectionLimitDefault}
	e.blinds.New = func() any { return new(storage.Batch) }
	if err := e.tokens.load(ctx, store); err != nil {
		return nil, err
	}
	return e, e.loadTime(ctx)
}

// Now is the clock's time, but not of an earlier millisecond than an earlier answer. Below that it is as the
// clock has it: nothing is decided by it.
func (e *Executor) Now() time.Time {
	clock := e.clock()
	now := clock.UnixMilli()
	for {
		latest := e.latest.Load()
		if now < latest {
			return time.UnixMilli(latest)
		}
		if now == latest || e.latest.CompareAndSwap(latest, now) {
			return time.UnixMicro(clock.UnixMicro())
		}
	}
}

// item names an item's key for an update.
func (e *Executor) item(k []byte) storage.Named {
	return storage.Named{Key: k, NoWait: !e.WaitOnConflict}
}

// live is the item of a stored value, nil when it is absent or expired; stored is what lies there.
func live(hideBy string, v storage.Value, now time.Time) (item, stored attr.Item) {
	if !v.Present {
		return nil, nil
	}
	stored = attr.Item(v.Data)
	if ttl.Expired(hideBy, stored, now) {
		return nil, stored
	}
	return stored, stored
}

// storeError maps what storage reports to the client's error. Errors of the client's own kind and
// of its context pass unchanged, and so does what no client can do anything about, a plain conflict
// that did not end among it: doors answer that as an internal error and log it.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	var own *api.Error
	switch {
	case errors.As(err, &own), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, storage.ErrConflict) && !storage.PlainConflict(err):
		return api.Errorf(api.TransactionConflict, api.MsgTransactionConflict)
	}
	return err
}
