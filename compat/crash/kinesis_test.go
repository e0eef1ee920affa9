package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// deliveredKeys are written in turn, deliveredKills is how often the server is killed meanwhile.
	deliveredKeys  = 7
	deliveredKills = 5
	refusedOf      = 40
	deliveredARN   = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"
)

// dataStream takes what it is sent, but for one record of refusedOf.
type dataStream struct {
	mu  sync.Mutex
	rnd *rand.Rand
	// versions are those of each key in the order in which they came.
	versions map[string][]int
}

func (d *dataStream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Records []struct{ Data []byte } }
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "DescribeStreamSummary") {
		_, _ = w.Write([]byte(`{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"}}`))
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var results []string
	for _, rec := range in.Records {
		if d.rnd.IntN(refusedOf) == 0 {
			results = append(results, `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"slow"}`)
			continue
		}
		var change struct {
			Dynamodb struct{ NewImage map[string]map[string]string }
		}
		var version int
		err := json.Unmarshal(rec.Data, &change)
		if err == nil {
			_, err = fmt.Sscan(change.Dynamodb.NewImage["v"]["N"], &version)
		}
		if err != nil {
			panic(err) // records are whole, or this test has failed
		}
		pk := change.Dynamodb.NewImage["pk"]["S"]
		d.versions[pk] = append(d.versions[pk], version)
		results = append(results, `{"SequenceNumber":"1","ShardId":"shardId-000000000000"}`)
	}
	_, _ = fmt.Fprintf(w, `{"FailedRecordCount":1,"Records":[%s]}`, strings.Join(results, ","))
}

// latest is the highest version of a key that came.
func (d *dataStream) latest(pk string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	highest := 0
	for _, v := range d.versions[pk] {
		highest = max(highest, v)
	}
	return highest
}

// TestDestinationsOverKills: a data stream gets every change that was acknowledged, those of an item in their
// order. After a SIGKILL some come again, and then all that came after them.
func TestDestinationsOverKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	d := &dataStream{rnd: rand.New(rand.NewPCG(seed, 41)), versions: map[string][]int{}}
	t.Setenv("AWS_ACCESS_KEY_ID", "local")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "local")
	bin, file := binary(t), filepath.Join(t.TempDir(), "crash.keystone")
	rnd, ctx := rand.New(rand.NewPCG(seed, 40)), t.Context()
	// Each process has an endpoint of its own. It ends with the last request that it got, so that none of a process
	// that was killed is served between those of the next one.
	var s *server
	var endpoint *httptest.Server
	begin := func() {
		endpoint = httptest.NewServer(d)
		s = start(t, bin, file, "--kinesis-endpoint-url", endpoint.URL)
	}
	end := func() {
		s.kill()
		endpoint.Close()
	}
	begin()
	defer func() { end() }()
	createTable(t, s)
	a := s.call(ctx, "EnableKinesisStreamingDestination", object{"TableName": table, "StreamArn": deliveredARN})
	require.True(t, a.ok(), "%+v", a)
	for status := ""; status != "ACTIVE"; time.Sleep(pollEvery) { //nolint:sleep // polls a process
		a := s.call(ctx, "DescribeKinesisStreamingDestination", object{"TableName": table})
		require.True(t, a.ok(), "%+v", a)
		status = a.body["KinesisDataStreamDestinations"].([]any)[0].(object)["DestinationStatus"].(string)
	}

	version, acknowledged := 0, map[string]int{}
	for kill := 0; ; kill++ {
		for until := time.Now().Add(time.Duration(50+rnd.IntN(250)) * time.Millisecond); time.Now().Before(until); {
			version++
			pk := fmt.Sprint("k", version%deliveredKeys)
			a := s.call(ctx, "PutItem", object{"TableName": table, "Item": object{
				"pk": object{"S": pk}, "v": object{"N": fmt.Sprint(version)},
			}})
			require.True(t, a.ok(), "%+v", a)
			acknowledged[pk] = version
		}
		if kill == deliveredKills {
			break
		}
		end()
		begin()
	}
	deadline := time.Now().Add(answerMax)
	for pk, last := range acknowledged {
		for d.latest(pk) < last {
			require.True(t, time.Now().Before(deadline), "%s has come up to %d of %d", pk, d.latest(pk), last)
			time.Sleep(pollEvery) //nolint:sleep // polls a process
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for pk, came := range d.versions {
		next := came[0]
		require.Less(t, next, deliveredKeys+1, "the first change of %s", pk)
		for _, v := range came {
			require.LessOrEqual(t, v, next, "%s: a change is missing before %d", pk, v)
			next = v + deliveredKeys
		}
	}
	t.Logf("%d changes, %d kills", version, deliveredKills)
}
