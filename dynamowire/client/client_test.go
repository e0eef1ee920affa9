package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"                  //nolint:modules // what programs sign with
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4" //nolint:modules // what programs sign with
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/client"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const keys = "[me]\naws_access_key_id = ME\naws_secret_access_key = secret\n"

// serve serves an empty database in memory; with signatures when verified.
func serve(t *testing.T, verified bool) *httptest.Server {
	t.Helper()
	db, err := engine.Open("", engine.Options{InMemory: true})
	require.NoError(t, err)
	opts := dynamowire.Options{Clock: time.Now}
	if verified {
		k, err := sigv4.ReadKeys(strings.NewReader(keys))
		require.NoError(t, err)
		opts.Verifier = sigv4.NewVerifier("us-east-1", k)
	}
	server := httptest.NewServer(dynamowire.NewHandler(db, opts))
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, db.Close())
	})
	return server
}

// sign is what a program with the SDK gives.
func sign(r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	return signer.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "ME", SecretAccessKey: "secret"}, r,
		hex.EncodeToString(sum[:]), "dynamodb", "us-east-1", time.Now())
}

func connect(t *testing.T, url string, opts client.Options) *client.Client {
	t.Helper()
	c, err := client.New(url, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func createOrders(t *testing.T, svc api.Service) {
	t.Helper()
	_, err := svc.CreateTable(t.Context(), &api.CreateTableInput{
		TableName:            api.Some("Orders"),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		BillingMode:          api.Some("PAY_PER_REQUEST"),
		StreamSpecification:  &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: api.Some("NEW_IMAGE")},
	})
	require.NoError(t, err)
}

func itemOf(t *testing.T, b *attr.Builder) attr.Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

// TestService: items, errors with all they hold, streams and an answer without a body, with signatures
// and without.
func TestService(t *testing.T) {
	for _, verified := range []bool{false, true} {
		opts := client.Options{}
		if verified {
			opts.Sign = sign
		}
		c := connect(t, serve(t, verified).URL, opts)
		createOrders(t, c)
		item := itemOf(t, attr.NewItem().S("pk", "ä\n").N("n", "1.5").L("l", attr.Null()))
		_, err := c.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("Orders"), Item: item})
		require.NoError(t, err)
		key := itemOf(t, attr.NewItem().S("pk", "ä\n"))
		got, err := c.GetItem(t.Context(), &api.GetItemInput{TableName: api.Some("Orders"), Key: key})
		require.NoError(t, err)
		require.Equal(t, item, got.Item)

		_, err = c.PutItem(t.Context(), &api.PutItemInput{
			TableName: api.Some("Orders"), Item: key, ConditionExpression: api.Some("attribute_not_exists(pk)"),
			ReturnValuesOnConditionCheckFailure: api.Some("ALL_OLD"),
		})
		require.Equal(t, &api.Error{
			Code: api.ConditionalCheckFailed, Message: "The conditional request failed", Item: item,
		}, err)
		_, err = c.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
			{ConditionCheck: &api.ConditionCheck{
				TableName: api.Some("Orders"), Key: key, ConditionExpression: api.Some("attribute_not_exists(pk)"),
			}},
		}})
		var e *api.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "ConditionalCheckFailed", e.Reasons[0].Code.Value)

		list, err := c.ListStreams(t.Context(), &api.ListStreamsInput{})
		require.NoError(t, err)
		require.Len(t, list.Streams, 1)
		table, err := c.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("Orders")})
		require.NoError(t, err)
		_, err = c.TagResource(t.Context(), &api.TagResourceInput{
			ResourceArn: table.Table.TableArn, Tags: []api.Tag{{Key: api.Some("a"), Value: api.Some("b")}},
		})
		require.NoError(t, err)
	}
}

func TestBadSignature(t *testing.T) {
	server := serve(t, true)
	_, err := connect(t, server.URL, client.Options{}).ListTables(t.Context(), &api.ListTablesInput{})
	require.Equal(t, api.InvalidSignature, api.CodeOf(err), "%v", err)
	broke := errors.New("no credentials")
	c := connect(t, server.URL, client.Options{Sign: func(*http.Request, []byte) error { return broke }})
	_, err = c.ListTables(t.Context(), &api.ListTablesInput{})
	require.ErrorIs(t, err, broke)
}

