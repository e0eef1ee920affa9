package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/objects"
)

// SyncMode says when a write is acknowledged.
type SyncMode = lsm.SyncMode

// Sync modes.
const (
	// SyncAlways acknowledges when the write survives a power loss. The default.
	SyncAlways = lsm.SyncAlways
	// SyncInterval acknowledges when the write survives a killed process, and syncs on a timer.
	SyncInterval = lsm.SyncInterval
	// SyncOff acknowledges when the write survives a killed process, and leaves the rest to the
	// operating system.
	SyncOff = lsm.SyncOff
)

// Compression says how the tables of the file are compressed.
type Compression = lsm.Compression

// Compressions.
const (
	// CompressionS2 is the quick one. The default.
	CompressionS2 = lsm.CompressionS2
	// CompressionZstd makes most of the file about a third smaller than s2, at several times the cost.
	CompressionZstd = lsm.CompressionZstd
	// CompressionNone stores everything as it is.
	CompressionNone = lsm.CompressionNone
)

// Defaults of Options.
const (
	DefaultRegion       = "us-east-1"
	DefaultAccount      = "123456789012"
	DefaultSyncInterval = 100 * time.Millisecond
	DefaultTTLInterval  = time.Second
	// DefaultArchiveEvery and DefaultArchiveBaseEvery are those of Options.ArchiveEvery and
	// Options.ArchiveBaseEvery.
	DefaultArchiveEvery     = lsm.ArchiveEveryDefault
	DefaultArchiveBaseEvery = lsm.ArchiveBaseEveryDefault
	DefaultTTLRate          = 5000
	// DefaultCollectionBytes is the service's limit on an item collection.
	DefaultCollectionBytes = exec.CollectionLimitDefault
	DefaultStreamShards    = 1
	// DefaultStreamRetention is the service's.
	DefaultStreamRetention = 24 * time.Hour
	DefaultSnapshotMaxAge  = 24 * time.Hour
)

// EncryptionKeyBytes is the length of Options.EncryptionKey.
const EncryptionKeyBytes = lsm.EncryptionKeyBytes

// StreamShardsMax bounds Options.StreamShards.
const StreamShardsMax = 1024

// LogBytesMin is the smallest Options.LogBytes: two segments of the log.
const LogBytesMin = lsm.LogBytesMin

// accountDigits is the length of an account number.
const accountDigits = 12

