package awslocal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/awslocal"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

var _ awslocal.TB = testing.TB(nil)

func createOrders(t testing.TB, c *dynamodb.Client) {
	t.Helper()
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String("Orders"),
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: "HASH"}},
		BillingMode:          types.BillingModePayPerRequest,
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "NEW_IMAGE"},
	})
	require.NoError(t, err)
}

func order(pk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}}
}

func put(ctx context.Context, c *dynamodb.Client, pk string) error {
	_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("Orders"), Item: order(pk)})
	return err
}

// TestClients: the SDK's clients of both services, with their typed errors and waiters.
func TestClients(t *testing.T) {
	t.Parallel()
	local := awslocal.New(t, func(o *engine.Options) { o.Region = "eu-west-3" })
	c := local.Client
	createOrders(t, c)
	require.NoError(t, put(t.Context(), c, "a"))
	got, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("Orders"), Key: order("a")})
	require.NoError(t, err)
	require.Equal(t, order("a"), got.Item)

	_, err = c.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("Orders"), Item: order("a"), ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: "ALL_OLD",
	})
	var failed *types.ConditionalCheckFailedException
	require.ErrorAs(t, err, &failed)
	require.Equal(t, order("a"), failed.Item)

	list, err := local.Streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{})
	require.NoError(t, err)
	require.Contains(t, *list.Streams[0].StreamArn, "arn:aws:dynamodb:eu-west-3:")
	described, err := local.Streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: list.Streams[0].StreamArn})
	require.NoError(t, err)
	it, err := local.Streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: list.Streams[0].StreamArn, ShardId: described.StreamDescription.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON",
	})
	require.NoError(t, err)
	records, err := local.Streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator})
	require.NoError(t, err)
	require.Len(t, records.Records, 1)
	require.Equal(t, map[string]streamtypes.AttributeValue{"pk": &streamtypes.AttributeValueMemberS{Value: "a"}},
		records.Records[0].Dynamodb.NewImage)

	table, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("Orders")})
	require.NoError(t, err)
	_, err = c.TagResource(t.Context(), &dynamodb.TagResourceInput{
		ResourceArn: table.Table.TableArn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})
	require.NoError(t, err)
}

// TestConcurrent: one client serves many goroutines, and pages of a megabyte.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	local := awslocal.New(t)
	createOrders(t, local.Client)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 10 {
				item := order(fmt.Sprintf("%d-%d", i, j))
				item["text"] = &types.AttributeValueMemberS{Value: strings.Repeat("x", 20_000)}
				_, err := local.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("Orders"), Item: item})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	items, pages := 0, 0
	p := dynamodb.NewScanPaginator(local.Client, &dynamodb.ScanInput{TableName: aws.String("Orders")})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		require.NoError(t, err)
		items += len(page.Items)
		pages++
	}
	require.Equal(t, 80, items)
	require.Equal(t, 2, pages)
}

// TestOtherClients: the same database over a port.
func TestOtherClients(t *testing.T) {
	t.Parallel()
	local := awslocal.New(t)
	createOrders(t, local.Client)
	require.Equal(t, local.URL(), local.URL())
	c := dynamodb.NewFromConfig(local.Config, func(o *dynamodb.Options) {
		o.BaseEndpoint = aws.String(local.URL())
		o.HTTPClient = http.DefaultClient
	})
	require.NoError(t, put(t.Context(), c, "a"))
	got, err := local.Client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("Orders"), Key: order("a")})
	require.NoError(t, err)
	require.Equal(t, order("a"), got.Item)
}

