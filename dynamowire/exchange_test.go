package dynamowire

import (
	"fmt"
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
