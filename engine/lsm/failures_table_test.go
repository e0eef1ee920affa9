package lsm

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testsIn returns the names of the test functions of a folder, whatever their build tags.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	found := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Type.Params.NumFields() == 1 {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}

// TestFailuresAreCovered: every row of FAILURES.md names tests that exist, or what it waits for. A path
// that begins with internal is one of this folder, others begin at the root of the module.
func TestFailuresAreCovered(t *testing.T) {
	text, err := os.ReadFile("FAILURES.md")
	require.NoError(t, err)
	folders := map[string]map[string]bool{}
	rows, named := 0, 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 2 || cells[0] == "mistake" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		rows++
		if rest, ok := strings.CutPrefix(cells[1], "Later: "); ok {
			require.NotEmpty(t, rest, cells[0])
			continue
		}
		dir := "."
		for word := range strings.FieldsSeq(cells[1]) {
			if path, ok := strings.CutPrefix(word, "`"); ok {
				dir = strings.TrimSuffix(path, "`")
				if !strings.HasPrefix(dir, "internal/") {
					dir = filepath.Join("..", "..", dir)
				}
				continue
			}
			if folders[dir] == nil {
				folders[dir] = testsIn(t, dir)
			}
			require.True(t, strings.HasPrefix(word, "Test") && folders[dir][word], "%s: no %s in %s", cells[0], word, dir)
			named++
			dir = "."
		}
		require.Equal(t, ".", dir, "%s: a path without a test", cells[0])
	}
	require.Greater(t, rows, 50)
	require.Greater(t, named, 2*rows)
}
