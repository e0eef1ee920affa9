package validate

import (
	"math"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Query makes the static checks of wire-facts §6.10 up to the compilation of expressions; those of
// KeyConditions come after that. The place of the checks of Select is not known: here they come before the start key.
func Query(in *api.QueryInput, opt Options) error {
	if !fitsQuery(in) {
		if err := constraints(opQuery, in, opt); err != nil {
			return err
		}
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	if in.AttributesToGet != nil || in.QueryFilter != nil || in.ConditionalOperator.Set ||
		in.KeyConditions != nil {
		if err := queryMixed(in); err != nil {
			return err
		}
	}
	s := substitutes{in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Bad, memberValues}
	taker := in.FilterExpression.Set || in.KeyConditionExpression.Set
	err := s.needed(taker || in.ProjectionExpression.Set, taker,
		memberFilterExpression+" and "+memberKeyConditionExpression)
	if err != nil {
		return err
	}
	if err := combines(in.ConditionalOperator, len(in.QueryFilter)); err != nil {
		return err
	}
	if err := conditions(memberQueryFilter, in.QueryFilter, in.Bad); err != nil {
		return err
	}
	if err := attributesToGet(in.AttributesToGet); err != nil {
		return err
	}
	p := projectionMember(in.ProjectionExpression.Set, in.AttributesToGet != nil)
	if err := selects(in.Select, p, in.IndexName.Set); err != nil {
		if in.Select.Value == api.SelectSpecificAttributes { // Scan's is bare. DynamoDB does this: TestQueryEnvelope.
			return Envelope(err, opt)
		}
		return err
	}
	if err := badStartKey(in.Bad); err != nil {
		return err
	}
	if !in.KeyConditionExpression.Set && in.KeyConditions == nil {
		return invalid(api.MsgKeyConditionAbsent)
	}
	return s.check()
}

func fitsQuery(in *api.QueryInput) bool {
	return fitsTable(in.TableName) && fitsIndex(in.IndexName) && fitsSelect(in.Select) &&
		fitsConsumed(in.ReturnConsumedCapacity) && fitsRange(in.Limit, 1, math.MaxInt64) &&
		in.AttributesToGet == nil && in.QueryFilter == nil && in.KeyConditions == nil &&
		!in.ConditionalOperator.Set && fitsNames(in.ExpressionAttributeNames)
}

// queryMixed is §5.1 #1 for Query: KeyConditions count only beside a KeyConditionExpression.
func queryMixed(in *api.QueryInput) error {
	return mixed(
		[]param{
			{memberAttributesToGet, in.AttributesToGet != nil},
			{memberQueryFilter, in.QueryFilter != nil},
			{memberConditionalOperator, in.ConditionalOperator.Set},
			{memberKeyConditions, in.KeyConditions != nil && in.KeyConditionExpression.Set},
		},
		[]param{
			{memberProjectionExpression, in.ProjectionExpression.Set},
			{memberFilterExpression, in.FilterExpression.Set},
			{memberKeyConditionExpression, in.KeyConditionExpression.Set},
		})
}

// projectionMember names the parameter that projects, "" when there is none.
func projectionMember(expression, attributesToGet bool) string {
	switch {
	case expression:
		return memberProjectionExpression
	case attributesToGet:
		return memberAttributesToGet
	}
	return ""
}

// selects checks Select against what it needs (wire-facts §6.10, second table). projection is the
// parameter that projects.
func selects(sel api.Opt[string], projection string, index bool) error {
	if !sel.Set {
		return nil
	}
	switch sel.Value {
	case api.SelectSpecificAttributes:
		if projection == "" {
			return invalid(api.MsgSelectSpecific)
		}
	case api.SelectCount:
		if projection != "" {
			return invalid(api.MsgSelectCount, projection)
		}
	case api.SelectAllProjectedAttributes:
		if projection != "" {
			return invalid(api.MsgSelectProjection, projection, sel.Value)
		}
		if !index {
			return invalid(api.MsgSelectProjected)
		}
	case api.SelectAllAttributes:
		if projection != "" {
			return invalid(api.MsgSelectProjection, projection, sel.Value)
		}
	}
	return nil
}

// badStartKey reports a bad value of ExclusiveStartKey (wire-facts §4.1, last row): some kinds of
// error stand alone. DynamoDB does this: TestStartKeyValues.
func badStartKey(bad []api.BadValue) error {
	for i := range bad {
		if bad[i].Place != memberExclusiveStartKey {
			continue
		}
		e := &bad[i].Err
		switch e.Kind {
		case attr.NotNumber, attr.Overflow, attr.Underflow, attr.Precision, attr.EmptyNS,
			attr.DupSS, attr.DupNS, attr.DupBS:
			return invalid("%s", e.Message())
		}
		return invalid(api.MsgStartKeyValue, innerText(e))
	}
	return nil
}

// Scan makes the static checks of wire-facts §6.11 up to the compilation of expressions. The place
// of the checks of Select is not known: here they come before the start key.
func Scan(in *api.ScanInput, _ Options) error {
	if !fitsScan(in) {
		if err := Constraints(opScan, in); err != nil {
			return err
		}
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	if in.AttributesToGet != nil || in.ScanFilter != nil || in.ConditionalOperator.Set {
		if err := scanMixed(in); err != nil {
			return err
		}
	}
	s := substitutes{in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Bad, memberValues}
	taker := in.FilterExpression.Set
	err := s.needed(taker || in.ProjectionExpression.Set, taker, memberFilterExpression)
	if err != nil {
		return err
	}
	if err := combines(in.ConditionalOperator, len(in.ScanFilter)); err != nil {
		return err
	}
	if err := attributesToGet(in.AttributesToGet); err != nil {
		return err
	}
	if err := conditions(memberScanFilter, in.ScanFilter, in.Bad); err != nil {
		return err
	}
	p := projectionMember(in.ProjectionExpression.Set, in.AttributesToGet != nil)
	if err := selects(in.Select, p, in.IndexName.Set); err != nil {
		return err
	}
	if err := badStartKey(in.Bad); err != nil {
		return err
	}
	if err := segments(in.Segment, in.TotalSegments); err != nil {
		return err
	}
	return s.check()
}

// Bounds of parallel scans.
const (
	segmentMax       = 999_999
	totalSegmentsMax = 1_000_000
)

func fitsScan(in *api.ScanInput) bool {
	return fitsTable(in.TableName) && fitsIndex(in.IndexName) && fitsSelect(in.Select) &&
		fitsConsumed(in.ReturnConsumedCapacity) && fitsRange(in.Limit, 1, math.MaxInt64) &&
		fitsRange(in.Segment, 0, segmentMax) && fitsRange(in.TotalSegments, 1, totalSegmentsMax) &&
		in.AttributesToGet == nil && in.ScanFilter == nil && !in.ConditionalOperator.Set &&
		fitsNames(in.ExpressionAttributeNames)
}

func scanMixed(in *api.ScanInput) error {
	return mixed(
		[]param{
			{memberAttributesToGet, in.AttributesToGet != nil},
			{memberScanFilter, in.ScanFilter != nil},
			{memberConditionalOperator, in.ConditionalOperator.Set},
		},
		[]param{
			{memberProjectionExpression, in.ProjectionExpression.Set},
			{memberFilterExpression, in.FilterExpression.Set},
		})
}

func segments(segment, total api.Opt[int64]) error {
	switch {
	case segment.Set && !total.Set:
		return invalid(api.MsgTotalSegmentsAbsent)
	case total.Set && !segment.Set:
		return invalid(api.MsgSegmentAbsent)
	case segment.Set && segment.Value >= total.Value:
		return invalid(api.MsgSegmentRange, segment.Value, total.Value)
	}
	return nil
}
