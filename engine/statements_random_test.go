package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// allPages runs a SELECT to its end and returns the items, sorted when they have no order.
func (d *testDB) allPages(text string, limit int) ([]string, error) {
	in := &api.ExecuteStatementInput{Statement: api.Some(text)}
	if limit > 0 {
		in.Limit = api.Some(int64(limit))
	}
	list := []string{}
	for {
		out, err := d.ExecuteStatement(context.Background(), in)
		if err != nil {
			return nil, err
		}
		for _, it := range out.Items {
			list = append(list, showItem(it))
		}
		if !out.NextToken.Set {
			return list, nil
		}
		in.NextToken = out.NextToken
	}
}

// conditionMaker writes random conditions, mostly about keys.
type conditionMaker struct{ *rand.Rand }

func (r conditionMaker) pick(list ...string) string { return list[r.IntN(len(list))] }

func (r conditionMaker) number() string { return fmt.Sprint(r.IntN(6)) }

func (r conditionMaker) text() string { return "'" + r.pick("a", "b", "c", "d") + "'" }

// attribute returns an attribute and a maker of values of its type.
func (r conditionMaker) attribute() (string, func() string) {
	switch r.IntN(5) {
	case 0, 1:
		return "pk", r.text
	case 2:
		return "g", r.text
	case 3:
		return "sk", r.number
	}
	return r.pick("h", "n"), r.number
}

func (r conditionMaker) leaf() string {
	name, value := r.attribute()
	switch r.IntN(10) {
	case 0:
		low := r.IntN(5)
		if name == "pk" || name == "g" {
			return name + " BETWEEN 'b' AND 'c'"
		}
		return fmt.Sprintf("%s BETWEEN %d AND %d", name, low, low+r.IntN(3))
	case 1:
		return fmt.Sprintf("%s IN [%s, %s, %s]", name, value(), value(), value())
	case 2:
		return name + r.pick(" <> ", " < ", " >= ") + value()
	case 3:
		return value() + r.pick(" > ", " <= ", " = ") + name
	case 4:
		return name + " IS NOT MISSING"
	}
	return name + " = " + value()
}

func (r conditionMaker) condition(depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return r.leaf()
	}
	if r.IntN(8) == 0 {
		return "NOT (" + r.condition(depth-1) + ")"
	}
	op := r.pick(" AND ", " AND ", " OR ")
	terms := make([]string, 2+r.IntN(2))
	for i := range terms {
		terms[i] = "(" + r.condition(depth-1) + ")"
	}
	return strings.Join(terms, op)
}

// keyed is a condition that often names partitions or an item.
func (r conditionMaker) keyed() string {
	partition := func() string { return r.pick("pk = ", "pk = ", "g = ") + r.text() }
	switch r.IntN(6) {
	case 0:
		return "pk = " + r.text() + " AND sk = " + r.number()
	case 1:
		return "pk = " + r.text() + " AND (" + r.condition(1) + ") AND sk = " + r.number()
	case 2:
		return partition() + " AND " + r.leaf() + " AND " + r.leaf()
	case 3:
		return "(" + partition() + " AND " + r.leaf() + " OR " + partition() + ") AND " + r.condition(0)
	case 4:
		return "pk IN [" + r.text() + ", " + r.text() + "] AND (" + r.condition(1) + ")"
	}
	return r.condition(2)
}

// TestPartiQLSelectsWhatAScanFinds: whatever reads the planner makes of a condition, they find what a
// scan with that condition finds, each item once.
func TestPartiQLSelectsWhatAScanFinds(t *testing.T) {
	const conditions = 1500
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := conditionMaker{rand.New(rand.NewPCG(seed, 1))}
	d := openTest(t, Options{})
	d.orders()
	for _, pk := range []string{"a", "b", "c", "d"} {
		for sk := range 5 {
			b := attr.NewItem().S("pk", pk).Int("sk", int64(sk)).Int("n", int64(r.IntN(6)))
			if r.IntN(4) > 0 {
				b.S("g", r.pick("a", "b", "c")).Int("h", int64(r.IntN(6)))
			}
			it, err := b.Build()
			require.NoError(t, err)
			_, err = d.PutItem(context.Background(), &api.PutItemInput{TableName: api.Some("orders"), Item: it})
			require.NoError(t, err)
		}
	}
	planned := map[string]int{}
	for range conditions {
		where := r.keyed()
		table := r.pick("orders", "orders", "orders.byG")
		// An alternative that names no partition forces a scan and finds nothing more.
		want, err := d.allPages("SELECT * FROM "+table+" WHERE ("+where+") OR n = 99", 0)
		require.NoError(t, err, where)
		got, err := d.allPages("SELECT * FROM "+table+" WHERE "+where, r.IntN(4))
		require.NoError(t, err, where)
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, got, "%s: %s", table, where)
		plan, err := d.allPages("EXPLAIN SELECT * FROM "+table+" WHERE "+where, 0)
		require.NoError(t, err)
		for _, op := range []string{"GetItem", "Query", "Scan"} {
			if strings.Contains(plan[0], "'"+op+"'") {
				planned[op]++
			}
		}
	}
	for _, op := range []string{"GetItem", "Query", "Scan"} {
		require.NotZero(t, planned[op], "no condition became a %s: the test is blind there", op)
	}
	t.Log(planned)
}

