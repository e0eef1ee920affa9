package partiql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/expr"
)

// planTable has a key of two attributes, a global index, one of several key attributes and a local
// one.
func planTable() *schema.Table {
	a := func(name string, typ attr.Type) schema.KeyAttr { return schema.KeyAttr{Name: name, Type: typ} }
	return &schema.Table{
		ID: 7, Name: "t", Key: schema.Key{Hash: []schema.KeyAttr{a("pk", attr.S)}, Range: []schema.KeyAttr{a("sk", attr.N)}},
		Indexes: []schema.Index{
			{Name: "byG", Sub: 1, Key: schema.Key{Hash: []schema.KeyAttr{a("g", attr.S)}, Range: []schema.KeyAttr{a("h", attr.N)}}, Projection: schema.ProjectAll},
			{Name: "multi", Sub: 2, Projection: schema.ProjectAll, Key: schema.Key{
				Hash:  []schema.KeyAttr{a("m1", attr.S), a("m2", attr.S)},
				Range: []schema.KeyAttr{a("r1", attr.N), a("r2", attr.S)},
			}},
			{Name: "byL", Sub: 3, Local: true, Key: schema.Key{Hash: []schema.KeyAttr{a("pk", attr.S)}, Range: []schema.KeyAttr{a("l", attr.S)}}, Projection: schema.ProjectKeys},
		},
	}
}

// Placeholders of the native expressions in these tests.
var planValues = []expr.Value{
	{Placeholder: ":1", Value: attr.Int(1)}, {Placeholder: ":2", Value: attr.Int(2)},
	{Placeholder: ":a", Value: attr.String("a")}, {Placeholder: ":b", Value: attr.String("b")},
	{Placeholder: ":l", Value: attr.List(attr.Int(1))},
	{Placeholder: ":s", Value: mustSet()},
	{Placeholder: ":t", Value: attr.Timestamp(1)},
	{Placeholder: ":v", Value: mustVector()},
}

func mustSet() attr.Value {
	v, err := attr.StringSet("a", "b")
	if err != nil {
		panic(err)
	}
	return v
}

func mustVector() attr.Value {
	v, err := attr.Vector([]float32{1, 2})
	if err != nil {
		panic(err)
	}
	return v
}

// nativeValues gives a native condition's text its values as messages show them, so that it can be
// compared with one that has literals.
func nativeValues(text string) string {
	for _, v := range planValues {
		text = strings.ReplaceAll(text, v.Placeholder, (&expr.Literal{Value: v.Value}).String())
	}
	return text
}

func readText(r *plan.Read, native bool) string {
	filter, projection := "", ""
	if r.Filter != nil {
		filter = r.Filter.String()
	}
	if native {
		filter = nativeValues(filter)
	}
	if r.Projection != nil {
		projection = fmt.Sprint(r.Projection.Paths())
	}
	return fmt.Sprintf("index %d range %x..%x reverse %v limit %d filter %s projection %s fetch %v consistent %v",
		r.IndexAt, r.Range.Start, r.Range.End, r.Reverse, r.Limit, filter, projection, r.Fetch, r.Consistent)
}

func bound(t *testing.T, text string) *Bound {
	t.Helper()
	p, err := Parse(text)
	require.NoError(t, err, text)
	// The values of question marks go by what stands before them: "= ?:v" would be another language,
	// so the tests name them in a comment at the end.
	_, names, _ := strings.Cut(text, "-- ")
	var params []attr.Value
	for n := range strings.FieldsSeq(names) {
		for _, v := range planValues {
			if v.Placeholder == n {
				params = append(params, v.Value)
			}
		}
	}
	b, err := p.Bind(params)
	require.NoError(t, err, text)
	return b
}

