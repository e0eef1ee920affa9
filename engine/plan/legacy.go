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

// Filter is the condition that QueryFilter or ScanFilter and ConditionalOperator ask for; nil when
// there is none.
func Filter(entries []api.FilterConditionMapEntry, operator api.Opt[string]) *expr.Condition {
	list := make([]expr.Comparison, len(entries))
	for i := range entries {
		list[i] = comparison(entries[i].Key, &entries[i].Value)
	}
	return expr.ConditionOf(list, either(operator))
}

func comparison(name string, c *api.Condition) expr.Comparison {
	return expr.Comparison{
		Attr: name, Op: expr.Comparator(c.ComparisonOperator.Value), Values: c.AttributeValueList,
	}
}

// KeyConditions is the key condition that KeyConditions asks for.
func KeyConditions(entries []api.KeyConditionsEntry) *expr.KeyCondition {
	list := make([]expr.Comparison, len(entries))
	for i := range entries {
		list[i] = comparison(entries[i].Key, &entries[i].Value)
	}
	return expr.KeyConditionOf(list)
}

// indexable is 10 of wire-facts §6.10: KeyConditions can hold operators that no key can serve.
func indexable(conds []expr.KeyCond) bool {
	for i := range conds {
		if conds[i].Op == expr.KeyNone {
			return false
		}
	}
	return true
}

// filterKeyText is the text for a filter that uses a key attribute.
func filterKeyText(filter *expr.Condition) string {
	if filter.Legacy() {
		return api.MsgQueryFilterKey
	}
	return api.MsgFilterKey
}

// Attributes is the projection that AttributesToGet asks for; nil when it is absent.
func Attributes(names []string) *expr.Projection {
	if names == nil {
		return nil
	}
	return expr.ProjectionOf(names)
}
