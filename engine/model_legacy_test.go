package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Operators of legacy comparisons, and those that a key can serve.
var (
	legacyOperators = []string{
		"EQ", "NE", "LT", "LE", "GT", "GE", "BETWEEN", "IN", "BEGINS_WITH", "CONTAINS", "NOT_CONTAINS", "NULL", "NOT_NULL",
	}
	legacyKeyOperators = []string{"EQ", "LT", "LE", "GT", "GE", "BETWEEN", "BEGINS_WITH"}
)

// legacyComparison draws a comparison with values of a type and says what it means.
func legacyComparison(rnd *rand.Rand, attribute, operator string, typ attr.Type) (api.Condition, func(modelItem) bool) {
	scalar := typ == attr.S || typ == attr.N || typ == attr.B
	if operator == "BEGINS_WITH" && typ != attr.B || !scalar && operator != "EQ" && operator != "NE" {
		typ = attr.S
	}
	a, b := modelValue(rnd, typ), modelValue(rnd, typ)
	if c, _ := ordered(a, b); c > 0 {
		a, b = b, a
	}
	values := []attr.Value{encoded(a)}
	holds := func(v any) bool { return shown(v) == shown(a) } // EQ
	switch operator {
	case "NE":
		holds = func(v any) bool { return shown(v) != shown(a) }
	case "LT", "LE", "GT", "GE":
		holds = func(v any) bool {
			c, ok := ordered(v, a)
			return ok && (c < 0 && operator[0] == 'L' || c > 0 && operator[0] == 'G' || c == 0 && operator[1] == 'E')
		}
	case "BETWEEN":
		values, holds = append(values, encoded(b)), func(v any) bool { return between(v, a, b) }
	case "IN":
		values = append(values, encoded(b))
		holds = func(v any) bool { return shown(v) == shown(a) || shown(v) == shown(b) }
	case "BEGINS_WITH":
		holds = func(v any) bool {
			return v != nil && encoded(v).Type() == typ && strings.HasPrefix(fmt.Sprintf("%s", v), fmt.Sprintf("%s", a))
		}
	case "CONTAINS", "NOT_CONTAINS":
		x := pick[any](rnd, "x", "a", int64(1))
		values = []attr.Value{encoded(x)}
		holds = func(v any) bool { return contained(v, x) == (operator == "CONTAINS") }
	case "NULL", "NOT_NULL":
		values = pick(rnd, nil, []attr.Value{})
		holds = func(v any) bool { return (v == nil) == (operator == "NULL") }
	}
	return api.Condition{ComparisonOperator: api.Some(operator), AttributeValueList: values},
		func(it modelItem) bool { return holds(it[attribute]) }
}

// legacyFilter draws comparisons of some of the attributes; operator combines them.
func legacyFilter(rnd *rand.Rand, attributes []string) (list []api.FilterConditionMapEntry, operator api.Opt[string], eval func(modelItem) bool) {
	attributes = slices.Sorted(slices.Values(attributes))
	var evals []func(modelItem) bool
	for _, name := range slices.Compact(attributes) {
		if len(list) == 0 || rnd.IntN(4) == 0 {
			typ := pick(rnd, usualType(name), anyType(rnd))
			c, holds := legacyComparison(rnd, name, pick(rnd, legacyOperators...), typ)
			list, evals = append(list, api.FilterConditionMapEntry{Key: name, Value: c}), append(evals, holds)
		}
	}
	if len(list) > 1 && rnd.IntN(2) == 0 {
		operator = api.Some(pick(rnd, "AND", "OR"))
	}
	return list, operator, func(it modelItem) bool {
		test := func(holds func(modelItem) bool) bool { return holds(it) }
		if operator.Value == "OR" {
			return slices.ContainsFunc(evals, test)
		}
		return !slices.ContainsFunc(evals, func(holds func(modelItem) bool) bool { return !holds(it) })
	}
}

// legacyExpected spells comparisons as Expected, in one of the ways that there are.
func legacyExpected(rnd *rand.Rand, list []api.FilterConditionMapEntry) []api.ExpectedAttributeMapEntry {
	out := []api.ExpectedAttributeMapEntry{}
	for _, e := range list {
		v := api.ExpectedAttributeValue{ComparisonOperator: e.Value.ComparisonOperator, AttributeValueList: e.Value.AttributeValueList}
		switch operator := v.ComparisonOperator.Value; {
		case rnd.IntN(2) == 0:
		case operator == "EQ":
			v = api.ExpectedAttributeValue{Value: v.AttributeValueList[0], Exists: pick(rnd, api.Opt[bool]{}, api.Some(true))}
		case operator == "NULL":
			v = api.ExpectedAttributeValue{Exists: api.Some(false)}
		case len(v.AttributeValueList) == 1:
			v.Value, v.AttributeValueList = v.AttributeValueList[0], nil
		}
		out = append(out, api.ExpectedAttributeMapEntry{Key: e.Key, Value: v})
	}
	return out
}

// legacyWrite is what a write says without expressions.
type legacyWrite struct {
	expected []api.ExpectedAttributeMapEntry
	operator api.Opt[string]
	updates  []api.AttributeUpdatesEntry
	// deletes: the updates make no item where there is none.
	deletes bool
}

