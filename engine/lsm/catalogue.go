package lsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// manifestExtentBytes is the size of one extent of the manifest.
	manifestExtentBytes = 256 << 10
	// manifestSwitchBytes is where a manifest is written anew, unless its last snapshot was large.
	manifestSwitchBytes = 1 << 20
)

// catalogue is the manifest of an open database: its log and the state that it adds up to. The
// mutex is held during I/O; it stands before the log's mutex and the stripes' locks in the order.
type catalogue struct {
	file  vfs.File // of the role log, in every sync mode
	align int

	mu    sync.Mutex
	state *manifest.State
	line
	buf    log.Group
	next   base.LSN // record number
	failed error
	// written are bytes of groups since Open.
	written uint64
	// switchFrom is how long a manifest must be before a new one is tried again, for which there was
	// no space.
	switchFrom int64
}

// line is the log of one manifest.
type line struct {
	id       base.ObjectNum
	term     *log.Term
	chain    *log.Chain
	extents  []log.Extent // in order
	bytes    int64        // written
	snapshot int64        // bytes of the snapshot
	synced   log.Seq
}

// edit makes an edit durable and then installs it. Edits are installed in their order. An error
// poisons the store, except for want of space before anything was written.
func (db *DB) edit(e *manifest.Edit, install func()) error {
	c := &db.man
	c.mu.Lock()
	defer c.mu.Unlock()
	defer db.showManifestLocked()
	if c.failed != nil {
		return c.failed
	}
	least := int64(manifestSwitchBytes)
	if db.opts.manifestSwitch != 0 {
		least = db.opts.manifestSwitch
	}
	if c.bytes > max(least, 2*c.snapshot, c.switchFrom) {
		// Without space for a new manifest the old one goes on, and is not asked again at once.
		if err := db.switchManifest(); err != nil {
			if c.failed != nil {
				return err
			}
			c.switchFrom = c.bytes + manifestExtentBytes
		}
	}
	if err := db.appendRecord(e.Append(nil)); err != nil {
		return err
	}
	if err := c.state.Apply(e); err != nil {
		return db.manifestFailed(err)
	}
	if install != nil {
		install()
	}
	return nil
}

func (db *DB) manifestFailed(err error) error {
	db.man.failed = err
	db.poison(err)
	return err
}

// group writes one group, with the record or empty; durable at return.
func (c *catalogue) group(record []byte) error {
	c.buf.Reset()
	if record != nil {
		c.buf.Add(c.term.AppendFrame(nil, c.next, record))
	}
	first := c.next
	if record != nil {
		c.next++
	}
	sealed := c.chain.Seal(&c.buf, c.term, first, c.synced)
	if _, err := c.file.WriteAt(sealed.Bytes, sealed.Offset); err != nil {
		return fmt.Errorf("write manifest group %d: %w", sealed.Seq, err)
	}
	c.synced = sealed.Seq
	c.bytes += int64(len(sealed.Bytes))
	c.written += uint64(len(sealed.Bytes))
	return nil
}

// errLongRecord: it would be written, and no open could read it.
var errLongRecord = errors.New("lsm: a record of the manifest is too long")

// appendRecord writes a record, in a new extent when it does not fit.
func (db *DB) appendRecord(record []byte) error {
	c := &db.man
	frame := c.term.FrameBytes(len(record))
	if frame > log.FrameMaxBytes {
		return fmt.Errorf("%w: %d bytes", errLongRecord, len(record))
	}
	at := c.chain.Position()
	if !log.FitsManifest(at.Extent, at.Offset, frame, c.align) {
		if err := db.extendManifest(int64(len(record))); err != nil {
			return err
		}
	}
	if err := c.group(record); err != nil {
		return db.manifestFailed(err)
	}
	return nil
}

// extendManifest links a prepared extent. Nothing is written into it before the group with next
// and an empty one after it are durable.
func (db *DB) extendManifest(record int64) error {
	c := &db.man
	e, err := db.newLogExtent(max(manifestExtentBytes, space.Round(record+4*vfs.AlignMaxBytes)), spareNothing)
	if err != nil {
		return err
	}
	link := manifest.Edit{Next: &e}
	if err := c.group(link.Append(nil)); err != nil {
		return db.manifestFailed(err)
	}
	if err := c.group(nil); err != nil {
		return db.manifestFailed(err)
	}
	c.chain.MoveTo(e)
	c.extents = append(c.extents, e)
	return nil
}

// newLogExtent takes space and writes zeros over it through the log's descriptor.
func (db *DB) newLogExtent(n int64, keep spare) (log.Extent, error) {
	e, err := db.heap.alloc(n, keep)
	if err != nil {
		return log.Extent{}, err
	}
	if err := log.Prepare(db.man.file, e); err != nil {
		if vfs.IsNoSpace(err) { // blocks that were never there, in a hole of an earlier open
			db.freeExtent(e)
			return log.Extent{}, fmt.Errorf("%w: %w", storage.ErrFull, err)
		}
		// What a failed write left behind is unknown: the extent stays out of use until reopen.
		return log.Extent{}, err
	}
	return e, nil
}

// switchManifest begins a new manifest in fresh extents with a snapshot, switches the superblock
// and frees the old one. The catalogue's mutex is held.
func (db *DB) switchManifest() error {
	c := &db.man
	before, old := c.line, c.extents
	if bug.Enabled(bug.ExtentReusedEarly) {
		for _, e := range old {
			db.freeExtent(e)
		}
		old = nil
	}
	first, err := db.newLogExtent(manifestExtentBytes, spareNothing)
	if err != nil {
		return err
	}
	if err := db.startManifest(first); err != nil {
		if c.failed == nil { // there was no space for all of it; nothing names it
			for _, e := range c.extents {
				db.freeExtent(e)
			}
			c.line = before
		}
		return err
	}
	super := db.super
	super.Generation++
	super.ManifestLog, super.ManifestFirst = c.id, first
	if err := db.writeSuper(super); err != nil {
		return db.manifestFailed(err)
	}
	for _, e := range old {
		db.freeExtent(e)
	}
	return nil
}

// startManifest writes the snapshot of the state into a new manifest that begins in first.
func (db *DB) startManifest(first log.Extent) error {
	c := &db.man
	c.line = line{id: db.nextObject(), extents: []log.Extent{first}, chain: log.NewChain(c.align, log.Start(first))}
	var err error
	if c.term, err = db.newTerm(c.id, db.super.Epoch); err != nil {
		return err
	}
	c.switchFrom = 0
	if bug.Enabled(bug.SuperblockBeforeData) {
		super := db.super
		super.Generation++
		super.ManifestLog, super.ManifestFirst = c.id, first
		if err := db.writeSuper(super); err != nil {
			return err
		}
	}
	for _, record := range c.state.Snapshot() {
		if err := db.appendRecord(record); err != nil {
			return err
		}
	}
	c.snapshot = c.bytes
	return nil
}

// writeSuper switches both copies of the superblock.
func (db *DB) writeSuper(s superblock.Superblock) error {
	if err := superblock.Write(db.man.file, &s, db.superAt); err != nil {
		return err
	}
	db.super = s
	return nil
}
