package codec

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func decodedSlow[T any](t *testing.T, operation, body string) *T {
	t.Helper()
	in, err := DecodeSlow(operation, []byte(body))
	require.NoError(t, err)
	require.IsType(t, new(T), in)
	return in.(*T)
}

func TestSlowCreateTable(t *testing.T) {
	in := decodedSlow[api.CreateTableInput](t, "CreateTable", `{
		"TableName":"Pets","Unknown":{"a":[1]},"KeySchema":[{"AttributeName":"pk","KeyType":"HASH","x":1}],
		"AttributeDefinitions":[],"BillingMode":null,"Tags":[null],
		"ProvisionedThroughput":{"ReadCapacityUnits":5.9,"WriteCapacityUnits":1e2},
		"DeletionProtectionEnabled":"YES","TableName":"Pets2"}`)
	require.Equal(t, &api.CreateTableInput{
		TableName:            api.Some("Pets2"),
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{},
		Tags:                 []api.Tag{{}},
		ProvisionedThroughput: &api.ProvisionedThroughput{
			ReadCapacityUnits: api.Some[int64](5), WriteCapacityUnits: api.Some[int64](100),
		},
		DeletionProtectionEnabled: api.Some(true),
	}, in)
}

// Texts of wire-facts §2.
func TestSlowMismatches(t *testing.T) {
	for body, want := range map[string]string{
		`{"TableName":true}`:                                   "TRUE_VALUE cannot be converted to String",
		`{"TableName":false}`:                                  "FALSE_VALUE cannot be converted to String",
		`{"TableName":1}`:                                      "NUMBER_VALUE cannot be converted to String",
		`{"TableName":1.5}`:                                    "DECIMAL_VALUE cannot be converted to String",
		`{"TableName":[]}`:                                     "Unrecognized collection type class java.lang.String",
		`{"TableName":{}}`:                                     "Start of structure or map found where not expected",
		`{"DeletionProtectionEnabled":1}`:                      "NUMBER_VALUE cannot be converted to Boolean",
		`{"DeletionProtectionEnabled":1.5}`:                    "DECIMAL_VALUE cannot be converted to Boolean",
		`{"DeletionProtectionEnabled":"maybe"}`:                "Unexpected token received from parser",
		`{"DeletionProtectionEnabled":[]}`:                     "Unrecognized collection type class java.lang.Boolean",
		`{"DeletionProtectionEnabled":{}}`:                     "Start of structure or map found where not expected",
		`{"ProvisionedThroughput":{"ReadCapacityUnits":true}}`: "TRUE_VALUE cannot be converted to Long",
		`{"ProvisionedThroughput":{"ReadCapacityUnits":"1"}}`:  "STRING_VALUE cannot be converted to Long",
		`{"ProvisionedThroughput":{"ReadCapacityUnits":[]}}`: "Unrecognized collection type class " +
			"java.lang.Long",
		`{"ProvisionedThroughput":{"ReadCapacityUnits":{}}}`: "Start of structure or map found where " +
			"not expected",
		`{"ProvisionedThroughput":1}`: "Unexpected field type",
		`{"ProvisionedThroughput":[]}`: "Unrecognized collection type class " +
			"com.amazonaws.dynamodb.v20120810.ProvisionedThroughput",
		`{"KeySchema":"a"}`: "Unexpected field type",
		`{"KeySchema":{}}`:  "Start of structure or map found where not expected",
		`{"KeySchema":[1]}`: "Unexpected value type in payload",
		`{"KeySchema":[[]]}`: "Unrecognized collection type class " +
			"com.amazonaws.dynamodb.v20120810.KeySchemaElement",
	} {
		_, err := DecodeSlow("CreateTable", []byte(body))
		requireSerialization(t, err, want, body)
	}
	for body, want := range map[string]string{
		`{"Limit":"1"}`:  "STRING_VALUE cannot be converted to Integer",
		`{"Limit":true}`: "TRUE_VALUE cannot be converted to Integer",
		`{"Limit":[]}`:   "Unrecognized collection type class java.lang.Integer",
	} {
		_, err := DecodeSlow("ListTables", []byte(body))
		requireSerialization(t, err, want, body)
	}
	_, err := DecodeSlow("ExportTableToPointInTime",
		[]byte(`{"FilterSpecification":{"ExpressionAttributeNames":[]}}`))
	requireSerialization(t, err,
		"Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>", "names")
	_, err = DecodeSlow("ExportTableToPointInTime",
		[]byte(`{"FilterSpecification":{"ExpressionAttributeValues":[]}}`))
	requireSerialization(t, err, "Unrecognized collection type java.util.Map<java.lang.String, "+
		"com.amazonaws.dynamodb.v20120810.AttributeValue>", "values")
	for _, body := range []string{"", "[]", "1", `"a"`, "{", `{"a":1}x`, `{"a":}`, "\xff", "null"} {
		_, err := DecodeSlow("ListTables", []byte(body))
		requireSerialization(t, err, "", body)
	}
	_, err = DecodeSlow("Nothing", []byte("{}"))
	require.Equal(t, api.UnknownOperation, api.CodeOf(err))
}

