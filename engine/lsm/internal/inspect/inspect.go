// Package inspect writes what stands in a database file as text, for people who look for a fault. It
// never writes to the file. What does not verify is named where it stands, and the rest goes on.
package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// ValueMaxBytes is how much of a value is printed.
const ValueMaxBytes = 64

// File is a database file that is looked at.
type File struct {
	src vfs.File
	out io.Writer
	// describe says what a key means.
	describe func(key []byte) string
	err      error // of the output
	faults   int
	missed   bool // something that was asked for is sealed

	super    *superblock.Superblock // the newest that verifies
	state    *manifest.State        // as far as the manifest verifies; nil without a superblock
	manifest []log.Extent
	stateErr error // why it goes no further
	sealed   bool  // the file is encrypted and there is no key
}

// New looks at an open file. key opens one that is encrypted; without it what is in clear is printed, a
// wrong one is an error. A describe of nil prints keys in hexadecimal. Close the File.
func New(src vfs.File, out io.Writer, key []byte, describe func(key []byte) string) (*File, error) {
	if describe == nil {
		describe = func(key []byte) string { return fmt.Sprintf("%x", key) }
	}
	f := &File{src: src, out: out, describe: describe}
	copies, err := superblock.Read(src)
	if err != nil {
		return f, nil //nolint:nilerr // what is printed says so
	}
	f.super = &copies.Newest
	switch err := f.super.Unlock(key); {
	case errors.Is(err, superblock.ErrKeyNeeded):
		f.sealed = true
	case errors.Is(err, storage.ErrCorrupt):
		f.sealed, f.stateErr = true, err
	case err != nil:
		return nil, err
	default:
		f.readState()
	}
	return f, nil
}

// Close forgets the keys. The result is nil if everything that was printed verifies.
func (f *File) Close() error {
	if f.super != nil {
		f.super.Keys.Clear()
	}
	switch {
	case f.err != nil:
		return f.err
	case f.faults > 0:
		return fmt.Errorf("%w: faults in what was printed: %d", storage.ErrCorrupt, f.faults)
	case f.missed:
		return superblock.ErrKeyNeeded
	}
	return nil
}

func (f *File) printf(format string, args ...any) {
	if f.err == nil {
		_, f.err = fmt.Fprintf(f.out, format, args...)
	}
}

// fault names what does not verify.
func (f *File) fault(indent string, err error) {
	f.faults++
	f.printf("%s! %v\n", indent, err)
}

// readState adds up the records of the manifest as far as they go.
func (f *File) readState() {
	f.state = manifest.NewState()
	f.manifest = []log.Extent{f.super.ManifestFirst}
	f.stateErr = f.eachRecord(func(_ *log.Header, _ base.LSN, e *manifest.Edit) error { return f.state.Apply(e) })
}

// eachRecord walks the manifest.
func (f *File) eachRecord(fn func(*log.Header, base.LSN, *manifest.Edit) error) error {
	r := ondisk.ManifestReader(f.src, f.super)
	for r.Next() {
		h := r.Header()
		if h.Count == 0 {
			if err := fn(&h, 0, &manifest.Edit{}); err != nil {
				return err
			}
		}
		for i := range int(h.Count) {
			e, err := manifest.Decode(r.Payload(i))
			if err != nil {
				return &base.CorruptError{Region: "manifest", Offset: h.Position, Reason: err.Error()}
			}
			if e.Next != nil {
				r.Link(*e.Next)
				if !slices.Contains(f.manifest, *e.Next) {
					f.manifest = append(f.manifest, *e.Next)
				}
			}
			if err := fn(&h, h.FirstLSN+base.LSN(i), &e); err != nil {
				return err
			}
		}
	}
	return r.Err()
}

// Superblocks prints both copies.
func (f *File) Superblocks() {
	both, err := superblock.ReadBoth(f.src)
	if err != nil {
		f.fault("", err)
		return
	}
	for i, c := range both {
		f.printf("superblock copy %d at %d\n", i, i*superblock.CopyBytes)
		if c.Err != nil {
			f.fault("  ", c.Err)
			continue
		}
		f.superblock(&c.Superblock)
	}
}

