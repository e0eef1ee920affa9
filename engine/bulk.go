package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/input"
	"github.com/keystone-db/kstone/engine/validate"
)

// listBulkDefault is the page size of ListBulkOperations when none is given.
const listBulkDefault = 10

// bulkSpec is what a bulk put was asked for, and its table. Stored.
type bulkSpec struct {
	Request   api.StartBulkPutItemsInput
	TableID   uint64
	TableUUID string
	// Home is the database where it began.
	Home string
}

func (s *bulkSpec) tableName() string { return tableName(s.Request.TableName.Value) }

// wants says whether the report has records of a kind.
func (s *bulkSpec) wants(kind string) bool {
	return slices.Contains(s.Request.OutputS3Configuration.OutputType, kind)
}

// bulkState is how far a bulk put came. Stored.
type bulkState struct {
	Input input.Cursor `json:"input"`
	// Total is the size of all objects; zero before they were listed, which is the first step.
	Total  int64 `json:"total,omitempty"`
	Listed bool  `json:"listed,omitempty"`
	// Processed counts all records, Failed those that are none or break a rule, Refused those whose condition
	// did not hold.
	Processed int64 `json:"processed"`
	Failed    int64 `json:"failed"`
	Refused   int64 `json:"refused"`
	// Table and Indexes are the bytes that were put, those of indexes by sub.
	Table   int64            `json:"table"`
	Indexes map[uint32]int64 `json:"indexes,omitempty"`
	// Ended: all was read.
	Ended  bool       `json:"ended,omitempty"`
	Report bulkReport `json:"report"`
}

// StartBulkPutItems begins to put the items of objects into a table.
func (db *core) StartBulkPutItems(ctx context.Context, in *api.StartBulkPutItemsInput) (*api.StartBulkPutItemsOutput, error) {
	if err := validate.StartBulkPutItems(in, db.rules); err != nil {
		return nil, err
	}
	db.transfers.starting.Lock()
	defer db.transfers.starting.Unlock()
	t, spec, err := db.startedBulk(ctx, in)
	if err == nil && t == nil {
		t, spec, err = db.startBulk(ctx, in)
	}
	if err != nil {
		return nil, err
	}
	d, err := db.describeBulk(ctx, t, spec)
	return &api.StartBulkPutItemsOutput{BulkOperationDescription: d}, err
}

// startedBulk finds the bulk put that the request's token began; nil for none.
func (db *core) startedBulk(ctx context.Context, in *api.StartBulkPutItemsInput) (*tasks.Task, *bulkSpec, error) {
	list, err := db.recent(ctx, kindBulk)
	if err != nil {
		return nil, nil, err
	}
	t, _, err := started(list, db.exec.Now(), in.ClientToken.Value, func(t *tasks.Task) (string, error) {
		var spec bulkSpec
		err := t.ParseSpec(&spec)
		return spec.Request.ClientToken.Value, err
	})
	if err != nil || t == nil {
		return nil, nil, err
	}
	spec := new(bulkSpec)
	if err := t.ParseSpec(spec); err != nil {
		return nil, nil, err
	}
	if !sameRequest(in, &spec.Request) {
		return nil, nil, api.Errorf(api.IdempotentParameterMismatch, api.MsgBulkConflict, db.transferARN(spec.tableName(), t))
	}
	return t, spec, nil
}

func (db *core) startBulk(ctx context.Context, in *api.StartBulkPutItemsInput) (*tasks.Task, *bulkSpec, error) {
	table, err := db.lookup(ctx, in.TableName.Value)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case table.Global != nil && len(table.Global.Peers) > 0:
		return nil, nil, api.Errorf(api.ResourceInUse, api.MsgBulkGlobal, table.Table.Name)
	case table.BuildsIndexes():
		return nil, nil, api.Errorf(api.ResourceInUse, api.MsgBulkIndex, table.Table.Name)
	case table.Status != catalog.StatusUpdating:
		if err := busy(&table.Record); err != nil {
			return nil, nil, err
		}
	}
	spec := &bulkSpec{Request: *in, TableID: table.Table.ID, TableUUID: table.UUID, Home: db.home()}
	t, err := db.tasks.Start(ctx, tasks.Request{
		ID: taskID(kindBulk, db.transferID()), Kind: kindBulk, Spec: spec, Cursor: bulkState{},
	}, nil, nil)
	return &t, spec, err
}

