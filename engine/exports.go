package engine

import (
	"context"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/manifest"
	"github.com/keystone-db/kstone/engine/validate"
)

// exportSpec is what an export was asked for, and the moments that it is of. Stored.
type exportSpec struct {
	Request   api.ExportTableToPointInTimeInput
	TableUUID string
	// Home is the database where it began.
	Home string
	// Cut is the moment of a full export and the end of an incremental one, which begins at From, the moment
	// before FromMs.
	Cut    cut
	From   cut
	FromMs int64
}

func (s *exportSpec) tableName() string { return tableName(s.Request.TableArn.Value) }

func (s *exportSpec) incremental() bool {
	return s.Request.ExportType.Value == api.ExportTypeIncrementalExport
}

// toMs is the end of the period of an incremental export, which is not in it.
func (s *exportSpec) toMs() int64 { return s.Cut.AtMs + 1 }

// exportState is how far an export came. Stored.
type exportState struct {
	// Parts are none before the first data file.
	Parts tableParts `json:"parts,omitempty"`
	// Items were exported, Bytes looked at.
	Items int64 `json:"items"`
	Bytes int64 `json:"bytes"`
	// Files is the highest number of a data file; each has a note. Begun: the bucket was found to take them.
	Files uint64 `json:"files"`
	Begun bool   `json:"begun,omitempty"`
	// All: every item was looked at. Ended: the manifests are written too.
	All   bool `json:"all,omitempty"`
	Ended bool `json:"ended,omitempty"`
}

// ExportTableToPointInTime begins to write a table, or what has changed in it, into a bucket.
func (db *core) ExportTableToPointInTime(ctx context.Context, in *api.ExportTableToPointInTimeInput) (*api.ExportTableToPointInTimeOutput, error) {
	if err := validate.ExportTable(in, db.rules); err != nil {
		return nil, err
	}
	x, err := db.exportFilter(in.FilterSpecification)
	if err != nil {
		return nil, err
	}
	db.transfers.starting.Lock()
	defer db.transfers.starting.Unlock()
	t, spec, err := db.startedExport(ctx, in)
	if err == nil && t == nil {
		t, spec, err = db.startExport(ctx, in, &x)
	}
	if err != nil {
		return nil, err
	}
	d, err := db.describeExport(t, spec)
	return &api.ExportTableToPointInTimeOutput{ExportDescription: d}, err
}

// exportFilter compiles the expressions of an export.
func (db *core) exportFilter(f *api.FilterSpecification) (plan.Expressions, error) {
	if f == nil {
		return plan.Expressions{}, nil
	}
	texts := plan.Texts{
		KeyCondition: f.KeyConditionExpression, Filter: f.FilterExpression, Projection: f.ProjectionExpression,
		Names: f.ExpressionAttributeNames, Values: f.ExpressionAttributeValues,
	}
	if !texts.Any() {
		return plan.Expressions{}, nil
	}
	return db.compiler.Compile(&texts)
}

// bindExport binds the expressions of an export to its table.
func bindExport(t *catalog.Table, x *plan.Expressions) (plan.Read, error) {
	q := &plan.ReadRequest{Table: &t.Table, Filter: x.Filter, Projection: x.Projection}
	if x.KeyCondition != nil {
		return plan.Query(q, x.KeyCondition)
	}
	return plan.Scan(q, 0, 1)
}

// startedExport finds the export that the request's token began; nil for none.
func (db *core) startedExport(ctx context.Context, in *api.ExportTableToPointInTimeInput) (*tasks.Task, *exportSpec, error) {
	list, err := db.recent(ctx, kindExport)
	if err != nil {
		return nil, nil, err
	}
	t, running, err := started(list, db.exec.Now(), in.ClientToken.Value, func(t *tasks.Task) (string, error) {
		var spec exportSpec
		err := t.ParseSpec(&spec)
		return spec.Request.ClientToken.Value, err
	})
	if err != nil || t == nil {
		if err == nil && running >= db.opts.exportsMax {
			err = api.Errorf(api.LimitExceeded, api.MsgExportsAtOnce, db.opts.exportsMax)
		}
		return nil, nil, err
	}
	spec := new(exportSpec)
	if err := t.ParseSpec(spec); err != nil {
		return nil, nil, err
	}
	if !sameRequest(in, &spec.Request) {
		return nil, nil, api.Errorf(api.ExportConflict, api.MsgExportConflict, db.transferARN(spec.tableName(), t))
	}
	return t, spec, nil
}

