package validate

import (
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// PutItem makes the static checks of wire-facts §6.6 up to the compilation of expressions.
func PutItem(in *api.PutItemInput, opt Options) error {
	return Envelope(putItem(in), opt)
}

func putItem(in *api.PutItemInput) error {
	if !fitsPut(in) {
		if err := Constraints(opPutItem, in); err != nil {
			return err
		}
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	s := substitutes{in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Bad, memberValues}
	err := conditional(&s, in.Expected, in.ConditionalOperator, in.ConditionExpression.Set)
	if err != nil {
		return err
	}
	if err := badAt(in.Bad, memberItem); err != nil {
		return err
	}
	if err := oldOrNone(in.ReturnValues); err != nil {
		return err
	}
	if err := itemSize(in.Item); err != nil {
		return err
	}
	if err := expects(in.Expected, in.Bad); err != nil {
		return err
	}
	return s.check()
}

func fitsPut(in *api.PutItemInput) bool {
	return fitsTable(in.TableName) && in.Item != nil && in.Expected == nil &&
		!in.ConditionalOperator.Set && fitsConsumed(in.ReturnConsumedCapacity) &&
		fitsReturnValues(in.ReturnValues) && fitsMetrics(in.ReturnItemCollectionMetrics) &&
		fitsOnFailure(in.ReturnValuesOnConditionCheckFailure) &&
		fitsNames(in.ExpressionAttributeNames)
}

// conditional makes the checks of §5.1 #1–3 for operations whose one expression is a condition, then
// that of ConditionalOperator. That it counts among the legacy parameters, after Expected, is unsure:
// wire-facts §8.1 thinks so.
func conditional(s *substitutes, expected []api.ExpectedAttributeMapEntry, operator api.Opt[string],
	condition bool,
) error {
	if expected != nil || operator.Set {
		err := mixed(
			[]param{{memberExpected, expected != nil}, {memberConditionalOperator, operator.Set}},
			[]param{{memberConditionExpression, condition}})
		if err != nil {
			return err
		}
	}
	if err := s.needed(condition, condition, memberConditionExpression); err != nil {
		return err
	}
	return combines(operator, len(expected))
}

// oldOrNone refuses the return values that only an update has.
func oldOrNone(o api.Opt[string]) error {
	if o.Set && o.Value != api.ReturnValueNone && o.Value != api.ReturnValueAllOld {
		return invalid(api.MsgReturnValues)
	}
	return nil
}

// itemSize refuses an item to put that is too large.
func itemSize(it attr.Item) error {
	if !it.Within(attr.ItemSizeMaxBytes) {
		return invalid(api.MsgItemSize)
	}
	return nil
}

// GetItem makes the static checks of wire-facts §6.7 up to the compilation of expressions.
func GetItem(in *api.GetItemInput, _ Options) error {
	if !fitsGet(in) {
		if err := Constraints(opGetItem, in); err != nil {
			return err
		}
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	s := substitutes{names: in.ExpressionAttributeNames}
	err := projecting(&s, in.AttributesToGet != nil, in.ProjectionExpression.Set)
	if err != nil {
		return err
	}
	if err := badAt(in.Bad, memberKey); err != nil {
		return err
	}
	if err := attributesToGet(in.AttributesToGet); err != nil {
		return err
	}
	return s.check()
}

func fitsGet(in *api.GetItemInput) bool {
	return fitsTable(in.TableName) && in.Key != nil && in.AttributesToGet == nil &&
		fitsConsumed(in.ReturnConsumedCapacity) && fitsNames(in.ExpressionAttributeNames)
}

// projecting makes the checks of §5.1 #1–3 for operations whose one expression is a projection.
func projecting(s *substitutes, attributesToGet, projection bool) error {
	if attributesToGet {
		err := mixed([]param{{memberAttributesToGet, true}},
			[]param{{memberProjectionExpression, projection}})
		if err != nil {
			return err
		}
	}
	return s.needed(projection, true, "")
}

// UpdateItem makes the static checks of wire-facts §6.8 up to the compilation of expressions.
func UpdateItem(in *api.UpdateItemInput, opt Options) error {
	return Envelope(updateItem(in), opt)
}

func updateItem(in *api.UpdateItemInput) error {
	if !fitsUpdate(in) {
		if err := Constraints(opUpdateItem, in); err != nil {
			return err
		}
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	if in.AttributeUpdates != nil || in.Expected != nil || in.ConditionalOperator.Set {
		if err := updateMixed(in); err != nil {
			return err
		}
	}
	s := substitutes{in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Bad, memberValues}
	anyExpression := in.UpdateExpression.Set || in.ConditionExpression.Set
	err := s.needed(anyExpression, anyExpression,
		memberUpdateExpression+" and "+memberConditionExpression)
	if err != nil {
		return err
	}
	if err := combines(in.ConditionalOperator, len(in.Expected)); err != nil {
		return err
	}
	if err := badAt(in.Bad, memberKey); err != nil {
		return err
	}
	if err := updates(in.AttributeUpdates, in.Bad); err != nil {
		return err
	}
	if err := expects(in.Expected, in.Bad); err != nil {
		return err
	}
	return s.check()
}

func updateMixed(in *api.UpdateItemInput) error {
	return mixed(
		[]param{
			{memberAttributeUpdates, in.AttributeUpdates != nil},
			{memberExpected, in.Expected != nil},
			{memberConditionalOperator, in.ConditionalOperator.Set},
		},
		[]param{
			{memberUpdateExpression, in.UpdateExpression.Set},
			{memberConditionExpression, in.ConditionExpression.Set},
		})
}

func fitsUpdate(in *api.UpdateItemInput) bool {
	return fitsTable(in.TableName) && in.Key != nil && in.AttributeUpdates == nil &&
		in.Expected == nil && !in.ConditionalOperator.Set &&
		fitsConsumed(in.ReturnConsumedCapacity) && fitsReturnValues(in.ReturnValues) &&
		fitsMetrics(in.ReturnItemCollectionMetrics) &&
		fitsOnFailure(in.ReturnValuesOnConditionCheckFailure) &&
		fitsNames(in.ExpressionAttributeNames)
}

// DeleteItem makes the static checks of wire-facts §6.9 up to the compilation of expressions.
func DeleteItem(in *api.DeleteItemInput, _ Options) error {
	if !fitsDelete(in) {
		if err := Constraints(opDeleteItem, in); err != nil {
			return err
		}
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	s := substitutes{in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Bad, memberValues}
	err := conditional(&s, in.Expected, in.ConditionalOperator, in.ConditionExpression.Set)
	if err != nil {
		return err
	}
	if err := badAt(in.Bad, memberKey); err != nil {
		return err
	}
	if err := oldOrNone(in.ReturnValues); err != nil {
		return err
	}
	if err := expects(in.Expected, in.Bad); err != nil {
		return err
	}
	return s.check()
}

func fitsDelete(in *api.DeleteItemInput) bool {
	return fitsTable(in.TableName) && in.Key != nil && in.Expected == nil &&
		!in.ConditionalOperator.Set && fitsConsumed(in.ReturnConsumedCapacity) &&
		fitsReturnValues(in.ReturnValues) && fitsMetrics(in.ReturnItemCollectionMetrics) &&
		fitsOnFailure(in.ReturnValuesOnConditionCheckFailure) &&
		fitsNames(in.ExpressionAttributeNames)
}
