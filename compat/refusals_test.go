package compat

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusal is a call and the code of the error that it must end with.
type refusal struct {
	operation string
	call      func() error
	code      string
}

func requireRefusals(t *testing.T, calls []refusal) {
	t.Helper()
	for _, c := range calls {
		var answer smithy.APIError
		if err := c.call(); assert.ErrorAs(t, err, &answer, c.operation) {
			assert.Equal(t, c.code, answer.ErrorCode(), "%s: %s", c.operation, answer.ErrorMessage())
		}
	}
}

// failing takes the output off a call.
func failing[T any](_ T, err error) error { return err }

// itemCalls are the operations on items of one table, each of which reads or writes something.
func itemCalls(t *testing.T, c *dynamodb.Client, table, code string) []refusal {
	ctx, key := t.Context(), item{"pk": str("a")}
	statement := func(text string) error {
		return failing(c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: &text}))
	}
	return []refusal{
		{"GetItem", func() error {
			return failing(c.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key}))
		}, code},
		{"Query", func() error {
			return failing(c.Query(ctx, &dynamodb.QueryInput{TableName: &table, KeyConditionExpression: aws.String("pk = :a"),
				ExpressionAttributeValues: item{":a": str("a")}}))
		}, code},
		{"Scan", func() error { return failing(c.Scan(ctx, &dynamodb.ScanInput{TableName: &table})) }, code},
		{"BatchGetItem", func() error {
			return failing(c.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: {Keys: []item{key}}}}))
		}, code},
		{"PutItem", func() error {
			return failing(c.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: key}))
		}, code},
		{"UpdateItem", func() error {
			return failing(c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &table, Key: key}))
		}, code},
		{"DeleteItem", func() error {
			return failing(c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: key}))
		}, code},
		{"BatchWriteItem", func() error {
			return failing(c.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
				table: {{PutRequest: &types.PutRequest{Item: key}}},
			}}))
		}, code},
		{"ExecuteStatement", func() error { return statement(`SELECT * FROM "` + table + `" WHERE pk = 'a'`) }, code},
		{"ExecuteStatement", func() error { return statement(`INSERT INTO "` + table + `" VALUE {'pk':'b'}`) }, code},
	}
}

// TestThrottled: every operation on items is held to the throughput of a table, and to the maximum of one on demand.
func TestThrottled(t *testing.T) {
	c := newServer(t, "--in-memory", "--throttle").as("any", "key", "")
	one := aws.Int64(1)
	provisioned := tableInput("provisioned", "pk:S")
	provisioned.BillingMode = types.BillingModeProvisioned
	provisioned.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: one, WriteCapacityUnits: one}
	demand := tableInput("on-demand", "pk:S")
	demand.OnDemandThroughput = &types.OnDemandThroughput{MaxReadRequestUnits: one, MaxWriteRequestUnits: one}
	for code, in := range map[string]*dynamodb.CreateTableInput{
		"ProvisionedThroughputExceededException": provisioned, "ThrottlingException": demand,
	} {
		_, err := c.CreateTable(t.Context(), in)
		require.NoError(t, err)
		// 391 units of one a second, and so many of reading that the bucket is empty.
		large := item{"pk": str("large"), "x": str(strings.Repeat("x", 390<<10))}
		_, err = c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: in.TableName, Item: large})
		require.NoError(t, err)
		for range 10 {
			_, _ = c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: in.TableName, Key: item{"pk": str("large")}, ConsistentRead: aws.Bool(true)})
		}
		requireRefusals(t, itemCalls(t, c, *in.TableName, code))
		requireRefusals(t, transactions(t, c, *in.TableName, "TransactionCanceledException"))
	}
}

// transactions are those on one table.
func transactions(t *testing.T, c *dynamodb.Client, table, code string) []refusal {
	ctx, key := t.Context(), item{"pk": str("a")}
	return []refusal{
		{"TransactGetItems", func() error {
			return failing(c.TransactGetItems(ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
				{Get: &types.Get{TableName: &table, Key: key}},
			}}))
		}, code},
		{"TransactWriteItems", func() error {
			return failing(c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{TableName: &table, Item: key}},
			}}))
		}, code},
		{"ExecuteTransaction", func() error {
			return failing(c.ExecuteTransaction(ctx, &dynamodb.ExecuteTransactionInput{TransactStatements: []types.ParameterizedStatement{
				{Statement: aws.String(`INSERT INTO "` + table + `" VALUE {'pk':'b'}`)},
			}}))
		}, code},
	}
}