// bulkStatus is the state of a bulk put.
func bulkStatus(t *tasks.Task, state *bulkState) string {
	if t.State == tasks.Done && state.Failed > 0 {
		return api.BulkOperationStatusCompletedWithErrors
	}
	return statusOf(t)
}

// describeBulk renders a bulk put as of now.
func (db *core) describeBulk(ctx context.Context, t *tasks.Task, spec *bulkSpec) (*api.BulkOperationDescription, error) {
	var state bulkState
	if err := t.ParseCursor(&state); err != nil {
		return nil, err
	}
	in := &spec.Request
	from := *in.InputS3Configuration
	from.InputCompressionType = api.Some(from.InputCompressionType.Or(api.InputCompressionTypeNone))
	d := &api.BulkOperationDescription{
		BulkOperationArn:    api.Some(db.transferARN(spec.tableName(), t)),
		BulkOperationStatus: api.Some(bulkStatus(t, &state)), ClientToken: in.ClientToken,
		StartTime: fromMillis(t.CreatedMs), EndTime: fromMillis(t.EndedMs),
		FailedItemCount: api.Some(state.Failed), ProcessedItemCount: api.Some(state.Processed),
		ProcessedInputBytes: api.Some(state.Input.Read), InputS3Configuration: &from,
		OutputS3Configuration: in.OutputS3Configuration, MaxWriteRequestUnits: in.MaxWriteRequestUnits,
		PerformanceTier: api.Some(in.PerformanceTier.Or(api.BulkOperationPerformanceTierStandard)),
		TableDetails:    []api.BulkOperationTableDetail{{TableId: api.Some(spec.TableUUID), TableName: in.TableName}},
	}
	if state.Listed {
		d.TotalInputBytes = api.Some(state.Total)
	}
	switch t.State {
	case tasks.Failed:
		d.FailureCode, d.FailureMessage = api.Some(t.Code), api.Some(t.Message)
	case tasks.Cancelled:
		d.FailureCode, d.FailureMessage = api.Some(codeCancelled), api.Some(api.MsgBulkCancelled)
	}
	usage, err := db.bulkUsage(ctx, spec, &state)
	d.BulkOperationUsage = usage
	return d, err
}

// bulkUsage renders the bytes that were put. That they are those of the items and entries as they are
// accounted for is unsure. Indexes that are gone have no names any more.
func (db *core) bulkUsage(ctx context.Context, spec *bulkSpec, state *bulkState) ([]api.BulkOperationUsage, error) {
	u := api.BulkOperationUsage{
		TableName: spec.Request.TableName, Table: &api.BulkOperationBytes{BulkPutBytes: api.Some(state.Table)},
	}
	total := state.Table
	t, err := db.catalog.Lookup(ctx, spec.tableName())
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	known := map[uint32]bool{}
	if err == nil && t.Table.ID == spec.TableID {
		for i := range t.Table.Indexes {
			if n, there := state.Indexes[t.Table.Indexes[i].Sub]; there {
				known[t.Table.Indexes[i].Sub] = true
				total += addUsage(&u, &t.Table.Indexes[i], n)
			}
		}
	}
	for sub, n := range state.Indexes {
		if !known[sub] {
			total += n
		}
	}
	u.BulkPutBytes = api.Some(total)
	for _, list := range [][]api.BulkOperationBytesMapEntry{u.LocalSecondaryIndexes, u.GlobalSecondaryIndexes} {
		slices.SortFunc(list, func(a, b api.BulkOperationBytesMapEntry) int { return cmp.Compare(a.Key, b.Key) })
	}
	slices.SortFunc(u.VectorIndexes, func(a, b api.BulkOperationVectorBytesMapEntry) int { return cmp.Compare(a.Key, b.Key) })
	return []api.BulkOperationUsage{u}, nil
}

