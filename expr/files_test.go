package expr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// TestParse pins trees: the text printed back, and the structure.
func TestParse(t *testing.T) {
	datadriven.RunTest(t, "testdata/parse", func(t *testing.T, d *datadriven.TestData) string {
		printed, tree, err := parseAny(d.Cmd, d.Input)
		if err != nil {
			return err.Error() + "\n"
		}
		again, sameTree, err := parseAny(d.Cmd, printed)
		require.NoError(t, err, "printed text %q", printed)
		require.Equal(t, printed, again)
		require.Equal(t, tree, sameTree)
		return printed + "\n" + tree + "\n"
	})
}

// parseAny parses a text and returns it printed, and its structure.
func parseAny(kind, text string) (printed, tree string, err error) {
	switch kind {
	case "projection":
		t, err := ParseProjection(text)
		if err != nil {
			return "", "", err
		}
		var parts []string
		for _, p := range t.Paths {
			parts = append(parts, structure(p))
		}
		return t.String(), strings.Join(parts, " "), nil
	case "update":
		t, err := ParseUpdate(text)
		if err != nil {
			return "", "", err
		}
		var parts []string
		for _, c := range t.Clauses {
			parts = append(parts, structure(c))
		}
		return t.String(), strings.Join(parts, " "), nil
	default:
		t, err := ParseCondition(KindCondition, text)
		if err != nil {
			return "", "", err
		}
		return t.String(), structure(t.Root), nil
	}
}

// structure writes a tree so that grouping shows.
func structure(n Node) string {
	switch n := n.(type) {
	case *And:
		return "(and" + structures(n.Terms) + ")"
	case *Or:
		return "(or" + structures(n.Terms) + ")"
	case *Not:
		return "(not " + structure(n.Term) + ")"
	case *Compare:
		return fmt.Sprintf("(%s %s %s)", n.Op, structure(n.Left), structure(n.Right))
	case *Between:
		return fmt.Sprintf("(between %s %s %s)", structure(n.X), structure(n.Lo), structure(n.Hi))
	case *In:
		return "(in " + structure(n.X) + structures(n.List) + ")"
	case *Call:
		return "(" + n.Fn.String() + structures(n.Args) + ")"
	case *Arith:
		return fmt.Sprintf("(%s %s %s)", n.Op, structure(n.Left), structure(n.Right))
	case *DocPath:
		var parts []string
		for _, e := range n.Elems {
			if e.Kind == ElemIndex {
				parts = append(parts, strconv.Itoa(e.Index))
			} else {
				parts = append(parts, e.Name)
			}
		}
		return strings.Join(parts, "/")
	case *Clause:
		s := n.Action.String() + " " + structure(n.Path)
		if n.Value != nil {
			s += " " + structure(n.Value)
		}
		return "(" + s + ")"
	default:
		return n.String()
	}
}

func structures[N Node](list []N) string {
	var s strings.Builder
	for _, n := range list {
		s.WriteString(" " + structure(n))
	}
	return s.String()
}

// compileAny compiles a request through a cache, twice, so that both a parsed and a cached tree
// are seen to give the same.
func compileAny(t testing.TB, kind string, r request) (any, error) {
	t.Helper()
	c := NewCache(4)
	first, err := compileOnce(c, kind, r)
	_, again := compileOnce(c, kind, r)
	require.Equal(t, err, again, "a cached tree must give the same error")
	return first, err
}

func compileOnce(c *Cache, kind string, r request) (out any, err error) {
	b := r.binder()
	switch kind {
	case "condition":
		out, err = c.Condition(r.text, b)
	case "filter":
		out, err = c.Filter(r.text, b)
	case "key":
		out, err = c.KeyCondition(r.text, b)
	case "projection":
		out, err = c.Projection(r.text, b)
	case "update":
		out, err = c.Update(r.text, b)
	default:
		return nil, fmt.Errorf("unknown command %q", kind)
	}
	if err != nil {
		return nil, err
	}
	return out, b.Unused()
}

// TestErrors pins the texts of the compiler, and which of several errors is reported. The files
// repeat each text in full, from the reference and not from our constants.
func TestErrors(t *testing.T) {
	datadriven.Walk(t, "testdata/errors", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			_, err := compileAny(t, d.Cmd, parseRequest(t, d.Input))
			if err == nil {
				return "ok\n"
			}
			var e *Error
			require.ErrorAs(t, err, &e)
			return fmt.Sprintf("%s\n@%d\n", e.Msg, e.Pos)
		})
	})
}

// TestEval pins the meaning of conditions: each line of an "eval" is one condition.
func TestEval(t *testing.T) {
	datadriven.Walk(t, "testdata/eval", func(t *testing.T, path string) {
		var item attr.Item
		var r request
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "item":
				item = parseItem(t, d.Input)
				return ""
			case "placeholders":
				r = parseRequest(t, d.Input)
				return ""
			}
			var out strings.Builder
			for line := range strings.SplitSeq(d.Input, "\n") {
				r.text = line
				c, err := NewCache(1).Condition(line, r.binder())
				require.NoError(t, err, "%s", line)
				out.WriteString(fmt.Sprintf("%v\n", c.Eval(item)))
			}
			return out.String()
		})
	})
}

// TestProject pins projections of one item.
func TestProject(t *testing.T) {
	datadriven.RunTest(t, "testdata/project", func(t *testing.T, d *datadriven.TestData) string {
		r := parseRequest(t, d.Input)
		out, err := compileAny(t, "projection", r)
		require.NoError(t, err)
		p := out.(*Projection)
		item := p.Apply(nil, parseItem(t, r.other["item"]))
		require.NotNil(t, item)
		require.NoError(t, attr.CheckItem(item))
		prefixed := p.Apply([]byte("x"), parseItem(t, r.other["item"]))
		require.Equal(t, "x"+string(item), string(prefixed))
		return fmt.Sprintf("%s\ntop level %v\n", showItem(item), p.TopLevel())
	})
}

// TestKeyCondition pins the reduction of key conditions.
func TestKeyCondition(t *testing.T) {
	datadriven.RunTest(t, "testdata/key", func(t *testing.T, d *datadriven.TestData) string {
		out, err := compileAny(t, "key", parseRequest(t, d.Input))
		require.NoError(t, err)
		var s strings.Builder
		for _, c := range out.(*KeyCondition).Conds {
			s.WriteString(c.Attr + " " + c.Op.String())
			for _, v := range c.Values {
				s.WriteString(" " + showValue(v))
			}
			s.WriteString("\n")
		}
		return s.String()
	})
}

// TestUpdate pins the evaluation of updates, and what UPDATED_OLD and UPDATED_NEW show of it.
func TestUpdate(t *testing.T) {
	datadriven.Walk(t, "testdata/update", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			r := parseRequest(t, d.Input)
			out, err := compileAny(t, "update", r)
			require.NoError(t, err)
			return runUpdate(t, out.(*Update), parseItem(t, r.other["old"]))
		})
	})
}

func runUpdate(t *testing.T, u *Update, old attr.Item) string {
	t.Helper()
	key := parseItem(t, `{pk: "k"}`)
	item, err := u.Apply(old, key)
	if err != nil {
		var e *EvalError
		require.True(t, errors.As(err, &e))
		return e.Msg + "\n"
	}
	require.NoError(t, attr.CheckItem(item), "%x", []byte(item))
	again, err := u.Apply(old, key)
	require.NoError(t, err)
	require.Equal(t, item, again, "an update must be repeatable")
	return fmt.Sprintf("%s\nold %s\nnew %s\n",
		showItem(item), showItem(u.Project(old)), showItem(u.ProjectNew(item)))
}