func TestServerCloses(t *testing.T) {
	t.Parallel()
	s, err := awslocal.NewServer(api.Base{})
	require.NoError(t, err)
	resp, err := http.Get(s.URL + "/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	s.Close()
	s.Close()
	_, err = http.Get(s.URL + "/healthz")
	require.Error(t, err)
}

// slow answers ListTables when the request ends.
type slow struct {
	api.Base
	begun chan struct{}
}

func (s *slow) ListTables(ctx context.Context, _ *api.ListTablesInput) (*api.ListTablesOutput, error) {
	close(s.begun)
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestCancel: a context that ends before the call, and one that ends within.
func TestCancel(t *testing.T) {
	t.Parallel()
	svc := &slow{begun: make(chan struct{})}
	c := dynamodb.NewFromConfig(awslocal.Config(svc))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-svc.begun
		cancel()
	}()
	_, err := c.ListTables(ctx, &dynamodb.ListTablesInput{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.ListTables(ctx, &dynamodb.ListTablesInput{}) // would close begun again
	require.ErrorIs(t, err, context.Canceled)
}

// TestTransport: what net/http expects of a RoundTripper.
func TestTransport(t *testing.T) {
	t.Parallel()
	c := &http.Client{Transport: awslocal.NewTransport(api.Base{})}
	resp, err := c.Get("http://any")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "healthy: dynamodb.us-east-1.amazonaws.com ", string(body))
	require.Equal(t, "200 OK", resp.Status)
	require.Equal(t, int64(len(body)), resp.ContentLength)

	resp, err = c.Head("http://any/healthz")
	require.NoError(t, err)
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, body)

	// A body whose length is not told, read from something that must be closed.
	sent := &closing{Reader: strings.NewReader(`{}`)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://any", sent)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.Nope")
	resp, err = c.Do(r)
	require.NoError(t, err)
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Contains(t, string(body), "#UnknownOperationException")
	require.True(t, sent.closed)
	require.Empty(t, r.URL.Path, "the request is the caller's")
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// failing is a test that New fails.
type failing struct{ fatal string }

func (*failing) Helper()        {}
func (*failing) Cleanup(func()) {}
func (f *failing) Fatalf(format string, args ...any) {
	f.fatal = fmt.Sprintf(format, args...)
}

func TestNewFails(t *testing.T) {
	t.Parallel()
	f := &failing{}
	require.Nil(t, awslocal.New(f, func(o *engine.Options) { o.StreamShards = -1 }))
	require.Contains(t, f.fatal, "awslocal: opening the database: ")
}

func ExampleConfig() {
	db, err := engine.Open("", engine.Options{InMemory: true})
	if err != nil {
		panic(err)
	}
	defer db.Close()

	client := dynamodb.NewFromConfig(awslocal.Config(db))
	ctx := context.Background()
	_, err = client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            aws.String("Music"),
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("Artist"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("Artist"), KeyType: "HASH"}},
		BillingMode:          types.BillingModePayPerRequest,
	})
	if err != nil {
		panic(err)
	}
	tables, err := client.ListTables(ctx, &dynamodb.ListTablesInput{})
	fmt.Println(tables.TableNames, err)

	_, err = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String("Books")})
	var missing *types.ResourceNotFoundException
	fmt.Println(errors.As(err, &missing))
	// Output:
	// [Music] <nil>
	// true
}

func ExampleNew() {
	_ = func(t *testing.T) { // func TestOrders(t *testing.T)
		local := awslocal.New(t)
		_, err := local.Client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
		if err != nil {
			t.Error(err)
		}
	}
}

func ExampleNewServer() {
	db, err := engine.Open("", engine.Options{InMemory: true})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	server, err := awslocal.NewServer(db)
	if err != nil {
		panic(err)
	}
	defer server.Close()
	resp, err := http.Get(server.URL + "/healthz") // or: aws dynamodb list-tables --endpoint-url URL
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A program's own configuration stays as it is but for what carries its requests.
func ExampleNewTransport() {
	db, err := engine.OpenInMemory(engine.Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	cfg := aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient: awslocal.NewTransport(db),
	}
	out, err := dynamodb.NewFromConfig(cfg).ListTables(context.Background(), &dynamodb.ListTablesInput{})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.TableNames)
	// Output: []
}

// BenchmarkGetItem: an item of 400 bytes by the SDK, in process and over a loopback socket.
func BenchmarkGetItem(b *testing.B) {
	local := awslocal.New(b)
	createOrders(b, local.Client)
	item := order("a")
	item["text"] = &types.AttributeValueMemberS{Value: strings.Repeat("x", 390)}
	_, err := local.Client.PutItem(b.Context(), &dynamodb.PutItemInput{TableName: aws.String("Orders"), Item: item})
	require.NoError(b, err)
	socket := func(o *dynamodb.Options) {
		o.BaseEndpoint = aws.String(local.URL())
		o.HTTPClient = http.DefaultClient
	}
	signed := local.Config
	signed.ServiceOptions = nil
	for _, bb := range []struct {
		name string
		c    *dynamodb.Client
	}{
		{"awslocal", local.Client},
		{"socket-unsigned", dynamodb.NewFromConfig(local.Config, socket)},
		{"socket", dynamodb.NewFromConfig(signed, socket)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			in := &dynamodb.GetItemInput{TableName: aws.String("Orders"), Key: order("a")}
			for b.Loop() {
				if _, err := bb.c.GetItem(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNew is the price of a database of one's own.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		db, err := engine.Open("", engine.Options{InMemory: true})
		if err != nil {
			b.Fatal(err)
		}
		awslocal.Config(db)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
