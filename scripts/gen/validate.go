package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// inputGroups returns, per family, the shapes that requests can hold; each shape once.
func (m *model) inputGroups() []group {
	seen := make(map[string]bool)
	var out []group
	for _, f := range families() {
		g := group{name: f.name}
		for _, name := range f.operations {
			m.collect(name+"Input", seen, &g)
		}
		out = append(out, g)
	}
	return out
}

// genConstraints writes the constraint tables of engine/validate, one file a family.
func genConstraints(m *model, files map[string][]byte) error {
	for _, g := range m.inputGroups() {
		var b bytes.Buffer
		b.WriteString(header + "package validate\n\n")
		fmt.Fprintf(&b, "// Shapes that requests of the family %q hold, and their constraints.\nvar (\n", g.name)
		for _, s := range g.shapes {
			fmt.Fprintf(&b, "shape%s = &shape{%s}\n", s.Name, constraintFields(m, s))
		}
		b.WriteString(")\n")
		if err := finish(files, "engine/validate/"+g.name+"_gen.go", &b); err != nil {
			return err
		}
	}
	return genInputShapes(m, files)
}

func genInputShapes(m *model, files map[string][]byte) error {
	var b bytes.Buffer
	b.WriteString(header + "package validate\n\n")
	b.WriteString("// inputShape returns the shape of an operation's request, nil for unknown operations.\n")
	b.WriteString("func inputShape(operation string) *shape { //nolint:funlen // one flat switch\nswitch operation {\n")
	for _, op := range m.Operations {
		fmt.Fprintf(&b, "case %q:\nreturn shape%s\n", op.Name, op.Input)
	}
	b.WriteString("}\nreturn nil\n}\n\n")
	b.WriteString("// Shapes of scalars without constraints, of single values, items and placeholders.\nvar (\n")
	for _, k := range []string{
		kindString, kindInteger, kindLong, kindDouble, kindBoolean, kindTimestamp, kindBlob, kindValue,
	} {
		fmt.Fprintf(&b, "%s = &shape{kind: %s}\n", shapeVar(m, k), kindVar(k))
	}
	b.WriteString(")\n")
	return finish(files, "engine/validate/shapes_gen.go", &b)
}

// constraintFields renders the fields of a shape.
func constraintFields(m *model, s *shape) string {
	var f []string
	add := func(format string, args ...any) { f = append(f, fmt.Sprintf(format, args...)) }
	switch {
	case s.Kind == kindMap && mapForm(s) != mapSlice:
		add("kind: %s", map[string]string{
			mapItem: "kindItem", mapNames: "kindNames", mapValues: "kindValues",
		}[mapForm(s)])
	default:
		add("kind: %s", kindVar(s.Kind))
	}
	add("name: %q", s.Name)
	if s.Min != nil {
		add("min: some(%d)", *s.Min)
	}
	if s.Max != nil {
		add("max: some(%d)", *s.Max)
	}
	if s.HideOverMax {
		add("hideOverMax: true")
	}
	if s.Bare {
		add("bare: true")
	}
	if s.Pattern != "" {
		add("pattern: %q", s.Pattern)
		if re := goPattern(s.Pattern); re != s.Pattern {
			add("re: %q", re)
		}
	}
	if len(s.Enum) > 0 {
		add("enum: []string{%s}", quoted(s.Enum))
	}
	if s.Key != "" && s.Kind == kindMap {
		add("key: %s", shapeVar(m, s.Key))
	}
	if s.Of != "" {
		add("of: %s", shapeVar(m, s.Of))
	}
	if s.Kind == kindStructure {
		add("members: []member{%s}", constraintMembers(m, s))
		if len(s.Walk) > 0 {
			order := strings.Trim(strings.ReplaceAll(fmt.Sprint(s.walkOrder()), " ", ", "), "[]")
			add("walk: []int{%s}", order)
		}
	}
	return strings.Join(f, ", ")
}

func constraintMembers(m *model, s *shape) string {
	var b strings.Builder
	b.WriteString("\n")
	for _, mb := range s.Members {
		required := ""
		if mb.Required {
			required = ", required: true"
		}
		fmt.Fprintf(&b, "{name: %q, shape: %s%s},\n", lowerFirst(mb.Name), shapeVar(m, mb.Type), required)
	}
	return b.String()
}

// lowerFirst is the spelling of members in constraint errors.
func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(q, ", ")
}

func kindVar(kind string) string { return "kind" + camel(kind) }

func shapeVar(m *model, name string) string {
	if isScalar(name) || name == kindValue {
		return "bare" + camel(name)
	}
	if name == attributeValue {
		return "bareValue"
	}
	return "shape" + m.shape(name).Name
}

// goPattern turns a pattern of the service, written for Java, into one for package regexp that
// matches the whole string.
func goPattern(java string) string {
	s := java
	s = strings.ReplaceAll(s, `\uD800\uDC00-\uDBFF\uDFFF`, `\x{10000}-\x{10FFFF}`)
	s = regexp.MustCompile(`\\u([0-9A-F]{4})`).ReplaceAllString(s, `\x{$1}`)
	s = strings.ReplaceAll(s, `\p{Print}`, `[[:print:]]`)
	s = strings.ReplaceAll(s, `\_`, `_`)
	return s
}