// TestPlan: a SELECT gives the reads that the native requests give.
func TestPlan(t *testing.T) {
	for _, c := range []struct {
		statement          string
		index, key, filter string
		projection         string
		reverse, keyFilter bool
	}{
		{statement: "SELECT * FROM t WHERE pk = 'a'", key: "pk = :a"},
		{statement: "SELECT * FROM t WHERE pk = ? AND sk > ? -- :a :1", key: "pk = :a AND sk > :1"},
		{statement: "SELECT * FROM t WHERE pk = 'a' AND sk > ? -- :t", key: "pk = :a AND sk > :t"},
		{statement: "SELECT * FROM t WHERE 2 >= sk AND x = 'b' AND pk = 'a'", key: "pk = :a AND :2 >= sk", filter: "x = :b"},
		{statement: "SELECT x, y.z[1] FROM t WHERE pk = 'a' AND sk BETWEEN 1 AND 2 ORDER BY sk DESC", key: "pk = :a AND sk BETWEEN :1 AND :2", projection: "x, y.z[1]", reverse: true},
		{statement: "SELECT * FROM t WHERE pk = 'a' AND (x = 1 OR NOT contains(y, 'b')) AND z IN [1, ?] -- :v", key: "pk = :a", filter: "(x = :1 OR NOT contains(y, :b)) AND z IN (:1, :v)"},
		{statement: "SELECT * FROM t WHERE pk = 'a' AND sk IN (1, 2)", key: "pk = :a", filter: "sk IN (:1, :2)", keyFilter: true},
		{statement: "SELECT * FROM t.byG WHERE g = 'a' AND h = 1 AND pk = 'b'", index: "byG", key: "g = :a AND h = :1", filter: "pk = :b"},
		{statement: "SELECT * FROM t.multi WHERE m1 = 'a' AND m2 = 'b'", index: "multi", key: "m1 = :a AND m2 = :b"},
		{statement: "SELECT * FROM t.multi WHERE r2 >= 'b' AND m2 = 'b' AND m1 = 'a' AND r1 = 1", index: "multi", key: "m1 = :a AND m2 = :b AND r1 = :1 AND r2 >= :b"},
		{statement: "SELECT * FROM t.multi WHERE m1 = 'a' AND m2 = 'b' AND r2 = 'b'", index: "multi", key: "m1 = :a AND m2 = :b", filter: "r2 = :b", keyFilter: true},
		{statement: "SELECT x FROM t.byL WHERE pk = 'a' AND begins_with(l, 'b')", index: "byL", key: "pk = :a AND begins_with(l, :b)", projection: "x"},
		{statement: "SELECT * FROM t.multi WHERE m1 = 'a'", index: "multi", filter: "m1 = :a"},
		{statement: "SELECT * FROM t"},
		{statement: "SELECT * FROM t WHERE sk = 1 AND size(x) < 2 AND x IS NOT MISSING", filter: "sk = :1 AND size(x) < :2 AND NOT attribute_not_exists(x)"},
	} {
		b := bound(t, c.statement)
		sel, err := b.Select(planTable(), &Options{Limit: 3})
		require.NoError(t, err, c.statement)
		require.Nil(t, sel.Key, c.statement)
		require.Len(t, sel.Reads, 1, c.statement)
		require.Equal(t, c.key != "", sel.Query, c.statement)

		q := plan.ReadRequest{Table: planTable(), IndexName: c.index, Limit: 3, Reverse: c.reverse, KeyFilter: c.keyFilter}
		binder := expr.NewBinder(nil, planValues)
		if c.filter != "" {
			tree, err := expr.ParseCondition(expr.KindFilter, c.filter)
			require.NoError(t, err)
			q.Filter, err = tree.Bind(expr.KindFilter, binder)
			require.NoError(t, err)
		}
		if c.projection != "" {
			tree, err := expr.ParseProjection(c.projection)
			require.NoError(t, err)
			q.Projection, err = tree.Bind(binder)
			require.NoError(t, err)
		}
		var want plan.Read
		if c.key == "" {
			want, err = plan.Scan(&q, 0, 1)
		} else {
			tree, e := expr.ParseCondition(expr.KindKeyCondition, c.key)
			require.NoError(t, e)
			kc, e := tree.BindKey(binder)
			require.NoError(t, e)
			want, err = plan.Query(&q, kc)
		}
		require.NoError(t, err, c.statement)
		require.Equal(t, readText(&want, true), readText(&sel.Reads[0], false), c.statement)
	}
}

func writeText(w *plan.Write, native bool) string {
	condition, update := "", ""
	if w.Condition != nil {
		condition = w.Condition.String()
	}
	if w.Update != nil {
		update = w.Update.String()
	}
	if native {
		condition, update = nativeValues(condition), nativeValues(update)
	}
	return fmt.Sprintf("kind %d key %x item %x condition %s update %s", w.Kind, w.Key, []byte(w.Item), condition, update)
}

