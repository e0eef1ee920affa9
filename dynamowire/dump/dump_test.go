package dump_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/dump"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func memory(t testing.TB) *engine.DB {
	t.Helper()
	db, err := engine.OpenInMemory(engine.Options{NoBackground: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func dumped(t testing.TB, svc api.Service) string {
	t.Helper()
	var out bytes.Buffer
	_, err := dump.Write(context.Background(), svc, &out, dump.WriteOptions{})
	require.NoError(t, err)
	return out.String()
}

// attribute is a definition of a string attribute.
func attribute(name string) api.AttributeDefinition {
	return api.AttributeDefinition{AttributeName: api.Some(name), AttributeType: api.Some(api.ScalarAttributeTypeS)}
}

func keyElement(name, kind string) api.KeySchemaElement {
	return api.KeySchemaElement{AttributeName: api.Some(name), KeyType: api.Some(kind)}
}

// fullTable has everything that a definition can have.
func fullTable(name string) *api.CreateTableInput {
	all := &api.Projection{ProjectionType: api.Some(api.ProjectionTypeInclude), NonKeyAttributes: []string{"z", "a"}}
	return &api.CreateTableInput{
		TableName:            api.Some(name),
		AttributeDefinitions: []api.AttributeDefinition{attribute("sk"), attribute("pk"), attribute("g"), attribute("l")},
		KeySchema:            []api.KeySchemaElement{keyElement("pk", api.KeyTypeHash), keyElement("sk", api.KeyTypeRange)},
		BillingMode:          api.Some(api.BillingModePayPerRequest),
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{
			{IndexName: api.Some("zebra"), KeySchema: []api.KeySchemaElement{keyElement("g", api.KeyTypeHash)}, Projection: all},
			{IndexName: api.Some("apple"), KeySchema: []api.KeySchemaElement{keyElement("l", api.KeyTypeHash)}, Projection: all},
		},
		LocalSecondaryIndexes: []api.LocalSecondaryIndex{{
			IndexName: api.Some("local"), Projection: &api.Projection{ProjectionType: api.Some(api.ProjectionTypeKeysOnly)},
			KeySchema: []api.KeySchemaElement{keyElement("pk", api.KeyTypeHash), keyElement("l", api.KeyTypeRange)},
		}},
		StreamSpecification: &api.StreamSpecification{
			StreamEnabled: api.Some(true), StreamViewType: api.Some(api.StreamViewTypeNewImage),
		},
		Tags:                      []api.Tag{{Key: api.Some("team"), Value: api.Some("x")}, {Key: api.Some("cost"), Value: api.Some("y")}},
		TableClass:                api.Some(api.TableClassStandardInfrequentAccess),
		DeletionProtectionEnabled: api.Some(true),
		OnDemandThroughput:        &api.OnDemandThroughput{MaxReadRequestUnits: api.Some(int64(40)), MaxWriteRequestUnits: api.Some(int64(50))},
	}
}

// values makes random values of every type.
type values struct{ *rand.Rand }

func (r values) text() string {
	runes := []rune("ab \"\\/~0ä\n\x01€😀")
	out := make([]rune, r.IntN(6))
	for i := range out {
		out[i] = runes[r.IntN(len(runes))]
	}
	return string(out)
}

func (r values) number() string {
	digits := fmt.Sprint(1+r.IntN(9)) + strings.Repeat(fmt.Sprint(r.IntN(10)), r.IntN(37))
	return fmt.Sprintf("%s%se%d", []string{"", "-"}[r.IntN(2)], digits, r.IntN(120)-110)
}

func (r values) vector() attr.Value {
	vec := make([]float32, r.IntN(5))
	for i := range vec {
		vec[i] = []float32{0, 1, -0.1, 3.4028235e38, 1e-45, float32(r.NormFloat64())}[r.IntN(6)]
	}
	v, err := attr.Vector(vec)
	if err != nil {
		panic(err)
	}
	return v
}

func (r values) value(depth int) attr.Value { //nolint:funlen // a flat switch
	must := func(v attr.Value, err error) attr.Value {
		if err != nil {
			panic(err)
		}
		return v
	}
	kinds := 12
	if depth == 0 {
		kinds = 10
	}
	switch r.IntN(kinds) {
	case 0:
		return attr.String(r.text())
	case 1:
		return must(attr.Number(r.number()))
	case 2:
		return attr.Binary([]byte(r.text()))
	case 3:
		return attr.Bool(r.IntN(2) == 0)
	case 4:
		return attr.Null()
	case 5:
		return must(attr.StringSet("x", "a"+r.text(), "")) // "" is a legal member
	case 6:
		return must(attr.NumberSet("1", fmt.Sprint(2+r.IntN(1000))))
	case 7:
		return must(attr.BinarySet([]byte{0}, []byte("b"+r.text())))
	case 8:
		return r.vector()
	case 9:
		return attr.Timestamp(r.Int64() - 1<<62)
	case 10:
		list := make([]attr.Value, r.IntN(4))
		for i := range list {
			list[i] = r.value(depth - 1)
		}
		return attr.List(list...)
	}
	return attr.Map(r.item(depth - 1))
}

func (r values) item(depth int) attr.Item {
	var it attr.Item
	for range r.IntN(4) {
		it = it.With("n"+r.text(), r.value(depth))
	}
	return it
}

// TestRoundTrip: random items of all types, over tables with everything: a dump that is loaded and dumped
// again has the same bytes, and the items are the same values of the same types.
func TestRoundTrip(t *testing.T) {
	ctx := context.Background()
	db := memory(t)
	_, err := db.CreateTable(ctx, fullTable("full"))
	require.NoError(t, err)
	_, err = db.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName:               api.Some("full"),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{Enabled: api.Some(true), AttributeName: api.Some("end")},
	})
	require.NoError(t, err)
	plain := fullTable("also")
	plain.GlobalSecondaryIndexes, plain.LocalSecondaryIndexes, plain.Tags, plain.StreamSpecification = nil, nil, nil, nil
	plain.AttributeDefinitions = plain.AttributeDefinitions[:2]
	plain.BillingMode, plain.OnDemandThroughput = api.Some(api.BillingModeProvisioned), nil
	plain.ProvisionedThroughput = &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(int64(7)), WriteCapacityUnits: api.Some(int64(8))}
	_, err = db.CreateTable(ctx, plain)
	require.NoError(t, err)

	r := values{rand.New(rand.NewPCG(1, 2))}
	for i := range 400 {
		it := r.item(3).With("pk", attr.String(fmt.Sprint("p", i%7))).With("sk", attr.String(fmt.Sprint("s", i)))
		for _, name := range []string{"full", "also"} {
			_, err := db.PutItem(ctx, &api.PutItemInput{TableName: api.Some(name), Item: it})
			require.NoError(t, err, it)
		}
	}
	text := dumped(t, db)
	require.True(t, strings.HasPrefix(text, `{"KstoneDump":1}`+"\n"+`{"Table":{`), text[:100])
	require.True(t, strings.HasSuffix(text, `{"End":{"Tables":2,"Items":800}}`+"\n"))
	require.Contains(t, text, `"TimeToLive":{"Enabled":true,"AttributeName":"end"}`)
	require.Contains(t, text, `"Native":["/`)

	again := memory(t)
	counts, err := dump.Load(ctx, again, iotest.HalfReader(strings.NewReader(text)), dump.LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, dump.Counts{Tables: 2, Items: 800}, counts)
	require.Equal(t, text, dumped(t, again))
	for _, name := range []string{"full", "also"} {
		a, err := db.Scan(ctx, &api.ScanInput{TableName: api.Some(name)})
		require.NoError(t, err)
		b, err := again.Scan(ctx, &api.ScanInput{TableName: api.Some(name)})
		require.NoError(t, err)
		require.Equal(t, a.Items, b.Items, "types of their own included")
	}
	streams, err := again.ListStreams(ctx, &api.ListStreamsInput{})
	require.NoError(t, err)
	require.Len(t, streams.Streams, 1, "enabled behind the items")
}

