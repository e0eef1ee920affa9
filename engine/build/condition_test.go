package build_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

func names(pairs ...string) (list []api.Name) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, api.Name{Placeholder: pairs[i], Name: pairs[i+1]})
	}
	return list
}

func values(pairs ...any) (list []api.NamedValue) {
	for i := 0; i < len(pairs); i += 2 {
		v, err := build.MarshalValue(pairs[i+1])
		if err != nil {
			panic(err)
		}
		list = append(list, api.NamedValue{Placeholder: pairs[i].(string), Value: v})
	}
	return list
}

// TestConditions compares what the builders make with requests written by hand, and whether the
// condition holds of an item with what it should.
func TestConditions(t *testing.T) {
	n, s, missing := build.Attr("n"), build.Attr("s"), build.Attr("missing")
	yes, no := n.Equal(5), n.Equal(6)
	for _, c := range []struct {
		name   string
		cond   any
		args   []build.Args
		text   string
		names  []api.Name
		values []api.NamedValue
		holds  bool
	}{
		{"equal", n.Equal(5), nil, "#_0 = :_0", names("#_0", "n"), values(":_0", 5), true},
		{"not equal", n.NotEqual(5), nil, "#_0 <> :_0", names("#_0", "n"), values(":_0", 5), false},
		{"less", n.Less(6), nil, "#_0 < :_0", names("#_0", "n"), values(":_0", 6), true},
		{"less or equal", n.LessEqual(4), nil, "#_0 <= :_0", names("#_0", "n"), values(":_0", 4), false},
		{"greater", n.Greater(4), nil, "#_0 > :_0", names("#_0", "n"), values(":_0", 4), true},
		{"greater or equal", n.GreaterEqual(6), nil, "#_0 >= :_0", names("#_0", "n"), values(":_0", 6), false},
		{"two attributes", n.Less(build.Attr("m.deep[1]")), nil, "#_0 < #_1.#_2[1]",
			names("#_0", "n", "#_1", "m", "#_2", "deep"), nil, true},
		{"a name twice", n.Equal(n.Size()), nil, "#_0 = size(#_0)", names("#_0", "n"), nil, false},
		{"between", n.Between(1, 5), nil, "#_0 BETWEEN :_0 AND :_1", names("#_0", "n"), values(":_0", 1, ":_1", 5), true},
		{"in", s.In("a", "hello", "b"), nil, "#_0 IN (:_0, :_1, :_2)", names("#_0", "s"),
			values(":_0", "a", ":_1", "hello", ":_2", "b"), true},
		{"exists", s.AttributeExists(), nil, "attribute_exists(#_0)", names("#_0", "s"), nil, true},
		{"not exists", missing.AttributeNotExists(), nil, "attribute_not_exists(#_0)", names("#_0", "missing"), nil, true},
		{"type", s.AttributeType(attr.N), nil, "attribute_type(#_0, :_0)", names("#_0", "s"), values(":_0", "N"), false},
		{"begins", s.BeginsWith("he"), nil, "begins_with(#_0, :_0)", names("#_0", "s"), values(":_0", "he"), true},
		{"contains", build.Attr("set").Contains("x"), nil, "contains(#_0, :_0)", names("#_0", "set"),
			values(":_0", "x"), true},
		{"size", build.Size(s).Equal(5), nil, "size(#_0) = :_0", names("#_0", "s"), values(":_0", 5), true},
		{"a set", build.Attr("set").Equal(build.StringSet("y", "x")), nil, "#_0 = :_0", names("#_0", "set"),
			values(":_0", build.StringSet("x", "y")), true},
		{"not", build.Not(yes), nil, "NOT #_0 = :_0", names("#_0", "n"), values(":_0", 5), false},
		{"not not", build.Not(build.Not(yes)), nil, "NOT (NOT #_0 = :_0)", names("#_0", "n"), values(":_0", 5), true},
		{"and", yes.And(s.Equal("hello"), no), nil, "#_0 = :_0 AND #_1 = :_1 AND #_0 = :_2",
			names("#_0", "n", "#_1", "s"), values(":_0", 5, ":_1", "hello", ":_2", 6), false},
		{"and is flat", yes.And(yes.And(yes)), nil, "#_0 = :_0 AND #_0 = :_1 AND #_0 = :_2",
			names("#_0", "n"), values(":_0", 5, ":_1", 5, ":_2", 5), true},
		{"or in and", no.Or(yes).And(yes), nil, "(#_0 = :_0 OR #_0 = :_1) AND #_0 = :_2",
			names("#_0", "n"), values(":_0", 6, ":_1", 5, ":_2", 5), true},
		{"and in or", no.And(yes).Or(no), nil, "(#_0 = :_0 AND #_0 = :_1) OR #_0 = :_2",
			names("#_0", "n"), values(":_0", 6, ":_1", 5, ":_2", 6), false},
		{"none in and", build.Condition{}.And(yes, build.Condition{}), nil, "#_0 = :_0",
			names("#_0", "n"), values(":_0", 5), true},
		{"text", "n = :five AND #s = :s", []build.Args{{":five": 5, "#s": "s"}, {"s": "hello"}},
			"n = :five AND #s = :s", names("#s", "s"), values(":five", 5, ":s", "hello"), true},
		{"text without arguments", "attribute_exists(n)", nil, "attribute_exists(n)", nil, nil, true},
		{"text in and", build.Text("n = :a OR s = :a", build.Args{"a": 6}).And(yes), nil,
			"(n = :a OR s = :a) AND #_0 = :_0", names("#_0", "n"), values(":_0", 5, ":a", 6), false},
		{"enclosed text in and", build.Text(" (n = :a OR s = :a) ", build.Args{"a": 5}).And(yes), nil,
			" (n = :a OR s = :a)  AND #_0 = :_0", names("#_0", "n"), values(":_0", 5, ":a", 5), true},
		{"half enclosed text", build.Text("(n = :a) OR (s = :a)", build.Args{"a": 6}).And(yes), nil,
			"((n = :a) OR (s = :a)) AND #_0 = :_0", names("#_0", "n"), values(":_0", 5, ":a", 6), false},
		{"texts that share arguments", build.Text("n = :a", build.Args{"a": 5}).And(build.Text("n <= :a", build.Args{":a": 5})), nil,
			"(n = :a) AND (n <= :a)", nil, values(":a", 5), true},
		{"more than ten names", manyNames().Or(yes), nil, "", nil, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, ctx := orders(t), t.Context()
			present := item(t, attr.NewItem().S("pk", "p").S("sk", "s").Int("n", 5).S("s", "hello").
				SS("set", "x", "y").M("m", item(t, attr.NewItem().L("deep", attr.Null(), attr.Int(9)))))
			require.NoError(t, db.Table("orders").Put(present).Run(ctx))
			rec := &recorder{Service: db}

			err := build.New(rec).Table("orders").Put(present).If(c.cond, c.args...).Run(ctx)
			if c.holds {
				assert.NoError(t, err)
			} else {
				code(t, api.ConditionalCheckFailed, err)
			}
			if c.text == "" {
				return
			}
			want := &api.PutItemInput{
				TableName: api.Some("orders"), Item: present, ConditionExpression: api.Some(c.text),
				ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.values,
			}
			assert.Equal(t, want, rec.got[0])
			_, direct := db.PutItem(ctx, want)
			assert.Equal(t, direct, err)
		})
	}
}

