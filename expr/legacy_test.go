package expr

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// legacyItem has an attribute of every type; "no" is missing.
func legacyItem(t *testing.T) attr.Item {
	t.Helper()
	inner, err := attr.NewItem().N("x", "1").Build()
	require.NoError(t, err)
	item, err := attr.NewItem().
		S("s", "hello").N("n", "10").B("b", []byte{1, 2, 3}).Bool("t", true).Null("z").
		L("l", attr.String("a"), attr.Int(1)).M("m", inner).
		SS("ss", "a", "b").NS("ns", "1", "2").BS("bs", []byte{1}, []byte{2}).
		S("a.b", "dot").Vec("v", 1, 2).Ts("ts", 10).Build()
	require.NoError(t, err)
	return item
}

// TestComparisons: wire-facts §8.2, §8.3 with §5.5. Each line is an attribute, an operator and
// values; the numbers of the lists say which attributes it holds for.
func TestComparisons(t *testing.T) {
	item := legacyItem(t)
	set := func(v attr.Value, err error) attr.Value {
		require.NoError(t, err)
		return v
	}
	inner, err := attr.NewItem().N("x", "1.0").Build()
	require.NoError(t, err)
	str, num := attr.String, attr.Int
	bin := func(b ...byte) attr.Value { return attr.Binary(b) }
	all := "s n b t z l m ss ns bs a.b v ts no"
	for _, c := range []struct {
		op     Comparator
		values []attr.Value
		holds  string // attributes
	}{
		{ComparatorEQ, []attr.Value{str("hello")}, "s"},
		{ComparatorEQ, []attr.Value{num(10)}, "n ts"},
		{ComparatorEQ, []attr.Value{str("10")}, ""},
		{ComparatorEQ, []attr.Value{bin(1, 2, 3)}, "b"},
		{ComparatorEQ, []attr.Value{attr.Bool(true)}, "t"},
		{ComparatorEQ, []attr.Value{attr.Null()}, "z"},
		{ComparatorEQ, []attr.Value{attr.List(str("a"), num(1))}, "l"},
		{ComparatorEQ, []attr.Value{attr.Map(inner)}, "m"},
		{ComparatorEQ, []attr.Value{set(attr.StringSet("b", "a"))}, "ss"},
		{ComparatorEQ, []attr.Value{set(attr.NumberSet("2", "1.0"))}, "ns"},
		{ComparatorEQ, []attr.Value{set(attr.BinarySet([]byte{2}, []byte{1}))}, "bs"},
		{ComparatorEQ, []attr.Value{str("dot")}, "a.b"},
		{ComparatorNE, []attr.Value{str("hello")}, "n b t z l m ss ns bs a.b v ts no"},
		{ComparatorNE, []attr.Value{set(attr.StringSet("a", "b"))}, "s n b t z l m ns bs a.b v ts no"},
		{ComparatorLT, []attr.Value{num(10)}, ""},
		{ComparatorLT, []attr.Value{num(11)}, "n ts"},
		{ComparatorLT, []attr.Value{str("hellp")}, "s a.b"},
		{ComparatorLT, []attr.Value{bin(1, 2, 4)}, "b"},
		{ComparatorLE, []attr.Value{num(10)}, "n ts"},
		{ComparatorLE, []attr.Value{bin(1, 2, 3)}, "b"},
		{ComparatorGT, []attr.Value{num(9)}, "n ts"},
		{ComparatorGT, []attr.Value{num(10)}, ""},
		{ComparatorGT, []attr.Value{str("")}, "s a.b"},
		{ComparatorGE, []attr.Value{num(10)}, "n ts"},
		{ComparatorGE, []attr.Value{str("hello")}, "s"},
		{ComparatorNull, nil, "no"},
		{ComparatorNotNull, nil, "s n b t z l m ss ns bs a.b v ts"},
		{ComparatorContains, []attr.Value{str("ell")}, "s"},
		{ComparatorContains, []attr.Value{str("a")}, "l ss"},
		{ComparatorContains, []attr.Value{num(1)}, "l ns v"},
		{ComparatorContains, []attr.Value{bin(2, 3)}, "b"},
		{ComparatorContains, []attr.Value{bin(2)}, "b bs"},
		{ComparatorNotContains, []attr.Value{str("a")}, "s n b t z m ns bs a.b v ts no"},
		{ComparatorNotContains, []attr.Value{num(1)}, "s n b t z m ss bs a.b ts no"},
		{ComparatorBeginsWith, []attr.Value{str("he")}, "s"},
		{ComparatorBeginsWith, []attr.Value{str("ell")}, ""},
		{ComparatorBeginsWith, []attr.Value{bin(1, 2)}, "b"},
		{ComparatorIn, []attr.Value{str("x"), str("hello"), str("dot")}, "s a.b"},
		{ComparatorIn, []attr.Value{num(10)}, "n ts"},
		{ComparatorBetween, []attr.Value{num(10), num(10)}, "n ts"},
		{ComparatorBetween, []attr.Value{num(-1), num(9)}, ""},
		{ComparatorBetween, []attr.Value{str("d"), str("hello")}, "s a.b"},
		{ComparatorBetween, []attr.Value{bin(1), bin(2)}, "b"},
	} {
		var holds []string
		for name := range strings.FieldsSeq(all) {
			if ConditionOf([]Comparison{{name, c.op, c.values}}, false).Eval(item) {
				holds = append(holds, name)
			}
		}
		assert.Equal(t, c.holds, strings.Join(holds, " "), "%s %v", c.op, c.values)
	}
}

