package salvage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Loss is something that could not be read, or had to be guessed.
type Loss struct {
	// Region and Part of the file, Offset and Length in bytes; Length 0 where it is not known.
	Region, Part   string
	Offset, Length int64
	// Object is the number of the table, else empty.
	Object string
	What   string
	// Keys from First to Last, both included, may lack their newest version; nil for none.
	First, Last []byte
}

// Source is a damaged file.
type Source struct {
	file   io.ReaderAt // any bytes of it
	size   int64
	report func(Loss)
	// progress of the scan of the whole file, if there has to be one.
	progress func(done, total int64)

	super superblock.Superblock
	// believed: the superblock holds.
	believed bool
	scanned  *scanned

	state *manifest.State
	// whole: no record of the manifest is missing.
	whole   bool
	dropped map[base.ObjectNum]bool
	// floor: tables of the manifest's snapshot and older are in state, unless they are gone.
	floor base.ObjectNum

	stripes [base.StripeCount][]manifest.Table
	logs    [base.StripeCount]*memtable.Memtable
	dead    merge.Dead
	// Last is the highest LSN that was met, Epoch the highest epoch of any number.
	Last  base.LSN
	Epoch base.Epoch
}

// Open looks through a file of size bytes. aligned reads it as a log descriptor wants it, file any bytes
// of it. key is the user's, nil for a plain file. report is told of everything that is lost. An error
// is one of the context, or says that there is nothing to be found.
func Open(
	ctx context.Context, aligned, file io.ReaderAt, size int64, key []byte, report func(Loss), progress func(done, total int64),
) (*Source, error) {
	s := &Source{
		file: file, size: size, report: report, progress: progress, state: manifest.NewState(),
		dropped: map[base.ObjectNum]bool{},
	}
	if err := s.identify(ctx, aligned, key); err != nil {
		return nil, err
	}
	if err := s.manifest(ctx, aligned); err != nil {
		return nil, err
	}
	if err := s.tables(ctx); err != nil {
		return nil, err
	}
	s.dead = merge.NewDead(slices.Clone(s.state.Dead))
	if err := s.wal(ctx, aligned); err != nil {
		return nil, err
	}
	s.Epoch = max(s.Epoch, s.Last.Epoch())
	if s.believed {
		s.Epoch = max(s.Epoch, s.super.Epoch)
	} else {
		for _, h := range s.scanned.groups {
			s.Epoch = max(s.Epoch, h.Epoch)
		}
	}
	return s, nil
}

// errNothing: not one part of the file says which database it is of.
var errNothing = errors.New("there is nothing of a kstone database in this file")

// scan reads the whole file once.
func (s *Source) scan(ctx context.Context) (err error) {
	if s.scanned == nil {
		s.scanned, err = scan(ctx, s.file, s.size, s.progress)
	}
	return err
}

// identify finds out which database it is, and gets its keys.
func (s *Source) identify(ctx context.Context, aligned io.ReaderAt, key []byte) error {
	both, err := superblock.ReadBoth(aligned)
	if err != nil {
		s.report(Loss{Region: "superblock", Length: superblock.AreaBytes, What: err.Error()})
	}
	for i := range both {
		if c := &both[i]; err != nil || c.Err != nil {
			if errors.Is(c.Err, superblock.ErrNewer) {
				return c.Err
			}
			s.report(Loss{
				Region: "superblock", Part: fmt.Sprintf("copy %d", i), Offset: int64(i) * superblock.CopyBytes,
				Length: superblock.CopyBytes, What: "it does not verify",
			})
			continue
		}
		if !s.believed || both[i].Generation > s.super.Generation {
			s.super, s.believed = both[i].Superblock, true
		}
	}
	if s.believed {
		if s.super.Origin.Incremental() {
			return superblock.ErrIncremental
		}
		return s.super.Unlock(key)
	}
	if err := s.scan(ctx); err != nil {
		return err
	}
	id, ok := s.scanned.most()
	if !ok {
		return errNothing
	}
	return s.without(id)
}

// errNoKeys: nobody can read what is there.
var errNoKeys = errors.New("both superblocks are lost, and with them the key of this encrypted file: nothing can be read")

// without goes on without a superblock, with what is of a database.
func (s *Source) without(id log.DatabaseID) error {
	if s.scanned.encrypted {
		return errNoKeys
	}
	s.super = superblock.Superblock{Database: id, Align: vfs.SectorBytes, Epoch: base.EpochMax}
	s.believed = false
	return nil
}

