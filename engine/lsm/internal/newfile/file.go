// Package newfile writes the file of a database that did not exist before: tables copied from other
// files, tables of entries, dead ranges, a fresh manifest and superblock. Backups, restored copies and
// saved databases are made by it.
//
// The file is an ordinary one, closed cleanly and with an empty log:
//
//	superblocks 8192 · log segment · log segment · table* · manifest extent
//
// An incremental backup is the same without log segments: its manifest names all tables, those that its
// base has at offset 0.
package newfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// manifestExtentMinBytes is the shortest first extent of a manifest; some of it is left for edits.
	manifestExtentMinBytes = 256 << 10
	// pieceBytes is the largest write.
	pieceBytes = 1 << 20
)

// Options of a new file.
type Options struct {
	// Database, WrappedKey and the Keys behind it are those of the tables that are copied; nil keys make
	// a plain file.
	Database   log.DatabaseID
	WrappedKey []byte
	Keys       *crypt.Keys
	// Epoch is at least that of all numbers that are copied: the first open takes the next one, or one
	// behind those of NextObject.
	Epoch base.Epoch
	// Origin says what the file is a copy of; nil for a database that begins here.
	Origin *superblock.Origin
	// Successor is the identity of the file whose place this one takes; zero for a copy.
	Successor [16]byte
	// Align is the alignment of log groups, SegmentBytes the length of each of the two log segments.
	Align        int
	SegmentBytes int64
	// NextObject numbers tables and the manifest: never a number that a table of this database id has
	// had, on the timeline that the file comes from.
	NextObject func() base.ObjectNum
	// TableOptions of new tables of a level; DatabaseID and Num are filled in here.
	TableOptions func(level uint8) table.WriterOptions
	// Rand gives the timeline's id and the salts.
	Rand io.Reader
	// Pace, if not nil, is called before each piece of n bytes is written.
	Pace func(ctx context.Context, n int) error
	// Check reads back every table that was copied and verifies it; for a stream, the original.
	Check bool
}

// File is being written. It is used by one goroutine; after an error it must be given up.
type File struct {
	opts    Options
	out     vfs.File
	at      int64 // where the next extent begins
	state   *manifest.State
	copiers map[vfs.File]*vfs.Copier
	super   superblock.Superblock

	stripe, level uint8
	table         bytes.Buffer
	writer        *table.Writer
	unplaced      []byte // tables that are not written yet
	unplacedAt    int64
	bytes         int64
}

// New begins a file in out, which is empty.
func New(out vfs.File, opts Options) (*File, error) {
	f := &File{
		opts: opts, out: out, at: superblock.AreaBytes, state: manifest.NewState(),
		copiers: map[vfs.File]*vfs.Copier{},
	}
	f.super = superblock.Superblock{
		Align: opts.Align, Database: opts.Database, Generation: 1, Epoch: opts.Epoch, WrappedKey: opts.WrappedKey,
		Origin: opts.Origin, Successor: opts.Successor,
	}
	if _, err := io.ReadFull(opts.Rand, f.super.Timeline[:]); err != nil {
		return nil, fmt.Errorf("draw an id: %w", err)
	}
	if opts.Origin.Incremental() {
		return f, nil
	}
	for range 2 {
		e := log.Extent{Offset: f.at, Length: opts.SegmentBytes}
		if err := f.zeros(e); err != nil {
			return nil, err
		}
		f.state.Segments[f.nextObject()] = e
		f.at = e.End()
	}
	return f, nil
}

// nextObject numbers an object. The database that is copied may have taken a new epoch since the copy was
// begun, and the first open must not give the same numbers again.
func (f *File) nextObject() base.ObjectNum {
	n := f.opts.NextObject()
	epoch := max(f.opts.Epoch, base.LSN(n).Epoch())
	f.opts.Epoch, f.super.Epoch = epoch, epoch
	return n
}

// Timeline of the file.
func (f *File) Timeline() [16]byte { return f.super.Timeline }

