package codec

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func TestAppendItem(t *testing.T) {
	it := itemOf(t, attr.NewItem().S("s", "a\"\\\n\r\t\x01ä<>&").N("n", "-1.50").B("b", []byte{0, 1}).
		Bool("t", true).Bool("f", false).Null("u").L("l", attr.Int(1), attr.List()).M("m", attr.Item{}).
		SS("ss", "b", "", "a").NS("ns", "10", "9").BS("bs", []byte{1}, nil).Vec("v", 1, -0.25, 1e10).
		Ts("ts", 1767225600000))
	want := `{"b":{"B":"AAE="},"bs":{"BS":["","AQ=="]},"f":{"BOOL":false},"l":{"L":[{"N":"1"},{"L":[]}]},` +
		`"m":{"M":{}},"n":{"N":"-1.5"},"ns":{"NS":["9","10"]},"s":{"S":"a\"\\\n\r\t\u0001ä<>&"},` +
		`"ss":{"SS":["","a","b"]},"t":{"BOOL":true},"ts":{"N":"1767225600000"},"u":{"NULL":true},` +
		`"v":{"L":[{"N":"1"},{"N":"-0.25"},{"N":"10000000000"}]}}`
	assert.Equal(t, want, string(AppendItem(nil, it)))
}

func TestAppendAnswers(t *testing.T) {
	it := itemOf(t, attr.NewItem().S("k", "a"))
	units := &api.ConsumedCapacity{TableName: api.Some("T"), CapacityUnits: api.Some(1.0),
		Table:                  &api.Capacity{CapacityUnits: api.Some(0.5)},
		GlobalSecondaryIndexes: []api.SecondaryIndexesCapacityMapEntry{{Key: "I\"", Value: api.Capacity{}}}}
	const unitsText = `{"TableName":"T","CapacityUnits":1.0,"Table":{"CapacityUnits":0.5},"GlobalSecondaryIndexes":{"I\"":{}}}`
	metrics := api.ItemCollectionMetrics{ItemCollectionKey: it, SizeEstimateRangeGB: []float64{0, 1}}
	const metricsText = `{"ItemCollectionKey":{"k":{"S":"a"}},"SizeEstimateRangeGB":[0.0,1.0]}`
	for want, got := range map[string][]byte{
		`{}`: AppendGetItem(nil, &api.GetItemOutput{}),
		`{"Item":{"k":{"S":"a"}},"ConsumedCapacity":` + unitsText + `}`: AppendGetItem(nil,
			&api.GetItemOutput{Item: it, ConsumedCapacity: units}),
		`{"Attributes":{"k":{"S":"a"}},"ItemCollectionMetrics":` + metricsText + `}`: AppendPutItem(nil,
			&api.PutItemOutput{Attributes: it, ItemCollectionMetrics: &metrics}),
		`{"Items":[{"k":{"S":"a"}},{}],"Count":2,"ScannedCount":3,"LastEvaluatedKey":{"k":{"S":"a"}}}`: AppendQuery(nil,
			&api.QueryOutput{Items: []attr.Item{it, {}}, Count: api.Some[int64](2),
				ScannedCount: api.Some[int64](3), LastEvaluatedKey: it}),
		`{"Items":[],"Count":0}`: AppendScan(nil, &api.ScanOutput{Items: []attr.Item{}, Count: api.Some[int64](0)}),
		`{"Responses":{"T":[{"k":{"S":"a"}}]},"UnprocessedKeys":{"T":{"Keys":[{"k":{"S":"a"}}],"AttributesToGet":["a"],` +
			`"ConsistentRead":true,"ProjectionExpression":"p","ExpressionAttributeNames":{"#a":"b"}}},"ConsumedCapacity":[` + unitsText + `]}`: AppendBatchGetItem(nil,
			&api.BatchGetItemOutput{
				Responses: []api.BatchGetResponseMapEntry{{Key: "T", Value: []attr.Item{it}}},
				UnprocessedKeys: []api.BatchGetRequestMapEntry{{Key: "T", Value: api.KeysAndAttributes{
					Keys: []attr.Item{it}, AttributesToGet: []string{"a"}, ConsistentRead: api.Some(true),
					ProjectionExpression:     api.Some("p"),
					ExpressionAttributeNames: []api.Name{{Placeholder: "#a", Name: "b"}}}}},
				ConsumedCapacity: []api.ConsumedCapacity{*units}}),
		`{"UnprocessedItems":{"T":[{"PutRequest":{"Item":{"k":{"S":"a"}}}},{"DeleteRequest":{"Key":{"k":{"S":"a"}}}}]},` +
			`"ItemCollectionMetrics":{"T":[` + metricsText + `]}}`: AppendBatchWriteItem(nil, &api.BatchWriteItemOutput{
			UnprocessedItems: []api.BatchWriteItemRequestMapEntry{{Key: "T", Value: []api.WriteRequest{
				{PutRequest: &api.PutRequest{Item: it}}, {DeleteRequest: &api.DeleteRequest{Key: it}}}}},
			ItemCollectionMetrics: []api.ItemCollectionMetricsPerTableEntry{{Key: "T",
				Value: []api.ItemCollectionMetrics{metrics}}}}),
		`{"Responses":[{"Item":{"k":{"S":"a"}}},{}]}`: AppendTransactGetItems(nil, &api.TransactGetItemsOutput{
			Responses: []api.ItemResponse{{Item: it}, {}}}),
		`{"ConsumedCapacity":[]}`: AppendTransactWriteItems(nil, &api.TransactWriteItemsOutput{
			ConsumedCapacity: []api.ConsumedCapacity{}}),
	} {
		assert.Equal(t, want, string(got))
		assert.True(t, json.Valid(got))
	}
}

