package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/compressed"
	"github.com/keystone-db/kstone/engine/transfer/ion"
	"github.com/keystone-db/kstone/engine/transfer/jsonl"
	"github.com/keystone-db/kstone/engine/transfer/manifest"
)

// exportBytes is about how much of a table goes into a data file.
const exportBytes = 16 << 20

// exportStep writes some data files, or in the end the manifests. A step that is done again writes the same
// under the same name.
func (db *core) exportStep(ctx context.Context, run *tasks.Run) (done bool, err error) {
	var spec exportSpec
	var state exportState
	if err := errors.Join(run.ParseSpec(&spec), run.ParseCursor(&state)); err != nil {
		return false, err
	}
	if state.Ended {
		return true, db.dropExport(ctx, run, &spec)
	}
	if db.foreign(spec.Home) {
		return false, tasks.Fail(codeCopied, msgCopied)
	}
	in := &spec.Request
	b, err := db.bucket(ctx, in.S3Bucket.Value, in.S3BucketOwner.Value)
	if err = db.bucketFailure(ctx, run, err); err != nil {
		return false, err
	}
	_, id, _ := strings.Cut(run.ID, "/")
	out := &output{b, id, in.S3Prefix.Value, objects.PutOptions{
		Encryption: in.S3SseAlgorithm.Value, KMSKey: in.S3SseKmsKeyId.Value,
	}}
	switch {
	case !state.Begun:
		if err := db.bucketFailure(ctx, run, out.put(ctx, manifest.Started, nil)); err != nil {
			return false, err
		}
		state.Begun = true
		return false, run.Commit(ctx, state, nil, nil)
	case !state.All:
		return false, db.exportFiles(ctx, run, out, &spec, state)
	}
	if err := db.bucketFailure(ctx, run, db.endExport(ctx, run, out, &spec, &state)); err != nil {
		return false, err
	}
	// What the manifests are made of goes only when they are known to be there.
	state.Ended = true
	return false, run.Commit(ctx, state, nil, nil)
}

// dropExport lets go of what an export that is over has held.
func (db *core) dropExport(ctx context.Context, run *tasks.Run, spec *exportSpec) error {
	return errors.Join(
		db.store.DropRange(ctx, storage.Range(key.TaskNotes(run.ID, 0))),
		db.releaseLog(ctx, spec.Cut.Name, spec.Cut.ID, run.ID))
}

// exportAbort ends an export that failed. The files that it has written stay, as the service's do.
func (db *core) exportAbort(ctx context.Context, run *tasks.Run, _ *tasks.Failure) error {
	db.dropInput(run.ID)
	var spec exportSpec
	if err := run.ParseSpec(&spec); err != nil {
		return err
	}
	return db.dropExport(ctx, run, &spec)
}

// exportFiles reads the next piece of each part of a table and writes it into a data file.
func (db *core) exportFiles(ctx context.Context, run *tasks.Run, out *output, spec *exportSpec, state exportState) error {
	t, err := db.catalog.Lookup(ctx, spec.Cut.Name)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && t.Table.ID != spec.Cut.ID {
		return tasks.Fail(codeTableGone, api.MsgTableGone)
	}
	if err != nil {
		return err
	}
	x, err := db.exportFilter(spec.Request.FilterSpecification)
	if err != nil {
		return err
	}
	bound, err := bindExport(t, &x)
	if err != nil {
		return err
	}
	e := &exporting{spec: spec, table: &t.Table, read: &bound, keyed: x.KeyCondition != nil}
	next := state
	if next.Parts == nil {
		next.Parts = e.whole()
	}
	next.Parts = next.Parts.divided()
	open := next.Parts.open()
	pieces := make([]exportPiece, len(open))
	next.Parts, err = next.Parts.each(open, func(n int, p *tablePart) error {
		// A step that is done again has the same pieces, under the same numbers.
		pieces[n] = exportPiece{exporting: e, number: state.Files + uint64(n) + 1}
		return db.exportPiece(ctx, out, &pieces[n], p)
	})
	if errors.Is(err, errTableGone) {
		return tasks.Fail(codeTableGone, api.MsgTableGone)
	}
	if broken, ok := errors.AsType[errBucket](err); ok {
		return db.bucketFailure(ctx, run, broken.error)
	}
	if err != nil {
		return err
	}
	next.All = len(next.Parts.open()) == 0
	next.Files += uint64(len(open))
	for i := range pieces {
		next.Items += pieces[i].items
		next.Bytes += pieces[i].bytes
	}
	return run.Commit(ctx, next, nil, func(tx storage.Tx) error {
		for i := range pieces {
			if pieces[i].note != nil {
				tx.Put(key.AppendTaskNote(nil, run.ID, pieces[i].number), pieces[i].note)
			}
		}
		return nil
	})
}

// exportPiece reads a piece of a part and writes its data file. Only the first file of an export may be empty.
func (db *core) exportPiece(ctx context.Context, out *output, p *exportPiece, part *tablePart) (err error) {
	span := part.span()
	if p.spec.incremental() {
		part.After, part.Done, err = db.readChanges(ctx, &p.spec.From, &p.spec.Cut, span, db.opts.exportBytes, p.begin, p.change)
	} else {
		part.After, part.Done, err = db.readAsOf(ctx, &p.spec.Cut, span, db.opts.exportBytes, p.begin, p.item)
	}
	if err != nil {
		return err
	}
	content, err := p.file.End()
	if err != nil || p.items == 0 && p.number > 1 {
		return err
	}
	ext := "json"
	if exportFormat(&p.spec.Request) == api.ExportFormatIon {
		ext = "ion"
	}
	name := fmt.Sprintf("%s.%s.gz", dataFileName(out.id, p.number), ext)
	f := &manifest.File{
		ItemCount: p.items, Checksum: manifest.Checksum(content),
		Key: manifest.Under(out.prefix, manifest.DataKey(out.id, name, p.spec.incremental())),
	}
	f.ETag, err = out.Put(ctx, f.Key, bytes.NewReader(content), out.opts)
	if err != nil {
		return errBucket{err}
	}
	p.note, err = manifest.AppendFile(nil, f)
	return err
}

