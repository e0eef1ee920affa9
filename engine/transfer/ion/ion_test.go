package ion_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/transfer"
	"github.com/keystone-db/kstone/engine/transfer/ion"
)

// item makes one of all types.
func item(t *testing.T) attr.Item {
	t.Helper()
	inner, err := attr.NewItem().S("in ner", "x").N("null", "1").N("$1", "2").Build()
	require.NoError(t, err)
	inner = inner.With("", attr.Value(attr.AppendInt(nil, 3)))
	it, err := attr.NewItem().
		S("Title", "Book \"1\" \\ é\n\x01").N("Id", "103").N("PageCount", "600").N("Price", "2000").
		N("a", "12.5").N("b", "-0.05").N("c", "0").N("d", "0.123").N("e", "-1E+125").N("f", "1E-130").
		Bool("InPublication", false).Null("n").B("bin", []byte{0, 1, 0xff}).
		SS("ss", "Author1", "Author2").NS("ns", "1", "-2.5").BS("bs", []byte{1}, []byte("two")).
		L("l", attr.String("a"), attr.Value(attr.AppendNull(nil))).M("m", inner).L("empty").Build()
	require.NoError(t, err)
	return it
}

// TestItem pins how an item is written: after the examples of the service's documentation.
func TestItem(t *testing.T) {
	it := item(t)
	text := string(ion.AppendItem(nil, it))
	require.Equal(t, `$ion_1_0 {Item:{Id:103.,InPublication:false,PageCount:6d2,Price:2d3,Title:"Book \"1\" \\ é\n\x01",`+
		`a:12.5,b:-5d-2,bin:{{AAH/}},bs:$dynamodb_BS::[{{AQ==}},{{dHdv}}],c:0.,d:1.23d-1,e:-1d125,empty:[],f:1d-130,`+
		`l:["a",null],m:{'':3.,'$1':2.,'in ner':"x",'null':1.},n:null,ns:$dynamodb_NS::[-2.5,1.],`+
		`ss:$dynamodb_SS::["Author1","Author2"]}}`+"\n", text)
	r := ion.NewReader(strings.NewReader(text), 0)
	rec, err := r.Next()
	require.NoError(t, err)
	require.Empty(t, rec.Bad)
	require.Equal(t, it, rec.Item)
	require.Equal(t, int64(len(text)-1), r.Offset())
	_, err = r.Next()
	require.ErrorIs(t, err, io.EOF)
}

func TestNatives(t *testing.T) {
	it, err := attr.NewItem().Vec("v", 0.5, -1e20).Ts("t", 1500).Build()
	require.NoError(t, err)
	assert.Equal(t, "$ion_1_0 {Item:{t:15d2,v:[5d-1,-1d20]}}\n", string(ion.AppendItem(nil, it)))
}

func TestChange(t *testing.T) {
	k := attr.Item(nil).With("pk", attr.String("a"))
	old, now := k.With("n", attr.Value(attr.AppendInt(nil, 1))), k.With("n", attr.Value(attr.AppendInt(nil, 2)))
	assert.Equal(t, `$ion_1_0 {Record:{Keys:{pk:"a"},Metadata:{WriteTimestampMicros:1684374845117899.},OldImage:{n:1.,pk:"a"},NewImage:{n:2.,pk:"a"}}}`+"\n",
		string(ion.AppendChange(nil, 1684374845117899, k, old, now)))
	assert.Equal(t, `$ion_1_0 {Record:{Keys:{pk:"a"},Metadata:{WriteTimestampMicros:1.}}}`+"\n", string(ion.AppendChange(nil, 1, k, nil, nil)))
}

