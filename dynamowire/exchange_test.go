package dynamowire

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// TestExchanges sends the requests of testdata/exchanges, byte for byte, to a database that each file
// begins anew, and compares status and body. A command is the operation, its input the body. The
// expected texts are those of wire-facts, whose sections the files name. Of CreateTable only the status
// counts here: it makes what the others need.
func TestExchanges(t *testing.T) {
	datadriven.Walk(t, "testdata/exchanges", func(t *testing.T, path string) {
		w := openWire(t)
		defer func() { require.NoError(t, w.db.Close()) }()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			rec := w.must(t, d.Cmd, d.Input)
			if d.Cmd == "CreateTable" {
				return fmt.Sprintln(rec.Code)
			}
			return fmt.Sprintf("%d\n%s\n", rec.Code, rec.Body)
		})
	})
}

// TestExchangeCounts prints, with -v, how many cases testdata/exchanges holds for each operation. Every
// case names an operation that the door knows.
func TestExchangeCounts(t *testing.T) {
	w := openWire(t)
	defer func() { require.NoError(t, w.db.Close()) }()
	cases := map[string]int{}
	datadriven.Walk(t, "testdata/exchanges", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Contains(t, w.h.ops, d.Cmd, d.Pos)
			cases[d.Cmd]++
			return d.Expected
		})
	})
	for _, op := range slices.Sorted(maps.Keys(cases)) {
		t.Logf("%s: %d", op, cases[op])
	}
}
