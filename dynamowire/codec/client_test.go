package codec

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func TestAppendRequest(t *testing.T) {
	item := itemOf(t, attr.NewItem().S("pk", "a").Vec("v", 1, -0.5).Ts("t", 1_767_225_600_123))
	body, err := AppendRequest([]byte("> "), "PutItem", &api.PutItemInput{
		TableName: api.Some("T"), Item: item,
		ExpressionAttributeNames: []api.Name{{Placeholder: "#a", Name: "b"}},
	})
	require.NoError(t, err)
	require.Equal(t, `> {"TableName":"T","Item":{"pk":{"S":"a"},"t":{"N":"1767225600123"},`+
		`"v":{"L":[{"N":"1"},{"N":"-0.5"}]}},"ExpressionAttributeNames":{"#a":"b"}}`, string(body))

	_, err = AppendRequest(nil, "Nope", &api.PutItemInput{})
	require.Equal(t, api.UnknownOperation, api.CodeOf(err))

	// What a decoder could not read is not in the struct, so it must not be sent without it.
	in, err := new(Decoder).PutItem([]byte(`{"TableName":"T","Item":{"pk":{"S":"a"},"n":{"N":"x"}}}`))
	require.NoError(t, err)
	_, err = AppendRequest(nil, "PutItem", in)
	require.EqualError(t, err, "ValidationException: The parameter cannot be converted to a numeric value: x")
}

func TestDecodeAnswer(t *testing.T) {
	out := &api.GetItemOutput{}
	require.NoError(t, DecodeAnswer("GetItem", []byte(`{"Item":{"pk":{"S":"a"}},"Later":[1],"ConsumedCapacity":null}`), out))
	require.Equal(t, &api.GetItemOutput{Item: itemOf(t, attr.NewItem().S("pk", "a"))}, out)
	require.NoError(t, DecodeAnswer("TagResource", nil, &api.TagResourceOutput{}))
	require.Equal(t, api.UnknownOperation, api.CodeOf(DecodeAnswer("Nope", nil, nil)))
	for body, want := range map[string]string{
		``:                            "codec: the answer is empty",
		`<html>`:                      `codec: the answer is no JSON object: "<html>"`,
		`{"Item":{"pk":{"S":1}}}`:     `codec: the answer is of another form: NUMBER_VALUE cannot be converted to String: "{\"Item\":{\"pk\":{\"S\":1}}}"`,
		`{"Item":{"pk":{"S":"a"}}`:    `codec: the answer is of another form: it is no JSON: "{\"Item\":{\"pk\":{\"S\":\"a\"}}"`,
		`{"Item":{"pk":{"N":"NaN"}}}`: "codec: the answer's Item: The parameter cannot be converted to a numeric value: NaN",
	} {
		err := DecodeAnswer("GetItem", []byte(body), &api.GetItemOutput{})
		require.EqualError(t, err, want)
		require.Equal(t, api.InternalServerError, api.CodeOf(err))
	}
	err := DecodeAnswer("GetItem", []byte(strings.Repeat("x", 1000)), out)
	require.Less(t, len(err.Error()), 300)
}

