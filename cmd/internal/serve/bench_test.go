package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
)

// Sizes of the workloads. Each connection has keys of its own, so that transactions never meet.
const (
	benchConns      = 8
	benchItems      = 10_000  // read by GetItem, BatchGetItem, Scan and SELECT
	benchWritten    = 100_000 // keys that writes choose from
	benchCounters   = 1_000
	benchPartitions = 100
	benchPage       = 20 // items of a partition
	benchRecords    = 100
	benchBatch      = 25
	benchReadBuffer = 64 << 10
)

// Marks in the text of a request for what differs each time it is sent.
const (
	keySlot  = "~~~~~~~~~~~~"     // digits of a key
	randSlot = "^^^^^^^^^^^^^^^^" // hex digits of a random number
)

const benchKey = `{"pk":{"S":"key-` + keySlot + `"}}`

// benchSelect asks for one item by PartiQL.
const benchSelect = `{"Statement":"SELECT * FROM \"items\" WHERE pk = ?","Parameters":[{"S":"key-` + keySlot + `"}]}`

// benchItem is an item of about 400 bytes. more are members to put before the others.
func benchItem(more string) string {
	return `{"pk":{"S":"key-` + keySlot + `"},` + more + `"mail":{"S":"jane.roe+orders@shop.example"},` +
		`"name":{"S":"Jürgen Müller-Lüdenscheidt"},"visits":{"N":"1207"},"balance":{"N":"-48.25"},` +
		`"member":{"BOOL":true},"since":{"S":"2024-11-05T17:20:00Z"},"roles":{"SS":["author","editor"]},` +
		`"place":{"M":{"town":{"S":"Trondheim"},"code":{"S":"7010"},"door":{"N":"12"}}},` +
		`"visit":{"S":"` + randSlot + `"},"notes":{"S":"` + strings.Repeat("what people wrote, ", 9) + `"}}`
}

// benchPuts is the list of n puts of a batch, each with the members that more gives.
func benchPuts(n int, more func(i int) string) string {
	puts := make([]string, n)
	for i := range puts {
		puts[i] = `{"PutRequest":{"Item":` + benchItem(more(i)) + `}}`
	}
	return `[` + strings.Join(puts, ",") + `]`
}

func noMore(int) string { return "" }

// benchOp is one workload.
type benchOp struct {
	name, operation, body string
	keys                  int    // to choose from
	want                  string // in the first answer: a workload that finds nothing measures nothing
}

// benchOps lists the workloads that need nothing but the tables of loadBench.
func benchOps() []benchOp {
	get := `{"RequestItems":{"items":{"Keys":[` + strings.Repeat(benchKey+",", 99) + benchKey + `]}}}`
	return []benchOp{
		{"GetItem", "GetItem", `{"TableName":"items","Key":` + benchKey + `}`, benchItems, `"Trondheim"`},
		{"PutItem", "PutItem", `{"TableName":"written","Item":` + benchItem("") + `}`, benchWritten, `{}`},
		{"UpdateItem", "UpdateItem", `{"TableName":"counters","Key":` + benchKey + `,"UpdateExpression":"ADD hits :one",` +
			`"ExpressionAttributeValues":{":one":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}`, benchCounters, `"hits"`},
		{"Query20", "Query", `{"TableName":"pages","KeyConditionExpression":"pk = :pk",` +
			`"ExpressionAttributeValues":{":pk":{"S":"key-` + keySlot + `"}}}`, benchPartitions, `"Count":20`},
		{"BatchGet100", "BatchGetItem", get, benchItems, `"UnprocessedKeys":{}`},
		{"BatchWrite25", "BatchWriteItem", `{"RequestItems":{"written":` + benchPuts(benchBatch, noMore) + `}}`,
			benchWritten, `"UnprocessedItems":{}`},
		{"Scan1MB", "Scan", `{"TableName":"items"}`, 1, `"LastEvaluatedKey"`},
		{"TransactWrite4", "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"written","Item":` + benchItem("") +
			`}},{"Put":{"TableName":"written","Item":` + benchItem("") + `}},{"Update":{"TableName":"counters","Key":` + benchKey +
			`,"UpdateExpression":"ADD hits :one","ExpressionAttributeValues":{":one":{"N":"1"}}}},` +
			`{"ConditionCheck":{"TableName":"pages","Key":{"pk":{"S":"no-` + keySlot + `"},"sk":{"S":"none"}},` +
			`"ConditionExpression":"attribute_not_exists(pk)"}}],"ClientRequestToken":"` + randSlot + randSlot + `"}`,
			benchWritten, `{}`},
		{"Select", "ExecuteStatement", benchSelect, benchItems, `"Trondheim"`},
	}
}

