package engine

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/input"
	"github.com/keystone-db/kstone/engine/validate"
)

// listImportsDefault is the page size of ListImports and ListExports when none is given.
const listImportsDefault = 25

// importSpec is what an import was asked for, and the table that it fills. Stored.
type importSpec struct {
	Request   api.ImportTableInput
	TableID   uint64
	TableUUID string
}

func (s *importSpec) tableName() string {
	return tableName(s.Request.TableCreationParameters.TableName.Value)
}

// importState is how far an import came. Stored.
type importState struct {
	Input input.Cursor `json:"input"`
	// Processed are the records that were looked at, Imported those that were put, Errors what could not be.
	Processed int64 `json:"processed"`
	Imported  int64 `json:"imported"`
	Errors    int64 `json:"errors"`
	// Again: some were put where the key was there, of an earlier record or put before a crash.
	Again bool `json:"again,omitempty"`
}

// ImportTable makes a table and begins to fill it from objects.
func (db *core) ImportTable(ctx context.Context, in *api.ImportTableInput) (*api.ImportTableOutput, error) {
	if err := validate.ImportTable(in, db.rules); err != nil {
		return nil, err
	}
	db.transfers.starting.Lock()
	defer db.transfers.starting.Unlock()
	t, spec, err := db.startedImport(ctx, in)
	if err == nil && t == nil {
		t, spec, err = db.startImport(ctx, in)
	}
	if err != nil {
		return nil, err
	}
	d, err := db.describeImport(t, spec)
	return &api.ImportTableOutput{ImportTableDescription: d}, err
}

// startedImport finds the import that the request's token began; nil for none.
func (db *core) startedImport(ctx context.Context, in *api.ImportTableInput) (*tasks.Task, *importSpec, error) {
	list, err := db.recent(ctx, kindImport)
	if err != nil {
		return nil, nil, err
	}
	t, running, err := started(list, db.exec.Now(), in.ClientToken.Value, func(t *tasks.Task) (string, error) {
		var spec importSpec
		err := t.ParseSpec(&spec)
		return spec.Request.ClientToken.Value, err
	})
	if err != nil || t == nil {
		if err == nil && running >= importsMax {
			err = api.Errorf(api.LimitExceeded, api.MsgImportsAtOnce, importsMax)
		}
		return nil, nil, err
	}
	spec := new(importSpec)
	if err := t.ParseSpec(spec); err != nil {
		return nil, nil, err
	}
	if !sameRequest(in, &spec.Request) {
		return nil, nil, api.Errorf(api.ImportConflict, api.MsgImportConflict, db.transferARN(spec.tableName(), t))
	}
	return t, spec, nil
}