// asLegacy makes a third of writes legacy ones: the condition and the update are drawn anew.
func (w *modelWrite) asLegacy() {
	rnd := w.p.rnd
	if rnd.IntN(3) != 0 {
		return
	}
	w.p, w.condition, w.text = placeholders{rnd: rnd}, nil, ""
	if rnd.IntN(2) == 0 {
		list, operator, eval := legacyFilter(rnd, append([]string{w.table.hash.name}, modelAttributes...))
		w.legacy.expected, w.legacy.operator = legacyExpected(rnd, list), operator
		w.condition = &modelCondition{fmt.Sprintf("%s %v", operator.Value, w.legacy.expected), eval}
	}
	if w.kind == "update" {
		w.legacyUpdates()
	}
}

// legacyUpdates draws AttributeUpdates of a few attributes.
func (w *modelWrite) legacyUpdates() {
	var actions []modelAction
	w.legacy = legacyWrite{w.legacy.expected, w.legacy.operator, []api.AttributeUpdatesEntry{}, true}
	add := func(name, action string, value any, apply func(old modelItem) (any, string)) {
		u := api.AttributeValueUpdate{Action: api.Some(action)}
		if action == "PUT" {
			u.Action = pick(w.p.rnd, api.Opt[string]{}, u.Action)
		}
		if value != nil {
			u.Value = encoded(value)
		}
		w.legacy.updates = append(w.legacy.updates, api.AttributeUpdatesEntry{Key: name, Value: u})
		w.legacy.deletes = w.legacy.deletes && action == "DELETE"
		actions = append(actions, modelAction{attribute: name, apply: apply})
		w.text += fmt.Sprintf(" %s %s %s", action, name, shown(value))
	}
	for _, i := range w.p.rnd.Perm(len(modelAttributes))[:1+w.p.rnd.IntN(3)] {
		legacyAction(w.p.rnd, modelAttributes[i], add)
	}
	for _, k := range w.table.indexKeys() {
		if w.p.rnd.IntN(4) == 0 {
			v := modelValue(w.p.rnd, k.typ)
			add(k.name, "PUT", v, func(modelItem) (any, string) { return v, "" })
		}
	}
	slices.SortFunc(w.legacy.updates, func(a, b api.AttributeUpdatesEntry) int { return strings.Compare(a.Key, b.Key) })
	w.update = func(old modelItem) (modelItem, []string) {
		out, refusals := old, []string(nil)
		for _, a := range actions {
			v, refusal := a.apply(old)
			if refusal != "" {
				refusals = append(refusals, refusal)
			}
			out = out.with(a.attribute, v)
		}
		return out, refusals
	}
}

// legacyAction draws an action on an attribute and gives it to add with what it does.
func legacyAction(rnd *rand.Rand, name string, add func(name, action string, value any, apply func(modelItem) (any, string))) {
	const mismatch = "Type mismatch for attribute to update"
	action := pick(rnd, "PUT", "DELETE", "ADD", "ADD", "DELETE set")
	switch {
	case action == "DELETE":
		add(name, action, nil, func(modelItem) (any, string) { return nil, "" })
	case action == "DELETE set":
		v := modelValue(rnd, attr.SS).(modelSet)
		add(name, "DELETE", v, func(old modelItem) (any, string) {
			now, ok := old[name].(modelSet)
			if !ok && old[name] != nil {
				return nil, mismatch
			}
			rest := slices.DeleteFunc(now.members(), func(m string) bool { return slices.Contains(v.members(), m) })
			if len(rest) == 0 {
				return nil, ""
			}
			return setOf(rest...), ""
		})
	case action == "ADD" && (name == "n" || name == "s" || name == "v"):
		v := modelValue(rnd, usualType(name))
		add(name, action, v, func(old modelItem) (any, string) {
			switch now := old[name].(type) {
			case nil:
				return v, ""
			case int64:
				if name == "n" {
					return now + v.(int64), ""
				}
			case modelSet:
				if name == "s" {
					return setOf(append(now.members(), v.(modelSet).members()...)...), ""
				}
			case []any:
				if name == "v" {
					return append(slices.Clone(now), v.([]any)...), ""
				}
			}
			return nil, mismatch
		})
	default:
		v := modelValue(rnd, anyType(rnd))
		add(name, "PUT", v, func(modelItem) (any, string) { return v, "" })
	}
}

// legacyKey is KeyConditions for a partition and, when sort has a name and the draw says so, a range
// of its values; within says what it means.
func legacyKey(rnd *rand.Rand, hash, sort modelAttr, partition any) (list []api.KeyConditionsEntry, within func(modelItem) bool) {
	list = []api.KeyConditionsEntry{{Key: hash.name, Value: api.Condition{
		ComparisonOperator: api.Some("EQ"), AttributeValueList: []attr.Value{encoded(partition)},
	}}}
	within = func(modelItem) bool { return true }
	if sort.name != "" && rnd.IntN(2) == 0 {
		operator := pick(rnd, legacyKeyOperators...)
		if operator == "BEGINS_WITH" && sort.typ == attr.N {
			operator = "EQ"
		}
		c, holds := legacyComparison(rnd, sort.name, operator, sort.typ)
		list, within = append(list, api.KeyConditionsEntry{Key: sort.name, Value: c}), holds
		slices.SortFunc(list, func(a, b api.KeyConditionsEntry) int { return strings.Compare(a.Key, b.Key) })
	}
	return list, within
}
