package pbapi_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// pairs are messages and the structs that go with them: all there are, but for what package grpcapi has
// of its own (Call).
func pairs() []struct {
	message proto.Message
	zero    any
} {
	return []struct {
		message proto.Message
		zero    any
	}{
		{&keystonev1.PutRequest{}, api.PutItemInput{}}, {&keystonev1.PutResponse{}, api.PutItemOutput{}},
		{&keystonev1.GetRequest{}, api.GetItemInput{}}, {&keystonev1.GetResponse{}, api.GetItemOutput{}},
		{&keystonev1.DeleteRequest{}, api.DeleteItemInput{}}, {&keystonev1.DeleteResponse{}, api.DeleteItemOutput{}},
		{&keystonev1.UpdateRequest{}, api.UpdateItemInput{}}, {&keystonev1.UpdateResponse{}, api.UpdateItemOutput{}},
		{&keystonev1.QueryRequest{}, api.QueryInput{}}, {&keystonev1.QueryResponse{}, api.QueryOutput{}},
		{&keystonev1.ScanRequest{}, api.ScanInput{}}, {&keystonev1.ScanResponse{}, api.ScanOutput{}},
		{&keystonev1.BatchGetRequest{}, api.BatchGetItemInput{}},
		{&keystonev1.BatchGetResponse{}, api.BatchGetItemOutput{}},
		{&keystonev1.BatchWriteRequest{}, api.BatchWriteItemInput{}},
		{&keystonev1.BatchWriteResponse{}, api.BatchWriteItemOutput{}},
		{&keystonev1.TransactGetRequest{}, api.TransactGetItemsInput{}},
		{&keystonev1.TransactGetResponse{}, api.TransactGetItemsOutput{}},
		{&keystonev1.TransactWriteRequest{}, api.TransactWriteItemsInput{}},
		{&keystonev1.TransactWriteResponse{}, api.TransactWriteItemsOutput{}},
		{&keystonev1.ExecuteStatementRequest{}, api.ExecuteStatementInput{}},
		{&keystonev1.ExecuteStatementResponse{}, api.ExecuteStatementOutput{}},
		{&keystonev1.CreateTableRequest{}, api.CreateTableInput{}},
		{&keystonev1.CreateTableResponse{}, api.CreateTableOutput{}},
		{&keystonev1.UpdateTableRequest{}, api.UpdateTableInput{}},
		{&keystonev1.UpdateTableResponse{}, api.UpdateTableOutput{}},
		{&keystonev1.DescribeTableRequest{}, api.DescribeTableInput{}},
		{&keystonev1.DescribeTableResponse{}, api.DescribeTableOutput{}},
		{&keystonev1.ListTablesRequest{}, api.ListTablesInput{}},
		{&keystonev1.ListTablesResponse{}, api.ListTablesOutput{}},
		{&keystonev1.DeleteTableRequest{}, api.DeleteTableInput{}},
		{&keystonev1.DeleteTableResponse{}, api.DeleteTableOutput{}},
		{&keystonev1.ListStreamsRequest{}, api.ListStreamsInput{}},
		{&keystonev1.ListStreamsResponse{}, api.ListStreamsOutput{}},
		{&keystonev1.DescribeStreamRequest{}, api.DescribeStreamInput{}},
		{&keystonev1.DescribeStreamResponse{}, api.DescribeStreamOutput{}},
		{&keystonev1.SubscribeRequest{}, api.SubscribeInput{}},
		{&keystonev1.SubscribeResponse{}, api.SubscribeOutput{}},
		{&keystonev1.UpdateTimeToLiveRequest{}, api.UpdateTimeToLiveInput{}},
		{&keystonev1.UpdateTimeToLiveResponse{}, api.UpdateTimeToLiveOutput{}},
		{&keystonev1.DescribeTimeToLiveRequest{}, api.DescribeTimeToLiveInput{}},
		{&keystonev1.DescribeTimeToLiveResponse{}, api.DescribeTimeToLiveOutput{}},
	}
}

