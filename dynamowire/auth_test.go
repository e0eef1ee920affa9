package dynamowire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"                  //nolint:modules // signatures of another hand
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4" //nolint:modules // signatures of another hand
	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
)

const authKeys = `
[root]
aws_access_key_id = ROOT
aws_secret_access_key = root-secret
[reader]
aws_access_key_id = READER
aws_secret_access_key = reader-secret
access = read-only
[clerk]
aws_access_key_id = CLERK
aws_secret_access_key = clerk-secret
tables = Orders, Old-*
buckets = out, in-*

[buckets]
aws_access_key_id = BUCKETS
aws_secret_access_key = buckets-secret
buckets = only

[tables]
aws_access_key_id = TABLES
aws_secret_access_key = tables-secret
tables = T
`

// open answers every operation that the tests let through.
type open struct{ api.Base }

// BatchExecuteStatement answers what the service is told not to run.
func (open) BatchExecuteStatement(ctx context.Context, in *api.BatchExecuteStatementInput) (*api.BatchExecuteStatementOutput, error) {
	out := &api.BatchExecuteStatementOutput{}
	for i := range in.Statements {
		var r api.BatchStatementResponse
		if err := api.Denied(ctx, i); err != nil {
			r.Error = &api.BatchStatementError{Code: api.Some(string(err.Code)), Message: api.Some(err.Message)}
		}
		out.Responses = append(out.Responses, r)
	}
	return out, nil
}

func (open) GetItem(context.Context, *api.GetItemInput) (*api.GetItemOutput, error) {
	return &api.GetItemOutput{}, nil
}

// guarded is a handler that verifies signatures.
func guarded(t *testing.T) *Handler {
	t.Helper()
	h := guardedBy(t, authKeys, time.Time{})
	h.opts.Clock = time.Now
	return h
}

// guardedBy is one with the access keys of a credentials file, to which all requests come at one time.
func guardedBy(t *testing.T, file string, at time.Time) *Handler {
	t.Helper()
	keys, err := sigv4.ReadKeys(strings.NewReader(file))
	require.NoError(t, err)
	return NewHandler(open{}, Options{
		Clock: func() time.Time { return at }, Verifier: sigv4.NewVerifier("us-east-1", keys),
		StatementAccess: func(s string) (string, string, StatementAction, bool) {
			action, table, ok := strings.Cut(s, " ")
			return table, "", StatementAction(action), ok
		},
	})
}

// sign signs a request with an access key of authKeys or goldenKeys.
func sign(t *testing.T, r *http.Request, id, token string, body []byte, at time.Time) {
	t.Helper()
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: id, SecretAccessKey: strings.ToLower(id) + "-secret", SessionToken: token}
	require.NoError(t, signer.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), "dynamodb", "us-east-1", at))
	r.Header.Set(headerLength, strconv.FormatInt(r.ContentLength, 10)) // as a server finds it
}

// signedCall sends a request that the SDK's signer signed.
func signedCall(t *testing.T, h http.Handler, id, operation string, body []byte, encoding string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	prefix := prefixDynamoDB
	if op := operations()[operation]; op != nil {
		prefix = op.prefix
	}
	r.Header.Set(headerTarget, prefix+"."+operation)
	r.Header.Set(headerType, contentTypeAmazon)
	if encoding != "" {
		r.Header.Set(headerEncoding, encoding)
	}
	sign(t, r, id, "", body, time.Now())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestSignedBody: the signature covers the body as sent, compressed or not, to its last byte.
func TestSignedBody(t *testing.T) {
	h := guarded(t)
	plain := []byte(getBody("Empty"))
	require.Equal(t, http.StatusOK, signedCall(t, h, "ROOT", "GetItem", plain, "").Code)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write(plain)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	rec := signedCall(t, h, "ROOT", "GetItem", packed.Bytes(), "gzip")
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)

	// The same signature over other bytes.
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(plain))
	r.Header.Set(headerTarget, prefixDynamoDB+".GetItem")
	r.Header.Set(headerType, contentTypeAmazon)
	sign(t, r, "ROOT", "", plain, time.Now())
	r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(plain), "Empty", "Other", 1)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "#InvalidSignatureException")
}

