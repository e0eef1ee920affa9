package lsm

import (
	"math"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
)

// LevelCount is the number of levels of a stripe; level 0 holds what flushes wrote.
const LevelCount = manifest.LevelCount

// StripeCount is the number of stripes of a database.
const StripeCount = base.StripeCount

const superblockBytes = superblock.AreaBytes

// Metrics are the figures of a database at one moment. Counters begin at Open and never go back;
// what is no counter is as it is now. To ask costs some microseconds, takes short locks only, does
// no I/O and looks at no key; figures of different groups may be some microseconds apart.
type Metrics struct {
	SpaceMetrics    `json:"space"`
	LogMetrics      `json:"log"`
	MemoryMetrics   `json:"memory"`
	TableMetrics    `json:"tables"`
	FilterMetrics   `json:"filters"`
	WorkMetrics     `json:"work"`
	StallMetrics    `json:"stalls"`
	SnapshotMetrics `json:"snapshots"`
	ArchiveMetrics  `json:"archive"`
	Amplification   `json:"amplification"`
	// Poisoned is why no more writes are taken; nil usually.
	Poisoned error `json:"-"`
	// Full says that puts are refused until there is space on the disk again.
	Full bool `json:"full"`
	// InMemory and ReadOnly say how the database was opened; in memory there is no file.
	InMemory bool `json:"in_memory"`
	ReadOnly bool `json:"read_only"`
}

// SpaceMetrics divide the file into its regions, in bytes. The regions add up to FileBytes.
type SpaceMetrics struct {
	FileBytes       int64 `json:"file_bytes"`
	SuperblockBytes int64 `json:"superblock_bytes"`
	// LogTotal are the segments of the write-ahead log, of which LogUse are not free.
	LogTotal int64 `json:"log_bytes"`
	// ManifestBytes are the extents of the manifest, of which ManifestUsed are written.
	ManifestBytes int64 `json:"manifest_bytes"`
	ManifestUsed  int64 `json:"manifest_used_bytes"`
	// TableSpace is what the tables take, in whole blocks of the file.
	TableSpace int64 `json:"table_bytes"`
	// SpillBytes hold batches that are too large for the log, until a flush has passed them.
	SpillBytes int64 `json:"spill_bytes"`
	// HeldBytes belong to none of these: tables that only a reader, snapshot or fork still holds, and
	// those that a flush or compaction is writing.
	HeldBytes int64 `json:"held_bytes"`
	FreeBytes int64 `json:"free_bytes"`
	// HoleBytes of FreeBytes take no room on the disk.
	HoleBytes int64 `json:"hole_bytes"`
}

// LogMetrics are those of the write-ahead log. In memory there is none, but groups all the same.
type LogMetrics struct {
	// LogUse bytes are not free, spills included when they are many; Segments in all.
	LogUse   int64 `json:"use_bytes"`
	Segments int   `json:"segments"`
	// FreeSegments of them can be written over.
	FreeSegments int `json:"free_segments"`
	// Epoch is the number of this open.
	Epoch uint32 `json:"epoch"`
	// NextLSN is the number of the next batch; VisibleLSN that of the last one that is published,
	// DurableLSN of the last one that is synced.
	NextLSN    uint64 `json:"next_lsn"`
	VisibleLSN uint64 `json:"visible_lsn"`
	DurableLSN uint64 `json:"durable_lsn"`
	// HeadOffset is where in the file the next group goes, TailOffset where replay would begin: in
	// the segment of number TailSegment, at the group TailSeq; TailLSN is the first batch that replay
	// would apply.
	HeadOffset  int64  `json:"head_offset"`
	TailOffset  int64  `json:"tail_offset"`
	TailSegment uint64 `json:"tail_segment"`
	TailSeq     uint64 `json:"tail_seq"`
	TailLSN     uint64 `json:"tail_lsn"`
	// PinnedStripe has the oldest batch that is in a memtable only, number PinnedLSN: the log cannot
	// be reused behind it before this stripe is flushed. -1 when all is in tables.
	PinnedStripe int    `json:"pinned_stripe"`
	PinnedLSN    uint64 `json:"pinned_lsn"`
	// Groups were written with Frames batches in them, LogBytes in all, of which PayloadBytes are the
	// batches and the rest is heads and padding. EmptyGroups of them have no batch.
	Groups       uint64 `json:"groups"`
	EmptyGroups  uint64 `json:"empty_groups"`
	Frames       uint64 `json:"batches"`
	LogBytes     uint64 `json:"written_bytes"`
	PayloadBytes uint64 `json:"payload_bytes"`
	// GroupSizes counts the groups by how many batches they have: 1, 2, up to 4, 8, … 512, more; see
	// GroupSizeMax.
	GroupSizes [GroupSizeCount]uint64 `json:"group_sizes"`
	// Syncs of the log beside its writes, Claims of segments.
	Syncs  uint64 `json:"syncs"`
	Claims uint64 `json:"claims"`
	// Spills were written, with SpilledBytes.
	Spills       uint64 `json:"spills"`
	SpilledBytes uint64 `json:"spilled_bytes"`
	// ManifestWritten are bytes written into manifests.
	ManifestWritten uint64 `json:"manifest_written_bytes"`
}

