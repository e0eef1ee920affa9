package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/expr"
)

// readRequest is what Query and Scan have in common.
type readRequest struct {
	table    string
	capacity api.Opt[string]
	texts    plan.Texts
	bound    plan.ReadRequest // without Table and trees
	// legacy are the trees of parameters from before expressions, which come without texts.
	legacy plan.Expressions
	// keyConditions is a Query whose KeyConditions are to be checked once the texts are compiled, nil
	// when it has none.
	keyConditions *api.QueryInput
	// segment and segments are a Scan's; zero segments mark a Query.
	segment, segments int64
	// plan is memory for the bound read.
	plan *plan.Read
}

// bind binds a read to its table.
func (q *readRequest) bind(x *plan.Expressions) (plan.Read, error) {
	if q.segments == 0 {
		return plan.Query(&q.bound, x.KeyCondition)
	}
	return plan.Scan(&q.bound, q.segment, q.segments)
}

// read compiles, binds and runs a Query or Scan.
func (db *core) read(ctx context.Context, q *readRequest) (exec.Page, *api.ConsumedCapacity, error) {
	x := q.legacy
	if q.texts.Any() {
		var err error
		if x, err = db.compiler.Compile(&q.texts); err != nil {
			return exec.Page{}, nil, err
		}
	}
	if q.keyConditions != nil {
		if err := validate.KeyConditions(q.keyConditions); err != nil {
			return exec.Page{}, nil, err
		}
		x.KeyCondition = plan.KeyConditions(q.keyConditions.KeyConditions)
	}
	t, err := db.enter(q.table, q.bound.StartKey)
	if err != nil {
		return exec.Page{}, nil, err
	}
	defer t.leave()
	q.bound.Table, q.bound.Filter, q.bound.Projection = &t.Table.Table, x.Filter, x.Projection
	r := q.plan
	if *r, err = q.bind(&x); err != nil {
		return exec.Page{}, nil, err
	}
	err = db.admitRead(t.Table, r.Index, q.bound.Consistent)
	if !r.Scan {
		db.note(t.Table, r.Index, r.Range.Start, false, err)
	}
	if err != nil {
		return exec.Page{}, nil, err
	}
	metered := wantsCapacity(q.capacity) || db.throttled()
	r.Unmetered = !metered
	page, err := db.exec.Read(ctx, t.Table, r)
	if err != nil {
		return exec.Page{}, nil, err
	}
	var consumed *api.ConsumedCapacity
	if metered {
		m := readMeter(q, r.Index, &page)
		db.charge(t.Table, &m, false)
		consumed = m.Consumed(q.capacity.Value, capacity.Plain)
	}
	return page, consumed, nil
}

// readMeter is what a read consumed.
func readMeter(q *readRequest, ix *schema.Index, page *exec.Page) capacity.Meter {
	m := capacity.Meter{TableName: q.table}
	if ix == nil {
		m.Table = page.Units
	} else {
		m.Table = page.FetchUnits
		m.AddIndex(ix.Name, ix.Local, page.Units)
	}
	return m
}

// queryCall is what a Query needs on the heap, in one piece.
type queryCall struct {
	out       api.QueryOutput
	plan      plan.Read
	condition expr.KeyCondition
	keys      [2 * plan.KeyBytes]byte // both ends of the range
}

// Query reads one partition of a table or an index in the order of the sort key.
func (db *core) Query(ctx context.Context, in *api.QueryInput) (*api.QueryOutput, error) {
	if err := validate.Query(in, db.rules); err != nil {
		return nil, err
	}
	q := readRequest{
		table: in.TableName.Value, capacity: in.ReturnConsumedCapacity,
		texts: plan.Texts{
			KeyCondition: in.KeyConditionExpression, Filter: in.FilterExpression,
			Projection: in.ProjectionExpression,
			Names:      in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		},
		bound: plan.ReadRequest{
			IndexName: in.IndexName.Value, Select: in.Select.Value, Consistent: in.ConsistentRead.Value,
			Reverse: !in.ScanIndexForward.Or(true), Limit: int(in.Limit.Value),
			StartKey: in.ExclusiveStartKey,
		},
	}
	if in.KeyConditions != nil {
		q.keyConditions = in
	}
	if in.QueryFilter != nil || in.AttributesToGet != nil {
		q.legacy = plan.Expressions{
			Filter: plan.Filter(in.QueryFilter, in.ConditionalOperator), Projection: plan.Attributes(in.AttributesToGet),
		}
	}
	c := new(queryCall)
	q.texts.KeyRoom, q.bound.Room, q.plan = &c.condition, plan.RoomOf(c.keys[:]), &c.plan
	page, consumed, err := db.read(ctx, &q)
	if err != nil {
		return nil, err
	}
	c.out = api.QueryOutput{
		Items: page.Items, Count: api.Some(int64(page.Count)),
		ScannedCount: api.Some(int64(page.Scanned)), LastEvaluatedKey: page.LastKey,
		ConsumedCapacity: consumed,
	}
	return &c.out, nil
}

// Scan reads a table, an index or one segment of it in the order of the partition keys' hashes.
func (db *core) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	if err := validate.Scan(in, db.rules); err != nil {
		return nil, err
	}
	q := readRequest{
		table: in.TableName.Value, capacity: in.ReturnConsumedCapacity,
		texts: plan.Texts{
			Filter: in.FilterExpression, Projection: in.ProjectionExpression,
			Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		},
		bound: plan.ReadRequest{
			IndexName: in.IndexName.Value, Select: in.Select.Value, Consistent: in.ConsistentRead.Value,
			Limit: int(in.Limit.Value), StartKey: in.ExclusiveStartKey,
		},
		segment: in.Segment.Or(0), segments: in.TotalSegments.Or(1), plan: new(plan.Read),
	}
	if in.ScanFilter != nil || in.AttributesToGet != nil {
		q.legacy = plan.Expressions{
			Filter: plan.Filter(in.ScanFilter, in.ConditionalOperator), Projection: plan.Attributes(in.AttributesToGet),
		}
	}
	page, consumed, err := db.read(ctx, &q)
	if err != nil {
		return nil, err
	}
	return &api.ScanOutput{
		Items: page.Items, Count: api.Some(int64(page.Count)),
		ScannedCount: api.Some(int64(page.Scanned)), LastEvaluatedKey: page.LastKey,
		ConsumedCapacity: consumed,
	}, nil
}
