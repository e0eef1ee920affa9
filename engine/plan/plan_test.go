package plan

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

func keyOf(n int, parts ...string) schema.Key {
	var k schema.Key
	for i, p := range parts {
		name, typ, _ := strings.Cut(p, ":")
		a := schema.KeyAttr{Name: name, Type: map[string]attr.Type{"S": attr.S, "N": attr.N, "B": attr.B}[typ]}
		if i < n {
			k.Hash = append(k.Hash, a)
		} else {
			k.Range = append(k.Range, a)
		}
	}
	return k
}

// wide has a table key of two attributes and an index of each kind.
func wide() *schema.Table {
	return &schema.Table{
		ID: 20, Name: "wide", Key: keyOf(1, "pk:S", "sk:B"),
		Indexes: []schema.Index{
			{Name: "byG", Sub: 1, Key: keyOf(1, "g:S", "h:N"), Projection: schema.ProjectAll},
			{Name: "hash", Sub: 2, Key: keyOf(1, "g:S"), Projection: schema.ProjectKeys},
			{
				Name: "multi", Sub: 3, Key: keyOf(2, "a:S", "b:S", "c:N", "d:S"),
				Projection: schema.ProjectInclude, NonKey: []string{"x"},
			},
			{Name: "byL", Sub: 4, Local: true, Key: keyOf(1, "pk:S", "l:B"), Projection: schema.ProjectKeys},
		},
	}
}

func narrow() *schema.Table { return &schema.Table{ID: 21, Name: "narrow", Key: keyOf(1, "pk:S")} }

func item(t *testing.T, b *attr.Builder) attr.Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

func number(t *testing.T, text string) attr.Value {
	t.Helper()
	v, err := attr.Number(text)
	require.NoError(t, err)
	return v
}

// query is one Query as a test writes it. Values are :a, :b and so on.
type query struct {
	table      *schema.Table
	index      string
	condition  string
	values     []attr.Value
	start      *attr.Builder
	filter     string
	projection string
	sel        string
	consistent bool
	reverse    bool
}

func (q *query) texts() Texts {
	t := Texts{KeyCondition: api.Some(q.condition)}
	if q.filter != "" {
		t.Filter = api.Some(q.filter)
	}
	if q.projection != "" {
		t.Projection = api.Some(q.projection)
	}
	for i, v := range q.values {
		t.Values = append(t.Values, api.NamedValue{Placeholder: ":" + string(rune('a'+i)), Value: v})
	}
	return t
}

func (q *query) run(t *testing.T) (Read, error) {
	t.Helper()
	texts := q.texts()
	x, err := NewCompiler().Compile(&texts)
	if err != nil {
		return Read{}, err
	}
	r := ReadRequest{
		Table: q.table, IndexName: q.index, Select: q.sel, Consistent: q.consistent, Reverse: q.reverse,
		Filter: x.Filter, Projection: x.Projection,
	}
	if r.Table == nil {
		r.Table = wide()
	}
	if q.start != nil {
		r.StartKey = item(t, q.start)
	}
	return Query(&r, x.KeyCondition)
}