// all reads a text to its end: an item as DynamoDB JSON, or what is wrong in its place.
func all(t *testing.T, text string) (out []string) {
	t.Helper()
	r := ion.NewReader(strings.NewReader(text), 0)
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

// TestForms reads what others write: comments, blanks, long strings, numbers of all forms.
func TestForms(t *testing.T) {
	for text, want := range map[string]string{
		`{Item:{a:1}}`: `{"a":{"N":"1"}}`,
		"$ion_1_0\n{ 'Item' : {\n\"a b\" : 1., } ,}":             `{"a b":{"N":"1"}}`,
		`/* c */ {Item:{a:true/*x*/,b:null.string} // d` + "\n}": `{"a":{"BOOL":true},"b":{"NULL":true}}`,
		`{Item:{a:'''x''' '''y\
z'''}}`: `{"a":{"S":"xyz"}}`,
		`{Item:{a:"\x41\u00e9\U0001F600\ud83d\ude00\0"}}`:          `{"a":{"S":"Aé😀😀\x00"}}`,
		`{Item:{a:0x1F,b:-0b101,c:1_000,d:1.5D2,e:-0.,f:12.d-1}}`:  `{"a":{"N":"31"},"b":{"N":"-5"},"c":{"N":"1000"},"d":{"N":"150"},"e":{"N":"0"},"f":{"N":"1.2"}}`,
		`{Item:{a:{{ AA H/ }},b:$dynamodb_NS::[1,2.5],c:[],d:{}}}`: `{"a":{"B":"AAH/"},"b":{"NS":["1","2.5"]},"c":{"L":[]},"d":{"M":{}}}`,
		`{Other:(+ 1),Item:{}}`:                                    "Ion s-expressions are not supported",
		`{Other:1e5,Item:{}}`:                                      `{}`,
		`{Item:{a:1e5}}`:                                           "an Ion float is no value of an item",
		`{Item:{a:nan}}`:                                           "an Ion float is no value of an item",
		`{Item:{a:+inf}}`:                                          "an Ion float is no value of an item",
		`{Item:{a:2020-01-01T00:00Z}}`:                             "an Ion timestamp is no value of an item",
		`{Item:{a:sym}}`:                                           "an Ion symbol is no value of an item",
		`{Item:{a:'sym'}}`:                                         "an Ion symbol is no value of an item",
		`{Item:{a:{{"text"}}}}`:                                    "an Ion clob is no value of an item",
		`{Item:{a:note::1}}`:                                       "an Ion value with the annotation note is no value of an item",
		`{Item:{a:$dynamodb_SS::1}}`:                               "an Ion value with the annotation $dynamodb_SS is no value of an item",
		`{Item:{a:$dynamodb_SS::["a",1]}}`:                         "a member of a set is no Ion string",
		`{Item:{a:$dynamodb_SS::[]}}`:                              "Item: One or more parameter values were invalid: An string set  may not be empty",
		`{Item:{a:$dynamodb_NS::[1,1.0]}}`:                         "Item: Input collection contains duplicates",
		`{Item:{a:1234567890123456789012345678901234567890}}`:      "Item: Attempting to store more than 38 significant digits in a Number",
		`{Item:1}`:                        "the field Item is no Ion struct",
		`{}`:                              "the record has no field Item",
		`{Item:null}`:                     "the field Item is no Ion struct",
		`[1]`:                             "the record is no Ion struct",
		`$ion_symbol_table::{symbols:[]}`: "Ion symbol tables are not supported",
		`{Item:{a:"x}}`:                   "not Ion: the text ends within a value",
		"{Item:{a:\"x\n\"}}":              `not Ion: unexpected '\n' at byte 11`,
		`{Item:{a:1 b:2}}`:                `not Ion: unexpected 'b' at byte 11`,
		`{Item:{a:"\q"}}`:                 "not Ion: bad escape at byte 12",
		"{Item:{a:\"\xff\"}}":             "not Ion: text that is not UTF-8 before byte 12",
		"\xe0\x01\x00\xea":                "not Ion: unexpected 'à' at byte 0",
		`{Item:{a:` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}}`: "Item: Nesting Levels have exceeded supported limits",
		`{Item:{a:` + strings.Repeat("[", 500):                                 "not Ion: unexpected '{' at byte 136",
	} {
		got := all(t, text)
		require.Len(t, got, 1, text)
		assert.Contains(t, got[0], want, text)
	}
	assert.Equal(t, []string{`{"a":{"N":"1"}}`, "the record is no Ion struct", `{"a":{"N":"2"}}`},
		all(t, "{Item:{a:1}} 5 \n\n{Item:{a:2}}"), "after a bad record reading goes on")
}

func TestConditions(t *testing.T) {
	r := ion.NewReader(strings.NewReader(`{Item:{pk:"a"},ConditionExpression:"#a = :v",ExpressionAttributeNames:{'#a':"a"},`+
		`ExpressionAttributeValues:{':v':$dynamodb_SS::["x"],':bad':$dynamodb_SS::[]}}`), 0)
	rec, err := r.Next()
	require.NoError(t, err)
	assert.Equal(t, api.Some("#a = :v"), rec.Condition)
	assert.Equal(t, []api.Name{{Placeholder: "#a", Name: "a"}}, rec.Names)
	require.Len(t, rec.Values, 2)
	assert.Equal(t, `{"SS":["x"]}`, rec.Values[1].Value.String())
	require.Len(t, rec.Bad, 1)
	assert.Equal(t, "ExpressionAttributeValues.:bad", rec.Bad[0].Place)
}

// TestOffsets: a reader that begins where another one stopped has the rest.
func TestOffsets(t *testing.T) {
	text := "$ion_1_0 {Item:{a:1}}\n$ion_1_0 {Item:{a:\"é\"}} bad\n$ion_1_0 {Item:{a:3}}\n"
	r := ion.NewReader(strings.NewReader(text), 0)
	whole := all(t, text)
	require.Len(t, whole, 4)
	for i := range whole {
		require.Equal(t, whole[i:], all(t, text[r.Offset():]))
		_, _ = r.Next()
	}
}

// FuzzRead: what is read is a sound item that reads the same when it is written again, and no input makes
// the reader panic or go on for ever.
func FuzzRead(f *testing.F) {
	f.Add(`$ion_1_0 {Item:{a:103.,b:$dynamodb_SS::["x"],c:{{AAH/}},d:'''x''',e:{'f g':[null,true,-0x1]}},ConditionExpression:"a"}`)
	f.Add(`/* */ {Item:{a:2020-01-01T}} // x`)
	f.Fuzz(func(t *testing.T, text string) {
		r := ion.NewReader(strings.NewReader(text), 0)
		for last := int64(-1); ; last = r.Offset() {
			rec, err := r.Next()
			if _, ok := errors.AsType[*transfer.RecordError](err); err != nil && !ok {
				return
			}
			require.Greater(t, r.Offset(), last)
			if err != nil || len(rec.Bad) > 0 {
				continue
			}
			require.NoError(t, attr.CheckItem(rec.Item))
			it := rec.Item.Clone()
			again, err := ion.NewReader(strings.NewReader(string(ion.AppendItem(nil, it))), 0).Next()
			require.NoError(t, err)
			require.Equal(t, it, again.Item)
		}
	})
}
