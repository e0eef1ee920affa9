package dynamowire

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// post sends a signed GetItem.
func post(t *testing.T, url string, body io.Reader, change func(*http.Request)) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, body)
	require.NoError(t, err)
	req.Header.Set(headerTarget, prefixDynamoDB+".GetItem")
	req.Header.Set(headerType, contentTypeAmazon)
	req.Header.Set(headerAmzDate, "20260101T000000Z")
	req.Header.Set(headerAuthorization, "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c")
	if change != nil {
		change(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, res.Body.Close()) })
	return res
}

func getBody(table string) string {
	return `{"TableName":"` + table + `","Key":{"pk":{"S":"a"}}}`
}

func TestCompressedRequest(t *testing.T) {
	srv := httptest.NewServer(testHandler())
	defer srv.Close()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write([]byte(getBody("Empty")))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	res := post(t, srv.URL, &packed, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
	require.Equal(t, http.StatusOK, res.StatusCode)

	res = post(t, srv.URL, strings.NewReader("not gzip"), func(r *http.Request) {
		r.Header.Set("Content-Encoding", "gzip")
	})
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
}

// A small body must not become a large one.
func TestCompressedBombIsBounded(t *testing.T) {
	srv := httptest.NewServer(testHandler())
	defer srv.Close()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write(make([]byte, BodyMaxBytes+1))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	res := post(t, srv.URL, &packed, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
}

func TestCompressedAnswer(t *testing.T) {
	srv := httptest.NewServer(testHandler())
	defer srv.Close()
	accept := func(r *http.Request) { r.Header.Set("Accept-Encoding", "br, gzip;q=0.8") }
	res := post(t, srv.URL, strings.NewReader(getBody("Large")), accept)
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	packed, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(crc32.ChecksumIEEE(packed)), res.Header.Get(headerCRC),
		"the checksum is that of the bytes as sent")
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	plain, err := io.ReadAll(zip)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(plain, []byte(`{"Item":{"pk":{"S":"xxx`)))

	res = post(t, srv.URL, strings.NewReader(getBody("Empty")), accept)
	require.Empty(t, res.Header.Get("Content-Encoding"), "small answers stay as they are")
}

func TestBodyTooLarge(t *testing.T) {
	srv := httptest.NewServer(testHandler())
	defer srv.Close()
	res := post(t, srv.URL, bytes.NewReader(make([]byte, BodyMaxBytes+1)), nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	// The same without a length: the body is cut off where it passes the limit.
	res = post(t, srv.URL, io.MultiReader(bytes.NewReader(make([]byte, BodyMaxBytes+1))), nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
}

// TestBodyTooLargeFirst: the length as told is looked at before the method (wire-facts §1.2).
func TestBodyTooLargeFirst(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodPut, http.MethodPost} {
		r := httptest.NewRequest(method, "/", http.NoBody)
		r.ContentLength = BodyMaxBytes + 1
		r.Header.Set("Origin", "http://example")
		w := httptest.NewRecorder()
		testHandler().ServeHTTP(w, r)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, method)
		require.Empty(t, w.Body.Bytes(), method)
	}
}

