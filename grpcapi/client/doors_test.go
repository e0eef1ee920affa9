package client_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// step is one call of a script that runs through two doors.
type step struct {
	name string
	call func(ctx context.Context, c *build.Client) (any, error)
}

// raw is a step of a request as it is.
func raw[In, Out any](name string, call func(api.Service, context.Context, *In) (*Out, error), in *In) step {
	return step{name, func(ctx context.Context, c *build.Client) (any, error) {
		out, err := call(c.Service(), ctx, in)
		if out == nil {
			return nil, err
		}
		return out, err
	}}
}

// some is api.Some for texts.
func some(s string) api.Opt[string] { return api.Some(s) }

func key(t testing.TB, pk, sk any) attr.Item {
	t.Helper()
	return item(t, map[string]any{"pk": pk, "sk": sk})
}

func item(t testing.TB, v any) attr.Item {
	t.Helper()
	it, err := build.Marshal(v)
	require.NoError(t, err)
	return it
}

func value(t testing.TB, v any) attr.Value {
	t.Helper()
	out, err := build.MarshalValue(v)
	require.NoError(t, err)
	return out
}

func tableInput() *api.CreateTableInput {
	return &api.CreateTableInput{
		TableName: some("orders"), BillingMode: some(api.BillingModePayPerRequest),
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: some("pk"), AttributeType: some("S")},
			{AttributeName: some("sk"), AttributeType: some("S")},
			{AttributeName: some("total"), AttributeType: some("N")},
		},
		KeySchema: []api.KeySchemaElement{
			{AttributeName: some("pk"), KeyType: some("HASH")}, {AttributeName: some("sk"), KeyType: some("RANGE")},
		},
		LocalSecondaryIndexes: []api.LocalSecondaryIndex{{
			IndexName: some("byTotal"), Projection: &api.Projection{ProjectionType: some(api.ProjectionTypeAll)},
			KeySchema: []api.KeySchemaElement{
				{AttributeName: some("pk"), KeyType: some("HASH")}, {AttributeName: some("total"), KeyType: some("RANGE")},
			},
		}},
		StreamSpecification: &api.StreamSpecification{
			StreamEnabled: api.Some(true), StreamViewType: some(api.StreamViewTypeNewAndOldImages),
		},
	}
}