// dataFileName is a name like those of the service: 26 letters and digits that no other export has.
func dataFileName(export string, n uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", export, n))
	const bytes = 16
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:bytes]))
}

// exporting is what all pieces of an export have in common.
type exporting struct {
	spec  *exportSpec
	table *schema.Table
	read  *plan.Read
	keyed bool
}

// whole is all that is exported, as one part.
func (e *exporting) whole() tableParts {
	if e.keyed { // one partition, so one hash
		from := uint64(key.HashOf(e.read.Range.Start))
		return tableParts{{From: from, To: from + 1}}
	}
	return wholeTable()
}

// exportPiece is what becomes one data file.
type exportPiece struct {
	*exporting
	number uint64
	// items and bytes are those of exportState, as of the newest beginning.
	items, bytes int64
	file         compressed.File
	line         []byte
	// note is the line of the file in the list, nil for no file.
	note []byte
}

func (p *exportPiece) begin() {
	p.items, p.bytes = 0, 0
	p.file.Begin()
}

// wants says whether an item is to be exported.
func (e *exporting) wants(k []byte, item attr.Item) bool {
	if e.keyed && (bytes.Compare(k, e.read.Range.Start) < 0 || bytes.Compare(k, e.read.Range.End) >= 0) {
		return false
	}
	return e.read.Filter == nil || e.read.Filter.Eval(item)
}

// image is what is exported of an item.
func (e *exporting) image(item attr.Item) attr.Item { return project(item, e.read.Projection) }

func (p *exportPiece) item(k []byte, item attr.Item) error {
	p.bytes += int64(item.Size())
	if !p.wants(k, item) {
		return nil
	}
	p.items++
	item = p.image(item)
	if exportFormat(&p.spec.Request) == api.ExportFormatIon {
		p.line = ion.AppendItem(p.line[:0], item)
	} else {
		p.line = jsonl.AppendItem(p.line[:0], item)
	}
	_, err := p.file.Write(p.line)
	return err
}

// change exports an item that changed. A filter is asked about the new image, about the old one of an item
// that was deleted: unsure. One that was not there at either end of the period is not exported: unsure.
func (p *exportPiece) change(k []byte, old, now attr.Item, lastMs int64) error {
	p.bytes += int64(sizeOf(old) + sizeOf(now))
	newest := now
	if newest == nil {
		newest = old
	}
	if newest == nil || !p.wants(k, newest) {
		return nil
	}
	p.items++
	keys := newest.Project(keyNames(p.table))
	if exportView(&p.spec.Request) == api.ExportViewTypeNewImage {
		old = nil
	}
	old, now = p.image(old), p.image(now)
	micros := lastMs * time.Millisecond.Microseconds()
	if exportFormat(&p.spec.Request) == api.ExportFormatIon {
		p.line = ion.AppendChange(p.line[:0], micros, keys, old, now)
	} else {
		p.line = jsonl.AppendChange(p.line[:0], micros, keys, old, now)
	}
	_, err := p.file.Write(p.line)
	return err
}

// keyNames are the attributes of a table's key, sorted.
func keyNames(t *schema.Table) []string {
	names := make([]string, 0, t.Key.Len())
	for i := range t.Key.Len() {
		names = append(names, t.Key.At(i).Name)
	}
	slices.Sort(names)
	return names
}

// endExport writes the manifests.
func (db *core) endExport(ctx context.Context, run *tasks.Run, out *output, spec *exportSpec, state *exportState) error {
	var list []byte
	err := storage.Fresh(ctx, func() (err error) {
		list, err = db.notesOf(ctx, run.ID)
		return err
	})
	if err != nil {
		return err
	}
	if err := out.putManifest(ctx, manifest.Files, list); err != nil {
		return err
	}
	in := &spec.Request
	s := &manifest.Export{
		Version: manifest.VersionFull, ExportARN: db.transferARN(spec.tableName(), &run.Task),
		StartTime: manifest.Time(time.UnixMilli(run.CreatedMs)), EndTime: manifest.Time(db.exec.Now()),
		TableARN: db.tableARN(spec.tableName()), TableID: spec.TableUUID, Bucket: in.S3Bucket.Value, Prefix: optional(in.S3Prefix),
		SSEAlgorithm: in.S3SseAlgorithm.Or(api.S3SseAlgorithmAES256), SSEKMSKeyID: optional(in.S3SseKmsKeyId),
		FilesKey: out.key(manifest.Files), BilledSize: state.Bytes, ItemCount: state.Items, OutputFormat: exportFormat(in),
		ExportType: in.ExportType.Or(api.ExportTypeFullExport),
	}
	at := func(ms int64) *manifest.Time {
		t := manifest.Time(time.UnixMilli(ms))
		return &t
	}
	if spec.incremental() {
		s.Version, s.OutputView = manifest.VersionIncremental, exportView(in)
		s.ExportFromTime, s.ExportToTime = at(spec.FromMs), at(spec.toMs())
	} else {
		s.ExportTime = at(spec.Cut.AtMs)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return out.putManifest(ctx, manifest.Summary, b)
}

// notesOf are the notes of a task, one behind the other.
func (db *core) notesOf(ctx context.Context, id string) (all []byte, err error) {
	snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "export"})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(key.TaskNotes(id, 0)), storage.IterOptions{})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.Next() {
		all = append(all, it.Value()...)
	}
	return all, it.Err()
}
