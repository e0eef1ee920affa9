package grpcapi

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// scan streams all pages of a scan, or as many as the limit takes.
func scan(
	ctx context.Context, s *Server, in *api.ScanInput, onePage bool, turn func() error,
	send func(*api.ScanOutput) error,
) error {
	page := *in
	total := api.ScanOutput{Count: api.Some[int64](0), ScannedCount: api.Some[int64](0)}
	for {
		out, err := s.svc.Scan(ctx, &page)
		if err != nil {
			return err
		}
		total.Count.Value += out.Count.Value
		total.ScannedCount.Value += out.ScannedCount.Value
		total.ConsumedCapacity = addConsumed(total.ConsumedCapacity, out.ConsumedCapacity)
		page.ExclusiveStartKey = out.LastEvaluatedKey
		page.Limit.Value -= out.ScannedCount.Value
		rest, err := parts(out.Items, itemSize, func(part []attr.Item) error {
			return send(&api.ScanOutput{Items: part})
		})
		if err != nil {
			return err
		}
		if onePage || out.LastEvaluatedKey == nil || page.Limit.Set && page.Limit.Value <= 0 {
			total.Items, total.LastEvaluatedKey = rest, out.LastEvaluatedKey
			return send(&total)
		}
		if err := ctx.Err(); err != nil {
			return err // perhaps the client left while there was nothing to send
		}
		if len(rest) > 0 {
			err = send(&api.ScanOutput{Items: rest})
		}
		if err == nil {
			err = turn()
		}
		if err != nil {
			return err
		}
	}
}

// executeStatement streams all pages of a statement's rows, or as many as the limit takes.
func executeStatement(
	ctx context.Context, s *Server, in *api.ExecuteStatementInput, onePage bool, turn func() error,
	send func(*api.ExecuteStatementOutput) error,
) error {
	page := *in
	var consumed *api.ConsumedCapacity
	for {
		out, err := s.svc.ExecuteStatement(ctx, &page)
		if err != nil {
			return err
		}
		consumed = addConsumed(consumed, out.ConsumedCapacity)
		page.NextToken = out.NextToken
		page.Limit.Value -= int64(len(out.Items))
		rest, err := parts(out.Items, itemSize, func(part []attr.Item) error {
			return send(&api.ExecuteStatementOutput{Items: part})
		})
		if err != nil {
			return err
		}
		if onePage || !out.NextToken.Set || page.Limit.Set && page.Limit.Value <= 0 {
			return send(&api.ExecuteStatementOutput{Items: rest, NextToken: out.NextToken,
				ConsumedCapacity: consumed, LastEvaluatedKey: out.LastEvaluatedKey})
		}
		if err := ctx.Err(); err != nil {
			return err // perhaps the client left while there was nothing to send
		}
		if len(rest) > 0 {
			err = send(&api.ExecuteStatementOutput{Items: rest})
		}
		if err == nil {
			err = turn()
		}
		if err != nil {
			return err
		}
	}
}