// Options of a database. The zero value is a durable database with the defaults.
type Options struct {
	// InMemory keeps everything in memory and no file; the path must be empty.
	InMemory bool
	// Load is a database file with whose content a database in memory begins. It is read whole, with
	// EncryptionKey when it is encrypted, and let go of: DB.Save may replace it. Empty begins empty.
	Load string
	// ReadOnly opens a file that is there for reading, beside other readers but not beside a writer, and
	// writes nothing to it, so the right to read it is enough. What would write fails with
	// InternalServerError (storage.ErrReadOnly), and there is no background work.
	ReadOnly bool
	// EncryptionKey opens an encrypted file, and makes a new file an encrypted one: EncryptionKeyBytes
	// random bytes; nil for a file that is not encrypted. It encrypts the file's own key and nothing
	// else. Open copies it and keeps no copy.
	EncryptionKey []byte
	// Sync says when a write is acknowledged.
	Sync SyncMode
	// SyncInterval is the timer of SyncInterval mode; default 100 ms.
	SyncInterval time.Duration
	// Region and Account go into ARNs.
	Region, Account string
	// TableDelay is how long tables stay CREATING, UPDATING and DELETING; default 0.
	TableDelay time.Duration
	// ClassicErrors leaves out the prefix that the service puts before the texts of PutItem, Query and
	// UpdateItem since 2026 (wire-facts §3.6).
	ClassicErrors bool
	// Throttle holds requests to the provisioned throughput of their tables and indexes, and to the
	// maximum of on-demand ones, as the service does; default is to serve all that comes.
	Throttle bool
	// StrictLimits enforces also the service's limits that only pace administrators: one change of
	// time to live an hour, decreases of throughput and switches of the billing mode a day, tables and
	// provisioned units of an account; and what a table may have of them.
	StrictLimits bool
	// CacheBytes bounds the block cache, MemtableBytes the memtables; 0 means 64 MiB each.
	CacheBytes, MemtableBytes int64
	// VectorBytes bounds the memory of the graphs of all indexes of vectors; 0 means 2 GiB. A vector takes
	// about five bytes a dimension and 400 more. A graph that was not searched for a minute makes room for
	// others; an index for whose graph there is no room is searched by reading all of its vectors, which is
	// exact and slow, until there is.
	VectorBytes int64
	// MmapReads reads tables through read-only mappings of the file, where the system has them: quicker
	// while the pages are in memory, worse when they come from the disk. A page that cannot be read is an
	// error, as without. Default: nothing of the file is mapped.
	MmapReads bool
	// SnapshotMaxAge and SnapshotMaxBytes bound how long a snapshot may be open, and how much may be
	// written meanwhile: until then the database keeps what it reads. An index that is filled, or a count,
	// begins its step anew when its snapshot ends. Default 24 h, and no bound of bytes. Backups have no bounds.
	SnapshotMaxAge   time.Duration
	SnapshotMaxBytes int64
	// LogBytes is the target size of the write-ahead log; 0 means 192 MiB.
	LogBytes int64
	// Compression of what is written from now on; blocks of every kind are read.
	Compression Compression
	// ScrubRate is how many bytes a second of the file, its log included, are read and checked in the
	// background, an eighth of it beside many commits; 0 means so many that a round takes a week, negative
	// none. A round begins an hour after the one before began, at the earliest. What is found is logged and counted in Stats.
	ScrubRate int64
	// Archive keeps the log of the file and base backups, so that RestoreArchive can bring back the state of
	// any second; default none. While it cannot be reached the log of the file grows up to LogBytes; then
	// it goes on without it, and the archive has a gap up to its next base backup. ArchiveEvery is how long
	// a write waits at most before it is in the archive, by default 10 s; ArchiveBaseEvery is the time
	// between base backups, by default a day.
	Archive                        Archive
	ArchiveEvery, ArchiveBaseEvery time.Duration
	// Buckets finds the buckets of exports, imports and bulk puts: objects.Folders has them as folders. Without
	// it no bucket exists.
	Buckets objects.Open
	// ImportErrors keeps what an import could not take, which the service writes to CloudWatch: lines of JSON of
	// the import whose ARN ends with an id. After a crash lines may come again; an import waits while it
	// fails. The first 1,000 of each import are logged too, and only that without it. Called concurrently.
	ImportErrors func(ctx context.Context, importID string, lines []byte) error
	// DataStreams take the changes of tables with a Kinesis destination; nil has no data streams, so that
	// none can be enabled. Forks have none.
	DataStreams DataStreams
	// StreamShards is the number of open shards of a stream, as of its enabling; default 1.
	StreamShards int
	// StreamRetention is how long a stream keeps a record; default 24 h.
	StreamRetention time.Duration
	// StreamBytes bounds the records that each stream keeps, in bytes before compression; 0 means no
	// bound. The bound is met whenever streams are looked at, every 288th part of StreamRetention.
	StreamBytes int64
	// WaitOnConflict makes requests that meet a transaction in flight on the same item wait for it;
	// default is TransactionConflictException, as the service answers.
	WaitOnConflict bool
	// Endpoint is the HOST:PORT that DescribeEndpoints answers; empty means the service's own name.
	Endpoint string
	// Clock is asked for the time; default time.Now. Tests move it by hand.
	Clock func() time.Time
	// CollectionBytes bounds the size of an item collection in a table with local indexes; default is
	// the service's 10 GiB.
	CollectionBytes int64
	// TTLLag shows items that are past their time until they are swept, as the service does; default
	// is that they are absent from that moment on.
	TTLLag bool
	// TTLInterval is the time between two sweeps; default 1 s. TTLRate bounds the items that are swept
	// a second; default 5,000.
	TTLInterval time.Duration
	TTLRate     int
	// After makes the timers of background work; default time.After, or no timers when Clock is set:
	// then the work that is not due at once waits for DB.Work or for a look at its table.
	After func(time.Duration) <-chan time.Time
	// NoBackground leaves all background work to calls of DB.Work.
	NoBackground bool
	// Rand gives ids and, to encrypted files, keys; default crypto/rand. It is read by one goroutine at a
	// time.
	Rand io.Reader
	// Replicas are the databases in which tables may have replicas (UpdateTable with ReplicaUpdates), by their
	// regions: a DB in this process, or one that is reached over the network. They should know this one as its
	// Region, in their own Options or by DB.Connect. A region that is not here is one that does not exist.
	Replicas map[string]api.Replicator
	// regions are the same, and those of DB.Connect.
	regions *regions
	// Logger gets what an operator should know; default none.
	Logger zerolog.Logger
	// countMax, countBytes and countStep stand for countExactMax, countExactBytes and countStepKeys in
	// tests; 0 means these.
	countMax, countBytes, countStep int64
	// outKeys stands for outKeysMin in tests.
	outKeys int64
	// vectorsExact stands for neighbors.ExactMax in tests; 0 means this.
	vectorsExact int
	// loadRecords, exportBytes and exportsMax stand for the constants of that name in tests; 0 means these.
	loadRecords, exportBytes, exportsMax int
	// home is that of a fork.
	home string
	// progressItems and copyBytes stand for the constants of these names in tests; 0 means these.
	progressItems int64
	copyBytes     int
}