// Tables so far, those of the base included.
func (f *File) Tables() int { return len(f.state.Tables) }

// Bytes of tables so far.
func (f *File) Bytes() int64 { return f.bytes }

func (f *File) zeros(e log.Extent) error {
	zeros := make([]byte, min(e.Length, pieceBytes))
	for off := e.Offset; off < e.End(); off += int64(len(zeros)) {
		if _, err := f.out.WriteAt(zeros[:min(int64(len(zeros)), e.End()-off)], off); err != nil {
			return fmt.Errorf("write at %d: %w", off, err)
		}
	}
	return nil
}

// Copy adds a table that stands in src as its Offset says.
func (f *File) Copy(ctx context.Context, src vfs.File, t manifest.Table) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	c := f.copiers[src]
	if c == nil {
		c = vfs.NewCopier(f.out, src)
		c.Pace = f.opts.Pace
		f.copiers[src] = c
	}
	n := space.Round(t.Meta.Length)
	_, streamed := f.out.(*Stream)
	if streamed && f.opts.Check { // it cannot be read back
		if err := table.CheckDigest(ctx, src, table.DatabaseID(f.opts.Database), t.Offset, t.Meta); err != nil {
			return err
		}
	}
	if err := c.Copy(ctx, f.at, t.Offset, n); err != nil {
		return fmt.Errorf("copy table %v: %w", t.Meta.Num, err)
	}
	if f.opts.Check && !streamed {
		if err := f.check(ctx, src, t); err != nil {
			return err
		}
	}
	t.Offset = f.at
	f.at += n
	return f.name(t)
}

// check verifies the copy at the end of the file. An error names the source if that is what is damaged.
func (f *File) check(ctx context.Context, src vfs.File, t manifest.Table) error {
	id := table.DatabaseID(f.opts.Database)
	err := table.CheckDigest(ctx, f.out, id, f.at, t.Meta)
	if !errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	if err := table.CheckDigest(ctx, src, id, t.Offset, t.Meta); err != nil {
		return err
	}
	return fmt.Errorf("copy table %v: the copy at %d differs from the original", t.Meta.Num, f.at)
}

// Refer adds a table that the base of an incremental backup has.
func (f *File) Refer(t manifest.Table) error {
	t.Offset = 0
	return f.name(t)
}

func (f *File) name(t manifest.Table) error {
	if t.Offset != 0 {
		f.bytes += t.Meta.Length
	}
	return f.state.Apply(&manifest.Edit{TableAdd: []manifest.Table{t}})
}

// Begin says where the entries belong that follow. Tables of level 0 may overlap all others of their
// stripe, those of another level none of the same level.
func (f *File) Begin(ctx context.Context, stripe, level uint8) error {
	err := f.endTable(ctx)
	f.stripe, f.level = stripe, level
	return err
}

// Add appends a version; versions of a stripe come in the order of base.Compare. newKey says that its
// key differs from the one before: a full table ends there.
func (f *File) Add(ctx context.Context, e base.Entry, newKey bool) error {
	if f.writer != nil && newKey && f.writer.Size() >= table.SizeTargetBytes {
		if err := f.endTable(ctx); err != nil {
			return err
		}
	}
	if f.writer == nil {
		f.table.Reset()
		opts := f.opts.TableOptions(f.level)
		opts.DatabaseID, opts.Num = table.DatabaseID(f.opts.Database), f.nextObject()
		opts.Keys, opts.Rand = f.opts.Keys, f.opts.Rand
		f.writer = table.NewWriter(&f.table, opts)
	}
	return f.writer.Add(e)
}