// BenchmarkServe is the whole server as a client meets it: HTTP over TCP, eight connections. The
// client does as little as it can, so that a profile of the process is
// one of the server. Sync is off the path of requests, for the same reason.
func BenchmarkServe(b *testing.B) {
	b.Run("Memory", func(b *testing.B) {
		c := Defaults()
		c.InMemory = true
		addr, _ := startBench(b, c)
		runBench(b, addr, loadBench(b, addr))
	})
	b.Run("File", func(b *testing.B) {
		c := Defaults()
		c.Path, c.Sync = filepath.Join(b.TempDir(), "bench.keystone"), engine.SyncInterval
		addr, stop := startBench(b, c)
		records := loadBench(b, addr)
		stop() // moves what was loaded from memory to where reads find most data of a file
		addr, _ = startBench(b, c)
		runBench(b, addr, records)
	})
}

// startBench starts a server the way the command does. It is stopped by what it returns, or at the end.
func startBench(b *testing.B, c Config) (addr string, stop func()) {
	b.Helper()
	c.Host, c.Port, c.PortFile = "127.0.0.1", 0, filepath.Join(b.TempDir(), "port")
	c.GRPCPort.Off, c.LogLevel = true, zerolog.Disabled
	ctx, cancel := context.WithCancel(b.Context())
	said, ended := firstWrite{make(chan struct{})}, make(chan error, 1)
	go func() { ended <- Run(ctx, c, &said, io.Discard) }()
	select {
	case <-said.done:
	case err := <-ended:
		b.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(b, <-ended)
	})
	b.Cleanup(stop)
	port, err := os.ReadFile(c.PortFile)
	require.NoError(b, err)
	return net.JoinHostPort(c.Host, strings.TrimSpace(string(port))), stop
}

// firstWrite tells when the server says that it listens, which it does in one write.
type firstWrite struct{ done chan struct{} }

func (w *firstWrite) Write(p []byte) (int, error) {
	close(w.done)
	return len(p), nil
}

// loadBench makes the tables, fills them, and returns the workload that reads the stream of one.
func loadBench(b *testing.B, addr string) benchOp {
	b.Helper()
	create := func(name, sk, more string) []byte {
		attributes, keys := `{"AttributeName":"pk","AttributeType":"S"}`, `{"AttributeName":"pk","KeyType":"HASH"}`
		if sk != "" {
			attributes += `,{"AttributeName":"` + sk + `","AttributeType":"S"}`
			keys += `,{"AttributeName":"` + sk + `","KeyType":"RANGE"}`
		}
		return ask(b, addr, "CreateTable", `{"TableName":"`+name+`","BillingMode":"PAY_PER_REQUEST"`+more+
			`,"AttributeDefinitions":[`+attributes+`],"KeySchema":[`+keys+`]}`)
	}
	create("items", "", "")
	create("written", "", "")
	create("counters", "", "")
	create("pages", "sk", "")
	stream := create("changes", "", `,"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}`)

	items := dialBench(b, addr, benchOp{operation: "BatchWriteItem", body: `{"RequestItems":{"items":` + benchPuts(benchBatch, noMore) + `}}`})
	for at := uint64(0); at < benchItems; at += benchBatch {
		items.send(b, at, 1)
	}
	changes := dialBench(b, addr, benchOp{operation: "PutItem", body: `{"TableName":"changes","Item":` + benchItem("") + `}`})
	for k := range uint64(benchRecords) {
		changes.send(b, k, 1)
	}
	pages := dialBench(b, addr, benchOp{operation: "BatchWriteItem", body: `{"RequestItems":{"pages":` +
		benchPuts(benchPage, func(i int) string { return fmt.Sprintf(`"sk":{"S":"%04d"},`, i) }) + `}}`})
	for p := range uint64(benchPartitions) {
		pages.send(b, p, 0)
	}
	return recordsOp(b, addr, stream)
}

// recordsOp reads the same page of the stream again and again. created is the answer to CreateTable.
func recordsOp(b *testing.B, addr string, created []byte) benchOp {
	b.Helper()
	var table struct {
		TableDescription struct{ LatestStreamArn string }
	}
	require.NoError(b, json.Unmarshal(created, &table))
	arn := table.TableDescription.LatestStreamArn
	var stream struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	require.NoError(b, json.Unmarshal(ask(b, addr, "DescribeStream", `{"StreamArn":"`+arn+`"}`), &stream))
	require.Len(b, stream.StreamDescription.Shards, 1)
	var place struct{ ShardIterator string }
	require.NoError(b, json.Unmarshal(ask(b, addr, "GetShardIterator", `{"StreamArn":"`+arn+`","ShardId":"`+
		stream.StreamDescription.Shards[0].ShardId+`","ShardIteratorType":"TRIM_HORIZON"}`), &place))
	return benchOp{"GetRecords", "GetRecords", `{"ShardIterator":"` + place.ShardIterator + `"}`, 1, `"NewImage"`}
}

