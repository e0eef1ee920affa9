package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Attributes that are no keys of any model table, by what they usually hold.
var modelAttributes = []string{"a", "n", "s", "v", "m"}

// placeholders collects what one request's expressions stand for.
type placeholders struct {
	rnd    *rand.Rand
	names  []api.Name
	values []api.NamedValue
}

// name spells an attribute, sometimes through a placeholder.
func (p *placeholders) name(attribute string) string {
	if p.rnd.IntN(2) == 0 {
		return attribute
	}
	short := "#" + attribute
	if !slices.ContainsFunc(p.names, func(n api.Name) bool { return n.Placeholder == short }) {
		p.names = append(p.names, api.Name{Placeholder: short, Name: attribute})
		slices.SortFunc(p.names, func(a, b api.Name) int { return strings.Compare(a.Placeholder, b.Placeholder) })
	}
	return short
}

func (p *placeholders) value(v any) string {
	placeholder := fmt.Sprintf(":v%03d", len(p.values)) // sorted by being counted
	p.values = append(p.values, api.NamedValue{Placeholder: placeholder, Value: encoded(v)})
	return placeholder
}

func pick[T any](rnd *rand.Rand, list ...T) T { return list[rnd.IntN(len(list))] }

// modelValue draws a value of a type, from few, so that values meet again.
func modelValue(rnd *rand.Rand, typ attr.Type) any {
	switch typ {
	case attr.S:
		return pick(rnd, "a", "ab", "a\x00", "a\x00b", "\x00", "\x00\xc3\xbf", "b", "é", "zz")
	case attr.N:
		return int64(rnd.IntN(9) - 3)
	case attr.B:
		return modelBytes(pick(rnd, "\x00", "\x00\x00", "\x00\xff", "\x01", "\xff", "\xff\x00\x01", "k"))
	case attr.SS:
		return setOf(pick(rnd, "x", "y"), pick(rnd, "x", "y", "z"))
	case attr.L:
		list := []any{}
		for range rnd.IntN(4) {
			list = append(list, modelValue(rnd, pick(rnd, attr.S, attr.N)))
		}
		return list
	}
	m := map[string]any{}
	for _, name := range []string{"x", "y"} {
		if rnd.IntN(2) == 0 {
			m[name] = modelValue(rnd, pick(rnd, attr.S, attr.N))
		}
	}
	return m
}

// usualType is what an attribute mostly holds.
func usualType(name string) attr.Type {
	switch name {
	case "n":
		return attr.N
	case "s":
		return attr.SS
	case "v":
		return attr.L
	case "m":
		return attr.M
	}
	return attr.S
}

func anyType(rnd *rand.Rand) attr.Type {
	return pick(rnd, attr.S, attr.N, attr.B, attr.SS, attr.L, attr.M)
}

// modelCondition is a condition and what it means.
type modelCondition struct {
	text string
	eval func(modelItem) bool
}

// condition draws a condition on some attributes.
func (p *placeholders) condition(attributes []string, depth int) modelCondition {
	if depth == 0 || p.rnd.IntN(3) == 0 {
		return p.leaf(pick(p.rnd, attributes...))
	}
	a := p.condition(attributes, depth-1)
	if p.rnd.IntN(4) == 0 {
		return modelCondition{"NOT (" + a.text + ")", func(it modelItem) bool { return !a.eval(it) }}
	}
	b := p.condition(attributes, depth-1)
	if p.rnd.IntN(2) == 0 {
		return modelCondition{"(" + a.text + ") AND (" + b.text + ")",
			func(it modelItem) bool { return a.eval(it) && b.eval(it) }}
	}
	return modelCondition{"(" + a.text + ") OR (" + b.text + ")",
		func(it modelItem) bool { return a.eval(it) || b.eval(it) }}
}

func (p *placeholders) leaf(attribute string) modelCondition { //nolint:funlen // one flat switch
	name := p.name(attribute)
	switch p.rnd.IntN(9) {
	case 0:
		return modelCondition{"attribute_exists(" + name + ")",
			func(it modelItem) bool { return it[attribute] != nil }}
	case 1:
		return modelCondition{"attribute_not_exists(" + name + ")",
			func(it modelItem) bool { return it[attribute] == nil }}
	case 2:
		v := modelValue(p.rnd, usualType(attribute))
		return modelCondition{name + " = " + p.value(v),
			func(it modelItem) bool { return shown(it[attribute]) == shown(v) }}
	case 3:
		v := modelValue(p.rnd, anyType(p.rnd))
		return modelCondition{name + " <> " + p.value(v),
			func(it modelItem) bool { return shown(it[attribute]) != shown(v) }}
	case 4:
		return p.comparison(attribute, name)
	case 5:
		typ := pick(p.rnd, attr.S, attr.N, attr.B)
		low, high := modelValue(p.rnd, typ), modelValue(p.rnd, typ)
		if c, _ := ordered(low, high); c > 0 {
			low, high = high, low
		}
		return modelCondition{name + " BETWEEN " + p.value(low) + " AND " + p.value(high),
			func(it modelItem) bool { return between(it[attribute], low, high) }}
	case 6:
		list := []any{modelValue(p.rnd, usualType(attribute)), modelValue(p.rnd, anyType(p.rnd))}
		return modelCondition{name + " IN (" + p.value(list[0]) + ", " + p.value(list[1]) + ")",
			func(it modelItem) bool {
				return slices.ContainsFunc(list, func(v any) bool { return shown(v) == shown(it[attribute]) })
			}}
	case 7:
		prefix := modelValue(p.rnd, attr.S).(string)
		return modelCondition{"begins_with(" + name + ", " + p.value(prefix) + ")",
			func(it modelItem) bool {
				s, ok := it[attribute].(string)
				return ok && strings.HasPrefix(s, prefix)
			}}
	}
	x := pick[any](p.rnd, "x", "a", int64(1))
	return modelCondition{"contains(" + name + ", " + p.value(x) + ")",
		func(it modelItem) bool { return contained(it[attribute], x) }}
}