// TestEverythingIsMapped: struct → message → the generated code and back → struct is the same, whatever
// stands in it. New panics for a field without a member and a member without a field, and the generated
// code must know every field that was written.
func TestEverythingIsMapped(t *testing.T) {
	const rounds = 15
	for _, pair := range pairs() {
		desc := pair.message.ProtoReflect().Descriptor()
		t.Run(string(desc.Name()), func(t *testing.T) {
			c := pbapi.New(desc, pair.zero)
			var dec pbapi.Decoder
			f := filler{newRand(1)}
			for range rounds {
				in := reflect.New(reflect.TypeOf(pair.zero))
				f.fill(in.Elem())
				enc := pbapi.Encoder{JSON: false}
				wire := enc.Append(nil, c, in.Interface())
				message := pair.message.ProtoReflect().New()
				require.NoError(t, proto.Unmarshal(wire, message.Interface()))
				requireKnown(t, message)
				again, err := proto.Marshal(message.Interface())
				require.NoError(t, err)
				require.Len(t, wire, len(again), "both forms take the shortest way")
				out := reflect.New(reflect.TypeOf(pair.zero))
				require.NoError(t, dec.Decode(c, again, out.Interface()))
				require.Equal(t, in.Interface(), out.Interface())
				dec.Release()
			}
		})
	}
}

// requireKnown fails when a message has fields that its description does not have.
func requireKnown(t *testing.T, m protoreflect.Message) {
	t.Helper()
	require.Empty(t, m.GetUnknown(), m.Descriptor().FullName())
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				requireKnown(t, v.Message())
				return true
			})
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				requireKnown(t, v.List().Get(i).Message())
			}
		case !fd.IsMap() && !fd.IsList() && fd.Message() != nil:
			requireKnown(t, v.Message())
		}
		return true
	})
}

// TestFlags: the flags of a request go to the decoder and not into the struct.
func TestFlags(t *testing.T) {
	c := pbapi.New((&keystonev1.ScanRequest{}).ProtoReflect().Descriptor(), api.ScanInput{})
	for _, flags := range []pbapi.Flags{{}, {DynamodbJSON: true}, {OnePage: true}, {DynamodbJSON: true, OnePage: true}} {
		enc := pbapi.Encoder{Flags: flags}
		var dec pbapi.Decoder
		var in api.ScanInput
		require.NoError(t, dec.Decode(c, enc.Append(nil, c, &in), &in))
		require.Equal(t, flags, dec.Flags)
		require.Zero(t, in)
	}
}

// TestJSONItems: an item may be DynamoDB JSON, in requests and answers, with the same outcome.
func TestJSONItems(t *testing.T) {
	c := pbapi.New((&keystonev1.QueryResponse{}).ProtoReflect().Descriptor(), api.QueryOutput{})
	f := filler{newRand(3)}
	for range 100 {
		var in, out api.QueryOutput
		f.fill(reflect.ValueOf(&in).Elem())
		enc := pbapi.Encoder{JSON: true}
		wire := enc.Append(nil, c, &in)
		var message keystonev1.QueryResponse
		require.NoError(t, proto.Unmarshal(wire, &message))
		for i, it := range message.GetItems() {
			require.Equal(t, string(codec.AppendItem(nil, in.Items[i])), string(it.GetDynamodbJson()))
			require.Empty(t, it.GetAttributes())
		}
		var dec pbapi.Decoder
		require.NoError(t, dec.Decode(c, wire, &out))
		// JSON knows no vectors and no times: the comparison is of JSON.
		require.Equal(t, string(codec.AppendQuery(nil, &in)), string(codec.AppendQuery(nil, &out)))
	}
}

