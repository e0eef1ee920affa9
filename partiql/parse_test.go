package partiql

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// structure prints a tree without positions.
func structure(n any) string {
	var b strings.Builder
	writeStructure(&b, reflect.ValueOf(n))
	return b.String()
}

func writeStructure(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("-")
			return
		}
		writeStructure(b, v.Elem())
	case reflect.Struct:
		b.WriteString(v.Type().Name() + "(")
		sep := ""
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "At" || name == "src" {
				continue
			}
			b.WriteString(sep)
			writeStructure(b, v.Field(i))
			sep = " "
		}
		b.WriteString(")")
	case reflect.Slice:
		if value, ok := v.Interface().(attr.Value); ok {
			b.WriteString(valueText(value))
			return
		}
		b.WriteString("[")
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(" ")
			}
			writeStructure(b, v.Index(i))
		}
		b.WriteString("]")
	default:
		fmt.Fprintf(b, "%#v", v.Interface())
	}
}

func valueText(v attr.Value) string {
	if v.Type() == attr.N {
		return "N:" + string(number.AppendText(nil, v.Payload()))
	}
	return fmt.Sprintf("%s:%q", v.Type(), v.Payload())
}

// sameAgain requires that a printed statement parses into an equal tree.
func sameAgain(t *testing.T, p *Prepared) {
	t.Helper()
	printed := p.String()
	again, err := Parse(printed)
	require.NoError(t, err, printed)
	require.Equal(t, structure(p), structure(again), printed)
	require.Equal(t, printed, again.String())
}

// TestParse pins trees, by the text that they print.
func TestParse(t *testing.T) {
	datadriven.RunTest(t, "testdata/parse", func(t *testing.T, d *datadriven.TestData) string {
		p, err := Parse(d.Input)
		if err != nil {
			return describe(err) + "\n"
		}
		sameAgain(t, p)
		if d.Cmd == "tree" {
			return p.String() + "\n" + structure(p) + "\n"
		}
		return p.String() + "\n"
	})
}

// describe prints an error with its place.
func describe(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Pos < 0 {
		return e.Msg
	}
	return fmt.Sprintf("%d:%d:%d: %s", e.Line, e.Column, e.Len, e.Msg)
}

var fuzzSeeds = []string{
	`SELECT * FROM "Music" WHERE "Artist" = ? AND (a.b[0] > 3 OR NOT contains(c, 'x''y')) ORDER BY "SongTitle" DESC`,
	`SELECT a, b['c d'].e[1] FROM t.i WHERE pk IN [1, -2.5e3, ?] AND x BETWEEN 1 AND 2 AND y IS NOT MISSING`,
	`INSERT INTO t VALUE {'pk': 'a', 'l': [1, {'x': NULL}], 's': <<'a', 'b'>>, 't': TRUE, 'p': ?}`,
	`UPDATE t SET a = a + 1, b = list_append(b, [?]) SET c = set_add(c, <<1>>) REMOVE d[0] WHERE pk = 'x' RETURNING ALL NEW *`,
	`FROM t WHERE pk = 1 REMOVE x RETURNING MODIFIED OLD *`,
	`DELETE FROM t WHERE pk = 1 AND size(a) <> 3 OR a NOT IN (1) RETURNING ALL OLD *`,
	`EXISTS(SELECT * FROM t WHERE pk = ?);`,
	`EXPLAIN SELECT * FROM t -- all of it`,
	`SELECT * FROM t LIMIT 5`,
	`INSERT INTO t VALUE {'a': ((1))} /* x`,
	`UPDATE t SET a = (b - (c + 1)) - 2 WHERE ((a)) = (1)`,
	"SELECT \"\x00é\" FROM \"a\"\"b\" WHERE a = '''' AND b IS STRING",
}

// FuzzParse: no statement makes the parser panic, and what it prints parses into the same tree.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, e.Pos+e.Len, len(text))
			return
		}
		sameAgain(t, p)
	})
}

// TestDepth holds the bound of nesting for each thing that nests.
func TestDepth(t *testing.T) {
	for _, s := range []string{
		"SELECT * FROM t WHERE " + strings.Repeat("(", 3000) + "a=1" + strings.Repeat(")", 3000),
		"SELECT * FROM t WHERE " + strings.Repeat("NOT ", 2000) + "a=1",
		"INSERT INTO t VALUE " + strings.Repeat("[", 4000),
		"INSERT INTO t VALUE " + strings.Repeat("<<", 4000),
		"INSERT INTO t VALUE " + strings.Repeat("{'a':", 1600),
		"SELECT * FROM t WHERE " + strings.Repeat("size(", 1600),
		"UPDATE t SET a = " + strings.Repeat("(", 4000) + "1",
	} {
		_, err := Parse(s)
		require.ErrorContains(t, err, msgDetailDepth, s[:40])
	}
	_, err := Parse("SELECT * FROM t WHERE " + strings.Repeat("(", depthMax) + "a=1" + strings.Repeat(")", depthMax))
	require.NoError(t, err)
}
