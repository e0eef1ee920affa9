package api_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew; read the difference")

// textPackages are the packages that hold texts a client can see, from this directory.
func textPackages() []string {
	return []string{".", "../attr", "../../expr", "../../dynamowire", "../../dynamowire/codec", "../../dynamowire/sigv4", "../../partiql"}
}

const goldenTexts = "testdata/texts.golden"

// All texts of the wire in one file, so that a changed letter shows in a review (wire-facts §1, §2,
// §4 to §6, §8). The odd spellings of the service are meant: "limit of2048", "set  may",
// "ResourcArn", "Atleast", "dectected".
func TestTextsGolden(t *testing.T) {
	var b strings.Builder
	for _, dir := range textPackages() {
		texts := packageTexts(t, dir)
		names := make([]string, 0, len(texts))
		for n := range texts {
			names = append(names, n)
		}
		sort.Strings(names)
		fmt.Fprintf(&b, "# %s\n", strings.TrimLeft(filepath.ToSlash(filepath.Join("engine/api", dir)), "/"))
		for _, n := range names {
			fmt.Fprintf(&b, "%s = %q\n", n, texts[n])
		}
	}
	if *rewrite {
		require.NoError(t, os.MkdirAll(filepath.Dir(goldenTexts), 0o755))
		require.NoError(t, os.WriteFile(goldenTexts, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(goldenTexts)
	require.NoError(t, err)
	gone, come := difference(string(want), b.String()), difference(b.String(), string(want))
	if len(gone)+len(come) > 0 {
		t.Fatalf("go test ./engine/api -rewrite, then read the difference\nonly in the file:\n%s\n"+
			"only in the sources:\n%s", strings.Join(gone, "\n"), strings.Join(come, "\n"))
	}
}

// difference returns the lines of a that b lacks.
func difference(a, b string) []string {
	in := make(map[string]bool)
	for line := range strings.Lines(b) {
		in[line] = true
	}
	var out []string
	for line := range strings.Lines(a) {
		if !in[line] {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

// isText says whether a constant of that name holds a text.
func isText(name string) bool {
	for _, prefix := range []string{"msg", "Msg", "Prefix", "Constraint", "Reason"} {
		if strings.HasPrefix(name, prefix) && len(name) > len(prefix) {
			return true
		}
	}
	return false
}

// packageTexts evaluates the text constants of a package's sources.
func packageTexts(t *testing.T, dir string) map[string]string {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	exprs := make(map[string]ast.Expr)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || strings.HasSuffix(f, "_gen.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						exprs[name.Name] = spec.Values[i]
					}
				}
			}
			return true
		})
	}
	texts := make(map[string]string)
	for name, e := range exprs {
		if text, ok := evaluate(e, exprs); ok && isText(name) {
			texts[name] = text
		}
	}
	return texts
}

// evaluate computes a string constant of literals, names of the package and +.
func evaluate(e ast.Expr, exprs map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		if def := exprs[e.Name]; def != nil {
			return evaluate(def, exprs)
		}
	case *ast.BinaryExpr:
		x, ok1 := evaluate(e.X, exprs)
		y, ok2 := evaluate(e.Y, exprs)
		return x + y, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}
