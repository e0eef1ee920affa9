package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/csv"
	"github.com/keystone-db/kstone/engine/transfer/input"
)

// Imports, exports and bulk puts are tasks; their ids are the kind, a slash and the last part of their ARN.
const (
	kindImport = "import"
	kindExport = "export"
	kindBulk   = "bulk-operation" // unsure: the form of the ARN is not known
)

// Limits of imports, exports and bulk puts (wire-facts §9).
const (
	importsMax = 50
	exportsMax = 300
	// transferTokenLife is how long a client token holds, from the end of what it began.
	transferTokenLife = 8 * time.Hour
	// transfersKept is how long what has ended is listed.
	transfersKept = 90 * 24 * time.Hour
	// triesMax is how often a step that fails because of a bucket is tried, a second apart, and triesLife for
	// how long at most, before its task fails.
	triesMax  = 30
	triesLife = 10 * time.Minute
)

// Failure codes; those but codeNoBucket and codeItems are unsure.
const (
	codeNoBucket  = "S3NoSuchBucket"
	codeDenied    = "S3AccessDenied"
	codeNoObjects = "S3NoSuchKey"
	codeMany      = "S3ObjectLimitExceeded"
	codeChanged   = "S3ObjectModified"
	codeBucket    = "S3InternalError"
	codeItems     = "ItemValidationError"
	codeTableGone = "TableNotFound"
	codeCancelled = "Cancelled"
)

// Whoever forks a database or opens a copy of its file has the operations that ran in it too. Those that write
// objects fail there: the other database writes objects of the same names.
const (
	codeCopied = "DatabaseCopied"
	msgCopied  = "The operation was begun in the database that this one is a copy of; begin it anew"

	msgDestinationCopied = "The destination was enabled in the database that this one is a copy of; enable it anew"
)

// home tells this database from its copies, as far as they can be told: forks, files that were restored from backups
// or archives, and copies of the closed file that were opened beside it. It is empty in memory.
func (db *core) home() string {
	if db.opts.home != "" || db.file == nil {
		return db.opts.home
	}
	if id := db.file.Identity(); id != [len(id)]byte{} {
		return hex.EncodeToString(id[:])
	}
	return ""
}

// foreign says whether an operation was begun elsewhere.
func (db *core) foreign(home string) bool { return home != db.home() }

// transfers is what imports, exports and bulk puts have in memory.
type transfers struct {
	// starting is held while one begins: tokens and limits are looked at before.
	starting sync.Mutex

	mu sync.Mutex
	// inputs are those of tasks between two steps, by id; tries are the failures of tasks.
	inputs map[string]*reading
	tries  map[string]failures
	// pauses say until when bulk puts wait.
	pauses map[string]time.Time
}

// failures are those since a task came to a cursor.
type failures struct {
	at    string
	n     int
	since time.Time
}

func (t *transfers) prepare() {
	t.inputs, t.tries, t.pauses = map[string]*reading{}, map[string]failures{}, map[string]time.Time{}
}

// transferID makes the last part of the ARN of an import, export or bulk put. Ids of one time differ by chance.
func (db *core) transferID() string {
	var b [4]byte
	if _, err := io.ReadFull(db.opts.Rand, b[:]); err != nil {
		db.opts.Logger.Error().Err(err).Msg("no randomness for an id")
	}
	return fmt.Sprintf("%014d-%x", db.exec.Now().UnixMilli(), b)
}

func taskID(kind, id string) string { return kind + "/" + id }

// transferARN is the ARN of a task on a table.
func (db *core) transferARN(table string, t *tasks.Task) string {
	return db.tableARN(table) + "/" + t.ID
}

// ofARN returns the id of the task that an ARN of a kind names, and the table in it.
func ofARN(kind, arn string) (id, table string, ok bool) {
	prefix, rest, ok := strings.Cut(arn, ":table/")
	if !ok || !strings.HasPrefix(prefix, "arn:") {
		return "", "", false
	}
	table, id, ok = strings.Cut(rest, "/"+kind+"/")
	return taskID(kind, id), table, ok
}

// transferOf finds the task of an ARN and reads what was asked for; notFound is the error for none.
func (db *core) transferOf(ctx context.Context, kind, arn string, spec interface{ tableName() string }, notFound error) (*tasks.Task, error) {
	id, table, ok := ofARN(kind, arn)
	if !ok {
		return nil, notFound
	}
	t, err := db.tasks.Get(ctx, id)
	if errors.Is(err, tasks.ErrNotFound) {
		return nil, notFound
	}
	if err != nil {
		return nil, err
	}
	if err := t.ParseSpec(spec); err != nil {
		return nil, err
	}
	if spec.tableName() != table {
		return nil, notFound
	}
	return &t, nil
}

// recent returns the tasks of a kind that are listed, the newest first. Older ones are forgotten.
func (db *core) recent(ctx context.Context, kind string) ([]tasks.Task, error) {
	list, err := db.tasks.List(ctx, kind)
	if err != nil {
		return nil, err
	}
	oldest := db.exec.Now().Add(-transfersKept).UnixMilli()
	kept := list[:0]
	for i := range list {
		if list[i].State == tasks.Running || list[i].EndedMs >= oldest {
			kept = append(kept, list[i])
		} else if !db.opts.ReadOnly {
			if err := db.tasks.Forget(ctx, list[i].ID); err != nil {
				return nil, err
			}
		}
	}
	slices.Reverse(kept)
	return kept, nil
}

