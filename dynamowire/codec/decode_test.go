package codec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// putOf decodes a PutItem.
func putOf(t *testing.T, body string) *api.PutItemInput {
	t.Helper()
	in, err := new(Decoder).PutItem([]byte(body))
	require.NoError(t, err, body)
	require.NoError(t, attr.CheckItem(in.Item), body)
	return in
}

func itemOf(t *testing.T, b *attr.Builder) attr.Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

func TestPutItem(t *testing.T) {
	in := putOf(t, ` { "TableName" : "Pets", "Nope":[{"a":[1,2.5e3,null,true,"\u00e4"]}],
		"Item":{"pk":{"S":"a"},"n":{"N":"1.50"},"b":{"B":"AAE="},"t":{"BOOL":true},"u":{"NULL":true},
		"l":{"L":[{"S":"x"},{"L":[]}]},"m":{"M":{"":{"N":"0"},"z":{"S":""}}},
		"ss":{"SS":["b","a",""]},"ns":{"NS":["2","1.0"]},"bs":{"BS":["AQ==",""]}},
		"ConditionExpression":"#a = :v","ReturnValues":null,
		"ExpressionAttributeNames":{"#b":"x","#a":"y","#b":"z"},
		"ExpressionAttributeValues":{":v":{"S":"1"},":a":{"N":"2"}},
		"Expected":{"x":{"Exists":"false"},"a":{"Value":{"S":"q"},"ComparisonOperator":"EQ",
		"AttributeValueList":[{"S":"w"}]}},"ConditionalOperator":"OR",
		"ReturnConsumedCapacity":"TOTAL","ReturnItemCollectionMetrics":"SIZE",
		"ReturnValuesOnConditionCheckFailure":"ALL_OLD"} `)
	inner := itemOf(t, attr.NewItem().S("z", ""))
	inner = append(append([]byte{0}, attr.Int(0)...), inner...)
	assert.Equal(t, &api.PutItemInput{
		TableName: api.Some("Pets"),
		Item: itemOf(t, attr.NewItem().S("pk", "a").N("n", "1.5").B("b", []byte{0, 1}).Bool("t", true).
			Null("u").L("l", attr.String("x"), attr.List()).M("m", inner).SS("ss", "", "a", "b").
			NS("ns", "1", "2").BS("bs", nil, []byte{1})),
		ConditionExpression:      api.Some("#a = :v"),
		ExpressionAttributeNames: []api.Name{{Placeholder: "#a", Name: "y"}, {Placeholder: "#b", Name: "z"}},
		ExpressionAttributeValues: []api.NamedValue{
			{Placeholder: ":a", Value: attr.Int(2)}, {Placeholder: ":v", Value: attr.String("1")},
		},
		Expected: []api.ExpectedAttributeMapEntry{
			{Key: "a", Value: api.ExpectedAttributeValue{Value: attr.String("q"),
				ComparisonOperator: api.Some("EQ"), AttributeValueList: []attr.Value{attr.String("w")}}},
			{Key: "x", Value: api.ExpectedAttributeValue{Exists: api.Some(false)}},
		},
		ConditionalOperator: api.Some("OR"), ReturnConsumedCapacity: api.Some("TOTAL"),
		ReturnItemCollectionMetrics:         api.Some("SIZE"),
		ReturnValuesOnConditionCheckFailure: api.Some("ALL_OLD"),
	}, in)
}

