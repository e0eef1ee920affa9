// Package verify checks a database file that nobody writes: every byte that has a checksum, and
// every cross-reference between superblocks, manifest, log, spills, tables and free space. It
// writes nothing, goes on behind what is damaged, and names every fault with its place.
//
// What lies between those parts, free space, the filler of log groups and the zeros behind a table,
// means nothing and is not looked at.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/storage"
)

// Severity of a fault.
type Severity string

const (
	// Error: something is lost, wrong, or cannot be believed.
	Error Severity = "error"
	// Warning: nothing is lost, and nothing wrong is read.
	Warning Severity = "warning"
)

// Regions of a file.
const (
	Superblock = "superblock"
	ManifestOf = "manifest"
	WAL        = "wal"
	Spill      = "spill"
	Table      = "table"
	Space      = "space"
)

// Fault is one thing that is wrong.
type Fault struct {
	Severity Severity
	// Region is where: one of the names above.
	Region string
	// Part of the region, such as "data block" or "footer"; may be empty.
	Part string
	// Offset in the file and Length in bytes; Length is 0 when it is not known.
	Offset, Length int64
	// Object is the number of the table, else empty.
	Object string
	// Stripe and Level of the table; -1 for none.
	Stripe, Level int
	What          string
	// Lost keys are from First to Last, both included, where what is wrong keeps entries from being
	// read; nil for none.
	First, Last []byte
}

func (f *Fault) String() string {
	s := fmt.Sprintf("%s at offset %d", f.Region, f.Offset)
	if f.Object != "" {
		s += fmt.Sprintf(", table %s (stripe %d, level %d)", f.Object, f.Stripe, f.Level)
	}
	if f.Part != "" {
		s += ", " + f.Part
	}
	return s + ": " + f.What
}

// Counts of what was looked at.
type Counts struct {
	Superblocks, ManifestGroups, LogGroups, LogFrames, Spills, Tables, Blocks, Entries int64
}

// Report of a verification.
type Report struct {
	// Super is the newest superblock that holds; nil when none does.
	Super *superblock.Superblock
	// Faults by region and offset, at most Options.FaultsMax; Errors and Warnings count all.
	Faults           []Fault
	Errors, Warnings int64
	// Lost are ranges of keys that cannot be read, sorted, not overlapping.
	Lost []storage.Range
	// Unchecked says what was not looked at, and why.
	Unchecked []string
	Counts    Counts
	// FileBytes is the size of the file, CheckedBytes what was read of it, FreeBytes what nobody owns.
	FileBytes, CheckedBytes, FreeBytes int64
}

// Progress of a verification.
type Progress struct {
	// Done of Total bytes.
	Done, Total int64
}

// Options of a verification.
type Options struct {
	// EncryptionKey opens an encrypted file. Its checksums need no key, but the manifest does, which says
	// where everything is.
	EncryptionKey []byte
	// FaultsMax bounds the list of faults; 0 means 1,000.
	FaultsMax int
	// Quick leaves the data blocks of tables out.
	Quick bool
	// Workers check tables side by side; 0 means one.
	Workers int
	// Progress, if not nil, is called now and then, by one goroutine at a time.
	Progress func(Progress)
}

const faultsMaxDefault = 1000

// run is one verification.
type run struct {
	file io.ReaderAt // read at multiples of vfs.AlignMaxBytes into aligned buffers
	size int64
	opts Options

	mu    sync.Mutex
	out   Report // guarded by mu while tables are checked
	total int64
}