func TestChunkedBody(t *testing.T) {
	srv := httptest.NewServer(testHandler())
	defer srv.Close()
	res := post(t, srv.URL, io.MultiReader(strings.NewReader(getBody("Empty"))), nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// TestHealthPaths: checks ask by GET or, as wget --spider does, by HEAD.
func TestHealthPaths(t *testing.T) {
	ready := false
	srv := httptest.NewServer(NewHandler(canned{}, Options{Ready: func(context.Context) bool { return ready }}))
	defer srv.Close()
	status := func(ask func(string) (*http.Response, error), path string) int {
		res, err := ask(srv.URL + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	for _, ask := range []func(string) (*http.Response, error){http.Get, http.Head} {
		ready = false
		require.Equal(t, http.StatusOK, status(ask, healthPath))
		require.Equal(t, http.StatusServiceUnavailable, status(ask, readyPath))
		ready = true
		require.Equal(t, http.StatusOK, status(ask, readyPath))
	}
}

// TestEmptyAnswer: TagResource answers with no body at all, see testdata/golden/answers; every
// operation is registered under its own prefix.
func TestEmptyAnswer(t *testing.T) {
	require.True(t, emptyAnswer("TagResource"))
	require.Len(t, operations(), 66)
}

// TestContentTypes: each type that is accepted is echoed, without its parameters.
func TestContentTypes(t *testing.T) {
	for sent, want := range map[string]string{
		"application/x-amz-json-1.0":                "application/x-amz-json-1.0",
		"application/x-amz-json-1.1":                "application/x-amz-json-1.1",
		"application/x-amz-json-1.1; charset=utf-8": "application/x-amz-json-1.1",
		"application/json;charset=utf-8":            "application/json",
		"application/x-amz-json-1.2":                "",
		"text/json":                                 "",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		r.Header.Set(headerType, sent)
		testHandler().ServeHTTP(w, r)
		require.Equal(t, want, w.Header().Get(headerType), sent)
		require.Equal(t, want == "", w.Code == http.StatusNotFound, sent)
	}
}

// A compressed body is counted for what it may become.
func TestBudgetOfBodies(t *testing.T) {
	request := func(length int64, encoding string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.ContentLength = length
		if encoding != "" {
			r.Header.Set(headerEncoding, encoding)
		}
		return r
	}
	require.EqualValues(t, 1000, bodyMost(request(1000, "")))
	require.EqualValues(t, 1000*inflateMax, bodyMost(request(1000, "gzip")))
	require.EqualValues(t, BodyMaxBytes, bodyMost(request(1<<20, "gzip")))
	require.EqualValues(t, BodyMaxBytes, bodyMost(request(-1, "")))
}

// bodyFunc is a body that says what happens when it is read.
type bodyFunc func() error

func (f bodyFunc) Read([]byte) (int, error) { return 0, f() }

// TestBudgetIsTakenAndGivenBack: before a large body is read its bytes are taken from the budget, and
// they are back when the request is over, however it ends.
func TestBudgetIsTakenAndGivenBack(t *testing.T) {
	h := NewHandler(canned{}, Options{InFlightBytes: BodyMaxBytes, Clock: time.Now})
	isFree := func(n int64) bool {
		ok := h.large.TryAcquire(n)
		if ok {
			h.large.Release(n)
		}
		return ok
	}
	for _, c := range []struct {
		length   int64
		encoding string
		taken    int64
		end      error
	}{
		{bodyLargeBytes, "", 0, io.EOF},
		{bodyLargeBytes + 1, "", bodyLargeBytes + 1, io.EOF},
		{bodyLargeBytes + 1, "", bodyLargeBytes + 1, io.ErrUnexpectedEOF},
		{BodyMaxBytes, "", BodyMaxBytes, io.EOF},
		{-1, "", BodyMaxBytes, io.EOF},
		{1 << 10, "gzip", inflateMax << 10, io.EOF}, // refused: no gzip
	} {
		read := false
		r := httptest.NewRequest(http.MethodPost, "/", bodyFunc(func() error {
			read = true
			require.True(t, isFree(BodyMaxBytes-c.taken), "%+v: more is taken", c)
			require.False(t, isFree(BodyMaxBytes-c.taken+1), "%+v: less is taken", c)
			return c.end
		}))
		r.ContentLength = c.length
		r.Header.Set(headerType, contentTypeAmazon)
		r.Header.Set(headerEncoding, c.encoding)
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.True(t, read, "%+v", c)
		require.True(t, isFree(BodyMaxBytes), "%+v: not given back", c)
	}
}

// TestSlowBodyEnds: each piece of a body moves the deadline on, but never past the end of the whole.
func TestSlowBodyEnds(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := began
	var deadlines []time.Duration
	p := &patient{
		r: strings.NewReader("x"), clock: func() time.Time { return now }, end: began.Add(bodyTimeout),
		setDeadline: func(at time.Time) error { deadlines = append(deadlines, at.Sub(began)); return nil },
	}
	for now.Before(p.end) {
		p.left = 0 // a whole piece has come
		_, err := p.Read(nil)
		require.NoError(t, err)
		now = now.Add(bodyStallTimeout - time.Second)
	}
	require.Equal(t, bodyStallTimeout, deadlines[0])
	require.Equal(t, 2*bodyStallTimeout-time.Second, deadlines[1])
	require.Equal(t, bodyTimeout, deadlines[len(deadlines)-1])
}

// deadlined is a ResponseWriter that notes its deadline.
type deadlined struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (d *deadlined) SetWriteDeadline(at time.Time) error {
	d.deadline = at
	return nil
}

// TestSlowReaderEnds: the time for an answer grows with its length and is bounded.
func TestSlowReaderEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h := NewHandler(canned{}, Options{Clock: func() time.Time { return now }})
	for n, want := range map[int]time.Duration{
		0: 0, answerLargeBytes - 1: 0, answerLargeBytes: answerStall + time.Second, 1 << 20: answerStall + 16*time.Second,
		64 << 20: WriteTimeout,
	} {
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		a := answer{w: w, r: httptest.NewRequest(http.MethodPost, "/", http.NoBody), h: h}
		a.write(http.StatusOK, contentTypeAmazon, make([]byte, n), false)
		if want == 0 {
			require.Zero(t, w.deadline, n)
			continue
		}
		require.Equal(t, want, w.deadline.Sub(now), n)
	}
}

// silent is a ResponseWriter that costs nothing.
type silent struct{ header http.Header }

func (s silent) Header() http.Header         { return s.header }
func (s silent) Write(b []byte) (int, error) { return len(b), nil }
func (s silent) WriteHeader(int)             {}

// again is a body that can be read again and again.
type again struct{ *strings.Reader }

func (again) Close() error { return nil }

// TestAllocations: what the door itself allocates for a request of a hot operation is the memory
// of the request and that of the answer's headers (DESIGN §8).
func TestAllocations(t *testing.T) {
	records := make([]api.Record, 100)
	for i := range records {
		item, err := attr.NewItem().Int("pk", int64(i)).S("v", "value").Build()
		require.NoError(t, err)
		records[i] = api.Record{EventID: api.Some("e"), Dynamodb: &api.StreamRecord{
			ApproximateCreationDateTime: api.Some(wireTime), Keys: item, NewImage: item, SizeBytes: api.Some(int64(i)),
		}}
	}
	h := NewHandler(fixed{
		item: &api.GetItemOutput{}, records: &api.GetRecordsOutput{Records: records},
		statement: &api.ExecuteStatementOutput{},
	}, Options{Clock: time.Now})
	for target, body := range map[string]string{
		prefixDynamoDB + ".GetItem":          `{"TableName":"Any","Key":{"pk":{"S":"a"}}}`,
		prefixStreams + ".GetRecords":        `{"ShardIterator":"any"}`,
		prefixDynamoDB + ".ExecuteStatement": `{"Statement":"any","Parameters":[{"S":"a"}]}`,
	} {
		text := strings.NewReader(body)
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set(headerTarget, target)
		r.Header.Set(headerType, contentTypeAmazon)
		r.Header.Set(headerAmzDate, "20260101T000000Z")
		r.Header.Set(headerAuthorization, "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c")
		r.Body, r.ContentLength = again{text}, int64(len(body))
		w := silent{http.Header{}}
		got := testing.AllocsPerRun(100, func() {
			text.Reset(body)
			h.serveOperation(w, r)
		})
		require.NotEmpty(t, w.header[headerLength], target)
		require.LessOrEqual(t, got, 2.0+raceAllocations, target)
	}
}

// fixed answers with the same whatever is asked.
type fixed struct {
	api.Base
	item      *api.GetItemOutput
	records   *api.GetRecordsOutput
	statement *api.ExecuteStatementOutput
}

func (f fixed) GetItem(context.Context, *api.GetItemInput) (*api.GetItemOutput, error) {
	return f.item, nil
}

func (f fixed) GetRecords(context.Context, *api.GetRecordsInput) (*api.GetRecordsOutput, error) {
	return f.records, nil
}

func (f fixed) ExecuteStatement(context.Context, *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	return f.statement, nil
}

// TestMetricsPath: figures are there only where they are given, as text or as JSON.
func TestMetricsPath(t *testing.T) {
	give := func(asJSON bool) ([]byte, error) {
		if asJSON {
			return []byte("{}"), nil
		}
		return []byte("kstone_x 1\n"), nil
	}
	ask := func(o Options, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, metricsPath, http.NoBody)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		NewHandler(canned{}, o).ServeHTTP(w, r)
		return w
	}
	w := ask(Options{Metrics: give}, "*/*")
	require.Equal(t, "kstone_x 1\n", w.Body.String())
	require.Equal(t, contentTypeMetrics, w.Header().Get("Content-Type"))
	w = ask(Options{Metrics: give}, "application/json")
	require.Equal(t, "{}", w.Body.String())
	require.Equal(t, contentTypeDefault, w.Header().Get("Content-Type"))
	require.NotEqual(t, "kstone_x 1\n", ask(Options{}, "*/*").Body.String())
	w = ask(Options{Metrics: func(bool) ([]byte, error) { return nil, io.ErrUnexpectedEOF }}, "*/*")
	require.Equal(t, http.StatusInternalServerError, w.Code)
}
