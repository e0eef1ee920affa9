package lint

import (
	"go/ast"
	"slices"
	"strings"
)

// banned is a name of the standard library that may not be used somewhere.
type banned struct {
	rule, path string
	names      []string // none means all but those in except
	except     []string
	where      func(*file) bool
	why        string
}

func belowCmd(f *file) bool {
	return !f.test && !covers("cmd/...", f.pkg) && !covers("scripts/...", f.pkg) && !covers("compat/...", f.pkg)
}

// belowSemantics leaves out the LSM, whose background work and bounded waits pace themselves with
// timers: nothing that it stores or answers depends on them.
func belowSemantics(f *file) bool { return belowCmd(f) && !covers("engine/lsm/...", f.pkg) }

func notMain(f *file) bool { return !f.test && f.ast.Name.Name != "main" }

// bannedNames is what checkCalls looks for.
var bannedNames = []banned{
	{"clock", "time", []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick"}, nil,
		belowCmd, "the clock comes in by options"},
	{"clock", "time", []string{"NewTimer", "NewTicker"}, nil, belowSemantics,
		"the clock comes in by options"},
	{"rand", "math/rand", nil, []string{"New", "NewSource", "Rand", "Source"}, belowCmd,
		"randomness comes in by options"},
	{"rand", "math/rand/v2", nil, []string{"New", "NewPCG", "NewChaCha8", "Rand", "Source", "PCG",
		"ChaCha8", "NewZipf", "Zipf"}, belowCmd, "randomness comes in by options"},
	{"exit", "os", []string{"Exit"}, nil, notMain, "return an error"},
	{"exit", "log", nil, nil, notMain, "return an error, or take a logger by options"},
	{"print", "fmt", []string{"Print", "Printf", "Println"}, nil, notMain, "take an io.Writer"},
	{"sleep", "time", []string{"Sleep"}, nil, func(f *file) bool { return f.test },
		"wait for the event, or move the clock by hand"},
}

// checkCalls looks for banned names by the local names of imports, which is exact as long as no
// variable hides an import.
func (f *file) checkCalls() {
	imported := map[string]string{} // local name → path
	for _, spec := range f.ast.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		local := path[strings.LastIndex(path, "/")+1:]
		if path == "math/rand/v2" {
			local = "rand"
		}
		if spec.Name != nil {
			local = spec.Name.Name
		}
		imported[local] = path
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if left, ok := sel.X.(*ast.Ident); ok && imported[left.Name] != "" {
			f.checkName(imported[left.Name], sel)
		}
		return true
	})
	for _, d := range f.ast.Decls {
		if f.protoc() {
			break
		}
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			f.report("init", fn.Pos(), "an init function delays every start: make a value or a constructor")
		}
	}
}

func (f *file) checkName(path string, sel *ast.SelectorExpr) {
	for _, b := range bannedNames {
		if b.path != path || slices.Contains(b.except, sel.Sel.Name) || !b.where(f) {
			continue
		}
		if b.names == nil || slices.Contains(b.names, sel.Sel.Name) {
			f.report(b.rule, sel.Pos(), "%s.%s: %s", path, sel.Sel.Name, b.why)
		}
	}
}

// checkExported wants a comment on every exported name; one comment may serve a group of
// constants or variables.
func (f *file) checkExported() {
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d.Recv) && !wellKnown(d) {
				f.report("exported", d.Pos(), "%s has no comment", d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				f.checkSpec(d, spec)
			}
		}
	}
}

func (f *file) checkSpec(d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && d.Doc == nil && s.Comment == nil {
			f.report("exported", s.Pos(), "type %s has no comment", s.Name.Name)
		}
	case *ast.ValueSpec:
		if s.Names[0].IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
			f.report("exported", s.Pos(), "%s has no comment", s.Names[0].Name)
		}
	}
}

func exportedReceiver(recv *ast.FieldList) bool {
	if recv == nil || len(recv.List) == 0 {
		return true
	}
	t := recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	name, ok := t.(*ast.Ident)
	return ok && name.IsExported()
}

// wellKnown is true of methods whose meaning the standard library fixes.
func wellKnown(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"String", "Error", "Unwrap", "Len", "Less", "Swap"}, d.Name.Name)
}