// manyNames has more names and values than one digit counts.
func manyNames() build.Condition {
	var c build.Condition
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		c = c.Or(build.Name(name).Equal(name))
	}
	return c
}

func TestPaths(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		path  string
		text  string
		names []api.Name
	}{
		{"a", "#_0", names("#_0", "a")},
		{"a.b[1]", "#_0.#_1[1]", names("#_0", "a", "#_1", "b")},
		{"a[0][10].a", "#_0[0][10].#_0", names("#_0", "a")},
		{`a\.b`, "#_0", names("#_0", "a.b")},
		{`\[a\]\\.c`, "#_0.#_1", names("#_0", `[a]\`, "#_1", "c")},
		{"a b-ü", "#_0", names("#_0", "a b-ü")},
		{"size", "#_0", names("#_0", "size")},
		{"#n", "#_0", names("#_0", "#n")},
	} {
		t.Run(c.path, func(t *testing.T) {
			rec := &recorder{Service: orders(t)}
			_, err := build.New(rec).Table("orders").Get("p", "s").Project(c.path).Item(ctx)
			require.NoError(t, err)
			got := rec.got[0].(*api.GetItemInput)
			assert.Equal(t, api.Some(c.text), got.ProjectionExpression)
			assert.Equal(t, c.names, got.ExpressionAttributeNames)
		})
	}
	for _, path := range []string{"", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[+1]", "a]", "a[1]b",
		"[1]", `a\`, `a\b`, "a[1", "a[99999999999999999999]"} {
		t.Run("bad "+path, func(t *testing.T) {
			err := orders(t).Table("orders").Put(attr.NewItem().S("pk", "p").S("sk", "s")).
				If(build.Attr(path).Equal(1)).Run(ctx)
			assert.ErrorContains(t, err, "is no path of a document")
			code(t, api.Validation, err)
		})
	}
}

func TestOperandSteps(t *testing.T) {
	ctx := t.Context()
	rec := &recorder{Service: orders(t)}
	base := build.Name("a.b").Key("c[d]")
	first, second := base.Index(1), base.Key("e") // must not share memory
	err := build.New(rec).Table("orders").Put(attr.NewItem().S("pk", "p").S("sk", "s")).
		If(first.AttributeNotExists().And(second.AttributeNotExists())).Run(ctx)
	require.NoError(t, err)
	got := rec.got[0].(*api.PutItemInput)
	assert.Equal(t, "attribute_not_exists(#_0.#_1[1]) AND attribute_not_exists(#_0.#_1.#_2)", got.ConditionExpression.Value)
	assert.Equal(t, names("#_0", "a.b", "#_1", "c[d]", "#_2", "e"), got.ExpressionAttributeNames)
}

// TestFaults: a call that cannot be sent says why, as a ValidationException.
func TestFaults(t *testing.T) {
	db, ctx := orders(t), t.Context()
	table := db.Table("orders")
	put := func(cond any, args ...build.Args) error {
		return table.Put(attr.NewItem().S("pk", "p").S("sk", "s")).If(cond, args...).Run(ctx)
	}
	n := build.Attr("n")
	for _, c := range []struct {
		name string
		err  error
		text string
	}{
		{"no condition", put(5), "build: a condition is a text or a Condition, not a int"},
		{"arguments without text", put(n.Equal(1), build.Args{}), "build: arguments without a text"},
		{"a placeholder for two values", put("n = :a AND n = :b", build.Args{"a": 1}, build.Args{":a": 2}),
			"build: placeholder :a stands for two things"},
		{"a placeholder for two names", put(build.Text("#a = #a", build.Args{"#a": "x"}).And(build.Text("#a > #a",
			build.Args{"#a": "y"}))), "build: placeholder #a stands for two things"},
		{"two texts, one placeholder", put(build.Text("n = :a", build.Args{"a": 1}).And(build.Text("n = :a",
			build.Args{"a": 2}))), "build: placeholder :a stands for two things"},
		{"a placeholder of the builder", put("n = :_0", build.Args{"_0": 1}),
			"build: placeholder :_0: names that begin so belong to the builder"},
		{"a name that is none", put("#n = #n", build.Args{"#n": 1}),
			"build: placeholder #n stands for an attribute name, not for a int"},
		{"an absent value", put(n.Equal(attr.Value(nil))), "build: a value is absent"},
		{"an absent map", put(n.Equal(attr.Item(nil))), "build: a value is absent"},
		{"an absent operand", put(n.Equal(build.Operand{})), "build: an operand of an expression is absent"},
		{"an absent left operand", put(build.Operand{}.Equal(1)), "build: an operand of an expression is absent"},
		{"a step into a value", put(n.Size().Key("x").Equal(1)), "build: Key takes the path of an attribute"},
		{"an index into a value", put(n.Size().Index(1).Equal(1)), "build: Index takes the path of an attribute"},
		{"an index below 0", put(n.Index(-1).Equal(1)), `build: "[-1]" is no path of a document`},
		{"an empty name", put(build.Name("").Equal(1)), `build: "" is no path of a document`},
		{"a fault deep inside", put(build.Not(n.Equal(1).Or(n.Plus(build.Attr("")).Equal(2)))),
			`build: "" is no path of a document`},
		{"an empty set", put(n.Equal(build.StringSet())),
			"One or more parameter values were invalid: An string set  may not be empty"},
		{"a bad number", put(n.Equal(build.NumberSet("x"))), "The parameter cannot be converted to a numeric value: x"},
		{"an absent item", table.Put(attr.Item(nil)).Run(ctx), "build: an item is absent"},
		{"a bad builder", table.Put(attr.NewItem().N("n", "x")).Run(ctx),
			"The parameter cannot be converted to a numeric value: x"},
		{"an absent key", table.Delete(attr.Item(nil)).Run(ctx), "build: an item is absent"},
		{"a limit of 0", last(table.Query().PK("p").Limit(0).All(ctx)), "build: the limit is 0: want 1 or more"},
		{"a page of 0", last(table.Scan().PageSize(0).Count(ctx)), "build: the page size is 0: want 1 or more"},
		{"a page with a limit of 0", last(table.Scan().Limit(-1).Page(ctx)), "build: the limit is -1: want 1 or more"},
		{"a statement's limit", last(db.Client().Statement("x").Limit(0).All(ctx)), "build: the limit is 0: want 1 or more"},
		{"a statement's page", last(db.Client().Statement("x").PageSize(0).All(ctx)), "build: the page size is 0: want 1 or more"},
		{"a statement's argument", db.Client().Statement("x", attr.Value(nil), 1).Exec(ctx), "build: a value is absent"},
		{"more key attributes than there are", table.Delete("p", "s", "t").Run(ctx), api.MsgKeyMismatch},
		{"a key that is whole, and more", last(table.Get(item(t, attr.NewItem().S("pk", "p")), "s").Item(ctx)), api.MsgKeyMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.text, code(t, api.Validation, c.err).Message)
		})
	}
}

// last is the error of a call that has a result too.
func last[T any](_ T, err error) error { return err }

// TestRandomConditions: however conditions and texts are nested, they hold as the same nesting of Go does.
func TestRandomConditions(t *testing.T) {
	db, ctx := orders(t), t.Context()
	require.NoError(t, db.Table("orders").Put(map[string]any{"pk": "p", "sk": "s", "n": 5}).Run(ctx))
	rnd := rand.New(rand.NewPCG(1, 2))
	var random func(depth int) (build.Condition, bool)
	random = func(depth int) (build.Condition, bool) {
		kind := rnd.IntN(7)
		if depth == 0 {
			kind = rnd.IntN(4)
		}
		k := rnd.IntN(10)
		switch kind {
		case 0:
			return build.Attr("n").Less(k), 5 < k
		case 1:
			return build.Attr("n").Between(k, k+2), 5 >= k && 5 <= k+2
		case 2:
			return build.Text("n > :a OR n = :b", build.Args{"a": 7, "b": 5}), true
		case 3:
			return build.Text("(n > :a)", build.Args{"a": 7}), false
		case 4:
			c, holds := random(depth - 1)
			return build.Not(c), !holds
		}
		c, holds := random(depth - 1)
		others := make([]build.Condition, rnd.IntN(3))
		for i := range others {
			other, held := random(depth - 1)
			others[i] = other
			if kind == 5 {
				holds = holds && held
			} else {
				holds = holds || held
			}
		}
		if kind == 5 {
			return c.And(others...), holds
		}
		return c.Or(others...), holds
	}
	for i := range 300 {
		c, holds := random(4)
		n, err := db.Table("orders").Scan().Filter(c).Count(ctx)
		require.NoError(t, err, i)
		require.Equal(t, holds, n == 1, i)
	}
}
