package lsm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestEveryWaitEnds makes writers wait for everything there is to wait for — keys, room in a ring of
// two segments, memtable bytes, the flusher, visibility, the watermark — and closes or poisons the
// store in the middle. It ends when every call has been answered with one of the errors that fit.
func TestEveryWaitEnds(t *testing.T) {
	for _, end := range []string{"close", "poison"} {
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%s %d", end, seed), func(t *testing.T) { everyWaitEnds(t, end, seed) })
		}
	}
}

func everyWaitEnds(t *testing.T, end string, seed uint64) {
	fsys := vfs.NewMemFS(seed)
	o := faultOptions(fsys)
	o.Sync = SyncMode(seed % 3)
	db := openMem(t, fsys, o)
	const writers, each = 12, 60
	var wg sync.WaitGroup
	half := make(chan struct{})
	var once sync.Once
	for w := range writers {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		wg.Go(func() {
			for i := range each {
				if w == 0 && i == each/2 {
					once.Do(func() { close(half) })
				}
				if err := waitSomewhere(db, rng, w, i); !fits(err) {
					assert.NoError(t, err)
				}
			}
		})
	}
	wg.Go(func() {
		var at storage.Seq
		for err := error(nil); err == nil; {
			at, err = db.Watermark(context.Background(), at)
		}
	})
	<-half
	if end == "poison" {
		db.poison(errInjected)
	}
	assert.NoError(t, db.Close())
	wg.Wait()
}

// waitSomewhere is one update or batch, now and then with a context that ends meanwhile.
func waitSomewhere(db *DB, rng *rand.Rand, w, i int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if rng.IntN(4) == 0 {
		go cancel()
	}
	shared, mine := testKey(1, "shared"), testKey(byte(rng.IntN(256)), fmt.Sprint(w, i))
	value := make([]byte, rng.IntN(4000))
	if rng.IntN(20) == 0 {
		value = make([]byte, 40<<10) // a spill
	}
	if rng.IntN(3) == 0 {
		var b storage.Batch
		b.Put(mine, value)
		return db.Apply(ctx, &b, storage.UpdateOptions{})
	}
	named := []storage.Named{{Key: mine}, {Key: shared, Shared: rng.IntN(2) == 0, NoWait: rng.IntN(4) == 0}}
	opts := storage.UpdateOptions{Multi: rng.IntN(2) == 0}
	refuse := rng.IntN(4) == 0
	return db.Update(ctx, named, opts, func(tx storage.Tx) error {
		tx.Seq()
		if refuse {
			return errInjected
		}
		tx.Put(mine, value)
		return nil
	})
}

func fits(err error) bool {
	for _, e := range []error{
		nil, errInjected, context.Canceled, storage.ErrClosed, storage.ErrConflict,
		storage.ErrUnavailable, storage.ErrUncertain,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// TestAContextEndsTheWaitOfAnUpdateThatWroteNothing: what its answer shows is not visible, since the
// log stands still.
func TestAContextEndsTheWaitOfAnUpdateThatWroteNothing(t *testing.T) {
	var stall atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	o := memOptions(nil)
	o.hooks = &hooks{beforeWrite: func() error {
		if stall.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
		return nil
	}}
	db := openMem(t, vfs.NewMemFS(1), o)
	key := testKey(1, "a")
	stall.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { mustPut(t, db, key, "1") })
	<-reached
	ctx, cancel := context.WithCancel(context.Background())
	err := db.Update(ctx, []storage.Named{{Key: key}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		assert.Equal(t, "1", string(tx.Value(0).Data))
		cancel()
		return errInjected
	})
	assert.ErrorIs(t, err, context.Canceled)
	close(release)
	wg.Wait()
}

// TestTheFlusherDoesNotTurnInCircles: the bytes over the budget are reserved by a batch on its way,
// so that there is nothing to flush yet.
func TestTheFlusherDoesNotTurnInCircles(t *testing.T) {
	o := memOptions(nil)
	o.manual = true
	db := openMem(t, vfs.NewMemFS(1), o)
	db.memBytes.Add(2 * o.MemtableBytes)
	assert.NoError(t, db.tend())
	db.memBytes.Add(-2 * o.MemtableBytes)
}