const head = `{"KstoneDump":1}
{"Table":{"TableName":"tab","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],` +
	`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}}
{"Items":"tab"}
`

// TestBadLines: each is told with its number, nothing of it is loaded, and what comes before is.
func TestBadLines(t *testing.T) {
	for line, want := range map[string]string{
		`{"Item":{"pk":{"S":"x"}}`:                                  "line 5: no line of a dump: ",
		`{"Item":{"pk":{"X":"x"}}}`:                                 "line 5: Supplied AttributeValue is empty",
		`{"Item":{"pk":{"S":1}}}`:                                   "line 5: no DynamoDB JSON: ",
		`{"Item":{"pk":{"N":"1"}}}`:                                 "line 5: ",
		`{"Item":{"k":{"S":"x"}}}`:                                  "line 5: ",
		`{"Item":{"pk":{"S":"x"},"n":{"N":"a"}}}`:                   "line 5: ",
		`{"Item":{"pk":{"S":"x"}},"Native":["/v"]}`:                 "line 5: : Native names a value that is not there",
		`{"Item":{"pk":{"S":"x"}},"Native":["pk"]}`:                 `line 5: member Native: "pk": want a pointer`,
		`{"Item":{"pk":{"S":"x"}},"Native":["/pk"]}`:                "line 5: /pk: Native names a value that is neither",
		`{"Item":{"pk":{"S":"x"},"n":{"N":"1.5"}},"Native":["/n"]}`: "line 5: /n: Native names a value that is neither",
		`{"Item":{"pk":{"S":"x"}},"Other":1}`:                       "line 5: no line of a dump: ",
		`{"Item":{"pk":{"S":"x"}}} {}`:                              "line 5: more than one object",
		`{}`:                                                        "line 5: no line of a dump: want one of",
		`{"KstoneDump":1}`:                                          "line 5: a second first line",
		"{\"Item\":{\"pk\":{\"S\":\"\xff\"}}}":                      "line 5: not UTF-8",
		`{"Item":{"pk":{"S":"x"},"v":{"S":"` + strings.Repeat("v", 410_000) + `"}}}`: "line 5: ",
	} {
		text := head + `{"Item":{"pk":{"S":"before"}}}` + "\n" + line + "\n" + `{"Item":{"pk":{"S":"behind"}}}` + "\n"
		db := memory(t)
		_, err := dump.Load(context.Background(), db, strings.NewReader(text), dump.LoadOptions{})
		_, ok := errors.AsType[*dump.LineError](err)
		require.True(t, ok, "%v", err)
		require.ErrorContains(t, err, want)
		require.NotContains(t, dumped(t, db), `"S":"x"`)

		var told []string
		db = memory(t)
		counts, err := dump.Load(context.Background(), db, strings.NewReader(text+`{"End":{}}`), dump.LoadOptions{
			Bad: func(n int64, err error) { told = append(told, fmt.Sprintf("line %d: %v", n, err)) },
		})
		require.NoError(t, err)
		require.Equal(t, dump.Counts{Tables: 1, Items: 2}, counts)
		require.Len(t, told, 1)
		require.Contains(t, told[0], want)
		require.NotContains(t, dumped(t, db), `"S":"x"`)
	}
}

