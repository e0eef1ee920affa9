package engine_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// orderKey is the key of an order.
func orderKey(customer, date string) attr.Item {
	key, err := attr.NewItem().S("pk", customer).S("sk", date).Build()
	check(err)
	return key
}

func ExampleDB_PutItem() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	item, err := attr.NewItem().S("pk", "c#2").S("sk", "2026-03-04").Int("total", 5).Build()
	check(err)
	in := &api.PutItemInput{
		TableName: api.Some("orders"), Item: item, ConditionExpression: api.Some("attribute_not_exists(pk)"),
	}
	_, err = db.PutItem(ctx, in)
	check(err)
	_, err = db.PutItem(ctx, in)
	fmt.Println(api.CodeOf(err) == api.ConditionalCheckFailed)
	// Output: true
}

func ExampleDB_GetItem() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.GetItem(ctx, &api.GetItemInput{TableName: api.Some("orders"), Key: orderKey("c#1", "2026-01-02")})
	check(err)
	fmt.Println(out.Item)
	// Output: {"pk":{"S":"c#1"},"sk":{"S":"2026-01-02"},"total":{"N":"7"}}
}

func ExampleDB_UpdateItem() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.UpdateItem(ctx, &api.UpdateItemInput{
		TableName: api.Some("orders"), Key: orderKey("c#1", "2026-01-02"),
		UpdateExpression:          api.Some("ADD #t :one"),
		ExpressionAttributeNames:  []api.Name{{Placeholder: "#t", Name: "total"}},
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":one", Value: attr.Int(1)}},
		ReturnValues:              api.Some(api.ReturnValueUpdatedNew),
	})
	check(err)
	fmt.Println(out.Attributes)
	// Output: {"total":{"N":"8"}}
}

func ExampleDB_DeleteItem() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.DeleteItem(ctx, &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: orderKey("c#1", "2026-01-02"), ReturnValues: api.Some(api.ReturnValueAllOld),
	})
	check(err)
	fmt.Println(out.Attributes.Get("total"))
	// Output: {"N":"7"}
}

// A page holds up to 1 MB; the next one begins behind LastEvaluatedKey.
func ExampleDB_Scan() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	in := &api.ScanInput{TableName: api.Some("orders"), Limit: api.Some[int64](2)}
	for {
		out, err := db.Scan(ctx, in)
		check(err)
		fmt.Println(len(out.Items))
		if out.LastEvaluatedKey == nil {
			break
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	// Output:
	// 2
	// 1
}

// What is in UnprocessedKeys must be asked for again; the batches of Client do that.
func ExampleDB_BatchGetItem() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.BatchGetItem(ctx, &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{{
		Key:   "orders",
		Value: api.KeysAndAttributes{Keys: []attr.Item{orderKey("c#1", "2026-01-02"), orderKey("c#1", "none")}},
	}}})
	check(err)
	for _, table := range out.Responses {
		fmt.Println(table.Key, len(table.Value))
	}
	// Output: orders 1
}

func ExampleDB_BatchWriteItem() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{
		Key: "orders",
		Value: []api.WriteRequest{
			{PutRequest: &api.PutRequest{Item: orderKey("c#3", "2026-01-02")}},
			{DeleteRequest: &api.DeleteRequest{Key: orderKey("c#1", "2026-01-02")}},
		},
	}}})
	check(err)
	fmt.Println(len(out.UnprocessedItems))
	// Output: 0
}

func ExampleDB_TransactWriteItems() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	_, err := db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: api.Some("orders"), Item: orderKey("c#3", "2026-01-02")}},
		{ConditionCheck: &api.ConditionCheck{
			TableName: api.Some("orders"), Key: orderKey("c#1", "2026-01-02"),
			ConditionExpression: api.Some("attribute_not_exists(pk)"),
		}},
	}})
	if e, ok := errors.AsType[*api.Error](err); ok {
		for _, reason := range e.Reasons {
			fmt.Println(reason.Code.Value)
		}
	}
	// Output:
	// None
	// ConditionalCheckFailed
}

func ExampleDB_TransactGetItems() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.TransactGetItems(ctx, &api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{
		{Get: &api.Get{TableName: api.Some("orders"), Key: orderKey("c#1", "2026-01-02")}},
		{Get: &api.Get{TableName: api.Some("orders"), Key: orderKey("c#1", "none")}},
	}})
	check(err)
	for _, r := range out.Responses {
		fmt.Println(r.Item.Get("total"))
	}
	// Output:
	// {"N":"7"}
	// absent
}

func ExampleDB_ExecuteStatement() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.ExecuteStatement(ctx, &api.ExecuteStatementInput{
		Statement:  api.Some(`SELECT sk FROM orders WHERE pk = ? AND "total" > 10`),
		Parameters: []attr.Value{attr.String("c#1")},
	})
	check(err)
	for _, row := range out.Items {
		fmt.Println(row)
	}
	// Output:
	// {"sk":{"S":"2025-12-24"}}
	// {"sk":{"S":"2026-02-03"}}
}

func ExampleDB_BatchExecuteStatement() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.BatchExecuteStatement(ctx, &api.BatchExecuteStatementInput{Statements: []api.BatchStatementRequest{
		{Statement: api.Some("SELECT * FROM orders WHERE pk = 'c#1' AND sk = '2026-01-02'")},
		{Statement: api.Some("SELECT * FROM nowhere WHERE pk = 'c#1'")},
	}})
	check(err)
	fmt.Println(out.Responses[0].Item.Get("total"), out.Responses[1].Error.Code.Value)
	// Output: {"N":"7"} ResourceNotFound
}

func ExampleDB_ExecuteTransaction() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	_, err := db.ExecuteTransaction(ctx, &api.ExecuteTransactionInput{TransactStatements: []api.ParameterizedStatement{
		{Statement: api.Some(`UPDATE orders SET "total" = 0 WHERE pk = 'c#1' AND sk = '2026-01-02'`)},
		{Statement: api.Some(`DELETE FROM orders WHERE pk = 'c#1' AND sk = '2026-02-03'`)},
	}})
	fmt.Println(err)
	// Output: <nil>
}
