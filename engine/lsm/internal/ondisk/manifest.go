// Package ondisk reads what a database file says of itself: the manifest that the superblock names,
// the live log that the manifest names, and the batches in its frames. It writes nothing and keeps
// nothing open. An open reads through it before its first write; so do those who only look:
// verification, inspection and salvage.
package ondisk

import (
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
)

// Manifest is a manifest as read back.
type Manifest struct {
	State   *manifest.State
	Extents []log.Extent // in order
	// Groups and Bytes of the log, SnapshotBytes of them up to the end of its snapshot.
	Groups               int64
	Bytes, SnapshotBytes int64
	// LinkOnly: the last group holds next, and nothing follows.
	LinkOnly bool
	End      log.End
}

// ManifestReader goes over the groups of the manifest that s names.
func ManifestReader(file io.ReaderAt, s *superblock.Superblock) *log.Reader {
	cfg := log.ReaderConfig{
		File: file, Ident: log.Ident{Log: s.ManifestLog, Database: s.Database}, EpochMax: s.Epoch,
		Start: log.Start(s.ManifestFirst), Region: "manifest", Keys: s.Keys,
	}
	if s.Clean != nil {
		cfg.Clean = &s.Clean.Manifest
	}
	return log.NewReader(cfg)
}

// ReadManifest adds up the records and finds where the log ends. file is read as a log descriptor
// wants it. What does not verify or make sense is a *base.CorruptError.
func ReadManifest(file io.ReaderAt, s *superblock.Superblock) (*Manifest, error) {
	m := &Manifest{State: manifest.NewState(), Extents: []log.Extent{s.ManifestFirst}}
	r := ManifestReader(file, s)
	for r.Next() {
		h := r.Header()
		m.Groups++
		m.Bytes += int64(h.Length)
		m.LinkOnly = false
		for i := range int(h.Count) {
			if err := m.add(r, r.Payload(i)); err != nil {
				return nil, &base.CorruptError{Region: "manifest", Offset: h.Position, Reason: err.Error()}
			}
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if !m.State.Whole {
		return nil, &base.CorruptError{
			Region: "manifest", Offset: s.ManifestFirst.Offset, Reason: "its snapshot has no end",
		}
	}
	m.End = r.End()
	return m, nil
}

func (m *Manifest) add(r *log.Reader, record []byte) error {
	e, err := manifest.Decode(record)
	if err != nil {
		return err
	}
	if e.Next != nil {
		m.Extents = append(m.Extents, *e.Next)
		m.LinkOnly = true
		r.Link(*e.Next)
	}
	if err := m.State.Apply(&e); err != nil {
		return err
	}
	if e.SnapshotEnd {
		m.SnapshotBytes = m.Bytes
	}
	return nil
}

// UsedExtents are all that have an owner; the rest of the heap is free.
func UsedExtents(m *Manifest, l *Log) []log.Extent {
	used := append([]log.Extent(nil), m.Extents...)
	for _, e := range m.State.Segments {
		used = append(used, e)
	}
	for _, t := range m.State.Tables {
		used = append(used, log.Extent{Offset: t.Offset, Length: space.Round(t.Meta.Length)})
	}
	for _, s := range l.Spills {
		used = append(used, s.Extents...)
	}
	return used
}
