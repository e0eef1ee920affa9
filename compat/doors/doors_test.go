package doors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/awslocal"
	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// answer is what a door answered, as what its JSON decodes to. Errors have a code.
type answer struct {
	body          any
	code, message string
	details       map[string]any
}

// String is the answer as testdata has it: members sorted, one member of the top a line.
func (a answer) String() string {
	if a.code != "" {
		var text strings.Builder
		text.WriteString(a.code + ": " + a.message)
		for _, name := range sortedNames(a.details) {
			text.WriteString("\n" + name + " " + oneLine(a.details[name]))
		}
		return strings.TrimSuffix(text.String(), ": ")
	}
	members, _ := a.body.(map[string]any)
	if len(members) == 0 {
		return "ok"
	}
	var lines []string
	for _, name := range sortedNames(members) {
		if list, ok := members[name].([]any); ok && len(list) > 0 {
			lines = append(lines, name)
			for _, v := range list {
				lines = append(lines, "  "+oneLine(v))
			}
			continue
		}
		lines = append(lines, name+" "+oneLine(members[name]))
	}
	return strings.Join(lines, "\n")
}

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// oneLine is a value as JSON with sorted members.
func oneLine(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// decodeJSON decodes with numbers as they are written.
func decodeJSON(t *testing.T, body []byte) any {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v), "%s", body)
	return v
}

// door is one way into a database.
type door interface {
	call(ctx context.Context, t *testing.T, operation string, body []byte) answer
}

// serviceDoor calls an api.Service with structs that it makes of the JSON.
type serviceDoor struct{ svc api.Service }

func (d serviceDoor) call(ctx context.Context, t *testing.T, operation string, body []byte) answer {
	out, err := dynamowire.Call(ctx, d.svc, operation, body)
	return d.answer(t, out, err)
}

// answer is the JSON of an answer, or an error.
func (serviceDoor) answer(t *testing.T, out []byte, err error) answer {
	if err != nil {
		return failure(t, err)
	}
	var v any
	if len(out) > 0 {
		require.NoError(t, json.Unmarshal(out, &v))
	}
	return answer{body: v}
}

// failure is an error of the contract as the test compares it.
func failure(t *testing.T, err error) answer {
	var e *api.Error
	require.ErrorAs(t, err, &e)
	a := answer{code: string(e.Code), message: e.Message, details: map[string]any{}}
	var shown map[string]any
	require.NoError(t, json.Unmarshal(codec.AppendError(nil, e), &shown))
	for _, name := range []string{"Item", "CancellationReasons", "ThrottlingReasons"} {
		if v, ok := shown[name]; ok {
			a.details[name] = v
		}
	}
	return a
}

// world is one database with its clock; the doors differ in nothing else.
type world struct {
	db  *engine.DB
	now atomic.Int64
}

// worldStart is when every database begins, in milliseconds.
const worldStart = 1_700_000_000_000

// worldObject is in every world's bucket, under in/.
const worldObject = `{"Item":{"id":{"S":"a"},"n":{"N":"1"}}}` + "\n" + `{"Item":{"id":{"N":"2"}}}` + "\n"

// anyStream takes all records.
type anyStream struct{}

func (anyStream) Check(context.Context, string) error { return nil }

func (anyStream) Put(context.Context, string, []engine.DataStreamRecord) error { return nil }

func newWorld(t *testing.T) *world {
	w := new(world)
	w.now.Store(worldStart)
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "bucket", "in"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "bucket", "in", "items"), []byte(worldObject), 0o600))
	db, err := engine.OpenInMemory(engine.Options{
		Clock: func() time.Time { return time.UnixMilli(w.now.Load()) }, NoBackground: true,
		Rand: rand.NewChaCha8([32]byte{1}), Buckets: objects.Folders(root), DataStreams: anyStream{},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w.db = db
	return w
}

// named is a door with its name and the database behind it.
type named struct {
	door
	*world
	name string
}

// openDoors opens a database behind each door.
func openDoors(t *testing.T) []named {
	embedded, http, grpc := newWorld(t), newWorld(t), newWorld(t)
	return []named{
		{serviceDoor{embedded.db}, embedded, "embedded"},
		{openSDK(t, http.db), http, "the AWS SDK"},
		{openGRPC(t, grpc.db), grpc, "gRPC"},
	}
}

func openSDK(t *testing.T, db *engine.DB) door {
	server, err := awslocal.NewServer(db)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	config := aws.Config{
		Region: engine.DefaultRegion, BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}
	return sdkDoor{
		dynamodb.NewFromConfig(config, dynamodb.WithAPIOptions(unvalidated)),
		dynamodbstreams.NewFromConfig(config, dynamodbstreams.WithAPIOptions(unvalidated)),
	}
}

func openGRPC(t *testing.T, db *engine.DB) door {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpcapi.NewServer(db, grpcapi.Options{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	c, err := client.Dial(l.Addr().String(), client.Options{Tries: 1})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		server.Stop()
		require.NoError(t, <-served)
	})
	return grpcDoor{serviceDoor{c.Service()}, c}
}

// grpcDoor makes typed calls, and sends as JSON what structs cannot say.
type grpcDoor struct {
	serviceDoor
	client *client.Client
}

// raw sends a JSON as it is.
func (d grpcDoor) raw(ctx context.Context, t *testing.T, operation string, body []byte) answer {
	out, err := d.client.Call(ctx, operation, body)
	return d.answer(t, out, err)
}

// TestDoors runs the scripts of testdata. Their commands:
//
//	OPERATION      a JSON of the request follows, and all doors must answer the same. A line that
//	               begins with "partiql:" says the same as a statement: run on a database that has
//	               only seen statements (and the operations that PartiQL lacks), it must read the
//	               same items or fail with the same code. A line "code:" names the code of the
//	               statement where it is another one.
//	               With the argument "json" the request goes over gRPC as JSON: its values or lists are
//	               none that a struct or a message can hold.
//	clock ADVANCE  moves the time of all databases
func TestDoors(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		doors := openDoors(t)
		statements := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "clock" {
				step, err := time.ParseDuration(d.CmdArgs[0].Key)
				require.NoError(t, err)
				for _, w := range append([]named{{world: statements}}, doors...) {
					w.now.Add(step.Milliseconds())
					require.NoError(t, w.db.Work(t.Context()))
				}
				return ""
			}
			body, said := split(d.Input)
			first := doors[0].call(t.Context(), t, d.Cmd, body)
			for _, other := range doors[1:] {
				call := other.call
				if grpc, ok := other.door.(grpcDoor); ok && d.HasArg("json") {
					call = grpc.raw
				}
				got := call(t.Context(), t, d.Cmd, body)
				assert.Equal(t, first.String(), got.String(), "%s: %s answers otherwise than the embedded API", d.Pos, other.name)
			}
			said.want = first
			said.run(t, statements, d.Cmd, body, d.Pos)
			return first.String() + "\n"
		})
	})
}

