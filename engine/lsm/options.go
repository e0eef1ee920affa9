package lsm

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// SyncMode says when a write is durable.
type SyncMode uint8

const (
	// SyncAlways answers a write when it is on the disk. The default.
	SyncAlways SyncMode = iota
	// SyncInterval answers when the operating system has the write and syncs every SyncInterval:
	// an answer survives a killed process, not a power loss.
	SyncInterval
	// SyncOff never syncs the log on its own; flushes still do.
	SyncOff
)

func (m SyncMode) String() string {
	switch m {
	case SyncAlways:
		return "always"
	case SyncInterval:
		return "interval"
	case SyncOff:
		return "off"
	}
	return "unknown"
}

// Compression says how tables are compressed. Whatever is chosen, blocks of every kind are read, and
// a block that does not shrink by an eighth is stored as it is.
type Compression uint8

const (
	// CompressionS2 is the quick one, and the default.
	CompressionS2 Compression = iota
	// CompressionZstd uses zstd for the last level of the tree, where nearly all data is, and s2 above
	// it: about a third less on disk for several times the work of compaction and of reads that miss
	// the cache.
	CompressionZstd
	// CompressionNone stores everything as it is.
	CompressionNone
)

func (c Compression) String() string {
	switch c {
	case CompressionS2:
		return "s2"
	case CompressionZstd:
		return "zstd"
	case CompressionNone:
		return "none"
	}
	return "unknown"
}

// Defaults and bounds of Options.
const (
	MemtableBytesDefault = 64 << 20
	CacheBytesDefault    = 64 << 20
	ResidentBytesDefault = 64 << 20
	LogBytesDefault      = 192 << 20
	SegmentBytesDefault  = 4 << 20
	SyncIntervalDefault  = 100 * time.Millisecond
	LockWaitDefault      = 10 * time.Second
	FlushAgeDefault      = 5 * time.Minute
	// BlockBytesDefault is the size of blocks before compression, BlockBytesZstdDefault of those that
	// zstd compresses: it has a fixed cost for each.
	BlockBytesDefault     = table.BlockBytesDefault
	BlockBytesZstdDefault = 16 << 10
	// WorkersMax bounds the compaction workers.
	WorkersMax = 4
	// EncryptionKeyBytes is the length of Options.EncryptionKey.
	EncryptionKeyBytes = 32
	// UpdateMaxBytes is the largest encoded batch.
	UpdateMaxBytes = ondisk.UpdateMaxBytes

	// LogBytesMin is the smallest log: two segments.
	LogBytesMin = 2 * segmentBytesMin

	segmentBytesMin  = 32 << 10
	memtableBytesMin = 32 << 10
	cacheBytesMin    = 64 << 10
)

// Options of a database. The zero value opens a durable database with the defaults.
type Options struct {
	// InMemory keeps everything in memory and writes no file; the path must be empty.
	InMemory bool
	// ReadOnly opens an existing file for reading, beside other readers, and writes nothing.
	ReadOnly bool
	// FS holds the file; nil is the operating system's. Only tests of this module can set it.
	FS vfs.FS
	// Sync says when a write is durable.
	Sync SyncMode
	// SyncInterval is the time between syncs in the mode SyncInterval; 0 means 100 ms.
	SyncInterval time.Duration
	// Clock tells the time for ages and rates; nil counts the ticks of the background goroutine.
	// Nothing on disk depends on it but the marks in the log of an archive.
	Clock func() time.Time
	// Rand gives ids, keys and salts; nil is crypto/rand. It is read by one goroutine at a time.
	Rand io.Reader
	// Logger gets rare events with what happened in words; nil drops them.
	Logger func(message string, err error)
	// EncryptionKey opens an encrypted file, and makes a new file an encrypted one: EncryptionKeyBytes
	// random bytes; nil for a file that is not encrypted. It is copied, and the copy is cleared when
	// the file is open.
	EncryptionKey []byte
	// MemtableBytes is the budget of all memtables; 0 means 64 MiB. Active and frozen ones
	// together may take 1.5 times that.
	MemtableBytes int64
	// CacheBytes bounds decoded blocks, ResidentBytes filters and indexes of tables; 0 means 64 MiB.
	CacheBytes, ResidentBytes int64
	// MmapReads reads tables through read-only mappings of the file, where the system has them: quicker
	// as long as the pages are in memory. One that is not stops a whole processor of the Go scheduler for
	// as long as the disk takes, and mapped pages count as memory of the process. A page that cannot be
	// read is an error as ever.
	MmapReads bool
	// LogBytes is the size that the log may grow to when it laps quickly; 0 means 192 MiB.
	LogBytes int64
	// SegmentBytes is the size of a new log segment, a multiple of 4096; 0 means 4 MiB.
	SegmentBytes int64
	// BlockBytes of tables before compression; 0 means 8 KiB, and 16 KiB for blocks that zstd
	// compresses.
	BlockBytes int
	// Compression of tables that are written from now on.
	Compression Compression
	// Workers compact in the background; 0 means half the cores, at least one.
	Workers int
	// LockWait bounds the wait for a key; then the update ends with a Conflict. 0 means 10 s.
	LockWait time.Duration
	// SnapshotMaxAge is how long a snapshot may be open, SnapshotMaxBytes how much may be written
	// meanwhile, keys and values: each keeps what it may still read from being dropped. Then it ends with
	// storage.ErrSnapshotGone. 0 means no limit. Backups have none. In memory ages need a Clock, and are
	// looked at when something is written or a snapshot opened.
	SnapshotMaxAge   time.Duration
	SnapshotMaxBytes int64
	// FlushAge is how long an idle stripe may keep writes in its memtable only; 0 means 5 minutes.
	FlushAge time.Duration

	// Archive keeps the log and base backups; nil keeps none. It needs a Clock. While the archive cannot
	// be reached the log grows up to LogBytes; then it goes on without the archive, which is told to the
	// Logger, and a new base backup is made when the archive is back.
	Archive archive.Store
	// ArchiveEvery is how long a write waits at most before it is shipped; 0 means 10 s.
	// ArchiveBaseEvery is the time between base backups; 0 means a day.
	ArchiveEvery, ArchiveBaseEvery time.Duration

	// ScrubRate is how many bytes a second of the file are read and checked in the background, at most
	// and on average; 0 means so many that a pass takes a week, negative none. A pass begins an hour
	// after the one before began, at the earliest. Commits that go on slow it to an eighth.
	ScrubRate int64

	// hooks are set by tests of this package only.
	hooks *hooks
	// counterMax, when not 0, replaces base.CounterMax in tests of epoch renewal.
	counterMax uint64
	// manifestSwitch, when not 0, replaces manifestSwitchBytes in tests of the switch.
	manifestSwitch int64
	// dropTablesMax, when not 0, replaces the constant of that name in tests.
	dropTablesMax int
	// manual leaves out the background goroutines: tests call passes by hand.
	manual bool
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	} else {
		o.Rand = &lockedReader{r: o.Rand}
	}
	o.EncryptionKey = bytes.Clone(o.EncryptionKey)
	setDefault(&o.SyncInterval, SyncIntervalDefault)
	setDefault(&o.MemtableBytes, MemtableBytesDefault)
	setDefault(&o.CacheBytes, CacheBytesDefault)
	setDefault(&o.ResidentBytes, ResidentBytesDefault)
	setDefault(&o.LogBytes, LogBytesDefault)
	setDefault(&o.SegmentBytes, min(SegmentBytesDefault, max(o.LogBytes/2/vfs.AlignMaxBytes*vfs.AlignMaxBytes, segmentBytesMin)))
	setDefault(&o.LockWait, LockWaitDefault)
	setDefault(&o.FlushAge, FlushAgeDefault)
	setDefault(&o.ArchiveEvery, ArchiveEveryDefault)
	setDefault(&o.ArchiveBaseEvery, ArchiveBaseEveryDefault)
	if o.Workers == 0 {
		o.Workers = defaultWorkers()
	}
	if o.hooks == nil {
		o.hooks = &hooks{}
	}
	return o
}