// TestCollectionsFull: every operation that can make an item collection larger.
func TestCollectionsFull(t *testing.T) {
	c := newServer(t, "--in-memory", "--collection-bytes", "20000").client()
	ctx, table, code := t.Context(), name(t), "ItemCollectionSizeLimitExceededException"
	_, err := c.CreateTable(ctx, indexedInput(table))
	require.NoError(t, err)
	large := str(strings.Repeat("x", 15000))
	_, err = c.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("a"), "sk": str("1"), "num": num("1"), "x": large}})
	require.NoError(t, err)
	more := item{"pk": str("a"), "sk": str("2"), "num": num("2"), "x": large}
	requireRefusals(t, []refusal{
		{"UpdateItem", func() error {
			return failing(c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &table, Key: item{"pk": str("a"), "sk": str("2")},
				UpdateExpression: aws.String("SET x = :x"), ExpressionAttributeValues: item{":x": large}}))
		}, code},
		{"BatchWriteItem", func() error {
			return failing(c.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
				table: {{PutRequest: &types.PutRequest{Item: more}}},
			}}))
		}, code},
		{"ExecuteStatement", func() error {
			return failing(c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{
				Statement: aws.String(`INSERT INTO "` + table + `" VALUE {'pk':'a','sk':'2','x':?}`), Parameters: []types.AttributeValue{large},
			}))
		}, code},
	})
}