// TestComparisonsTogether: AND is the default, OR is asked for (wire-facts §8.3).
func TestComparisonsTogether(t *testing.T) {
	item := legacyItem(t)
	yes := Comparison{"n", ComparatorEQ, []attr.Value{attr.Int(10)}}
	no := Comparison{"n", ComparatorEQ, []attr.Value{attr.Int(11)}}
	for _, c := range []struct {
		list    []Comparison
		and, or bool
	}{
		{[]Comparison{yes}, true, true},
		{[]Comparison{no}, false, false},
		{[]Comparison{yes, yes}, true, true},
		{[]Comparison{yes, no}, false, true},
		{[]Comparison{no, yes, no}, false, true},
		{[]Comparison{no, no}, false, false},
	} {
		assert.Equal(t, c.and, ConditionOf(c.list, false).Eval(item))
		assert.Equal(t, c.or, ConditionOf(c.list, true).Eval(item))
	}
	assert.Nil(t, ConditionOf(nil, false))
	missing := ConditionOf([]Comparison{{"pk", ComparatorNull, nil}}, false)
	assert.True(t, missing.Eval(nil), "an absent item is an empty one")
	assert.Equal(t, []Path{{{Name: "pk"}}}, missing.Paths())
}

// TestActions: wire-facts §8.4.
func TestActions(t *testing.T) {
	item := legacyItem(t)
	set := func(v attr.Value, err error) attr.Value {
		require.NoError(t, err)
		return v
	}
	str, num := attr.String, attr.Int
	numeral := func(text string) attr.Value { return set(attr.Number(text)) }
	const mismatch = "Type mismatch for attribute to update"
	for _, c := range []struct {
		name   string
		action Action
		attr   string
		value  attr.Value
		want   attr.Value // nil: absent
		err    string
	}{
		{"put", ActionSet, "s", num(1), num(1), ""},
		{"put anew", ActionSet, "no", attr.Null(), attr.Null(), ""},
		{"put with a dot", ActionSet, "a.b", str("x"), str("x"), ""},
		{"remove", ActionRemove, "m", nil, nil, ""},
		{"remove nothing", ActionRemove, "no", nil, nil, ""},
		{"add number", ActionAdd, "n", numeral("-2.5"), numeral("7.5"), ""},
		{"add to nothing", ActionAdd, "no", num(3), num(3), ""},
		{"add to a timestamp", ActionAdd, "ts", num(1), num(11), ""},
		{"add strings", ActionAdd, "ss", set(attr.StringSet("b", "c")), set(attr.StringSet("a", "b", "c")), ""},
		{"add numbers", ActionAdd, "ns", set(attr.NumberSet("2.0", "3")), set(attr.NumberSet("1", "2", "3")), ""},
		{"add binaries", ActionAdd, "bs", set(attr.BinarySet([]byte{0})), set(attr.BinarySet([]byte{0}, []byte{1}, []byte{2})), ""},
		{"add a set to nothing", ActionAdd, "no", set(attr.StringSet("b")), set(attr.StringSet("b")), ""},
		{"add a list", ActionAdd, "l", attr.List(num(2), attr.Null()), attr.List(str("a"), num(1), num(2), attr.Null()), ""},
		{"add a list to nothing", ActionAdd, "no", attr.List(num(2)), attr.List(num(2)), ""},
		{"add a list to a vector", ActionAdd, "v", attr.List(str("x")), attr.List(num(1), num(2), str("x")), ""},
		{"add a number to a string", ActionAdd, "s", num(1), nil, mismatch},
		{"add a number to a set", ActionAdd, "ns", num(1), nil, mismatch},
		{"add a set to a number", ActionAdd, "n", set(attr.NumberSet("1")), nil, mismatch},
		{"add a list to a set", ActionAdd, "ss", attr.List(str("a")), nil, mismatch},
		{"add a set to another", ActionAdd, "ss", set(attr.NumberSet("1")), nil, mismatch},
		{"add too much", ActionAdd, "n", numeral("1e-40"), nil, "Attempting to store more than 38 significant digits in a Number"},
		{"delete members", ActionDelete, "ss", set(attr.StringSet("b", "c")), set(attr.StringSet("a")), ""},
		{"delete numbers", ActionDelete, "ns", set(attr.NumberSet("1.0")), set(attr.NumberSet("2")), ""},
		{"delete all", ActionDelete, "bs", set(attr.BinarySet([]byte{1}, []byte{2})), nil, ""},
		{"delete from nothing", ActionDelete, "no", set(attr.StringSet("b")), nil, ""},
		{"delete from another", ActionDelete, "ns", set(attr.StringSet("1")), nil, mismatch},
		{"delete from a string", ActionDelete, "s", set(attr.StringSet("hello")), nil, mismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := UpdateOf([]AttributeAction{{c.attr, c.action, c.value}})
			got, err := u.Apply(item, nil)
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			want := item.Without(c.attr)
			if c.want != nil {
				want = item.With(c.attr, c.want)
			}
			require.Equal(t, want, got)
			require.NoError(t, attr.CheckItem(got))
		})
	}
	assert.Nil(t, UpdateOf(nil))
	remove := AttributeAction{Attr: "a", Action: ActionRemove}
	del := AttributeAction{"b", ActionDelete, set(attr.StringSet("b"))}
	assert.False(t, UpdateOf([]AttributeAction{remove, del}).CreatesItem())
	assert.True(t, UpdateOf([]AttributeAction{remove, {"c", ActionSet, num(1)}}).CreatesItem())
	assert.True(t, UpdateOf([]AttributeAction{{"c", ActionAdd, num(1)}}).CreatesItem())
}

