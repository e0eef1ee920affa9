package dynamowire

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
)

// TestExchanges sends the requests of testdata/exchanges, byte for byte, to a database that each file
// begins anew, and compares status and body. A command is the operation, its input the body. The
// expected texts are those of wire-facts, whose sections the files name. Of a CreateTable that succeeds
// only the status counts, since it makes what the others need, unless it asks for the answer; other
// commands may ask for the status alone. Three more commands prepare: database opens a new one with
// options and without background work, clock moves the time, work does what is due by then.
func TestExchanges(t *testing.T) {
	datadriven.Walk(t, "testdata/exchanges", func(t *testing.T, path string) {
		e := &exchanges{now: wireTime}
		e.open(t)
		defer func() { require.NoError(t, e.w.db.Close()) }()
		datadriven.RunTest(t, path, e.run)
	})
}

// Commands of testdata/exchanges that are no operations.
const (
	commandDatabase = "database"
	commandClock    = "clock"
	commandWork     = "work"
)

// exchanges is the state of one file.
type exchanges struct {
	w   *wire
	now time.Time
}

func (e *exchanges) open(t *testing.T, set ...func(*engine.Options)) {
	e.w = openWire(t, append(set, func(o *engine.Options) {
		o.Clock = func() time.Time { return e.now }
	})...)
}

func (e *exchanges) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case commandDatabase:
		var delay string
		d.ScanArgs(t, "table-delay", &delay)
		require.NoError(t, e.w.db.Close())
		e.open(t, func(o *engine.Options) {
			o.TableDelay, o.NoBackground, o.StrictLimits = duration(t, delay), true, d.HasArg("strict-limits")
		})
		return ""
	case commandWork:
		require.NoError(t, e.w.db.Work(t.Context()))
		return ""
	case commandClock:
		var add string
		d.ScanArgs(t, "add", &add)
		e.now = e.now.Add(duration(t, add))
		return ""
	}
	rec := e.w.must(t, d.Cmd, spelled(d.Input))
	brief := d.Cmd == "CreateTable" && !d.HasArg("answer") || d.HasArg("status")
	if brief && rec.Code == http.StatusOK {
		return fmt.Sprintln(rec.Code)
	}
	if rec.Body.Len() == 0 {
		return fmt.Sprintf("%d\n(empty)\n", rec.Code)
	}
	answer := fmt.Sprintf("%d\n%s\n", rec.Code, tableID.ReplaceAll(rec.Body.Bytes(), []byte(`"TableId":"UUID"`)))
	return asWritten(answer, d.Expected)
}

// tableID is a version 4 UUID: of it only the form is known.
var tableID = regexp.MustCompile(`"TableId":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`)

func duration(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

// TestExchangeCounts prints, with -v, how many cases testdata/exchanges holds for each operation. Every
// case names an operation that the door knows.
func TestExchangeCounts(t *testing.T) {
	w := openWire(t)
	defer func() { require.NoError(t, w.db.Close()) }()
	cases := map[string]int{}
	datadriven.Walk(t, "testdata/exchanges", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case commandDatabase, commandClock, commandWork:
				return d.Expected
			}
			require.Contains(t, w.h.ops, d.Cmd, d.Pos)
			cases[d.Cmd]++
			return d.Expected
		})
	})
	for _, op := range slices.Sorted(maps.Keys(cases)) {
		t.Logf("%s: %d", op, cases[op])
	}
}