// TestPlaces: a bad value is noted at the place that the JSON door notes it at.
func TestPlaces(t *testing.T) {
	const bad = `{"N":"x"}`
	for _, tt := range []struct {
		operation string
		message   proto.Message
		zero      any
		body      string
	}{
		{"PutItem", &keystonev1.PutRequest{Item: item("pk", "x")}, api.PutItemInput{}, `{"Item":{"pk":` + bad + `}}`},
		{"GetItem", &keystonev1.GetRequest{Key: item("pk", "x")}, api.GetItemInput{}, `{"Key":{"pk":` + bad + `}}`},
		{"Query", &keystonev1.QueryRequest{ExclusiveStartKey: item("pk", "x"),
			ExpressionAttributeValues: values(":a", "1", ":b", "x", ":c", "y")}, api.QueryInput{},
			`{"ExclusiveStartKey":{"pk":` + bad + `},
			"ExpressionAttributeValues":{":a":{"N":"1"},":b":` + bad + `,":c":{"N":"y"}}}`},
		{"PutItem", &keystonev1.PutRequest{Expected: map[string]*keystonev1.ExpectedAttributeValue{
			"a": {Value: number("x")}, "b": {AttributeValueList: []*keystonev1.Value{number("1"), number("x"), number("y")}}}},
			api.PutItemInput{}, `{"Expected":{"a":{"Value":` + bad + `},
			"b":{"AttributeValueList":[{"N":"1"},` + bad + `,{"N":"y"}]}}}`},
		{"UpdateItem", &keystonev1.UpdateRequest{AttributeUpdates: map[string]*keystonev1.AttributeValueUpdate{
			"a": {Value: number("x")}}}, api.UpdateItemInput{}, `{"AttributeUpdates":{"a":{"Value":` + bad + `}}}`},
		{"Query", &keystonev1.QueryRequest{
			KeyConditions: map[string]*keystonev1.Condition{"k": {AttributeValueList: []*keystonev1.Value{number("x")}}},
			QueryFilter:   map[string]*keystonev1.Condition{"f": {AttributeValueList: []*keystonev1.Value{number("x")}}}},
			api.QueryInput{}, `{"KeyConditions":{"k":{"AttributeValueList":[` + bad + `]}},
			"QueryFilter":{"f":{"AttributeValueList":[` + bad + `]}}}`},
		{"Scan", &keystonev1.ScanRequest{
			ScanFilter: map[string]*keystonev1.Condition{"f": {AttributeValueList: []*keystonev1.Value{number("x")}}}},
			api.ScanInput{}, `{"ScanFilter":{"f":{"AttributeValueList":[` + bad + `]}}}`},
		{"BatchGetItem", &keystonev1.BatchGetRequest{RequestItems: map[string]*keystonev1.KeysAndAttributes{
			"Tab": {Keys: []*keystonev1.Item{item("pk", "1"), item("pk", "x")}}}}, api.BatchGetItemInput{},
			`{"RequestItems":{"Tab":{"Keys":[{"pk":{"N":"1"}},{"pk":` + bad + `}]}}}`},
		{"BatchWriteItem", &keystonev1.BatchWriteRequest{RequestItems: map[string]*keystonev1.WriteRequests{
			"Tab": {Requests: []*keystonev1.WriteRequest{
				{PutRequest: &keystonev1.WriteRequest_PutRequest{Item: item("pk", "x")}},
				{DeleteRequest: &keystonev1.WriteRequest_DeleteRequest{Key: item("pk", "x")}}}}}},
			api.BatchWriteItemInput{}, `{"RequestItems":{"Tab":[{"PutRequest":{"Item":{"pk":` + bad + `}}},
			{"DeleteRequest":{"Key":{"pk":` + bad + `}}}]}}`},
		{"TransactWriteItems", &keystonev1.TransactWriteRequest{TransactItems: []*keystonev1.TransactWriteItem{
			{Put: &keystonev1.TransactWriteItem_Put{Item: item("pk", "x")}},
			{Update: &keystonev1.TransactWriteItem_Update{Key: item("pk", "x"),
				ExpressionAttributeValues: values(":v", "x")}}}}, api.TransactWriteItemsInput{},
			`{"TransactItems":[{"Put":{"Item":{"pk":` + bad + `}}},
			{"Update":{"Key":{"pk":` + bad + `},"ExpressionAttributeValues":{":v":` + bad + `}}}]}`},
		{"TransactGetItems", &keystonev1.TransactGetRequest{TransactItems: []*keystonev1.TransactGetItem{
			{Get: &keystonev1.TransactGetItem_Get{Key: item("pk", "x")}}}}, api.TransactGetItemsInput{},
			`{"TransactItems":[{"Get":{"Key":{"pk":` + bad + `}}}]}`},
		{"ExecuteStatement", &keystonev1.ExecuteStatementRequest{Parameters: []*keystonev1.Value{number("1"), number("x")}},
			api.ExecuteStatementInput{}, `{"Parameters":[{"N":"1"},` + bad + `]}`},
	} {
		wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(tt.message)
		require.NoError(t, err)
		got := reflect.New(reflect.TypeOf(tt.zero))
		var dec pbapi.Decoder
		require.NoError(t, dec.Decode(pbapi.New(tt.message.ProtoReflect().Descriptor(), tt.zero), wire, got.Interface()))
		var door codec.Decoder
		want := reflect.ValueOf(&door).MethodByName(tt.operation).Call([]reflect.Value{reflect.ValueOf([]byte(tt.body))})
		require.Nil(t, want[1].Interface())
		bad := func(v reflect.Value) any { return v.Elem().FieldByName("Bad").Interface() }
		require.NotEmpty(t, bad(got))
		require.ElementsMatch(t, bad(want[0]), bad(got), tt.body)
	}
}

