package codec

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// agreeing is a hot operation whose codec must do what the slow one would do.
type agreeing struct {
	name   string
	decode func(d *Decoder, body []byte) (any, error)
	encode func(out any) []byte
	slow   slowOp
	answer func() any // an empty one
	body   string     // has every member
}

func agree[In, Out any](
	name string, decode func(*Decoder, []byte) (*In, error), encode func([]byte, *Out) []byte, body string,
) agreeing {
	op, _ := slowOperation(name)
	return agreeing{
		name:   name,
		decode: func(d *Decoder, body []byte) (any, error) { return decode(d, body) },
		encode: func(out any) []byte { return encode(nil, out.(*Out)) },
		slow:   op,
		answer: func() any { return new(Out) },
		body:   body,
	}
}

func agreements() []agreeing {
	const parameters = `[{"S":"é\n"},{"N":"1.50"},{"M":{"a":{"SS":["x"]}}},null]`
	return []agreeing{
		agree("ExecuteStatement", (*Decoder).ExecuteStatement, AppendExecuteStatement,
			`{"Statement":"SELECT","Parameters":`+parameters+`,"ConsistentRead":true,"NextToken":"n",`+
				`"ReturnConsumedCapacity":"TOTAL","Limit":3,"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`),
		agree("BatchExecuteStatement", (*Decoder).BatchExecuteStatement, AppendBatchExecuteStatement,
			`{"Statements":[{"Statement":"SELECT","Parameters":`+parameters+`,"ConsistentRead":"yes",`+
				`"ReturnValuesOnConditionCheckFailure":"NONE"},null,{"Parameters":[{"B":"AAE="}]}],"ReturnConsumedCapacity":""}`),
		agree("ExecuteTransaction", (*Decoder).ExecuteTransaction, AppendExecuteTransaction,
			`{"TransactStatements":[{"Statement":"UPDATE","Parameters":`+parameters+`,`+
				`"ReturnValuesOnConditionCheckFailure":"NONE"},{"Parameters":[]}],"ClientRequestToken":"t","ReturnConsumedCapacity":"NONE"}`),
		agree("GetRecords", (*Decoder).GetRecords, AppendGetRecords, `{"ShardIterator":"arn|1|AAAA","Limit":1.9}`),
	}
}

// requireAgreed decodes a body both ways. What the hot codec gives does not live in the body.
func requireAgreed(t *testing.T, a agreeing, d *Decoder, body string) {
	t.Helper()
	want, wantErr := decodeSlow(a.slow, []byte(body))
	gone := []byte(body)
	got, err := a.decode(d, gone)
	clear(gone)
	if wantErr != nil {
		require.Equal(t, wantErr, err, "%s %s", a.name, body)
	} else {
		require.NoError(t, err, "%s %s", a.name, body)
		require.Equal(t, want, got, "%s %s", a.name, body)
	}
	d.Release()
}

// TestDecodeAgrees: every value of a request becomes one of every kind, beside it stands a second
// member of its name, before and after it, and every object gets a member that nobody knows.
func TestDecodeAgrees(t *testing.T) {
	odd := []string{
		`null`, `true`, `false`, `0`, `-1`, `1.5`, `1e400`, `""`, `"x"`, `"true"`, `"\u00e4"`, `[]`, `{}`, `[[]]`, `[{}]`,
		`[null]`, `[null,{"S":"a"}]`, `[1]`, `["x"]`, `{"x":1}`, `{"S":"a"}`, `{"S":1}`, `{"N":"x"}`, `{"NS":["1","1.0"]}`,
		`{"SS":[]}`, `{"B":"A"}`, `{"S":"a","N":"1"}`, `[{"S":"a"},{"N":""},{}]`, `[{"Parameters":[{},{"S":"a"}]}]`,
		`[{"Parameters":[{}],"Parameters":[{"S":"a"}]},{"Parameters":[{"L":[{}]}]}]`, `x`, ``, `[`, `{"S":"a"`,
	}
	for _, a := range agreements() {
		d := new(Decoder) // one for all, so that nothing is left of what was before
		spans := valuesIn(t, a.body)
		require.Greater(t, len(spans), 2)
		for _, s := range spans {
			before, value, after := a.body[:s.from], a.body[s.from:s.to], a.body[s.to:]
			for _, o := range odd {
				requireAgreed(t, a, d, before+o+after)
				if s.key != "" {
					requireAgreed(t, a, d, before+value+`,`+s.key+`:`+o+after)
					requireAgreed(t, a, d, before+o+`,`+s.key+`:`+value+after)
				}
				if strings.HasPrefix(value, "{") {
					requireAgreed(t, a, d, before+`{"Nope":`+o+`,`+value[1:]+after)
				}
			}
		}
		for i := range a.body {
			requireAgreed(t, a, d, a.body[:i])
		}
		requireAgreed(t, a, d, a.body+"x")
	}
}

