package engine

import (
	"context"
	"maps"
	"time"

	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/tasks"
)

// taskInterval is how long the worker of tasks waits for what a task waits for, or until it tries again.
const taskInterval = time.Second

// prepareTasks registers the kinds of long operations. Kinds are stored: never rename.
func (db *core) prepareTasks() {
	w := &db.background.tasks
	kinds := db.copyKinds()
	maps.Copy(kinds, db.transferKinds())
	db.tasks = tasks.New(db.store, tasks.Options{
		Clock: db.exec.Now, Wake: w.look, Kinds: kinds,
		Hold: func(ctx context.Context) (*lease.Lease, error) {
			err := db.hold(ctx, w)
			return w.lease, err
		},
	})
}

// doTasks does the steps of all tasks. waiting says that some wait for something.
func (db *core) doTasks(ctx context.Context) (waiting bool, err error) {
	db.background.tasks.mu.Lock()
	defer db.background.tasks.mu.Unlock()
	if err := db.startRestores(ctx); err != nil {
		return false, err
	}
	return db.tasks.Work(ctx)
}
