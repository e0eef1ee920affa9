package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const slowARN = "arn:aws:dynamodb:us-east-1:123456789012:table/slow"

// slowDB is a database that throttles, with the table slow: key pk, 4 read and 4 write units a second,
// and the index byG on g with 1 and 2 of them.
func slowDB(t *testing.T, change func(*api.CreateTableInput)) *testDB {
	t.Helper()
	d := openTest(t, Options{Throttle: true})
	through := func(read, write int64) *api.ProvisionedThroughput {
		return &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(read), WriteCapacityUnits: api.Some(write)}
	}
	key := func(name string) []api.KeySchemaElement {
		return []api.KeySchemaElement{{AttributeName: api.Some(name), KeyType: api.Some("HASH")}}
	}
	in := &api.CreateTableInput{
		TableName: api.Some("slow"), KeySchema: key("pk"), ProvisionedThroughput: through(4, 4),
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}, {AttributeName: api.Some("g"), AttributeType: api.Some("S")},
		},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{{
			IndexName: api.Some("byG"), KeySchema: key("g"), ProvisionedThroughput: through(1, 2),
			Projection: &api.Projection{ProjectionType: api.Some("ALL")},
		}},
	}
	if change != nil {
		change(in)
	}
	_, err := d.CreateTable(context.Background(), in)
	require.NoError(t, err)
	return d
}

func slowKey(pk string) *attr.Builder { return attr.NewItem().S("pk", pk) }

func (d *testDB) putSlow(b *attr.Builder) error {
	_, err := d.PutItem(context.Background(), &api.PutItemInput{TableName: api.Some("slow"), Item: d.build(b)})
	return err
}

func (d *testDB) getSlow(consistent bool) error {
	_, err := d.GetItem(context.Background(), &api.GetItemInput{
		TableName: api.Some("slow"), Key: d.build(slowKey("a")), ConsistentRead: api.Some(consistent),
	})
	return err
}

// times runs fn until it is throttled and returns how often it was not.
func times(t *testing.T, fn func() error) (int, *api.Error) {
	t.Helper()
	for n := range 100 {
		if err := fn(); err != nil {
			var own *api.Error
			require.True(t, errors.As(err, &own), err)
			require.NotEmpty(t, own.Throttling, err)
			return n, own
		}
	}
	t.Fatal("never throttled")
	return 0, nil
}

func wantReason(t *testing.T, err *api.Error, code api.Code, text, reason, resource string) {
	t.Helper()
	require.Equal(t, code, err.Code)
	require.Equal(t, text, err.Message)
	require.Equal(t, []api.ThrottlingReason{{Reason: api.Some(reason), Resource: api.Some(resource)}}, err.Throttling)
}

// TestThrottle: a second's worth at first, then what fills in by the clock, at most five minutes of it.
func TestThrottle(t *testing.T) {
	d := slowDB(t, nil)
	write := func() error { return d.putSlow(slowKey("a")) }
	n, err := times(t, write)
	require.Equal(t, 4, n)
	wantReason(t, err, api.ProvisionedThroughputExceeded, "The level of configured provisioned throughput for the table was "+
		"exceeded. Consider increasing your provisioning level with the UpdateTable API.", "TableWriteProvisionedThroughputExceeded", slowARN)
	n, err = times(t, func() error { return d.getSlow(false) })
	require.Equal(t, 8, n, "eventually consistent reads cost half")
	require.Equal(t, "TableReadProvisionedThroughputExceeded", err.Throttling[0].Reason.Value)
	d.clock.add(500 * time.Millisecond)
	n, _ = times(t, write)
	require.Equal(t, 2, n)
	d.clock.add(24 * time.Hour)
	require.NoError(t, d.putSlow(slowKey("large").S("x", string(make([]byte, 200<<10)))))
	for range 4*300 - 201 {
		require.NoError(t, write())
	}
	n, _ = times(t, write)
	require.Zero(t, n, "the burst is used up")
}

// TestThrottleDebt: a request is let in with little and pays later what it cost.
func TestThrottleDebt(t *testing.T) {
	d := slowDB(t, nil)
	require.NoError(t, d.putSlow(slowKey("a").S("x", string(make([]byte, 10<<10))))) // 11 units of 4
	d.clock.add(1900 * time.Millisecond)
	require.Error(t, d.putSlow(slowKey("b")))
	d.clock.add(200 * time.Millisecond)
	require.NoError(t, d.putSlow(slowKey("b")))
}