func (o Options) withDefaults() Options {
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	if o.Account == "" {
		o.Account = DefaultAccount
	}
	if o.regions == nil {
		o.regions = newRegions(o.Replicas)
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = DefaultSyncInterval
	}
	if o.SnapshotMaxAge == 0 {
		o.SnapshotMaxAge = DefaultSnapshotMaxAge
	}
	if o.StreamShards == 0 {
		o.StreamShards = DefaultStreamShards
	}
	if o.StreamRetention == 0 {
		o.StreamRetention = DefaultStreamRetention
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:clock // the one place where the time of an embedded database comes from
		if o.After == nil {
			o.After = time.After //nolint:clock // and its timers
		}
	}
	if o.TTLInterval == 0 {
		o.TTLInterval = DefaultTTLInterval
	}
	if o.TTLRate == 0 {
		o.TTLRate = DefaultTTLRate
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	} else if _, ok := o.Rand.(*lockedReader); !ok {
		o.Rand = &lockedReader{r: o.Rand}
	}
	if o.outKeys == 0 {
		o.outKeys = outKeysMin
	}
	if o.countMax == 0 {
		o.countMax = countExactMax
	}
	if o.countBytes == 0 {
		o.countBytes = countExactBytes
	}
	if o.countStep == 0 {
		o.countStep = countStepKeys
	}
	if o.exportsMax == 0 {
		o.exportsMax = exportsMax
	}
	if o.exportBytes == 0 {
		o.exportBytes = exportBytes
	}
	if o.loadRecords == 0 {
		o.loadRecords = loadRecords
	}
	if o.progressItems == 0 {
		o.progressItems = progressItems
	}
	if o.copyBytes == 0 {
		o.copyBytes = copyBytes
	}
	return o
}

// validate reports all faults at once.
func (o Options) validate(path string) error {
	var errs []error
	if o.InMemory && path != "" {
		errs = append(errs, errors.New("engine: an in-memory database has no path"))
	}
	if !o.InMemory && o.Load != "" {
		errs = append(errs, errors.New("engine: only an in-memory database is loaded"))
	}
	if o.InMemory && o.ReadOnly {
		errs = append(errs, errors.New("engine: an in-memory database cannot be read-only"))
	}
	if !o.InMemory && path == "" {
		errs = append(errs, errors.New("engine: path is empty"))
	}
	if o.Archive != nil && (o.InMemory || o.ReadOnly) {
		errs = append(errs, errors.New("engine: an archive is of a file that is written"))
	}
	if o.ArchiveEvery < 0 || o.ArchiveBaseEvery < 0 {
		errs = append(errs, errors.New("engine: a time between shipments to the archive is negative"))
	}
	if _, ok := o.Replicas[o.Region]; ok {
		errs = append(errs, fmt.Errorf("engine: %s is the region of the database itself and of a replica", o.Region))
	}
	if len(o.Account) != accountDigits {
		errs = append(errs, fmt.Errorf("engine: account %q: want %d digits", o.Account, accountDigits))
	}
	if o.TableDelay < 0 || o.SyncInterval < 0 || o.TTLInterval < 0 {
		errs = append(errs, errors.New("engine: a duration is negative"))
	}
	if o.SnapshotMaxAge < 0 || o.SnapshotMaxBytes < 0 {
		errs = append(errs, errors.New("engine: a bound of snapshots is negative"))
	}
	if o.StreamRetention < 0 || o.StreamBytes < 0 {
		errs = append(errs, errors.New("engine: a bound of streams is negative"))
	}
	if o.StreamShards < 0 || o.StreamShards > StreamShardsMax {
		errs = append(errs, fmt.Errorf("engine: %d stream shards: want 1 to %d", o.StreamShards, StreamShardsMax))
	}
	if o.TTLRate < 0 {
		errs = append(errs, errors.New("engine: the rate of sweeping is negative"))
	}
	if o.CollectionBytes < 0 || o.CacheBytes < 0 || o.VectorBytes < 0 || o.MemtableBytes < 0 || o.LogBytes < 0 {
		errs = append(errs, errors.New("engine: a size is negative"))
	}
	return errors.Join(errs...)
}

// lockedReader is read by one at a time: a database, its store and its forks share it.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

// Read implements io.Reader.
func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}