// lockedReader lets goroutines take turns.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

func setDefault[T int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// validate reports every fault at once.
func (o Options) validate(path string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("lsm: "+format, args...)) }
	if o.InMemory && path != "" {
		bad("a database in memory has no path, got %q", path)
	}
	if !o.InMemory && path == "" {
		bad("no path")
	}
	if o.InMemory && o.ReadOnly {
		bad("a database in memory cannot be read-only")
	}
	errs = append(errs, o.checkKey())
	if o.Archive != nil && (o.InMemory || o.ReadOnly || o.Clock == nil) {
		bad("an archive is of a file that is written, and needs a Clock")
	}
	if o.ArchiveEvery < 0 || o.ArchiveBaseEvery < 0 {
		bad("a time between shipments to the archive is negative")
	}
	if o.Sync > SyncOff {
		bad("unknown sync mode %d", o.Sync)
	}
	if o.SegmentBytes < segmentBytesMin || o.SegmentBytes%vfs.AlignMaxBytes != 0 {
		bad("SegmentBytes %d: want a multiple of %d, at least %d",
			o.SegmentBytes, vfs.AlignMaxBytes, segmentBytesMin)
	}
	if o.LogBytes < 2*o.SegmentBytes {
		bad("LogBytes %d is less than two segments of %d", o.LogBytes, o.SegmentBytes)
	}
	if o.MemtableBytes < memtableBytesMin {
		bad("MemtableBytes %d is below %d", o.MemtableBytes, memtableBytesMin)
	}
	if o.CacheBytes < cacheBytesMin || o.ResidentBytes < cacheBytesMin {
		bad("CacheBytes %d and ResidentBytes %d: want at least %d",
			o.CacheBytes, o.ResidentBytes, cacheBytesMin)
	}
	if o.SyncInterval < 0 || o.LockWait < 0 || o.FlushAge < 0 || o.SnapshotMaxAge < 0 {
		bad("negative duration")
	}
	if o.SnapshotMaxBytes < 0 {
		bad("negative SnapshotMaxBytes")
	}
	if o.Workers < 0 || o.Workers > WorkersMax {
		bad("Workers %d: want 0 to %d", o.Workers, WorkersMax)
	}
	if o.BlockBytes < 0 || o.BlockBytes > 1<<20 {
		bad("BlockBytes %d: want 0 to 1 MiB", o.BlockBytes)
	}
	if o.Compression > CompressionNone {
		bad("unknown compression %d", o.Compression)
	}
	return errors.Join(errs...)
}

// checkKey looks at the key without showing any of it.
func (o Options) checkKey() error {
	switch n := len(o.EncryptionKey); {
	case o.EncryptionKey == nil:
		return nil
	case o.InMemory:
		return errors.New("lsm: a database in memory has no encryption key: it writes nothing")
	case n != EncryptionKeyBytes:
		return fmt.Errorf("lsm: EncryptionKey has %d bytes: want %d", n, EncryptionKeyBytes)
	case bytes.Count(o.EncryptionKey, []byte{0}) == n:
		return errors.New("lsm: EncryptionKey is all zeros: want random bytes")
	}
	return nil
}