// MemoryMetrics are those of memtables and caches.
type MemoryMetrics struct {
	// MemtableBytes of the memtables, of which those of FrozenStripes stripes are being flushed.
	MemtableBytes  int64 `json:"memtable_bytes"`
	MemtableBudget int64 `json:"memtable_budget_bytes"`
	// MemtableVersions are the keys and older versions in them.
	MemtableVersions int64        `json:"memtable_versions"`
	FrozenStripes    int          `json:"frozen_stripes"`
	Cache            CacheMetrics `json:"cache"`
	// ResidentBytes are filters, indexes and properties of ResidentTables tables.
	ResidentBytes  int64 `json:"resident_bytes"`
	ResidentBudget int64 `json:"resident_budget_bytes"`
	ResidentTables int   `json:"resident_tables"`
}

// CacheMetrics are those of the cache of decoded blocks.
type CacheMetrics struct {
	Hits   uint64 `json:"hits"`
	Misses uint64 `json:"misses"`
	// Bytes and Blocks are in the cache now, which has room for Budget bytes.
	Bytes  int64 `json:"bytes"`
	Blocks int64 `json:"blocks"`
	Budget int64 `json:"budget_bytes"`
}

// TableMetrics count tables.
type TableMetrics struct {
	// Tables, of which Level0, and the most of level 0 that one stripe has.
	Tables     int   `json:"count"`
	Level0     int   `json:"level0"`
	Level0Max  int   `json:"level0_max"`
	TableBytes int64 `json:"bytes"`
	// TableEntries are versions in tables, of which TableTombstones say that a key is deleted.
	TableEntries    uint64                   `json:"entries"`
	TableTombstones uint64                   `json:"tombstones"`
	Levels          [LevelCount]LevelMetrics `json:"levels"`
	// StripeTables counts the tables of each stripe by level, StripeBytes are what they take together.
	StripeTables [StripeCount][LevelCount]uint16 `json:"stripe_tables"`
	StripeBytes  [StripeCount]int64              `json:"stripe_bytes"`
	// DeadRanges were dropped and may still have keys in tables.
	DeadRanges int `json:"dead_ranges"`
}

// LevelMetrics are those of one level, over all stripes.
type LevelMetrics struct {
	Tables  int   `json:"tables"`
	Bytes   int64 `json:"bytes"`
	Stripes int   `json:"stripes"` // that have some
}

// FilterMetrics say how useful the bloom filters are. A filter is asked once for each table that a
// get comes to, and by short scans.
type FilterMetrics struct {
	FilterAsked uint64 `json:"asked"`
	// FilterNegative answers spared a look into the table; FilterFalse answers led to one in vain.
	FilterNegative uint64 `json:"negative"`
	FilterFalse    uint64 `json:"false_positive"`
	// PrefixAsked and PrefixNegative are the same for scans inside one partition.
	PrefixAsked    uint64 `json:"prefix_asked"`
	PrefixNegative uint64 `json:"prefix_negative"`
}