// TestActionsTogether: the order does not matter, and a dot is a part of a name.
func TestActionsTogether(t *testing.T) {
	u := UpdateOf([]AttributeAction{
		{"z", ActionSet, attr.Int(1)}, {"s", ActionRemove, nil}, {"a.b", ActionSet, attr.Int(2)}, {"n", ActionAdd, attr.Int(1)},
	})
	item := legacyItem(t)
	got, err := u.Apply(item, nil)
	require.NoError(t, err)
	require.Equal(t, item.Without("s").With("z", attr.Int(1)).With("a.b", attr.Int(2)).With("n", attr.Int(11)), got)
	assert.Nil(t, u.NestedReads())
	new, err := attr.NewItem().N("n", "11").N("z", "1").N("a.b", "2").Build()
	require.NoError(t, err)
	assert.Equal(t, new, u.ProjectNew(got))
	key, err := attr.NewItem().S("pk", "a").Build()
	require.NoError(t, err)
	got, err = u.Apply(nil, key)
	require.NoError(t, err)
	assert.Equal(t, key.With("z", attr.Int(1)).With("a.b", attr.Int(2)).With("n", attr.Int(1)), got)
}

// TestKeyComparisons: operators that no key can serve stay, since they are refused later.
func TestKeyComparisons(t *testing.T) {
	one, two := attr.Int(1), attr.Int(2)
	for op, want := range map[Comparator]KeyOp{
		ComparatorEQ: KeyEQ, ComparatorLT: KeyLT, ComparatorLE: KeyLE, ComparatorGT: KeyGT, ComparatorGE: KeyGE,
		ComparatorBetween: KeyBetween, ComparatorBeginsWith: KeyBeginsWith, ComparatorNE: KeyNone, ComparatorIn: KeyNone,
		ComparatorNull: KeyNone, ComparatorNotNull: KeyNone, ComparatorContains: KeyNone, ComparatorNotContains: KeyNone,
	} {
		k := KeyConditionOf([]Comparison{{"a", op, []attr.Value{one, two}}, {"b", ComparatorEQ, []attr.Value{one}}})
		require.Equal(t, []KeyCond{{Attr: "a", Op: want, Values: []attr.Value{one, two}}, {Attr: "b", Op: KeyEQ, Values: []attr.Value{one}}}, k.Conds, op)
		require.Equal(t, &k.Conds[1], k.Get("b"))
	}
	assert.Equal(t, "?", KeyNone.String())
}