// doubt looks whether a superblock whose manifest cannot be read belongs to what else is in the file. Both
// copies may have been put there from another file, or be older than the rest.
func (s *Source) doubt() error {
	own := s.scanned.idents[table.DatabaseID(s.super.Database)]
	var epoch base.Epoch
	for _, h := range s.scanned.groups {
		if h.Ident.Database == s.super.Database {
			own, epoch = own+1, max(epoch, h.Epoch)
		}
	}
	l := Loss{Region: "superblock", Length: superblock.AreaBytes}
	if id, ok := s.scanned.most(); own == 0 && ok {
		l.What = fmt.Sprintf("it is of another database, %x: what else is in the file is of %x, and is taken without it",
			s.super.Database, id)
		s.report(l)
		s.super.Keys.Clear()
		return s.without(id)
	}
	if epoch > s.super.Epoch {
		l.What = fmt.Sprintf("it is older than the rest of the file: it knows %d opens, and there was number %d", s.super.Epoch, epoch)
		s.report(l)
		s.super.Epoch, s.believed = base.EpochMax, false // its keys are those of the rest
	}
	return nil
}

// manifest reads the state, or what is left of it.
func (s *Source) manifest(ctx context.Context, aligned io.ReaderAt) error {
	if s.believed {
		m, err := ondisk.ReadManifest(aligned, &s.super)
		if err == nil {
			s.state, s.whole = m.State, true
			return nil
		}
		l := Loss{Region: "manifest", Offset: s.super.ManifestFirst.Offset, What: err.Error()}
		if ce, ok := errors.AsType[*base.CorruptError](err); ok {
			l.Offset, l.What = ce.Offset, ce.Reason
		}
		l.What += "; tables are looked for in the whole file, and what was deleted lately may be there again"
		s.report(l)
	} else {
		s.report(Loss{Region: "manifest", Offset: -1,
			What: "nothing says where it is; tables are looked for in the whole file, and what was deleted may be there again"})
	}
	if err := s.scan(ctx); err != nil {
		return err
	}
	if s.believed {
		if err := s.doubt(); err != nil {
			return err
		}
	}
	s.pieceTogether()
	return nil
}

// pieceTogether applies the records that hold. Without a superblock the manifest with the highest number is
// the one.
func (s *Source) pieceTogether() {
	id := s.super.ManifestLog
	if !s.believed {
		for _, h := range s.scanned.groups {
			if h.Ident.Log != log.WAL && h.Ident.Database == s.super.Database {
				id = max(id, h.Ident.Log)
			}
		}
	}
	next, snapshot := log.Seq(1), false
	unbroken := true
	for _, h := range s.groupsOf(id, 0) {
		unbroken = unbroken && h.Seq == next
		next = h.Seq + 1
		lost := log.Rescue(&h, s.group(&h), s.super.Keys, func(_ base.LSN, payload []byte) {
			e, err := manifest.Decode(payload)
			if err != nil {
				return
			}
			s.apply(&e)
			snapshot = snapshot || e.SnapshotEnd && unbroken
		})
		unbroken = unbroken && lost == 0
	}
	if snapshot {
		s.floor = id
	}
}

// apply adds an edit to the state as far as it makes sense.
func (s *Source) apply(e *manifest.Edit) {
	for _, seg := range e.SegmentAdd {
		s.state.Segments[seg.Num] = seg.Extent
	}
	for _, n := range e.SegmentDrop {
		delete(s.state.Segments, n)
	}
	if e.Tail != nil && e.Tail.LSN >= s.state.Tail.LSN {
		s.state.Tail = *e.Tail
	}
	for _, t := range e.TableAdd {
		s.state.Tables[t.Meta.Num] = t
	}
	for _, r := range e.TableDrop {
		delete(s.state.Tables, r.Num)
		s.dropped[r.Num] = true
	}
	_ = s.state.Apply(&manifest.Edit{DeadAdd: e.DeadAdd, DeadDrop: e.DeadDrop}) // these two cannot contradict
}

// groupsOf returns the groups of one log from a seq on, in order; of those with one seq the last that was
// written.
func (s *Source) groupsOf(id base.ObjectNum, from log.Seq) []log.Header {
	var list []log.Header
	for _, h := range s.scanned.groups {
		if h.Ident.Log == id && h.Ident.Database == s.super.Database && h.Seq >= from && h.Epoch <= s.super.Epoch {
			list = append(list, h)
		}
	}
	slices.SortStableFunc(list, func(a, b log.Header) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(b.Epoch, a.Epoch))
	})
	return slices.CompactFunc(list, func(a, b log.Header) bool { return a.Seq == b.Seq })
}