// TestPlanWrites: the other statements give the writes that the native requests give.
func TestPlanWrites(t *testing.T) {
	key, err := attr.NewItem().S("pk", "a").Int("sk", 1).Build()
	require.NoError(t, err)
	vector := key.With("v", mustVector()).With("t", attr.Timestamp(1)).With("s", mustSet())
	for _, c := range []struct {
		statement         string
		kind              plan.WriteKind
		item              attr.Item
		condition, update string
	}{
		{"INSERT INTO t VALUE {'sk': 1, 'pk': 'a'}", plan.WritePut, key, "attribute_not_exists(pk)", ""},
		{"INSERT INTO t VALUE {'sk': 1, 'pk': ?, 'v': ?, 't': ?, 's': <<'b', 'a'>>} -- :a :v :t", plan.WritePut, vector, "attribute_not_exists(pk)", ""},
		{"UPDATE t SET x = y + 1, l = list_append(l, ?) REMOVE z[0] SET v = ? WHERE pk = 'a' AND sk = 1 -- :l :v", plan.WriteUpdate, key,
			"attribute_exists(pk)", "SET x = y + :1, l = list_append(l, :l) REMOVE z[0] SET v = :v"},
		{"UPDATE t SET s = set_add(s, <<'a', 'b'>>), u = set_delete(u, ?) WHERE sk = 1 AND x > 2 AND pk = 'a' AND y = 'b' -- :s", plan.WriteUpdate, key,
			"attribute_exists(pk) AND x > :2 AND y = :b", "ADD s :s DELETE u :s"},
		{"DELETE FROM t WHERE pk = 'a' AND sk = 1", plan.WriteDelete, key, "", ""},
		{"DELETE FROM t WHERE pk = 'a' AND sk = 1 AND (x = 1 OR x = 2)", plan.WriteDelete, key, "x = :1 OR x = :2", ""},
		{"EXISTS(SELECT * FROM t WHERE pk = 'a' AND sk = 1 AND x = 1)", plan.WriteCheck, key, "attribute_exists(pk) AND x = :1", ""},
	} {
		var room plan.Room
		got, err := bound(t, c.statement).Write(&room, planTable())
		require.NoError(t, err, c.statement)
		want := plan.Write{Kind: c.kind, Item: c.item}
		want.Key, err = plan.Get(&room, planTable(), key, nil)
		require.NoError(t, err)
		text := writeText(&want, false)
		text = strings.Replace(text, "condition ", "condition "+nativeValues(c.condition), 1)
		text = strings.Replace(text, "update ", "update "+nativeValues(c.update), 1)
		require.Equal(t, text, writeText(&got, false), c.statement)
	}
}

// TestPlanPoint: equality on the whole key reads one item.
func TestPlanPoint(t *testing.T) {
	var room plan.Room
	key, err := attr.NewItem().S("pk", "a").Int("sk", 1).Build()
	require.NoError(t, err)
	want, err := plan.Get(&room, planTable(), key, nil)
	require.NoError(t, err)
	for _, s := range []string{
		"SELECT * FROM t WHERE pk = 'a' AND sk = 1",
		"SELECT * FROM t WHERE pk = 'a' AND sk = ? -- :t",
		"SELECT x FROM t WHERE sk = 1 AND x > 1 AND pk IN ['a']",
	} {
		sel, err := bound(t, s).Select(planTable(), &Options{})
		require.NoError(t, err, s)
		require.Equal(t, want, sel.Key, s)
		require.Empty(t, sel.Reads, s)
	}
	sel, err := bound(t, "SELECT * FROM t.byG WHERE g = 'a' AND h = 1").Select(planTable(), &Options{})
	require.NoError(t, err)
	require.Nil(t, sel.Key, "an index may hold several items of one key")
}