// TestAttributeNames: names as they are, in any order (wire-facts §8.5).
func TestAttributeNames(t *testing.T) {
	item := legacyItem(t)
	p := ProjectionOf([]string{"s", "no", "a.b", "m"})
	assert.Equal(t, item.Project([]string{"a.b", "m", "s"}), p.Apply(nil, item))
	assert.Equal(t, []string{"a.b", "m", "no", "s"}, p.TopLevel())
	assert.Equal(t, []Path{{{Name: "s"}}, {{Name: "no"}}, {{Name: "a.b"}}, {{Name: "m"}}}, p.Paths())
	assert.Empty(t, ProjectionOf([]string{"a"}).Apply(nil, item))
	assert.NotNil(t, ProjectionOf([]string{"a"}).Apply(nil, item), "nothing found is an empty item")
}

// TestLegacyAgrees: a comparison and an action mean what an expression says with them, for every value
// against every other.
func TestLegacyAgrees(t *testing.T) {
	set := func(v attr.Value, err error) attr.Value {
		require.NoError(t, err)
		return v
	}
	item := legacyItem(t)
	all := []attr.Value{
		attr.String(""), attr.String("hello"), attr.String("he"), attr.Int(1), attr.Int(10), attr.Binary(nil), attr.Binary([]byte{1, 2}),
		attr.Bool(true), attr.Null(), attr.List(), attr.List(attr.String("a"), attr.Int(1)), attr.Map(item), set(attr.StringSet("a")),
		set(attr.StringSet("b", "a")), set(attr.NumberSet("1")), set(attr.BinarySet([]byte{1})),
	}
	names := strings.Fields("s n b t z l m ss ns bs v ts no")
	conditions := map[Comparator]string{
		ComparatorEQ: "#a = :v", ComparatorNE: "#a <> :v", ComparatorLT: "#a < :v", ComparatorLE: "#a <= :v", ComparatorGT: "#a > :v",
		ComparatorGE: "#a >= :v", ComparatorContains: "contains(#a, :v)", ComparatorNotContains: "NOT contains(#a, :v)",
		ComparatorBeginsWith: "begins_with(#a, :v)", ComparatorIn: "#a IN (:v)", ComparatorBetween: "#a BETWEEN :v AND :v",
	}
	actions := map[Action]string{ActionSet: "SET #a = :v", ActionAdd: "ADD #a :v", ActionDelete: "DELETE #a :v"}
	cache, compared, applied := NewCache(64), 0, 0
	for _, name := range names {
		for _, v := range all {
			binder := NewBinder([]Name{{"#a", name}}, []Value{{":v", v}})
			for op, text := range conditions {
				c, err := cache.Condition(text, binder)
				if err != nil {
					continue // of a type that the operator does not take
				}
				compared++
				legacy := ConditionOf([]Comparison{{name, op, []attr.Value{v, v}[:len(strings.Split(text, "BETWEEN"))]}}, false)
				assert.Equal(t, c.Eval(item), legacy.Eval(item), "%s %s %v", name, op, v)
			}
			for action, text := range actions {
				u, err := cache.Update(text, binder)
				if err != nil {
					continue
				}
				applied++
				want, wantErr := u.Apply(item, nil)
				got, err := UpdateOf([]AttributeAction{{name, action, v}}).Apply(item, nil)
				assert.Equal(t, wantErr == nil, err == nil)
				assert.Equal(t, want, got, "%s %s %v", action, name, v)
			}
		}
	}
	assert.Greater(t, compared, 1000)
	assert.Greater(t, applied, 200)
}