// TestTablesInUse: what a table that changes for an hour does not let happen, and what more tables than may change at
// once do not.
func TestTablesInUse(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "d.keystone")
	s := newServer(t, "--db", path)
	for _, table := range []string{"leaving", "updating", "indexed", "still"} {
		_, err := s.client().CreateTable(ctx, tableInput(table, "pk:S"))
		require.NoError(t, err)
	}
	arn := aws.String("arn:aws:dynamodb:us-east-1:123456789012:table/leaving")
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"dynamodb:%s","Resource":"` + *arn + `"}]}`
	putPolicy := func(c *dynamodb.Client, action string) error {
		return failing(c.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: arn, Policy: aws.String(fmt.Sprintf(policy, action))}))
	}
	require.NoError(t, putPolicy(s.client(), "Scan"))
	s.stop(t)

	s = newServer(t, "--db", path, "--table-delay", "1h", "--strict-limits", "--s3-root", bucketRoot)
	c := s.as("any", "key", "")
	protect := func(table string) error {
		return failing(c.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: aws.Bool(true)}))
	}
	remove := func(table string) error {
		return failing(c.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table}))
	}
	expire := func(table string) error {
		return failing(c.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &table,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{Enabled: aws.Bool(true), AttributeName: aws.String("ttl")}}))
	}
	tags := []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	require.NoError(t, remove("leaving"))
	require.NoError(t, protect("updating"))
	_, err := c.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName: aws.String("indexed"), AttributeDefinitions: []types.AttributeDefinition{definition("grp:S")},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String(byGroup), KeySchema: keySchema("grp:S"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}}},
	})
	require.NoError(t, err)
	requireRefusals(t, []refusal{
		{"UpdateTable", func() error { return protect("updating") }, inUse},
		{"UpdateTimeToLive", func() error { return expire("updating") }, inUse},
		{"StartBulkPutItems", func() error { return failing(c.StartBulkPutItems(ctx, bulkInput("indexed"))) }, inUse},
		{"TagResource", func() error {
			return failing(c.TagResource(ctx, &dynamodb.TagResourceInput{ResourceArn: arn, Tags: tags}))
		}, inUse},
		{"UntagResource", func() error {
			return failing(c.UntagResource(ctx, &dynamodb.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}}))
		}, inUse},
		{"PutResourcePolicy", func() error { return putPolicy(c, "Query") }, inUse},
		{"DeleteResourcePolicy", func() error {
			return failing(c.DeleteResourcePolicy(ctx, &dynamodb.DeleteResourcePolicyInput{ResourceArn: arn}))
		}, inUse},
	})
	for i := range 497 {
		_, err := c.CreateTable(ctx, tableInput(fmt.Sprintf("passing-%d", i), "pk:S"))
		require.NoError(t, err)
	}
	const limit = "LimitExceededException"
	requireRefusals(t, []refusal{
		{"CreateTable", func() error { return failing(c.CreateTable(ctx, tableInput("more", "pk:S"))) }, limit},
		{"UpdateTable", func() error { return protect("still") }, limit},
		{"DeleteTable", func() error { return remove("still") }, limit},
		{"UpdateTimeToLive", func() error { return expire("still") }, limit},
	})
}

// TestStreamsRefused: what the operations of streams refuse, with records that are trimmed and streams that are gone.
func TestStreamsRefused(t *testing.T) {
	ctx, table := t.Context(), "trimmed"
	path := filepath.Join(t.TempDir(), "trimmed.keystone")
	s := newServer(t, "--db", path)
	c, read := s.as("any", "key", ""), newStreams(s.url)
	in := tableInput(table, "pk:S")
	in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly}
	made, err := c.CreateTable(ctx, in)
	require.NoError(t, err)
	arn := made.TableDescription.LatestStreamArn
	_, err = c.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("a")}})
	require.NoError(t, err)
	described, err := read.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	require.NoError(t, err)
	shard := described.StreamDescription.Shards[0].ShardId
	horizon, err := read.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: shard,
		ShardIteratorType: streams.ShardIteratorTypeTrimHorizon})
	require.NoError(t, err)
	page, err := read.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: horizon.ShardIterator})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	at := func(arn *string) (*dynamodbstreams.GetShardIteratorOutput, error) {
		return read.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: shard,
			ShardIteratorType: streams.ShardIteratorTypeAtSequenceNumber, SequenceNumber: page.Records[0].Dynamodb.SequenceNumber})
	}
	before, err := at(arn)
	require.NoError(t, err)
	_, err = at(aws.String(*arn + "0"))
	var none *streams.ResourceNotFoundException
	require.ErrorAs(t, err, &none)
	_, err = read.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{Limit: aws.Int32(0)})
	wantError(t, err, validation, "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "+
		"Member must have value greater than or equal to 1")

	// What was there as long as anybody looked is soon gone.
	s.stop(t)
	s = newServer(t, "--db", path, "--stream-retention", "300ms")
	c, read = s.as("any", "key", ""), newStreams(s.url)
	var trimmed *streams.TrimmedDataAccessException
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		_, err := at(arn)
		assert.ErrorAs(t, err, &trimmed)
	}, waitMax, 20*time.Millisecond)
	_, err = read.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: before.ShardIterator})
	require.ErrorAs(t, err, &trimmed)
	latest, err := read.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: shard,
		ShardIteratorType: streams.ShardIteratorTypeLatest})
	require.NoError(t, err)
	_, err = c.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &table, StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(false)}})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		_, err := read.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: latest.ShardIterator})
		assert.ErrorAs(t, err, &none)
	}, waitMax, 20*time.Millisecond)
}

// TestTransactionsRefused: what a transaction names must be there, and a token belongs to one request.
func TestTransactionsRefused(t *testing.T) {
	ctx, c := t.Context(), shared.as("any", "key", "")
	table, _ := newTable(t)
	run := func(text, token string) error {
		in := &dynamodb.ExecuteTransactionInput{TransactStatements: []types.ParameterizedStatement{{Statement: &text}}}
		if token != "" {
			in.ClientRequestToken = &token
		}
		return failing(c.ExecuteTransaction(ctx, in))
	}
	require.NoError(t, run(`INSERT INTO "`+table+`" VALUE {'pk':'a'}`, table))
	requireRefusals(t, []refusal{
		{"ExecuteTransaction", func() error { return run(`INSERT INTO "`+table+`" VALUE {'pk':'b'}`, table) }, "IdempotentParameterMismatchException"},
		{"ExecuteTransaction", func() error { return run(`SELECT * FROM "no-such-table" WHERE pk = 'a'`, "") }, notFound},
		{"TransactGetItems", func() error {
			return failing(c.TransactGetItems(ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
				{Get: &types.Get{TableName: aws.String("no-such-table"), Key: item{"pk": str("a")}}},
			}}))
		}, notFound},
		{"BatchExecuteStatement", func() error {
			return failing(c.BatchExecuteStatement(ctx, &dynamodb.BatchExecuteStatementInput{Statements: []types.BatchStatementRequest{}}))
		}, validation},
	})
}

// TestSettingsRefused: what the operations on settings of tables say of tables, indexes and policies that are not there,
// and lists of pages that are none.
func TestSettingsRefused(t *testing.T) {
	ctx, c := t.Context(), shared.as("any", "key", "")
	table, _ := newTable(t)
	arn, none, noArn := aws.String("arn:aws:dynamodb:us-east-1:123456789012:table/"+table), aws.String("no-such-table"), aws.String(unknownARN)
	policy := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"dynamodb:Scan","Resource":"*"}]}`)
	put := func(arn, revision *string) error {
		return failing(c.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: arn, Policy: policy, ExpectedRevisionId: revision}))
	}
	insights := func(table, index *string) error {
		return failing(c.UpdateContributorInsights(ctx, &dynamodb.UpdateContributorInsightsInput{
			TableName: table, IndexName: index, ContributorInsightsAction: types.ContributorInsightsActionEnable,
		}))
	}
	requireRefusals(t, []refusal{
		{"PutResourcePolicy", func() error { return put(noArn, nil) }, notFound},
		{"PutResourcePolicy", func() error { return put(arn, aws.String("7")) }, "PolicyNotFoundException"},
		{"GetResourcePolicy", func() error {
			return failing(c.GetResourcePolicy(ctx, &dynamodb.GetResourcePolicyInput{ResourceArn: noArn}))
		}, notFound},
		{"DeleteResourcePolicy", func() error {
			return failing(c.DeleteResourcePolicy(ctx, &dynamodb.DeleteResourcePolicyInput{ResourceArn: noArn}))
		}, notFound},
		{"UpdateContributorInsights", func() error { return insights(none, nil) }, notFound},
		{"UpdateContributorInsights", func() error { return insights(&table, aws.String("no-such-index")) }, notFound},
		{"ListContributorInsights", func() error {
			return failing(c.ListContributorInsights(ctx, &dynamodb.ListContributorInsightsInput{TableName: none}))
		}, notFound},
		{"ListBackups", func() error {
			return failing(c.ListBackups(ctx, &dynamodb.ListBackupsInput{Limit: aws.Int32(101)}))
		}, validation},
		{"ListBulkOperations", func() error {
			return failing(c.ListBulkOperations(ctx, &dynamodb.ListBulkOperationsInput{MaxResults: aws.Int32(0)}))
		}, validation},
		{"ListGlobalTables", func() error {
			return failing(c.ListGlobalTables(ctx, &dynamodb.ListGlobalTablesInput{Limit: aws.Int32(0)}))
		}, validation},
	})
	s, _ := guarded(t)
	_, err := s.as("AKIANOBODY", "secret", "").DescribeLimits(ctx, &dynamodb.DescribeLimitsInput{})
	wantError(t, err, "UnrecognizedClientException", unknownKey)
}

// TestExportsRefused: a time that cannot be restored, and a token of another export.
func TestExportsRefused(t *testing.T) {
	ctx, c := t.Context(), shared.as("any", "key", "")
	table, _ := newTable(t)
	_, err := c.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
		TableName: &table, PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
	})
	require.NoError(t, err)
	export := func(at *time.Time, format types.ExportFormat) error {
		return failing(c.ExportTableToPointInTime(ctx, &dynamodb.ExportTableToPointInTimeInput{
			TableArn: aws.String("arn:aws:dynamodb:us-east-1:123456789012:table/" + table), S3Bucket: aws.String(bucket),
			S3Prefix: &table, ClientToken: &table, ExportTime: at, ExportFormat: format,
		}))
	}
	early := time.Now().Add(-time.Hour)
	requireRefusals(t, []refusal{
		{"ExportTableToPointInTime", func() error { return export(&early, "") }, "InvalidExportTimeException"},
	})
	require.NoError(t, export(nil, types.ExportFormatDynamodbJson))
	requireRefusals(t, []refusal{
		{"ExportTableToPointInTime", func() error { return export(nil, types.ExportFormatIon) }, "ExportConflictException"},
	})
}