// comparison is a path, its size, or a path in the map against a value.
func (p *placeholders) comparison(attribute, name string) modelCondition {
	op := pick(p.rnd, "<", "<=", ">", ">=")
	holds := func(c int) bool {
		switch op {
		case "<":
			return c < 0
		case "<=":
			return c <= 0
		case ">":
			return c > 0
		}
		return c >= 0
	}
	v := modelValue(p.rnd, pick(p.rnd, attr.S, attr.N, attr.B))
	switch {
	case attribute == "m":
		return modelCondition{name + "." + p.name("x") + " " + op + " " + p.value(v),
			func(it modelItem) bool {
				m, _ := it["m"].(map[string]any)
				c, ok := ordered(m["x"], v)
				return ok && holds(c)
			}}
	case p.rnd.IntN(3) == 0:
		n := int64(p.rnd.IntN(4))
		return modelCondition{"size(" + name + ") " + op + " " + p.value(n),
			func(it modelItem) bool {
				size, ok := sizeOfModel(it[attribute])
				c, _ := ordered(size, n)
				return ok && holds(c)
			}}
	}
	return modelCondition{name + " " + op + " " + p.value(v),
		func(it modelItem) bool { c, ok := ordered(it[attribute], v); return ok && holds(c) }}
}

func between(v, low, high any) bool {
	a, ok := ordered(v, low)
	b, _ := ordered(v, high)
	return ok && a >= 0 && b <= 0
}

func contained(v, x any) bool {
	switch v := v.(type) {
	case string:
		s, ok := x.(string)
		return ok && strings.Contains(v, s)
	case modelSet:
		s, ok := x.(string)
		return ok && slices.Contains(v.members(), s)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return shown(e) == shown(x) })
	}
	return false
}

// sizeOfModel is what size() finds: characters of a string, bytes of a binary, elements.
func sizeOfModel(v any) (int64, bool) {
	switch v := v.(type) {
	case string:
		return int64(len([]rune(v))), true
	case modelBytes:
		return int64(len(v)), true
	case modelSet:
		return int64(len(v.members())), true
	case []any:
		return int64(len(v)), true
	case map[string]any:
		return int64(len(v)), true
	}
	return 0, false
}

// Texts of updates that an item refuses.
const (
	evalMissing = "The provided expression refers to an attribute that does not exist in the item"
	evalType    = "An operand in the update expression has an incorrect data type"
	evalPath    = "The document path provided in the update expression is invalid for update"
)

// modelAction is one action of an update: what becomes of its attribute, nil for nothing, or a text
// of refusal.
type modelAction struct {
	clause, text, attribute string
	apply                   func(old modelItem) (v any, refusal string)
}

var modelClauses = []string{"SET", "REMOVE", "ADD", "DELETE"}