// startExport holds the table's change log and starts the task.
func (db *core) startExport(ctx context.Context, in *api.ExportTableToPointInTimeInput, x *plan.Expressions) (*tasks.Task, *exportSpec, error) {
	name := tableName(in.TableArn.Value)
	id := taskID(kindExport, db.transferID())
	spec := &exportSpec{Request: *in, Home: db.home()}
	t, err := db.catalog.Lookup(ctx, name)
	if err == nil {
		err = db.exportTimes(&t.Record, spec)
	}
	if err == nil {
		_, err = bindExport(t, x)
	}
	if err != nil {
		return nil, nil, tableNotFound(err, name)
	}
	hold := catalog.LogHold{ID: id, FromMs: spec.heldFrom(), MadeMs: db.exec.Now().UnixMilli(), Pins: true}
	held, err := db.holdLog(ctx, name, hold, func(r *catalog.Record) error {
		if err := backupBusy(r); err != nil {
			return err
		}
		return db.exportTimes(r, spec)
	})
	if err != nil {
		return nil, nil, tableNotFound(err, name)
	}
	task, err := db.exportAsOf(ctx, held, id, spec)
	if err != nil {
		db.letGo(ctx, name, held.Table.ID, id)
		return nil, nil, err
	}
	return task, spec, nil
}

// cuts are the moments that there are.
func (s *exportSpec) cuts() []*cut {
	if s.incremental() {
		return []*cut{&s.From, &s.Cut}
	}
	return []*cut{&s.Cut}
}

// heldFrom is the time from which on changes are needed.
func (s *exportSpec) heldFrom() int64 {
	if s.incremental() {
		return s.From.AtMs
	}
	return s.Cut.AtMs
}

// exportAsOf starts the task on a table whose log is held.
func (db *core) exportAsOf(ctx context.Context, t *catalog.Table, id string, spec *exportSpec) (*tasks.Task, error) {
	spec.TableUUID = t.UUID
	for _, c := range spec.cuts() {
		c.Name, c.ID = t.Table.Name, t.Table.ID
		var err error
		if c.Seq, err = db.cutAt(ctx, t, c.AtMs); err != nil {
			return nil, err
		}
	}
	task, err := db.tasks.Start(ctx, tasks.Request{ID: id, Kind: kindExport, Spec: spec, Cursor: exportState{}}, nil, nil)
	return &task, err
}

// exportTimes sets the moments of an export, which must lie in the window of its table.
func (db *core) exportTimes(r *catalog.Record, spec *exportSpec) error {
	now := db.exec.Now().UnixMilli()
	days, earliest, latest := r.Recovery(now)
	if days == 0 {
		return api.Errorf(api.PointInTimeUnavailable, api.MsgRecoveryOff, r.Table.Name)
	}
	const second = 1000
	inside := func(ms int64) error {
		if ms/second < earliest/second || ms/second > latest/second {
			return api.Errorf(api.InvalidExportTime, api.MsgExportTime)
		}
		return nil
	}
	in := &spec.Request
	if !spec.incremental() {
		spec.Cut.AtMs = latest
		if !in.ExportTime.Set {
			return nil
		}
		at := in.ExportTime.Value.UnixMilli()
		spec.Cut.AtMs = min(max(at, earliest), latest)
		return inside(at)
	}
	period := in.IncrementalExportSpecification
	from, to := period.ExportFromTime.Value.UnixMilli(), latest
	if period.ExportToTime.Set {
		to = period.ExportToTime.Value.UnixMilli()
	}
	if err := validate.ExportPeriod(time.UnixMilli(from), time.UnixMilli(to), db.opts.StrictLimits); err != nil {
		return err
	}
	if err := inside(from); err != nil {
		return err
	}
	if err := inside(to); err != nil {
		return err
	}
	// The beginning is in the period and the end is not; a cut is behind its time.
	spec.FromMs = max(from, earliest)
	spec.From.AtMs, spec.Cut.AtMs = spec.FromMs-1, min(to, latest)-1
	return nil
}