func TestEndpoints(t *testing.T) {
	for _, text := range []string{"", "localhost:8000", "ftp://host", "http://", "http://a b/"} {
		_, err := client.New(text, client.Options{})
		require.Error(t, err, text)
	}
	var paths []string
	streams := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path+" "+r.Header.Get("X-Amz-Target"))
		_, _ = io.WriteString(w, `{}`)
	}))
	defer streams.Close()
	c := connect(t, streams.URL, client.Options{StreamsEndpoint: streams.URL + "/streams"})
	_, err := c.GetRecords(t.Context(), &api.GetRecordsInput{})
	require.NoError(t, err)
	_, err = c.ListTables(t.Context(), &api.ListTablesInput{})
	require.NoError(t, err)
	require.Equal(t, []string{"/streams DynamoDBStreams_20120810.GetRecords", "/ DynamoDB_20120810.ListTables"}, paths)
}

// answers plays a list of answers, then {}.
type answers struct {
	list []func() (*http.Response, error)
	sent int
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	a.sent++
	if a.sent > len(a.list) {
		return response(200, `{}`, "")()
	}
	return a.list[a.sent-1]()
}

func response(status int, body, sum string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		r := &http.Response{
			StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
		}
		if sum != "" {
			r.Header.Set("X-Amz-Crc32", sum)
		}
		return r, nil
	}
}

// passed is an After that notes how long it should wait, and does not.
func passed(pauses *[]time.Duration) func(time.Duration) <-chan time.Time {
	return func(d time.Duration) <-chan time.Time {
		*pauses = append(*pauses, d)
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	}
}

// TestRepeats: what is sent again (the package comment).
func TestRepeats(t *testing.T) {
	throttled := response(400, `{"__type":"a#ThrottlingException"}`, "")
	failed := response(500, `{"__type":"a#InternalServerError"}`, "")
	lost := func() (*http.Response, error) { return nil, errors.New("connection reset") }
	damaged := response(200, `{}`, "1")
	put, update := &api.PutItemInput{}, &api.UpdateItemInput{}
	do := func(c *client.Client, in any) (err error) {
		switch in := in.(type) {
		case *api.PutItemInput:
			_, err = c.PutItem(t.Context(), in)
		case *api.UpdateItemInput:
			_, err = c.UpdateItem(t.Context(), in)
		case *api.QueryInput:
			_, err = c.Query(t.Context(), in)
		case *api.DescribeTableInput:
			_, err = c.DescribeTable(t.Context(), in)
		case *api.DeleteItemInput:
			_, err = c.DeleteItem(t.Context(), in)
		case *api.BatchWriteItemInput:
			_, err = c.BatchWriteItem(t.Context(), in)
		case *api.TransactWriteItemsInput:
			_, err = c.TransactWriteItems(t.Context(), in)
		case *api.ExecuteStatementInput:
			_, err = c.ExecuteStatement(t.Context(), in)
		case *api.CreateTableInput:
			_, err = c.CreateTable(t.Context(), in)
		case *api.ExecuteTransactionInput:
			_, err = c.ExecuteTransaction(t.Context(), in)
		}
		return err
	}
	for i, tt := range []struct {
		in    any
		first func() (*http.Response, error)
		again bool
	}{
		{update, throttled, true},
		{update, response(503, `<html>`, ""), true},
		{update, response(400, `{"__type":"a#TransactionInProgressException"}`, ""), true},
		{update, failed, false},
		{update, lost, false},
		{update, damaged, false},
		{update, response(400, `{"__type":"a#ValidationException"}`, ""), false},
		{put, failed, true},
		{put, lost, true},
		{put, damaged, true},
		{put, response(504, ``, ""), true},
		{put, response(403, ``, ""), false},
		{put, response(400, `{"__type":"a#ConditionalCheckFailedException"}`, ""), false},
		{&api.PutItemInput{ConditionExpression: api.Some("a = b")}, failed, false},
		{&api.PutItemInput{ConditionExpression: api.Some("a = b")}, throttled, true},
		{&api.PutItemInput{ReturnValues: api.Some("ALL_OLD")}, lost, false},
		{&api.PutItemInput{ReturnValues: api.Some("NONE")}, lost, true},
		{&api.DeleteItemInput{}, lost, true},
		{&api.DeleteItemInput{Expected: []api.ExpectedAttributeMapEntry{{Key: "a"}}}, lost, false},
		{&api.QueryInput{}, lost, true},
		{&api.DescribeTableInput{}, failed, true},
		{&api.BatchWriteItemInput{}, failed, true},
		{&api.CreateTableInput{}, failed, false},
		{&api.ExecuteStatementInput{}, failed, false},
		{&api.TransactWriteItemsInput{}, failed, false},
		{&api.TransactWriteItemsInput{ClientRequestToken: api.Some("t")}, failed, true},
		{&api.ExecuteTransactionInput{ClientRequestToken: api.Some("t")}, lost, true},
		{&api.ExecuteTransactionInput{ClientRequestToken: api.Some("")}, lost, false},
	} {
		var pauses []time.Duration
		server := &answers{list: []func() (*http.Response, error){tt.first}}
		c := connect(t, "http://host", client.Options{HTTP: &http.Client{Transport: server}, After: passed(&pauses)})
		err := do(c, tt.in)
		if tt.again {
			require.NoError(t, err, "%d", i)
			require.Equal(t, 2, server.sent, "%d", i)
			require.Equal(t, []time.Duration{50 * time.Millisecond}, pauses)
			continue
		}
		require.Error(t, err, "%d", i)
		require.Equal(t, 1, server.sent, "%d", i)
		require.Empty(t, pauses)
	}
}

