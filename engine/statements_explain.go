package engine

import (
	"context"
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/partiql"
)

// Attributes of the rows that EXPLAIN returns; what does not apply is left out.
const (
	explainOperation = "Operation"
	explainTable     = "Table"
	explainIndex     = "Index"
	explainKey       = "KeyRange"
	explainFilter    = "Filter"
	explainCondition = "Condition"
	explainUpdate    = "Update"
	explainCapacity  = "EstimatedCapacity"
)

// explainPageBytes is the most that one page reads, and so what a row estimates at most.
const explainPageBytes = 1 << 20

// explain answers EXPLAIN, an extension: a row for each operation that the statement becomes, which
// is not run. The capacity is that of one page, estimated by what storage knows of the range.
func (db *core) explain(ctx context.Context, t handle, b *partiql.Bound, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	out := &api.ExecuteStatementOutput{Items: []attr.Item{}}
	if !b.IsRead() {
		row, err := db.explainWrite(ctx, t, b)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, row)
		return out, nil
	}
	sel, err := b.Select(&t.Table.Table, &partiql.Options{
		Consistent: in.ConsistentRead.Value, Limit: int(in.Limit.Value),
	})
	if err != nil {
		return nil, statementError(err)
	}
	if sel.Key != nil {
		row := explainRow("GetItem", t)
		bytes, err := db.estimate(ctx, pointRange(sel.Key))
		if err != nil {
			return nil, err
		}
		row.S(explainKey, sel.KeyTexts[0])
		if sel.Filter != nil {
			row.S(explainFilter, sel.Filter.String())
		}
		return explained(out, row, capacity.ReadUnits(bytes, in.ConsistentRead.Value))
	}
	for i := range sel.Reads {
		if err := db.explainRead(ctx, t, sel, i, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// explainRead adds the row of one Query or Scan.
func (db *core) explainRead(ctx context.Context, t handle, sel *partiql.Selection, i int, out *api.ExecuteStatementOutput) error {
	r := &sel.Reads[i]
	row := explainRow("Scan", t)
	if sel.Query {
		row = explainRow("Query", t)
		row.S(explainKey, sel.KeyTexts[i])
	}
	if r.Index != nil {
		row.S(explainIndex, r.Index.Name)
	}
	if r.Filter != nil {
		row.S(explainFilter, r.Filter.String())
	}
	bytes, err := db.estimate(ctx, storage.Range(r.Range))
	if err != nil {
		return err
	}
	_, err = explained(out, row, capacity.PageUnits(bytes, r.Consistent))
	return err
}

// writeNames has the native operation of each kind of write.
var writeNames = map[plan.WriteKind]string{
	plan.WritePut: "PutItem", plan.WriteUpdate: "UpdateItem", plan.WriteDelete: "DeleteItem",
	plan.WriteCheck: "ConditionCheck",
}

func (db *core) explainWrite(ctx context.Context, t handle, b *partiql.Bound) (attr.Item, error) {
	var room plan.Room
	w, err := b.Write(&room, &t.Table.Table)
	if err != nil {
		return nil, statementError(err)
	}
	row := explainRow(writeNames[w.Kind], t)
	if k := partiql.KeyText(&t.Table.Table, w.Item); k != "" {
		row.S(explainKey, k)
	}
	if w.Condition != nil {
		row.S(explainCondition, w.Condition.String())
	}
	if w.Update != nil {
		row.S(explainUpdate, w.Update.String())
	}
	bytes, err := db.estimate(ctx, pointRange(w.Key))
	if err != nil {
		return nil, err
	}
	size := 0
	if w.Kind == plan.WritePut {
		size = w.Item.Size()
	}
	out := &api.ExecuteStatementOutput{}
	if _, err := explained(out, row, capacity.WriteUnits(bytes, size)); err != nil {
		return nil, err
	}
	return out.Items[0], nil
}

func explainRow(operation string, t handle) *attr.Builder {
	return attr.NewItem().S(explainOperation, operation).S(explainTable, t.Table.Table.Name)
}

// explained finishes a row.
func explained(out *api.ExecuteStatementOutput, row *attr.Builder, units float64) (*api.ExecuteStatementOutput, error) {
	item, err := row.N(explainCapacity, strconv.FormatFloat(units, 'f', -1, 64)).Build()
	out.Items = append(out.Items, item)
	return out, err
}

// estimate is about how many bytes of items one page of a range reads.
func (db *core) estimate(ctx context.Context, r storage.Range) (int, error) {
	s, err := db.store.Stats(ctx, r)
	if err != nil {
		return 0, err
	}
	return int(min(s.Bytes, explainPageBytes)), nil
}

// pointRange is the range of one key.
func pointRange(k []byte) storage.Range {
	end := make([]byte, len(k)+1)
	copy(end, k)
	return storage.Range{Start: k, End: end}
}
