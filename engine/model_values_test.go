package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
	numbers "github.com/keystone-db/kstone/engine/number"
)

// The model's values are plain Go: string is S, int64 N, modelBytes B, modelSet SS, []any L,
// map[string]any M. They are never changed in place.
type (
	modelBytes string
	modelSet   string // sorted members, each followed by a blank
	modelItem  map[string]any
)

func setOf(members ...string) modelSet {
	slices.Sort(members)
	var out strings.Builder
	for _, m := range slices.Compact(members) {
		out.WriteString(m + " ")
	}
	return modelSet(out.String())
}

func (s modelSet) members() []string { return strings.Fields(string(s)) }

// encoded is a model value as the database wants it.
func encoded(v any) attr.Value {
	switch v := v.(type) {
	case string:
		return attr.String(v)
	case int64:
		return attr.Int(v)
	case modelBytes:
		return attr.Binary([]byte(v))
	case modelSet:
		set, _ := attr.StringSet(v.members()...)
		return set
	case []any:
		var list []attr.Value
		for _, e := range v {
			list = append(list, encoded(e))
		}
		return attr.List(list...)
	case map[string]any:
		return attr.Map(encodedItem(v))
	}
	return nil
}

func encodedItem(it modelItem) attr.Item {
	b := attr.NewItem()
	for name, v := range it {
		b.Value(name, encoded(v))
	}
	out, _ := b.Build()
	return out
}

// shown prints a model value so that equal values print the same.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case modelItem:
		return shown(map[string]any(v))
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, shown(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, name+":"+shown(v[name]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case modelSet:
		return fmt.Sprintf("set%q", v.members())
	case modelBytes:
		return fmt.Sprintf("%x", string(v))
	}
	return fmt.Sprintf("%#v", v)
}

// shownValue prints a value of the database in the model's form.
func shownValue(v attr.Value) string {
	switch v.Type() {
	case attr.S:
		return shown(v.Text())
	case attr.N:
		n, _ := numbers.Int(v.Payload())
		return shown(n)
	case attr.B:
		return shown(modelBytes(v.Payload()))
	case attr.SS:
		var members []string
		for r := attr.SetReader(v); r.Next(); {
			members = append(members, string(r.Bytes()))
		}
		return shown(setOf(members...))
	case attr.L:
		var parts []string
		for r := attr.ListReader(v); r.Next(); {
			parts = append(parts, shownValue(r.Value()))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case attr.M:
		return shownItem(v.MapItem())
	}
	return "?" + v.Type().String()
}

// shownItem prints an item of the database in the model's form, - for none.
func shownItem(it attr.Item) string {
	if it == nil {
		return "-"
	}
	var parts []string
	for r := it.Read(); ; {
		name, v, ok := r.Next()
		if !ok {
			break
		}
		parts = append(parts, string(name)+":"+shownValue(v))
	}
	sort.Strings(parts)
	return "{" + strings.Join(parts, ",") + "}"
}

// shownOrNone is shown for an item that may be absent.
func shownOrNone(it modelItem) string {
	if it == nil {
		return "-"
	}
	return shown(it)
}

// ordered compares two values of one type among S, N and B as the service orders them.
func ordered(a, b any) (int, bool) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), true
		}
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b), true
		}
	case modelBytes:
		if b, ok := b.(modelBytes); ok {
			return cmp.Compare(a, b), true
		}
	}
	return 0, false
}

func (it modelItem) with(name string, v any) modelItem {
	out := maps.Clone(it)
	if out == nil {
		out = modelItem{}
	}
	if v == nil {
		delete(out, name)
	} else {
		out[name] = v
	}
	return out
}

func (it modelItem) project(names []string) modelItem {
	out := modelItem{}
	for _, n := range names {
		if v, ok := it[n]; ok {
			out[n] = v
		}
	}
	return out
}
