package plan

import (
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/expr"
)

// The functions of this file turn the parameters from before there were expressions, checked by
// package validate, into the trees that expressions give.

// Expected is the condition that Expected and ConditionalOperator ask for; nil when there is none.
// An entry of Value alone is an equality, one of Exists false a NULL (wire-facts §8.3).
func Expected(entries []api.ExpectedAttributeMapEntry, operator api.Opt[string]) *expr.Condition {
	list := make([]expr.Comparison, len(entries))
	for i := range entries {
		v := &entries[i].Value
		c := expr.Comparison{Attr: entries[i].Key, Op: expr.ComparatorEQ, Values: v.AttributeValueList}
		if v.Value != nil {
			c.Values = []attr.Value{v.Value}
		}
		switch {
		case v.ComparisonOperator.Set:
			c.Op = expr.Comparator(v.ComparisonOperator.Value)
		case v.Value == nil:
			c.Op = expr.ComparatorNull
		}
		list[i] = c
	}
	return expr.ConditionOf(list, either(operator))
}

func either(operator api.Opt[string]) bool { return operator.Value == api.ConditionalOperatorOr }

// Updates is the update that AttributeUpdates asks for; nil when there is none. The default action is
// PUT; DELETE without a value removes (wire-facts §8.4).
func Updates(entries []api.AttributeUpdatesEntry) *expr.Update {
	list := make([]expr.AttributeAction, len(entries))
	for i := range entries {
		v := &entries[i].Value
		list[i] = expr.AttributeAction{Attr: entries[i].Key, Value: v.Value}
		switch {
		case v.Action.Value == api.AttributeActionAdd:
			list[i].Action = expr.ActionAdd
		case v.Action.Value != api.AttributeActionDelete:
			list[i].Action = expr.ActionSet
		case v.Value != nil:
			list[i].Action = expr.ActionDelete
		default:
			list[i].Action = expr.ActionRemove
		}
	}
	return expr.UpdateOf(list)
}
