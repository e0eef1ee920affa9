package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Sizes at which a finding is made, in lines.
const (
	fileLinesMax = 1000
	funcLinesMax = 100
)

// Finding is one breach of a rule.
type Finding struct {
	Rule string // the name of the rule, as in the package comment
	Pos  string // file:line, relative to the root
	Text string // what is wrong and what to do
}

// String is one line: position, rule, text.
func (f Finding) String() string { return fmt.Sprintf("%s: %s (%s)", f.Pos, f.Text, f.Rule) }

// Check parses every Go file under root, testdata and hidden folders aside, and returns what
// breaks a rule, sorted by position.
func Check(root string) ([]Finding, error) {
	files, err := parseAll(root)
	if err != nil {
		return nil, err
	}
	var found []Finding
	documented := map[string]bool{}
	first := map[string]*file{}
	for _, f := range files {
		f.check()
		found = append(found, f.found...)
		if f.test {
			continue
		}
		documented[f.pkg] = documented[f.pkg] || f.ast.Doc != nil
		if first[f.pkg] == nil {
			first[f.pkg] = f
		}
	}
	for pkg, f := range first {
		if !documented[pkg] {
			found = append(found, Finding{"packagedoc", f.name + ":1", "package " + pkg + " has no package comment"})
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return found, nil
}

// file is one parsed Go file with what is found in it.
type file struct {
	name      string // relative to the root, with slashes
	pkg       string // folder, relative to the root
	test      bool
	generated bool
	lines     int
	fset      *token.FileSet
	ast       *ast.File
	exempt    map[int]string // line → rule that is switched off there
	found     []Finding
}

func parseAll(root string) ([]*file, error) {
	var files []*file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && name != root && (base == "testdata" || base[0] == '.' || base[0] == '_') {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		f, err := parseFile(root, name)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

func parseFile(root, name string) (*file, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{name: rel, pkg: path.Dir(rel), fset: fset, ast: tree, exempt: map[int]string{}}
	f.test = strings.HasSuffix(rel, "_test.go")
	f.generated = ast.IsGenerated(tree)
	f.lines = fset.File(tree.Pos()).LineCount()
	return f, nil
}

// report notes a finding unless its line, or the one above, is exempted from the rule.
func (f *file) report(rule string, pos token.Pos, format string, args ...any) {
	line := f.fset.Position(pos).Line
	if f.exempt[line] == rule || f.exempt[line-1] == rule {
		return
	}
	f.found = append(f.found, Finding{rule, fmt.Sprintf("%s:%d", f.name, line), fmt.Sprintf(format, args...)})
}

// protoc says whether protoc made the file, which comments not everything and registers itself by init.
func (f *file) protoc() bool { return f.generated && strings.HasSuffix(f.name, ".pb.go") }

func (f *file) check() {
	f.checkComments()
	f.checkImports()
	f.checkSize()
	f.checkCalls()
	if !f.test && !f.protoc() {
		f.checkExported()
	}
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers"}, f.ast.Name.Name) {
		f.report("pkgname", f.ast.Name.Pos(), "package %s says nothing of what it does", f.ast.Name.Name)
	}
}

var exemption = regexp.MustCompile(`^//(?:nolint|lint):([a-z]+)(?: (?://)? ?(.*))?$`)

// leftovers are spelled in two halves so that this file passes its own rule.
var leftovers = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func (f *file) checkComments() {
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if word := leftovers.FindString(c.Text); word != "" {
				f.report("leftover", c.Pos(), "%s left in the code: do it or file an issue", word)
			}
			if !strings.HasPrefix(c.Text, "//nolint") && !strings.HasPrefix(c.Text, "//lint:") {
				continue
			}
			m := exemption.FindStringSubmatch(c.Text)
			if m == nil || strings.TrimSpace(m[2]) == "" {
				f.report("nolint", c.Pos(), "write //nolint:RULE // reason")
				continue
			}
			f.exempt[f.fset.Position(c.Pos()).Line] = m[1]
		}
	}
}

func (f *file) checkImports() {
	row, known := allowedImports(f.pkg)
	if !known {
		f.report("imports", f.ast.Name.Pos(), "package %s is not in the import table", f.pkg)
	}
	for _, spec := range f.ast.Imports {
		name := strings.Trim(spec.Path.Value, `"`)
		if own, ok := strings.CutPrefix(name, modulePath); ok {
			if known && !f.test && !coversAny(row, own) {
				f.report("imports", spec.Pos(), "%s may not import %s", f.pkg, own)
			}
			continue
		}
		for module, who := range moduleTable {
			if !strings.HasPrefix(name, module) || coversAny(who, f.pkg) {
				continue
			}
			// Tests choose their tools freely, except for the SDK, which would hide what a door does.
			if !f.test || module == "github.com/aws/" {
				f.report("modules", spec.Pos(), "%s may not import %s", f.pkg, name)
			}
		}
	}
}

func (f *file) checkSize() {
	if f.lines > fileLinesMax && !f.generated {
		f.report("filelen", f.ast.Name.Pos(), "%d lines, at most %d", f.lines, fileLinesMax)
	}
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || f.generated || f.test {
			continue
		}
		from, to := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
		if to-from+1 > funcLinesMax && !f.exemptDoc(fn.Doc, "funlen") {
			f.report("funlen", fn.Pos(), "function %s has %d lines, at most %d", fn.Name.Name, to-from+1, funcLinesMax)
		}
	}
}

func (f *file) exemptDoc(doc *ast.CommentGroup, rule string) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if f.exempt[f.fset.Position(c.Pos()).Line] == rule {
			return true
		}
	}
	return false
}
