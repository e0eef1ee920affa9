package csv_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/transfer"
	"github.com/keystone-db/kstone/engine/transfer/csv"
)

var keys = map[string]attr.Type{"id": attr.N, "bin": attr.B, "pk": attr.S}

func rest(t *testing.T, r *csv.Reader) (out []string) {
	t.Helper()
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

func all(t *testing.T, text string, opts csv.Options) []string {
	t.Helper()
	opts.Types = keys
	return rest(t, csv.NewReader(strings.NewReader(text), 0, nil, opts))
}

func TestText(t *testing.T) {
	text := "\ufeffpk,id,bin,title\r\n" +
		"a,1,AAE=,\"value \"\"123\"\"\"\n" +
		"b,2,,\"two\nlines, and more\"\n\n" +
		"c,x,,t\n" + "d,3,!,t\n" + "e,4\n" + "f,5,,value \"123\"\n" + "g,6,,\xff\n" + "h,1E+126,,\n" + "i,7,,"
	want := []string{
		`{"bin":{"B":"AAE="},"id":{"N":"1"},"pk":{"S":"a"},"title":{"S":"value \"123\""}}`,
		`{"bin":{"B":""},"id":{"N":"2"},"pk":{"S":"b"},"title":{"S":"two\nlines, and more"}}`,
		"Item: The parameter cannot be converted to a numeric value: x",
		"the value of column bin is no base64",
		"the line has 2 columns, the header 4",
		`bare " in non-quoted-field`,
		"the line is not valid UTF-8",
		"Item: Number overflow. Attempting to store a number with magnitude larger than supported range",
		`{"bin":{"B":""},"id":{"N":"7"},"pk":{"S":"i"},"title":{"S":""}}`,
	}
	require.Equal(t, want, all(t, text, csv.Options{}))
	// A reader that begins where another one stopped has the rest.
	opts := csv.Options{Types: keys}
	r := csv.NewReader(strings.NewReader(text), 0, nil, opts)
	for i := range want {
		require.Equal(t, want[i:], rest(t, csv.NewReader(strings.NewReader(text[r.Offset():]), r.Offset(), r.Header(), opts)), i)
		_, _ = r.Next()
	}
	require.Equal(t, int64(len(text)), r.Offset())
}

func TestOptions(t *testing.T) {
	for _, d := range []string{",", ";", ":", "|", "\t", " "} {
		text := "pk" + d + "x\na" + d + "\"1" + d + "\"\n"
		assert.Equal(t, []string{`{"pk":{"S":"a"},"x":{"S":"1` + strings.ReplaceAll(d, "\t", `\t`) + `"}}`}, all(t, text, csv.Options{Delimiter: d}), d)
	}
	assert.Equal(t, []string{`{"pk":{"S":"pk"},"x":{"S":"y"}}`}, all(t, "pk,y\n", csv.Options{Header: []string{"pk", "x"}}))
	require.Error(t, (&csv.Options{Header: []string{"a", "a"}}).Check())
	require.NoError(t, (&csv.Options{Header: []string{"a", "b"}}).Check())
}

// TestHeaders that nothing can be made of end the object.
func TestHeaders(t *testing.T) {
	for text, want := range map[string]string{
		"a,a\n1,2":     "the header names column a twice",
		"a,,b\n1,2,3":  "column 2 of the header has no name",
		"a,\xff\n1,2":  "the line is not valid UTF-8",
		"a,\"b\n1,2\n": `extraneous or missing " in quoted-field`,
		"":             "",
		"a,b":          "",
	} {
		got := all(t, text, csv.Options{})
		if want == "" {
			assert.Empty(t, got, text)
			continue
		}
		assert.Equal(t, []string{want}, got, text)
	}
	require.Equal(t, []string{"a line is longer than 2097152 bytes"}, all(t, "a\n\""+strings.Repeat(strings.Repeat("x", 1<<16)+"\n", 40), csv.Options{}),
		"a quote that nothing ends")
	largest := strings.Repeat(`""`, 400<<10)
	require.NotContains(t, all(t, "a\n\""+largest+"\"\n", csv.Options{})[0], "longer")
	require.Equal(t, []string{"the header is longer than 524288 bytes"}, all(t, strings.Repeat("x", 600<<10)+"\n1\n", csv.Options{}))
}

// FuzzRead: what is read is a sound item, and reading ends.
func FuzzRead(f *testing.F) {
	f.Add("pk,id\na,1\n\"b\"\"\",2\n", "")
	f.Add("x;y\n1;2\r\n", ";")
	f.Fuzz(func(t *testing.T, text, delimiter string) {
		if len(delimiter) != 1 || !strings.Contains(",;:| \t", delimiter) {
			delimiter = ""
		}
		r := csv.NewReader(strings.NewReader(text), 0, nil, csv.Options{Delimiter: delimiter, Types: keys})
		for {
			rec, err := r.Next()
			if _, ok := errors.AsType[*transfer.RecordError](err); err != nil && !ok {
				return
			}
			if err == nil && len(rec.Bad) == 0 {
				require.NoError(t, attr.CheckItem(rec.Item))
			}
		}
	})
}
