package expr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

var kindNames = [kindCount]string{"condition", "filter", "key", "projection", "update"}

// fuzzSeeds has a text for every corner of the grammar.
var fuzzSeeds = []struct {
	kind uint8
	text string
}{
	{0, "a = :v AND NOT (b.c[0] <> #n OR size(d) BETWEEN :v AND :w)"},
	{0, "attribute_exists(a) OR attribute_type(b, :s) AND contains(c, :v) OR begins_with(d, :s)"},
	{1, "((a)) IN (:v, b, (c))"},
	{1, "size(size(a)) < :v OR foo(x)"},
	{2, "pk = :s AND sk BETWEEN :v AND :w"},
	{2, ":v < sk AND begins_with(pk, :s)"},
	{3, "a.b[1], #n.c, d[4294967296]"},
	{4, "SET a = if_not_exists(b, :v) + :w, l[1] = list_append(:l, l) REMOVE c[0] ADD n :v DELETE s :ss"},
	{4, "SET a=((:v)),b=(c-d) set e=:s"},
	{4, "REMOVE a.b, a[0]"},
	{0, "a = \"é\x00"},
}

// fuzzBinder defines some placeholders, of all types.
func fuzzBinder(t testing.TB) *Binder {
	return NewBinder(
		[]Name{{"#a", "a"}, {"#n", "n.n"}},
		[]Value{
			{":b", attr.Binary([]byte{1})},
			{":l", parseValue(t, "[1, {a: 2}]")},
			{":m", parseValue(t, "{a: 1}")},
			{":s", attr.String("N")},
			{":ss", parseValue(t, `ss("a", "")`)},
			{":ts", attr.Timestamp(5)},
			{":v", attr.Int(1)},
			{":vec", parseValue(t, "vec(1, 2)")},
			{":w", attr.Int(2)},
		})
}

// FuzzParse wants no panic, trees that survive printing and parsing, and what compiles to run.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s.kind, s.text)
	}
	item := parseItem(f, `{a: [1, {c: "x"}], b: {c: [1]}, c: [1], l: vec(1, 2), n: 3, s: ss("a", "b"), pk: "k"}`)
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		name := kindNames[kind%kindCount]
		printed, tree, err := parseAny(name, text)
		if err == nil && len(printed) <= TextMaxBytes {
			again, same, err := parseAny(name, printed)
			require.NoError(t, err, "printed %q", printed)
			require.Equal(t, printed, again)
			require.Equal(t, tree, same)
		}
		runAny(t, name, text, item)
	})
}

// runAny compiles and runs a text, if it is legal.
func runAny(t *testing.T, kind, text string, item attr.Item) {
	t.Helper()
	b := fuzzBinder(t)
	_, err := compileOnce(NewCache(1), kind, request{text: text, names: b.names, values: b.values})
	if err != nil {
		var e *Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Msg)
	}
	r := request{text: text, names: b.names, values: b.values}
	out, err := bindOnly(kind, r)
	if err != nil {
		return
	}
	switch x := out.(type) {
	case *Condition:
		x.Eval(item)
		x.Eval(nil)
		x.Paths()
	case *Projection:
		require.NoError(t, attr.CheckItem(x.Apply(nil, item)))
	case *Update:
		checkUpdate(t, x, item)
	}
}

// bindOnly compiles and ignores unused placeholders.
func bindOnly(kind string, r request) (any, error) {
	b, c := r.binder(), NewCache(1)
	switch kind {
	case "key":
		return c.KeyCondition(r.text, b)
	case "projection":
		return c.Projection(r.text, b)
	case "update":
		return c.Update(r.text, b)
	default:
		return c.Filter(r.text, b)
	}
}

// checkUpdate applies an update: the result must be canonical, and the argument untouched.
func checkUpdate(t *testing.T, u *Update, old attr.Item) {
	t.Helper()
	before := string(old)
	for _, o := range []attr.Item{old, nil} {
		item, err := u.Apply(o, attr.Item{})
		if err != nil {
			var e *EvalError
			require.ErrorAs(t, err, &e)
			continue
		}
		require.NoError(t, attr.CheckItem(item), "%x", []byte(item))
		require.NoError(t, attr.CheckItem(u.Project(o)))
		require.NoError(t, attr.CheckItem(u.ProjectNew(item)))
	}
	require.Equal(t, before, string(old))
}

// FuzzEval runs expressions over arbitrary valid items.
func FuzzEval(f *testing.F) {
	for _, s := range []string{
		`{}`, `{a: [1, {c: "x"}], n: 3, s: ss("a", "b")}`, `{a: {b: {c: 1}}, l: [vec(1), ts(5)]}`,
		`{a: "é😀", b: b(00ff), n: ns(1, -2.5), s: bs(00), l: null, m: true}`,
	} {
		f.Add([]byte(parseItem(f, s)))
	}
	texts := []struct{ kind, text string }{
		{"filter", "a = :v OR a[0].c <> :s OR size(a) > n OR contains(s, :s) OR contains(l, :v) OR contains(a, :vec)"},
		{"filter", "NOT (begins_with(a, :s) OR attribute_type(n, :s) OR a BETWEEN :v AND n OR b IN (a, l, :ss, :m))"},
		{"projection", "a[0].c, a[1], l[0], l[2].x, n, m.a.b"},
		{"projection", "a.b.c, a.d, l[0][1], #n"},
		{"update", "SET a[0].c = :v, a[7] = :m, l = list_append(if_not_exists(l, :l), :vec), n = n + :v"},
		{"update", "SET a.b.c = :l, m = if_not_exists(a.d, :ts) + :v REMOVE l[0], l[1] ADD n :v DELETE s :ss"},
		{"update", "SET l[0][1] = a, b = l[0] - :w ADD s :ss, a.z :ss, #n :v"},
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if attr.CheckItem(raw) != nil {
			return
		}
		for _, x := range texts {
			runAny(t, x.kind, x.text, attr.Item(raw))
		}
	})
}