// script is what is asked through both doors, every step on what those before it left.
func script(t testing.TB) []step {
	svc := api.Service.CreateTable
	return []step{
		raw("create", svc, tableInput()),
		raw("create again", svc, tableInput()),
		raw("create nothing", svc, &api.CreateTableInput{}),
		raw("describe", api.Service.DescribeTable, &api.DescribeTableInput{TableName: some("orders")}),
		raw("describe none", api.Service.DescribeTable, &api.DescribeTableInput{TableName: some("none")}),
		raw("list", api.Service.ListTables, &api.ListTablesInput{}),
		raw("ttl", api.Service.UpdateTimeToLive, &api.UpdateTimeToLiveInput{
			TableName:               some("orders"),
			TimeToLiveSpecification: &api.TimeToLiveSpecification{Enabled: api.Some(true), AttributeName: some("end")},
		}),
		raw("ttl now", api.Service.DescribeTimeToLive, &api.DescribeTimeToLiveInput{TableName: some("orders")}),
		raw("tag", api.Service.TagResource, &api.TagResourceInput{
			ResourceArn: some("none"), Tags: []api.Tag{{Key: some("a"), Value: some("b")}},
		}),
		raw("limits", api.Service.DescribeLimits, &api.DescribeLimitsInput{}),
		raw("not built", api.Service.DescribeImport, &api.DescribeImportInput{ImportArn: some("x")}),

		raw("put", api.Service.PutItem, &api.PutItemInput{
			TableName: some("orders"), ReturnValues: some(api.ReturnValueAllOld),
			Item: item(t, map[string]any{
				"pk": "c#1", "sk": "2026-01-01", "total": 12.5, "paid": true, "none": nil, "bin": []byte{0, 1},
				"list": []any{1, "a", map[string]any{"x": []any{}}}, "set": build.StringSet("a", "b"),
				"nums": build.NumberSet("1", "2"), "bins": build.BinarySet([]byte("x")),
			}),
		}),
		raw("put without a key", api.Service.PutItem, &api.PutItemInput{
			TableName: some("orders"), Item: item(t, map[string]any{"pk": "c#1"}),
		}),
		raw("put into no table", api.Service.PutItem, &api.PutItemInput{
			TableName: some("none"), Item: key(t, "c#1", "x"),
		}),
		raw("put what is there", api.Service.PutItem, &api.PutItemInput{
			TableName: some("orders"), Item: key(t, "c#1", "2026-01-02"),
			ConditionExpression: some("attribute_not_exists(pk) AND #t <> :t"), ReturnConsumedCapacity: some(api.ReturnConsumedCapacityIndexes),
			ExpressionAttributeNames:  []api.Name{{Placeholder: "#t", Name: "total"}},
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":t", Value: value(t, 3)}},
		}),
		raw("put with legacy conditions", api.Service.PutItem, &api.PutItemInput{
			TableName: some("orders"), Item: key(t, "c#1", "2026-01-02"),
			ReturnValuesOnConditionCheckFailure: some(api.ReturnValuesOnConditionCheckFailureAllOld),
			Expected:                            []api.ExpectedAttributeMapEntry{{Key: "pk", Value: api.ExpectedAttributeValue{Exists: api.Some(false)}}},
		}),
		raw("get", api.Service.GetItem, &api.GetItemInput{
			TableName: some("orders"), Key: key(t, "c#1", "2026-01-02"), ConsistentRead: api.Some(true),
			ReturnConsumedCapacity: some(api.ReturnConsumedCapacityTotal),
		}),
		raw("get none", api.Service.GetItem, &api.GetItemInput{TableName: some("orders"), Key: key(t, "c#1", "x")}),
		raw("get by a wrong key", api.Service.GetItem, &api.GetItemInput{TableName: some("orders"), Key: key(t, 1, "x")}),
		raw("get a bad value", api.Service.GetItem, &api.GetItemInput{
			TableName: some("orders"), Key: key(t, "a", "x"), ProjectionExpression: some("a b"),
		}),
		raw("update", api.Service.UpdateItem, &api.UpdateItemInput{
			TableName: some("orders"), Key: key(t, "c#1", "2026-01-02"), UpdateExpression: some("SET total = :x ADD n :x"),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":x", Value: value(t, 7)}},
			ReturnValues:              some(api.ReturnValueUpdatedNew), ReturnItemCollectionMetrics: some(api.ReturnItemCollectionMetricsSize),
		}),
		raw("update fails", api.Service.UpdateItem, &api.UpdateItemInput{
			TableName: some("orders"), Key: key(t, "c#1", "2026-01-02"), UpdateExpression: some("SET a = b"),
			ConditionExpression:                 some("attribute_not_exists(total)"),
			ReturnValuesOnConditionCheckFailure: some(api.ReturnValuesOnConditionCheckFailureAllOld),
		}),
		raw("batch write", api.Service.BatchWriteItem, &api.BatchWriteItemInput{
			RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "orders", Value: []api.WriteRequest{
				{PutRequest: &api.PutRequest{Item: key(t, "c#2", "a")}},
				{PutRequest: &api.PutRequest{Item: key(t, "c#2", "b")}},
				{DeleteRequest: &api.DeleteRequest{Key: key(t, "c#2", "c")}},
			}}},
			ReturnConsumedCapacity: some(api.ReturnConsumedCapacityIndexes),
		}),
		raw("batch get", api.Service.BatchGetItem, &api.BatchGetItemInput{
			RequestItems: []api.BatchGetRequestMapEntry{{Key: "orders", Value: api.KeysAndAttributes{
				Keys: []attr.Item{key(t, "c#2", "a"), key(t, "c#2", "c")}, ProjectionExpression: some("sk"),
			}}},
		}),
		raw("transaction", api.Service.TransactWriteItems, &api.TransactWriteItemsInput{
			TransactItems: []api.TransactWriteItem{
				{ConditionCheck: &api.ConditionCheck{
					TableName: some("orders"), Key: key(t, "c#2", "a"), ConditionExpression: some("attribute_exists(pk)"),
				}},
				{Put: &api.Put{TableName: some("orders"), Item: key(t, "c#3", "a")}},
				{Delete: &api.Delete{TableName: some("orders"), Key: key(t, "c#2", "b")}},
				{Update: &api.Update{
					TableName: some("orders"), Key: key(t, "c#3", "b"), UpdateExpression: some("SET x = :x"),
					ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":x", Value: value(t, "y")}},
				}},
			},
			ReturnConsumedCapacity: some(api.ReturnConsumedCapacityTotal),
		}),
		raw("transaction fails", api.Service.TransactWriteItems, &api.TransactWriteItemsInput{
			TransactItems: []api.TransactWriteItem{
				{ConditionCheck: &api.ConditionCheck{
					TableName: some("orders"), Key: key(t, "c#2", "a"), ConditionExpression: some("attribute_not_exists(pk)"),
					ReturnValuesOnConditionCheckFailure: some(api.ReturnValuesOnConditionCheckFailureAllOld),
				}},
				{Put: &api.Put{TableName: some("orders"), Item: key(t, "c#3", "a")}},
			},
		}),
		raw("transaction reads", api.Service.TransactGetItems, &api.TransactGetItemsInput{
			TransactItems: []api.TransactGetItem{
				{Get: &api.Get{TableName: some("orders"), Key: key(t, "c#2", "a")}},
				{Get: &api.Get{TableName: some("orders"), Key: key(t, "c#2", "b")}},
			},
		}),
		raw("query", api.Service.Query, &api.QueryInput{
			TableName: some("orders"), KeyConditionExpression: some("pk = :p"), Limit: api.Some(int64(1)),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":p", Value: value(t, "c#3")}},
			ScanIndexForward:          api.Some(false),
		}),
		raw("query an index", api.Service.Query, &api.QueryInput{
			TableName: some("orders"), IndexName: some("byTotal"), Select: some(api.SelectCount),
			KeyConditions: []api.KeyConditionsEntry{{Key: "pk", Value: api.Condition{
				ComparisonOperator: some("EQ"), AttributeValueList: []attr.Value{value(t, "c#1")},
			}}},
		}),
		raw("scan", api.Service.Scan, &api.ScanInput{TableName: some("orders"), ReturnConsumedCapacity: some(api.ReturnConsumedCapacityTotal)}),
		raw("scan a page", api.Service.Scan, &api.ScanInput{TableName: some("orders"), Limit: api.Some(int64(2))}),
		raw("scan a part", api.Service.Scan, &api.ScanInput{
			TableName: some("orders"), Segment: api.Some(int64(1)), TotalSegments: api.Some(int64(2)), Select: some(api.SelectCount),
		}),
		raw("scan wrongly", api.Service.Scan, &api.ScanInput{TableName: some("orders"), Segment: api.Some(int64(1))}),
		raw("statement", api.Service.ExecuteStatement, &api.ExecuteStatementInput{
			Statement: some("SELECT * FROM orders WHERE pk = ?"), Parameters: []attr.Value{value(t, "c#3")},
			Limit: api.Some(int64(1)),
		}),
		raw("statement inserts", api.Service.ExecuteStatement, &api.ExecuteStatementInput{
			Statement: some("INSERT INTO orders VALUE {'pk': 'c#4', 'sk': 'a'}"),
		}),
		raw("statement inserts again", api.Service.ExecuteStatement, &api.ExecuteStatementInput{
			Statement: some("INSERT INTO orders VALUE {'pk': 'c#4', 'sk': 'a'}"),
		}),
		raw("statement is none", api.Service.ExecuteStatement, &api.ExecuteStatementInput{Statement: some("SELEC")}),
		raw("statements", api.Service.BatchExecuteStatement, &api.BatchExecuteStatementInput{
			Statements: []api.BatchStatementRequest{
				{Statement: some("UPDATE orders SET x = 1 WHERE pk = 'c#4' AND sk = 'a'")},
				{Statement: some("UPDATE orders SET x = 1 WHERE pk = 'c#4' AND sk = 'none'")},
			},
		}),
		raw("statements at once", api.Service.ExecuteTransaction, &api.ExecuteTransactionInput{
			TransactStatements: []api.ParameterizedStatement{
				{Statement: some("DELETE FROM orders WHERE pk = 'c#4' AND sk = 'a'")},
			},
		}),
		raw("delete", api.Service.DeleteItem, &api.DeleteItemInput{
			TableName: some("orders"), Key: key(t, "c#1", "2026-01-02"), ReturnValues: some(api.ReturnValueAllOld),
		}),
		raw("streams", api.Service.ListStreams, &api.ListStreamsInput{TableName: some("orders")}),
		{"records", records},

		{"build: query", func(ctx context.Context, c *build.Client) (any, error) {
			return c.Query("orders").PK("c#3").SKBeginsWith("a").Limit(10).All(ctx)
		}},
		{"build: scan", func(ctx context.Context, c *build.Client) (any, error) {
			return c.Scan("orders").PageSize(1).All(ctx)
		}},
		{"build: put on a condition", func(ctx context.Context, c *build.Client) (any, error) {
			return nil, c.Table("orders").Put(map[string]any{"pk": "c#3", "sk": "a"}).If("attribute_not_exists(pk)").Run(ctx)
		}},
		{"build: no table", func(ctx context.Context, c *build.Client) (any, error) {
			return c.Table("none").Get("a").Item(ctx)
		}},

		raw("stop the stream", api.Service.UpdateTable, &api.UpdateTableInput{
			TableName: some("orders"), StreamSpecification: &api.StreamSpecification{StreamEnabled: api.Some(false)},
		}),
		raw("drop", api.Service.DeleteTable, &api.DeleteTableInput{TableName: some("orders")}),
	}
}

