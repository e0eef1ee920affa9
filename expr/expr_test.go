package expr

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	gotoken "go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// TestLimits pins the limits at their value and one beyond. The texts are the reference's.
func TestLimits(t *testing.T) {
	repeat := func(s, sep string, n int) string {
		return strings.TrimSuffix(strings.Repeat(s+sep, n), sep)
	}
	pad := func(n int) string { return strings.Repeat(" ", n-len("a = :v")) + "a = :v" }
	cases := []struct{ name, kind, text, want string }{
		{"empty", "condition", "", "Invalid ConditionExpression: The expression can not be empty;"},
		{"empty key", "key", "", "Invalid KeyConditionExpression: The expression can not be empty;"},
		{"blank", "update", " \t", `Invalid UpdateExpression: Syntax error; token: "<EOF>", near: ""`},
		{"4096 bytes", "condition", pad(4096), ""},
		{
			"4097 bytes", "filter", pad(4097),
			"Invalid FilterExpression: Expression size has exceeded the maximum allowed size; expression size: 4097",
		},
		{
			"4097 bytes of update", "update", "SET" + pad(4094),
			"Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;",
		},
		{"300 operators", "condition", repeat("NOT", " ", 299) + " a=:v", ""},
		{
			"301 operators", "condition", repeat("NOT", " ", 300) + " a=:v",
			"Invalid ConditionExpression: The expression contains too many operators; operator count: 301",
		},
		{
			"301 comparators and ands", "condition", repeat("a=:v", " AND ", 151),
			"Invalid ConditionExpression: The expression contains too many operators; operator count: 301",
		},
		{
			"301 operators of an update", "update",
			"SET " + func() string {
				var parts []string
				for i := range 301 {
					parts = append(parts, fmt.Sprintf("a%d=a+:v", i))
				}
				return strings.Join(parts, ",")
			}(),
			"Invalid UpdateExpression: The expression contains too many operators; operator count: 301",
		},
		{"100 operands", "filter", "a IN (" + repeat(":v", ",", 100) + ")", ""},
		{
			"163 operands", "filter", "a IN (" + repeat(":v", ",", 163) + ")",
			"Invalid FilterExpression: The IN operator is provided with too many operands; number of operands: 163",
		},
		{
			"deep parentheses", "condition", strings.Repeat("(", 2000) + "a=:v" + strings.Repeat(")", 2000),
			"Invalid ConditionExpression: The expression has redundant parentheses;",
		},
		{
			"deep functions", "condition", strings.Repeat("size(", 680) + "a" + strings.Repeat(")", 680) + "=:v",
			"Invalid ConditionExpression: The expression contains too many operators; operator count: 681",
		},
		{
			"deep update", "update", "SET a=" + strings.Repeat("(", 2000) + ":v" + strings.Repeat(")", 2000),
			"Invalid UpdateExpression: The expression has redundant parentheses;",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := request{text: c.text, values: []Value{{":v", attr.Int(1)}}}
			_, err := compileAny(t, c.kind, r)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}

func TestSyntaxErrorNear(t *testing.T) {
	_, err := ParseUpdate("SET a  =  5 ,b=:c")
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "=  5 ,", e.Near)
	assert.Equal(t, 10, e.Pos)
}

func TestReservedWords(t *testing.T) {
	words := strings.Fields(reservedText)
	require.Len(t, words, 573)
	require.True(t, slices.IsSorted(words))
	for _, w := range words {
		assert.True(t, IsReserved(w), w)
		assert.True(t, IsReserved(strings.ToLower(w)), w)
		assert.Equal(t, slices.Contains(words, w+"S"), IsReserved(w+"s"), w+"s")
		assert.False(t, IsReserved(w+"_"), w)
		assert.False(t, IsReserved("_"+w), w)
	}
	for _, w := range []string{"", "A", "ZZZ", "REMOVE", "pk", "\n", "ABORT\nABSOLUTE"} {
		assert.False(t, IsReserved(w), "%q", w)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { IsReserved("Timestamp") }))
}