// headIndexed is a table with an index.
const headIndexed = `{"KstoneDump":1}
{"Table":{"TableName":"tab","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],` +
	`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},` +
	`{"AttributeName":"g","AttributeType":"B"}],"GlobalSecondaryIndexes":[{"IndexName":"index","Projection":{"ProjectionType":"KEYS_ONLY"},` +
	`"KeySchema":[{"AttributeName":"g","KeyType":"HASH"}]}],"BillingMode":"PAY_PER_REQUEST"}}
{"Items":"tab"}
`

// loadAround loads items with a bad one among them, and returns the error and the numbers of those that are in.
func loadAround(t *testing.T, svc api.Service, bad string) (at *dump.LineError, loaded []int) {
	t.Helper()
	var text strings.Builder
	text.WriteString(headIndexed)
	for i := range 3 * badAt {
		if i == badAt {
			fmt.Fprintln(&text, bad)
			continue
		}
		fmt.Fprintf(&text, `{"Item":{"pk":{"S":"p%d"},"sk":{"N":"%d"},"n":{"S":"%d"}}}`+"\n", i%17, i, i)
	}
	_, err := dump.Load(context.Background(), svc, strings.NewReader(text.String()), dump.LoadOptions{})
	at, ok := errors.AsType[*dump.LineError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, int64(badAt+4), at.Line)
	out, err := svc.Scan(context.Background(), &api.ScanInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	for _, it := range out.Items {
		n, err := strconv.Atoi(it.Get("n").Text())
		require.NoError(t, err)
		loaded = append(loaded, n)
	}
	slices.Sort(loaded)
	require.GreaterOrEqual(t, len(loaded), badAt)
	require.Equal(t, badAt-1, loaded[badAt-1], "every line before it is in")
	return at, loaded[badAt:]
}

// badAt is which item is bad.
const badAt = 700

// TestNothingBehindABadLine: what comes before the first bad line is in, and nothing behind it.
func TestNothingBehindABadLine(t *testing.T) {
	for name, bad := range map[string]string{
		"no JSON":          `{`,
		"no item":          `{"Item":{"pk":{"S":1}}}`,
		"no key":           `{"Item":{"sk":{"N":"1"}}}`,
		"no sort key":      `{"Item":{"pk":{"S":"x"}}}`,
		"type of key":      `{"Item":{"pk":{"S":"x"},"sk":{"S":"1"}}}`,
		"empty key":        `{"Item":{"pk":{"S":""},"sk":{"N":"1"}}}`,
		"long key":         `{"Item":{"pk":{"S":"` + strings.Repeat("k", 3000) + `"},"sk":{"N":"1"}}}`,
		"type for index":   `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"g":{"S":"x"}}}`,
		"empty for index":  `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"g":{"B":""}}}`,
		"too large":        `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"v":{"S":"` + strings.Repeat("v", 410_000) + `"}}}`,
		"nested too deep":  `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"v":` + strings.Repeat(`{"L":[`, 40) + strings.Repeat(`]}`, 40) + `}}`,
		"name of 70 KB":    `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"` + strings.Repeat("n", 70_000) + `":{"S":"v"}}}`,
		"one twice in set": `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"v":{"SS":["a","a"]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			at, behind := loadAround(t, memory(t), bad)
			require.Empty(t, behind)
			require.Zero(t, at.Behind)
		})
	}
}

// picky refuses items for a reason of its own.
type picky struct{ api.Service }

func (p picky) refuses(it attr.Item) error {
	if it.Has("bad") {
		return api.Errorf(api.Validation, "I do not like it")
	}
	return nil
}

func (p picky) PutItem(ctx context.Context, in *api.PutItemInput) (*api.PutItemOutput, error) {
	if err := p.refuses(in.Item); err != nil {
		return nil, err
	}
	return p.Service.PutItem(ctx, in)
}

func (p picky) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	for _, r := range in.RequestItems[0].Value {
		if err := p.refuses(r.PutRequest.Item); err != nil {
			return nil, err
		}
	}
	return p.Service.BatchWriteItem(ctx, in)
}

// TestHowFarBehindABadLine: where only the service finds the fault, lines behind it may be in, and the error
// says up to which.
func TestHowFarBehindABadLine(t *testing.T) {
	at, behind := loadAround(t, picky{memory(t)}, `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"bad":{"S":"x"}}}`)
	require.ErrorContains(t, at, "I do not like it")
	if len(behind) == 0 {
		require.Zero(t, at.Behind)
	} else {
		require.Equal(t, int64(behind[len(behind)-1]+4), at.Behind)
		require.ErrorContains(t, at, fmt.Sprintf("behind it some up to line %d are loaded", at.Behind))
	}
}

// TestWhatIsNoDump: faults of the whole text, before anything is written where that can be.
func TestWhatIsNoDump(t *testing.T) {
	table := strings.Split(head, "\n")[1]
	for text, want := range map[string]string{
		"":                           "no dump: its first line is",
		`{"Item":{"pk":{"S":"x"}}}`:  "say which table",
		`{"KstoneDump":2}`:           "has version 2, this program knows 1",
		`{"KstoneDump":0}`:           "version 0",
		`{"KstoneDump":1}`:           "cut off",
		head:                         "cut off",
		head + `{"End":{"Items":1}}`: "the last line counts others than 1 tables and 0 items",
		`{"KstoneDump":1}` + "\n" + `{"Items":"x"}`:             "line 2: items of table x, of which no line says",
		`{"KstoneDump":1}` + "\n" + `{"Item":{"pk":{"S":"x"}}}`: "line 2: an item before a line that names its table",
		`{"KstoneDump":1}` + "\n" + table + "\n" + table:        "line 3: table tab a second time",
		`{"KstoneDump":1}` + "\n" + `{"Table":{"TableName":7}}`: "line 2: no request of CreateTable",
		head + table: "line 4: a table behind the first items",
	} {
		db := memory(t)
		_, err := dump.Load(context.Background(), db, strings.NewReader(text), dump.LoadOptions{})
		require.ErrorContains(t, err, want, text)
	}
	_, err := dump.Load(context.Background(), memory(t), iotest.ErrReader(io.ErrNoProgress), dump.LoadOptions{})
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// TestTablesThatAreThere: refused before anything is written, or loaded into.
func TestTablesThatAreThere(t *testing.T) {
	ctx := context.Background()
	db := memory(t)
	text := head + `{"Item":{"pk":{"S":"a"}}}` + "\n" + `{"Item":{"pk":{"S":"b"}}}` + "\n" + `{"End":{}}`
	load := func(text string, opts dump.LoadOptions) error {
		_, err := dump.Load(ctx, db, strings.NewReader(text), opts)
		return err
	}
	require.NoError(t, load(text, dump.LoadOptions{}))
	whole := dumped(t, db)
	other := strings.ReplaceAll(text, `"TableName":"tab"`, `"TableName":"new"`)
	two := strings.Replace(other, "\n{\"Items\"", "\n"+strings.Split(text, "\n")[1]+"\n{\"Items\"", 1)
	require.ErrorIs(t, load(two, dump.LoadOptions{}), dump.ErrExists)
	require.Equal(t, whole, dumped(t, db), "the table that is not there was not made either")
	_, err := db.DeleteItem(ctx, &api.DeleteItemInput{TableName: api.Some("tab"), Key: attr.Item(nil).With("pk", attr.String("a"))})
	require.NoError(t, err)
	require.NoError(t, load(text, dump.LoadOptions{Beside: true}))
	require.Equal(t, whole, dumped(t, db))
	require.ErrorContains(t, load(strings.ReplaceAll(text, `"AttributeType":"S"`, `"AttributeType":"N"`), dump.LoadOptions{Beside: true}),
		"has another key")

	require.NoError(t, load(`{"Item":{"pk":{"S":"c"}}}`+"\n\n"+`{"Item":{"pk":{"S":"c"},"n":{"N":"1"}}}`, dump.LoadOptions{Table: "tab"}))
	require.Contains(t, dumped(t, db), `{"Item":{"n":{"N":"1"},"pk":{"S":"c"}}}`, "of two lines of one key the last holds")
	require.ErrorContains(t, load(`{"Item":{"pk":{"S":"c"}}}`, dump.LoadOptions{Table: "none"}), "table none")
}

// TestCompression: names say what is written, the first bytes what is read.
func TestCompression(t *testing.T) {
	for _, name := range []string{"x.jsonl", "x.jsonl.gz", "x.jsonl.zst"} {
		var file bytes.Buffer
		w, err := dump.Compressed(name, &file)
		require.NoError(t, err)
		_, err = io.WriteString(w, strings.Repeat(head, 100))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.Equal(t, name == "x.jsonl", file.Len() == 100*len(head))
		r, err := dump.Decompressed(&file)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat(head, 100), string(got))
		require.NoError(t, r.Close())
	}
}

// A dump of one database is loaded into another.
func Example() {
	ctx := context.Background()
	from, err := engine.OpenInMemory(engine.Options{})
	if err != nil {
		panic(err)
	}
	text := head + `{"Item":{"pk":{"S":"a"}}}` + "\n" + `{"End":{"Tables":1,"Items":1}}`
	counts, err := dump.Load(ctx, from, strings.NewReader(text), dump.LoadOptions{})
	fmt.Println(counts, err)
	var out bytes.Buffer
	counts, err = dump.Write(ctx, from, &out, dump.WriteOptions{})
	fmt.Println(counts, err, strings.Contains(out.String(), `{"Item":{"pk":{"S":"a"}}}`))
	fmt.Println(from.Close())
	// Output:
	// {1 1} <nil>
	// {1 1} <nil> true
	// <nil>
}

// TestMutilatedTexts: whatever a text has become, a load ends, and what it has made can be dumped and
// loaded again.
func TestMutilatedTexts(t *testing.T) {
	ctx := context.Background()
	seeds := []string{
		head + `{"Item":{"pk":{"S":"a"},"v":{"L":[{"N":"0.5"}]},"m":{"M":{"t/":{"N":"7"}}}},"Native":["/v","/m/t~1"]}` + "\n{\"End\":{}}",
		strings.Replace(head, `"BillingMode"`, `"Tags":[{"Key":"k","Value":"v"}],`+
			`"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"},"BillingMode"`, 1) + `{"End":{}}`,
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		b := []byte(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(3) {
			switch at := r.IntN(len(b)); r.IntN(3) {
			case 0:
				b[at] = byte(r.IntN(256))
			case 1:
				b = append(b[:at:at], b[at+1:]...)
			case 2:
				b = append(b[:at+1:at+1], b[r.IntN(len(b)):]...)
			}
		}
		db, again := memory(t), memory(t)
		_, _ = dump.Load(ctx, db, bytes.NewReader(b), dump.LoadOptions{Table: "tab", Bad: func(int64, error) {}})
		text := dumped(t, db)
		_, err := dump.Load(ctx, again, strings.NewReader(text), dump.LoadOptions{})
		require.NoError(t, err, "%q", b)
		require.Equal(t, text, dumped(t, again))
	}
}
