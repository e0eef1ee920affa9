package jsonl_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/transfer"
	"github.com/keystone-db/kstone/engine/transfer/jsonl"
)

func all(t *testing.T, text string) (out []string) {
	t.Helper()
	r := jsonl.NewReader(strings.NewReader(text), 0)
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			out = append(out, err.Error())
			if _, ok := errors.AsType[*transfer.RecordError](err); !ok {
				return out
			}
		case len(rec.Bad) > 0:
			out = append(out, rec.Bad[0].Place+": "+rec.Bad[0].Err.Error())
		default:
			out = append(out, rec.Item.String())
		}
	}
}

func TestLines(t *testing.T) {
	text := `{"Item":{"pk":{"S":"a"},"n":{"N":"1.50"}}}` + "\r\n\n  \n" +
		`not json` + "\n" + `{"Items":{}}` + "\n" + `{"Item":{"pk":{"S":1}}}` + "\n" + `{"Item":{"pk":{"N":"x"}}}` + "\n" +
		"{\"Item\":{\"pk\":{\"S\":\"\xff\"}}}\n" + `{"Other":[1],"Item":{}}`
	want := []string{
		`{"n":{"N":"1.5"},"pk":{"S":"a"}}`, "the line is no JSON object", "the line has no member Item",
		"NUMBER_VALUE cannot be converted to String", "Item: The parameter cannot be converted to a numeric value: x",
		"the line is not valid UTF-8", `{}`,
	}
	require.Equal(t, want, all(t, text))
	// A reader that begins where another one stopped has the rest.
	r := jsonl.NewReader(strings.NewReader(text), 0)
	for i := range want {
		require.Equal(t, want[i:], all(t, text[r.Offset():]))
		_, _ = r.Next()
	}
	require.Equal(t, int64(len(text)), r.Offset())
	require.Equal(t, []string{"a line is longer than 33554432 bytes"}, all(t, strings.Repeat("x", transfer.RecordMaxBytes+1)))
	boom := errors.New("boom")
	_, err := jsonl.NewReader(iotest.ErrReader(boom), 0).Next()
	require.ErrorIs(t, err, boom)
}

func TestConditions(t *testing.T) {
	r := jsonl.NewReader(strings.NewReader(`{"Item":{"pk":{"S":"a"}},"ConditionExpression":"#a = :v","ExpressionAttributeNames":{"#a":"a"},"ExpressionAttributeValues":{":v":{"S":"x"}}}`), 0)
	rec, err := r.Next()
	require.NoError(t, err)
	assert.Equal(t, api.Some("#a = :v"), rec.Condition)
	assert.Equal(t, []api.Name{{Placeholder: "#a", Name: "a"}}, rec.Names)
	assert.Equal(t, []api.NamedValue{{Placeholder: ":v", Value: attr.String("x")}}, rec.Values)
}

// TestAppend pins the lines of exports.
func TestAppend(t *testing.T) {
	k := attr.Item(nil).With("pk", attr.String("a\n"))
	old, now := k.With("n", attr.Value(attr.AppendInt(nil, 1))), k.With("n", attr.Value(attr.AppendInt(nil, 2)))
	assert.Equal(t, `{"Item":{"n":{"N":"1"},"pk":{"S":"a\n"}}}`+"\n", string(jsonl.AppendItem(nil, old)))
	assert.Equal(t, `{"Metadata":{"WriteTimestampMicros":"1680109764000000"},"Keys":{"pk":{"S":"a\n"}},"OldImage":{"n":{"N":"1"},"pk":{"S":"a\n"}},"NewImage":{"n":{"N":"2"},"pk":{"S":"a\n"}}}`+"\n",
		string(jsonl.AppendChange(nil, 1680109764000000, k, old, now)))
	assert.Equal(t, `{"Metadata":{"WriteTimestampMicros":"1"},"Keys":{"pk":{"S":"a\n"}}}`+"\n", string(jsonl.AppendChange(nil, 1, k, nil, nil)))
}

// FuzzRead: what is read is a sound item that reads the same when it is written again.
func FuzzRead(f *testing.F) {
	f.Add(`{"Item":{"pk":{"S":"a"},"l":{"L":[{"M":{"x":{"NULL":true}}},{"NS":["1","2"]},{"B":"AAE="}]}},"ConditionExpression":"a"}` + "\n{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := jsonl.NewReader(strings.NewReader(text), 0)
		for {
			rec, err := r.Next()
			if _, ok := errors.AsType[*transfer.RecordError](err); err != nil && !ok {
				require.Equal(t, int64(len(text)), r.Offset())
				return
			}
			if err != nil || len(rec.Bad) > 0 {
				continue
			}
			require.NoError(t, attr.CheckItem(rec.Item))
			it := rec.Item.Clone()
			again, err := jsonl.NewReader(strings.NewReader(string(jsonl.AppendItem(nil, it))), 0).Next()
			require.NoError(t, err)
			require.Equal(t, it, again.Item)
		}
	})
}
