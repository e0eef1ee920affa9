package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

// ArchiveTimeline is one history of a database in an archive.
type ArchiveTimeline struct {
	// Timeline is its id, in hexadecimal.
	Timeline string `json:"timeline"`
	// Bases are the base backups, oldest first, Spans what can be restored, with the gaps between them.
	Bases []ArchiveBase `json:"bases"`
	Spans []ArchiveSpan `json:"spans"`
	// Log is what is there of the log, Unused what no restore needs: log before the first base backup, and
	// pieces of base backups that were not completed or are being made.
	Log    ArchiveSize `json:"log"`
	Unused ArchiveSize `json:"unused"`
}

// ArchiveBase is a base backup of an archive.
type ArchiveBase struct {
	LSN  uint64    `json:"lsn"`
	Time time.Time `json:"time"`
	ArchiveSize
	// Broken says what is wrong with a base backup that cannot be used; empty for a good one. Its bytes
	// are not read for that.
	Broken string `json:"broken,omitempty"`
}

// ArchiveSpan is a part of a timeline every moment of which can be restored.
type ArchiveSpan struct {
	FromLSN uint64    `json:"fromLsn"`
	ToLSN   uint64    `json:"toLsn"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
}

// ArchiveSize is how many objects and bytes there are.
type ArchiveSize struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (s *ArchiveSize) add(bytes int64) { s.Objects, s.Bytes = s.Objects+1, s.Bytes+bytes }

// ListArchive says what an archive has, timeline by timeline. It reads names, and some small objects. The
// archive may be in use.
func ListArchive(ctx context.Context, from archive.Store) ([]ArchiveTimeline, error) {
	all, err := readTimelines(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	var list []ArchiveTimeline
	for _, t := range all {
		told, err := t.tell(ctx, from)
		if err != nil {
			return nil, fmt.Errorf("list the archive: %w", err)
		}
		list = append(list, told)
	}
	return list, nil
}

// archiveBase is a base backup and its objects.
type archiveBase struct {
	archived.Base
	done   baseDone
	size   ArchiveSize
	names  []string // its pieces, without what completes it
	broken string
}

// timelineObjects are the objects of a timeline.
type timelineObjects struct {
	id    string
	bases []archiveBase
	log   []archived.LogName // by the first group, the longest of equal ones last
	sizes map[string]int64
	// pieces belong to no complete base backup, by the prefix of their names.
	pieces map[string][]string
}

// readTimelines lists all objects of an archive.
func readTimelines(ctx context.Context, from archive.Store) ([]*timelineObjects, error) {
	sizes, err := from.Sizes(ctx, "")
	if err != nil {
		return nil, err
	}
	byID := map[string]*timelineObjects{}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		id, _, ok := strings.Cut(name, "/")
		if !ok {
			continue // no object of an archive
		}
		t := byID[id]
		if t == nil {
			t = &timelineObjects{id: id, sizes: map[string]int64{}, pieces: map[string][]string{}}
			byID[id] = t
		}
		t.sort(name, sizes[name])
	}
	var list []*timelineObjects
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		t := byID[id]
		for i := range t.bases {
			if err := t.readBase(ctx, from, &t.bases[i]); err != nil {
				return nil, err
			}
		}
		list = append(list, t)
	}
	return list, nil
}

// sort puts an object where it belongs.
func (t *timelineObjects) sort(name string, size int64) {
	t.sizes[name] = size
	if n, ok := archived.ParseLog(name); ok {
		t.log = append(t.log, n)
		return
	}
	if b, ok := archived.ParseDone(name); ok {
		t.bases = append(t.bases, archiveBase{Base: b})
		return
	}
	if strings.HasPrefix(name, t.id+"/base/") {
		prefix := name[:strings.LastIndexByte(name, '/')+1]
		t.pieces[prefix] = append(t.pieces[prefix], name)
	}
}

// readBase takes the pieces of a base backup, and looks whether they are all there.
func (t *timelineObjects) readBase(ctx context.Context, from archive.Store, b *archiveBase) (err error) {
	b.names = t.pieces[b.Prefix()]
	delete(t.pieces, b.Prefix())
	var bytes int64
	for i, name := range b.names {
		b.size.add(t.sizes[name])
		bytes += t.sizes[name]
		if name != b.Part(i) && b.broken == "" {
			b.broken = "piece " + b.Part(i) + " is missing"
		}
	}
	b.size.add(t.sizes[b.Prefix()+archived.Done])
	b.done, err = readDone(ctx, from, b.Base)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
		b.broken = "it was just deleted"
	case err != nil:
		b.broken = err.Error()
	case b.broken == "" && bytes != b.done.Size:
		b.broken = fmt.Sprintf("its pieces have %d bytes of %d", bytes, b.done.Size)
	}
	return nil
}

// tell is what people are told.
func (t *timelineObjects) tell(ctx context.Context, from archive.Store) (ArchiveTimeline, error) {
	out := ArchiveTimeline{Timeline: t.id, Bases: []ArchiveBase{}, Spans: []ArchiveSpan{}}
	first := log.Seq(0)
	for i := len(t.bases) - 1; i >= 0; i-- {
		if t.bases[i].broken == "" {
			first = t.bases[i].done.Next.Seq
		}
	}
	for i := range t.bases {
		b := &t.bases[i]
		out.Bases = append(out.Bases, ArchiveBase{
			LSN: uint64(b.LSN), Time: timeOf(b.Millis), ArchiveSize: b.size, Broken: b.broken,
		})
	}
	for _, n := range t.log {
		out.Log.add(t.sizes[n.Name])
		if n.Last < first || first == 0 {
			out.Unused.add(t.sizes[n.Name])
		}
	}
	for _, names := range t.pieces {
		for _, name := range names {
			out.Unused.add(t.sizes[name])
		}
	}
	var err error
	out.Spans, err = t.spans(ctx, from)
	return out, err
}

// spans are what can be restored: from a base backup on, as far as the log behind it goes.
func (t *timelineObjects) spans(ctx context.Context, from archive.Store) ([]ArchiveSpan, error) {
	list := []ArchiveSpan{}
	var end log.Seq // the group behind the last span
	for i := range t.bases {
		b := &t.bases[i]
		if b.broken != "" {
			continue
		}
		if n := len(list) - 1; n >= 0 && b.done.Next.Seq <= end {
			list[n].ToLSN = max(list[n].ToLSN, uint64(b.LSN))
			if list[n].To.Before(timeOf(b.Millis)) {
				list[n].To = timeOf(b.Millis)
			}
			continue
		}
		s := ArchiveSpan{FromLSN: uint64(b.LSN), ToLSN: uint64(b.LSN), From: timeOf(b.Millis)}
		until := b.Millis
		end = b.done.Next.Seq
		last := t.walk(&end)
		if last != nil {
			c, err := readHead(ctx, from, last.Name)
			if err != nil {
				return nil, err
			}
			s.ToLSN, until = max(s.ToLSN, uint64(last.LSN)), max(until, c.Until)
		}
		covered, err := readCovered(ctx, from, b.Timeline, end)
		if err != nil {
			return nil, err
		}
		s.To = timeOf(max(until, covered))
		list = append(list, s)
	}
	return list, nil
}

// walk follows the log from a group on and returns the last chunk of it; nil if there is none.
func (t *timelineObjects) walk(next *log.Seq) (last *archived.LogName) {
	for i := range t.log {
		n := &t.log[i]
		if n.First <= *next && n.Last >= *next {
			*next, last = n.Last+1, n
		}
	}
	return last
}

// readHead reads what a chunk says of itself.
func readHead(ctx context.Context, from archive.Store, name string) (*archived.Chunk, error) {
	r, err := openObject(ctx, from, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c, err := archived.ReadHead(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// readCovered returns up to when nothing was written behind a group, 0 if nobody says that.
func readCovered(ctx context.Context, from archive.Store, timeline [16]byte, at log.Seq) (millis int64, err error) {
	o, err := openObject(ctx, from, archived.CoveredName(timeline))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	b, err := io.ReadAll(io.LimitReader(o, chunkMaxBytes))
	if err = errors.Join(err, o.Close()); err != nil {
		return 0, err
	}
	if next, millis, ok := archived.ParseCovered(b); ok && next == at {
		return millis, nil
	}
	return 0, nil
}
