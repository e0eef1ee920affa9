package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/keystone-db/kstone/partiql"
)

func TestSplitStatements(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []statement
	}{
		{"", nil},
		{" ;; \n; -- nothing\n; /* nothing; */", nil},
		{"SELECT 1", []statement{{"SELECT 1", 1}}},
		{"a;b", []statement{{"a", 1}, {"b", 1}}},
		{"\n\na\nb;\n c ;\n", []statement{{"a\nb", 3}, {"c", 5}}},
		{`a 'x;''y;' b; "c;""d;"`, []statement{{`a 'x;''y;' b`, 1}, {`"c;""d;"`, 1}}},
		{"a -- x; 'y\nb; c /* ; ' \" */ d", []statement{{"a -- x; 'y\nb", 1}, {"c /* ; ' \" */ d", 2}}},
		{"a 'no end; b", []statement{{"a 'no end; b", 1}}},
		{"a /* no end; b", []statement{{"a /* no end; b", 1}}},
		{"a -- no end; b", []statement{{"a -- no end; b", 1}}},
		{"'';x", []statement{{"''", 1}, {"x", 1}}},
		{"'", []statement{{"'", 1}}},
		{"/*/;*/;x", []statement{{"x", 1}}},
		{"é;ü", []statement{{"é", 1}, {"ü", 1}}},
	} {
		t.Run(tt.in, func(t *testing.T) { assert.Equal(t, tt.want, splitStatements(tt.in)) })
	}
}

func TestIsRead(t *testing.T) {
	for _, text := range []string{"SELECT * FROM t", "select*from t", " /* a */ -- b\n Select 1", "explain SELECT"} {
		assert.True(t, isRead(text), text)
	}
	for _, text := range []string{"INSERT INTO t", "update t", "DELETE FROM t", "SELECTED", "", "(SELECT", "/* SELECT */ DELETE", "-- SELECT"} {
		assert.False(t, isRead(text), text)
	}
}

// FuzzStatements pins that `kstone query` cannot write: no text that the parser takes for a write
// counts as a read, and every read counts as one. What is split is one statement each.
func FuzzStatements(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM t;DELETE FROM t WHERE pk='a;b'", "-- SELECT\nINSERT INTO t VALUE {'a':1}", "/**/UPDATE\"t\" SET a=1 WHERE b=2",
		"EXPLAIN SELECT a FROM t", "EXPLAIN DELETE FROM t WHERE pk=1", "\x00SELECT", "\fDELETE FROM t WHERE a=1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		for _, st := range splitStatements(script) {
			again := splitStatements(st.text)
			assert.Equal(t, []statement{{text: st.text, line: 1}}, again, script)
			p, err := partiql.Parse(st.text)
			if err != nil {
				continue
			}
			_, selects := p.Statement.(*partiql.Select)
			assert.Equal(t, selects || p.Explain, isRead(st.text), st.text)
		}
	})
}
