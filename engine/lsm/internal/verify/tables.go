package verify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
)

// bounds of a table as its entries have them.
type bounds struct {
	manifest.Table
	smallest, largest []byte
}

// tables checks all tables, in the order in which they lie on the disk, and their order in the levels.
func (r *run) tables(ctx context.Context, m *ondisk.Manifest, l *ondisk.Log) error {
	list := make([]manifest.Table, 0, len(m.State.Tables))
	r.total = r.out.CheckedBytes
	for _, t := range m.State.Tables {
		list = append(list, t)
		r.total += t.Meta.Length
	}
	slices.SortFunc(list, func(a, b manifest.Table) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	limit := noLimit
	if l != nil {
		limit = max(m.State.Tail.LSN-1, l.End.LastLSN)
	}
	work := make(chan manifest.Table)
	seen := make([]bounds, 0, len(list))
	var mu sync.Mutex
	var group sync.WaitGroup
	for range max(r.opts.Workers, 1) {
		group.Go(func() {
			var im image
			for t := range work {
				if b, ok := r.table(ctx, t, limit, &im); ok {
					mu.Lock()
					seen = append(seen, b)
					mu.Unlock()
				}
			}
		})
	}
	for _, t := range list {
		if ctx.Err() != nil {
			break
		}
		work <- t
	}
	close(work)
	group.Wait()
	r.levels(seen)
	return ctx.Err()
}

// table checks one table; ok is false when its bounds are not known.
func (r *run) table(ctx context.Context, t manifest.Table, limit base.LSN, im *image) (b bounds, ok bool) {
	got, err := checkTable(ctx, tableJob{
		file: r.file, size: r.size, super: r.out.Super, table: t, limit: limit, quick: r.opts.Quick, add: r.add,
	}, im)
	if err != nil {
		return b, false
	}
	r.mu.Lock()
	r.out.Counts.Tables++
	r.out.Counts.Blocks += int64(got.Blocks)
	r.out.Counts.Entries += got.Properties.Entries
	r.mu.Unlock()
	r.progress(got.Bytes)
	p := &got.Properties
	return bounds{t, p.Smallest, p.Largest}, p.Smallest != nil
}

// tableJob is one table to be checked.
type tableJob struct {
	file  io.ReaderAt
	size  int64
	super *superblock.Superblock
	table manifest.Table
	limit base.LSN
	quick bool
	add   func(Fault)
}

// noLimit: nobody knows how far the log has come.
const noLimit = ^base.LSN(0)

// OneTable checks a table of a file that may be in use: its extent is not used for anything else
// meanwhile. The file is read as a log descriptor wants it.
func OneTable(ctx context.Context, file io.ReaderAt, size int64, super *superblock.Superblock, t manifest.Table, add func(Fault)) error {
	_, err := checkTable(ctx, tableJob{file: file, size: size, super: super, table: t, limit: noLimit, add: add}, new(image))
	return err
}

func checkTable(ctx context.Context, j tableJob, im *image) (table.Checked, error) {
	t := j.table
	say := func(f table.Fault) {
		out := Fault{
			Severity: Error, Region: Table, Part: f.Part, Offset: f.Offset, Length: f.Length,
			Object: t.Meta.Num.String(), Stripe: int(t.Stripe), Level: int(t.Level), What: f.Reason,
		}
		if f.Lost {
			if out.First, out.Last = f.First, f.Last; f.First == nil {
				out.First, out.Last = t.Meta.Smallest, t.Meta.Largest
			}
		}
		j.add(out)
	}
	if t.Meta.Length <= 0 || t.Meta.Length > table.LengthMaxBytes {
		say(table.Fault{Part: "table", Offset: t.Offset, Lost: true, Reason: fmt.Sprintf("impossible length %d", t.Meta.Length)})
		return table.Checked{}, nil
	}
	im.load(j.file, j.size, t.Offset, t.Meta.Length)
	reader := table.NewReader(table.ReaderOptions{
		DatabaseID: table.DatabaseID(j.super.Database), Num: t.Meta.Num, File: im,
		Offset: t.Offset, Length: t.Meta.Length, Keys: j.super.Keys,
	})
	return reader.Check(ctx, table.CheckOptions{
		Meta: &t.Meta, Quick: j.quick, Fault: say,
		Entry: func(e base.Entry) string {
			switch {
			case base.StripeOf(e.Key) != t.Stripe:
				return fmt.Sprintf("a key of stripe %d", base.StripeOf(e.Key))
			case e.LSN > j.limit:
				return fmt.Sprintf("an entry of LSN %v, which the log has not reached", e.LSN)
			}
			return ""
		},
	})
}

// levels checks that below level 0 no two tables of a stripe hold the same keys.
func (r *run) levels(seen []bounds) {
	slices.SortFunc(seen, func(a, b bounds) int {
		if a.Stripe != b.Stripe {
			return int(a.Stripe) - int(b.Stripe)
		}
		if a.Level != b.Level {
			return int(a.Level) - int(b.Level)
		}
		return bytes.Compare(a.smallest, b.smallest)
	})
	for i := 1; i < len(seen); i++ {
		a, b := &seen[i-1], &seen[i]
		if a.Level == 0 || a.Stripe != b.Stripe || a.Level != b.Level || bytes.Compare(a.largest, b.smallest) < 0 {
			continue
		}
		r.add(Fault{
			Severity: Error, Region: Table, Part: "table", Offset: b.Offset, Length: b.Meta.Length,
			Object: b.Meta.Num.String(), Stripe: int(b.Stripe), Level: int(b.Level),
			What: fmt.Sprintf("its keys overlap those of table %v on the same level", a.Meta.Num),
		})
	}
}
