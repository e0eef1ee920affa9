package compat

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// order is a struct as programs keep them.
type order struct {
	Customer string            `dynamodbav:"pk"`
	Number   int               `dynamodbav:"sk"`
	Total    float64           `dynamodbav:"total"`
	Placed   time.Time         `dynamodbav:"placed"`
	Lines    []line            `dynamodbav:"lines"`
	Notes    map[string]string `dynamodbav:"notes"`
	Labels   []string          `dynamodbav:"labels,stringset"`
	Paid     bool              `dynamodbav:"paid"`
	Seal     []byte            `dynamodbav:"seal"`
	Absent   *string           `dynamodbav:"absent"`
}

type line struct {
	Product string
	Count   uint8
}

func TestAttributeValue(t *testing.T) {
	want := order{
		Customer: t.Name(), Number: 7, Total: 12.75, Placed: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Lines: []line{{"nail", 100}, {"hammer", 1}}, Notes: map[string]string{"a": "b", "empty": ""},
		Labels: []string{"x", "y"}, Paid: true, Seal: []byte{0, 255},
	}
	it, err := attributevalue.MarshalMap(want)
	require.NoError(t, err)
	put(t, rangeTable, it)
	var got order
	require.NoError(t, attributevalue.UnmarshalMap(get(t, rangeTable, item{"pk": it["pk"], "sk": it["sk"]}), &got))
	assert.Equal(t, want, got)
}

func TestExpressionPackage(t *testing.T) {
	fill(t, 5)
	query, err := expression.NewBuilder().
		WithKeyCondition(expression.KeyAnd(expression.Key("pk").Equal(expression.Value(t.Name())), expression.Key("sk").GreaterThan(expression.Value(1)))).
		WithFilter(expression.And(expression.Name("even").Equal(expression.Value(true)), expression.Not(expression.Name("gone").AttributeExists()))).
		WithProjection(expression.NamesList(expression.Name("sk"), expression.Name("even"))).Build()
	require.NoError(t, err)
	out, err := db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String(rangeTable), KeyConditionExpression: query.KeyCondition(), FilterExpression: query.Filter(),
		ProjectionExpression: query.Projection(), ExpressionAttributeNames: query.Names(), ExpressionAttributeValues: query.Values(),
	})
	require.NoError(t, err)
	assert.Equal(t, "2 4", sortKeys(out.Items))
	update, err := expression.NewBuilder().
		WithUpdate(expression.Set(expression.Name("n"), expression.Plus(expression.IfNotExists(expression.Name("n"), expression.Value(10)), expression.Value(1))).
			Set(expression.Name("l"), expression.ListAppend(expression.Value([]int{1}), expression.Value([]int{2}))).
			Remove(expression.Name("even")).Add(expression.Name("c"), expression.Value(5))).
		WithCondition(expression.Name("even").AttributeType(expression.Boolean)).Build()
	require.NoError(t, err)
	got, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(rangeTable), Key: item{"pk": str(t.Name()), "sk": num("3")}, UpdateExpression: update.Update(),
		ConditionExpression: update.Condition(), ExpressionAttributeNames: update.Names(), ExpressionAttributeValues: update.Values(),
		ReturnValues: types.ReturnValueAllNew,
	})
	require.NoError(t, err)
	assert.Equal(t, item{"pk": str(t.Name()), "sk": num("3"), "n": num("11"), "l": list(num("1"), num("2")), "c": num("5")}, item(got.Attributes))
}

// loseAnswers is a network that loses the first answers to a client, after the server has acted.
type loseAnswers struct{ left atomic.Int32 }

func (l *loseAnswers) Do(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil || l.left.Add(-1) < 0 {
		return answer, err
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return nil, errors.New("connection reset by peer")
}

// TestRetriesExecuteOnce: the SDK gives every transaction a token, so that a retry after a lost
// answer does nothing twice.
func TestRetriesExecuteOnce(t *testing.T) {
	key := hashKey(t)
	network := &loseAnswers{}
	network.left.Store(1)
	c := newClient(shared.url, func(o *dynamodb.Options) { o.HTTPClient = network })
	_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{txUpdate(key, "ADD n :one", item{":one": num("1")})},
	})
	require.NoError(t, err)
	assert.Equal(t, num("1"), get(t, hashTable, key)["n"])
}

// checkSums compares the checksum of each answer with its bytes: the Go SDK only logs a mismatch.
type checkSums struct {
	t       *testing.T
	answers int
}

func (c *checkSums) Do(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	assert.Equal(c.t, fmt.Sprint(crc32.ChecksumIEEE(body)), answer.Header.Get("x-amz-crc32"))
	assert.Regexp(c.t, "^[0-9A-Z]{52}$", answer.Header.Get("x-amzn-RequestId"))
	c.answers++
	return answer, err
}

func TestChecksums(t *testing.T) {
	network := &checkSums{t: t}
	c := newClient(shared.url, func(o *dynamodb.Options) { o.HTTPClient = network })
	table, key := aws.String(hashTable), hashKey(t)
	_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: everyType(key)})
	require.NoError(t, err)
	_, err = c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: key})
	require.NoError(t, err)
	_, err = c.Scan(t.Context(), &dynamodb.ScanInput{TableName: table, Limit: aws.Int32(1)})
	require.NoError(t, err)
	_, err = c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: table})
	require.NoError(t, err)
	_, err = c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: item{}})
	require.Error(t, err)
	assert.Equal(t, 5, network.answers)
}

// TestCompressedAnswers: with gzip the checksum is over the compressed bytes.
func TestCompressedAnswers(t *testing.T) {
	key := hashKey(t)
	text := string(bytes.Repeat([]byte("compress me "), 5000))
	put(t, hashTable, with(key, item{"v": str(text)}))
	c := newClient(shared.url, func(o *dynamodb.Options) { o.EnableAcceptEncodingGzip = true })
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(hashTable), Key: key})
	require.NoError(t, err)
	assert.Equal(t, str(text), out.Item["v"])
}