// update draws an update expression of a few attributes. The result is the new item, or the texts of
// which the database reports one.
func (p *placeholders) update(keys []modelAttr) (string, func(old modelItem) (modelItem, []string)) {
	var actions []modelAction
	for _, i := range p.rnd.Perm(len(modelAttributes))[:1+p.rnd.IntN(3)] {
		actions = append(actions, p.action(modelAttributes[i]))
	}
	for _, k := range keys {
		if p.rnd.IntN(4) == 0 {
			actions = append(actions, p.keyAction(k))
		}
	}
	p.rnd.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	clauses := map[string][]string{}
	for _, a := range actions {
		clauses[a.clause] = append(clauses[a.clause], a.text)
	}
	var text []string
	for _, i := range p.rnd.Perm(len(modelClauses)) {
		if list := clauses[modelClauses[i]]; list != nil {
			text = append(text, modelClauses[i]+" "+strings.Join(list, ", "))
		}
	}
	return strings.Join(text, " "), func(old modelItem) (modelItem, []string) {
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

// keyAction changes an attribute that is the key of an index.
func (p *placeholders) keyAction(k modelAttr) modelAction {
	name := p.name(k.name)
	if p.rnd.IntN(2) == 0 {
		return modelAction{"REMOVE", name, k.name, func(modelItem) (any, string) { return nil, "" }}
	}
	v := modelValue(p.rnd, k.typ)
	return modelAction{"SET", name + " = " + p.value(v), k.name, func(modelItem) (any, string) { return v, "" }}
}

func (p *placeholders) action(attribute string) modelAction {
	name := p.name(attribute)
	switch p.rnd.IntN(6) {
	case 0:
		return modelAction{"REMOVE", name, attribute, func(modelItem) (any, string) { return nil, "" }}
	case 1:
		v := modelValue(p.rnd, anyType(p.rnd))
		return modelAction{"SET", name + " = " + p.value(v), attribute,
			func(modelItem) (any, string) { return v, "" }}
	case 2:
		v := modelValue(p.rnd, usualType(attribute))
		return modelAction{"SET", name + " = if_not_exists(" + p.name(attribute) + ", " + p.value(v) + ")", attribute,
			func(old modelItem) (any, string) {
				if now := old[attribute]; now != nil {
					return now, ""
				}
				return v, ""
			}}
	}
	switch attribute {
	case "n":
		return p.arithmetic(name)
	case "s":
		return p.setAction(name)
	case "v":
		return p.listAction(name)
	case "m":
		return p.mapAction(name)
	}
	// Right sides see the item as it was before.
	return modelAction{"SET", name + " = " + p.name("n"), attribute, func(old modelItem) (any, string) {
		if old["n"] == nil {
			return nil, evalMissing
		}
		return old["n"], ""
	}}
}

func (p *placeholders) arithmetic(name string) modelAction {
	by := modelValue(p.rnd, attr.N).(int64)
	if p.rnd.IntN(2) == 0 {
		return modelAction{"ADD", name + " " + p.value(by), "n", func(old modelItem) (any, string) {
			if old["n"] == nil {
				return by, ""
			}
			now, ok := old["n"].(int64)
			if !ok {
				return nil, evalType
			}
			return now + by, ""
		}}
	}
	return modelAction{"SET", name + " = " + p.name("n") + " - " + p.value(by), "n", func(old modelItem) (any, string) {
		if old["n"] == nil {
			return nil, evalMissing
		}
		now, ok := old["n"].(int64)
		if !ok {
			return nil, evalType
		}
		return now - by, ""
	}}
}

func (p *placeholders) setAction(name string) modelAction {
	v := modelValue(p.rnd, attr.SS).(modelSet)
	clause := pick(p.rnd, "ADD", "DELETE")
	return modelAction{clause, name + " " + p.value(v), "s", func(old modelItem) (any, string) {
		now, ok := old["s"].(modelSet)
		switch {
		case old["s"] == nil && clause == "ADD":
			return v, ""
		case old["s"] == nil:
			return nil, ""
		case !ok:
			return nil, evalType
		case clause == "ADD":
			return setOf(append(now.members(), v.members()...)...), ""
		}
		rest := slices.DeleteFunc(now.members(), func(m string) bool { return slices.Contains(v.members(), m) })
		if len(rest) == 0 {
			return nil, ""
		}
		return setOf(rest...), ""
	}}
}

func (p *placeholders) listAction(name string) modelAction {
	at := p.rnd.IntN(3)
	path := fmt.Sprintf("%s[%d]", name, at)
	inside := func(f func(list []any) []any) func(modelItem) (any, string) {
		return func(old modelItem) (any, string) {
			list, ok := old["v"].([]any)
			if !ok {
				return nil, evalPath
			}
			return f(slices.Clone(list)), ""
		}
	}
	switch p.rnd.IntN(3) {
	case 0:
		return modelAction{"REMOVE", path, "v", inside(func(list []any) []any {
			if at < len(list) {
				return slices.Delete(list, at, at+1)
			}
			return list
		})}
	case 1:
		x := modelValue(p.rnd, attr.S)
		return modelAction{"SET", path + " = " + p.value(x), "v", inside(func(list []any) []any {
			if at < len(list) {
				list[at] = x
				return list
			}
			return append(list, x)
		})}
	}
	more := modelValue(p.rnd, attr.L).([]any)
	return modelAction{"SET", name + " = list_append(" + p.name("v") + ", " + p.value(more) + ")", "v",
		func(old modelItem) (any, string) {
			if old["v"] == nil {
				return nil, evalMissing
			}
			list, ok := old["v"].([]any)
			if !ok {
				return nil, evalType
			}
			return append(slices.Clone(list), more...), ""
		}}
}

func (p *placeholders) mapAction(name string) modelAction {
	field := pick(p.rnd, "x", "y")
	var v any
	a := modelAction{"REMOVE", name + "." + field, "m", nil}
	if p.rnd.IntN(2) == 0 {
		v = modelValue(p.rnd, pick(p.rnd, attr.S, attr.N))
		a.clause, a.text = "SET", a.text+" = "+p.value(v)
	}
	a.apply = func(old modelItem) (any, string) {
		m, ok := old["m"].(map[string]any)
		if !ok {
			return nil, evalPath
		}
		return map[string]any(modelItem(m).with(field, v)), ""
	}
	return a
}
