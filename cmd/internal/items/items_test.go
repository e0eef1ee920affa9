package items

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/codec"
)

// TestShape pins which texts are taken for DynamoDB JSON, and what becomes of both forms.
func TestShape(t *testing.T) {
	for _, tt := range []struct{ in, typed, plain string }{
		{`{}`, `{}`, `{}`},
		{`{"a":"x"}`, `{"a":{"S":"x"}}`, `{"a":"x"}`},
		{`{"a":{"S":"x"}}`, `{"a":{"S":"x"}}`, `{"a":"x"}`},
		{`{"a":{"N":"1.50"},"b":{"NULL":true}}`, `{"a":{"N":"1.5"},"b":{"NULL":true}}`, `{"a":1.5,"b":null}`},
		// one value without the shape, and the text is plain
		{`{"a":{"S":"x"},"b":1}`, `{"a":{"M":{"S":{"S":"x"}}},"b":{"N":"1"}}`, `{"a":{"S":"x"},"b":1}`},
		{`{"a":{"S":"x","L":1}}`, `{"a":{"M":{"L":{"N":"1"},"S":{"S":"x"}}}}`, `{"a":{"L":1,"S":"x"}}`},
		{`{"a":{}}`, `{"a":{"M":{}}}`, `{"a":{}}`},
		{`{"a":{"s":"x"}}`, `{"a":{"M":{"s":{"S":"x"}}}}`, `{"a":{"s":"x"}}`},
		{`{"S":"x"}`, `{"S":{"S":"x"}}`, `{"S":"x"}`},
		// numbers
		{`{"a":1e2}`, `{"a":{"N":"100"}}`, `{"a":100}`},
		{`{"a":-0}`, `{"a":{"N":"0"}}`, `{"a":0}`},
		{`{"a":0.1}`, `{"a":{"N":"0.1"}}`, `{"a":0.1}`},
		{`{"a":99999999999999999999999999999999999999}`, `{"a":{"N":"99999999999999999999999999999999999999"}}`,
			`{"a":99999999999999999999999999999999999999}`},
		// the rest of the types
		{`{"a":[true,null,{"b":[]}]}`, `{"a":{"L":[{"BOOL":true},{"NULL":true},{"M":{"b":{"L":[]}}}]}}`,
			`{"a":[true,null,{"b":[]}]}`},
		{`{"a":{"B":"AQI="}}`, `{"a":{"B":"AQI="}}`, `{"a":"AQI="}`},
		{`{"a":{"SS":["b","a"]}}`, `{"a":{"SS":["a","b"]}}`, `{"a":["a","b"]}`},
		{`{"a":{"NS":["2","1"]}}`, `{"a":{"NS":["1","2"]}}`, `{"a":[1,2]}`},
		{`{"a":{"BS":["AQ=="]}}`, `{"a":{"BS":["AQ=="]}}`, `{"a":["AQ=="]}`},
		// the last of several members of one name counts, as for the service
		{`{"a":1,"a":2}`, `{"a":{"N":"2"}}`, `{"a":2}`},
		{` { "a" : "\u00e9\n" } `, `{"a":{"S":"é\n"}}`, `{"a":"é\n"}`},
	} {
		t.Run(tt.in, func(t *testing.T) {
			it, err := Read([]byte(tt.in), Auto)
			require.NoError(t, err)
			assert.Equal(t, tt.typed, string(codec.AppendItem(nil, it)))
			assert.Equal(t, tt.plain, string(AppendPlain(nil, it)))
		})
	}
}

func TestFormsCanBeForced(t *testing.T) {
	const text = `{"sizes":{"S":"3"}}`
	it, err := Read([]byte(text), Plain)
	require.NoError(t, err)
	assert.Equal(t, `{"sizes":{"M":{"S":{"S":"3"}}}}`, string(codec.AppendItem(nil, it)))
	it, err = Read([]byte(text), DynamoDB)
	require.NoError(t, err)
	assert.Equal(t, text, string(codec.AppendItem(nil, it)))
	_, err = Read([]byte(`{"name":"x"}`), DynamoDB)
	assert.EqualError(t, err, "no DynamoDB JSON: Unexpected value type in payload")
}

func TestReadErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{``, "no JSON: unexpected end of JSON input, after 0 bytes"},
		{`{"a":}`, "no JSON: invalid character '}' looking for beginning of value, after 6 bytes"},
		{`{} {}`, "no JSON: invalid character '{' after top-level value, after 4 bytes"},
		{`[]`, errNoObject.Error()},
		{`"x"`, errNoObject.Error()},
		{`null`, errNoObject.Error()},
		{`{"":1}`, "One or more parameter values were invalid: Attribute names must not be empty"},
		{`{"a":1e126}`, "a: Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{`{"a":{"b":[0,1e-200]}}`, "a.b[1]: Number underflow. Attempting to store a number with magnitude smaller than supported range"},
		{`{"a":{"N":"one"}}`, "The parameter cannot be converted to a numeric value: one" + hintShape},
		{`{"a":{"N":42}}`, "no DynamoDB JSON: NUMBER_VALUE cannot be converted to String" + hintShape},
		{`{"a":{"SS":[]}}`, "One or more parameter values were invalid: An string set  may not be empty" + hintShape},
	} {
		t.Run(tt.in, func(t *testing.T) {
			_, err := Read([]byte(tt.in), Auto)
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestParseForm(t *testing.T) {
	for i, name := range FormNames() {
		form, err := ParseForm(name)
		require.NoError(t, err)
		assert.Equal(t, Form(i), form)
	}
	_, err := ParseForm("xml")
	assert.EqualError(t, err, `"xml": want auto, plain or dynamodb`)
}
