package datastreams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
)

const arn = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"

// fake answers as Kinesis does. reject says which records fail, by number since the beginning. Tests change and read it
// by do alone.
type fake struct {
	t        *testing.T
	mu       sync.Mutex
	status   string
	reject   func(n int) bool
	refuse   func(n int) int // the status of a request; 0 takes it
	bad      string          // a request with such data is refused
	got      []putRecord
	seen     int
	requests int
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/kinesis/aws4_request") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	f.requests++
	if f.refuse != nil {
		if status := f.refuse(f.requests); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	var in putIn
	if json.Unmarshal(body, &in) != nil || in.StreamName != "orders" || in.StreamARN != arn {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ResourceNotFoundException","message":"Stream x not found"}`))
		return
	}
	switch r.Header.Get("X-Amz-Target") {
	case "Kinesis_20131202.DescribeStreamSummary":
		_, _ = fmt.Fprintf(w, `{"StreamDescriptionSummary":{"StreamStatus":%q}}`, f.status)
	case "Kinesis_20131202.PutRecords":
		assert.LessOrEqual(f.t, len(in.Records), 500)
		if f.bad != "" && slices.ContainsFunc(in.Records, func(r putRecord) bool { return strings.HasPrefix(string(r.Data), f.bad) }) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"ValidationException","message":"1 validation error detected"}`))
			return
		}
		results := make([]string, len(in.Records))
		for i, rec := range in.Records {
			if f.seen++; f.reject != nil && f.reject(f.seen) {
				results[i] = `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"slow"}`
				continue
			}
			f.got, results[i] = append(f.got, rec), `{"SequenceNumber":"1","ShardId":"s"}`
		}
		_, _ = fmt.Fprintf(w, `{"FailedRecordCount":0,"Records":[%s]}`, strings.Join(results, ","))
	}
}

func (f *fake) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// count returns how many requests came since the last count.
func (f *fake) count() (n int) {
	f.do(func() { n, f.requests = f.requests, 0 })
	return n
}

// taken are the records that it took.
func (f *fake) taken() (got []putRecord) {
	f.do(func() { got = slices.Clone(f.got) })
	return got
}

func open(t *testing.T, f *fake) *Client {
	f.t = t
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c := of(server.URL+"/", credentials.NewStaticCredentialsProvider("key", "secret", ""))
	c.wait = func(ctx context.Context, _ int) error { return ctx.Err() }
	return c
}

func records(n, keys int) []engine.DataStreamRecord {
	out := make([]engine.DataStreamRecord, n)
	for i := range out {
		out[i] = engine.DataStreamRecord{PartitionKey: fmt.Sprint("k", i%keys), Data: fmt.Append(nil, i)}
	}
	return out
}

// TestPutKeepsTheOrder: whatever fails, the records of one key arrive once and in their order.
func TestPutKeepsTheOrder(t *testing.T) {
	for _, share := range []float64{0, 0.1, 0.7} {
		rnd := rand.New(rand.NewPCG(1, uint64(share*10)))
		f := &fake{reject: func(int) bool { return rnd.Float64() < share }}
		c := open(t, f)
		for {
			err := c.Put(t.Context(), arn, records(1300, 700))
			if err == nil {
				break
			}
			f.do(func() { f.got = nil }) // all fails six times in a row now and then: then all comes again
		}
		got, last := f.taken(), map[string]int{}
		for _, r := range got {
			var n int
			_, err := fmt.Sscan(string(r.Data), &n)
			require.NoError(t, err)
			if before, ok := last[r.PartitionKey]; ok {
				require.Greater(t, n, before)
			}
			last[r.PartitionKey] = n
		}
		require.Len(t, got, 1300)
	}
}

func TestPutInBatches(t *testing.T) {
	f := &fake{}
	c := open(t, f)
	require.NoError(t, c.Put(t.Context(), arn, records(1001, 1001)))
	require.Equal(t, 3, f.count())
	var large []engine.DataStreamRecord
	for i := range 12 {
		large = append(large, engine.DataStreamRecord{PartitionKey: fmt.Sprint(i), Data: bytes.Repeat([]byte("x"), 1<<20)})
	}
	require.NoError(t, c.Put(t.Context(), arn, large))
	require.Equal(t, 3, f.count(), "4 MiB at once and no more")
}

func TestPutFails(t *testing.T) {
	f := &fake{reject: func(int) bool { return true }}
	c := open(t, f)
	require.ErrorContains(t, c.Put(t.Context(), arn, records(3, 3)), "ProvisionedThroughputExceededException: slow")
	require.Equal(t, attemptsMax, f.count())

	f.do(func() {
		f.reject = nil
		f.refuse = func(n int) int { return map[bool]int{true: http.StatusServiceUnavailable}[n <= 2] }
	})
	require.NoError(t, c.Put(t.Context(), arn, records(3, 3)), "the third attempt")
	f.do(func() { f.refuse = func(int) int { return http.StatusForbidden } })
	f.count()
	require.Error(t, c.Put(t.Context(), arn, records(3, 3)))
	require.Equal(t, 1, f.count(), "that does not pass")
	require.Error(t, of("http://127.0.0.1:1", c.credentials).Put(t.Context(), arn, records(1, 1)))
}

// TestPutRefusedRecords: records that will never be taken hold nothing up, unless it is the data stream that is
// wrong; all others arrive once and in order.
func TestPutRefusedRecords(t *testing.T) {
	f := &fake{status: "ACTIVE", bad: "bad"}
	c := open(t, f)
	in := records(1200, 300)
	for _, i := range []int{0, 650, 651, 1199} {
		in[i].Data = fmt.Append(nil, "bad", i)
	}
	err := c.Put(t.Context(), arn, in)
	refused, ok := errors.AsType[*engine.DataStreamRefused](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, []int{0, 650, 651, 1199}, refused.Records)
	require.ErrorContains(t, err, "4 records are refused for good: kinesis: 400 ValidationException: 1 validation error detected")
	require.Less(t, f.count(), 100)
	got, last := f.taken(), map[string]int{}
	for _, r := range got {
		var n int
		_, err := fmt.Sscan(string(r.Data), &n)
		require.NoError(t, err)
		if before, ok := last[r.PartitionKey]; ok {
			require.Greater(t, n, before)
		}
		last[r.PartitionKey] = n
	}
	require.Len(t, got, 1196)
	f.do(func() { f.status = "DELETING" })
	err = c.Put(t.Context(), arn, in)
	require.ErrorIs(t, err, engine.ErrDataStreamNotActive)
	_, ok = errors.AsType[*engine.DataStreamRefused](err)
	require.False(t, ok)
}

func TestCheck(t *testing.T) {
	f := &fake{status: "ACTIVE"}
	c := open(t, f)
	require.NoError(t, c.Check(t.Context(), arn))
	f.do(func() { f.status = "CREATING" })
	require.ErrorIs(t, c.Check(t.Context(), arn), engine.ErrDataStreamNotActive)
	require.ErrorIs(t, c.Check(t.Context(), arn+"2"), engine.ErrNoDataStream)
	require.ErrorIs(t, c.Check(t.Context(), "arn:aws:dynamodb:us-east-1:123456789012:table/orders"), engine.ErrNoDataStream)
	f.do(func() { f.refuse = func(int) int { return http.StatusServiceUnavailable } })
	err := c.Check(t.Context(), arn)
	require.Error(t, err)
	require.NotErrorIs(t, err, engine.ErrNoDataStream)
}

// TestFiles: a line that a crash cut is gone before the records come again.
func TestFiles(t *testing.T) {
	_, err := OpenFiles(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
	dir := t.TempDir()
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.NoError(t, f.Check(t.Context(), arn))
	require.ErrorIs(t, f.Check(t.Context(), "arn:aws:kinesis:us-east-1:123456789012:stream/../x"), engine.ErrNoDataStream)
	require.NoError(t, f.Put(t.Context(), arn, records(2, 2)))
	name := filepath.Join(dir, "orders.jsonl")
	for _, torn := range []string{"", "torn", strings.Repeat("torn", tailBytes)} {
		require.NoError(t, os.WriteFile(name, []byte("0\n1\n"+torn), 0o600))
		require.NoError(t, f.Put(t.Context(), arn, records(1, 1)))
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, "0\n1\n0\n", string(text))
	}
	require.NoError(t, os.WriteFile(name, []byte("torn"), 0o600))
	require.NoError(t, f.Put(t.Context(), arn, records(1, 1)))
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "0\n", string(text))
}
