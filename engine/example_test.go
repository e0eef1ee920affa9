package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// Order is an item of the examples.
type Order struct {
	Customer string `dynamodbav:"pk"`
	Date     string `dynamodbav:"sk"`
	Total    int    `dynamodbav:"total"`
	Expires  int64  `dynamodbav:"expires,omitempty"`
}

// check ends an example that fails.
func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

// shop is a database with a table of orders, of which there are three.
func shop() *engine.DB {
	ctx := context.Background()
	db, err := engine.OpenInMemory(engine.Options{})
	check(err)
	_, err = db.Client().Create("orders").PK(build.StringKey("pk")).SK(build.StringKey("sk")).Run(ctx)
	check(err)
	check(db.Client().BatchWrite().
		Put("orders", Order{Customer: "c#1", Date: "2025-12-24", Total: 40}).
		Put("orders", Order{Customer: "c#1", Date: "2026-01-02", Total: 7}).
		Put("orders", Order{Customer: "c#1", Date: "2026-02-03", Total: 12}).
		Run(ctx))
	return db
}

// A database is one file; what is written is there when it is opened again.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	path, ctx := filepath.Join(dir, "shop.kstone"), context.Background()

	db, err := engine.Open(path, engine.Options{})
	check(err)
	_, err = db.Client().Create("orders").PK(build.StringKey("pk")).SK(build.StringKey("sk")).Run(ctx)
	check(err)
	check(db.Table("orders").Put(Order{Customer: "c#1", Date: "2026-01-02", Total: 7}).Run(ctx))
	check(db.Close())

	db, err = engine.Open(path, engine.Options{})
	check(err)
	defer func() { check(db.Close()) }()
	var order Order
	found, err := db.Table("orders").Get("c#1", "2026-01-02").Into(ctx, &order)
	check(err)
	fmt.Println(found, order.Total)
	// Output: true 7
}

// Tests bring the clock along: here an item expires without anybody waiting for it.
func ExampleOpenInMemory() {
	ctx := context.Background()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	db, err := engine.OpenInMemory(engine.Options{
		Clock:        func() time.Time { return now },
		NoBackground: true,
	})
	check(err)
	defer func() { check(db.Close()) }()
	_, err = db.Client().Create("orders").PK(build.StringKey("pk")).SK(build.StringKey("sk")).Run(ctx)
	check(err)

	orders := db.Table("orders")
	check(orders.EnableTTL(ctx, "expires"))
	check(orders.Put(Order{Customer: "c#1", Date: "2026-01-02", Expires: now.Add(time.Hour).Unix()}).Run(ctx))
	for range 2 {
		n, err := orders.Scan().Count(ctx)
		check(err)
		fmt.Println(n)
		now = now.Add(2 * time.Hour)
	}
	// Output:
	// 1
	// 0
}

func ExampleDB_Table() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()
	orders := db.Table("orders")

	// Put takes structs, maps and items; a condition keeps it from overwriting.
	order := Order{Customer: "c#2", Date: "2026-03-04", Total: 99}
	check(orders.Put(order).If("attribute_not_exists(pk)").Run(ctx))
	fmt.Println("again:", api.CodeOf(orders.Put(order).If("attribute_not_exists(pk)").Run(ctx)))

	// Update counts, and returns what came of it.
	updated, err := orders.Update("c#2", "2026-03-04").Add("total", 1).New(ctx)
	check(err)
	check(build.Unmarshal(updated, &order))
	fmt.Println("updated:", order.Total)

	check(orders.Delete("c#2", "2026-03-04").If(build.Attr("total").Equal(100)).Run(ctx))
	found, err := orders.Get("c#2", "2026-03-04").Into(ctx, &order)
	check(err)
	fmt.Println("found:", found)
	// Output:
	// again: ConditionalCheckFailedException
	// updated: 100
	// found: false
}

func ExampleDB_Table_query() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	thisYear := db.Table("orders").Query().PK("c#1").SKBeginsWith("2026-").Limit(10)
	for order, err := range build.As[Order](thisYear.Items(ctx)) {
		check(err)
		fmt.Println(order.Date, order.Total)
	}
	// Output:
	// 2026-01-02 7
	// 2026-02-03 12
}

func ExampleDB_Client() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()
	client, orders := db.Client(), db.Table("orders")

	// A transaction does all of its writes or none of them.
	for range 2 {
		err := client.TransactWrite(
			orders.Update("c#1", "2026-01-02").Add("total", -5).If("#t >= :n", build.Args{"#t": "total", "n": 5}),
			orders.Update("c#1", "2026-02-03").Add("total", 5),
		).Run(ctx)
		fmt.Println(api.CodeOf(err))
	}
	var order Order
	_, err := orders.Get("c#1", "2026-02-03").Into(ctx, &order)
	check(err)
	fmt.Println(order.Total)
	// Output:
	//
	// TransactionCanceledException
	// 17
}

func ExampleDB_Client_partiql() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	rows := db.Client().Statement(`SELECT sk, "total" FROM orders WHERE pk = ? AND "total" > ?`, "c#1", 10).Rows(ctx)
	for order, err := range build.As[Order](rows) {
		check(err)
		fmt.Println(order.Date, order.Total)
	}
	// Output:
	// 2025-12-24 40
	// 2026-02-03 12
}

// Whatever has no call of its own is a method of the contract.
func ExampleDB_Query() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.Query(ctx, &api.QueryInput{
		TableName:                 api.Some("orders"),
		KeyConditionExpression:    api.Some("pk = :pk"),
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":pk", Value: attr.String("c#1")}},
		ReturnConsumedCapacity:    api.Some(api.ReturnConsumedCapacityTotal),
	})
	check(err)
	fmt.Println(out.Count.Value, out.ConsumedCapacity.CapacityUnits.Value)
	// Output: 3 0.5
}

// Subscribe pushes; the range loop over Changes is the same for people.
func ExampleDB_Subscribe() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()
	orders := db.Table("orders")
	check(orders.EnableStream(ctx, api.StreamViewTypeNewAndOldImages))
	check(orders.Update("c#1", "2026-01-02").Set("total", 8).Run(ctx))
	check(orders.Delete("c#1", "2026-02-03").Run(ctx))

	ctx, cancel := context.WithCancel(ctx)
	err := db.Subscribe(ctx, &api.SubscribeInput{
		TableName: api.Some("orders"), StartingPosition: api.Some(api.StartTrimHorizon),
	}, func(out *api.SubscribeOutput) error {
		for _, r := range out.Records {
			fmt.Println(r.EventName.Value, r.Dynamodb.Keys.Get("sk").Text())
			if r.EventName.Value == api.OperationTypeRemove {
				cancel()
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// MODIFY 2026-01-02
	// REMOVE 2026-02-03
	// context canceled
}
