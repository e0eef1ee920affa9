package dynamowire

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

// TestExchanges sends the requests of testdata/exchanges, byte for byte, to a database that each file
// begins anew, and compares status and body. A command is the operation, its input the body. The
// expected texts are those of wire-facts, whose sections the files name. Of a CreateTable that succeeds
// only the status counts, since it makes what the others need, unless it asks for the answer; other
// commands may ask for the status alone. With times=N a request is sent so often, # being the number, and
// the last answer is shown. With hold the answer is not waited for: the request, a transaction, stops
// where it holds its items. More commands prepare: database opens a new one with options and without
// background work, object puts one into the bucket "bucket", clock moves the time, work does what is due by then, release lets go of what was held
// and shows its answer. A database with other=REGION has a second one there, in which its tables may have
// replicas and which knows it; there sends a request to that one.
func TestExchanges(t *testing.T) {
	datadriven.Walk(t, "testdata/exchanges", func(t *testing.T, path string) {
		e := &exchanges{}
		e.nowNs.Store(wireTime.UnixNano())
		e.open(t)
		defer func() { e.close(t) }()
		datadriven.RunTest(t, path, e.run)
		require.Nil(t, e.stall, "a request is held at the end")
	})
}

// Commands of testdata/exchanges that are no operations.
const (
	commandDatabase = "database"
	commandClock    = "clock"
	commandWork     = "work"
	commandRelease  = "release"
	commandObject   = "object"
)

// exchanges is the state of one file.
type exchanges struct {
	w *wire
	// nowNs is the time, which background work looks at too.
	nowNs atomic.Int64
	store *storagetest.Stalling
	// stall is what holds a request up, held gets its answer.
	stall *storagetest.Stall
	held  chan *httptest.ResponseRecorder
	// buckets is the folder of the buckets.
	buckets string
	// other is the database in another region; nil for none.
	other *wire
	chance
}

func (e *exchanges) open(t *testing.T, set ...func(*engine.Options)) {
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	e.store = &storagetest.Stalling{Store: mem}
	e.buckets = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(e.buckets, "bucket"), 0o700))
	e.w = openWireOn(t, e.store, append(set, func(o *engine.Options) {
		o.Clock = func() time.Time { return time.Unix(0, e.nowNs.Load()) }
		o.Buckets = e.openBucket
	})...)
}

// openBucket finds a bucket. Those of some names are as their names say.
func (e *exchanges) openBucket(ctx context.Context, bucket, owner string) (objects.Store, error) {
	switch bucket {
	case "denied":
		return nil, objects.ErrDenied
	case "large", "changing":
		return oddBucket(bucket), nil
	}
	return objects.Folders(e.buckets)(ctx, bucket, owner)
}

// oddBucket has more objects than an import takes, or one that changes while it is read.
type oddBucket string

func (b oddBucket) List(_ context.Context, _ string, limit int) ([]objects.Info, error) {
	if b == "changing" {
		limit = 1
	}
	return make([]objects.Info, limit), nil
}

func (b oddBucket) Get(context.Context, string, string, int64) (io.ReadCloser, error) {
	return nil, objects.ErrChanged
}

func (b oddBucket) Put(context.Context, string, io.ReadSeeker, objects.PutOptions) (string, error) {
	return "", nil
}

// object puts the input of a command under a key, without the last end of a line.
func (e *exchanges) object(t *testing.T, d *datadriven.TestData) {
	var key string
	d.ScanArgs(t, "key", &key)
	path := filepath.Join(e.buckets, "bucket", key)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(d.Input), 0o600))
}

func (e *exchanges) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case commandDatabase:
		e.close(t)
		e.open(t, databaseOptions(t, d))
		if d.HasArg("other") {
			e.openOther(t, d)
		}
		return ""
	case commandWork:
		for range 2 {
			require.NoError(t, e.w.db.Work(t.Context()))
			if e.other == nil {
				break
			}
			require.NoError(t, e.other.db.Work(t.Context()))
		}
		return ""
	case commandObject:
		e.object(t, d)
		return ""
	case commandClock:
		e.nowNs.Add(int64(durationArg(t, d, "add")))
		return ""
	case commandRelease:
		close(e.stall.Release)
		e.stall = nil
		return e.answer(d, <-e.held)
	}
	request := e.inRequest(spelled(d.Input))
	if d.HasArg("there") {
		return e.answer(d, e.other.must(t, d.Cmd, request))
	}
	if d.HasArg("hold") {
		e.hold(t, d.Cmd, request)
		return "held\n"
	}
	return e.answer(d, e.repeated(t, d, request))
}