// endTable places the table at hand behind the others.
func (f *File) endTable(ctx context.Context) error {
	if f.writer == nil {
		return nil
	}
	meta, err := f.writer.Finish()
	f.writer = nil
	if err != nil {
		return err
	}
	meta.Smallest = manifest.ShortenSmallest(meta.Smallest)
	meta.Largest = manifest.ShortenLargest(meta.Largest)
	n := space.Round(meta.Length)
	if len(f.unplaced) == 0 {
		f.unplacedAt = f.at
	}
	f.unplaced = append(f.unplaced, f.table.Bytes()...)
	f.unplaced = append(f.unplaced, make([]byte, n-meta.Length)...)
	t := manifest.Table{Stripe: f.stripe, Level: f.level, Offset: f.at, Meta: meta}
	f.at += n
	if err := f.name(t); err != nil {
		return err
	}
	if len(f.unplaced) >= pieceBytes {
		return f.flush(ctx)
	}
	return nil
}

// flush writes the tables that are not written yet.
func (f *File) flush(ctx context.Context) error {
	if err := f.endTable(ctx); err != nil {
		return err
	}
	for at := 0; at < len(f.unplaced); at += pieceBytes {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := f.unplaced[at:min(at+pieceBytes, len(f.unplaced))]
		if f.opts.Pace != nil {
			if err := f.opts.Pace(ctx, len(piece)); err != nil {
				return err
			}
		}
		if _, err := f.out.WriteAt(piece, f.unplacedAt+int64(at)); err != nil {
			return fmt.Errorf("write tables at %d: %w", f.unplacedAt+int64(at), err)
		}
	}
	f.unplaced = f.unplaced[:0]
	return nil
}

// Dead adds ranges of which no key shows, whatever the tables hold.
func (f *File) Dead(ranges []storage.Range) error {
	return f.state.Apply(&manifest.Edit{DeadAdd: ranges})
}

// Finish writes manifest and superblocks: last is the LSN of the last batch in the file. The file is
// whole then, and not durable.
func (f *File) Finish(ctx context.Context, last base.LSN) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	f.state.Tail = manifest.Tail{LSN: last + 1, Seq: 1}
	for num, e := range f.state.Segments {
		if e.Offset == superblock.AreaBytes {
			f.state.Tail.Segment = num
		}
	}
	if err := f.manifest(); err != nil {
		return err
	}
	area := vfs.AlignedBuffer(superblock.AreaBytes)
	f.super.Encode(area)
	copy(area[superblock.CopyBytes:], area[:superblock.CopyBytes])
	if _, err := f.out.WriteAt(area, 0); err != nil {
		return fmt.Errorf("write superblocks: %w", err)
	}
	return nil
}

// manifest writes the state into one extent at the end.
func (f *File) manifest() error {
	records := f.state.Snapshot()
	length := int64(manifestExtentMinBytes)
	for _, r := range records {
		length += log.GroupBytes(log.FrameBytes(len(r), f.opts.Keys), vfs.AlignMaxBytes)
	}
	e := log.Extent{Offset: f.at, Length: space.Round(length)}
	if err := f.zeros(e); err != nil {
		return err
	}
	var salt log.Salt
	if _, err := io.ReadFull(f.opts.Rand, salt[:]); err != nil {
		return fmt.Errorf("draw a salt: %w", err)
	}
	id := f.nextObject()
	term, err := log.NewTerm(log.Ident{Log: id, Database: f.opts.Database}, f.opts.Epoch, salt, f.opts.Keys)
	if err != nil {
		return err
	}
	chain := log.NewChain(f.opts.Align, log.Start(e))
	lsn := base.MakeLSN(f.opts.Epoch, 1)
	var group log.Group
	for _, record := range append(records, nil) { // an empty group vouches for the last record
		group.Reset()
		if record != nil {
			group.Add(term.AppendFrame(nil, lsn, record))
		}
		sealed := chain.Seal(&group, term, lsn, chain.Position().Seq-1)
		if _, err := f.out.WriteAt(sealed.Bytes, sealed.Offset); err != nil {
			return fmt.Errorf("write manifest: %w", err)
		}
		lsn++
	}
	at := chain.Position()
	f.super.ManifestLog, f.super.ManifestFirst = id, e
	f.super.Clean = &superblock.Clean{Manifest: log.CleanMark{Epoch: at.Epoch, Seq: at.Seq - 1}}
	return nil
}