// TestLongIn: many values are looked up as few are.
func TestLongIn(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func() attr.Value { return attr.String(strconv.Itoa(rnd.IntN(1000))) }
	for kind, value := range map[string]func() attr.Value{
		"s": text,
		"n": func() attr.Value { return attr.Int(rnd.Int64N(1000) - 500) },
		"b": func() attr.Value { return attr.Binary(text().Payload()) },
	} {
		in := Comparison{Attr: "x", Op: ComparatorIn}
		for range InOperandsMax + 1 {
			in.Values = append(in.Values, value())
		}
		c := ConditionOf([]Comparison{in}, false)
		require.NotNil(t, c.tree.Root.(*In).sorted)
		found := 0
		for range 2000 {
			v := value()
			want := slices.ContainsFunc(in.Values, func(o attr.Value) bool { return attr.Equal(v, o) })
			item, err := attr.NewItem().Value("x", v).Build()
			require.NoError(t, err)
			require.Equal(t, want, c.Eval(item), "%s %v", kind, v)
			if want {
				found++
			}
		}
		require.Positive(t, found)
		for _, other := range []attr.Value{attr.Bool(true), attr.List(in.Values[0]), attr.String("x"), attr.Int(5000), attr.Binary(nil)} {
			item, err := attr.NewItem().Value("x", other).Build()
			require.NoError(t, err)
			require.False(t, c.Eval(item))
		}
		require.False(t, c.Eval(nil))
	}
	few := ConditionOf([]Comparison{{Attr: "x", Op: ComparatorIn, Values: []attr.Value{attr.Int(1)}}}, false)
	require.Nil(t, few.tree.Root.(*In).sorted)
}

// TestManyNames: a projection by any number of names gives what the item has of them.
func TestManyNames(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		b, want := attr.NewItem(), attr.NewItem()
		asked := map[string]bool{}
		for range 1 + rnd.IntN(300) {
			asked[strconv.Itoa(rnd.IntN(400))] = true
		}
		for i := range 400 {
			if rnd.IntN(8) > 0 {
				continue
			}
			name := strconv.Itoa(i)
			b.Int(name, 1)
			if asked[name] {
				want.Int(name, 1)
			}
		}
		item, err := b.Build()
		require.NoError(t, err)
		part, err := want.Build()
		require.NoError(t, err)
		got := ProjectionOf(slices.Collect(maps.Keys(asked))).Apply(nil, item)
		require.Equal(t, string(part), string(got), "of %q", item)
	}
}