// untouched is a body that must not be read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestRefusedBodiesAreNotHeld: whoever shows no access key gets no memory for a large body, so is
// answered while there is none; a small one is looked at first, as the service does (wire-facts §1.2
// #5).
func TestRefusedBodiesAreNotHeld(t *testing.T) {
	h := guarded(t)
	const large = bodyLargeBytes + 1
	require.True(t, h.large.TryAcquire(InFlightBytesDefault))
	now := time.Now().UTC()
	header := func(id string) string {
		return "AWS4-HMAC-SHA256 Credential=" + id + "/" + now.Format("20060102") + "/us-east-1/dynamodb/aws4_request, " +
			"SignedHeaders=host;x-amz-target, Signature=00"
	}
	for _, tt := range []struct {
		name, target, auth string
		told               int64
		encoding, want     string
	}{
		{"unsigned", "GetItem", "", large, "", "#MissingAuthenticationTokenException"},
		{"unknown", "GetItem", header("NOBODY"), large, "", "#UnrecognizedClientException"},
		{"no operation", "Other", header("ROOT"), large, "", "#UnknownOperationException"},
		{"length not told", "GetItem", "", -1, "", "#MissingAuthenticationTokenException"},
		{"compressed", "GetItem", "", 1 << 10, "gzip", "#MissingAuthenticationTokenException"},
		{"one byte too much", "GetItem", "", refusedBodyBytes + 1, "", "#MissingAuthenticationTokenException"},
	} {
		sent := strings.NewReader(strings.Repeat("x", large))
		r := httptest.NewRequest(http.MethodPost, "/", sent)
		r.ContentLength = tt.told
		for name, value := range map[string]string{
			headerTarget: prefixDynamoDB + "." + tt.target, headerType: contentTypeAmazon, headerAuthorization: tt.auth,
			headerAmzDate: now.Format("20060102T150405Z"), headerEncoding: tt.encoding,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusBadRequest, w.Code, tt.name)
		require.Contains(t, w.Body.String(), tt.want, tt.name)
		require.Equal(t, "close", w.Header().Get("Connection"), tt.name)
		require.Zero(t, sent.Len(), tt.name)
	}
	h.large.Release(InFlightBytesDefault)

	srv := httptest.NewServer(h)
	defer srv.Close()
	unsigned := func(r *http.Request) { r.Header.Del(headerAuthorization) }
	answer := func(body string) string {
		res := post(t, srv.URL, strings.NewReader(body), unsigned)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, answer(strings.Repeat(" ", refusedBodyBytes-2)+"{}"), "#MissingAuthenticationTokenException")
	require.Contains(t, answer(strings.Repeat("x", refusedBodyBytes)), "#SerializationException")
	// A wrong signature shows with the body only.
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"+strings.Repeat(" ", large)))
	r.Header.Set(headerTarget, prefixDynamoDB+".GetItem")
	r.Header.Set(headerType, contentTypeAmazon)
	r.Header.Set(headerAmzDate, now.Format("20060102T150405Z"))
	r.Header.Set(headerAuthorization, header("ROOT"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Contains(t, w.Body.String(), "#InvalidSignatureException")
	require.Empty(t, w.Header().Get("Connection"))
}

// TestRefusedBodySentWhole: a client that reads no answer before it has sent everything gets one.
func TestRefusedBodySentWhole(t *testing.T) {
	srv := httptest.NewServer(guarded(t))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", BodyMaxBytes)
	require.NoError(t, err)
	for chunk, sent := make([]byte, 1<<20), 0; sent < BodyMaxBytes; sent += len(chunk) {
		_, err = c.Write(chunk)
		require.NoError(t, err, sent)
	}
	answer, err := io.ReadAll(c)
	require.NoError(t, err, "and the connection ends")
	require.Contains(t, string(answer), "#MissingAuthenticationTokenException")
}

// TestWrongMethodUnread: nor does a method that is never answered.
func TestWrongMethodUnread(t *testing.T) {
	for method, contentType := range map[string]string{http.MethodPut: contentTypeAmazon, http.MethodPost: "text/plain"} {
		r := httptest.NewRequest(method, "/", untouched{t})
		r.ContentLength = bodyLargeBytes + 1
		r.Header.Set(headerType, contentType)
		w := httptest.NewRecorder()
		guarded(t).ServeHTTP(w, r)
		require.Equal(t, http.StatusNotFound, w.Code)
	}
}

// TestAccess: what keys may do that are bound to reading or to tables. Granted calls reach the
// service, which has built GetItem only.
func TestAccess(t *testing.T) {
	h := guarded(t)
	const table = "arn:aws:dynamodb:us-east-1:123456789012:table/"
	for _, tt := range []struct{ id, operation, body, denied string }{
		{"ROOT", "DeleteTable", `{"TableName":"T"}`, ""},
		{"READER", "GetItem", getBody("T"), ""},
		{"READER", "Query", `{"TableName":"T"}`, ""},
		{"READER", "DescribeTable", `{"TableName":"T"}`, ""},
		{"READER", "ListTables", `{}`, ""},
		{"READER", "PutItem", `{"TableName":"T"}`, "PutItem on resource: " + table + "T"},
		{"READER", "TagResource", `{"ResourceArn":"` + table + `T"}`, "TagResource on resource: " + table + "T"},
		{"READER", "TransactWriteItems", `{"TransactItems":[{"ConditionCheck":{"TableName":"T"}}]}`, ""},
		{"READER", "TransactWriteItems", `{"TransactItems":[{"ConditionCheck":{"TableName":"T"}},{"Update":{"TableName":"U"}}]}`,
			"UpdateItem on resource: " + table + "U"},
		{"READER", "ExecuteStatement", `{"Statement":"PartiQLSelect T"}`, ""},
		{"READER", "ExecuteStatement", `{"Statement":"PartiQLInsert T"}`, "PartiQLInsert on resource: " + table + "T"},
		{"CLERK", "GetItem", getBody("Orders"), ""},
		{"CLERK", "GetItem", getBody("Orders2"), "GetItem on resource: " + table + "Orders2"},
		{"CLERK", "GetItem", getBody(table + "Old-1"), ""},
		{"CLERK", "GetItem", getBody(table + "New"), "GetItem on resource: " + table + "New"},
		{"CLERK", "PutItem", `{"TableName":"Old-2"}`, ""},
		{"CLERK", "Query", `{"TableName":"T","IndexName":"I"}`, "Query on resource: " + table + "T/index/I"},
		{"CLERK", "BatchGetItem", `{"RequestItems":{"Orders":{"Keys":[]},"T":{"Keys":[]}}}`, "BatchGetItem on resource: " + table + "T"},
		{"CLERK", "BatchWriteItem", `{"RequestItems":{"Orders":[]}}`, ""},
		{"CLERK", "TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"T"}}]}`, "GetItem on resource: " + table + "T"},
		{"CLERK", "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"Orders"}},{"Delete":{"TableName":"T"}}]}`,
			"DeleteItem on resource: " + table + "T"},
		{"CLERK", "ListTables", `{}`, "ListTables on resource: *"},
		{"CLERK", "ListStreams", `{}`, "ListStreams on resource: *"},
		{"CLERK", "DescribeEndpoints", `{}`, ""},
		{"CLERK", "DescribeStream", `{"StreamArn":"` + table + `Orders/stream/2026-01-01T00:00:00.000"}`, ""},
		{"CLERK", "DescribeStream", `{"StreamArn":"` + table + `T/stream/2026"}`, "DescribeStream on resource: " + table + "T/stream/2026"},
		{"CLERK", "GetRecords", `{"ShardIterator":"` + table + `Orders/stream/2026|1|AAAA"}`, ""},
		{"CLERK", "GetRecords", `{"ShardIterator":"` + table + `T/stream/2026|1|AAAA"}`, "GetRecords on resource: " + table + "T/stream/2026"},
		{"CLERK", "GetRecords", `{"ShardIterator":"arn:x"}`, "GetRecords on resource: *"},
		{"CLERK", "RestoreTableToPointInTime", `{"SourceTableName":"Orders","TargetTableName":"T"}`,
			"RestoreTableToPointInTime on resource: " + table + "T"},
		{"CLERK", "ExecuteTransaction", `{"TransactStatements":[{"Statement":"nonsense"}]}`, ""},
		{"CLERK", "ImportTable", `{"TableCreationParameters":{"TableName":"T"},"S3BucketSource":{"S3Bucket":"in-1"}}`,
			"ImportTable on resource: " + table + "T"},
		{"CLERK", "ImportTable", `{"TableCreationParameters":{"TableName":"Old-9"},"S3BucketSource":{"S3Bucket":"in-1"}}`, ""},
		{"CLERK", "ImportTable", `{"TableCreationParameters":{"TableName":"Old-9"},"S3BucketSource":{"S3Bucket":"other"}}`,
			"s3:GetObject on resource: arn:aws:s3:::other/*"},
		{"CLERK", "ExportTableToPointInTime", `{"TableArn":"` + table + `Orders","S3Bucket":"out"}`, ""},
		{"CLERK", "ExportTableToPointInTime", `{"TableArn":"` + table + `Orders","S3Bucket":"out2"}`,
			"s3:PutObject on resource: arn:aws:s3:::out2/*"},
		{"CLERK", "StartBulkPutItems", `{"TableName":"Orders","InputS3Configuration":{"S3Bucket":"in-1"},"OutputS3Configuration":{"S3Bucket":"x"}}`,
			"s3:PutObject on resource: arn:aws:s3:::x/*"},
		{"BUCKETS", "GetItem", getBody("T"), ""},
		{"BUCKETS", "ListTables", `{}`, ""},
		{"BUCKETS", "StartBulkPutItems", `{"TableName":"T","InputS3Configuration":{"S3Bucket":"x"},"OutputS3Configuration":{"S3Bucket":"only"}}`,
			"s3:GetObject on resource: arn:aws:s3:::x/*"},
		{"TABLES", "ExportTableToPointInTime", `{"TableArn":"` + table + `T","S3Bucket":"out"}`,
			"s3:PutObject on resource: arn:aws:s3:::out/*"},
	} {
		rec := signedCall(t, h, tt.id, tt.operation, []byte(tt.body), "")
		if tt.denied == "" {
			require.NotContains(t, rec.Body.String(), "AccessDenied", "%+v", tt)
			require.NotContains(t, rec.Body.String(), "Signature", "%+v", tt)
			continue
		}
		if !strings.HasPrefix(tt.denied, "s3:") {
			tt.denied = "dynamodb:" + tt.denied
		}
		action, _, _ := strings.Cut(tt.denied, " ")
		require.Equal(t, http.StatusBadRequest, rec.Code)
		require.Equal(t, `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: arn:aws:iam::123456789012:user/`+
			strings.ToLower(tt.id)+` is not authorized to perform: `+tt.denied+
			` because no identity-based policy allows the `+action+` action"}`, rec.Body.String(), "%+v", tt)
	}
	batch := []byte(`{"Statements":[{"Statement":"PartiQLSelect Orders"},{"Statement":"PartiQLDelete T"}]}`)
	rec := signedCall(t, h, "CLERK", "BatchExecuteStatement", batch, "")
	require.Equal(t, `{"Responses":[{},{"Error":{"Code":"AccessDeniedException","Message":"User: arn:aws:iam::123456789012:user/clerk `+
		`is not authorized to perform: dynamodb:PartiQLDelete on resource: `+table+`T because no identity-based policy allows the `+
		`dynamodb:PartiQLDelete action"}}]}`, rec.Body.String())
	rec = signedCall(t, h, "ROOT", "BatchExecuteStatement", batch, "")
	require.Equal(t, `{"Responses":[{},{}]}`, rec.Body.String())
	h.access.StatementAccess = nil
	rec = signedCall(t, h, "CLERK", "ExecuteStatement", []byte(`{"Statement":"PartiQLSelect Orders"}`), "")
	require.Contains(t, rec.Body.String(), "AccessDenied", "without a way to read statements none is run")
}

// TestEveryOperationIsBound: a key for other tables gets through with no operation, whatever members
// its request has, but for the one that tells nothing.
func TestEveryOperationIsBound(t *testing.T) {
	h := guarded(t)
	for name := range operations() {
		rec := signedCall(t, h, "CLERK", name, []byte(`{"TableName":"T"}`), "")
		switch name {
		case "DescribeEndpoints":
		case "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems", "ExecuteStatement",
			"BatchExecuteStatement", "ExecuteTransaction": // nothing is named here, so there is nothing to refuse
		default:
			require.Contains(t, rec.Body.String(), "#AccessDeniedException", name)
		}
	}
}

// policies deny one action and allow another.
type policies struct{ denied, allowed string }

func (policies) Policed() bool { return true }

func (p policies) Authorize(_ *api.Caller, right *api.Right, _ any) api.Decision {
	switch {
	case right.Action == p.denied:
		return api.PolicyDenies
	case right.Action == p.allowed:
		return api.PolicyAllows
	}
	return api.PolicySilent
}

// TestPolicies: a denial of the resource's policy binds keys that may do everything, and what it allows
// adds to what a key may.
func TestPolicies(t *testing.T) {
	h := guarded(t)
	h.access.Policies = policies{denied: "GetItem", allowed: "PutItem"}
	call := func(id, operation string) string {
		return signedCall(t, h, id, operation, []byte(`{"TableName":"t"}`), "").Body.String()
	}
	const denied = "with an explicit deny in a resource-based policy"
	require.Contains(t, call("ROOT", "GetItem"), denied)
	require.NotContains(t, call("ROOT", "DeleteItem"), "not authorized")
	require.Contains(t, call("READER", "GetItem"), denied)
	require.NotContains(t, call("READER", "PutItem"), "not authorized")
	require.Contains(t, call("READER", "DeleteItem"), "no identity-based policy allows")
}