func (f *File) superblock(s *superblock.Superblock) {
	newest := ""
	if f.super != nil && f.super.Generation == s.Generation {
		newest = ", the truth"
	}
	f.printf("  generation     %d%s\n  epoch          %d\n  database       %x\n  timeline       %x\n",
		s.Generation, newest, s.Epoch, s.Database, s.Timeline)
	f.printf("  log alignment  %d\n  manifest       log %v, first extent %s\n", s.Align, s.ManifestLog, extent(s.ManifestFirst))
	if c := s.Clean; c != nil {
		f.printf("  closed cleanly after group %d of epoch %d of the log and group %d of epoch %d of the manifest\n",
			c.WAL.Seq, c.WAL.Epoch, c.Manifest.Seq, c.Manifest.Epoch)
	} else {
		f.printf("  not closed cleanly, or open\n")
	}
	if n := len(s.WrappedKey); n > 0 {
		f.printf("  encrypted      the data key is wrapped in %d bytes\n", n)
	}
	if s.Successor != [16]byte{} {
		f.printf("  successor of   timeline %x\n", s.Successor)
	}
	if s.Place != "" {
		f.printf("  last opened as %s\n", s.Place)
	}
	if o := s.Origin; o != nil {
		f.printf("  copy of        timeline %x at batch %v, made at %d ms\n", o.Timeline, o.LSN, o.Millis)
		if o.Incremental() {
			f.printf("  needs          the backup of timeline %x\n", o.Base)
		}
	}
}

func extent(e log.Extent) string { return fmt.Sprintf("%d+%d", e.Offset, e.Length) }

// withoutState says that there is no manifest to go by. One that is damaged is named, and gone by as far
// as it goes.
func (f *File) withoutState() bool {
	if f.super != nil {
		if f.stateErr != nil {
			f.fault("", f.stateErr)
		}
		if f.sealed {
			f.missed = true
			f.printf("encrypted: the rest needs the key\n")
		}
		return f.sealed
	}
	f.fault("", &base.CorruptError{Region: "superblock", Offset: 0, Reason: "no copy verifies: nothing says where the rest is"})
	return true
}

// Manifest prints the records of the manifest in order, and what they add up to.
func (f *File) Manifest() {
	if f.super == nil {
		f.withoutState()
		return
	}
	f.printf("manifest %v\n", f.super.ManifestLog)
	if f.sealed {
		f.sealedManifest()
		return
	}
	last := int64(-1)
	err := f.eachRecord(func(h *log.Header, num base.LSN, e *manifest.Edit) error {
		if h.Position != last {
			f.group(h)
			last = h.Position
		}
		if h.Count > 0 {
			f.printf("  record %v\n", num)
			f.edit(e)
		}
		return f.err
	})
	if err != nil {
		f.fault("  ", err)
	}
	f.totals()
}

// sealedManifest prints the groups of the first extent, which need no key.
func (f *File) sealedManifest() {
	ident := log.Ident{Log: f.super.ManifestLog, Database: f.super.Database}
	err := log.Scan(f.src, f.super.ManifestFirst, ident, nil, func(g *log.Found) error {
		f.group(&g.Header)
		if !g.Whole {
			f.printf("    not whole\n")
		}
		for i, p := range g.Payloads {
			f.printf("  record %v, %d bytes, encrypted\n", g.LSN(i), len(p))
		}
		return f.err
	})
	if err != nil {
		f.fault("  ", err)
	}
	f.withoutState()
}

func (f *File) group(h *log.Header) {
	f.printf("  group %d at %d, %d bytes, epoch %d, synced up to %d, frames %d\n",
		h.Seq, h.Position, h.Length, h.Epoch, h.Synced, h.Count)
}

func (f *File) edit(e *manifest.Edit) {
	for _, s := range e.SegmentAdd {
		f.printf("    segment add    %v %s\n", s.Num, extent(s.Extent))
	}
	for _, n := range e.SegmentDrop {
		f.printf("    segment drop   %v\n", n)
	}
	if t := e.Tail; t != nil {
		f.printf("    tail           batch %v, group %d in segment %v at %d\n", t.LSN, t.Seq, t.Segment, t.Offset)
	}
	for _, t := range e.TableDrop {
		f.printf("    table drop     %v of stripe %d, level %d\n", t.Num, t.Stripe, t.Level)
	}
	for i := range e.TableAdd {
		f.printf("    table add      ")
		f.tableLine(&e.TableAdd[i])
	}
	for _, r := range e.DeadAdd {
		f.printf("    dead add       %s\n", f.span(r))
	}
	for _, r := range e.DeadDrop {
		f.printf("    dead drop      %s\n", f.span(r))
	}
	if e.Next != nil {
		f.printf("    next           %s\n", extent(*e.Next))
	}
	if e.SnapshotEnd {
		f.printf("    snapshot end\n")
	}
}

func (f *File) span(r storage.Range) string {
	if r.End == nil {
		return f.describe(r.Start) + " and all behind"
	}
	return f.describe(r.Start) + " to " + f.describe(r.End)
}