// statement is what PartiQL says in the stead of an operation.
type statement struct {
	text, code string
	want       answer
}

// split cuts what a command says into the JSON and the statement.
func split(input string) (body []byte, said statement) {
	for line := range strings.Lines(input) {
		if text, ok := strings.CutPrefix(line, "partiql:"); ok {
			said.text = strings.TrimSpace(text)
		} else if code, ok := strings.CutPrefix(line, "code:"); ok {
			said.code = strings.TrimSpace(code)
		} else {
			body = append(body, line...)
		}
	}
	return body, said
}

// run runs the statement, or else the operation, on the database of statements.
func (s statement) run(t *testing.T, w *world, operation string, body []byte, pos string) {
	door := serviceDoor{w.db}
	if s.text == "" {
		door.call(t.Context(), t, operation, body)
		return
	}
	got := door.call(t.Context(), t, "ExecuteStatement", fmt.Appendf(nil, `{"Statement":%s}`, oneLine(s.text)))
	want := s.want.code
	if s.code != "" {
		want = s.code
	}
	if !assert.Equal(t, want, got.code, "%s: %s", pos, got.message) || got.code != "" {
		return
	}
	assert.Equal(t, itemsOf(s.want), itemsOf(got), "%s: PartiQL reads otherwise", pos)
}

// itemsOf are the items of an answer, one a line.
func itemsOf(a answer) []string {
	members, _ := a.body.(map[string]any)
	lines := []string{}
	for _, name := range []string{"Item", "Attributes"} {
		if v, ok := members[name]; ok {
			lines = append(lines, oneLine(v))
		}
	}
	items, _ := members["Items"].([]any)
	for _, v := range items {
		lines = append(lines, oneLine(v))
	}
	return lines
}

// TestEveryOperation: what an operation answers to a request without members is the same at all doors,
// for all operations there are.
func TestEveryOperation(t *testing.T) {
	doors := openDoors(t)
	for _, op := range api.Operations() {
		t.Run(op.Name, func(t *testing.T) {
			first := doors[0].call(t.Context(), t, op.Name, []byte(`{}`))
			for _, other := range doors[1:] {
				assert.Equal(t, first.String(), other.call(t.Context(), t, op.Name, []byte(`{}`)).String(), other.name)
			}
		})
	}
}

// TestScriptsSayMuch: the scripts have every operation of the data plane and of tables that is built.
func TestScriptsSayMuch(t *testing.T) {
	said := map[string]bool{}
	paths, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	for _, path := range paths {
		datadriven.RunTestAny(t, path, func(_ testing.TB, d *datadriven.TestData) string {
			said[d.Cmd] = true
			return d.Expected
		})
	}
	for _, name := range []string{
		"BatchExecuteStatement", "BatchGetItem", "BatchWriteItem", "CreateTable", "DeleteItem", "DeleteTable",
		"CancelBulkOperation", "DescribeBulkOperation", "DescribeExport", "DescribeImport",
		"DescribeKinesisStreamingDestination", "DescribeLimits", "DescribeStream", "DescribeTable", "DescribeTimeToLive",
		"DisableKinesisStreamingDestination", "EnableKinesisStreamingDestination", "ExecuteStatement",
		"ExecuteTransaction", "ExportTableToPointInTime", "GetItem", "ImportTable", "ListBulkOperations", "ListExports",
		"ListImports", "ListStreams", "ListTables", "PutItem", "Query", "StartBulkPutItems", "UpdateKinesisStreamingDestination",
		"Scan", "SearchVectors", "TagResource", "TransactGetItems", "TransactWriteItems", "UpdateItem", "UpdateTable",
		"UpdateTimeToLive",
	} {
		assert.True(t, said[name], name)
	}
}