func runBench(b *testing.B, addr string, records benchOp) {
	b.Helper()
	for _, op := range append(benchOps(), records) {
		b.Run(op.name, func(b *testing.B) {
			clients := make([]*benchClient, benchConns)
			for i := range clients {
				clients[i] = dialBench(b, addr, op)
			}
			require.Contains(b, string(clients[0].send(b, 0, 1)), op.want)
			var sent atomic.Int64
			var group sync.WaitGroup
			b.ResetTimer()
			for i, c := range clients {
				group.Go(func() {
					for sent.Add(1) <= int64(b.N) {
						c.fillOwn(uint64(i), uint64(op.keys))
						if err := c.roundTrip(false); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// ask sends a request once.
func ask(b *testing.B, addr, operation, body string) []byte {
	b.Helper()
	c := dialBench(b, addr, benchOp{operation: operation, body: body})
	return c.send(b, 0, 0)
}

// benchClient is a connection with one request, made beforehand, whose slots are filled for each
// sending. net/http's client costs as much as the server.
type benchClient struct {
	conn        net.Conn
	in          *bufio.Reader
	request     []byte
	keys, rands []int // offsets of slots
	random      *rand.Rand
	answer      []byte
}

func dialBench(b *testing.B, addr string, op benchOp) *benchClient {
	b.Helper()
	conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", addr)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, conn.Close()) })
	request := benchRequest(addr, op.operation, op.body)
	seed := rand.NewPCG(rand.Uint64(), rand.Uint64()) // no client may send the tokens of another
	return &benchClient{
		conn: conn, in: bufio.NewReaderSize(conn, benchReadBuffer), request: request,
		keys: slots(request, keySlot), rands: slots(request, randSlot), random: rand.New(seed),
	}
}

// benchRequest has the headers of the SDKs, so that the server parses as many as it does in use.
func benchRequest(addr, operation, body string) []byte {
	api := "DynamoDB_20120810."
	switch operation {
	case "DescribeStream", "GetShardIterator", "GetRecords":
		api = "DynamoDBStreams_20120810."
	}
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: %s\r\n"+
		"User-Agent: aws-sdk-go-v2/1.41.0 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/dynamodb\r\n"+
		"Content-Length: %d\r\nAccept-Encoding: identity\r\n"+
		"Amz-Sdk-Invocation-Id: 11b51a0e-8a7a-4b3c-9d0e-5b7b2f7f8f10\r\nAmz-Sdk-Request: attempt=1; max=3\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=LOCAL/20260102/us-east-1/dynamodb/aws4_request, "+
		"SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-target, Signature=%064d\r\n"+
		"Content-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20260102T030405Z\r\nX-Amz-Target: %s%s\r\n\r\n%s",
		addr, len(body), 0, api, operation, body)
}

// slots returns where the mark stands.
func slots(request []byte, mark string) []int {
	var at []int
	for from := 0; ; from += len(mark) {
		i := bytes.Index(request[from:], []byte(mark))
		if i < 0 {
			return at
		}
		from += i
		at = append(at, from)
	}
}

// fill writes the keys first, first+step and so on, and new random numbers.
func (c *benchClient) fill(first, step uint64) {
	for _, at := range c.keys {
		k := first
		for i := len(keySlot) - 1; i >= 0; i-- {
			c.request[at+i] = '0' + byte(k%10)
			k /= 10
		}
		first += step
	}
	for _, at := range c.rands {
		var n [len(randSlot) / 2]byte
		binary.BigEndian.PutUint64(n[:], c.random.Uint64())
		hex.Encode(c.request[at:], n[:])
	}
}

// fillOwn chooses keys at random out of those that are id modulo benchConns, all different.
func (c *benchClient) fillOwn(id, keys uint64) {
	own, n := max(1, keys/benchConns), max(1, uint64(len(c.keys)))
	stride := own / n
	c.fill(id+benchConns*c.random.Uint64N(max(1, own-stride*(n-1))), benchConns*stride)
}

// send fills and sends a request outside the measured time, and returns the body of the answer.
func (c *benchClient) send(b *testing.B, first, step uint64) []byte {
	b.Helper()
	c.fill(first, step)
	require.NoError(b, c.roundTrip(true))
	return c.answer
}

var lengthHeader = []byte("Content-Length: ")

// roundTrip sends the request and takes the answer off the connection; keep leaves it in c.answer.
// An answer other than 200 is an error.
func (c *benchClient) roundTrip(keep bool) error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	good, length := bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")), -1
	for len(line) > len("\r\n") {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return err
		}
		if text, ok := bytes.CutPrefix(line, lengthHeader); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without Content-Length")
	}
	if good && !keep {
		_, err = c.in.Discard(length)
		return err
	}
	c.answer = make([]byte, length)
	if _, err = io.ReadFull(c.in, c.answer); err != nil {
		return err
	}
	if !good {
		return fmt.Errorf("not status 200: %s", c.answer)
	}
	return nil
}
