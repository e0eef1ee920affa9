package ondisk

import (
	"io"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
)

// Log is the live write-ahead log as the first walk over it found it.
type Log struct {
	Start log.Position
	End   log.End
	// Segments in the order of use, from the tail's on; Unused are the other ones of the ring.
	Segments, Unused []manifest.Segment
	// Spills that live frames name, in the order of their LSNs.
	Spills []*Spill

	reader *log.Reader // that has gone over it
}

// Again starts a second walk over the groups; it knows where they end.
func (l *Log) Again() *log.Reader { return l.reader.Again(l.End.Position.Seq - 1) }

func (l *Log) use(i int) {
	l.Segments = append(l.Segments, l.Unused[i])
	l.Unused = slices.Delete(l.Unused, i, i+1)
}

func (l *Log) useAt(offset int64) {
	i := slices.IndexFunc(l.Unused, func(s manifest.Segment) bool {
		return offset >= s.Extent.Offset && offset < s.Extent.End()
	})
	if i >= 0 {
		l.use(i)
	}
}

// LogReader goes over the groups of the write-ahead log from start on. until is as in
// log.ReaderConfig.
func LogReader(file io.ReaderAt, s *superblock.Superblock, state *manifest.State, start log.Position, until log.Seq) *log.Reader {
	cfg := log.ReaderConfig{
		File: file, Ident: log.Ident{Log: log.WAL, Database: s.Database},
		EpochMax: s.Epoch, Start: start, Region: "wal", Until: until, Keys: s.Keys,
	}
	if s.Clean != nil {
		cfg.Clean = &s.Clean.WAL
	}
	for _, seg := range segments(state) {
		if seg.Extent != start.Extent {
			cfg.Linked = append(cfg.Linked, seg.Extent)
		}
	}
	return log.NewReader(cfg)
}

// segments of the ring by their numbers.
func segments(state *manifest.State) []manifest.Segment {
	list := make([]manifest.Segment, 0, len(state.Segments))
	for n, e := range state.Segments {
		list = append(list, manifest.Segment{Num: n, Extent: e})
	}
	slices.SortFunc(list, func(a, b manifest.Segment) int {
		if a.Num < b.Num {
			return -1
		}
		return 1
	})
	return list
}

// StartOfLog is where the manifest says that the live log begins.
func StartOfLog(s *superblock.Superblock, state *manifest.State) (log.Position, error) {
	tail := state.Tail
	extent, ok := state.Segments[tail.Segment]
	if !ok || tail.Offset < 0 || tail.Offset > extent.Length {
		return log.Position{}, &base.CorruptError{
			Region: "manifest", Offset: s.ManifestFirst.Offset, Reason: "the log's tail is nowhere",
		}
	}
	return log.Position{
		Extent: extent, Offset: extent.Offset + tail.Offset, Seq: tail.Seq, Digest: tail.Digest,
		Epoch: tail.Epoch,
	}, nil
}

// ScanLog verifies the whole live log, finds its end and collects spills, whose own bytes it does
// not read. visit, if not nil, is called for every group; an error of its ends the walk.
func ScanLog(file io.ReaderAt, s *superblock.Superblock, state *manifest.State, visit func(*log.Reader) error) (*Log, error) {
	start, err := StartOfLog(s, state)
	if err != nil {
		return nil, err
	}
	l := &Log{Start: start, Unused: segments(state)}
	l.use(slices.IndexFunc(l.Unused, func(u manifest.Segment) bool { return u.Num == state.Tail.Segment }))
	r := LogReader(file, s, state, start, 0)
	for r.Next() {
		l.useAt(r.Header().Position)
		if err := l.addSpills(r, state.Tail.LSN); err != nil {
			return nil, err
		}
		if visit != nil {
			if err := visit(r); err != nil {
				return nil, err
			}
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	l.End, l.reader = r.End(), r
	return l, nil
}

// addSpills notes those that the frames of a group name, from an LSN on.
func (l *Log) addSpills(r *log.Reader, from base.LSN) error {
	h := r.Header()
	for i := range int(h.Count) {
		lsn := h.FirstLSN + base.LSN(i)
		payload := r.Payload(i)
		if lsn < from || len(payload) == 0 || payload[0] != PayloadSpilled {
			continue
		}
		s, err := ParseSpill(payload[1:])
		if err != nil {
			return &base.CorruptError{Region: "wal", Offset: h.Position, Reason: err.Error()}
		}
		s.LSN = lsn
		l.Spills = append(l.Spills, s)
	}
	return nil
}