func (e *exchanges) close(t *testing.T) {
	require.NoError(t, e.w.db.Close())
	if e.other != nil {
		require.NoError(t, e.other.db.Close())
		e.other = nil
	}
}

// openOther opens the database in the other region, and lets both know each other.
func (e *exchanges) openOther(t *testing.T, d *datadriven.TestData) {
	var region string
	d.ScanArgs(t, "other", &region)
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	e.other = openWireOn(t, mem, databaseOptions(t, d), func(o *engine.Options) {
		o.Region = region
		o.Clock = func() time.Time { return time.Unix(0, e.nowNs.Load()) }
	})
	require.NoError(t, e.w.db.Connect(region, e.other.db))
	require.NoError(t, e.other.db.Connect(engine.DefaultRegion, e.w.db))
}

// repeated sends a request as often as the command says.
func (e *exchanges) repeated(t *testing.T, d *datadriven.TestData, request string) (last *httptest.ResponseRecorder) {
	times := 0
	if d.MaybeScanArgs(t, "times", &times); times == 0 {
		return e.w.must(t, d.Cmd, request)
	}
	for i := range times {
		last = e.w.must(t, d.Cmd, strings.ReplaceAll(request, "#", strconv.Itoa(i+1)))
		require.Equal(t, http.StatusOK, last.Code, last.Body)
	}
	return last
}

// hold sends a transaction that stops where it holds its items.
func (e *exchanges) hold(t *testing.T, op, request string) {
	require.Nil(t, e.stall, "one request is held at a time")
	e.stall, e.held = e.store.StopNext(), make(chan *httptest.ResponseRecorder, 1)
	go func() { e.held <- e.w.send(op, request) }()
	select {
	case <-e.stall.Reached:
	case rec := <-e.held:
		t.Fatalf("not held: %d %s", rec.Code, rec.Body)
	}
}

// answer is how a file shows an answer.
func (e *exchanges) answer(d *datadriven.TestData, rec *httptest.ResponseRecorder) string {
	body := e.inAnswer(rec.Body.Bytes())
	brief := d.Cmd == "CreateTable" && !d.HasArg("answer") || d.HasArg("status")
	if brief && rec.Code == http.StatusOK {
		return fmt.Sprintln(rec.Code)
	}
	if len(body) == 0 {
		body = []byte("(empty)")
	}
	return asWritten(fmt.Sprintf("%d\n%s\n", rec.Code, body), d.Expected)
}

func databaseOptions(t *testing.T, d *datadriven.TestData) func(*engine.Options) {
	return func(o *engine.Options) {
		o.NoBackground, o.StrictLimits, o.Throttle = true, d.HasArg("strict-limits"), d.HasArg("throttle")
		if d.HasArg("table-delay") {
			o.TableDelay = durationArg(t, d, "table-delay")
		}
		d.MaybeScanArgs(t, "collection-bytes", &o.CollectionBytes)
		if d.HasArg("data-streams") {
			o.DataStreams = dataStreams{}
		}
	}
}

// dataStreams has two: "one" is active, "new" is not yet. What is put there is gone.
type dataStreams struct{}

func (dataStreams) Check(_ context.Context, arn string) error {
	switch {
	case strings.HasSuffix(arn, "/one"):
		return nil
	case strings.HasSuffix(arn, "/new"):
		return engine.ErrDataStreamNotActive
	}
	return engine.ErrNoDataStream
}

func (dataStreams) Put(context.Context, string, []engine.DataStreamRecord) error { return nil }

func durationArg(t *testing.T, d *datadriven.TestData, name string) time.Duration {
	var text string
	d.ScanArgs(t, name, &text)
	value, err := time.ParseDuration(text)
	require.NoError(t, err)
	return value
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
			case commandDatabase, commandClock, commandWork, commandRelease, commandObject:
				return d.Expected
			}
			require.Contains(t, operations(), d.Cmd, d.Pos)
			cases[d.Cmd]++
			return d.Expected
		})
	})
	for _, op := range slices.Sorted(maps.Keys(cases)) {
		t.Logf("%s: %d", op, cases[op])
	}
}
