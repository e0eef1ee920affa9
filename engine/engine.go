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
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/insights"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/neighbors"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/partiql"
)

// core serves the operations on one state of a database: its store and what is known of it in memory.
// Reset puts another one in its place.
type core struct {
	opts     Options
	store    storage.Store
	file     *lsm.DB // the same; nil for a store that the caller has opened
	catalog  *catalog.Catalog
	exec     *exec.Executor
	compiler *plan.Compiler
	// statements are those of PartiQL, parsed.
	statements partiql.Cache
	rules      validate.Options
	buckets    *capacity.Buckets // nil without Options.Throttle
	tasks      *tasks.Set
	restoring  sync.Mutex // a backup is deleted, or a restore from one begins
	transfers  transfers
	tending    tending
	following  following
	counting   counting
	neighbors  *neighbors.Set // graphs of indexes of vectors
	senders    senders
	collecting collecting // guarded by the worker that collects
	policies   policyCache
	insights   insights.Registry
	scaling    scaling
	logSizes   logSizes

	background *background
	retired    atomic.Bool   // another one takes its place
	next       chan struct{} // closed when that has happened
	gaps       []gap         // of its streams
	// session tells this opening of the database from others, openedAt is the last number of what it found.
	session  func() string
	openedAt storage.Seq
}

// scrubRate is none for whoever wants no background work.
func (o Options) scrubRate() int64 {
	if o.NoBackground {
		return -1
	}
	return o.ScrubRate
}

func (o Options) lsm() lsm.Options {
	return lsm.Options{
		InMemory: o.InMemory, ReadOnly: o.ReadOnly, Sync: o.Sync, SyncInterval: o.SyncInterval, Clock: o.Clock, Rand: o.Rand,
		EncryptionKey: o.EncryptionKey, Archive: o.Archive, ArchiveEvery: o.ArchiveEvery, ArchiveBaseEvery: o.ArchiveBaseEvery,
		MemtableBytes: o.MemtableBytes, CacheBytes: o.CacheBytes, LogBytes: o.LogBytes,
		SnapshotMaxAge: o.SnapshotMaxAge, SnapshotMaxBytes: o.SnapshotMaxBytes,
		Compression: o.Compression, MmapReads: o.MmapReads,
		ScrubRate: o.scrubRate(),
		Logger:    func(message string, err error) { o.Logger.Warn().Err(err).Msg(message) },
	}
}

func closeAfter(store storage.Store, err error) error {
	if e := store.Close(); e != nil {
		return fmt.Errorf("%w (and closing failed: %w)", err, e)
	}
	return err
}

// openCore makes ready to serve a store. Background work begins with startBackground.
func openCore(store storage.Store, opts Options) (*core, error) {
	ctx := context.Background()
	file, _ := store.(*lsm.DB)
	store = storage.Retrying(store)
	db := &core{
		opts: opts, store: store, file: file, next: make(chan struct{}), compiler: plan.NewCompiler(),
		rules: validate.Options{ClassicErrors: opts.ClassicErrors, Account: opts.Account},
	}
	if opts.Throttle {
		db.buckets = new(capacity.Buckets)
	}
	db.tending.meters = map[string]*stream.Meter{}
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
		Keep: db.keepDeleted, Region: opts.Region, Wrote: db.wakeSenders,
	})
	if err != nil {
		return nil, err
	}
	db.prepareBackground()
	db.prepareTasks()
	db.neighbors = neighbors.NewSet(store, neighbors.Options{
		Exact: opts.vectorsExact, Bytes: opts.VectorBytes, Seed: db.seed, Now: db.exec.Now, GivenUp: db.vectorsGivenUp,
	})
	db.exec.OnVectors = db.background.vectors.look
	db.transfers.prepare()
	db.prepareFollowing()
	if err := db.disown(ctx); err != nil {
		return nil, err
	}
	db.warnOfDestinations()
	db.session = sync.OnceValue(db.newUUID)
	if db.openedAt, err = store.Watermark(ctx, 0); err != nil {
		return nil, err
	}
	if err := db.loadInsights(ctx); err != nil {
		return nil, err
	}
	return db, db.abandonOrphans(ctx)
}

// close ends background work, checkpoints and closes the store. Operations that run or come later
// fail.
func (db *core) close() error {
	db.stopBackground()
	db.closeTransfers()
	if !db.opts.ReadOnly {
		// As good as can be: a store that takes no writes any more is closed all the same.
		_ = db.keepTime(context.Background(), 0)
		_ = db.saveVectors(context.Background())
		_, _ = db.keepInsights(context.Background())
	}
	return db.store.Close()
}

const (
	// clockBehindMax is how far a clock may be behind without a word.
	clockBehindMax = time.Minute
	// timeKeptEvery is how old the stored time becomes where time matters.
	timeKeptEvery = time.Minute
)

// keepTime stores the time if what is stored is older than age. Where nothing expires and no stream or change
// log has records there is nothing that time could take back.
func (db *core) keepTime(ctx context.Context, age time.Duration) error {
	if len(db.catalog.WithTTL()) == 0 && len(db.catalog.Streams()) == 0 && len(db.catalog.Feeds()) == 0 && len(db.catalog.WithLog()) == 0 {
		return nil
	}
	return db.exec.KeepTime(ctx, age)
}

// ready is DB.Ready.
func (db *core) ready(ctx context.Context) bool {
	named := []storage.Named{{Key: key.AppendLease(nil, "ready"), Shared: true}}
	err := db.store.Update(ctx, named, storage.UpdateOptions{}, func(storage.Tx) error { return nil })
	return err == nil || errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrConflict)
}

// uuidBytes is the length of a UUID.
const uuidBytes = 16

// newUUID makes a version 4 UUID. Rand failing leaves zeros: ids are for people, not for security.
func (db *core) newUUID() string {
	var b [uuidBytes]byte
	_, err := io.ReadFull(db.opts.Rand, b[:])
	if err != nil {
		db.opts.Logger.Error().Err(err).Msg("no randomness for a table id")
	}
	return uuidOf(b)
}

// uuidOf is the text of a version 4 UUID.
func uuidOf(b [uuidBytes]byte) string {
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
func (db *core) enter(name string, item attr.Item) (handle, error) {
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
func (db *core) tableARN(name string) string {
	return "arn:aws:dynamodb:" + db.opts.Region + ":" + db.opts.Account + ":table/" + name
}

// fromMillis is a time of the catalog; absent when zero.
func fromMillis(ms int64) api.Opt[time.Time] {
	if ms == 0 {
		return api.Opt[time.Time]{}
	}
	return api.Some(time.UnixMilli(ms))
}
