// Package engine is the database: it opens a file or memory and serves the operations of api.Service
// on it. Front doors translate their bytes to and from the api structs and call it; Go programs
// embed it directly: DB.Table and DB.Client have the calls for them, with struct mapping, expression
// builders and range loops (engine/build).
//
// The way of one operation: validate the request's shape, compile its expressions, look up the
// table, bind to its schema (plan), run (exec), shape the answer. The order is the service's, so
// that the first fault it would report is the one reported here.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/partiql"
)

// DB is one open database. It implements api.Service and is safe for concurrent use.
type DB struct {
	api.Base
	opts     Options
	store    storage.Store
	file     *lsm.DB // nil for a store that the caller has opened
	catalog  *catalog.Catalog
	exec     *exec.Executor
	compiler *plan.Compiler
	// statements are those of PartiQL, parsed.
	statements partiql.Cache
	rules      validate.Options
	buckets    *capacity.Buckets // nil without Options.Throttle
	randMu     sync.Mutex        // serializes reads of opts.Rand
	tending    tending
	counting   counting
	client     *build.Client

	background *background
}

var (
	_ api.Service = (*DB)(nil)
	_ api.Admin   = (*DB)(nil)
	_ api.Feeder  = (*DB)(nil)
)

// Open opens the database file at path, creating it when it is absent and Options.ReadOnly is not set, or
// a database in memory.
// Errors of a damaged file wrap storage.ErrCorrupt.
func Open(path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	if err := opts.validate(path); err != nil {
		return nil, err
	}
	store, err := lsm.Open(path, opts.lsm())
	if err != nil {
		return nil, err
	}
	opts.EncryptionKey = nil
	db, err := newDB(store, opts)
	if err != nil {
		return nil, closeAfter(store, err)
	}
	db.file = store
	return db, nil
}

// OpenStore serves a store that the caller has opened; Close closes it. Options of the file are
// ignored; Options.ReadOnly says that the store takes no writes.
func OpenStore(store storage.Store, opts Options) (*DB, error) {
	return newDB(store, opts.withDefaults())
}

func closeAfter(store storage.Store, err error) error {
	if e := store.Close(); e != nil {
		return fmt.Errorf("%w (and closing failed: %w)", err, e)
	}
	return err
}

func (o Options) lsm() lsm.Options {
	return lsm.Options{
		InMemory: o.InMemory, ReadOnly: o.ReadOnly, Sync: o.Sync, SyncInterval: o.SyncInterval, Clock: o.Clock, Rand: o.Rand,
		EncryptionKey: o.EncryptionKey,
		MemtableBytes: o.MemtableBytes, CacheBytes: o.CacheBytes, LogBytes: o.LogBytes,
		Compression: o.Compression,
		Logger:      func(message string, err error) { o.Logger.Warn().Err(err).Msg(message) },
	}
}

func newDB(store storage.Store, opts Options) (*DB, error) {
	ctx := context.Background()
	store = storage.Retrying(store)
	db := &DB{
		opts: opts, store: store, compiler: plan.NewCompiler(),
		rules: validate.Options{ClassicErrors: opts.ClassicErrors, Account: opts.Account},
	}
	if opts.Throttle {
		db.buckets = new(capacity.Buckets)
	}
	db.tending.meters = map[string]*stream.Meter{}
	db.client = build.New(db)
	var err error
	if db.exec, err = exec.New(ctx, store, opts.Clock); err != nil {
		return nil, err
	}
	if behind := db.exec.Behind(); behind > clockBehindMax {
		opts.Logger.Warn().Dur("behind_ms", behind).
			Msg("the system's clock was set back: for this database time stands still until it has caught up")
	}
	db.exec.WaitOnConflict = opts.WaitOnConflict
	if opts.CollectionBytes > 0 {
		db.exec.CollectionLimit = opts.CollectionBytes
	}
	db.catalog, err = catalog.Open(ctx, store, catalog.Options{
		Clock: db.exec.Now, NewUUID: db.newUUID, TableDelay: opts.TableDelay, TTLLag: opts.TTLLag,
		StreamShards: uint32(opts.StreamShards), TablesMax: opts.strictTables(), ReadOnly: opts.ReadOnly,
	})
	if err != nil {
		return nil, err
	}
	db.startBackground()
	return db, nil
}

// Close ends background work, checkpoints and closes the store. Operations that run or come later
// fail.
func (db *DB) Close() error {
	db.stopBackground()
	if !db.opts.ReadOnly {
		// As good as can be: a store that takes no writes any more is closed all the same.
		_ = db.keepTime(context.Background(), 0)
	}
	return db.store.Close()
}

const (
	// clockBehindMax is how far a clock may be behind without a word.
	clockBehindMax = time.Minute
	// timeKeptEvery is how old the stored time becomes where time matters.
	timeKeptEvery = time.Minute
)

// keepTime stores the time if what is stored is older than age. Where nothing expires and no stream has
// records there is nothing that time could take back.
func (db *DB) keepTime(ctx context.Context, age time.Duration) error {
	if len(db.catalog.WithTTL()) == 0 && len(db.catalog.Streams()) == 0 {
		return nil
	}
	return db.exec.KeepTime(ctx, age)
}

// Ready says whether the database takes writes, now or, when the disk is full, once there is room. After
// a failed write of the log it never does again: it must be closed and opened.
func (db *DB) Ready(ctx context.Context) bool {
	named := []storage.Named{{Key: key.AppendLease(nil, "ready"), Shared: true}}
	err := db.store.Update(ctx, named, storage.UpdateOptions{}, func(storage.Tx) error { return nil })
	return err == nil || errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrConflict)
}

// uuidBytes is the length of a UUID.
const uuidBytes = 16

// newUUID makes a version 4 UUID. Rand failing leaves zeros: ids are for people, not for security.
func (db *DB) newUUID() string {
	var b [uuidBytes]byte
	db.randMu.Lock()
	_, err := io.ReadFull(db.opts.Rand, b[:])
	db.randMu.Unlock()
	if err != nil {
		db.opts.Logger.Error().Err(err).Msg("no randomness for a table id")
	}
	b[6] = b[6]&0x0F | 0x40
	b[8] = b[8]&0x3F | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// handle is a table that an operation has entered.
type handle struct {
	*catalog.Table
	shard uint32
}

func (h handle) leave() { h.Leave(h.shard) }

// enter finds the table of a data operation. The item only spreads the count of running operations.
func (db *DB) enter(name string, item attr.Item) (handle, error) {
	var shard uint32
	if n := len(item); n > 0 {
		shard = uint32(item[n-1]) ^ uint32(item[n/2])
	}
	t, err := db.catalog.Enter(tableName(name), shard)
	if err == catalog.ErrNotFound { //nolint:errorlint // a sentinel that nobody wraps, on the hot path
		return handle{}, api.Errorf(api.ResourceNotFound, api.MsgNotFound)
	}
	return handle{Table: t, shard: shard}, err
}

// tableName is the name of the table that a TableName member names: a name or an ARN, whose region
// and account are not looked at.
func tableName(ref string) string {
	if name, ok := validate.Table(ref); ok {
		return name
	}
	return ref
}

// tableARN is the ARN of a table of this database.
func (db *DB) tableARN(name string) string {
	return "arn:aws:dynamodb:" + db.opts.Region + ":" + db.opts.Account + ":table/" + name
}

// fromMillis is a time of the catalog; absent when zero.
func fromMillis(ms int64) api.Opt[time.Time] {
	if ms == 0 {
		return api.Opt[time.Time]{}
	}
	return api.Some(time.UnixMilli(ms))
}