func (f *File) tableLine(t *manifest.Table) {
	f.printf("%v stripe %d level %d %d+%d entries %d tombstones %d batches %v to %v\n", t.Meta.Num, t.Stripe, t.Level,
		t.Offset, t.Meta.Length, t.Meta.Entries, t.Meta.Tombstones, t.Meta.MinLSN, t.Meta.MaxLSN)
}

// totals is what the manifest adds up to.
func (f *File) totals() {
	s := f.state
	f.printf("adds up to %d segments, %d tables, %d dead ranges, manifest extents", len(s.Segments), len(s.Tables), len(s.Dead))
	for _, e := range f.manifest {
		f.printf(" %s", extent(e))
	}
	f.printf("\n")
}

// Summary prints the superblocks, the ring of the log and the tables by stripe.
func (f *File) Summary() {
	f.Superblocks()
	if f.withoutState() {
		return
	}
	f.totals()
	t := f.state.Tail
	f.printf("log tail at batch %v, group %d in segment %v at %d\n", t.LSN, t.Seq, t.Segment, t.Offset)
	for _, seg := range f.segments() {
		f.printf("  segment %v %s\n", seg.Num, extent(seg.Extent))
	}
	f.printf("tables\n")
	for _, t := range f.tables() {
		f.printf("  ")
		f.tableLine(&t)
	}
}

func (f *File) segments() []manifest.Segment {
	var list []manifest.Segment
	for n, e := range f.state.Segments {
		list = append(list, manifest.Segment{Num: n, Extent: e})
	}
	slices.SortFunc(list, func(a, b manifest.Segment) int { return cmp.Compare(a.Num, b.Num) })
	return list
}

// tables by stripe, level and number.
func (f *File) tables() []manifest.Table {
	var list []manifest.Table
	for _, t := range f.state.Tables {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b manifest.Table) int {
		return cmp.Or(
			cmp.Compare(a.Stripe, b.Stripe), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Meta.Num, b.Meta.Num),
		)
	})
	return list
}

// errNoTable: the manifest, as far as it was read, does not name it.
var errNoTable = errors.New("the manifest names no such table")

// reader of a table; false if there is none.
func (f *File) reader(num base.ObjectNum) (*table.Reader, manifest.Table, bool) {
	if f.withoutState() {
		return nil, manifest.Table{}, false
	}
	for _, t := range f.state.Tables {
		if t.Meta.Num == num {
			return table.NewReader(table.ReaderOptions{
				DatabaseID: table.DatabaseID(f.super.Database), Num: num, File: f.src, Offset: t.Offset, Length: t.Meta.Length,
				Keys: f.super.Keys,
			}), t, true
		}
	}
	f.fault("", fmt.Errorf("table %v: %w", num, errNoTable))
	return nil, manifest.Table{}, false
}

// Table prints the parts of a table and its blocks; with entries those, too.
func (f *File) Table(num base.ObjectNum, entries bool) {
	r, t, ok := f.reader(num)
	if !ok {
		return
	}
	f.printf("table ")
	f.tableLine(&t)
	f.printf("  smallest %s\n  largest  %s\n", f.describe(t.Meta.Smallest), f.describe(t.Meta.Largest))
	a := r.Anatomy()
	for _, p := range a.Parts {
		f.printf("  %-10s at %d, %d bytes", p.Name, p.Offset, p.Length)
		if p.Text != "" {
			f.printf(": %s", p.Text)
		}
		f.printf("\n")
		if p.Err != nil {
			f.fault("    ", p.Err)
		}
	}
	if p := a.Properties; p != nil {
		for _, c := range p.Prefixes {
			f.printf("  prefix %x: entries %d, keys %d, tombstones %d, bytes %d\n", c.Prefix, c.Entries, c.Keys, c.Tombstones, c.Bytes)
		}
	}
	for _, b := range a.Blocks {
		f.block(r, b, entries)
	}
}

// Block prints the entries of the data block that begins at an offset of a table.
func (f *File) Block(num base.ObjectNum, offset int64) {
	r, _, ok := f.reader(num)
	if !ok {
		return
	}
	a := r.Anatomy()
	for _, b := range a.Blocks {
		if int64(b.Offset) == offset {
			f.block(r, b, true)
			return
		}
	}
	for _, p := range a.Parts {
		if p.Err != nil {
			f.fault("", p.Err)
		}
	}
	f.fault("", fmt.Errorf("table %v: no data block begins at %d", num, offset))
}

func (f *File) block(r *table.Reader, b table.BlockPlace, entries bool) {
	f.printf("  block at %d, %d bytes, %s to %s\n", b.Offset, b.Length, f.describe(b.First), f.describe(b.Last))
	n := 0
	raw, err := r.EachEntry(b, func(e base.Entry) {
		n++
		if entries {
			f.entry(e)
		}
	})
	if err != nil {
		f.fault("    ", err)
		return
	}
	f.printf("    %d bytes decoded, %d entries\n", raw, n)
}

