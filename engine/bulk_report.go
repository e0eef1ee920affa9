package engine

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the checksum that manifests have
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/manifest"
)

// The report of a bulk put grows with the puts: what an update refuses it also notes in rows, and a later
// step writes the rows into an object and deletes them. So the report has each record once, whenever the
// process is killed. Its layout is unsure: the service's own is not known.
const (
	// reportRows is how many rows make an object due, reportBytes the size of one, about.
	reportRows  = 4096
	reportBytes = 8 << 20
)

// bulkReport is how far the report of a bulk put came. Stored.
type bulkReport struct {
	// Next is the number of the next row, Flushed that of the first that is in no object yet.
	Next    uint64 `json:"next,omitempty"`
	Flushed uint64 `json:"flushed,omitempty"`
	// Files is the number of objects of each kind.
	Files map[string]int `json:"files,omitempty"`
}

func (r *bulkReport) pending() bool { return r.Next > r.Flushed }

func (r *bulkReport) due() bool { return r.Next-r.Flushed >= reportRows }

// reportNote is a record of the report. Its rows: uvarint length of the head, head as JSON, item; and one
// with the existing item when there is one.
type reportNote struct {
	Kind     string `json:"kind,omitempty"`
	Object   string `json:"object,omitempty"`
	Index    int64  `json:"index,omitempty"`
	Message  string `json:"message,omitempty"`
	Existing bool   `json:"existing,omitempty"` // the next row is the existing item
	HasItem  bool   `json:"item,omitempty"`

	item, existing attr.Item
}

// note writes the rows of a record in an update that names the row of the task.
func (r *bulkReport) note(tx storage.Tx, id string, n *reportNote) {
	n.HasItem, n.Existing = n.item != nil, n.existing != nil
	head, err := json.Marshal(n)
	if err != nil {
		head = nil // strings and numbers: it cannot be
	}
	row := append(binary.AppendUvarint(nil, uint64(len(head))), head...)
	tx.Put(key.AppendTaskNote(nil, id, r.Next), append(row, n.item...))
	r.Next++
	if n.Existing {
		tx.Put(key.AppendTaskNote(nil, id, r.Next), n.existing)
		r.Next++
	}
}

// decodeNote reads the first row of a record.
func decodeNote(row []byte) (*reportNote, error) {
	size, used := binary.Uvarint(row)
	n := new(reportNote)
	if used <= 0 || uint64(len(row)-used) < size {
		return nil, fmt.Errorf("engine: note of a bulk put: %w", storage.ErrCorrupt)
	}
	head := row[used : used+int(size)]
	if err := json.Unmarshal(head, n); err != nil {
		return nil, fmt.Errorf("engine: note of a bulk put: %w: %w", storage.ErrCorrupt, err)
	}
	if n.HasItem {
		n.item = attr.Item(row[used+int(size):])
	}
	return n, nil
}

// appendLine appends the line of a record.
func (n *reportNote) appendLine(dst []byte, bucket string) ([]byte, error) {
	p, err := json.Marshal(pointer{bucket, n.Object, n.Index})
	if err != nil {
		return nil, err
	}
	dst = append(append(dst, `{"itemS3Pointer":`...), p...)
	if n.Message != "" {
		dst = append(codec.AppendJSONString(append(dst, `,"errorMessages":[`...), n.Message), ']')
	}
	if n.HasItem {
		dst = codec.AppendItem(append(dst, `,"Item":`...), n.item)
	}
	if n.Existing {
		dst = codec.AppendItem(append(dst, `,"ExistingItem":`...), n.existing)
	}
	return append(dst, "}\n"...), nil
}

// reportTexts are the lines of the rows from Flushed on, by kind, up to the size of an object; upTo is the
// number of the first row that is not in them.
func (db *core) reportTexts(ctx context.Context, id, bucket string, r *bulkReport) (texts map[string][]byte, upTo uint64, err error) {
	snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "report of a bulk put"})
	if err != nil {
		return nil, 0, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(key.TaskNotes(id, r.Flushed)), storage.IterOptions{})
	if err != nil {
		return nil, 0, err
	}
	defer it.Close()
	texts, upTo = map[string][]byte{}, r.Flushed
	for size := 0; size < reportBytes && upTo < r.Next && it.Next(); {
		n, err := decodeNote(bytes.Clone(it.Value()))
		if err != nil {
			return nil, 0, err
		}
		upTo++
		if n.Existing {
			if !it.Next() {
				return nil, 0, errors.Join(it.Err(), fmt.Errorf("engine: note of a bulk put: %w", storage.ErrCorrupt))
			}
			n.existing = attr.Item(bytes.Clone(it.Value()))
			upTo++
		}
		before := len(texts[n.Kind])
		if texts[n.Kind], err = n.appendLine(texts[n.Kind], bucket); err != nil {
			return nil, 0, err
		}
		size += len(texts[n.Kind]) - before
	}
	return texts, upTo, it.Err()
}

// output is where the report of a bulk put goes.
type output struct {
	objects.Store
	id, prefix string
	opts       objects.PutOptions
}

func (db *core) bulkOutput(ctx context.Context, run *tasks.Run, spec *bulkSpec) (*output, error) {
	c := spec.Request.OutputS3Configuration
	b, err := db.bucket(ctx, c.S3Bucket.Value, c.S3BucketOwner.Value)
	if err != nil {
		return nil, err
	}
	_, id, _ := strings.Cut(run.ID, "/")
	return &output{b, id, c.S3KeyPrefix.Value, objects.PutOptions{
		Encryption: c.S3SseAlgorithm.Value, KMSKey: c.S3SseKmsKeyId.Value,
	}}, nil
}