// describeExport renders an export as of now.
func (db *core) describeExport(t *tasks.Task, spec *exportSpec) (*api.ExportDescription, error) {
	var state exportState
	if err := t.ParseCursor(&state); err != nil {
		return nil, err
	}
	in, name := &spec.Request, spec.tableName()
	d := &api.ExportDescription{
		ExportArn: api.Some(db.transferARN(name, t)), ExportStatus: api.Some(statusOf(t)),
		StartTime: fromMillis(t.CreatedMs), EndTime: fromMillis(t.EndedMs), TableArn: api.Some(db.tableARN(name)),
		TableId: api.Some(spec.TableUUID), ClientToken: in.ClientToken, S3Bucket: in.S3Bucket, S3BucketOwner: in.S3BucketOwner,
		S3Prefix: in.S3Prefix, S3SseAlgorithm: api.Some(in.S3SseAlgorithm.Or(api.S3SseAlgorithmAES256)),
		S3SseKmsKeyId: in.S3SseKmsKeyId, ExportFormat: api.Some(exportFormat(in)), BilledSizeBytes: api.Some(state.Bytes),
		ItemCount: api.Some(state.Items), ExportType: api.Some(in.ExportType.Or(api.ExportTypeFullExport)),
		FilterSpecification: in.FilterSpecification,
	}
	if spec.incremental() {
		d.IncrementalExportSpecification = &api.IncrementalExportSpecification{
			ExportFromTime: in.IncrementalExportSpecification.ExportFromTime, ExportToTime: fromMillis(spec.toMs()),
			ExportViewType: api.Some(exportView(in)),
		}
	} else {
		d.ExportTime = fromMillis(spec.Cut.AtMs)
	}
	switch t.State {
	case tasks.Done:
		_, id, _ := strings.Cut(t.ID, "/")
		d.ExportManifest = api.Some(manifest.Under(in.S3Prefix.Value, manifest.Key(id, manifest.Summary)))
	case tasks.Failed:
		d.FailureCode, d.FailureMessage = api.Some(t.Code), api.Some(t.Message)
	}
	return d, nil
}

func exportFormat(in *api.ExportTableToPointInTimeInput) string {
	return in.ExportFormat.Or(api.ExportFormatDynamodbJson)
}

// exportView is what an incremental export has of each item.
func exportView(in *api.ExportTableToPointInTimeInput) string {
	return in.IncrementalExportSpecification.ExportViewType.Or(api.ExportViewTypeNewAndOldImages)
}

// DescribeExport answers how far an export is.
func (db *core) DescribeExport(ctx context.Context, in *api.DescribeExportInput) (*api.DescribeExportOutput, error) {
	if err := validate.DescribeExport(in, db.rules); err != nil {
		return nil, err
	}
	spec := new(exportSpec)
	t, err := db.transferOf(ctx, kindExport, in.ExportArn.Value, spec,
		api.Errorf(api.ExportNotFound, api.MsgExportNotFound, in.ExportArn.Value))
	if err != nil {
		return nil, err
	}
	d, err := db.describeExport(t, spec)
	return &api.DescribeExportOutput{ExportDescription: d}, err
}

// ListExports answers the exports of the last 90 days, the newest first.
func (db *core) ListExports(ctx context.Context, in *api.ListExportsInput) (*api.ListExportsOutput, error) {
	if err := validate.ListExports(in, db.rules); err != nil {
		return nil, err
	}
	list, err := db.recent(ctx, kindExport)
	if err != nil {
		return nil, err
	}
	specs := map[string]*exportSpec{}
	if list, err = ofTable(list, in.TableArn, func(t *tasks.Task) (string, error) {
		spec := new(exportSpec)
		err := t.ParseSpec(spec)
		specs[t.ID] = spec
		return spec.tableName(), err
	}); err != nil {
		return nil, err
	}
	list, next, err := pageOf(list, in.NextToken, in.MaxResults.Or(listImportsDefault))
	if err != nil {
		return nil, err
	}
	out := &api.ListExportsOutput{ExportSummaries: []api.ExportSummary{}, NextToken: next}
	for i := range list {
		spec := specs[list[i].ID]
		out.ExportSummaries = append(out.ExportSummaries, api.ExportSummary{
			ExportArn:    api.Some(db.transferARN(spec.tableName(), &list[i])),
			ExportStatus: api.Some(statusOf(&list[i])), ExportType: api.Some(spec.Request.ExportType.Or(api.ExportTypeFullExport)),
		})
	}
	return out, nil
}
