package lsm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

var _ storage.Store = (*DB)(nil)

// Open opens the database at path, and creates it when there is no file. With Options.InMemory the
// path is empty. The errors are of storage's closed list or of the operating system.
func Open(path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	if err := opts.validate(path); err != nil {
		return nil, err
	}
	db := newDB(opts)
	if opts.InMemory {
		db.begin(1)
		db.start()
		return db, nil
	}
	err := db.openFile(path)
	clear(db.opts.EncryptionKey)
	db.opts.EncryptionKey = nil
	if err != nil {
		db.stop()
		return nil, openError(path, errors.Join(err, db.closeFiles()))
	}
	db.start()
	return db, nil
}

// openError names the path, unless the operating system's error does.
func openError(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Path == path && e.Error() == err.Error() {
		return e
	}
	return fmt.Errorf("open %s: %w", path, err)
}

func (db *DB) openFile(path string) error {
	db.path = path
	db.wal.memCap = db.opts.MemtableBytes * 3 / 2
	db.wal.segments = int(db.opts.LogBytes / db.opts.SegmentBytes)
	if !db.opts.ReadOnly {
		err := db.create(path)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := db.takeLock(path); err != nil {
		return err
	}
	return db.recover(path)
}

func (db *DB) takeLock(path string) (err error) {
	mode := vfs.LockExclusive
	if db.opts.ReadOnly {
		mode = vfs.LockShared
	}
	db.lock, err = db.opts.FS.Lock(path, mode)
	return err
}

// openDescriptors opens the file in its roles.
func (db *DB) openDescriptors(path string, alignMax int) error {
	open := func(role vfs.Role) (vfs.File, error) {
		f, err := db.opts.FS.Open(path, vfs.OpenOptions{
			Role: role, ReadOnly: db.opts.ReadOnly, AlignMax: alignMax,
		})
		if err == nil {
			db.files = append(db.files, f)
		}
		return f, err
	}
	var err error
	if db.heap.file, err = open(vfs.Heap); err != nil {
		return err
	}
	db.mapBlocks()
	if db.man.file, err = open(vfs.Log); err != nil {
		return err
	}
	db.wal.file = db.man.file
	if bug.Enabled(bug.LogSyncLeftOut) {
		db.wal.file, err = open(vfs.RelaxedLog)
		return err
	}
	if db.wal.relaxed && !db.opts.ReadOnly {
		db.wal.file, err = open(vfs.RelaxedLog)
	}
	return err
}

// letGo closes the file when nobody holds it any more.
func (db *DB) letGo() error {
	if db.holders.Add(-1) > 0 {
		return nil
	}
	return db.closeFiles()
}

// mapBlocks lets tables be read through mappings, if that is wanted and can be.
func (db *DB) mapBlocks() {
	db.heap.blocks = db.heap.file
	if !db.opts.MmapReads {
		return
	}
	m, err := vfs.Map(db.heap.file)
	if err != nil {
		db.log("the file is read without mappings", err)
		return
	}
	db.heap.blocks = m
	db.files = append(db.files, m)
}

func (db *DB) closeFiles() error {
	var errs []error
	for _, f := range db.files {
		errs = append(errs, f.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	db.files, db.lock = nil, nil
	db.forgetKeys()
	return errors.Join(errs...)
}

// forgetKeys clears the data key and lets go of all that was derived from it.
func (db *DB) forgetKeys() {
	if db.crypt == nil {
		return
	}
	db.crypt.Clear()
	db.man.mu.Lock()
	db.man.term = nil
	db.man.mu.Unlock()
	w := &db.wal
	w.mu.Lock()
	w.term, w.spare = nil, nil
	w.mu.Unlock()
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		for _, level := range s.tables.levels {
			for _, t := range level {
				t.reader.Forget()
			}
		}
		s.mu.RUnlock()
	}
}

// setAlign fixes the alignment of groups, which the file keeps for ever.
func (db *DB) setAlign(align int) {
	db.super.Align = align
	db.wal.align, db.man.align = align, align
	db.inlineMax = inlineMaxFor(db.opts.SegmentBytes, align)
}

// inlineMaxFor is the longest frame, but for its ends, that segments of this length take; what is
// longer is spilled.
func inlineMaxFor(segmentBytes int64, align int) int {
	return int(min(log.GroupTargetBytes, (segmentBytes-int64(4*align))/2))
}

// create makes a new database; fs.ErrExist when there is a file. The superblocks are written last:
// an interrupted creation leaves a file without a valid one.
func (db *DB) create(path string) error {
	f, err := db.opts.FS.Open(path, vfs.OpenOptions{Role: vfs.Heap, Create: true})
	if err != nil {
		return err
	}
	db.files = append(db.files, f)
	if err := db.takeLock(path); err != nil {
		return err
	}
	if err := db.openDescriptors(path, 0); err != nil {
		return err
	}
	for _, id := range [][]byte{db.ident[:], db.super.Timeline[:]} {
		if _, err := io.ReadFull(db.opts.Rand, id); err != nil {
			return fmt.Errorf("draw an id: %w", err)
		}
	}
	db.super.Database = db.ident
	if err := db.super.Lock(db.opts.EncryptionKey, db.opts.Rand); err != nil {
		return err
	}
	db.useKeys()
	db.setAlign(max(db.wal.file.Align(), db.man.file.Align()))
	db.super.Epoch, db.super.Generation = 1, 1
	db.begin(1)
	if db.heap.space, err = space.New(superblock.AreaBytes, superblock.AreaBytes, nil); err != nil {
		return err
	}
	if err := db.createLogs(); err != nil {
		return err
	}
	if err := db.opts.FS.SyncDir(path); err != nil {
		return err
	}
	db.superAt = 1
	db.holdForArchive()
	db.showManifestLocked()
	if err := db.settle(&db.super, 0); err != nil {
		return err
	}
	return db.writeSuper(db.super)
}

// createLogs makes the first two segments and the manifest.
func (db *DB) createLogs() error {
	db.man.state = manifest.NewState()
	db.man.next = base.MakeLSN(1, 1)
	segments := make([]*segment, 0, 2)
	for range 2 {
		e, err := db.newLogExtent(db.opts.SegmentBytes, spareAll)
		if err != nil {
			return err
		}
		db.warmSegment(e)
		s := &segment{Segment: manifest.Segment{Num: db.nextObject(), Extent: e}}
		db.man.state.Segments[s.Num] = e
		segments = append(segments, s)
	}
	first := segments[0]
	start := log.Start(first.Extent)
	db.man.state.Tail = tailOf(db.wal.next, start, first.Num)
	extent, err := db.newLogExtent(manifestExtentBytes, spareNothing)
	if err != nil {
		return err
	}
	if err := db.startManifest(extent); err != nil {
		return err
	}
	// The segments may be used once a group stands behind the record that adds them.
	if err := db.man.group(nil); err != nil {
		return err
	}
	db.super.ManifestLog, db.super.ManifestFirst = db.man.id, extent
	w := &db.wal
	w.live, w.free = segments[:1:1], segments[1:]
	return w.begin(db, start, 0)
}

// begin makes the log ready to write at a position. last is the LSN of the last frame before it.
func (w *wal) begin(db *DB, at log.Position, last base.LSN) error {
	var err error
	if w.term, err = db.newTerm(log.WAL, db.super.Epoch); err != nil {
		return err
	}
	w.chain = log.NewChain(w.align, at)
	w.lapBegan = w.now()
	w.current = w.live[len(w.live)-1]
	w.pos, w.end = at.Offset, at
	w.sealedLSN, w.writtenLSN, w.syncedLSN = last, last, last
	w.written, w.synced = at.Seq-1, at.Seq-1
	w.visible.Store(uint64(last))
	w.gaps[0].before = last
	return nil
}

func tailOf(lsn base.LSN, at log.Position, num base.ObjectNum) manifest.Tail {
	return manifest.Tail{
		LSN: lsn, Seq: at.Seq, Segment: num, Offset: at.Offset - at.Extent.Offset,
		Digest: at.Digest, Epoch: at.Epoch,
	}
}
