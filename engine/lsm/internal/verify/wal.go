package verify

import (
	"fmt"
	"io"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
)

// wal checks the live log, its batches and its spills; nil when its end is not known.
func (r *run) wal(m *ondisk.Manifest) *ondisk.Log {
	tail := m.State.Tail
	count := func(lr *log.Reader) error {
		h := lr.Header()
		r.out.Counts.LogGroups++
		r.out.CheckedBytes += int64(h.Length)
		for i := range int(h.Count) {
			if h.FirstLSN+base.LSN(i) >= tail.LSN {
				r.out.Counts.LogFrames++
				r.frame(&h, i, lr.Payload(i))
			}
		}
		return nil
	}
	l, err := ondisk.ScanLog(r.file, r.out.Super, m.State, count)
	if err != nil {
		r.add(r.faultOf(err, WAL))
		r.unchecked("the log behind its damage")
		return nil
	}
	for _, s := range l.Spills {
		r.out.Counts.Spills++
		if _, err := s.Read(unaligned{r.file, r.size}, r.out.Super.Keys); err != nil {
			f := r.faultOf(err, Spill)
			f.Length = s.Length
			r.add(f)
			continue
		}
		r.out.CheckedBytes += s.Length
	}
	return l
}

// OneSpill checks a spill of a file that may be in use: its extents are not used for anything else
// meanwhile. The file is read as a log descriptor wants it.
func OneSpill(file io.ReaderAt, size int64, keys *crypt.Keys, s *ondisk.Spill) error {
	_, err := s.Read(unaligned{file, size}, keys)
	return err
}

// frame checks that a batch parses, if it is not spilled.
func (r *run) frame(h *log.Header, i int, payload []byte) {
	bad := func(err error) {
		r.add(Fault{
			Severity: Error, Region: WAL, Part: fmt.Sprintf("group %d, frame %d", h.Seq, i),
			Offset: h.Position, Length: int64(h.Length), What: err.Error(),
		})
	}
	if len(payload) > 0 && payload[0] == ondisk.PayloadSpilled {
		return
	}
	ops, err := ondisk.Ops(nil, nil, payload, h.Position)
	if err == nil {
		err = ondisk.EachOp(ops, func(base.Kind, []byte, []byte) {})
	}
	if err != nil {
		bad(err)
	}
}

// owner is an extent and who has it.
type owner struct {
	log.Extent
	region, object string
	stripe, level  int
}

// owners are all extents that somebody has.
func (r *run) owners(m *ondisk.Manifest, l *ondisk.Log) []owner {
	list := []owner{{Extent: log.Extent{Length: superblock.AreaBytes}, region: Superblock}}
	for _, e := range m.Extents {
		list = append(list, owner{Extent: e, region: ManifestOf})
	}
	for _, e := range m.State.Segments {
		list = append(list, owner{Extent: e, region: WAL})
	}
	for _, t := range m.State.Tables {
		list = append(list, owner{
			Extent: log.Extent{Offset: t.Offset, Length: space.Round(t.Meta.Length)}, region: Table,
			object: t.Meta.Num.String(), stripe: int(t.Stripe), level: int(t.Level),
		})
	}
	if l != nil {
		for _, s := range l.Spills {
			for _, e := range s.Extents {
				list = append(list, owner{Extent: e, region: Spill})
			}
		}
	}
	slices.SortFunc(list, func(a, b owner) int {
		if a.Offset != b.Offset {
			return int(min(max(a.Offset-b.Offset, -1), 1))
		}
		return int(min(max(a.Length-b.Length, -1), 1))
	})
	return list
}

// space checks that every extent has one owner and lies inside the file; what is left is free.
func (r *run) space(m *ondisk.Manifest, l *ondisk.Log) {
	say := func(o *owner, format string, args ...any) {
		r.add(Fault{
			Severity: Error, Region: Space, Offset: o.Offset, Length: o.Length, Object: o.object,
			Stripe: o.stripe, Level: o.level, What: fmt.Sprintf(format, args...),
		})
	}
	var end int64 // of what was looked at
	var last *owner
	for _, o := range r.owners(m, l) {
		switch {
		case o.Offset%space.Unit != 0 || o.Length <= 0:
			say(&o, "an extent of the %s at an impossible place", o.region)
		case o.Offset < end:
			say(&o, "an extent of the %s overlaps one of the %s at %d", o.region, last.region, last.Offset)
		default:
			r.out.FreeBytes += o.Offset - end
		}
		if o.End() > r.size {
			say(&o, "an extent of the %s goes %d bytes beyond the end of the file", o.region, o.End()-r.size)
		}
		if o.End() > end {
			end, last = o.End(), &o
		}
	}
	r.out.FreeBytes += max(0, r.size-end)
	if n := len(m.State.Segments); n < segmentsMin && !r.out.Super.Origin.Incremental() {
		r.add(Fault{
			Severity: Error, Region: ManifestOf, Offset: r.out.Super.ManifestFirst.Offset,
			What: fmt.Sprintf("the log has %d segments", n),
		})
	}
}

// segmentsMin is the fewest segments that a log has.
const segmentsMin = 2