// TestDecodeError: spellings that the service has or had, and what is no error of the service.
func TestDecodeError(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   *api.Error
	}{
		{400, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"m"}`, api.Errorf(api.ResourceNotFound, "m")},
		{400, `{"__type":"ResourceNotFoundException","Message":"m","more":{}}`, api.Errorf(api.ResourceNotFound, "m")},
		{400, `{"Message":"m","__type":"com.amazon.coral.availability#ThrottlingException",` +
			`"throttlingReasons":[{"reason":"r","resource":"arn"}]}`,
			&api.Error{Code: api.Throttling, Message: "m", Throttling: []api.ThrottlingReason{{Reason: api.Some("r"), Resource: api.Some("arn")}}}},
		{400, `{"__type":"a#TransactionCanceledException","CancellationReasons":[{"Code":"None"},` +
			`{"Code":"ConditionalCheckFailed","Message":"m","Item":{"pk":{"S":"a"}}}],"Message":"t"}`,
			&api.Error{Code: api.TransactionCanceled, Message: "t", Reasons: []api.CancellationReason{
				{Code: api.Some("None")},
				{Code: api.Some("ConditionalCheckFailed"), Message: api.Some("m"), Item: itemOf(t, attr.NewItem().S("pk", "a"))},
			}}},
		{400, `{"__type":"a#SomethingNewException","message":null}`, api.Errorf("SomethingNewException", "")},
		{503, `<html>`, api.Errorf(api.Unavailable, "HTTP status 503")},
		{502, ``, api.Errorf(api.InternalServerError, "HTTP status 502")},
		{504, `{}`, api.Errorf(api.InternalServerError, "HTTP status 504")},
		{429, `{"__type":1}`, api.Errorf(api.Unavailable, "HTTP status 429")},
		{500, `x`, api.Errorf(api.InternalServerError, "HTTP status 500")},
	} {
		require.Equal(t, tt.want, DecodeError(tt.status, []byte(tt.body)), tt.body)
	}
	require.EqualError(t, DecodeError(403, []byte("denied")), `codec: HTTP status 403 with no error of the service: "denied"`)
	require.EqualError(t, DecodeError(413, nil), `codec: HTTP status 413 with no error of the service: ""`)
}

// No body makes the decoder of answers panic; what it accepts reads back the same once it is written.
func FuzzDecodeAnswer(f *testing.F) {
	ops := api.Operations()
	for i, body := range []string{
		`{"Responses":[{"Item":{"a":{"L":[{"NS":["1"]}]}}}],"ConsumedCapacity":[{"Table":{"CapacityUnits":1e300}}]}`,
		`{"Responses":{"T":[{"pk":{"S":"a"}}]},"UnprocessedKeys":{"T":{"Keys":[{}]}}}`, `{}`, ``, `[`,
	} {
		f.Add(byte(i), body)
	}
	f.Fuzz(func(t *testing.T, which byte, body string) {
		name := ops[int(which)%len(ops)].Name
		m, _ := reflect.TypeFor[api.Service]().MethodByName(name)
		out := reflect.New(m.Type.Out(0).Elem()).Interface()
		if DecodeAnswer(name, []byte(body), out) != nil {
			return
		}
		text := AppendSlow(nil, name, out)
		again := reflect.New(m.Type.Out(0).Elem()).Interface()
		require.NoError(t, DecodeAnswer(name, text, again))
		require.Equal(t, string(text), string(AppendSlow(nil, name, again)))
	})
}

// Whatever the body is, there is an error; one of the contract reads back the same once it is written.
func FuzzDecodeError(f *testing.F) {
	f.Add(400, `{"__type":"a#TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Item":{"a":{"N":"1.0"}}}]}`)
	f.Add(500, `{"__type":"b#ThrottlingException","Message":"m","throttlingReasons":[]}`)
	f.Add(503, `{`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		err := DecodeError(status, []byte(body))
		require.Error(t, err)
		e, ok := err.(*api.Error)
		if !ok || !e.Code.Known() {
			return
		}
		text := AppendError(nil, e)
		again := DecodeError(status, text)
		require.IsType(t, e, again)
		require.Equal(t, string(text), string(AppendError(nil, again.(*api.Error))))
	})
}

// BenchmarkClient: what a client does for a PutItem of 400 bytes and for a page of 1,000 such items.
func BenchmarkClient(b *testing.B) {
	item, err := attr.NewItem().S("pk", "customer#1").N("n", "12.5").S("text", strings.Repeat("x", 370)).Build()
	require.NoError(b, err)
	b.Run("PutItem", func(b *testing.B) {
		b.ReportAllocs()
		in := &api.PutItemInput{TableName: api.Some("Orders"), Item: item}
		var buf []byte
		for b.Loop() {
			if buf, err = AppendRequest(buf[:0], "PutItem", in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Query1000", func(b *testing.B) {
		b.ReportAllocs()
		page := &api.QueryOutput{Count: api.Some[int64](1000)}
		for range 1000 {
			page.Items = append(page.Items, item)
		}
		body := AppendQuery(nil, page)
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if err := DecodeAnswer("Query", body, &api.QueryOutput{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
