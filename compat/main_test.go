package compat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shared is the server of all tests that need no server of their own, db its client.
var (
	binary string
	shared *server
	db     *dynamodb.Client
	// bucketRoot holds the bucket of all tests.
	bucketRoot string
)

const bucket = "compat-bucket"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kstone-compat-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		return 1
	}
	defer shared.kill()
	if code := m.Run(); code != 0 || !wholeRun() {
		if code != 0 {
			shared.kill()
			fmt.Fprintf(os.Stderr, "logs of the server that tests share:\n%s\n", shared.lastLogs())
		}
		return code
	}
	faults, err := witnessed.missing()
	for _, fault := range faults {
		fmt.Fprintln(os.Stderr, "compat:", fault)
	}
	if err != nil || len(faults) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: not every outcome of every operation is tested;", err)
		return 1
	}
	return 0
}

func prepare(dir string) error {
	if binary = os.Getenv("KSTONE_BIN"); binary == "" {
		binary = filepath.Join(dir, "kstone")
		// As the Makefile does, but for what makes builds reproducible.
		build := exec.Command("go", "build", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", binary, "../cmd/kstone")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w: %s", err, out)
		}
	}
	var err error
	// The file takes part, so that what the tests see is the whole way of a write.
	bucketRoot = filepath.Join(dir, "buckets")
	if err = os.MkdirAll(filepath.Join(bucketRoot, bucket), 0o700); err != nil {
		return err
	}
	shared, err = startServer("--db", filepath.Join(dir, "shared.keystone"), "--sync", "interval", "--s3-root", bucketRoot)
	if err != nil {
		return err
	}
	db = shared.client()
	return createTables(context.Background(), db)
}

// Tables of all tests.
const (
	hashTable    = "compat-hash"    // pk S
	rangeTable   = "compat-range"   // pk S, sk N
	indexedTable = "compat-indexed" // pk S, sk S; see createTables
	byNumber     = "by-number"      // LSI of indexedTable: pk, num N; KEYS_ONLY
	byGroup      = "by-group"       // GSI: grp S, num N; ALL
	byTag        = "by-tag"         // GSI: tag S; INCLUDE extra
)

func createTables(ctx context.Context, c *dynamodb.Client) error {
	for _, in := range []*dynamodb.CreateTableInput{
		tableInput(hashTable, "pk:S"), tableInput(rangeTable, "pk:S", "sk:N"), indexedInput(indexedTable),
	} {
		if _, err := c.CreateTable(ctx, in); err != nil {
			return fmt.Errorf("create %s: %w", *in.TableName, err)
		}
	}
	return nil
}

// tableInput is an on-demand table with the keys "name:type".
func tableInput(name string, keys ...string) *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	in.KeySchema = keySchema(keys...)
	for _, k := range keys {
		in.AttributeDefinitions = append(in.AttributeDefinitions, definition(k))
	}
	return in
}

func indexedInput(name string) *dynamodb.CreateTableInput {
	in := tableInput(name, "pk:S", "sk:S")
	in.AttributeDefinitions = append(in.AttributeDefinitions, definition("num:N"), definition("grp:S"), definition("tag:S"))
	in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{{
		IndexName: aws.String(byNumber), KeySchema: keySchema("pk:S", "num:N"),
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
	}}
	in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{
		{
			IndexName: aws.String(byGroup), KeySchema: keySchema("grp:S", "num:N"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		},
		{
			IndexName: aws.String(byTag), KeySchema: keySchema("tag:S"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"extra"}},
		},
	}
	return in
}

func definition(key string) types.AttributeDefinition {
	name, kind := key[:len(key)-2], key[len(key)-1:]
	return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(kind)}
}

func keySchema(keys ...string) []types.KeySchemaElement {
	var schema []types.KeySchemaElement
	for i, k := range keys {
		kind := types.KeyTypeHash
		if i > 0 {
			kind = types.KeyTypeRange
		}
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(k[:len(k)-2]), KeyType: kind})
	}
	return schema
}

// item is what the SDK calls an item, a key, or values of an expression.
type item = map[string]types.AttributeValue

func str(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
func num(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }
func intNum(v int) types.AttributeValue { return num(fmt.Sprint(v)) }
func list(v ...types.AttributeValue) types.AttributeValue {
	if v == nil {
		v = []types.AttributeValue{} // what the SDK makes of an empty list
	}
	return &types.AttributeValueMemberL{Value: v}
}
func strSet(v ...string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: v} }
func numSet(v ...string) types.AttributeValue { return &types.AttributeValueMemberNS{Value: v} }
func object(m item) types.AttributeValue      { return &types.AttributeValueMemberM{Value: m} }
func boolean(v bool) types.AttributeValue     { return &types.AttributeValueMemberBOOL{Value: v} }
func null() types.AttributeValue              { return &types.AttributeValueMemberNULL{Value: true} }

// hashKey is a key of hashTable that belongs to the test.
func hashKey(t *testing.T) item { return item{"pk": str(t.Name())} }

// put writes an item.
func put(t *testing.T, table string, it item) {
	t.Helper()
	_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: it})
	require.NoError(t, err)
}

// get reads an item consistently; nil when there is none.
func get(t *testing.T, table string, key item) item {
	t.Helper()
	out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	require.NoError(t, err)
	return out.Item
}

// with is a copy of an item with more attributes.
func with(base item, more item) item {
	out := item{}
	maps.Copy(out, base)
	maps.Copy(out, more)
	return out
}

// wantError checks class and text of an error of the server.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got error %v, want %s: %s", err, code, text)
	}
	assert.Equal(t, code, api.ErrorCode())
	assert.Equal(t, text, api.ErrorMessage())
}

const (
	validation  = "ValidationException"
	notFound    = "ResourceNotFoundException"
	inUse       = "ResourceInUseException"
	checkFailed = "ConditionalCheckFailedException"
	// modern is what PutItem and UpdateItem put before the texts of request validation (wire-facts §3.6).
	modern = "1 validation error detected: "
)

func newClient(url string, options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &url, Region: "eu-west-3",
		Credentials: credentials.NewStaticCredentialsProvider("any", "key", ""),
		APIOptions:  []func(*middleware.Stack) error{witnessed.watch},
	}, options...)
}
