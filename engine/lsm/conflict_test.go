package lsm

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestABatchThatMeetsATransaction stops a transaction between its steps: while it holds its key, and
// when it has given it back and its group is not published. A batch that does not wait is refused in
// both places and goes on behind them; a plain writer in the same places refuses nobody.
func TestABatchThatMeetsATransaction(t *testing.T) {
	for _, multi := range []bool{true, false} {
		enqueued, written := newStop(), newStop()
		opts := memOptions(nil)
		opts.manual = true
		opts.hooks = &hooks{afterEnqueue: enqueued.here, afterWrite: written.here}
		db := openMem(t, vfs.NewMemFS(1), opts)
		k := testKey(1, "k")
		probe := func() error {
			b := storage.Batch{Ops: []storage.Op{{Key: k, Value: []byte("probe"), NoWait: true}}}
			return db.Apply(context.Background(), &b, storage.UpdateOptions{})
		}
		var behind sync.WaitGroup
		meet := func() {
			if !multi {
				behind.Go(func() { assert.NoError(t, probe(), "plain writes never conflict") })
				return
			}
			var met *storage.ConflictError
			require.ErrorAs(t, probe(), &met)
			require.True(t, met.Multi)
			require.Equal(t, k, met.Key)
		}
		enqueued.arm(t)
		written.arm(t)
		behind.Go(func() {
			assert.NoError(t, db.Update(context.Background(), []storage.Named{{Key: k}},
				storage.UpdateOptions{Multi: multi}, func(tx storage.Tx) error {
					tx.Put(k, []byte("first"))
					return nil
				}))
		})
		<-enqueued.reached
		meet()
		enqueued.letGo()
		<-written.reached
		meet()
		written.letGo()
		behind.Wait()
		if multi {
			require.Equal(t, "first", mustGet(t, db, k))
		}
		require.NoError(t, probe())
		require.Equal(t, "probe", mustGet(t, db, k))
		require.Zero(t, db.multis.Load())
	}
}