// TestRepeatsEnd: after the last attempt, without After, and when the context ends.
func TestRepeatsEnd(t *testing.T) {
	throttled := response(400, `{"__type":"a#ThrottlingException","message":"slow"}`, "")
	many := []func() (*http.Response, error){}
	for range 20 {
		many = append(many, throttled)
	}
	var pauses []time.Duration
	server := &answers{list: many}
	c := connect(t, "http://host", client.Options{
		HTTP: &http.Client{Transport: server}, After: passed(&pauses), Attempts: 10, Random: func() float64 { return 0.5 },
	})
	_, err := c.UpdateItem(t.Context(), &api.UpdateItemInput{})
	require.Equal(t, api.Errorf(api.Throttling, "slow"), err)
	require.Equal(t, 10, server.sent)
	require.Len(t, pauses, 9)
	require.Equal(t, 37500*time.Microsecond, pauses[0])
	require.Equal(t, 75*time.Millisecond, pauses[1])
	require.Equal(t, 3750*time.Millisecond, pauses[8])

	server = &answers{list: many}
	c = connect(t, "http://host", client.Options{HTTP: &http.Client{Transport: server}})
	_, err = c.UpdateItem(t.Context(), &api.UpdateItemInput{})
	require.Error(t, err)
	require.Equal(t, 1, server.sent)

	ctx, cancel := context.WithCancel(t.Context())
	server = &answers{list: many}
	c = connect(t, "http://host", client.Options{
		HTTP: &http.Client{Transport: server}, After: func(time.Duration) <-chan time.Time { cancel(); return nil },
	})
	_, err = c.UpdateItem(ctx, &api.UpdateItemInput{})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, api.Throttling, api.CodeOf(err))
	require.Equal(t, 1, server.sent)
}

// TestStrangeAnswers: what is no answer of the service is an error, and takes no more memory than told.
func TestStrangeAnswers(t *testing.T) {
	for want, answer := range map[string]func() (*http.Response, error){
		"its checksum is wrong":                  response(200, `{}`, "x"),
		"it is longer than the client takes":     response(200, `{"Item":{"pk":{"S":"`+strings.Repeat("a", 100)+`"}}}`, ""),
		"no JSON object":                         response(200, `<html>`, ""),
		"the answer is empty":                    response(200, ``, ""),
		"HTTP status 302 with no error":          response(302, ``, ""),
		"HTTP status 404 with no error of the s": response(404, `<UnknownOperationException/>`, ""),
	} {
		c := connect(t, "http://host", client.Options{
			HTTP: &http.Client{Transport: &answers{list: []func() (*http.Response, error){answer, answer, answer}}}, AnswerMaxBytes: 50,
		})
		_, err := c.GetItem(t.Context(), &api.GetItemInput{})
		require.ErrorContains(t, err, want)
		require.Equal(t, api.InternalServerError, api.CodeOf(err))
	}
}

// TestNoServer: without a connection nothing was done, which the error says.
func TestNoServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	var pauses []time.Duration
	c := connect(t, server.URL, client.Options{After: passed(&pauses)})
	_, err := c.UpdateItem(t.Context(), &api.UpdateItemInput{})
	require.Equal(t, api.Unavailable, api.CodeOf(err))
	require.Len(t, pauses, 2)
	_, err = c.PutItem(t.Context(), &api.PutItemInput{Bad: []api.BadValue{{Place: "Item"}}})
	require.Equal(t, api.Validation, api.CodeOf(err))
}

func Example() {
	db, err := engine.Open("", engine.Options{InMemory: true})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	server := httptest.NewServer(dynamowire.NewHandler(db, dynamowire.Options{Clock: time.Now}))
	defer server.Close()

	svc, err := client.New(server.URL, client.Options{After: time.After})
	if err != nil {
		panic(err)
	}
	_, err = svc.DescribeTable(context.Background(), &api.DescribeTableInput{TableName: api.Some("Orders")})
	fmt.Println(err)
	// Output: ResourceNotFoundException: Requested resource not found: Table: Orders not found
}