func TestOtherItemOperations(t *testing.T) {
	d := new(Decoder)
	key := itemOf(t, attr.NewItem().S("pk", "a"))
	get, err := d.GetItem([]byte(`{"TableName":"T","Key":{"pk":{"S":"a"}},"AttributesToGet":["a",null,"b"],
		"ConsistentRead":true,"ReturnConsumedCapacity":"NONE","ProjectionExpression":"a",
		"ExpressionAttributeNames":{}}`))
	require.NoError(t, err)
	assert.Equal(t, &api.GetItemInput{TableName: api.Some("T"), Key: key, AttributesToGet: []string{"a", "b"},
		ConsistentRead: api.Some(true), ReturnConsumedCapacity: api.Some("NONE"),
		ProjectionExpression: api.Some("a"), ExpressionAttributeNames: []api.Name{}}, get)
	upd, err := d.UpdateItem([]byte(`{"TableName":"T","Key":{"pk":{"S":"a"}},"UpdateExpression":"SET a=:a",
		"AttributeUpdates":{"z":{"Action":"DELETE"},"a":{"Value":{"N":"1"},"Action":"ADD"}},
		"ReturnValues":"ALL_NEW"}`))
	require.NoError(t, err)
	assert.Equal(t, &api.UpdateItemInput{TableName: api.Some("T"), Key: key,
		UpdateExpression: api.Some("SET a=:a"), ReturnValues: api.Some("ALL_NEW"),
		AttributeUpdates: []api.AttributeUpdatesEntry{
			{Key: "a", Value: api.AttributeValueUpdate{Value: attr.Int(1), Action: api.Some("ADD")}},
			{Key: "z", Value: api.AttributeValueUpdate{Action: api.Some("DELETE")}},
		}}, upd)
	del, err := d.DeleteItem([]byte(`{"Key":{},"TableName":""}`))
	require.NoError(t, err)
	assert.Equal(t, &api.DeleteItemInput{TableName: api.Some(""), Key: attr.Item{}}, del)
}

func TestQueryAndScan(t *testing.T) {
	d := new(Decoder)
	q, err := d.Query([]byte(`{"TableName":"T","IndexName":"I","Select":"COUNT","Limit":2.9,
		"ScanIndexForward":"no","KeyConditions":{"pk":{"AttributeValueList":[{"S":"a"}],
		"ComparisonOperator":"EQ"}},"QueryFilter":{},"ExclusiveStartKey":{"pk":{"S":"a"}},
		"KeyConditionExpression":"k","FilterExpression":"f","ProjectionExpression":"p"}`))
	require.NoError(t, err)
	assert.Equal(t, &api.QueryInput{TableName: api.Some("T"), IndexName: api.Some("I"),
		Select: api.Some("COUNT"), Limit: api.Some[int64](2), ScanIndexForward: api.Some(false),
		KeyConditions: []api.KeyConditionsEntry{{Key: "pk", Value: api.Condition{
			AttributeValueList: []attr.Value{attr.String("a")}, ComparisonOperator: api.Some("EQ")}}},
		QueryFilter: []api.FilterConditionMapEntry{}, ExclusiveStartKey: itemOf(t, attr.NewItem().S("pk", "a")),
		KeyConditionExpression: api.Some("k"), FilterExpression: api.Some("f"),
		ProjectionExpression: api.Some("p")}, q)
	s, err := d.Scan([]byte(`{"TableName":"T","TotalSegments":4,"Segment":-1e30,"Limit":1e30}`))
	require.NoError(t, err)
	assert.Equal(t, int64(4), s.TotalSegments.Value)
	assert.Equal(t, int64(-1<<63), s.Segment.Value)
	assert.Equal(t, int64(1<<63-1), s.Limit.Value)
}

func TestBatches(t *testing.T) {
	d := new(Decoder)
	for range 2 { // the second time with used memory
		g, err := d.BatchGetItem([]byte(`{"RequestItems":{"B":{"Keys":[{"k":{"S":"1"}},{"k":{"S":"2"}}],
			"ConsistentRead":true},"A":{"Keys":[]}}}`))
		require.NoError(t, err)
		assert.Equal(t, []api.BatchGetRequestMapEntry{
			{Key: "A", Value: api.KeysAndAttributes{Keys: []attr.Item{}}},
			{Key: "B", Value: api.KeysAndAttributes{ConsistentRead: api.Some(true), Keys: []attr.Item{
				itemOf(t, attr.NewItem().S("k", "1")), itemOf(t, attr.NewItem().S("k", "2"))}}},
		}, g.RequestItems)
		w, err := d.BatchWriteItem([]byte(`{"RequestItems":{"T":[{"PutRequest":{"Item":{"k":{"S":"1"}}}},
			{"DeleteRequest":{"Key":{"k":{"S":"2"}}}},{},{"PutRequest":null}]}}`))
		require.NoError(t, err)
		assert.Equal(t, []api.BatchWriteItemRequestMapEntry{{Key: "T", Value: []api.WriteRequest{
			{PutRequest: &api.PutRequest{Item: itemOf(t, attr.NewItem().S("k", "1"))}},
			{DeleteRequest: &api.DeleteRequest{Key: itemOf(t, attr.NewItem().S("k", "2"))}}, {}, {},
		}}}, w.RequestItems)
		d.Release()
	}
	g, err := d.BatchGetItem([]byte(`{"RequestItems":{}}`))
	require.NoError(t, err)
	assert.NotNil(t, g.RequestItems)
	g, err = d.BatchGetItem([]byte(`{"RequestItems":null}`))
	require.NoError(t, err)
	assert.Nil(t, g.RequestItems)
}