func requireSerialization(t *testing.T, err error, want, body string) {
	t.Helper()
	e, ok := err.(*api.Error)
	require.True(t, ok, "%s: %v", body, err)
	assert.Equal(t, api.Serialization, e.Code, body)
	assert.Equal(t, want, e.Message, body)
}

func TestSlowNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		"7": 7, "-1.5": -2, "1.9": 1, "1e30": math.MaxInt64, "-1e30": math.MinInt64,
		"9223372036854775807": math.MaxInt64, "9223372036854775808": math.MaxInt64,
	} {
		in := decodedSlow[api.ListTablesInput](t, "ListTables", `{"Limit":`+text+`}`)
		require.Equal(t, api.Some(want), in.Limit, text)
	}
}

// DynamoDB does convert strings to booleans (wire-facts §2).
func TestSlowBoolean(t *testing.T) {
	for text, want := range map[string]bool{
		`true`: true, `"TRUE"`: true, `"1"`: true, `"yes"`: true,
		`false`: false, `"False"`: false, `"0"`: false, `"NO"`: false,
	} {
		in := decodedSlow[api.CreateTableInput](t, "CreateTable", `{"DeletionProtectionEnabled":`+text+`}`)
		require.Equal(t, api.Some(want), in.DeletionProtectionEnabled, text)
	}
}

const slowSearch = `{"TableName":"s","SearchVector":[%]}`

// Blobs as attribute values (wire-facts §2).
func TestSlowBlob(t *testing.T) {
	for text, want := range map[string]string{
		`true`:   "only base-64-encoded strings are convertible to bytes",
		`1`:      "only base-64-encoded strings are convertible to bytes",
		`[]`:     "Unrecognized collection type class java.nio.ByteBuffer",
		`{}`:     "Start of structure or map found where not expected",
		`"abc"`:  "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
		`"AAA="`: "",
		`"AAB="`: "Invalid last non-pad Base64 character dectected",
	} {
		_, err := DecodeSlow("SearchVectors",
			[]byte(strings.Replace(slowSearch, "%", `{"B":`+text+`}`, 1)))
		if want == "" {
			require.NoError(t, err)
			continue
		}
		requireSerialization(t, err, want, text)
	}
}

