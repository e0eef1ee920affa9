package show

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/engine/attr"
)

func read(t *testing.T, text string) attr.Item {
	t.Helper()
	it, err := items.Read([]byte(text), items.Auto)
	require.NoError(t, err)
	return it
}

// rows is what Rows writes of items given as JSON.
func rows(t *testing.T, o Options, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	r := NewRows(&b, o)
	for _, text := range texts {
		require.NoError(t, r.Add(read(t, text)))
	}
	require.NoError(t, r.Close())
	assert.Equal(t, int64(len(texts)), r.Count())
	return b.String()
}

func TestRows(t *testing.T) {
	const a, b = `{"pk":"a","l":[1,{}]}`, `{"n":2,"pk":"b"}`
	for _, tt := range []struct {
		format Format
		texts  []string
		want   string
	}{
		{JSON, nil, "[]\n"},
		{JSON, []string{a}, "[\n  {\n    \"l\": [\n      1,\n      {}\n    ],\n    \"pk\": \"a\"\n  }\n]\n"},
		{JSON, []string{`{}`, b}, "[\n  {},\n  {\n    \"n\": 2,\n    \"pk\": \"b\"\n  }\n]\n"},
		{Compact, nil, "[]\n"},
		{Compact, []string{a, b}, `[{"l":[1,{}],"pk":"a"},{"n":2,"pk":"b"}]` + "\n"},
		{JSONLines, nil, ""},
		{JSONLines, []string{a, b}, `{"l":[1,{}],"pk":"a"}` + "\n" + `{"n":2,"pk":"b"}` + "\n"},
		{Table, nil, "(0 rows)\n"},
		{Table, []string{a, b}, `
+----+--------+---+
| pk | l      | n |
+----+--------+---+
| a  | [1,{}] |   |
| b  |        | 2 |
+----+--------+---+
(2 rows)
`},
	} {
		o := Options{Format: tt.format, Keys: []string{"pk", "sk"}}
		assert.Equal(t, strings.TrimPrefix(tt.want, "\n"), rows(t, o, tt.texts...))
	}
	typed := Options{Format: Compact, Form: items.DynamoDB}
	assert.Equal(t, `[{"n":{"N":"2"},"pk":{"S":"b"}}]`+"\n", rows(t, typed, b))
}

func TestItem(t *testing.T) {
	const text = `{"pk":{"S":"a"},"b":{"B":"AQI="}}`
	for format, want := range map[Format]string{
		JSON:      "{\n  \"b\": \"AQI=\",\n  \"pk\": \"a\"\n}\n",
		JSONLines: `{"b":"AQI=","pk":"a"}` + "\n",
		Compact:   `{"b":"AQI=","pk":"a"}` + "\n",
		Table:     "+------+----+\n| b    | pk |\n+------+----+\n| AQI= | a  |\n+------+----+\n",
	} {
		var b bytes.Buffer
		require.NoError(t, Item(&b, Options{Format: format}, read(t, text)))
		assert.Equal(t, want, b.String())
	}
}

// TestTableFits pins that no line is wider than the terminal, whatever the width of characters, and
// that what cannot be shown side by side is shown line by line.
func TestTableFits(t *testing.T) {
	long := strings.Repeat("long ", 20)
	got := rows(t, Options{Format: Table, Width: 40}, `{"pk":"a","text":"`+long+`","wide":"漢字漢字漢字漢字漢字漢字"}`)
	assert.Equal(t, ""+
		"+----+----------------+---------------+\n"+
		"| pk | text           | wide          |\n"+
		"+----+----------------+---------------+\n"+
		"| a  | long long lon… | 漢字漢字漢字… |\n"+
		"+----+----------------+---------------+\n"+
		"(1 row)\n", got)

	got = rows(t, Options{Format: Table, Width: 30}, `{"pk":"a","first":"`+long[:30]+`","second":"`+long[:30]+`","third":3,"fourth":4}`,
		`{"pk":"b"}`)
	assert.Equal(t, ""+
		"+--------+-------------------+\n"+
		"| first  | long long long lo |\n"+
		"|        | ng long long      |\n"+
		"| fourth | 4                 |\n"+
		"| pk     | a                 |\n"+
		"| second | long long long lo |\n"+
		"|        | ng long long      |\n"+
		"| third  | 3                 |\n"+
		"+--------+-------------------+\n"+
		"+----+---+\n"+
		"| pk | b |\n"+
		"+----+---+\n"+
		"(2 rows)\n", got)
}

// TestTableHidesControls pins that a value cannot steer the terminal or break the frame.
func TestTableHidesControls(t *testing.T) {
	got := rows(t, Options{Format: Table}, `{"a\u001b[31m":"red\u001b[0m\n\ttab","b":["\u0007",1]}`)
	assert.Equal(t, ""+
		"+-------------------+--------------+\n"+
		"| a\\x1b[31m         | b            |\n"+
		"+-------------------+--------------+\n"+
		"| red\\x1b[0m\\n\\ttab | [\"\\u0007\",1] |\n"+
		"+-------------------+--------------+\n"+
		"(1 row)\n", got)
}

// TestTableBlocks pins that memory is bounded: after blockRows rows a table is written.
func TestTableBlocks(t *testing.T) {
	var b bytes.Buffer
	r := NewRows(&b, Options{Format: Table})
	for range blockRows {
		require.NoError(t, r.Add(read(t, `{"a":1}`)))
	}
	require.NoError(t, r.Flush())
	assert.Equal(t, blockRows+4, strings.Count(b.String(), "\n"))
	require.NoError(t, r.Add(read(t, `{"b":2}`)))
	require.NoError(t, r.Close())
	assert.True(t, strings.HasSuffix(b.String(), "| b |\n+---+\n| 2 |\n+---+\n(501 rows)\n"), b.String())
}

func TestNames(t *testing.T) {
	for format, want := range map[Format]string{
		JSON: "[\n  \"a\",\n  \"b\"\n]\n", Compact: `["a","b"]` + "\n", JSONLines: "\"a\"\n\"b\"\n",
		Table: "+-------+\n| table |\n+-------+\n| a     |\n| b     |\n+-------+\n(2 rows)\n",
	} {
		var b bytes.Buffer
		require.NoError(t, Names(&b, Options{Format: format}, "table", []string{"a", "b"}))
		assert.Equal(t, want, b.String())
	}
	var b bytes.Buffer
	require.NoError(t, Names(&b, Options{Format: Table}, "table", nil))
	require.NoError(t, Names(&b, Options{Format: JSON}, "table", nil))
	assert.Equal(t, "(0 rows)\n[]\n", b.String())
}

func TestFacts(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Facts(&b, Options{Format: Table}, []Fact{{"table", "t"}, {"key", "pk (S)"}}))
	assert.Equal(t, "+-------+--------+\n| table | t      |\n| key   | pk (S) |\n+-------+--------+\n", b.String())
}

func TestParseFormat(t *testing.T) {
	for _, name := range FormatNames() {
		_, err := ParseFormat(name)
		require.NoError(t, err)
	}
	_, err := ParseFormat("xml")
	assert.EqualError(t, err, `"xml": want table, json, jsonl or compact`)
}