// TestPartiQLToken: a token is of one statement with its parameters, and of nothing else.
func TestPartiQLToken(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx := context.Background()
	for i := range 3 {
		_, err := d.allPages(fmt.Sprintf("INSERT INTO orders VALUE {'pk': 'a', 'sk': %d}", i), 0)
		require.NoError(t, err)
	}
	in := api.ExecuteStatementInput{
		Statement: api.Some("SELECT * FROM orders WHERE pk IN [?, 'b']"), Limit: api.Some(int64(1)),
		Parameters: []attr.Value{attr.String("a")},
	}
	out, err := d.ExecuteStatement(ctx, &in)
	require.NoError(t, err)
	require.True(t, out.NextToken.Set)
	token := out.NextToken.Value
	for name, change := range map[string]func(*api.ExecuteStatementInput){
		"statement":  func(in *api.ExecuteStatementInput) { in.Statement.Value += " " },
		"parameters": func(in *api.ExecuteStatementInput) { in.Parameters = []attr.Value{attr.String("c")} },
		"cut":        func(in *api.ExecuteStatementInput) { in.NextToken.Value = token[:8] },
		"no base64":  func(in *api.ExecuteStatementInput) { in.NextToken.Value = "?" + token },
		"key":        func(in *api.ExecuteStatementInput) { in.NextToken.Value = token[:len(token)-4] },
		"one item": func(in *api.ExecuteStatementInput) {
			in.Statement.Value = "SELECT * FROM orders WHERE pk = ? AND sk = 1"
		},
	} {
		changed := in
		changed.NextToken = api.Some(token)
		change(&changed)
		_, err := d.ExecuteStatement(ctx, &changed)
		want := "ValidationException: Invalid NextToken"
		if changed.Statement != in.Statement || name == "parameters" {
			want = "ValidationException: NextToken does not match request"
		}
		require.EqualError(t, err, want, name)
	}
	in.NextToken = api.Some(token)
	_, err = d.ExecuteStatement(ctx, &in)
	require.NoError(t, err)
}

// TestPartiQLNativeTypes: vectors and timestamps go in and out as parameters (DESIGN §3), and behave
// as L and N in conditions.
func TestPartiQLNativeTypes(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx := context.Background()
	vector, err := attr.Vector([]float32{0.5, 2})
	require.NoError(t, err)
	run := func(text string, params ...attr.Value) []attr.Item {
		out, err := d.ExecuteStatement(ctx, &api.ExecuteStatementInput{Statement: api.Some(text), Parameters: params})
		require.NoError(t, err, text)
		return out.Items
	}
	run("INSERT INTO orders VALUE {'pk': 'a', 'sk': ?, 'v': ?, 'g': 'x', 'h': ?}", attr.Timestamp(1000), vector, attr.Timestamp(7))
	got := run("SELECT * FROM orders WHERE pk = 'a' AND sk = 1000 AND v[0] = 0.5 AND v = ?", vector)
	require.Len(t, got, 1)
	require.Equal(t, attr.VecF32, got[0].Get("v").Type())
	require.Equal(t, attr.Ts, got[0].Get("sk").Type())
	require.Len(t, run("SELECT * FROM orders.byG WHERE g = 'x' AND h BETWEEN 7 AND ?", attr.Timestamp(7)), 1)
	got = run("UPDATE orders SET v = list_append(v, ?), h = h + 1 WHERE pk = 'a' AND sk = ? RETURNING ALL NEW *", vector, attr.Timestamp(1000))
	require.Len(t, got, 1)
	require.Equal(t, 4, got[0].Get("v").Len())
	require.Equal(t, attr.N, got[0].Get("h").Type())
}

// TestPartiQLExplainEstimates: the capacity is that of what lies in the range, and nothing is run.
func TestPartiQLExplainEstimates(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx := context.Background()
	for i := range 4 {
		in := &api.ExecuteStatementInput{
			Statement:  api.Some("INSERT INTO orders VALUE {'pk': ?, 'sk': 1, 'x': ?}"),
			Parameters: []attr.Value{attr.String(string(rune('a' + i))), attr.String(strings.Repeat("x", 100_000))},
		}
		_, err := d.ExecuteStatement(ctx, in)
		require.NoError(t, err)
	}
	units := func(text string) string {
		out, err := d.ExecuteStatement(ctx, &api.ExecuteStatementInput{Statement: api.Some("EXPLAIN " + text), ConsistentRead: api.Some(true)})
		require.NoError(t, err)
		return showValue(out.Items[0].Get("EstimatedCapacity"))
	}
	require.Equal(t, "25", units("SELECT * FROM orders WHERE pk = 'a' AND sk = 1"))
	require.Equal(t, "25", units("SELECT * FROM orders WHERE pk = 'a'"))
	require.Equal(t, "98", units("SELECT * FROM orders"))
	require.Equal(t, "98", units("DELETE FROM orders WHERE pk = 'a' AND sk = 1"))
	require.Equal(t, "1", units("DELETE FROM orders WHERE pk = 'a' AND sk = 2"))
	left, err := d.allPages("SELECT * FROM orders", 0)
	require.NoError(t, err)
	require.Len(t, left, 4)
}