func (f *File) entry(e base.Entry) {
	if e.Kind == base.KindTombstone {
		f.printf("    %v delete %s\n", e.LSN, f.describe(e.Key))
		return
	}
	f.printf("    %v put %s = %s\n", e.LSN, f.describe(e.Key), value(e.Value))
}

// value shows the beginning of a value.
func value(v []byte) string {
	if len(v) <= ValueMaxBytes {
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%q… (%d bytes)", v[:ValueMaxBytes], len(v))
}

// found is a group in a segment of the log.
type found struct {
	header log.Header
	whole  bool
	digest uint64
}

// Log prints the groups of the write-ahead log that hold batches from an LSN to another, both
// included, in their order, whatever the segments still have: live or not. Groups without batches are
// printed when there is no bound (0 and the largest LSN).
func (f *File) Log(from, to base.LSN) {
	if f.withoutState() {
		return
	}
	all := from == 0 && to == math.MaxUint64
	var list []found
	for _, seg := range f.segments() {
		err := log.Scan(f.src, seg.Extent, f.logIdent(), nil, func(g *log.Found) error {
			h := &g.Header
			if all || h.Count > 0 && h.FirstLSN <= to && g.LSN(int(h.Count)-1) >= from {
				list = append(list, found{header: *h, whole: g.Whole, digest: g.Digest})
			}
			return nil
		})
		if err != nil {
			f.fault("", fmt.Errorf("segment %v: %w", seg.Num, err))
		}
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(a.header.Seq, b.header.Seq) })
	tail := f.state.Tail
	f.printf("log, tail at batch %v, group %d\n", tail.LSN, tail.Seq)
	for i := range list {
		var before *found
		if i > 0 && list[i-1].whole && list[i-1].header.Seq+1 == list[i].header.Seq {
			before = &list[i-1]
		}
		f.logGroup(&list[i], before, from, to)
	}
	f.logEnd()
}

func (f *File) logIdent() log.Ident { return log.Ident{Log: log.WAL, Database: f.super.Database} }

// logGroup prints one group, whose payloads are read again; before is the one that it should follow.
func (f *File) logGroup(g, before *found, from, to base.LSN) {
	h := &g.header
	f.group(h)
	if before != nil && before.digest != h.Digest {
		f.printf("    does not follow the group before: another lap\n")
	}
	if !g.whole {
		f.printf("    not whole\n") // logEnd says whether that matters
		return
	}
	place := log.Extent{Offset: h.Position, Length: int64(h.Length)}
	err := log.Scan(f.src, place, f.logIdent(), f.super.Keys, func(g *log.Found) error {
		if g.Err != nil {
			f.fault("    ", &base.CorruptError{Region: "wal", Offset: h.Position, Reason: g.Err.Error()})
			return f.err
		}
		for i, p := range g.Payloads {
			if lsn := g.LSN(i); lsn >= from && lsn <= to {
				f.frame(lsn, h.Position, p)
			}
		}
		return f.err
	})
	if err != nil {
		f.fault("    ", err)
	}
}

func (f *File) frame(lsn base.LSN, offset int64, payload []byte) {
	f.printf("    batch %v, %d bytes", lsn, len(payload))
	if len(payload) > 0 && payload[0] == ondisk.PayloadSpilled {
		if s, err := ondisk.ParseSpill(payload[1:]); err == nil {
			f.printf(", spilled %d bytes to", s.Length)
			for _, e := range s.Extents {
				f.printf(" %s", extent(e))
			}
		}
	}
	f.printf("\n")
	ops, err := ondisk.Ops(f.src, f.super.Keys, payload, offset)
	if err == nil {
		err = ondisk.EachOp(ops, func(kind base.Kind, key, val []byte) {
			if kind == base.KindTombstone {
				f.printf("      delete %s\n", f.describe(key))
			} else {
				f.printf("      put %s = %s\n", f.describe(key), value(val))
			}
		})
	}
	if err == nil {
		return
	}
	if lsn < f.state.Tail.LSN {
		f.printf("      its spill is gone: %v\n", err)
		return
	}
	f.fault("      ", err)
}

// logEnd says where the live log ends, as an open would find it.
func (f *File) logEnd() {
	l, err := ondisk.ScanLog(f.src, f.super, f.state, nil)
	if err != nil {
		f.fault("", err)
		return
	}
	torn := ""
	if l.End.Torn {
		torn = ", a group that was never acknowledged follows"
	}
	f.printf("the log ends at %d before group %d%s\n", l.End.Position.Offset, l.End.Position.Seq, torn)
}