func TestBinderMarksUse(t *testing.T) {
	var names []Name
	var values []Value
	for i := range 200 { // more than a machine word of them, not sorted
		names = append(names, Name{fmt.Sprintf("#n%d", 199-i), fmt.Sprintf("a%d", 199-i)})
		values = append(values, Value{fmt.Sprintf(":v%d", i), attr.Int(int64(i))})
	}
	b := NewBinder(names, values)
	require.Equal(t, "#n199", names[0].Placeholder, "the caller's slice must stay as it was")
	for i := range 200 {
		if i == 150 {
			continue
		}
		p, err := ParseProjection(fmt.Sprintf("#n%d", i))
		require.NoError(t, err)
		bound, err := p.Bind(b)
		require.NoError(t, err)
		require.Equal(t, []string{fmt.Sprintf("a%d", i)}, bound.TopLevel())
		c, err := ParseCondition(KindFilter, fmt.Sprintf("x = :v%d", i))
		require.NoError(t, err)
		_, err = c.Bind(KindFilter, b)
		require.NoError(t, err)
	}
	require.EqualError(t, b.Unused(),
		"Value provided in ExpressionAttributeNames unused in expressions: keys: {#n150}")
	b.names = slices.DeleteFunc(b.names, func(n Name) bool { return n.Placeholder == "#n150" })
	b.usedNames.set(149)
	for i := range b.names {
		b.usedNames.set(i)
	}
	require.EqualError(t, b.Unused(),
		"Value provided in ExpressionAttributeValues unused in expressions: keys: {:v150}")

	ResetBinder(b, []Name{{"#b", "b"}, {"#a", "a"}}, []Value(nil))
	require.EqualError(t, b.Unused(),
		"Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}")
	b.Release()
	require.NoError(t, b.Unused())
}

func TestConditionPaths(t *testing.T) {
	r := parseRequest(t, "b.#c[1] = :v AND (NOT size(a) > :v OR b IN (d, :v) OR e BETWEEN f AND :v)\n#c -> x\n:v -> 1")
	c, err := NewCache(1).Condition(r.text, r.binder())
	require.NoError(t, err)
	assert.Equal(t, "[[b, x, [1]] [a] [b] [d] [e] [f]]", fmt.Sprint(c.Paths()))
	assert.Equal(t, []string{"b", "a", "d", "e", "f"}, c.Attributes())
	assert.True(t, c.Paths()[0].Nested())
	assert.False(t, c.Paths()[1].Nested())
	assert.Equal(t, "7", showValue(c.Paths()[0].Get(parseItem(t, "{b: {x: [1, 7]}}"))))
	assert.Nil(t, c.Paths()[0].Get(parseItem(t, "{b: {x: 1}}")))
}

func TestUpdateTargets(t *testing.T) {
	r := parseRequest(t, "SET a.b = :v, c = d + :v, h = if_not_exists(#e[1], i.j) REMOVE #e[0] ADD f :v DELETE g :s\n#e -> x\n:v -> 1\n:s -> ss(\"s\")")
	u, err := NewCache(1).Update(r.text, r.binder())
	require.NoError(t, err)
	var got strings.Builder
	for target := range u.Targets {
		got.WriteString(fmt.Sprintf("%s %s %v\n", target.Action, target.Path, target.Value != nil))
	}
	assert.Equal(t, "SET [a, b] true\nSET [c] false\nSET [h] false\nREMOVE [x, [0]] false\nADD [f] true\nDELETE [g] false\n", got.String())
	assert.Equal(t, "[[x, [1]] [i, j]]", fmt.Sprint(u.NestedReads()))
	assert.True(t, u.CreatesItem())
}

// TestBuiltTrees runs trees that no text made, with names and literals that the language lacks.
func TestBuiltTrees(t *testing.T) {
	path := func(elems ...PathElem) *DocPath { return &DocPath{Elems: elems} }
	name := func(s string) PathElem { return PathElem{Name: s} }
	tree := NewConditionTree(&And{Terms: []Cond{
		&Compare{Op: OpEq, Left: path(name("a b")), Right: &Literal{Value: attr.Int(5)}},
		&Call{Fn: FnAttributeExists, Args: []Operand{path(name("l"), PathElem{Kind: ElemIndex, Index: 1})}},
	}})
	c, err := tree.Bind(KindFilter, new(Binder))
	require.NoError(t, err)
	assert.Equal(t, `"a b" = {N:5} AND attribute_exists(l[1])`, c.String())
	assert.True(t, c.Eval(parseItem(t, "{a b: 5, l: [1, 2]}")))
	assert.False(t, c.Eval(parseItem(t, "{a b: 5, l: [1]}")))

	update := NewUpdateTree([]*Clause{{Action: ActionSet, Path: path(name("x.y")), Value: &Literal{Value: attr.Bool(true)}}})
	u, err := update.Bind(new(Binder))
	require.NoError(t, err)
	item, err := u.Apply(parseItem(t, "{a: 1}"), nil)
	require.NoError(t, err)
	assert.Equal(t, "{a: 1, x.y: true}", showItem(item))

	update = NewUpdateTree([]*Clause{{
		Path:  path(name("x")),
		Value: &Call{Fn: FnSize, Args: []Operand{path(name("a"))}},
	}})
	_, err = update.Bind(new(Binder))
	require.EqualError(t, err, "Invalid UpdateExpression: Invalid function name; function: size")

	p := NewProjection([]Path{{{Name: "z"}}, {{Name: "a"}}})
	assert.Equal(t, "{a: 1, z: 3}", showItem(p.Apply(nil, parseItem(t, "{a: 1, b: 2, z: 3}"))))
}