// TestThrottleIndex: an index has its own throughput, and one that is used up holds up the table's
// writes.
func TestThrottleIndex(t *testing.T) {
	d := slowDB(t, nil)
	at := 0
	n, err := times(t, func() error {
		at++
		return d.putSlow(slowKey(string(rune('a'+at))).S("g", "x"))
	})
	require.Equal(t, 2, n)
	wantReason(t, err, api.ProvisionedThroughputExceeded, "The level of configured provisioned throughput for one or more global "+
		"secondary indexes of the table was exceeded. Consider increasing your provisioning level for the under-provisioned "+
		"global secondary indexes with the UpdateTable API", "IndexWriteProvisionedThroughputExceeded", slowARN+"/index/byG")
	n, err = times(t, func() error {
		_, err := d.Query(context.Background(), &api.QueryInput{
			TableName: api.Some("slow"), IndexName: api.Some("byG"), KeyConditionExpression: api.Some("g = :v"),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":v", Value: attr.String("x")}},
		})
		return err
	})
	require.Equal(t, 2, n)
	require.Equal(t, "IndexReadProvisionedThroughputExceeded", err.Throttling[0].Reason.Value)
	require.NoError(t, d.getSlow(true), "the table has capacity left")
}

// TestThrottleOnDemand: without a maximum there is no limit; with one the error is another.
func TestThrottleOnDemand(t *testing.T) {
	onDemand := func(in *api.CreateTableInput) {
		in.BillingMode, in.ProvisionedThroughput = api.Some(api.BillingModePayPerRequest), nil
		in.GlobalSecondaryIndexes, in.AttributeDefinitions = nil, in.AttributeDefinitions[:1]
	}
	d := slowDB(t, onDemand)
	for range 100 {
		require.NoError(t, d.putSlow(slowKey("a")))
	}
	d = slowDB(t, func(in *api.CreateTableInput) {
		onDemand(in)
		in.OnDemandThroughput = &api.OnDemandThroughput{MaxWriteRequestUnits: api.Some(int64(3))}
	})
	n, err := times(t, func() error { return d.putSlow(slowKey("a")) })
	require.Equal(t, 3, n)
	wantReason(t, err, api.Throttling, api.MsgThrottledTable, "TableWriteMaxOnDemandThroughputExceeded", slowARN)
	for range 100 {
		require.NoError(t, d.getSlow(true))
	}
}

// TestThrottleBatches: what there is capacity for is done, the rest unprocessed; nothing at all is an
// error.
func TestThrottleBatches(t *testing.T) {
	d := slowDB(t, nil)
	in := &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "slow"}}}
	get := &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{{Key: "slow"}}}
	get.RequestItems[0].Value.ConsistentRead = api.Some(true)
	for i := range 6 {
		item := d.build(slowKey(string(rune('a' + i))))
		in.RequestItems[0].Value = append(in.RequestItems[0].Value, api.WriteRequest{PutRequest: &api.PutRequest{Item: item}})
		get.RequestItems[0].Value.Keys = append(get.RequestItems[0].Value.Keys, item)
	}
	out, err := d.BatchWriteItem(context.Background(), in)
	require.NoError(t, err)
	require.Equal(t, in.RequestItems[0].Value[4:], out.UnprocessedItems[0].Value)
	_, err = d.BatchWriteItem(context.Background(), in)
	require.Equal(t, api.ProvisionedThroughputExceeded, api.CodeOf(err))

	read, err := d.BatchGetItem(context.Background(), get)
	require.NoError(t, err)
	require.Len(t, read.Responses[0].Value, 4)
	require.Equal(t, get.RequestItems[0].Value.Keys[4:], read.UnprocessedKeys[0].Value.Keys)
	_, err = d.BatchGetItem(context.Background(), get)
	require.Equal(t, api.ProvisionedThroughputExceeded, api.CodeOf(err))

	d.clock.add(time.Minute)
	in.RequestItems[0].Value = in.RequestItems[0].Value[4:]
	out, err = d.BatchWriteItem(context.Background(), in)
	require.NoError(t, err)
	require.Empty(t, out.UnprocessedItems)
	read, err = d.BatchGetItem(context.Background(), get)
	require.NoError(t, err)
	require.Len(t, read.Responses[0].Value, 6)
}

