package dynamowire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage"
)

// canned answers a few operations by the table's name, so that the golden files show the door alone.
type canned struct{ api.Base }

func (canned) GetItem(_ context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	switch in.TableName.Value {
	case "Missing":
		return nil, api.Errorf(api.ResourceNotFound, api.MsgNotFound)
	case "Broken":
		return nil, io.ErrUnexpectedEOF
	case "Away":
		return nil, storage.ErrUnavailable
	case "Panic":
		panic("a bug")
	case "Empty":
		return &api.GetItemOutput{}, nil
	case "Large":
		it, err := attr.NewItem().S("pk", strings.Repeat("x", CompressMinBytesDefault)).Build()
		return &api.GetItemOutput{Item: it}, err
	}
	it, err := attr.NewItem().S("pk", `a"é`).N("n", "1.50").Bool("b", true).Build()
	return &api.GetItemOutput{Item: it}, err
}

func (canned) PutItem(context.Context, *api.PutItemInput) (*api.PutItemOutput, error) {
	it, err := attr.NewItem().S("pk", "a").Build()
	if err != nil {
		return nil, err
	}
	e := api.Errorf(api.ConditionalCheckFailed, api.MsgConditionFailed)
	e.Item = it
	return nil, e
}

func (canned) TransactWriteItems(context.Context, *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	e := api.Errorf(api.TransactionCanceled, api.MsgTransactCanceled, "ConditionalCheckFailed, None")
	e.Reasons = []api.CancellationReason{
		{Code: api.Some("ConditionalCheckFailed"), Message: api.Some(api.MsgConditionFailed)},
		{Code: api.Some("None")},
	}
	return nil, e
}

func (canned) TagResource(context.Context, *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, nil
}

func testHandler() *Handler { return NewHandler(canned{}, Options{Clock: time.Now}) }

var requestIDPattern = regexp.MustCompile(`^[A-Z0-9]{26}VV4KQNSO5AEMVJF66Q9ASUAAJG$`)

// TestGolden sends the requests of testdata and compares status, headers and body. The expected
// bytes are those of wire-facts, whose sections the files name. `AUTH` stands for the headers of a
// signed request. With keys the door verifies signatures, at goldenTime; as=ID signs the request with
// that access key, and token=TOKEN sends a session token with it.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "http", d.Cmd)
			return exchange(t, d)
		})
	})
}

// goldenTime is when requests come to a door that verifies signatures.
var goldenTime = time.Date(2026, 1, 1, 11, 30, 0, 0, time.UTC)

// goldenKeys are the access keys of that door.
const goldenKeys = authKeys + `
[guest]
aws_access_key_id = GUEST
aws_secret_access_key = guest-secret
aws_session_token = T
[late]
aws_access_key_id = LATE
aws_secret_access_key = late-secret
aws_session_token = T
expires = 2026-01-01T11:00:00Z
`

func exchange(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	head, body, _ := strings.Cut(d.Input, "\n\n")
	head = strings.Replace(head, "AUTH", "X-Amz-Date: 20260101T000000Z\nAuthorization: AWS4-HMAC-SHA256 "+
		"Credential=AKID/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00", 1)
	raw := strings.ReplaceAll(head, "\n", "\r\n") +
		fmt.Sprintf("\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	require.NoError(t, err, raw)
	h := testHandler()
	if d.HasArg("keys") || d.HasArg("as") {
		h = guardedBy(t, goldenKeys, goldenTime)
		h.access.Policies = policies{denied: "DescribeTimeToLive"}
	}
	if d.HasArg("as") {
		var id, token string
		d.ScanArgs(t, "as", &id)
		d.MaybeScanArgs(t, "token", &token)
		sign(t, req, id, token, []byte(body), goldenTime)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	res := rec.Result()
	defer func() { require.NoError(t, res.Body.Close()) }()
	return render(t, res, rec.Body.Bytes())
}

func render(t *testing.T, res *http.Response, body []byte) string {
	t.Helper()
	var out bytes.Buffer
	fmt.Fprintln(&out, res.StatusCode)
	require.Regexp(t, requestIDPattern, res.Header.Get(headerRequestID))
	res.Header.Del(headerRequestID)
	var names []string
	for name := range res.Header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if v := res.Header[name]; v != nil {
			fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(v, ","))
		}
	}
	// Blank lines have a meaning in these files, so a body without text and line ends are spelled.
	if len(body) == 0 {
		body = []byte("(empty)")
	}
	fmt.Fprintf(&out, "%s\n", bytes.ReplaceAll(body, []byte("\n"), []byte(`\n`)))
	return out.String()
}