// started finds the task that a client token began, nil for none, and counts those that run. ask reads a
// task's spec and returns the request in it.
func started(list []tasks.Task, now time.Time, token string, ask func(*tasks.Task) (tok string, err error)) (found *tasks.Task, running int, err error) {
	for i := range list {
		t := &list[i]
		if t.State == tasks.Running {
			running++
		} else if now.UnixMilli()-t.EndedMs > transferTokenLife.Milliseconds() {
			continue
		}
		tok, err := ask(t)
		if err != nil {
			return nil, 0, err
		}
		if token != "" && tok == token && found == nil {
			found = t
		}
	}
	return found, running, nil
}

// sameRequest says whether two requests are equal in all parameters.
func sameRequest(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// Tokens of lists are the ids of the last entries, in the form that the service's model demands: hex digits,
// a multiple of 16 and at least 112.
const (
	listTokenUnit = 8
	listTokenMin  = 56
)

func listToken(id string) api.Opt[string] {
	b := []byte(id)
	for len(b) < listTokenMin || len(b)%listTokenUnit != 0 {
		b = append(b, 0)
	}
	return api.Some(hex.EncodeToString(b))
}

// pageOf returns a page of tasks behind a token and whether there are more.
func pageOf(list []tasks.Task, token api.Opt[string], size int64) (out []tasks.Task, next api.Opt[string], err error) {
	if token.Set {
		b, err := hex.DecodeString(token.Value)
		id := strings.TrimRight(string(b), "\x00")
		if err != nil || listToken(id).Value != token.Value || !strings.Contains(id, "/") {
			return nil, next, api.Errorf(api.Validation, api.MsgTransferToken)
		}
		list = slices.DeleteFunc(list, func(t tasks.Task) bool { return t.ID >= id })
	}
	if int64(len(list)) > size {
		list = list[:size]
		next = listToken(list[size-1].ID)
	}
	return list, next, nil
}

// bucket opens a bucket for a step of a task.
func (db *core) bucket(ctx context.Context, name, owner string) (objects.Store, error) {
	if db.opts.Buckets == nil {
		return nil, objects.ErrNoBucket
	}
	return db.opts.Buckets(ctx, name, owner)
}

// bucketFailure turns an error that no waiting helps against into one that ends the task. One of which that
// is not known gets some tries.
func (db *core) bucketFailure(ctx context.Context, run *tasks.Run, err error) error {
	fail := func(code, format string, args ...any) error {
		f := tasks.Fail(code, format, args...)
		f.Cause = err
		return f
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, objects.ErrNoBucket):
		return fail(codeNoBucket, api.MsgNoBucket)
	case errors.Is(err, objects.ErrDenied):
		return fail(codeDenied, api.MsgBucketDenied)
	case errors.Is(err, input.ErrNoObjects), objects.Missing(err):
		return fail(codeNoObjects, api.MsgNoObjects)
	case errors.Is(err, input.ErrTooMany):
		return fail(codeMany, api.MsgManyObjects, input.ObjectsMax)
	case errors.Is(err, objects.ErrChanged):
		return fail(codeChanged, api.MsgObjectChanged)
	case errors.Is(err, objects.ErrRefused):
		return fail(codeBucket, "%v", err)
	}
	db.transfers.mu.Lock()
	defer db.transfers.mu.Unlock()
	f, now := db.transfers.tries[run.ID], db.exec.Now()
	if f.n == 0 || f.at != string(run.Cursor) {
		f = failures{at: string(run.Cursor), since: now}
	}
	if f.n++; f.n < triesMax && now.Sub(f.since) < triesLife {
		db.transfers.tries[run.ID] = f
		return err
	}
	delete(db.transfers.tries, run.ID)
	return fail(codeBucket, "%v", err)
}

// inputSource says where the objects of a task are.
type inputSource struct {
	bucket, owner string
	spec          input.Spec
}

// closeTransfers lets all inputs go. No step runs any more.
func (db *core) closeTransfers() {
	for id := range db.transfers.inputs {
		db.dropInput(id)
	}
}

// abandonOrphans removes tables whose filling never began because the process was killed just then.
func (db *core) abandonOrphans(ctx context.Context) error {
	if db.opts.ReadOnly || db.store.Limits().Shared {
		return nil
	}
	names, _, err := db.catalog.Names(ctx, "", db.catalog.Count())
	if err != nil {
		return err
	}
	for _, name := range names {
		t, err := db.catalog.Lookup(ctx, name)
		if err != nil || t.Filling == "" || t.FillingRegion() != "" || t.Restore != nil { // a restore's task is started again
			continue
		}
		if _, err = db.tasks.Get(ctx, t.Filling); errors.Is(err, tasks.ErrNotFound) {
			err = db.catalog.Abandon(ctx, t.Table.ID, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// millis is a time of a task; absent for zero.
func endOf(t *tasks.Task) api.Opt[time.Time] { return fromMillis(t.EndedMs) }

// statusOf is the state of a task in the words of an import and most others.
func statusOf(t *tasks.Task) string {
	switch {
	case t.State == tasks.Done:
		return api.ImportStatusCompleted
	case t.State == tasks.Failed:
		return api.ImportStatusFailed
	case t.State == tasks.Cancelled:
		return api.ImportStatusCancelled
	case t.Cancelling:
		return api.ImportStatusCancelling
	}
	return api.ImportStatusInProgress
}

// csvOptions are those of a request.
func csvOptions(t *catalog.Table, o *api.InputFormatOptions) csv.Options {
	out := csv.Options{Types: keyTypes(t)}
	if o != nil && o.Csv != nil {
		out.Delimiter, out.Header = o.Csv.Delimiter.Value, o.Csv.HeaderList
	}
	return out
}