// File checks the file. The file is read as a log descriptor wants it, in large pieces, and is size
// bytes long. An error is one of the context, or says that the file is none of ours (superblock.Read);
// all that is wrong with one of ours is in the report.
func File(ctx context.Context, file io.ReaderAt, size int64, opts Options) (Report, error) {
	if opts.FaultsMax <= 0 {
		opts.FaultsMax = faultsMaxDefault
	}
	r := &run{file: file, size: size, opts: opts}
	r.out.FileBytes = size
	if err := r.superblocks(); err != nil {
		return Report{}, err
	}
	if r.out.Super == nil {
		r.unchecked("everything behind the superblocks, since none of them holds")
		return r.finish(), nil
	}
	if err := r.out.Super.Unlock(opts.EncryptionKey); err != nil {
		return Report{}, err
	}
	defer r.out.Super.Keys.Clear()
	m, err := ondisk.ReadManifest(file, r.out.Super)
	if err != nil {
		r.add(r.faultOf(err, ManifestOf))
		r.unchecked("the log, tables and free space, which the manifest would name")
		return r.finish(), ctx.Err()
	}
	r.out.Counts.ManifestGroups = m.Groups
	r.out.CheckedBytes += m.Bytes
	l := new(ondisk.Log)
	if r.out.Super.Origin.Incremental() {
		r.leaveBase(m)
	} else {
		l = r.wal(m)
	}
	r.space(m, l)
	err = r.tables(ctx, m, l)
	return r.finish(), err
}

// leaveBase leaves out what an incremental backup does not hold: it has no log, and its manifest names
// tables of its base, at offset 0.
func (r *run) leaveBase(m *ondisk.Manifest) {
	n := 0
	for num, t := range m.State.Tables {
		if t.Offset == 0 {
			delete(m.State.Tables, num)
			n++
		}
	}
	r.unchecked(fmt.Sprintf("%d tables that are in the backup that this one goes on from", n))
}

// superblocks checks both copies.
func (r *run) superblocks() error {
	newest, err := superblock.Read(r.file)
	switch {
	case err == nil:
		r.out.Super = &newest.Newest
	case !errors.Is(err, storage.ErrCorrupt):
		return err
	}
	both, err := superblock.ReadBoth(r.file)
	if err != nil {
		return err
	}
	r.out.CheckedBytes += superblock.AreaBytes
	for i := range both {
		f := Fault{
			Severity: Error, Region: Superblock, Part: fmt.Sprintf("copy %d", i),
			Offset: int64(i) * superblock.CopyBytes, Length: superblock.CopyBytes,
		}
		c := &both[i]
		r.out.Counts.Superblocks++
		switch super := r.out.Super; {
		case c.Err != nil && super != nil && super.Clean == nil:
			f.Severity = Warning
			f.What = "it does not verify: damaged, or its last write was cut short; the next open writes it again"
			r.add(f)
		case c.Err != nil:
			f.What = "it does not verify"
			r.add(f)
		case super != nil && c.Database != super.Database:
			f.What = "it belongs to another database"
			r.add(f)
		}
	}
	return nil
}

// faultOf makes a fault of what a reader of the log or manifest returned.
func (r *run) faultOf(err error, region string) Fault {
	f := Fault{Severity: Error, Region: region, Offset: -1, Stripe: -1, Level: -1, What: err.Error()}
	if ce, ok := errors.AsType[*base.CorruptError](err); ok {
		f.Region, f.Offset, f.What = ce.Region, ce.Offset, ce.Reason
	}
	return f
}

// add takes a fault in.
func (r *run) add(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.Object == "" {
		f.Stripe, f.Level = -1, -1
	}
	if f.Severity == Error {
		r.out.Errors++
	} else {
		r.out.Warnings++
	}
	if len(r.out.Faults) < r.opts.FaultsMax {
		r.out.Faults = append(r.out.Faults, f)
	}
	if f.First != nil {
		end := append(slices.Clone(f.Last), 0)
		r.out.Lost = append(r.out.Lost, storage.Range{Start: f.First, End: end})
		if len(r.out.Lost) > lostMax {
			r.out.Lost = joined(r.out.Lost, lostMax/2)
		}
	}
}

func (r *run) unchecked(what string) { r.out.Unchecked = append(r.out.Unchecked, what) }

// finish sorts.
func (r *run) finish() Report {
	slices.SortStableFunc(r.out.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.What, b.What))
	})
	r.out.Lost = joined(r.out.Lost, lostMax)
	return r.out
}

// progress counts bytes that were read.
func (r *run) progress(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.CheckedBytes += n
	if r.opts.Progress != nil {
		r.opts.Progress(Progress{Done: r.out.CheckedBytes, Total: max(r.total, r.out.CheckedBytes)})
	}
}
