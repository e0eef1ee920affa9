package items

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/attr"
)

// FuzzPlain reads plain JSON into an item and writes it again: the same values come back, numbers
// as exact rationals, and the second time the same bytes. What Read accepts is a valid item, and its
// DynamoDB JSON makes the same item.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":"x","b":[1,2.50,-3e-2,null,true],"c":{"":{}}}`, `{"a":99999999999999999999999999999999999999}`,
		`{"a":{"S":"x"},"b":1}`, `{"a":"\u0000\u001f\ud83d\ude00\ud800"}`, `{"a":1,"a":{"b":2,"b":3}}`, `{"a":-0.0}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		it, err := Read(text, Plain)
		if err != nil {
			return
		}
		require.NoError(t, attr.CheckItem(it))
		out := AppendPlain(nil, it)
		if utf8.Valid(text) && !bytes.Contains(text, []byte(`\u`)) { // what Go and the service make of halves of pairs differs
			assert.Equal(t, parse(t, text), parse(t, out))
		}
		again, err := Read(out, Plain)
		require.NoError(t, err, "%s", out)
		assert.Equal(t, it, again)
		typed, err := Read(codec.AppendItem(nil, it), DynamoDB)
		require.NoError(t, err)
		assert.Equal(t, it, typed)
	})
}

// FuzzAuto reads any text: what Auto accepts is what one of the two forms makes of it.
func FuzzAuto(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":{"S":"x"}}`, `{"a":{"N":"1"},"b":{"L":[{"M":{}}]}}`, `{"a":{"N":1}}`, `{"a":{"S":"x","S":"y"}}`, `{"a":{"SS":[]}}`, ` {"a":{"NULL":null}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		it, err := Read(text, Auto)
		if err != nil {
			return
		}
		require.NoError(t, attr.CheckItem(it))
		plain, errPlain := Read(text, Plain)
		typed, errTyped := Read(text, DynamoDB)
		assert.True(t, errPlain == nil && bytes.Equal(it, plain) || errTyped == nil && bytes.Equal(it, typed), "%s", text)
	})
}

// parse reads JSON with Go's decoder, numbers exactly.
func parse(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v), "%s", text)
	return exact(t, v)
}

func exact(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = exact(t, e)
		}
	case []any:
		for i, e := range v {
			v[i] = exact(t, e)
		}
	case json.Number:
		r, ok := new(big.Rat).SetString(string(v))
		require.True(t, ok, v)
		return r.RatString()
	}
	return v
}
