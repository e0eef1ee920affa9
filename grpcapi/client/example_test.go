package client_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// Order is an item of the examples.
type Order struct {
	Customer string `dynamodbav:"pk"`
	Date     string `dynamodbav:"sk"`
	Total    int    `dynamodbav:"total"`
}

// check ends an example that fails.
func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

// serveShop runs a server in the process, with the table orders and three orders in it, and gives its
// address.
func serveShop() (target string) {
	db, err := engine.OpenInMemory(engine.Options{})
	check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() { check(grpcapi.NewServer(db, grpcapi.Options{}).Serve(l)) }()
	ctx := context.Background()
	_, err = db.Client().Create("orders").PK(build.StringKey("pk")).SK(build.StringKey("sk")).
		Stream(api.StreamViewTypeNewAndOldImages).Run(ctx)
	check(err)
	check(db.Client().BatchWrite().
		Put("orders", Order{"c#1", "2025-12-24", 40}).
		Put("orders", Order{"c#1", "2026-01-02", 7}).
		Put("orders", Order{"c#1", "2026-02-03", 12}).
		Run(ctx))
	return l.Addr().String()
}

// dialShop gives a client of such a server.
func dialShop() *client.Client {
	db, err := client.Dial(serveShop(), client.Options{})
	check(err)
	return db
}

func ExampleDial() {
	ctx := context.Background()
	db, err := client.Dial(serveShop(), client.Options{})
	check(err)
	defer func() { check(db.Close()) }()

	orders := db.Table("orders")
	check(orders.Put(Order{"c#2", "2026-03-04", 99}).If("attribute_not_exists(pk)").Run(ctx))
	var order Order
	found, err := orders.Get("c#2", "2026-03-04").Into(ctx, &order)
	check(err)
	fmt.Println(found, order.Total)
	// Output: true 99
}

func ExampleClient_query() {
	db := dialShop()
	defer func() { check(db.Close()) }()

	items := db.Query("orders").PK("c#1").SKBeginsWith("2026-").Limit(10).Items(context.Background())
	for order, err := range build.As[Order](items) {
		check(err)
		fmt.Println(order.Date, order.Total)
	}
	// Output:
	// 2026-01-02 7
	// 2026-02-03 12
}

func ExampleClient_transaction() {
	ctx := context.Background()
	db := dialShop()
	defer func() { check(db.Close()) }()

	// The transaction gets a token here: if its answer is lost it is sent again, and done once.
	orders := db.Table("orders")
	check(db.TransactWrite(
		orders.Update("c#1", "2026-01-02").Add("total", -5),
		orders.Update("c#1", "2026-02-03").Add("total", 5),
	).Run(ctx))
	var order Order
	_, err := orders.Get("c#1", "2026-02-03").Into(ctx, &order)
	check(err)
	fmt.Println(order.Total)
	// Output: 17
}

func ExampleClient_statement() {
	db := dialShop()
	defer func() { check(db.Close()) }()

	rows := db.Statement("SELECT sk, total FROM orders WHERE pk = ? AND total > ?", "c#1", 10).Rows(context.Background())
	for row, err := range rows {
		check(err)
		fmt.Println(row.Get("sk").Text())
	}
	// Output:
	// 2025-12-24
	// 2026-02-03
}

// A loop over changes goes on over broken connections and restarts of the server.
func ExampleClient_changes() {
	db := dialShop()
	defer func() { check(db.Close()) }()

	n := 0
	for change, err := range db.Table("orders").Changes().FromStart().Records(context.Background()) {
		check(err)
		fmt.Println(change.EventName.Value, change.Dynamodb.NewImage.Get("sk").Text())
		if n++; n == 3 {
			break
		}
	}
	// Unordered output:
	// INSERT 2025-12-24
	// INSERT 2026-01-02
	// INSERT 2026-02-03
}

func ExampleClient_Call() {
	db := dialShop()
	defer func() { check(db.Close()) }()

	answer, err := db.Call(context.Background(), "GetItem", []byte(
		`{"TableName":"orders","Key":{"pk":{"S":"c#1"},"sk":{"S":"2026-01-02"}},"ProjectionExpression":"sk"}`))
	check(err)
	fmt.Println(string(answer))
	// Output: {"Item":{"sk":{"S":"2026-01-02"}}}
}

// The client's service is an api.Service like the embedded database, so that what is written for one runs
// with the other. Its errors are the database's.
func ExampleClient_service() {
	db := dialShop()
	defer func() { check(db.Close()) }()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := db.Service().DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("none")})
	fmt.Println(api.CodeOf(err) == api.ResourceNotFound)
	fmt.Println(err)
	// Output:
	// true
	// ResourceNotFoundException: Requested resource not found: Table: none not found
}