// TestOrder: what ORDER BY the key can give, of one partition and of several.
func TestOrder(t *testing.T) {
	const (
		one  = " WHERE m1 = 'a' AND m2 = 'b'"
		both = " WHERE m1 = 'a' AND m2 IN ['a', 'b']"
	)
	for _, c := range []struct{ where, order, want string }{
		{one, "r1", ""},
		{one, "r1 DESC, r2 DESC", ""},
		{one, "m2, r1, m1 DESC, r2", ""},
		{one, "m2", ""},
		{one, "r2", msgOrderRange},
		{one, "r1, r2 DESC", msgOrderRange},
		{one, "r1, r1", msgOrderRange},
		{one, "r1, r2, r1", msgOrderRange},
		{both, "m1, m2 DESC, r1 DESC", ""},
		{both, "m2, m1, r1", ""},
		{both, "m2", ""},
		{both, "r1", msgOrderSeveral},
		{both, "r1, m1, m2", msgOrderSeveral},
		{both, "m2, r1", msgOrderSeveral},
		{both, "m1, m2, r2", msgOrderRange},
		{both, "m1, m2, x", "Attribute x in ORDER BY clause must be part of the primary key"},
	} {
		sel, err := bound(t, "SELECT * FROM t.multi"+c.where+" ORDER BY "+c.order).Select(planTable(), &Options{})
		if c.want == "" {
			require.NoError(t, err, c)
			require.Equal(t, strings.Contains(c.order, "r1 DESC"), sel.Reads[0].Reverse, c)
			continue
		}
		var own *Error
		require.ErrorAs(t, err, &own, "%v", c)
		require.Equal(t, c.want, own.Msg, c)
	}
	several, err := bound(t, "SELECT * FROM t.multi"+both+" ORDER BY m2 DESC").Select(planTable(), &Options{})
	require.NoError(t, err)
	alone, err := bound(t, "SELECT * FROM t.multi WHERE m1 = 'a' AND m2 = 'b'").Select(planTable(), &Options{})
	require.NoError(t, err)
	require.Equal(t, alone.Reads[0].Range, several.Reads[0].Range, "the greater partition comes first")
}

// TestPartsMax bounds the partitions of one statement.
func TestPartsMax(t *testing.T) {
	in := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("'%d'", i))
		}
		return "SELECT * FROM t WHERE pk IN [" + strings.Join(list, ", ") + "]"
	}
	sel, err := bound(t, in(keyInMax)).Select(planTable(), &Options{})
	require.NoError(t, err)
	require.Len(t, sel.Reads, keyInMax)
	_, err = bound(t, in(keyInMax+1)).Select(planTable(), &Options{})
	require.EqualError(t, err, fmt.Sprintf(msgKeyInList, keyInMax+1))
	or := strings.NewReplacer(" IN [", " = ", ", ", " OR pk = ", "]", "").Replace(in(keyInMax + 1))
	_, err = bound(t, or).Select(planTable(), &Options{})
	require.EqualError(t, err, fmt.Sprintf(msgKeyInList, keyInMax+1))
}

// TestParameters: as many as question marks, and none absent.
func TestParameters(t *testing.T) {
	p, err := Parse("SELECT * FROM t WHERE a = ? OR b = ?")
	require.NoError(t, err)
	one := attr.Int(1)
	for _, params := range [][]attr.Value{nil, {one}, {one, one, one}} {
		_, err = p.Bind(params)
		require.EqualError(t, err, msgParameters)
	}
	_, err = p.Bind([]attr.Value{one, nil})
	require.EqualError(t, err, msgParameterEmpty)
	_, err = p.Bind([]attr.Value{one, one})
	require.NoError(t, err)
}

// TestErrorPlaces: errors after parsing carry the place too.
func TestErrorPlaces(t *testing.T) {
	b := bound(t, "UPDATE t\nSET a = size(b) WHERE pk = 'a' AND sk = 1")
	_, err := b.Write(new(plan.Room), planTable())
	require.Equal(t, "2:9:4: Unsupported function: SIZE at 2:9:4", describe(err))
}

// FuzzPlan: no statement that parses makes the planner panic.
func FuzzPlan(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Add("SELECT * FROM t.multi WHERE m1 IN ['a', ?] AND m2 = 'b' OR m2 = 'c' AND (m1 = 'd' OR m1 = ?)")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		p.Explain = true
		params := make([]attr.Value, p.Params)
		for i := range params {
			params[i] = planValues[i%len(planValues)].Value
		}
		b, err := p.Bind(params)
		require.NoError(t, err)
		if p.IsRead() {
			_, _ = b.Select(planTable(), &Options{})
			return
		}
		_, _ = b.Write(new(plan.Room), planTable())
	})
}