func TestTransactions(t *testing.T) {
	d := new(Decoder)
	w, err := d.TransactWriteItems([]byte(`{"ClientRequestToken":"tok","TransactItems":[
		{"Put":{"TableName":"T","Item":{"k":{"S":"1"}}}},
		{"Update":{"Key":{"k":{"S":"2"}},"UpdateExpression":"u","ExpressionAttributeValues":{":a":{"N":"1"}}}},
		{"Delete":{"Key":{"k":{"S":"3"}},"ConditionExpression":"c"}},
		{"ConditionCheck":{"Key":{"k":{"S":"4"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}]}`))
	require.NoError(t, err)
	k := func(s string) attr.Item { return itemOf(t, attr.NewItem().S("k", s)) }
	assert.Equal(t, &api.TransactWriteItemsInput{ClientRequestToken: api.Some("tok"),
		TransactItems: []api.TransactWriteItem{
			{Put: &api.Put{TableName: api.Some("T"), Item: k("1")}},
			{Update: &api.Update{Key: k("2"), UpdateExpression: api.Some("u"),
				ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":a", Value: attr.Int(1)}}}},
			{Delete: &api.Delete{Key: k("3"), ConditionExpression: api.Some("c")}},
			{ConditionCheck: &api.ConditionCheck{Key: k("4"),
				ReturnValuesOnConditionCheckFailure: api.Some("ALL_OLD")}},
		}}, w)
	g, err := d.TransactGetItems([]byte(`{"TransactItems":[{"Get":{"TableName":"T","Key":{"k":{"S":"1"}},
		"ProjectionExpression":"p","ExpressionAttributeNames":{"#a":"b"}}},{}]}`))
	require.NoError(t, err)
	assert.Equal(t, []api.TransactGetItem{{Get: &api.Get{TableName: api.Some("T"), Key: k("1"),
		ProjectionExpression:     api.Some("p"),
		ExpressionAttributeNames: []api.Name{{Placeholder: "#a", Name: "b"}}}}, {}}, g.TransactItems)
}

// TestBadValues: faults are kept beside the item, the first of each place (wire-facts §4.1).
func TestBadValues(t *testing.T) {
	deep := strings.Repeat(`{"L":[`, 31) + `{"S":""}` + strings.Repeat(`]}`, 31)
	for value, want := range map[string]attr.ErrorKind{
		`{}`: attr.Empty, `{"x":1}`: attr.Empty, `{"N":"x"}`: attr.NotNumber, `{"N":""}`: attr.NotNumber,
		`{"N":"1e126"}`: attr.Overflow, `{"N":"1e-131"}`: attr.Underflow,
		`{"N":"` + strings.Repeat("1", 39) + `"}`: attr.Precision, `{"NULL":false}`: attr.NullFalse,
		`{"SS":[]}`: attr.EmptySS, `{"NS":[]}`: attr.EmptyNS, `{"BS":[]}`: attr.EmptyBS,
		`{"SS":["a","b","a"]}`: attr.DupSS, `{"NS":["1","1.0"]}`: attr.DupNS,
		`{"BS":["AA==","AA=="]}`: attr.DupBS, `{"S":"a","N":"1"}`: attr.MultiType,
		`{"S":"a","N":"x"}`: attr.NotNumber, `{"NS":["x"]}`: attr.NotNumber,
		`{"M":{"a":{"N":"x"}},"S":"a"}`: attr.NotNumber, `{"L":[{"S":"a"},{}]}`: attr.Empty,
		`{"SS":[],"NS":["x"]}`: attr.EmptySS, `{"SS":["a","a"],"NS":["x"]}`: attr.NotNumber,
		`{"NS":["x","1e126"],"N":"1e-131"}`: attr.Underflow, `{"NS":["1e126","x"]}`: attr.Overflow,
		`{"SS":[],"N":"x"}`: attr.NotNumber, `{"L":[` + deep + `]}`: attr.TooDeep,
		`{"M":{"` + strings.Repeat("n", 65536) + `":{"S":"a"}}}`: attr.NameTooLong,
		`{"S":"a","S":"b"}`: 0, `{"S":null,"N":"1"}`: 0, `{"L":[]}`: 0, deep: 0, `{"S":"a","Z":[]}`: 0,
		`{"M":{"":{"S":"a"}}}`: 0, `{"SS":[""]}`: 0,
	} {
		in := putOf(t, `{"Item":{"a":`+value+`}}`)
		if want == 0 {
			assert.Empty(t, in.Bad, value)
			continue
		}
		if assert.Len(t, in.Bad, 1, value) {
			assert.Equal(t, "Item", in.Bad[0].Place)
			assert.Equal(t, want, in.Bad[0].Err.Kind, "%.80s", value)
		}
	}
	in, err := new(Decoder).PutItem([]byte(`{"Item":{"":{"S":"a"}}}`))
	require.NoError(t, err)
	assert.Equal(t, attr.NameEmpty, in.Bad[0].Err.Kind)
	assert.Equal(t, "[a, b, a]", putOf(t, `{"Item":{"a":{"SS":["a","b","a"]}}}`).Bad[0].Err.Text)
	assert.Empty(t, putOf(t, `{"Item":{"a":{}},"Item":{"a":{"S":"x"}}}`).Bad, "the last member wins")
}