// TestThrottleTransactions: all or nothing, with a reason at each action that lacks capacity.
func TestThrottleTransactions(t *testing.T) {
	d := slowDB(t, nil)
	_, err := d.CreateTable(context.Background(), &api.CreateTableInput{
		TableName: api.Some("quick"), BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
	})
	require.NoError(t, err)
	var write api.TransactWriteItemsInput
	var read api.TransactGetItemsInput
	for _, table := range []string{"quick", "slow"} {
		item := d.build(slowKey("a"))
		write.TransactItems = append(write.TransactItems, api.TransactWriteItem{Put: &api.Put{TableName: api.Some(table), Item: item}})
		read.TransactItems = append(read.TransactItems, api.TransactGetItem{Get: &api.Get{TableName: api.Some(table), Key: item}})
	}
	cancelled := func(fn func() error) int {
		for n := range 100 {
			if err := fn(); err != nil {
				require.EqualError(t, err, "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons "+
					"for specific reasons [None, ProvisionedThroughputExceeded]")
				var own *api.Error
				require.True(t, errors.As(err, &own))
				require.Equal(t, api.MsgThroughputTable, own.Reasons[1].Message.Value)
				return n
			}
		}
		return -1
	}
	require.Equal(t, 2, cancelled(func() error {
		_, err := d.TransactWriteItems(context.Background(), &write)
		return err
	}))
	require.Equal(t, 2, cancelled(func() error {
		_, err := d.TransactGetItems(context.Background(), &read)
		return err
	}))
	d.clock.add(time.Second)
	statements := func(text string) func() error {
		return func() error {
			in := &api.ExecuteTransactionInput{}
			for _, table := range []string{"quick", "slow"} {
				in.TransactStatements = append(in.TransactStatements, api.ParameterizedStatement{Statement: api.Some(text + table + " WHERE pk = 'a'")})
			}
			_, err := d.ExecuteTransaction(context.Background(), in)
			return err
		}
	}
	require.Equal(t, 2, cancelled(statements("DELETE FROM ")))
	require.Equal(t, 2, cancelled(statements("SELECT * FROM ")))
}

// TestThrottleStatements: statements are held to the same throughput.
func TestThrottleStatements(t *testing.T) {
	d := slowDB(t, nil)
	run := func(text string, consistent bool) func() error {
		return func() error {
			in := &api.ExecuteStatementInput{Statement: api.Some(text)}
			if consistent {
				in.ConsistentRead = api.Some(true)
			}
			_, err := d.ExecuteStatement(context.Background(), in)
			return err
		}
	}
	require.NoError(t, d.putSlow(slowKey("a")))
	n, _ := times(t, run(`UPDATE slow SET x = 1 WHERE pk = 'a'`, false))
	require.Equal(t, 3, n)
	n, _ = times(t, run(`SELECT * FROM slow WHERE pk = 'a'`, true))
	require.Equal(t, 4, n)
	d.clock.add(time.Second)
	n, _ = times(t, run(`SELECT * FROM slow`, true))
	require.Equal(t, 4, n)
	n, _ = times(t, run(`SELECT * FROM slow.byG`, false))
	require.Equal(t, 2, n)
	batch := &api.BatchExecuteStatementInput{}
	for i := range 6 {
		batch.Statements = append(batch.Statements, api.BatchStatementRequest{Statement: api.Some(fmt.Sprintf("SELECT * FROM slow WHERE pk = 'a%d'", i))})
	}
	d.clock.add(500 * time.Millisecond)
	out, err := d.BatchExecuteStatement(context.Background(), batch)
	require.NoError(t, err)
	for i := range out.Responses {
		require.Equal(t, i >= 4, out.Responses[i].Error != nil, i)
	}
	require.Equal(t, api.BatchStatementErrorCodeProvisionedThroughputExceeded, out.Responses[5].Error.Code.Value)
	require.NoError(t, run(`EXPLAIN SELECT * FROM slow`, true)(), "a plan costs nothing")
}

// TestThrottleRefused: a write whose condition fails costs a unit too.
func TestThrottleRefused(t *testing.T) {
	d := slowDB(t, nil)
	in := &api.PutItemInput{
		TableName: api.Some("slow"), Item: d.build(slowKey("a")), ConditionExpression: api.Some("attribute_exists(pk)"),
	}
	for range 4 {
		_, err := d.PutItem(context.Background(), in)
		require.Equal(t, api.ConditionalCheckFailed, api.CodeOf(err))
	}
	_, err := d.PutItem(context.Background(), in)
	require.Equal(t, api.ProvisionedThroughputExceeded, api.CodeOf(err))
}
