package plan

import (
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
)

// Scan binds a Scan of segment i of n: the checks that need the table, in the order of wire-facts
// §6.11.
func Scan(q *ReadRequest, i, n int64) (Read, error) {
	q.operation = "Scan"
	r, err := q.source()
	if err != nil {
		return r, err
	}
	if q.StartKey != nil {
		if err := r.checkScanStart(q.StartKey); err != nil {
			return r, err
		}
	}
	r.Scan = true
	r.Range = key.SegmentRange(key.TableSpace(r.Table.ID), r.sub(), uint64(i), uint64(n))
	if err := r.fetch(q.Select); err != nil {
		return r, err
	}
	if q.StartKey != nil {
		if err := r.scanStart(q.StartKey, i, n); err != nil {
			return r, err
		}
	}
	if r.Projection != nil {
		if err := checkPaths(r.Table, r.Projection.Paths()); err != nil {
			return r, err
		}
	}
	if r.Filter == nil {
		return r, nil
	}
	return r, checkPaths(r.Table, r.Filter.Paths())
}

func (r *Read) checkScanStart(start attr.Item) error {
	if r.Index == nil {
		if start.Count() != r.Table.Key.Len() {
			return invalid(api.MsgStartKeySchema)
		}
		return nil
	}
	return r.checkStart(start)
}

func (r *Read) scanStart(start attr.Item, i, n int64) error {
	position, ok := r.position(start)
	if !ok {
		return invalid(api.MsgStartKeySchema)
	}
	from, to := key.SegmentBounds(uint64(i), uint64(n))
	if h := uint64(key.HashOf(position)); h < from || h >= to {
		return invalid(api.MsgStartKeySegment, n, i)
	}
	r.resume(position)
	return nil
}
