package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exampled are the packages for people: every function and method that they export is called by one of
// their examples.
var exampled = []string{"engine", "engine/build", "grpcapi/client", "dynamowire/awslocal"}

// plain are methods that interfaces of Go ask for, and what calls them is no program of a user.
var plain = map[string]bool{
	"Error": true, "Unwrap": true, "String": true, "Unavailable": true, "RoundTrip": true, "Do": true,
}

// TestExamples goes by names: a call of a method of that name counts, whatever has it.
func TestExamples(t *testing.T) {
	for _, dir := range exampled {
		exported, called := map[string]bool{}, map[string]bool{}
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
		require.NoError(t, err)
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			require.NoError(t, err)
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				switch {
				case !ok:
				case strings.HasSuffix(path, "_test.go"):
					if strings.HasPrefix(f.Name.Name, "Example") {
						addCalls(f, called)
					}
				case f.Name.IsExported() && !plain[f.Name.Name] && (f.Recv == nil || ast.IsExported(receiver(f))):
					exported[f.Name.Name] = true
				}
			}
		}
		require.NotEmpty(t, exported, dir)
		for name := range exported {
			if !called[name] {
				t.Errorf("%s: no example calls %s", dir, name)
			}
		}
	}
}

// receiver is the name of the type that has a method.
func receiver(f *ast.FuncDecl) string {
	name := ""
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}

// addCalls adds the names that are selected in a function.
func addCalls(f *ast.FuncDecl, called map[string]bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			called[s.Sel.Name] = true
		}
		return true
	})
}