// Values in lists: all types, and the faults of wire-facts §4.1 in their order.
func TestSlowValues(t *testing.T) {
	const all = `{"M":{"b":{"B":"AAE="},"bs":{"BS":["AA=="]},"f":{"BOOL":false},"l":{"L":[{"S":"x\"\n\u0001"},` +
		`{"NULL":true}]},"m":{"M":{}},"n":{"N":"1.5"},"ns":{"NS":["1","2"]},"ss":{"SS":["a","b"]}}}`
	in := decodedSlow[api.SearchVectorsInput](t, "SearchVectors",
		strings.Replace(slowSearch, "%", all, 1))
	require.Empty(t, in.Bad)
	require.Len(t, in.SearchVector, 1)
	require.Equal(t, all, string(AppendValue(nil, in.SearchVector[0])))

	deep := strings.Repeat(`{"L":[`, 32) + `{"S":"a"}` + strings.Repeat(`]}`, 32)
	for text, want := range map[string]attr.ErrorKind{
		`{}`: attr.Empty, `{"a":1}`: attr.Empty, `{"N":"x"}`: attr.NotNumber, `{"N":"1e126"}`: attr.Overflow,
		`{"N":"1e-131"}`: attr.Underflow, `{"N":"` + strings.Repeat("1", 39) + `"}`: attr.Precision,
		`{"NULL":false}`: attr.NullFalse, `{"SS":[]}`: attr.EmptySS, `{"NS":[]}`: attr.EmptyNS,
		`{"BS":[]}`: attr.EmptyBS, `{"SS":["a","a"]}`: attr.DupSS, `{"NS":["1","1.0"]}`: attr.DupNS,
		`{"BS":["AA==","AA=="]}`: attr.DupBS, `{"S":"a","N":"1"}`: attr.MultiType,
		`{"S":"a","N":"x"}`: attr.NotNumber, `{"M":{"a":{"N":"x"}},"S":"a"}`: attr.NotNumber,
		`{"NS":["x"]}`: attr.NotNumber, `{"L":[{}]}`: attr.Empty, deep: attr.TooDeep,
		`{"M":{"` + strings.Repeat("a", 65536) + `":{"S":""}}}`: attr.NameTooLong,
	} {
		in := decodedSlow[api.SearchVectorsInput](t, "SearchVectors",
			strings.Replace(slowSearch, "%", text, 1))
		require.Len(t, in.Bad, 1, text)
		require.Equal(t, "SearchVector.0", in.Bad[0].Place)
		require.Equal(t, want, in.Bad[0].Err.Kind, text)
	}
	ok := strings.Repeat(`{"L":[`, 31) + `{"S":"a"}` + strings.Repeat(`]}`, 31)
	in = decodedSlow[api.SearchVectorsInput](t, "SearchVectors",
		strings.Replace(slowSearch, "%", ok, 1))
	require.Empty(t, in.Bad)
}

// Names and values come sorted, the last of a name wins.
func TestSlowMaps(t *testing.T) {
	in := decodedSlow[api.ExportTableToPointInTimeInput](t, "ExportTableToPointInTime",
		`{"ExportTime":1363729002.358,"FilterSpecification":{
		"ExpressionAttributeNames":{"#b":"1","#a":"2","#b":"3"},
		"ExpressionAttributeValues":{":b":{"S":"x"},":a":{"S":"y"},":c":{}}}}`)
	require.Equal(t, time.UnixMilli(1363729002358).UTC(), in.ExportTime.Value)
	f := in.FilterSpecification
	require.Equal(t, []api.Name{{Placeholder: "#a", Name: "2"}, {Placeholder: "#b", Name: "3"}},
		f.ExpressionAttributeNames)
	require.Equal(t, []api.NamedValue{
		{Placeholder: ":a", Value: attr.String("y")}, {Placeholder: ":b", Value: attr.String("x")},
		{Placeholder: ":c"},
	}, f.ExpressionAttributeValues)
	require.Equal(t, "FilterSpecification.ExpressionAttributeValues.:c", in.Bad[0].Place)
}

// TestSlowTwice: of a member that is there twice the last one counts, and so do the faults of its
// values (wire-facts §2).
func TestSlowTwice(t *testing.T) {
	in := decodedSlow[api.SearchVectorsInput](t, "SearchVectors",
		`{"SearchVector":[{},{}],"ExpressionAttributeValues":{":a":{}},"SearchVector":[{"S":"a"}]}`)
	require.Equal(t, []string{"ExpressionAttributeValues.:a"}, places(in.Bad))
	require.Equal(t, []attr.Value{attr.String("a")}, in.SearchVector)
}