// startImport makes the table and the task.
func (db *core) startImport(ctx context.Context, in *api.ImportTableInput) (*tasks.Task, *importSpec, error) {
	create := validate.ImportedTable(in.TableCreationParameters)
	name := tableName(create.TableName.Value)
	r := db.newRecord(create, name)
	r.Filling = taskID(kindImport, db.transferID())
	table, err := db.createTable(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	spec := &importSpec{Request: *in, TableID: table.Table.ID, TableUUID: table.UUID}
	t, err := db.tasks.Start(ctx, tasks.Request{ID: r.Filling, Kind: kindImport, Spec: spec, Cursor: importState{}}, nil, nil)
	if err != nil {
		return nil, nil, errors.Join(err, db.catalog.Abandon(ctx, table.Table.ID, name))
	}
	return &t, spec, nil
}

// describeImport renders an import as of now.
func (db *core) describeImport(t *tasks.Task, spec *importSpec) (*api.ImportTableDescription, error) {
	var state importState
	if err := t.ParseCursor(&state); err != nil {
		return nil, err
	}
	in, name := &spec.Request, spec.tableName()
	from := *in.S3BucketSource
	from.S3BucketOwner = api.Some(from.S3BucketOwner.Or(db.opts.Account))
	d := &api.ImportTableDescription{
		ImportArn: api.Some(db.transferARN(name, t)), ImportStatus: api.Some(statusOf(t)),
		TableArn: api.Some(db.tableARN(name)), TableId: api.Some(spec.TableUUID), ClientToken: in.ClientToken,
		S3BucketSource: &from, ErrorCount: api.Some(state.Errors), InputFormat: in.InputFormat,
		InputFormatOptions: in.InputFormatOptions, TableCreationParameters: in.TableCreationParameters,
		InputCompressionType: api.Some(in.InputCompressionType.Or(api.InputCompressionTypeNone)),
		StartTime:            fromMillis(t.CreatedMs), EndTime: endOf(t),
		ProcessedSizeBytes: api.Some(state.Input.Text), ProcessedItemCount: api.Some(state.Processed),
		ImportedItemCount: api.Some(state.Imported),
	}
	if t.Code != "" {
		d.FailureCode, d.FailureMessage = api.Some(t.Code), api.Some(t.Message)
	}
	return d, nil
}

// DescribeImport answers how far an import is.
func (db *core) DescribeImport(ctx context.Context, in *api.DescribeImportInput) (*api.DescribeImportOutput, error) {
	if err := validate.DescribeImport(in, db.rules); err != nil {
		return nil, err
	}
	spec := new(importSpec)
	t, err := db.transferOf(ctx, kindImport, in.ImportArn.Value, spec,
		api.Errorf(api.ImportNotFound, api.MsgImportNotFound, in.ImportArn.Value))
	if err != nil {
		return nil, err
	}
	d, err := db.describeImport(t, spec)
	return &api.DescribeImportOutput{ImportTableDescription: d}, err
}

// ListImports answers the imports of the last 90 days, the newest first.
func (db *core) ListImports(ctx context.Context, in *api.ListImportsInput) (*api.ListImportsOutput, error) {
	if err := validate.ListImports(in, db.rules); err != nil {
		return nil, err
	}
	list, err := db.recent(ctx, kindImport)
	if err != nil {
		return nil, err
	}
	specs := map[string]*importSpec{}
	if list, err = ofTable(list, in.TableArn, func(t *tasks.Task) (string, error) {
		spec := new(importSpec)
		err := t.ParseSpec(spec)
		specs[t.ID] = spec
		return spec.tableName(), err
	}); err != nil {
		return nil, err
	}
	list, next, err := pageOf(list, in.NextToken, in.PageSize.Or(listImportsDefault))
	if err != nil {
		return nil, err
	}
	out := &api.ListImportsOutput{ImportSummaryList: []api.ImportSummary{}, NextToken: next}
	for i := range list {
		d, err := db.describeImport(&list[i], specs[list[i].ID])
		if err != nil {
			return nil, err
		}
		out.ImportSummaryList = append(out.ImportSummaryList, api.ImportSummary{
			ImportArn: d.ImportArn, ImportStatus: d.ImportStatus, TableArn: d.TableArn, S3BucketSource: d.S3BucketSource,
			InputFormat: d.InputFormat, StartTime: d.StartTime, EndTime: d.EndTime,
		})
	}
	return out, nil
}

// ofTable keeps the tasks of the table that an ARN names; all without one. name reads a task's table.
func ofTable(list []tasks.Task, arn api.Opt[string], name func(*tasks.Task) (string, error)) ([]tasks.Task, error) {
	var kept []tasks.Task
	for i := range list {
		n, err := name(&list[i])
		if err != nil {
			return nil, err
		}
		if !arn.Set || tableName(arn.Value) == n {
			kept = append(kept, list[i])
		}
	}
	return kept, nil
}

// keyTypes are the types of the attributes that are in keys of a table and its indexes.
func keyTypes(t *catalog.Table) map[string]attr.Type {
	types := map[string]attr.Type{}
	for _, d := range t.Definitions {
		types[d.Name] = d.Type
	}
	return types
}

// transferKinds are the kinds of tasks here. Stored: never rename.
func (db *core) transferKinds() map[string]tasks.Kind {
	return map[string]tasks.Kind{
		kindExport: {Step: db.exportStep, Abort: db.exportAbort},
		kindBulk:   {Step: db.bulkStep, Abort: db.bulkAbort},
		kindImport: {Step: db.importStep, Abort: db.importAbort},
	}
}
