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
)

// canned answers a few operations by the table's name, so that the golden files show the door alone.
type canned struct{ api.Base }

func (canned) GetItem(_ context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	switch in.TableName.Value {
	case "Missing":
		return nil, api.Errorf(api.ResourceNotFound, api.MsgNotFound)
	case "Broken":
		return nil, io.ErrUnexpectedEOF
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
// signed request.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "http", d.Cmd)
			return exchange(t, d.Input)
		})
	})
}

func exchange(t *testing.T, text string) string {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	head = strings.Replace(head, "AUTH", "X-Amz-Date: 20260101T000000Z\nAuthorization: AWS4-HMAC-SHA256 "+
		"Credential=AKID/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00", 1)
	raw := strings.ReplaceAll(head, "\n", "\r\n") +
		fmt.Sprintf("\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	require.NoError(t, err, raw)
	rec := httptest.NewRecorder()
	testHandler().ServeHTTP(rec, req)
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