// Answers (wire-facts §4.5, §6.1.2, §7.4).
func TestSlowEncode(t *testing.T) {
	require.Equal(t, `{"Table":{"TableName":"Pets","CreationDateTime":1363729002.358,`+
		`"ProvisionedThroughput":{"NumberOfDecreasesToday":0,"ReadCapacityUnits":1}}}`,
		string(AppendSlow(nil, "DescribeTable", &api.DescribeTableOutput{Table: &api.TableDescription{
			TableName:        api.Some("Pets"),
			CreationDateTime: api.Some(time.UnixMilli(1363729002358)),
			ProvisionedThroughput: &api.ProvisionedThroughputDescription{
				NumberOfDecreasesToday: api.Some[int64](0), ReadCapacityUnits: api.Some[int64](1),
			},
		}})))
	require.Equal(t, `{}`, string(AppendSlow(nil, "TagResource", &api.TagResourceOutput{})))
	require.Equal(t, `{"TableNames":[]}`,
		string(AppendSlow(nil, "ListTables", &api.ListTablesOutput{TableNames: []string{}})))
	item, err := attr.NewItem().S("pk", "a").Build()
	require.NoError(t, err)
	require.Equal(t, `{"SearchResults":[{"Item":{"pk":{"S":"a"}},"Score":0.5},{"Item":{}},{}],`+
		`"ConsumedCapacity":{"VectorSearchRequestBytes":1.0}}`,
		string(AppendSlow(nil, "SearchVectors", &api.SearchVectorsOutput{
			SearchResults: []api.SearchResultItem{
				{Item: item, Score: api.Some(0.5)}, {Item: attr.Item{}}, {},
			},
			ConsumedCapacity: &api.VectorCapacity{VectorSearchRequestBytes: api.Some(1.0)},
		})))
}

// Every operation has tables that fit its structs, field by field.
func TestSlowTablesFit(t *testing.T) {
	seen := make(map[*slowShape]bool)
	for _, o := range api.Operations() {
		op, ok := slowOperation(o.Name)
		require.True(t, ok, o.Name)
		m, ok := reflect.TypeFor[api.Service]().MethodByName(o.Name)
		require.True(t, ok)
		require.Equal(t, m.Type.In(1).Elem(), op.in)
		fitSlow(t, op.in, op.input, seen)
		fitSlow(t, m.Type.Out(0).Elem(), op.output, seen)
	}
}

func fitSlow(t *testing.T, typ reflect.Type, s *slowShape, seen map[*slowShape]bool) {
	t.Helper()
	if seen[s] {
		return
	}
	seen[s] = true
	switch s.kind {
	case slowStructure:
		n := typ.NumField()
		if n > 0 && typ.Field(n-1).Name == "Bad" {
			n--
		}
		require.Equal(t, n, len(s.members), typ)
		for i, m := range s.members {
			f := typ.Field(i)
			require.True(t, strings.EqualFold(f.Name, m.name), "%s.%s: %s", typ, f.Name, m.name)
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			fitSlow(t, ft, m.shape, seen)
		}
	case slowList:
		fitSlow(t, typ.Elem(), s.of, seen)
	case slowMap, slowNames, slowValues:
		fitSlow(t, typ.Elem().Field(1).Type, s.of, seen)
	}
}

// No body makes the decoder panic; what it accepts it can print, and print again the same.
func FuzzDecodeSlow(f *testing.F) {
	for i, body := range []string{
		`{"TableName":"a","KeySchema":[{"AttributeName":"b"}]}`, `{"SearchVector":[{"M":{"a":{"N":"1"}}},{}]}`,
		`{"FilterSpecification":{"ExpressionAttributeValues":{":a":{"SS":["a"]}}}}`, `{"a":[[]]}`, `[`, `{"ExportTime":1e400}`,
	} {
		f.Add(byte(i), body)
	}
	ops := api.Operations()
	f.Fuzz(func(t *testing.T, which byte, body string) {
		name := ops[int(which)%len(ops)].Name
		op, _ := slowOperation(name)
		in, err := DecodeSlow(name, []byte(body))
		if err != nil {
			return
		}
		text := appendSlowStructure(nil, reflect.ValueOf(in).Elem(), op.input)
		require.True(t, json.Valid(text), "%s", text)
		again, err := DecodeSlow(name, text)
		require.NoError(t, err)
		require.Equal(t, string(text),
			string(appendSlowStructure(nil, reflect.ValueOf(again).Elem(), op.input)))
	})
}
