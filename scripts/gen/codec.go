package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// genSlow writes the shape tables of the slow codec: what requests, answers and errors hold.
func genSlow(m *model, files map[string][]byte) error {
	seen := make(map[string]bool)
	for _, f := range families() {
		g := group{name: f.name}
		for _, name := range f.operations {
			m.collect(name+"Input", seen, &g)
			m.collect(name+"Output", seen, &g)
		}
		if f.name == "items" {
			m.collectErrors(seen, &g)
		}
		g.shapes = slices.DeleteFunc(g.shapes, func(s *shape) bool { return isScalar(s.Kind) })
		var b bytes.Buffer
		b.WriteString(header + "package codec\n\n")
		fmt.Fprintf(&b, "// Shapes of requests and answers of the family %q.\nvar (\n", g.name)
		for _, s := range g.shapes {
			fmt.Fprintf(&b, "slow%s = &slowShape{%s}\n", s.Name, slowFields(m, s))
		}
		b.WriteString(")\n")
		if err := finish(files, "dynamowire/codec/slow_"+g.name+"_gen.go", &b); err != nil {
			return err
		}
	}
	return genSlowOperations(m, files)
}

func slowFields(m *model, s *shape) string {
	f := []string{"kind: " + slowKind(s)}
	switch s.Kind {
	case kindStructure:
		f = append(f, fmt.Sprintf("name: %q", s.Name))
		var b strings.Builder
		for _, mb := range s.Members {
			fmt.Fprintf(&b, "\n{%q, %s},", mb.Name, slowVar(m, mb.Type))
		}
		f = append(f, "members: []slowMember{"+b.String()+"\n}")
	case kindList:
		f = append(f, "of: "+slowVar(m, s.Of))
	case kindMap:
		f = append(f, "of: "+slowVar(m, s.Of))
	}
	return strings.Join(f, ", ")
}

func slowKind(s *shape) string {
	if s.Kind == kindMap {
		return map[string]string{
			mapItem: "slowItem", mapNames: "slowNames", mapValues: "slowValues", mapSlice: "slowMap",
		}[mapForm(s)]
	}
	return "slow" + camel(s.Kind)
}

func slowVar(m *model, name string) string {
	s := m.shape(name)
	if s.Kind == kindValue || isScalar(s.Kind) {
		return "slowBare" + camel(s.Kind)
	}
	return "slow" + s.Name
}

// genSlowOperations writes the tables by operation.
func genSlowOperations(m *model, files map[string][]byte) error {
	var b bytes.Buffer
	b.WriteString(header + "package codec\n\nimport (\n\"reflect\"\n\n" +
		"\"github.com/keystone-db/kstone/engine/api\"\n)\n\n")
	b.WriteString("// slowOperation returns the shapes of an operation's request and answer; false for one " +
		"that is unknown.\n")
	b.WriteString("func slowOperation(operation string) (op slowOp, ok bool) { " +
		"//nolint:funlen // one flat switch\nswitch operation {\n")
	for _, op := range m.Operations {
		fmt.Fprintf(&b, "case %q:\nreturn slowOp{reflect.TypeFor[api.%s](), slow%s, slow%s}, true\n",
			op.Name, op.Input, op.Input, op.Output)
	}
	b.WriteString("}\nreturn slowOp{}, false\n}\n\n")
	b.WriteString("// Shapes without members.\nvar (\n")
	for _, k := range []string{
		kindString, kindInteger, kindLong, kindDouble, kindBoolean, kindTimestamp, kindBlob, kindValue,
	} {
		fmt.Fprintf(&b, "slowBare%s = &slowShape{kind: slow%s}\n", camel(k), camel(k))
	}
	b.WriteString(")\n")
	return finish(files, "dynamowire/codec/slow_gen.go", &b)
}
