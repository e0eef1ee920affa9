package lsm

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/spread"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

// DB is one open database. It is safe for concurrent use.
type DB struct {
	opts    Options
	stripes [base.StripeCount]stripe
	keys    *keyLocks
	updates sync.Pool
	walks   sync.Pool // *walk
	asks    spread.Counter
	snaps   snapshots
	seqs    seqs
	wal     wal

	// inFlight is held shared by whoever writes, and whole by Close before it gives the file back.
	inFlight sync.RWMutex

	memBytes  atomic.Int64 // held by memtables or reserved for them
	givenBack atomic.Int64 // what had been written when memory was last given back; see giveBack
	multis    atomic.Int64 // transactions that are not answered yet
	delay     atomic.Int64 // of the gate, in nanoseconds
	closed    atomic.Bool
	growAfter int64        // until then the log does not grow: the disk was full; the flusher's alone
	ticks     atomic.Int64 // nanoseconds by the flusher's ticks, without a Clock
	steady    steadyClock
	objects   atomic.Uint64
	figures   figures
	compact   compactions
	archiver  *archiver // nil without one

	// home is whose file a fork reads; nil without.
	home *DB

	// The file; all zero in memory.
	path      string
	holders   atomic.Int32 // of the descriptors: whoever opened it, and its forks
	lock      io.Closer
	files     []io.Closer
	ident     log.DatabaseID        // never changes
	crypt     *crypt.Keys           // nil when not encrypted
	super     superblock.Superblock // guarded by man.mu
	superAt   int                   // the copy that is written last
	heap      heap
	man       catalogue
	cache     *cache.Cache
	resident  *table.Resident
	inlineMax int

	spillMu sync.Mutex
	spills  []*spill // live: in the log, in LSN order

	passMu sync.Mutex // one pass at a time; held during I/O

	wakeup     chan struct{}
	stop       context.CancelFunc
	stopped    context.Context //nolint:containedctx // ends the background work of this database
	background sync.WaitGroup

	closing    context.Context //nolint:containedctx // ends copies of this database that are being made
	beginClose context.CancelFunc
}

// hook is called between two steps by tests; nil does nothing.
type hook func()

func (h hook) call() {
	if h != nil {
		h()
	}
}

// failHook may make the step fail.
type failHook func() error

func (h failHook) call() error {
	if h == nil {
		return nil
	}
	return h()
}

// hooks let tests stand between the steps of the protocol.
type hooks struct {
	afterReserve hook            // a frame has its place in the log and is not in it
	afterEnqueue hook            // between steps 5 and 6
	beforeFrames hook            // the leader must wait for frames of its group
	beforeSeal   hook            // the leader has taken a group
	beforeWrite  failHook        // sealed, not written; an error is the write's
	afterWrite   hook            // written, not published
	sealed       func(crypt.Use) // everything that is encrypted
	beforeRecord hook            // a pass has synced its tables, the record is not written
	afterView    hook            // the archive has a view for a base backup, and does not hold the log from there on yet
}

func defaultWorkers() int { return min(max(1, runtime.GOMAXPROCS(0)/2), WorkersMax) }

// newDB is a database with nothing in it, not yet open.
func newDB(opts Options) *DB {
	db := newShell(opts)
	empty := memtable.NewPacked
	if opts.InMemory {
		empty = memtable.New
	}
	for i := range db.stripes {
		db.stripes[i].active = empty()
		db.stripes[i].tables = newVersion(version{}.levels, merge.Dead{})
	}
	db.cache = cache.New(opts.CacheBytes)
	db.resident = table.NewResident(opts.ResidentBytes)
	return db
}

// newShell is a database without anything in its stripes, and without caches.
func newShell(opts Options) *DB {
	db := &DB{opts: opts, keys: &keyLocks{}, wakeup: make(chan struct{}, 1)}
	db.updates.New = func() any { return &update{db: db} }
	db.snaps.oldest.Store(noPin)
	db.holders.Store(1)
	db.compact.wake = make(chan struct{}, 1)
	db.stopped, db.stop = context.WithCancel(context.Background())
	db.closing, db.beginClose = context.WithCancel(context.Background())
	w := &db.wal
	w.cond = sync.NewCond(&w.mu)
	w.hooks, w.now, w.mem, w.wanted = opts.hooks, db.clock, &db.memBytes, db.wake
	w.counterMax = base.CounterMax
	if opts.counterMax != 0 {
		w.counterMax = opts.counterMax
	}
	w.relaxed, w.syncFile = opts.Sync != SyncAlways, db.syncLog
	w.claimed = func() { db.archiver.poke() }
	w.poisons = func(err error) {
		db.log("the store takes no more writes until it is opened again", err)
		db.seqs.fail(failed(storage.ErrUnavailable, err))
	}
	return db
}

func (db *DB) log(message string, err error) {
	if db.opts.Logger != nil {
		db.opts.Logger(message, err)
	}
}

// begin sets the numbers of a new epoch.
func (db *DB) begin(epoch base.Epoch) {
	db.objects.Store(uint64(epoch) << base.CounterBits)
	db.seqs.begin(epoch)
	db.wal.next = base.MakeLSN(epoch, 1)
	db.wal.gaps = []gap{{after: db.wal.next}}
}

func (db *DB) nextObject() base.ObjectNum { return base.ObjectNum(db.objects.Add(1)) }

// useKeys takes the keys of the superblock, which is unlocked.
func (db *DB) useKeys() {
	db.crypt = db.super.Keys
	if db.crypt != nil && db.opts.hooks.sealed != nil {
		db.crypt.Watch(db.opts.hooks.sealed)
	}
}

// newTerm draws a salt for a log.
func (db *DB) newTerm(id base.ObjectNum, epoch base.Epoch) (*log.Term, error) {
	var salt log.Salt
	if _, err := io.ReadFull(db.opts.Rand, salt[:]); err != nil {
		return nil, fmt.Errorf("draw a salt: %w", err)
	}
	return log.NewTerm(log.Ident{Log: id, Database: db.ident}, epoch, salt, db.crypt)
}

// poison ends all writing for good.
func (db *DB) poison(err error) {
	db.wal.mu.Lock()
	db.wal.poisonLocked(err)
	db.wal.mu.Unlock()
}

// syncLog makes durable what the log's descriptor has written. It is a sync of the whole file.
func (db *DB) syncLog() (err error) {
	_ = db.heap.syncWith(nil, func() error {
		err = db.wal.file.Sync()
		return err
	})
	return err
}

// wake tells the flusher that there may be something to do; it never blocks.
func (db *DB) wake() {
	select {
	case db.wakeup <- struct{}{}:
	default:
	}
}

// Presplit does nothing: stripes are fixed.
func (db *DB) Presplit(context.Context, [][]byte) error { return nil }

// Limits of the backend.
func (db *DB) Limits() storage.Limits {
	return storage.Limits{
		MaxKey: storage.KeyMaxBytes, MaxValue: storage.ValueMaxBytes, MaxUpdate: UpdateMaxBytes,
		MaxSnapshotAge: db.opts.SnapshotMaxAge,
	}
}