// span is where a value stands in a text; key is the name with its quotes, if it has one.
type span struct {
	from, to int
	key      string
}

// valuesIn finds all values of a JSON text.
func valuesIn(t *testing.T, body string) (out []span) {
	t.Helper()
	type container struct {
		span
		object bool
	}
	var open []container
	key := ""
	dec := json.NewDecoder(strings.NewReader(body))
	for dec.More() || len(open) > 0 {
		before := int(dec.InputOffset())
		token, err := dec.Token()
		require.NoError(t, err)
		at := span{before + len(body[before:]) - len(strings.TrimLeft(body[before:], ",: ")), int(dec.InputOffset()), key}
		switch token {
		case json.Delim('{'), json.Delim('['):
			open, key = append(open, container{at, token == json.Delim('{')}), ""
			continue
		case json.Delim('}'), json.Delim(']'):
			last := open[len(open)-1]
			open = open[:len(open)-1]
			at = span{last.from, at.to, last.key}
		default:
			if len(open) > 0 && open[len(open)-1].object && key == "" {
				key = body[at.from:at.to]
				continue
			}
		}
		out, key = append(out, at), ""
	}
	return out
}

// TestEncodeAgrees: answers with members of all kinds, there or absent.
func TestEncodeAgrees(t *testing.T) {
	for _, a := range agreements() {
		rnd := rand.New(rand.NewPCG(7, 7))
		shape, longest := a.slow.output, 0
		for range 500 {
			out := a.answer()
			fill(t, rnd, reflect.ValueOf(out).Elem())
			want := appendSlowStructure(nil, reflect.ValueOf(out).Elem(), shape)
			require.True(t, json.Valid(want))
			require.Equal(t, string(want), string(a.encode(out)), a.name)
			longest = max(longest, len(want))
		}
		require.Equal(t, "{}", string(a.encode(a.answer())))
		require.Greater(t, longest, 300, a.name)
	}
}

// fill sets some members of an answer.
func fill(t *testing.T, rnd *rand.Rand, v reflect.Value) {
	texts := []string{"", "plain", "\"\\\n\x01ä", "longer than a word of eight bytes"}
	switch v.Interface().(type) {
	case attr.Item:
		items := []attr.Item{nil, {}, itemOf(t, attr.NewItem().S("a\"", texts[rnd.IntN(4)]).N("n", "-1.5"))}
		v.Set(reflect.ValueOf(items[rnd.IntN(len(items))]))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMilli(1_767_225_600_000 + int64(rnd.IntN(3))*500)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[rnd.IntN(4)])
	case reflect.Int64:
		v.SetInt(rnd.Int64N(100) - 50)
	case reflect.Float64:
		v.SetFloat(float64(rnd.IntN(5)) / 2)
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	case reflect.Pointer:
		if rnd.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, rnd, v.Elem())
		}
	case reflect.Slice:
		if n := rnd.IntN(4) - 1; n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, rnd, v.Index(i))
			}
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, rnd, field)
		}
	}
}

// FuzzDecodeAgrees: no body makes a difference.
func FuzzDecodeAgrees(f *testing.F) {
	all := agreements()
	for i, a := range all {
		f.Add(byte(i), a.body)
	}
	f.Add(byte(0), `{"Parameters":[{"NULL":false}],"Parameters":[{}],"Limit":1e30}`)
	f.Fuzz(func(t *testing.T, which byte, body string) {
		a := all[int(which)%len(all)]
		requireAgreed(t, a, new(Decoder), body)
	})
}