// CompactReasons count compactions by what they were made for.
type CompactReasons struct {
	// Writes: level 0 of a stripe had as many tables as it takes.
	Writes uint64 `json:"writes"`
	// Reads have paid for fewer tables: asking them all was about to cost more than joining them.
	Reads uint64 `json:"reads"`
	// Size: a level was larger than its share of the one below.
	Size uint64 `json:"size"`
	// Space: nothing was written, and superseded versions took too much.
	Space uint64 `json:"space"`
	// Dead: a dropped range had keys in a table.
	Dead uint64 `json:"dead"`
	// Room: the disk was full.
	Room uint64 `json:"room"`
}

// WorkMetrics are those of the background.
type WorkMetrics struct {
	// Passes of the flusher wrote FlushedBytes and took FlushTime; FlushFailures of them did not end
	// well and were, or will be, made again.
	Passes        uint64        `json:"flushes"`
	FlushedBytes  uint64        `json:"flushed_bytes"`
	FlushTime     time.Duration `json:"flush_nanos"`
	FlushFailures uint64        `json:"flush_failures"`
	// Compactions read CompactRead and wrote CompactWritten bytes and took CompactTime, which several
	// workers may spend at once; Moves put a table one level down without writing it.
	Compactions     uint64        `json:"compactions"`
	Moves           uint64        `json:"moves"`
	CompactRead     uint64        `json:"compact_read_bytes"`
	CompactWritten  uint64        `json:"compact_written_bytes"`
	CompactTime     time.Duration `json:"compact_nanos"`
	CompactFailures uint64        `json:"compact_failures"`
	CompactRunning  int           `json:"compact_running"`
	// CompactFor counts Compactions and Moves by their reasons.
	CompactFor CompactReasons `json:"compact_for"`
	// ScrubPasses of the background check came to their end since Open, and it read ScrubBytes;
	// ScrubFaults is how many times it met something wrong, once in each pass.
	ScrubPasses uint64 `json:"scrub_passes"`
	ScrubBytes  uint64 `json:"scrub_bytes"`
	ScrubFaults uint64 `json:"scrub_faults"`
	// CorruptStripes are left alone by compaction, since a table of theirs does not verify.
	CorruptStripes int `json:"corrupt_stripes"`
}

// StallMetrics are the waits of writers: the delay that the gate gives them, and the wait for room in
// log or memtables. Without Options.Clock times are as coarse as its ticks. Waits for a key that another update holds do not count, nor those for the disk.
type StallMetrics struct {
	Stalls     uint64        `json:"count"`
	StallTotal time.Duration `json:"nanos"`
	StallMax   time.Duration `json:"longest_nanos"`
	StalledNow int           `json:"waiting"`
}

// SnapshotMetrics are those of open snapshots.
type SnapshotMetrics struct {
	Snapshots int `json:"count"`
	// OldestSnapshot is by how many batches the oldest snapshot is behind; 0 without any.
	OldestSnapshot uint64 `json:"oldest_behind"`
	// OldestSnapshotAge is how long it has been open; 0 in memory without a Clock, where nothing
	// counts the time.
	OldestSnapshotAge time.Duration `json:"oldest_age_nanos"`
	// OldestSnapshotBytes are the keys and values written since: what it keeps from being dropped makes
	// the database larger by no more than that. Options.SnapshotMaxBytes bounds it.
	OldestSnapshotBytes int64 `json:"oldest_bytes"`
	// OldestSnapshotOwner is the Owner of its SnapshotOptions.
	OldestSnapshotOwner string `json:"oldest_owner"`
	// Forks read the tables of this file; it is not given back before the last is closed.
	Forks int `json:"forks"`
	// SnapshotsEnded were past a limit.
	SnapshotsEnded uint64 `json:"ended"`
}

// Amplification is what is written, stored and read for each byte or question of the user.
type Amplification struct {
	// WriteAmplification is all that was written since Open (log, spills, manifest, flushes,
	// compactions) by what was in the batches; 0 before the first.
	WriteAmplification float64 `json:"write"`
	// SpaceAmplification is the size of all tables by that of each stripe's lowest tables, which hold
	// about what is alive; 1 is the best, 0 without tables.
	SpaceAmplification float64 `json:"space"`
	// ReadAmplification is how many tables a get of a key may have to come to, on average over the
	// bytes, and ReadAmplificationMax in the worst stripe.
	ReadAmplification    float64 `json:"read"`
	ReadAmplificationMax int     `json:"read_max"`
}