// group reads the bytes of a group, as far as there are any.
func (s *Source) group(h *log.Header) []byte {
	b := make([]byte, min(int64(h.Length), max(s.size-h.Position, 0)))
	if _, err := s.file.ReadAt(b, h.Position); err != nil {
		readAround(s.file, b, h.Position)
	}
	return b
}

// tables sorts them into stripes, with those that no record names where records are missing.
func (s *Source) tables(ctx context.Context) error {
	if !s.whole {
		for num, f := range s.scanned.tables {
			_, known := s.state.Tables[num]
			if known || s.dropped[num] || num <= s.floor || [16]byte(f.id) != [16]byte(s.super.Database) {
				continue
			}
			s.state.Tables[num] = manifest.Table{Offset: f.offset, Meta: table.Meta{
				Num: num, Length: f.length, Digest: f.digest, Smallest: []byte{}, Largest: nil,
			}}
		}
	}
	for num, t := range s.state.Tables {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.Epoch = max(s.Epoch, base.LSN(num).Epoch())
		if t.Meta.Entries == 0 { // one that was found
			x := s.reader(t).Rescue(func(table.Fault) {})
			if !x.Next() {
				continue
			}
			t.Stripe = base.StripeOf(x.Entry().Key)
		}
		s.stripes[t.Stripe] = append(s.stripes[t.Stripe], t)
	}
	return nil
}

func (s *Source) reader(t manifest.Table) *table.Reader {
	return table.NewReader(table.ReaderOptions{
		DatabaseID: table.DatabaseID(s.super.Database), Num: t.Meta.Num, File: s.file, Offset: t.Offset,
		Length: t.Meta.Length, Keys: s.super.Keys,
	})
}

// wal collects the batches of the log that are not in tables yet.
func (s *Source) wal(ctx context.Context, aligned io.ReaderAt) error {
	tail := s.state.Tail
	if s.whole {
		_, err := ondisk.ScanLog(aligned, &s.super, s.state, func(r *log.Reader) error {
			h := r.Header()
			for i := range int(h.Count) {
				s.batch(h.FirstLSN+base.LSN(i), r.Payload(i), h.Position)
			}
			return nil
		})
		if err == nil {
			return nil
		}
		l := Loss{Region: "wal", What: err.Error()}
		if ce, ok := errors.AsType[*base.CorruptError](err); ok {
			l.Region, l.Offset, l.What = ce.Region, ce.Offset, ce.Reason
		}
		s.report(l)
	}
	if err := s.scan(ctx); err != nil {
		return err
	}
	for _, h := range s.groupsOf(log.WAL, tail.Seq) {
		lost := log.Rescue(&h, s.group(&h), s.super.Keys, func(lsn base.LSN, payload []byte) {
			s.batch(lsn, payload, h.Position)
		})
		if lost > 0 {
			s.report(Loss{Region: "wal", Part: fmt.Sprintf("group %d", h.Seq), Offset: h.Position, Length: int64(h.Length),
				What: fmt.Sprintf("%d of its %d batches cannot be read", lost, h.Count)})
		}
	}
	return nil
}

// batch takes one batch in, if it is not in tables.
func (s *Source) batch(lsn base.LSN, payload []byte, offset int64) {
	if lsn < s.state.Tail.LSN {
		return
	}
	ops, err := ondisk.Ops(s.file, s.super.Keys, payload, offset)
	if err == nil {
		err = ondisk.EachOp(ops, func(base.Kind, []byte, []byte) {})
	}
	if err != nil {
		l := Loss{Region: "wal", Offset: offset, What: "a batch cannot be read: " + err.Error()}
		if ce, ok := errors.AsType[*base.CorruptError](err); ok {
			l.Region, l.Offset, l.What = ce.Region, ce.Offset, "a batch cannot be read: "+ce.Reason
		}
		s.report(l)
		return
	}
	s.Last = max(s.Last, lsn)
	_ = ondisk.EachOp(ops, func(kind base.Kind, key, value []byte) {
		stripe := base.StripeOf(key)
		if s.logs[stripe] == nil {
			s.logs[stripe] = memtable.New()
		}
		s.logs[stripe].Insert(base.Entry{Key: key, LSN: lsn, Kind: kind, Value: value}, false, 0)
	})
}