func TestCacheIsBoundedAndShared(t *testing.T) {
	c := NewCache(8)
	first, err := c.Condition("attribute_not_exists(pk)", new(Binder))
	require.NoError(t, err)
	again, err := c.Condition("attribute_not_exists(pk)", new(Binder))
	require.NoError(t, err)
	require.Same(t, first, again, "a condition without placeholders is bound once")
	_, err = c.Filter("attribute_not_exists(pk", new(Binder))
	require.Error(t, err)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				text := fmt.Sprintf("SET a%d = :v", (i*7+g)%50)
				u, err := c.Update(text, NewBinder(nil, []Value{{":v", attr.Int(1)}}))
				assert.NoError(t, err)
				assert.Equal(t, text, u.String())
			}
		})
	}
	wg.Wait()
	n := 0
	for i := range c.sets {
		for j := range c.sets[i].ways {
			if c.sets[i].ways[j].Load() != nil {
				n++
			}
		}
	}
	require.Equal(t, 8, n)
}

// TestCacheKeepsWhatIsUsed fills one set far beyond its ways with texts used once; one that is
// used all the time must stay.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := NewCache(cacheWays)
	hot, err := c.entry(KindFilter, "attribute_exists(hot)")
	require.NoError(t, err)
	for i := range 100 {
		_, err := c.entry(KindFilter, fmt.Sprintf("attribute_exists(a%d)", i))
		require.NoError(t, err)
		again, err := c.entry(KindFilter, "attribute_exists(hot)")
		require.NoError(t, err)
		require.Same(t, hot, again, "after %d", i)
	}
}

// TestAllocations pins what DESIGN asks of the hot paths; counts, not times.
func TestAllocations(t *testing.T) {
	c := NewCache(16)
	item := parseItem(t, `{pk: "k", a: 1, b: "text", l: [1, 2], m: {x: 5}}`)
	var b Binder
	values := []Value{{":v", attr.Int(1)}, {":w", attr.String("te")}}
	names := []Name{{"#a", "a"}}
	allocs := func(f func()) float64 { return testing.AllocsPerRun(100, f) }

	assert.Zero(t, allocs(func() {
		ResetBinder(&b, names[:0], values[:0])
		cond, _ := c.Condition("attribute_not_exists(pk)", &b)
		if cond.Eval(item) {
			t.Error("eval")
		}
	}), "condition without placeholders")
	assert.LessOrEqual(t, allocs(func() {
		ResetBinder(&b, names, values)
		cond, _ := c.Condition("#a = :v AND begins_with(b, :w) AND l[0] > m.x", &b)
		if cond.Eval(item) || b.Unused() != nil {
			t.Error("eval")
		}
	}), 1.0, "condition with placeholders")
	assert.LessOrEqual(t, allocs(func() {
		ResetBinder(&b, names[:0], values[:1])
		u, _ := c.Update("SET a = :v, m.y = :v, l[1] = :v REMOVE b", &b)
		if _, err := u.Apply(item, nil); err != nil || u.NestedReads() != nil {
			t.Error(err)
		}
	}), 2.0, "update")
	assert.LessOrEqual(t, allocs(func() {
		ResetBinder(&b, names[:0], values[:1])
		k, _ := c.KeyCondition("pk = :v", &b)
		if len(k.Conds) != 1 {
			t.Error("conds")
		}
	}), 1.0, "key condition")
}

// TestTexts prints all texts of texts.go into a golden file, so that none changes unnoticed; set
// KSTONE_REWRITE=1 to write it.
func TestTexts(t *testing.T) {
	file, err := goparser.ParseFile(gotoken.NewFileSet(), "texts.go", nil, 0)
	require.NoError(t, err)
	var got strings.Builder
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		got.WriteString(spec.Names[0].Name + ":")
		ast.Inspect(spec.Values[0], func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				got.WriteString(" <" + n.Name + ">")
			case *ast.BasicLit:
				s, err := strconv.Unquote(n.Value)
				require.NoError(t, err)
				got.WriteString(" " + s)
			}
			return true
		})
		got.WriteString("\n")
		return false
	})
	const golden = "testdata/texts.golden"
	if os.Getenv("KSTONE_REWRITE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}