func TestAppendError(t *testing.T) {
	it := itemOf(t, attr.NewItem().S("k", "a"))
	for want, e := range map[string]*api.Error{
		`{"__type":"com.amazon.coral.service#SerializationException"}`:               api.Errorf(api.Serialization, ""),
		`{"__type":"com.amazon.coral.service#SerializationException","Message":"m"}`: api.Errorf(api.Serialization, "m"),
		`{"__type":"com.amazon.coral.validate#ValidationException","message":"\"x"}`: api.Errorf(api.Validation, `"x`),
		`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`:          api.Errorf("Nope", ""),
		`{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"m","Item":{"k":{"S":"a"}}}`: {
			Code: api.ConditionalCheckFailed, Message: "m", Item: it},
		`{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Code":"C","Message":"n","Item":{"k":{"S":"a"}}}],"Message":"m"}`: {
			Code: api.TransactionCanceled, Message: "m", Reasons: []api.CancellationReason{{Code: api.Some("None")},
				{Item: it, Code: api.Some("C"), Message: api.Some("n")}}},
		`{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"m","throttlingReasons":[{"reason":"r"}]}`: {
			Code: api.Throttling, Message: "m", Throttling: []api.ThrottlingReason{{Reason: api.Some("r")}}},
		`{"__type":"com.amazonaws.dynamodb.v20120810#RequestLimitExceeded","message":"m","ThrottlingReasons":[]}`: {
			Code: api.RequestLimitExceeded, Message: "m", Throttling: []api.ThrottlingReason{}},
	} {
		assert.Equal(t, want, string(AppendError(nil, e)))
	}
}

// TestEveryByteEverywhere: texts are looked at a word at a time, so each byte is tried at each place
// of texts of each length.
func TestEveryByteEverywhere(t *testing.T) {
	for n := range 34 {
		for at := range n {
			for c := range 0x80 {
				text := bytes.Repeat([]byte("a"), n)
				text[at] = byte(c)
				var back string
				require.NoError(t, json.Unmarshal(AppendJSONString(nil, string(text)), &back))
				require.Equal(t, string(text), back)
			}
		}
		high := strings.Repeat("\u00ff", n)
		require.Equal(t, `"`+high+`"`, string(AppendJSONString(nil, high)), "no escape where none is needed")
	}
}