// key is the key of an object of the report.
func (o *output) key(name string) string { return manifest.Under(o.prefix, manifest.Key(o.id, name)) }

func (o *output) put(ctx context.Context, name string, content []byte) error {
	_, err := o.Put(ctx, o.key(name), bytes.NewReader(content), o.opts)
	return err
}

// putManifest puts a manifest and its checksum.
func (o *output) putManifest(ctx context.Context, name string, content []byte) error {
	if err := o.put(ctx, name, content); err != nil {
		return err
	}
	return o.put(ctx, manifest.ChecksumName(name), []byte(manifest.Checksum(content)))
}

// startReport finds out whether the bucket takes a report.
func (db *core) startReport(ctx context.Context, run *tasks.Run, spec *bulkSpec) error {
	out, err := db.bulkOutput(ctx, run, spec)
	if err != nil {
		return err
	}
	return out.put(ctx, manifest.Started, nil)
}

// flushReport writes an object of each kind from the rows. When it is done again it writes the same.
func (db *core) flushReport(ctx context.Context, run *tasks.Run, spec *bulkSpec, state *bulkState) error {
	out, err := db.bulkOutput(ctx, run, spec)
	if err != nil {
		return err
	}
	var texts map[string][]byte
	var upTo uint64
	bucket := spec.Request.InputS3Configuration.S3Bucket.Value
	err = storage.Fresh(ctx, func() error {
		texts, upTo, err = db.reportTexts(ctx, run.ID, bucket, &state.Report)
		return err
	})
	if err != nil {
		return err
	}
	next := *state
	next.Report.Files = map[string]int{}
	maps.Copy(next.Report.Files, state.Report.Files)
	for kind, text := range texts {
		next.Report.Files[kind]++
		if err := out.put(ctx, reportName(kind, next.Report.Files[kind]), text); err != nil {
			return err
		}
	}
	from := state.Report.Flushed
	next.Report.Flushed = upTo
	err = run.Commit(ctx, &next, nil, func(tx storage.Tx) error {
		for n := from; n < upTo; n++ {
			tx.Delete(key.AppendTaskNote(nil, run.ID, n))
		}
		return nil
	})
	if err == nil {
		*state = next
	}
	return err
}

// reportName is the name of the n-th object of a kind.
func reportName(kind string, n int) string { return fmt.Sprintf("%s/%08d.json", kind, n) }

// endReport writes the manifests. An empty status is the one of a bulk put that has read everything.
func (db *core) endReport(ctx context.Context, run *tasks.Run, spec *bulkSpec, state *bulkState, status string) error {
	out, err := db.bulkOutput(ctx, run, spec)
	if err != nil {
		return err
	}
	var list []byte
	for _, kind := range []string{api.OutputTypeError, api.OutputTypeConditionCheckFailure} {
		for n := range state.Report.Files[kind] {
			if list, err = out.appendFile(ctx, list, kind, reportName(kind, n+1)); err != nil {
				return err
			}
		}
	}
	if err := out.putManifest(ctx, manifest.Files, list); err != nil {
		return err
	}
	if status == "" {
		status = bulkStatus(&tasks.Task{State: tasks.Done}, state)
	}
	c := spec.Request.OutputS3Configuration
	b, err := json.Marshal(&manifest.Bulk{
		Version: manifest.VersionFull, ARN: db.transferARN(spec.tableName(), &run.Task), Status: status,
		StartTime: manifest.Time(fromMillis(run.CreatedMs).Value), EndTime: manifest.Time(db.exec.Now()),
		TableARN: db.tableARN(spec.tableName()), TableID: spec.TableUUID, Bucket: c.S3Bucket.Value,
		Prefix: optional(c.S3KeyPrefix), SSEAlgorithm: optional(c.S3SseAlgorithm), SSEKMSKeyID: optional(c.S3SseKmsKeyId),
		FilesKey: out.key(manifest.Files), ProcessedCount: state.Processed, FailedCount: state.Failed,
		ConditionFailures: state.Refused,
	})
	if err != nil {
		return err
	}
	return out.putManifest(ctx, manifest.Summary, b)
}

// optional is null when absent.
func optional(o api.Opt[string]) *string {
	if !o.Set {
		return nil
	}
	return &o.Value
}

// appendFile reads an object of the report and appends its line of the list.
func (o *output) appendFile(ctx context.Context, list []byte, kind, name string) ([]byte, error) {
	r, err := o.Get(ctx, o.key(name), "", 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()  //nolint:errcheck // only read from
	sum := md5.New() //nolint:gosec // see the import
	lines := &lineCounter{}
	if _, err := io.Copy(io.MultiWriter(sum, lines), r); err != nil {
		return nil, err
	}
	raw := sum.Sum(nil)
	return manifest.AppendFile(list, &manifest.File{
		ItemCount: lines.n, Checksum: base64.StdEncoding.EncodeToString(raw), ETag: fmt.Sprintf("%x", raw),
		Key: o.key(name), OutputType: kind,
	})
}

type lineCounter struct{ n int64 }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// abortReport writes what there is.
func (db *core) abortReport(ctx context.Context, run *tasks.Run, spec *bulkSpec, state *bulkState, status string) error {
	for state.Report.pending() {
		if err := db.flushReport(ctx, run, spec, state); err != nil {
			return err
		}
	}
	if !state.Listed {
		return nil
	}
	return db.endReport(ctx, run, spec, state, status)
}

// dropReport removes the rows of a report that no object has.
func (db *core) dropReport(ctx context.Context, run *tasks.Run) error {
	return db.store.DropRange(ctx, storage.Range(key.TaskNotes(run.ID, 0)))
}
