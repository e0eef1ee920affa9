package engine

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
)

// DB is one open database. It implements api.Service and is safe for concurrent use.
type DB struct {
	api.Base
	opts   Options
	client *build.Client
	// served is the state that requests meet.
	served atomic.Pointer[core]

	mu          sync.Mutex // one Checkpoint, Reset or Close at a time
	checkpoints map[string]*checkpoint
	closed      bool
}

var (
	_ api.Service = (*DB)(nil)
	_ api.Admin   = (*DB)(nil)
	_ api.Feeder  = (*DB)(nil)

	_ api.Replicator = (*DB)(nil)
	_ api.Authorizer = (*DB)(nil)
)

// Open opens the database file at path, creating it when it is absent and Options.ReadOnly is not set, or
// a database in memory.
// Errors of a damaged file are ErrDamaged (errors.Is).
func Open(path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	if err := opts.validate(path); err != nil {
		return nil, err
	}
	open := lsm.Open
	if opts.Load != "" {
		open, path = lsm.Load, opts.Load
	}
	store, err := open(path, opts.lsm())
	if err != nil {
		return nil, err
	}
	db, err := newDB(store, opts)
	if err != nil {
		return nil, closeAfter(store, err)
	}
	return db, nil
}

// OpenStore serves a store that the caller has opened; Close closes it. Options of the file are
// ignored; Options.ReadOnly says that the store takes no writes.
func OpenStore(store storage.Store, opts Options) (*DB, error) {
	return newDB(store, opts.withDefaults())
}

func newDB(store storage.Store, opts Options) (*DB, error) {
	opts.EncryptionKey = nil // what needs it has it
	c, err := openCore(store, opts)
	if err != nil {
		return nil, err
	}
	c.startBackground()
	return dbOf(c, opts), nil
}

func dbOf(c *core, opts Options) *DB {
	db := &DB{opts: opts, checkpoints: map[string]*checkpoint{}}
	db.served.Store(c)
	db.client = build.New(db)
	return db
}

// Close ends background work, checkpoints and closes the store. Operations that run or come later
// fail. Forks stay open.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed = true
	for name := range db.checkpoints {
		db.dropLocked(name)
	}
	return db.served.Load().close()
}

// Ready says whether the database takes writes, now or, when the disk is full, once there is room. After
// a failed write of the log it never does again: it must be closed and opened.
func (db *DB) Ready(ctx context.Context) bool { return db.served.Load().ready(ctx) }

// Work does all background work that is due by now, but for what another process on the same store
// does, and returns when it is done. With
// Options.NoBackground it is the only way to have it done. A database that is read-only has none:
// storage.ErrReadOnly.
func (db *DB) Work(ctx context.Context) error { return db.served.Load().work(ctx) }

// RollStreamShards implements api.Admin.
func (db *DB) RollStreamShards(ctx context.Context, streamArn string, children int) error {
	return db.served.Load().rollStreamShards(ctx, streamArn, children)
}

// Subscribe implements api.Feeder. It learns of the writes of this process only. Reset ends a feed with
// TrimmedDataAccess, or ResourceNotFound when its stream is gone.
func (db *DB) Subscribe(ctx context.Context, in *api.SubscribeInput, deliver func(*api.SubscribeOutput) error) error {
	for {
		var begun bool
		var refused error
		c := db.served.Load()
		err := c.subscribe(ctx, in, func(out *api.SubscribeOutput) error {
			begun = true
			refused = deliver(out)
			return refused
		})
		switch {
		case err == nil || refused != nil || !c.replaced(err):
			return err
		case begun:
			if _, err := db.served.Load().feedStream(ctx, in); err != nil {
				return err
			}
			return api.Errorf(api.TrimmedDataAccess, api.MsgTrimmed)
		}
	}
}