func number(text string) *keystonev1.Value {
	return &keystonev1.Value{Value: &keystonev1.Value_N{N: text}}
}

func item(name, text string) *keystonev1.Item {
	return &keystonev1.Item{Attributes: map[string]*keystonev1.Value{name: number(text)}}
}

func values(list ...string) map[string]*keystonev1.Value {
	out := map[string]*keystonev1.Value{}
	for i := 0; i < len(list); i += 2 {
		out[list[i]] = number(list[i+1])
	}
	return out
}

// TestRefusals: what is no message, or no reasonable one, is refused with a text.
func TestRefusals(t *testing.T) {
	names := pbapi.New((&keystonev1.GetRequest{}).ProtoReflect().Descriptor(), api.GetItemInput{})
	it, err := proto.Marshal(&keystonev1.GetRequest{Key: item("a", "1")})
	require.NoError(t, err)
	repeat := func(part string, n int) []byte {
		var out []byte
		for range n {
			out = append(out, part...)
		}
		return out
	}
	for _, tt := range []struct {
		name string
		wire []byte
		want string
	}{
		{"cut off", it[:len(it)-1], "the message is malformed"},
		{"no UTF-8", []byte("\x0a\x01\xff"), "text that is not valid UTF-8"},
		{"an item twice", append(it, it...), "a field twice"},
		{"an item in two ways", []byte("\x12\x07\x0a\x01\x0a\x12\x02{}"), "the message is malformed"},
		{"names without end", repeat("\x2a\x00", 100_001), "more than 100000 elements"},
		{"bad JSON", []byte("\x12\x03\x12\x01{"), "SerializationException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var dec pbapi.Decoder
			err := dec.Decode(names, tt.wire, &api.GetItemInput{})
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, api.Serialization, api.CodeOf(err))
		})
	}
	t.Run("items without end", func(t *testing.T) { // in several lists
		const lists, items = 2, 500_001
		batch := pbapi.New((&keystonev1.BatchGetRequest{}).ProtoReflect().Descriptor(), api.BatchGetItemInput{})
		keys := protowire.AppendBytes([]byte("\x0a\x01t\x12"), repeat("\x0a\x00", items))
		var wire []byte
		for range lists {
			wire = protowire.AppendBytes(append(wire, 0x0a), keys)
		}
		var dec pbapi.Decoder
		require.ErrorContains(t, dec.Decode(batch, wire, &api.BatchGetItemInput{}), "more than 1000000 items")
	})
	both, err := proto.Marshal(&keystonev1.GetRequest{Key: &keystonev1.Item{
		Attributes: item("a", "1").GetAttributes(), DynamodbJson: []byte("{}")}})
	require.NoError(t, err)
	var dec pbapi.Decoder
	require.ErrorContains(t, dec.Decode(names, both, &api.GetItemInput{}), "exclude each other")
}

// TestDuplicates: of a key that comes twice the last one stays, and bad values do not get lost by it.
func TestDuplicates(t *testing.T) {
	c := pbapi.New((&keystonev1.QueryRequest{}).ProtoReflect().Descriptor(), api.QueryInput{})
	var wire []byte
	for _, v := range []map[string]*keystonev1.Value{values(":b", "1"), values(":a", "2"), values(":b", "3")} {
		part, err := proto.Marshal(&keystonev1.QueryRequest{ExpressionAttributeValues: v})
		require.NoError(t, err)
		wire = append(wire, part...)
	}
	var dec pbapi.Decoder
	var in api.QueryInput
	require.NoError(t, dec.Decode(c, wire, &in))
	require.Equal(t, `[{:a {"N":"2"}} {:b {"N":"3"}}]`, fmt.Sprint(in.ExpressionAttributeValues))
	bad, err := proto.Marshal(&keystonev1.QueryRequest{ExpressionAttributeValues: values(":b", "x")})
	require.NoError(t, err)
	require.ErrorContains(t, dec.Decode(c, append(bad, wire...), &api.QueryInput{}), "a field twice")
}