// Metrics counts.
func (db *DB) Metrics() Metrics {
	m := Metrics{InMemory: db.opts.InMemory, ReadOnly: db.opts.ReadOnly, Full: db.wal.full.Load()}
	db.logMetrics(&m)
	db.stripeMetrics(&m)
	db.workMetrics(&m)
	db.cacheMetrics(&m)
	db.spaceMetrics(&m)
	m.SnapshotMetrics = db.snapshotMetrics()
	m.Forks = max(0, int(db.holders.Load())-1)
	m.ArchiveMetrics = db.archiveMetrics()
	if user := m.PayloadBytes + m.SpilledBytes; user > 0 {
		all := m.LogBytes + m.SpilledBytes + m.ManifestWritten + m.FlushedBytes + m.CompactWritten
		m.WriteAmplification = float64(all) / float64(user)
	}
	return m
}

func (db *DB) logMetrics(m *Metrics) {
	m.LogUse, m.LogTotal, _ = db.ringUse()
	w := &db.wal
	w.mu.Lock()
	defer w.mu.Unlock()
	m.Segments, m.FreeSegments = len(w.live)+len(w.free), len(w.free)
	m.NextLSN, m.VisibleLSN, m.DurableLSN = uint64(w.next), uint64(w.visibleLSN()), uint64(w.syncedLSN)
	m.HeadOffset = w.pos
	st := &w.stats
	m.Groups, m.EmptyGroups, m.Frames, m.LogBytes = st.groups, st.empty, st.frames, st.bytes
	m.PayloadBytes, m.GroupSizes = st.payload, st.sizes
	m.Syncs, m.Claims, m.Poisoned = st.syncs, st.claims, w.poison
	m.StalledNow = w.waiting
	f := db.figures.manifest.Load()
	if f == nil {
		return
	}
	m.Epoch = f.epoch
	m.TailLSN, m.TailSeq, m.TailSegment = f.tail.lsn, f.tail.seq, f.tail.segment
	m.ManifestBytes, m.ManifestUsed, m.ManifestWritten = f.bytes, f.used, f.written
	for _, segments := range [][]*segment{w.live, w.free} {
		for _, s := range segments {
			if uint64(s.Num) == f.tail.segment {
				m.TailOffset = s.Extent.Offset + f.tail.offset
			}
		}
	}
}

// stripeMetrics walks the stripes and sums over their memtables and tables.
func (db *DB) stripeMetrics(m *Metrics) {
	m.MemtableBytes, m.MemtableBudget = db.memBytes.Load(), db.opts.MemtableBytes
	m.PinnedStripe = -1
	var lowest, weighted int64
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		oldest := s.active.MinLSN()
		m.MemtableVersions += int64(s.active.Versions())
		for _, f := range s.frozen {
			m.MemtableVersions += int64(f.Versions())
			oldest = f.MinLSN() // older ones come later
		}
		if len(s.frozen) > 0 {
			m.FrozenStripes++
		}
		v := s.tables.acquire()
		s.mu.RUnlock()
		if oldest != 0 && !db.opts.InMemory && (m.PinnedStripe < 0 || uint64(oldest) < m.PinnedLSN) {
			m.PinnedStripe, m.PinnedLSN = i, uint64(oldest)
		}
		low, sources := v.addTo(m, i)
		lowest += low
		weighted += int64(sources) * m.StripeBytes[i]
		m.ReadAmplificationMax = max(m.ReadAmplificationMax, sources)
		m.DeadRanges = max(m.DeadRanges, v.dead.Len())
		db.release(v)
	}
	if m.TableBytes > 0 {
		m.SpaceAmplification = float64(m.TableBytes) / float64(lowest)
		m.ReadAmplification = float64(weighted) / float64(m.TableBytes)
	}
}

