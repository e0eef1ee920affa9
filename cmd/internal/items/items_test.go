package items

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
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

func TestReadList(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`[]`, `[]`},
		{`["x",1,[null],{"a":true}]`, `[{"S":"x"},{"N":"1"},{"L":[{"NULL":true}]},{"M":{"a":{"BOOL":true}}}]`},
		{`[{"S":"x"},{"N":"1"}]`, `[{"S":"x"},{"N":"1"}]`},
		{`[{"S":"x"},1]`, `[{"M":{"S":{"S":"x"}}},{"N":"1"}]`},
	} {
		values, err := ReadList([]byte(tt.in), Auto)
		require.NoError(t, err)
		got := []byte{'['}
		for i, v := range values {
			if i > 0 {
				got = append(got, ',')
			}
			got = codec.AppendValue(got, v)
		}
		assert.Equal(t, tt.want, string(append(got, ']')))
	}
	for in, want := range map[string]string{
		`{}`:            `want a JSON list, such as ["x",1]`,
		`[`:             "no JSON: unexpected end of JSON input, after 1 bytes",
		`["a",[1e999]]`: "[1][0]: Number overflow. Attempting to store a number with magnitude larger than supported range",
		`[{"N":1}]`:     "no DynamoDB JSON: NUMBER_VALUE cannot be converted to String" + hintShape,
		`[{"N":"x"}]`:   "The parameter cannot be converted to a numeric value: x" + hintShape,
	} {
		_, err := ReadList([]byte(in), Auto)
		assert.EqualError(t, err, want)
	}
}

// TestDepth pins that the deepest item of the service is read, and one that is deeper refused.
func TestDepth(t *testing.T) {
	nest := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	_, err := Read([]byte(nest(attr.DepthMax)), Auto)
	require.NoError(t, err)
	for _, n := range []int{attr.DepthMax + 1, 9_000} {
		_, err = Read([]byte(nest(n)), Auto)
		assert.ErrorContains(t, err, "Nesting Levels have exceeded supported limits")
	}
	_, err = Read([]byte(nest(20_000)), Auto)
	assert.ErrorContains(t, err, "no JSON")
}

// table has a key of two parts of the types.
func table(types ...string) *api.TableDescription {
	out := &api.TableDescription{TableName: api.Some("T")}
	for i, typ := range types {
		name := api.Some([]string{"p", "s"}[i])
		out.AttributeDefinitions = append(out.AttributeDefinitions, api.AttributeDefinition{AttributeName: name, AttributeType: api.Some(typ)})
		out.KeySchema = append(out.KeySchema, api.KeySchemaElement{
			AttributeName: name, KeyType: api.Some([]string{api.KeyTypeHash, api.KeyTypeRange}[i]),
		})
	}
	return out
}

func TestKey(t *testing.T) {
	key, err := Key(table("N", "B"), []string{"-12.50", "AQI="})
	require.NoError(t, err)
	assert.Equal(t, `{"p":{"N":"-12.5"},"s":{"B":"AQI="}}`, string(codec.AppendItem(nil, key)))
	key, err = Key(table("S"), []string{`{"a":1}`})
	require.NoError(t, err)
	assert.Equal(t, `{"p":{"S":"{\"a\":1}"}}`, string(codec.AppendItem(nil, key)))
	for _, tt := range []struct {
		table *api.TableDescription
		parts []string
		want  string
	}{
		{table("S"), []string{"a", "b"}, "the key of table T is p (S): give one value"},
		{table("S", "N"), []string{"a"}, "the key of table T is p (S), s (N): give two values"},
		{table("N"), []string{"one"}, `key p "one": The parameter cannot be converted to a numeric value: one`},
		{table("B"), []string{"?"}, `key p "?": want base64, since its type is B: illegal base64 data at input byte 0`},
	} {
		_, err := Key(tt.table, tt.parts)
		assert.EqualError(t, err, tt.want)
	}
}

func TestWithKey(t *testing.T) {
	key, err := Key(table("S", "N"), []string{"a", "1"})
	require.NoError(t, err)
	for _, tt := range []struct{ item, want string }{
		{`{"x":true}`, `{"p":"a","s":1,"x":true}`},
		{`{"p":"a","s":1.0}`, `{"p":"a","s":1}`},
	} {
		it, err := Read([]byte(tt.item), Auto)
		require.NoError(t, err)
		it, err = WithKey(it, key)
		require.NoError(t, err)
		assert.Equal(t, tt.want, string(AppendPlain(nil, it)))
	}
	it, err := Read([]byte(`{"s":"1"}`), Auto)
	require.NoError(t, err)
	_, err = WithKey(it, key)
	assert.EqualError(t, err, `the item's s is "1" and the key's 1: leave it out of the item`)
}

// TestPlainOfOwnTypes pins how the types are written that DynamoDB JSON does not know.
func TestPlainOfOwnTypes(t *testing.T) {
	it, err := attr.NewItem().Vec("v", 0.5, 1, 1e-7).Ts("t", 1700000000000).Build()
	require.NoError(t, err)
	assert.Equal(t, `{"t":1700000000000,"v":[0.5,1,1e-07]}`, string(AppendPlain(nil, it)))
}

// TestNotUTF8: bytes of another encoding are refused, not replaced.
func TestNotUTF8(t *testing.T) {
	for _, form := range []Form{Auto, Plain, DynamoDB} {
		_, err := Read([]byte("{\"a\":{\"S\":\"\xe4\"}}"), form)
		require.ErrorIs(t, err, errNotUTF8)
		_, err = ReadList([]byte("[{\"S\":\"\xe4\"}]"), form)
		require.ErrorIs(t, err, errNotUTF8)
	}
	_, err := keyValue("\xe4", api.ScalarAttributeTypeS)
	require.ErrorIs(t, err, errNotUTF8)
}