// addUsage adds the bytes of an index, and returns what of them counts in the sum: bytes of vectors do not.
func addUsage(u *api.BulkOperationUsage, ix *schema.Index, n int64) int64 {
	e := api.BulkOperationBytesMapEntry{Key: ix.Name, Value: api.BulkOperationBytes{BulkPutBytes: api.Some(n)}}
	switch {
	case ix.Vector != nil:
		u.VectorIndexes = append(u.VectorIndexes, api.BulkOperationVectorBytesMapEntry{
			Key: ix.Name, Value: api.BulkOperationVectorBytes{BulkPutVectorBytes: api.Some(n)},
		})
		return 0
	case ix.Local:
		u.LocalSecondaryIndexes = append(u.LocalSecondaryIndexes, e)
	default:
		u.GlobalSecondaryIndexes = append(u.GlobalSecondaryIndexes, e)
	}
	return n
}

func (db *core) bulkOf(ctx context.Context, arn string) (*tasks.Task, *bulkSpec, error) {
	spec := new(bulkSpec)
	t, err := db.transferOf(ctx, kindBulk, arn, spec, api.Errorf(api.ResourceNotFound, api.MsgBulkNotFound, arn))
	return t, spec, err
}

// DescribeBulkOperation answers how far a bulk put is.
func (db *core) DescribeBulkOperation(ctx context.Context, in *api.DescribeBulkOperationInput) (*api.DescribeBulkOperationOutput, error) {
	if err := validate.DescribeBulkOperation(in, db.rules); err != nil {
		return nil, err
	}
	t, spec, err := db.bulkOf(ctx, in.BulkOperationArn.Value)
	if err != nil {
		return nil, err
	}
	d, err := db.describeBulk(ctx, t, spec)
	return &api.DescribeBulkOperationOutput{BulkOperationDescription: d}, err
}

// CancelBulkOperation ends a bulk put after the items that it puts just now.
func (db *core) CancelBulkOperation(ctx context.Context, in *api.CancelBulkOperationInput) (*api.CancelBulkOperationOutput, error) {
	if err := validate.CancelBulkOperation(in, db.rules); err != nil {
		return nil, err
	}
	arn := in.BulkOperationArn
	t, _, err := db.bulkOf(ctx, arn.Value)
	if err != nil {
		return nil, err
	}
	if _, err = db.tasks.Cancel(ctx, t.ID); errors.Is(err, tasks.ErrEnded) {
		err = api.Errorf(api.ResourceInUse, api.MsgBulkEnded, arn.Value)
	}
	if err != nil {
		return nil, err
	}
	return &api.CancelBulkOperationOutput{
		BulkOperationArn: arn, BulkOperationStatus: api.Some(api.BulkOperationStatusCancelling),
	}, nil
}

// ListBulkOperations answers the bulk puts of the last 90 days, the newest first.
func (db *core) ListBulkOperations(ctx context.Context, in *api.ListBulkOperationsInput) (*api.ListBulkOperationsOutput, error) {
	if err := validate.ListBulkOperations(in, db.rules); err != nil {
		return nil, err
	}
	list, err := db.recent(ctx, kindBulk)
	if err != nil {
		return nil, err
	}
	list, next, err := pageOf(list, in.NextToken, in.MaxResults.Or(listBulkDefault))
	if err != nil {
		return nil, err
	}
	out := &api.ListBulkOperationsOutput{BulkOperationsSummaryList: []api.BulkOperationSummary{}, NextToken: next}
	for i := range list {
		var spec bulkSpec
		if err := list[i].ParseSpec(&spec); err != nil {
			return nil, err
		}
		d, err := db.describeBulk(ctx, &list[i], &spec)
		if err != nil {
			return nil, err
		}
		out.BulkOperationsSummaryList = append(out.BulkOperationsSummaryList, api.BulkOperationSummary{
			BulkOperationArn: d.BulkOperationArn, BulkOperationStatus: d.BulkOperationStatus,
			StartTime: d.StartTime, EndTime: d.EndTime,
		})
	}
	return out, nil
}