// records reads the stream by its calls.
func records(ctx context.Context, c *build.Client) (any, error) {
	s := c.Service()
	streams, err := s.ListStreams(ctx, &api.ListStreamsInput{})
	if err != nil {
		return nil, err
	}
	arn := streams.Streams[0].StreamArn
	stream, err := s.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		return nil, err
	}
	it, err := s.GetShardIterator(ctx, &api.GetShardIteratorInput{
		StreamArn: arn, ShardId: stream.StreamDescription.Shards[0].ShardId,
		ShardIteratorType: some(api.ShardIteratorTypeTrimHorizon),
	})
	if err != nil {
		return nil, err
	}
	out, err := s.GetRecords(ctx, &api.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil {
		return nil, err
	}
	return []any{stream, out.Records}, nil
}

// TestDoorsAgree: whatever is asked of the database through the client answers as it does in process.
func TestDoorsAgree(t *testing.T) {
	embedded := openDB(t).Client()
	remote := connect(t, openDB(t), client.Options{}).Client
	for _, s := range script(t) {
		want, wantErr := s.call(t.Context(), embedded)
		got, gotErr := s.call(t.Context(), remote)
		require.Equal(t, wantErr, gotErr, s.name)
		requireSame(t, want, got, s.name)
	}
}

// requireSame compares answers, of which empty lists and absent ones are the same.
func requireSame(t testing.TB, want, got any, name string) {
	t.Helper()
	for _, v := range []any{&want, &got} {
		bare(reflect.ValueOf(v).Elem().Elem())
	}
	require.Equal(t, want, got, name)
}