// TestQueryErrors has the texts of wire-facts §6.10, each where a later fault is there too.
func TestQueryErrors(t *testing.T) { //nolint:funlen // one table
	s, b := attr.String, func(p string) attr.Value { return attr.Binary([]byte(p)) }
	long := strings.Repeat("x", 2049)
	const (
		missed      = "Query condition missed key schema element: "
		unsupported = "Query key condition not supported"
		count       = "Conditions can be of length 1 or 2 only"
		conditionOf = "One or more parameter values were invalid: Condition parameter type does not match schema type"
		startKey    = "The provided starting key is invalid"
		mismatch    = "The provided key element does not match the schema"
		empty       = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: "
		scalar      = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	)
	start := func() *attr.Builder { return attr.NewItem().S("pk", "p").B("sk", []byte("s")) }
	for _, c := range []struct {
		name string
		q    query
		want string
	}{
		{"2 index unknown", query{index: "none", condition: "sk = :a", values: []attr.Value{b("x")}, consistent: true},
			"The table does not have the specified index: none"},
		{"3 consistent global", query{index: "byG", condition: "h = :a", values: []attr.Value{s("x")}, consistent: true},
			"Consistent reads are not supported on global secondary indexes"},
		{"5 start key count", query{condition: "sk = :a", values: []attr.Value{b("x")}, start: attr.NewItem().S("pk", "p")}, startKey},
		{"5 of an index", query{index: "byG", condition: "g = :a", values: []attr.Value{s("x")}, start: start()}, startKey},
		{"6 start key lacks", query{condition: "sk = :a", values: []attr.Value{b("x")}, start: attr.NewItem().S("pk", "p").S("other", "x")}, startKey},
		{"7 start key type", query{condition: "sk = :a", values: []attr.Value{b("x")}, start: attr.NewItem().S("pk", "p").S("sk", "x")}, mismatch},
		{"8 two conditions, hash only", query{table: narrow(), condition: "x = :a AND y = :b", values: []attr.Value{s("x"), s("y")}}, unsupported},
		{"8 of an index", query{index: "hash", condition: "g = :a AND y = :b", values: []attr.Value{s("x"), s("y")}}, unsupported},
		{"9 no hash", query{condition: "sk = :a", values: []attr.Value{b("x")}}, missed + "pk"},
		{"9 no hash, two", query{condition: "sk = :a AND x = :b", values: []attr.Value{b("x"), b("y")}}, missed + "pk"},
		{"9 not the sort key", query{condition: "pk = :a AND x = :b", values: []attr.Value{s("x"), b("y")}}, missed + "sk"},
		{"9 of an index", query{index: "byL", condition: "pk = :a AND sk = :b", values: []attr.Value{s("x"), b("y")}}, missed + "l"},
		{"more than two", query{condition: "pk = :a AND sk = :b AND x = :c", values: []attr.Value{s("x"), b("y"), b("z")}}, count},
		{"11 hash type", query{condition: "pk > :a", values: []attr.Value{b("x")}}, conditionOf},
		{"11 sort type", query{condition: "pk = :a AND sk < :b", values: []attr.Value{s("x"), s("y")}}, conditionOf},
		{"12 hash not equal", query{condition: "pk > :a", values: []attr.Value{s("")}}, unsupported},
		{"13 table key of an index's start", query{index: "byG", condition: "g = :a", values: []attr.Value{s("x")},
			start: start().S("g", "x").N("h", "1").S("sk", "no")}, startKey + ": " + mismatch},
		{"13 empty", query{condition: "pk = :a", values: []attr.Value{s("p")}, start: attr.NewItem().S("pk", "p").B("sk", nil)}, startKey + ": " + mismatch},
		{"13 long", query{condition: "pk = :a", values: []attr.Value{s("p")}, start: attr.NewItem().S("pk", long).B("sk", []byte("x"))}, startKey + ": " + mismatch},
		{"14 other partition", query{condition: "pk = :a", values: []attr.Value{s("q")}, start: start()},
			"The provided starting key is outside query boundaries based on provided conditions"},
		{"15 breaks the condition", query{condition: "pk = :a AND sk > :b", values: []attr.Value{s("q"), b("s")}, start: start()},
			"The provided starting key does not match the range key predicate"},
		{"16 other partition, condition holds", query{condition: "pk = :a AND sk >= :b", values: []attr.Value{s("q"), b("s")}, start: start()},
			"The query can return at most one row and cannot be restarted"},
		{"17 nested projection", query{condition: "pk = :a", values: []attr.Value{s("")}, projection: "x, pk.y", filter: "pk = :a"}, scalar + "Key: pk"},
		{"17 of an index key", query{condition: "pk = :a", values: []attr.Value{s("")}, projection: "h[0]"}, scalar + "IndexKey: h"},
		{"17 in a filter", query{condition: "pk = :a", values: []attr.Value{s("")}, filter: "sk.x = :a"}, scalar + "Key: sk"},
		{"18 filter on a key", query{condition: "pk = :a", values: []attr.Value{s("")}, filter: "x = :a OR sk = :a"},
			"Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"},
		{"18 of an index", query{index: "byG", condition: "g = :a", values: []attr.Value{s("")}, filter: "h = :a"},
			"Filter Expression can only contain non-primary key attributes: Primary key attribute: h"},
		{"18 in a function", query{condition: "pk = :a", values: []attr.Value{s("")}, filter: "attribute_exists(pk)"},
			"Filter Expression can only contain non-primary key attributes: Primary key attribute: pk"},
		{"19 all of a partial index", query{index: "hash", condition: "g = :a", values: []attr.Value{s("")}, sel: "ALL_ATTRIBUTES"},
			"One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index hash because its projection type is not ALL"},
		{"20 not projected", query{index: "multi", condition: "a = :a AND b = :a", values: []attr.Value{s("")}, projection: "x, y.z, pk, w"},
			"One or more parameter values were invalid: Global secondary index multi does not project [w, y]"},
		{"21 empty hash", query{condition: "pk = :a", values: []attr.Value{s("")}}, empty + "pk"},
		{"21 empty sort", query{condition: "pk = :a AND begins_with(sk, :b)", values: []attr.Value{s("x"), b("")}},
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: sk"},
		{"21 empty in BETWEEN", query{condition: "pk = :a AND sk BETWEEN :b AND :c", values: []attr.Value{s("x"), b(""), b("x")}},
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: sk"},
		{"long hash", query{condition: "pk = :a", values: []attr.Value{s(long)}},
			"One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"hash longer than its length field", query{condition: "pk = :a", values: []attr.Value{s(strings.Repeat("x", 1<<16+1))}},
			"One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"long sort", query{condition: "pk = :a AND sk <= :b", values: []attr.Value{s("p"), b(long[:1025])}},
			"One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
		// Several attributes on a side: wire-facts §6.1.1.
		{"a hash attribute missing", query{index: "multi", condition: "a = :a AND c = :b", values: []attr.Value{s("x"), number(t, "1")}}, missed + "b"},
		{"a hash attribute not equal", query{index: "multi", condition: "a = :a AND b < :a", values: []attr.Value{s("x")}}, unsupported},
		{"a gap", query{index: "multi", condition: "a = :a AND b = :a AND d = :a", values: []attr.Value{s("x")}},
			"RANGE key attributes c must have equality conditions specified in the query because a condition is present on key attribute d"},
		{"a range before the last", query{index: "multi", condition: "a = :a AND b = :a AND c < :b AND d = :a",
			values: []attr.Value{s("x"), number(t, "1")}}, unsupported},
		{"not a key", query{index: "multi", condition: "a = :a AND b = :a AND y = :a", values: []attr.Value{s("x")}}, missed + "c"},
	} {
		_, err := c.q.run(t)
		var own *api.Error
		require.ErrorAs(t, err, &own, c.name)
		require.Equal(t, api.Validation, own.Code, c.name)
		require.Equal(t, c.want, own.Message, c.name)
	}
}

// TestQueryFetch: where attributes come from that an index does not hold.
func TestQueryFetch(t *testing.T) {
	s := attr.String("x")
	for _, c := range []struct {
		name  string
		q     query
		fetch bool
	}{
		{"table", query{condition: "pk = :a", projection: "z"}, false},
		{"local, all", query{index: "byL", condition: "pk = :a", sel: "ALL_ATTRIBUTES"}, true},
		{"local, as projected", query{index: "byL", condition: "pk = :a"}, false},
		{"local, keys", query{index: "byL", condition: "pk = :a", projection: "pk, sk, l"}, false},
		{"local, more", query{index: "byL", condition: "pk = :a", projection: "pk, x[1]"}, true},
		{"global with all", query{index: "byG", condition: "g = :a", sel: "ALL_ATTRIBUTES", projection: "z"}, false},
		{"global, held", query{index: "multi", condition: "a = :a AND b = :a", projection: "x.y, pk, sk, a, d"}, false},
	} {
		c.q.values = []attr.Value{s}
		r, err := c.q.run(t)
		require.NoError(t, err, c.name)
		require.Equal(t, c.fetch, r.Fetch, c.name)
	}
}

// oddBytes are values that try the edges of the order of keys.
var oddBytes = []string{
	"\x00", "\x00\x00", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x01", "a\x00\xff", "a\x01", "ab", "b",
	"\xfe", "\xff", "\xff\x00", "\xff\xff",
}

// oddNumbers are numbers whose order is not that of their texts.
var oddNumbers = []string{
	"-9E125", "-10", "-9", "-1.5", "-1", "-1E-130", "0", "1E-130", "0.5", "1", "1.05", "1.5", "9", "10", "99", "100", "9E125",
}

// candidates are items of two partitions that are in all indexes.
func candidates(t *testing.T) []attr.Item {
	t.Helper()
	var items []attr.Item
	for _, p := range []string{"p", "p\x00", "q"} {
		for i, o := range oddBytes {
			for j := range 3 {
				n := oddNumbers[(i*3+j)%len(oddNumbers)]
				d := oddBytes[(i+j)%11]
				items = append(items, item(t, attr.NewItem().S("pk", p).B("sk", []byte(o)).B("l", []byte(oddBytes[(i+j)%len(oddBytes)])).
					S("g", p).N("h", n).S("a", p).S("b", "b").N("c", n).S("d", d)))
			}
		}
	}
	return items
}

// TestRangesHoldWhatConditionsMean compares key ranges with the meaning of conditions, over values
// with NUL and 0xFF bytes and numbers, both ways and from start keys.
func TestRangesHoldWhatConditionsMean(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	items := candidates(t)
	bytesOf := func() attr.Value { return attr.Binary([]byte(oddBytes[rnd.IntN(len(oddBytes))])) }
	textOf := func() attr.Value { return attr.String(oddBytes[rnd.IntN(11)]) }
	numberOf := func() attr.Value { return number(t, oddNumbers[rnd.IntN(len(oddNumbers))]) }
	kinds := []struct {
		index, prefix, sort string
		value               func() attr.Value
		prefixes            bool
	}{
		{"", "pk = :a", "sk", bytesOf, true},
		{"byL", "pk = :a", "l", bytesOf, true},
		{"byG", "g = :a", "h", numberOf, false},
		{"multi", "a = :a AND b = :d", "c", numberOf, false},
		{"multi", "a = :a AND b = :d AND c = :e", "d", textOf, true},
	}
	operators := []string{"", "%s = :b", "%s < :b", "%s <= :b", "%s > :b", "%s >= :b", "%s BETWEEN :b AND :c", "begins_with(%s, :b)"}
	matched := 0
	for round := range 1000 {
		k := kinds[rnd.IntN(len(kinds))]
		operator := operators[rnd.IntN(len(operators))]
		if strings.Contains(operator, "begins") && !k.prefixes {
			continue
		}
		low, high := k.value(), k.value()
		if c, _ := attr.Compare(low, high); c > 0 {
			low, high = high, low
		}
		q := query{index: k.index, condition: k.prefix, reverse: round%2 == 1}
		named := map[string]attr.Value{":a": attr.String("p"), ":b": low, ":c": high, ":d": attr.String("b"), ":e": numberOf()}
		if operator != "" {
			q.condition += " AND " + fmt.Sprintf(operator, k.sort)
		}
		q.values = nil
		texts := Texts{KeyCondition: api.Some(q.condition)}
		for _, n := range []string{":a", ":b", ":c", ":d", ":e"} {
			if strings.Contains(q.condition, n) {
				texts.Values = append(texts.Values, api.NamedValue{Placeholder: n, Value: named[n]})
			}
		}
		x, err := NewCompiler().Compile(&texts)
		require.NoError(t, err)
		tb := wide()
		request := ReadRequest{Table: tb, IndexName: k.index, Reverse: q.reverse}
		holds := func(it attr.Item) bool {
			ok := it.Get("pk").Text() == "p" &&
				(!strings.Contains(k.prefix, ":e") || attr.Equal(it.Get("c"), named[":e"]))
			return ok && means(operator, it.Get(k.sort), low, high)
		}
		var start attr.Item
		if candidate := items[rnd.IntN(len(items))]; round%3 == 0 && holds(candidate) {
			start = candidate.Project(startNames(tb, k.index))
			request.StartKey = start
		}
		r, err := Query(&request, x.KeyCondition)
		require.NoError(t, err, q.condition)
		for _, it := range items {
			at, ok := r.position(it)
			if !ok {
				t.Fatalf("no position of %x", it)
			}
			want := holds(it)
			if start != nil {
				from, _ := r.position(start)
				after := bytes.Compare(at, from) > 0
				if q.reverse {
					after = bytes.Compare(at, from) < 0
				}
				want = want && after
			}
			if want {
				matched++
			}
			if want != storage.Range(r.Range).Contains(at) { // not require: it formats each time
				t.Fatalf("%s of %s: %x in %x..%x: want %v", q.condition, k.index, at, r.Range.Start, r.Range.End, want)
			}
		}
	}
	require.Greater(t, matched, 500, "the test looks at something")
}

func startNames(tb *schema.Table, index string) []string {
	if index == "" {
		return keyNames(nil, &tb.Key, nil)
	}
	return keyNames(nil, &tb.Key, &tb.Index(index).Key)
}

// means is the meaning of a sort condition.
func means(operator string, v, low, high attr.Value) bool {
	c, _ := attr.Compare(v, low)
	switch operator {
	case "":
		return true
	case "%s = :b":
		return c == 0
	case "%s < :b":
		return c < 0
	case "%s <= :b":
		return c <= 0
	case "%s > :b":
		return c > 0
	case "%s >= :b":
		return c >= 0
	case "begins_with(%s, :b)":
		return bytes.HasPrefix(v.Payload(), low.Payload())
	}
	top, _ := attr.Compare(v, high)
	return c >= 0 && top <= 0
}

// TestScanErrors has the texts of wire-facts §6.11.
func TestScanErrors(t *testing.T) {
	start := func() *attr.Builder { return attr.NewItem().S("pk", "p").B("sk", []byte("s")) }
	const invalidStart = "The provided starting key is invalid"
	const schemaStart = invalidStart + ": The provided key element does not match the schema"
	other := int64(0)
	tb := wide()
	at, ok := key.AppendItem(nil, tb, item(t, start()))
	require.True(t, ok)
	if key.HashOf(at) < 1<<31 {
		other = 1
	}
	for _, c := range []struct {
		name, index string
		start       *attr.Builder
		consistent  bool
		sel         string
		segment, of int64
		want        string
	}{
		{"index", "none", nil, true, "", 0, 1, "The table does not have the specified index: none"},
		{"consistent", "byG", attr.NewItem(), true, "", 0, 1, "Consistent reads are not supported on global secondary indexes"},
		{"count", "", attr.NewItem().S("pk", "p"), false, "", 0, 1, schemaStart},
		{"name", "", attr.NewItem().S("pk", "p").S("x", "y"), false, "", 0, 1, schemaStart},
		{"type", "", attr.NewItem().S("pk", "p").S("sk", "y"), false, "", 0, 1, schemaStart},
		{"count of an index", "byG", start(), false, "", 0, 1, invalidStart},
		{"name of an index", "byG", start().S("g", "x").S("x", "y"), false, "", 0, 1, invalidStart},
		{"type of an index", "byG", start().S("g", "x").S("h", "y"), false, "ALL_ATTRIBUTES", 0, 1, "The provided key element does not match the schema"},
		{"all of a partial index", "hash", start().S("g", "x").S("sk", "no"), false, "ALL_ATTRIBUTES", 0, 1,
			"One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index hash because its projection type is not ALL"},
		{"table key of an index", "hash", start().S("g", "x").S("sk", "no"), false, "", 0, 1, schemaStart},
		{"other segment", "", start(), false, "", other, 2, fmt.Sprintf(
			"The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: 2 Segment: %d", other)},
	} {
		q := ReadRequest{Table: tb, IndexName: c.index, Consistent: c.consistent, Select: c.sel}
		if c.start != nil {
			q.StartKey = item(t, c.start)
		}
		_, err := Scan(&q, c.segment, c.of)
		var own *api.Error
		require.ErrorAs(t, err, &own, c.name)
		require.Equal(t, c.want, own.Message, c.name)
	}
	_, err := Scan(&ReadRequest{Table: tb, StartKey: item(t, start())}, 1-other, 2)
	require.NoError(t, err)
}

// TestWriteErrors has the texts of wire-facts §4.2, §4.3 and §5.9.
func TestWriteErrors(t *testing.T) { //nolint:funlen // one table
	const invalid = "One or more parameter values were invalid: "
	const notValid = "One or more parameter values are not valid. "
	const schemaText = "The provided key element does not match the schema"
	base := func() *attr.Builder { return attr.NewItem().S("pk", "p").B("sk", []byte("s")) }
	long := strings.Repeat("x", 2049)
	put := func(b *attr.Builder) error { _, err := Put(new(Room), wide(), item(t, b), nil); return err }
	del := func(b *attr.Builder) error { _, err := Delete(new(Room), wide(), item(t, b), nil); return err }
	batch := func(b *attr.Builder) error { _, err := BatchPut(new(Room), wide(), item(t, b)); return err }
	update := func(expression string, values ...attr.Value) error {
		texts := Texts{Update: api.Some(expression)}
		for i, v := range values {
			texts.Values = append(texts.Values, api.NamedValue{Placeholder: ":" + string(rune('a'+i)), Value: v})
		}
		x, err := NewCompiler().Compile(&texts)
		require.NoError(t, err)
		_, err = Update(new(Room), wide(), item(t, base()), x.Update, nil)
		return err
	}
	updated := func(b *attr.Builder) error { return Updated(wide(), nil, item(t, b)) }
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"missing", put(attr.NewItem().B("sk", nil)), invalid + "Missing the key pk in the item"},
		{"type", put(attr.NewItem().N("pk", "1")), invalid + "Type mismatch for key pk expected: S actual: N"},
		{"empty", put(attr.NewItem().S("pk", "")), notValid + "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"long", put(attr.NewItem().S("pk", long)), invalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"longest", put(base().S("pk", long[:2048])), ""},
		{"sort missing", put(attr.NewItem().S("pk", "p").Null("g")), invalid + "Missing the key sk in the item"},
		{"sort long", put(attr.NewItem().S("pk", "p").B("sk", []byte(long[:1025])).Null("g")),
			invalid + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
		{"index type", put(base().Null("g").S("h", "x")), invalid + "Type mismatch for Index Key g Expected: S Actual: NULL IndexName: byG"},
		{"index sort type", put(base().S("h", "x").S("l", "x")), invalid + "Type mismatch for Index Key h Expected: N Actual: S IndexName: byG"},
		{"global before local", put(base().N("d", "1").S("l", "x")), invalid + "Type mismatch for Index Key d Expected: S Actual: N IndexName: multi"},
		{"local", put(base().S("l", "x")), invalid + "Type mismatch for Index Key l Expected: B Actual: S IndexName: byL"},
		{"index empty", put(base().S("g", "")), notValid + "A value specified for a secondary index key is not supported. " +
			"The AttributeValue for a key attribute cannot contain an empty string value. IndexName: byG, IndexKey: g"},
		{"index empty binary", put(base().B("l", nil)), notValid + "A value specified for a secondary index key is not supported. " +
			"The AttributeValue for a key attribute cannot contain an empty binary value. IndexName: byL, IndexKey: l"},
		{"index long", put(base().S("g", long)), invalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"index long together", put(base().S("a", long[:1025]).S("b", long[:1025])), invalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"with local entries", put(base().B("l", []byte("x")).S("big", strings.Repeat("x", 409_000))), ""},
		{"batch missing", batch(attr.NewItem().S("pk", "p")), schemaText},
		{"batch type", batch(attr.NewItem().S("pk", "p").S("sk", "x")), schemaText},
		{"batch empty", batch(attr.NewItem().S("pk", "").B("sk", []byte("x"))),
			notValid + "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"key count", del(base().S("x", "y")), schemaText},
		{"key none", del(attr.NewItem()), schemaText},
		{"key name", del(attr.NewItem().S("pk", "p").S("x", "y")), schemaText},
		{"key type", del(attr.NewItem().S("pk", "").S("sk", "y")), notValid + "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"key empty", del(attr.NewItem().S("pk", "p").B("sk", nil)), notValid + "The AttributeValue for a key attribute cannot contain an empty binary value. Key: sk"},
		{"update key", update("SET x = :a, pk = :a", attr.String("v")), invalid + "Cannot update attribute pk. This attribute is part of the key"},
		{"remove key", update("REMOVE sk"), invalid + "Cannot update attribute sk. This attribute is part of the key"},
		{"update inside a key", update("SET pk.x = :a", attr.String("v")),
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
		{"update inside an index key", update("REMOVE g[0]"),
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: g"},
		{"update reads inside a key", update("SET x = pk.y"),
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
		{"update reads inside an index key", update("SET x = if_not_exists(y.z, g[0])"),
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: g"},
		{"update index key", update("SET g = :a", number(t, "1")), invalid + "Type mismatch for Index Key g Expected: S Actual: N IndexName: byG"},
		{"add to index key", update("ADD g :a", number(t, "1")), invalid + "Type mismatch for Index Key g Expected: S Actual: N IndexName: byG"},
		{"update index key empty", update("SET g = :a", attr.String("")), notValid +
			"The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value."},
		{"updated type", updated(base().N("g", "1")), "The update expression attempted to update the secondary index key to unsupported type"},
		{"updated size", updated(base().S("a", long[:1025]).S("b", long[:1025])), "The update expression attempted to update the secondary index key beyond allowed size limits"},
		{"updated too large", updated(base().S("x", strings.Repeat("x", 409_600))), "Item size to update has exceeded the maximum allowed size"},
	} {
		if c.want == "" {
			require.NoError(t, c.err, c.name)
			continue
		}
		var own *api.Error
		require.ErrorAs(t, c.err, &own, c.name)
		require.Equal(t, api.Validation, own.Code, c.name)
		require.Equal(t, c.want, own.Message, c.name)
	}
}

// The limit of an item counts its entries in local indexes (wire-facts §4.3).
func TestItemSizeCountsLocalEntries(t *testing.T) {
	tb := wide()
	tb.Indexes[3].Projection = schema.ProjectAll
	half := func(n int) attr.Item {
		return item(t, attr.NewItem().S("pk", "p").B("sk", []byte("s")).B("l", []byte("l")).S("x", strings.Repeat("x", n)))
	}
	fixed := half(0).Size()
	_, err := Put(new(Room), tb, half(attr.ItemSizeMaxBytes/2-fixed), nil)
	require.NoError(t, err)
	_, err = Put(new(Room), tb, half(attr.ItemSizeMaxBytes/2-fixed+1), nil)
	require.EqualError(t, err, invalid(api.MsgItemSize).Error())
	_, err = Put(new(Room), tb, half(attr.ItemSizeMaxBytes/2-fixed+1).Without("l"), nil)
	require.NoError(t, err, "without an entry only the item counts")
	require.EqualError(t, Updated(tb, nil, half(attr.ItemSizeMaxBytes/2-fixed+1)), invalid(api.MsgUpdateItemSize).Error())
}