func places(bad []api.BadValue) (out []string) {
	for _, b := range bad {
		out = append(out, b.Place)
	}
	return out
}

func TestPlaces(t *testing.T) {
	d := new(Decoder)
	u, err := d.UpdateItem([]byte(`{"Key":{"k":{}},"ExpressionAttributeValues":{":v":{"N":"x"},":w":{"S":"a"}},
		"AttributeUpdates":{"n":{"Value":{}}},"Expected":{"e":{"AttributeValueList":[{}]}}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"Key", "ExpressionAttributeValues.:v", "AttributeUpdates.n", "Expected.e"}, places(u.Bad))
	assert.Nil(t, u.ExpressionAttributeValues[0].Value)
	q, err := d.Query([]byte(`{"ExclusiveStartKey":{"k":{}},"KeyConditions":{"p":{"AttributeValueList":[{}]}},
		"QueryFilter":{"f":{"AttributeValueList":[{}]}}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"ExclusiveStartKey", "KeyConditions.p", "QueryFilter.f"}, places(q.Bad))
	g, err := d.BatchGetItem([]byte(`{"RequestItems":{"T":{"Keys":[{"k":{"S":"a"}},{"k":{}}]}}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"RequestItems.T.Keys.1"}, places(g.Bad))
	w, err := d.BatchWriteItem([]byte(`{"RequestItems":{"T":[{"PutRequest":{"Item":{"k":{}}}},
		{"DeleteRequest":{"Key":{"k":{}}}}]}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"RequestItems.T.0.PutRequest.Item", "RequestItems.T.1.DeleteRequest.Key"}, places(w.Bad))
	x, err := d.TransactWriteItems([]byte(`{"TransactItems":[{},{"Put":{"Item":{"k":{}},
		"ExpressionAttributeValues":{":v":{}}}},{"Update":{"Key":{"k":{}}}}]}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"TransactItems.1.Put.Item", "TransactItems.1.Put.ExpressionAttributeValues.:v",
		"TransactItems.2.Update.Key"}, places(x.Bad))
	y, err := d.TransactGetItems([]byte(`{"TransactItems":[{"Get":{"Key":{"k":{}}}}]}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"TransactItems.0.Get.Key"}, places(y.Bad))
}

// TestNulls: null is absent; a value that is null has no type.
func TestNulls(t *testing.T) {
	in := putOf(t, `{"TableName":null,"Item":null,"Expected":null,"ExpressionAttributeNames":null,
		"ExpressionAttributeValues":null}`)
	assert.Equal(t, &api.PutItemInput{}, in)
	in = putOf(t, `{"Item":{"a":null}}`)
	assert.Equal(t, attr.Empty, in.Bad[0].Err.Kind)
}

func mismatch(t *testing.T, err error, want, body string) {
	t.Helper()
	e, ok := err.(*api.Error)
	if assert.True(t, ok, body) {
		assert.Equal(t, api.Serialization, e.Code)
		assert.Equal(t, want, e.Message, body)
	}
}

// TestMismatches: the texts of wire-facts §2.
func TestMismatches(t *testing.T) {
	for body, want := range map[string]string{
		`{"TableName":true}`:                      "TRUE_VALUE cannot be converted to String",
		`{"TableName":false}`:                     "FALSE_VALUE cannot be converted to String",
		`{"TableName":-1}`:                        "NUMBER_VALUE cannot be converted to String",
		`{"TableName":1.5}`:                       "DECIMAL_VALUE cannot be converted to String",
		`{"TableName":[]}`:                        "Unrecognized collection type class java.lang.String",
		`{"TableName":{}}`:                        msgStructureStart,
		`{"Item":1}`:                              "Unexpected field type",
		`{"Item":[]}`:                             "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>",
		`{"Item":{"a":"x"}}`:                      "Unexpected value type in payload",
		`{"Item":{"a":[]}}`:                       "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
		`{"Item":{"a":{"S":1}}}`:                  "NUMBER_VALUE cannot be converted to String",
		`{"Item":{"a":{"N":1}}}`:                  "NUMBER_VALUE cannot be converted to String",
		`{"Item":{"a":{"B":1}}}`:                  "only base-64-encoded strings are convertible to bytes",
		`{"Item":{"a":{"B":[]}}}`:                 "Unrecognized collection type class java.nio.ByteBuffer",
		`{"Item":{"a":{"B":{}}}}`:                 msgStructureStart,
		`{"Item":{"a":{"B":"abc"}}}`:              "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
		`{"Item":{"a":{"B":"a==="}}}`:             "Invalid last non-pad Base64 character dectected",
		`{"Item":{"a":{"B":"YR=="}}}`:             "Invalid last non-pad Base64 character dectected",
		`{"Item":{"a":{"B":"AAB="}}}`:             "Invalid last non-pad Base64 character dectected",
		`{"Item":{"a":{"B":"Y_A="}}}`:             "Invalid Base64 character: '_'",
		`{"Item":{"a":{"B":"AAAA\n"}}}`:           "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
		`{"Item":{"a":{"B":"aé="}}}`:              "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
		`{"Item":{"a":{"B":"aé=="}}}`:             "Invalid Base64 character: 'é'",
		`{"Item":{"a":{"B":"😀=="}}}`:              "Invalid Base64 character: '😀'",
		`{"Item":{"a":{"BS":["YQ==YQ=="]}}}`:      "Invalid Base64 character: '='",
		`{"Item":{"a":{"B":"YQ\n\n\n\n=="}}}`:     "Invalid Base64 character: '\n'",
		`{"Item":{"a":{"BOOL":1}}}`:               "NUMBER_VALUE cannot be converted to Boolean",
		`{"Item":{"a":{"BOOL":"perhaps"}}}`:       "Unexpected token received from parser",
		`{"Item":{"a":{"L":1}}}`:                  "Unexpected field type",
		`{"Item":{"a":{"L":{}}}}`:                 msgStructureStart,
		`{"Item":{"a":{"L":[1]}}}`:                "Unexpected value type in payload",
		`{"Item":{"a":{"M":[]}}}`:                 "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>",
		`{"Item":{"a":{"SS":"x"}}}`:               "Unexpected field type",
		`{"Item":{"a":{"SS":[1]}}}`:               "NUMBER_VALUE cannot be converted to String",
		`{"Expected":{"a":1}}`:                    "Unexpected value type in payload",
		`{"Expected":{"a":{"Value":1}}}`:          "Unexpected field type",
		`{"Expected":[]}`:                         "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.ExpectedAttributeValue>",
		`{"ExpressionAttributeNames":[]}`:         "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>",
		`{"ExpressionAttributeNames":{"#a":1}}`:   "NUMBER_VALUE cannot be converted to String",
		`{"TableName":1,"Item":{"a":{"S":true}}}`: "NUMBER_VALUE cannot be converted to String",
		`{"Item":{"a":{"S":true}},"TableName":1}`: "TRUE_VALUE cannot be converted to String",
	} {
		_, err := new(Decoder).PutItem([]byte(body))
		mismatch(t, err, want, body)
	}
	for body, want := range map[string]string{
		`{"RequestItems":[]}`:                       "Unrecognized collection type java.util.Map<java.lang.String, java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>",
		`{"RequestItems":{"T":1}}`:                  msgNestedGeneric,
		`{"RequestItems":{"T":{}}}`:                 msgStructureStart,
		`{"RequestItems":{"T":[1]}}`:                "Unexpected value type in payload",
		`{"RequestItems":{"T":[[]]}}`:               "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.WriteRequest",
		`{"RequestItems":{"T":[{"PutRequest":1}]}}`: "Unexpected field type",
	} {
		_, err := new(Decoder).BatchWriteItem([]byte(body))
		mismatch(t, err, want, body)
	}
	for body, want := range map[string]string{
		`{"RequestItems":[]}`:                  "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.KeysAndAttributes>",
		`{"RequestItems":{"T":1}}`:             "Unexpected value type in payload",
		`{"RequestItems":{"T":{"Keys":1}}}`:    "Unexpected field type",
		`{"RequestItems":{"T":{"Keys":[1]}}}`:  msgNestedGeneric,
		`{"RequestItems":{"T":{"Keys":[[]]}}}`: "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>",
	} {
		_, err := new(Decoder).BatchGetItem([]byte(body))
		mismatch(t, err, want, body)
	}
	_, err := new(Decoder).Query([]byte(`{"Limit":"1"}`))
	mismatch(t, err, "STRING_VALUE cannot be converted to Integer", "Limit")
	_, err = new(Decoder).Query([]byte(`{"QueryFilter":{"a":[]}}`))
	mismatch(t, err, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.Condition", "QueryFilter")
}

// TestNotJSON: whatever is no JSON object has no text, even behind a wrong type.
func TestNotJSON(t *testing.T) {
	for _, body := range []string{``, ` `, `x`, `[]`, `"a"`, `null`, `{`, `{}}`, `{} x`, `{"a"}`, `{"a":}`,
		`{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{a:1}`, `{"TableName":1`, `{"TableName":1}}`, `{"Item":{"a":{"S":"x"`,
		`{"Item":{"a":{"S":"x"}`, `{"Item":{"a":{"S":"x"}}},`, `{"a":01}`, `{"a":1.}`, `{"a":1e}`, `{"a":-}`,
		`{"a":tru}`, `{"a":nul}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, "{\"a\":\"\n\"}", `{"a":"\x"}`,
		`{"a":"\u12g4"}`, `{"a":"\u12`, `{"a":"\`, `{"a":"b`, `{"Item":[`, `{"a":+1}`, `{"Item":{"a":{"N":"1",}}}`,
		`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		`{"Item":{"a":` + strings.Repeat(`{"L":[`, 5000)} {
		_, err := new(Decoder).PutItem([]byte(body))
		mismatch(t, err, "", fmt.Sprintf("%.60s", body))
		assert.False(t, Valid([]byte(body)), "%.60s", body)
	}
}

// TestStrings: escapes, pairs and halves of pairs, bytes that are no UTF-8.
func TestStrings(t *testing.T) {
	for in, want := range map[string]string{
		``: "", `a`: "a", `a\"\\\/\b\f\n\r\t`: "a\"\\/\b\f\n\r\t", `\u00e4\u20AC`: "ä€",
		`\ud83d\ude00`: "😀", `\ud83d`: "?", `\ud83dx`: "?x", `\ude00`: "?", `\ud83d\ud83d\ude00`: "?😀",
		`\ud83d\u0041`: "?A", `\u0000`: "\x00", "ä€😀": "ä€😀", "a\xff": "a\uFFFD", `\n` + "\xff": "\n\uFFFD",
		"long enough to take words ä": "long enough to take words ä",
		"1234567\\n":                  "1234567\n", "12345678\\n12345678": "12345678\n12345678", "\x7f": "\x7f",
	} {
		item := putOf(t, `{"Item":{"`+in+`x":{"S":"`+in+`"}}}`).Item
		assert.Equal(t, want, item.Get(want+"x").Text(), in)
	}
}

// TestStringsInWords: whatever is special in a string is found at every place of the words in which it is
// read.
func TestStringsInWords(t *testing.T) {
	for n := range 18 {
		for _, m := range []int{0, 1, 7, 8, 17} {
			before, after := strings.Repeat("a", n), strings.Repeat("b", m)
			for in, want := range map[string]string{
				"": "", "ä": "ä", `\n`: "\n", `ä\n`: "ä\n", `\nä`: "\nä", "\x7f": "\x7f", "\xff": "\uFFFD", "ä\xff": "ä\uFFFD",
			} {
				var s Scanner
				s.Reset([]byte(`"` + before + in + after + `"`))
				text, ok := s.String()
				require.True(t, ok)
				require.Equal(t, before+want+after, string(text))
				require.Zero(t, s.Peek(), "the end")
			}
			for _, in := range []string{"\x1f", "ä\x00", `\x`} {
				var s Scanner
				s.Reset([]byte(`"` + before + in + after + `"`))
				_, ok := s.String()
				require.False(t, ok, "%q", in)
			}
		}
	}
}

// TestNoAliasing: nothing of a request points into the body.
func TestNoAliasing(t *testing.T) {
	body := []byte(`{"TableName":"Pets","Item":{"pk":{"S":"value"}},"ExpressionAttributeNames":{"#a":"b"}}`)
	in, err := new(Decoder).PutItem(body)
	require.NoError(t, err)
	clear(body)
	assert.Equal(t, "Pets", in.TableName.Value)
	assert.Equal(t, "value", in.Item.Get("pk").Text())
	assert.Equal(t, []api.Name{{Placeholder: "#a", Name: "b"}}, in.ExpressionAttributeNames)
}

// TestItemTwice: of an item that is there twice the last one counts, null too.
func TestItemTwice(t *testing.T) {
	var d Decoder
	item, err := attr.NewItem().Bool("a", true).Build()
	require.NoError(t, err)
	for body, want := range map[string]attr.Item{
		`{"Key":{"a":{}},"Key":null}`: nil, `{"Key":{"a":{}},"Key":{"a":{"BOOL":true}}}`: item,
	} {
		in, err := d.GetItem([]byte(body))
		require.NoError(t, err, body)
		assert.Empty(t, in.Bad, body)
		assert.Equal(t, want, in.Key, body)
	}
	list, err := d.TransactGetItems([]byte(`{"TransactItems":[{"Get":{"Key":{"a":{}}}}],"TransactItems":[]}`))
	require.NoError(t, err)
	assert.Empty(t, list.Bad)
	assert.Empty(t, list.TransactItems)
}

// TestLegacyTwice: of members and entries that are there twice the last counts, and so does the fault
// of its value (wire-facts §2).
func TestLegacyTwice(t *testing.T) {
	var d Decoder
	for body, want := range map[string][]string{
		`{"AttributeValueList":[{}],"AttributeValueList":[{"S":"a"}]}`:  {},
		`{"AttributeValueList":[{"S":"a"}],"AttributeValueList":[{}]}`:  {"QueryFilter.f"},
		`{"AttributeValueList":[{}]},"f":{"ComparisonOperator":"NULL"}`: {},
	} {
		q, err := d.Query([]byte(`{"QueryFilter":{"f":` + body + `}}`))
		require.NoError(t, err, body)
		assert.ElementsMatch(t, want, places(q.Bad), body)
		assert.Len(t, q.QueryFilter, 1)
	}
	for body, want := range map[string][]string{
		`{"Value":{},"Value":{"S":"a"}}`:                                {},
		`{"AttributeValueList":[{}],"AttributeValueList":[{"S":"a"}]}`:  {},
		`{"Value":{},"AttributeValueList":[{"S":"a"}]}`:                 {"Expected.f"},
		`{"AttributeValueList":[{}],"Value":{"S":"a"}}`:                 {"Expected.f"},
		`{"Value":{}},"f":{"Exists":false}`:                             {},
		`{"AttributeValueList":[{}]},"f":{"ComparisonOperator":"NULL"}`: {},
	} {
		p, err := d.PutItem([]byte(`{"Expected":{"f":` + body + `}}`))
		require.NoError(t, err, body)
		assert.ElementsMatch(t, want, places(p.Bad), body)
		assert.Len(t, p.Expected, 1)
	}
	u, err := d.UpdateItem([]byte(`{"AttributeUpdates":{"f":{"Value":{}},"f":{"Action":"DELETE"}}}`))
	require.NoError(t, err)
	assert.Empty(t, u.Bad)
	u, err = d.UpdateItem([]byte(`{"Key":{"k":{}},"AttributeUpdates":{"f":{"Value":{}}},"Expected":{"a":{"Value":{}}},
		"ExpressionAttributeValues":{":v":{}},"AttributeUpdates":{},"Expected":{"b":{"Value":{}}}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"Key", "ExpressionAttributeValues.:v", "Expected.b"}, places(u.Bad))
}