// addTo adds the tables of a stripe, and returns the bytes of its lowest tables and how many tables a
// get may come to.
func (v *version) addTo(m *Metrics, stripe int) (lowest int64, sources int) {
	m.Level0 += len(v.levels[0])
	m.Level0Max = max(m.Level0Max, len(v.levels[0]))
	m.Tables += v.count
	sources = len(v.levels[0])
	for l, level := range v.levels {
		if len(level) == 0 {
			continue
		}
		if l > 0 {
			sources++
		}
		m.StripeTables[stripe][l] = uint16(min(len(level), math.MaxUint16))
		lowest = 0
		for _, t := range level {
			lowest += t.Meta.Length
			m.TableSpace += space.Round(t.Meta.Length)
			m.TableEntries += uint64(t.Meta.Entries)
			m.TableTombstones += uint64(t.Meta.Tombstones)
		}
		m.TableBytes += lowest
		m.StripeBytes[stripe] += lowest
		at := &m.Levels[l]
		at.Tables, at.Bytes, at.Stripes = at.Tables+len(level), at.Bytes+lowest, at.Stripes+1
	}
	return lowest, sources
}

func (db *DB) workMetrics(m *Metrics) {
	f := &db.figures
	m.Passes, m.FlushedBytes, m.FlushTime = f.passes.Load(), f.flushedBytes.Load(), duration(&f.flushNanos)
	m.FlushFailures = f.flushFailures.Load()
	m.ScrubPasses, m.ScrubBytes, m.ScrubFaults = f.scrubPasses.Load(), f.scrubBytes.Load(), f.scrubFaults.Load()
	m.Compactions, m.Moves, m.CompactTime = f.compactions.Load(), f.moves.Load(), duration(&f.compactNanos)
	m.CompactRead, m.CompactWritten = f.compactRead.Load(), f.compactWrote.Load()
	m.CompactFailures = f.compactFailures.Load()
	m.CompactFor = CompactReasons{
		Writes: f.compactWhy[forWrites].Load(), Reads: f.compactWhy[forReads].Load(),
		Size: f.compactWhy[forSize].Load(), Space: f.compactWhy[forSpace].Load(),
		Dead: f.compactWhy[forDead].Load(), Room: f.compactWhy[forRoom].Load(),
	}
	db.compact.mu.Lock()
	m.CompactRunning, m.CorruptStripes = len(db.compact.running), len(db.compact.corrupt)
	db.compact.mu.Unlock()
	m.Spills, m.SpilledBytes = f.spillCount.Load(), f.spilledBytes.Load()
	st := &db.wal.stalls
	m.Stalls, m.StallTotal = uint64(st.count.Load()), time.Duration(st.total.Load())
	m.StallMax = time.Duration(st.longest.Load())
}

func (db *DB) cacheMetrics(m *Metrics) {
	c := db.cache.Stats()
	m.Cache = CacheMetrics{
		Hits: c.Hits, Misses: c.Misses, Bytes: c.Bytes, Blocks: c.Blocks, Budget: db.opts.CacheBytes,
	}
	m.ResidentBytes, m.ResidentTables = db.resident.Bytes(), db.resident.Tables()
	m.ResidentBudget = db.opts.ResidentBytes
	f := db.resident.FilterCounts()
	m.FilterNegative, m.FilterFalse = f.Negative, f.False
	m.FilterAsked = f.Negative + f.False + f.True
	m.PrefixAsked, m.PrefixNegative = f.PrefixNegative+f.PrefixTrue, f.PrefixNegative
}

func (db *DB) spaceMetrics(m *Metrics) {
	if db.opts.InMemory {
		return
	}
	m.SuperblockBytes = superblockBytes
	m.SpillBytes = db.spillBytes()
	if db.heap.space == nil {
		m.FileBytes, m.FreeBytes = db.figures.readOnlyFileBytes, db.figures.readOnlyFreeBytes
	} else {
		db.heap.mu.Lock()
		m.FileBytes, m.FreeBytes = db.heap.space.End(), db.heap.space.FreeBytes()
		m.HoleBytes = db.heap.space.HoleBytes()
		db.heap.mu.Unlock()
	}
	m.HeldBytes = max(0, m.FileBytes-m.FreeBytes-m.SuperblockBytes-m.LogTotal-m.ManifestBytes-
		m.TableSpace-m.SpillBytes)
}
