package build_test

import (
	"context"
	"fmt"
	"log"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// Sale is an item of the examples.
type Sale struct {
	Customer string `dynamodbav:"pk"`
	Date     string `dynamodbav:"sk"`
	Total    int    `dynamodbav:"total"`
	Status   string `dynamodbav:"status,omitempty"`
}

// check ends an example that fails.
func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

// shop is a client of a database with a table of sales, of which there are four.
func shop() *build.Client {
	ctx := context.Background()
	db, err := engine.OpenInMemory(engine.Options{})
	check(err)
	client := build.New(db)
	_, err = client.Create("sales").PK(build.StringKey("pk")).SK(build.StringKey("sk")).
		Index(build.GSI("byStatus").PK(build.StringKey("status")).SK(build.NumberKey("total"))).
		Stream(api.StreamViewTypeNewAndOldImages).Run(ctx)
	check(err)
	check(client.BatchWrite().
		Put("sales", Sale{"c#1", "2025-12-24", 40, "paid"}).
		Put("sales", Sale{"c#1", "2026-01-02", 7, "open"}).
		Put("sales", Sale{"c#1", "2026-02-03", 12, "open"}).
		Put("sales", Sale{"c#2", "2026-02-14", 99, "open"}).
		Run(ctx))
	return client
}

// printSales prints what a query finds.
func printSales(query *build.Query) {
	items, err := query.All(context.Background())
	check(err)
	var sales []Sale
	check(build.UnmarshalList(items, &sales))
	for _, s := range sales {
		fmt.Println(s)
	}
}

func ExampleNew() {
	ctx := context.Background()
	client := shop() // build.New(service): the embedded database, or any other api.Service
	for item, err := range client.Query("sales").PK("c#1").SKBeginsWith("2026-").Limit(10).Items(ctx) {
		check(err)
		fmt.Println(item.Get("sk").Text())
	}
	// Output:
	// 2026-01-02
	// 2026-02-03
}

func ExampleTable_Get() {
	ctx, sales := context.Background(), shop().Table("sales")
	var s Sale
	found, err := sales.Get("c#1", "2026-01-02").Consistent().Into(ctx, &s)
	fmt.Println(s, found, err)

	item, err := sales.Get("c#1", "2026-01-02").Project("total", "status").Item(ctx)
	fmt.Println(item.Count(), item.Get("status").Text(), err)

	item, err = sales.Get("c#1", "1999-12-31").Item(ctx)
	fmt.Println(item == nil, err)
	// Output:
	// {c#1 2026-01-02 7 open} true <nil>
	// 2 open <nil>
	// true <nil>
}

func ExampleTable_Put() {
	ctx, sales := context.Background(), shop().Table("sales")
	check(sales.Put(Sale{"c#3", "2026-03-01", 5, "open"}).Run(ctx))
	check(sales.Put(map[string]any{"pk": "c#3", "sk": "2026-03-02", "total": 6}).Run(ctx))
	check(sales.Put(attr.NewItem().S("pk", "c#3").S("sk", "2026-03-03").Int("total", 7)).Run(ctx))

	old, err := sales.Put(Sale{"c#3", "2026-03-01", 50, "open"}).
		If("#s = :open", build.Args{"#s": "status", "open": "open"}).Old(ctx)
	check(err)
	var s Sale
	check(build.Unmarshal(old, &s))
	fmt.Println("before:", s)
	printSales(sales.Query().PK("c#3"))
	// Output:
	// before: {c#3 2026-03-01 5 open}
	// {c#3 2026-03-01 50 open}
	// {c#3 2026-03-02 6 }
	// {c#3 2026-03-03 7 }
}

// The error of a failed condition brings the item along, if asked to.
func ExamplePut_ItemOnFailure() {
	ctx, sales := context.Background(), shop().Table("sales")
	err := sales.Put(Sale{"c#1", "2026-01-02", 8, "open"}).
		If(build.Attr("total").Less(7)).ItemOnFailure().Run(ctx)
	if failed, ok := err.(*api.Error); ok && failed.Code == api.ConditionalCheckFailed {
		var s Sale
		check(build.Unmarshal(failed.Item, &s))
		fmt.Println(s)
	}
	// Output: {c#1 2026-01-02 7 open}
}

func ExampleTable_Delete() {
	ctx, sales := context.Background(), shop().Table("sales")
	old, err := sales.Delete("c#1", "2026-01-02").If(build.Attr("status").NotEqual("paid")).Old(ctx)
	fmt.Println(old.Get("status").Text(), err)
	err = sales.Delete("c#1", "2025-12-24").If(build.Attr("status").NotEqual("paid")).Run(ctx)
	fmt.Println(err)
	// Output:
	// open <nil>
	// ConditionalCheckFailedException: The conditional request failed
}

func ExampleTable_Update() {
	ctx, sales := context.Background(), shop().Table("sales")
	_, err := sales.Update("c#1", "2026-01-02").
		Set("status", "paid").
		Set("history", build.ListAppend(build.IfNotExists(build.Attr("history"), []string{}), []string{"paid"})).
		SetIfAbsent("currency", "EUR").
		Add("total", 3).
		Add("tags", build.StringSet("late")).
		If(build.Attr("status").Equal("open")).
		New(ctx)
	check(err)
	check(sales.Update("c#1", "2026-01-02").Remove("history[0]", "currency").DeleteFrom("tags", build.StringSet("late")).Run(ctx))
	printSales(sales.Query().PK("c#1").SKEqual("2026-01-02"))

	// The same as a text.
	check(sales.Update("c#1", "2026-01-02").
		Expr("SET #s = :s ADD #t :n", build.Args{"#s": "status", "s": "open", "#t": "total", "n": -3}).Run(ctx))
	printSales(sales.Query().PK("c#1").SKEqual("2026-01-02"))
	// Output:
	// {c#1 2026-01-02 10 paid}
	// {c#1 2026-01-02 7 open}
}

func ExampleTable_Query() {
	ctx, sales := context.Background(), shop().Table("sales")
	printSales(sales.Query().PK("c#1").SKBetween("2026-01", "2026-12").Descending())

	n, err := sales.Query().PK("c#1").Filter("total > :n", build.Args{"n": 10}).Count(ctx)
	fmt.Println(n, err)
	n, err = sales.Query().PK("c#1").Filter(build.Attr("total").Greater(10)).Count(ctx)
	fmt.Println(n, err)
	// Output:
	// {c#1 2026-02-03 12 open}
	// {c#1 2026-01-02 7 open}
	// 0 ValidationException: Invalid FilterExpression: Attribute name is a reserved keyword; reserved keyword: total
	// 2 <nil>
}

func ExampleQuery_Index() {
	printSales(shop().Query("sales").Index("byStatus").PK("open").SKGreaterEqual(12))
	// Output:
	// {c#1 2026-02-03 12 open}
	// {c#2 2026-02-14 99 open}
}

// A program that answers page by page hands out where the next one begins.
func ExampleQuery_From() {
	ctx, client := context.Background(), shop()
	var next attr.Item
	for {
		page, err := client.Query("sales").PK("c#1").PageSize(2).From(next).Page(ctx)
		check(err)
		fmt.Println(page.Count, "and more:", page.Next != nil)
		if next = page.Next; next == nil {
			break
		}
	}
	// Output:
	// 2 and more: true
	// 1 and more: false
}

func ExampleTable_Scan() {
	ctx, sales := context.Background(), shop().Table("sales")
	n := int64(0)
	for i := range 4 { // as four programs may do at the same time
		part, err := sales.Scan().Segment(i, 4).Filter(build.Attr("status").Equal("open")).Count(ctx)
		check(err)
		n += part
	}
	fmt.Println(n)
	// Output: 3
}

func ExampleAs() {
	ctx := context.Background()
	sum := 0
	for s, err := range build.As[Sale](shop().Scan("sales").Items(ctx)) {
		check(err)
		sum += s.Total
	}
	fmt.Println(sum)
	// Output: 158
}

func ExampleAttr() {
	ctx, sales := context.Background(), shop().Table("sales")
	due := build.Attr("status").Equal("open").And(
		build.Attr("total").Less(10).Or(build.Attr("total").Greater(90)),
		build.Not(build.Attr("sk").BeginsWith("2025-")),
	)
	n, err := sales.Scan().Filter(due).Count(ctx)
	fmt.Println(n, err)

	// Documents have paths; names that look like one are escaped, or made by Name.
	check(sales.Update("c#1", "2026-01-02").Set("lines", []map[string]any{{"sku.id": "a"}}).Run(ctx))
	for _, o := range []build.Operand{build.Attr(`lines[0].sku\.id`), build.Name("lines").Index(0).Key("sku.id")} {
		n, err = sales.Scan().Filter(o.Equal("a")).Count(ctx)
		fmt.Println(n, err)
	}
	// Output:
	// 2 <nil>
	// 1 <nil>
	// 1 <nil>
}

func ExampleText() {
	ctx, sales := context.Background(), shop().Table("sales")
	both := build.Text("#t BETWEEN :low AND :high", build.Args{"#t": "total", "low": 5, "high": 50}).
		And(build.Attr("status").Equal("open"))
	n, err := sales.Scan().Filter(both).Count(ctx)
	fmt.Println(n, err)
	// Output: 2 <nil>
}

func ExampleClient_BatchGet() {
	ctx, client := context.Background(), shop()
	all, err := client.BatchGet().Get("sales", "c#1", "2026-01-02").Get("sales", "c#9", "none").
		Project("sales", "total").All(ctx)
	fmt.Println(len(all["sales"]), err)
	// Output: 1 <nil>
}

func ExampleClient_BatchWrite() {
	ctx, client := context.Background(), shop()
	batch := client.BatchWrite().Delete("sales", "c#2", "2026-02-14")
	for i := range 100 {
		batch.Put("sales", Sale{"c#3", fmt.Sprintf("2026-%03d", i), i, ""})
	}
	check(batch.Run(ctx))
	n, err := client.Scan("sales").Count(ctx)
	fmt.Println(n, err)
	// Output: 103 <nil>
}

func ExampleClient_TransactWrite() {
	ctx, client := context.Background(), shop()
	sales := client.Table("sales")
	err := client.TransactWrite(
		sales.Put(Sale{"c#1", "2026-03-01", 20, "open"}).If("attribute_not_exists(pk)"),
		sales.Update("c#1", "2026-02-03").Set("status", "paid"),
		sales.Delete("c#1", "2026-01-02"),
		sales.Check("c#2", "2026-02-14").If(build.Attr("status").Equal("paid")),
	).Token("once").Run(ctx)
	if cancelled, ok := err.(*api.Error); ok {
		for _, reason := range cancelled.Reasons {
			fmt.Println(reason.Code.Value)
		}
	}
	// Output:
	// None
	// None
	// None
	// ConditionalCheckFailed
}

func ExampleClient_TransactGet() {
	ctx, client := context.Background(), shop()
	sales := client.Table("sales")
	items, err := client.TransactGet(sales.Get("c#1", "2026-01-02"), sales.Get("c#9", "none")).Items(ctx)
	fmt.Println(items[0].Get("status").Text(), items[1] == nil, err)
	// Output: open true <nil>
}

func ExampleClient_Statement() {
	ctx, client := context.Background(), shop()
	check(client.Statement(`INSERT INTO sales VALUE {'pk': ?, 'sk': ?, 'total': ?}`, "c#3", "2026-03-01", 5).Exec(ctx))
	for row, err := range client.Statement(`SELECT * FROM sales WHERE pk = ?`, "c#3").Rows(ctx) {
		check(err)
		fmt.Println(row.Get("sk").Text())
	}
	// Output: 2026-03-01
}

func ExampleClient_BatchStatements() {
	ctx, client := context.Background(), shop()
	const insert = `INSERT INTO sales VALUE {'pk': ?, 'sk': ?}`
	responses, err := client.BatchStatements(
		client.Statement(insert, "c#3", "2026-03-01"),
		client.Statement(insert, "c#1", "2026-01-02"),
	).Run(ctx)
	check(err)
	fmt.Println(responses[0].Error == nil, responses[1].Error.Code.Value)
	// Output: true DuplicateItem
}

func ExampleClient_TransactStatements() {
	ctx, client := context.Background(), shop()
	const move = `UPDATE sales SET total = total + ? WHERE pk = ? AND sk = ?`
	_, err := client.TransactStatements(
		client.Statement(move, -5, "c#1", "2026-01-02"),
		client.Statement(move, 5, "c#1", "2026-02-03"),
	).Run(ctx)
	check(err)
	printSales(client.Query("sales").PK("c#1").SKBeginsWith("2026-"))
	// Output:
	// {c#1 2026-01-02 2 open}
	// {c#1 2026-02-03 17 open}
}

func ExampleClient_Create() {
	ctx, client := context.Background(), shop()
	table, err := client.Create("visits").PK(build.StringKey("page")).SK(build.NumberKey("at")).
		Index(
			build.GSI("byPerson").PK(build.StringKey("person")).SK(build.NumberKey("at")).KeysOnly(),
			build.LSI("byCountry").SK(build.StringKey("country")).Include("person"),
		).
		Stream(api.StreamViewTypeKeysOnly).Run(ctx)
	check(err)
	visits := client.Table("visits")
	check(visits.Wait(ctx))
	check(visits.EnableTTL(ctx, "expires"))
	fmt.Println(table.TableName.Value, len(table.GlobalSecondaryIndexes), len(table.LocalSecondaryIndexes))
	for name, err := range client.Tables(ctx) {
		check(err)
		fmt.Println(name)
	}
	check(visits.Drop(ctx))
	// Output:
	// visits 1 1
	// sales
	// visits
}

func ExampleTable_CreateIndex() {
	ctx, sales := context.Background(), shop().Table("sales")
	check(sales.CreateIndex(ctx, build.GSI("byDate").PK(build.StringKey("sk"))))
	check(sales.Wait(ctx))
	n, err := sales.Query().Index("byDate").PK("2026-02-14").Count(ctx)
	fmt.Println(n, err)
	check(sales.DropIndex(ctx, "byDate"))
	// Output: 1 <nil>
}

// A follower stores the position of what it is done with, and resumes there.
func ExampleTable_Changes() {
	ctx, sales := context.Background(), shop().Table("sales")
	check(sales.Update("c#1", "2026-01-02").Set("status", "paid").Run(ctx))
	check(sales.Delete("c#2", "2026-02-14").Run(ctx))

	position := ""
	for change, err := range sales.Changes().FromStart().Records(ctx) {
		check(err)
		position = change.Dynamodb.SequenceNumber.Value
		if change.EventName.Value == api.OperationTypeModify {
			fmt.Println(change.Dynamodb.NewImage.Get("status").Text())
			break
		}
	}
	for change, err := range sales.Changes().After(position).Records(ctx) {
		check(err)
		fmt.Println(change.EventName.Value, change.Dynamodb.Keys.Get("sk").Text())
		break
	}
	// Output:
	// paid
	// REMOVE 2026-02-14
}

func ExampleTable_Describe() {
	ctx, sales := context.Background(), shop().Table("sales")
	d, err := sales.Describe(ctx)
	check(err)
	fmt.Println(d.TableStatus.Value, d.GlobalSecondaryIndexes[0].IndexName.Value)
	// Output: ACTIVE byStatus
}

func ExampleTable_EnableTTL() {
	ctx, sales := context.Background(), shop().Table("sales")
	check(sales.EnableTTL(ctx, "expires"))
	attribute, err := sales.TTL(ctx)
	fmt.Println(attribute, err)
	check(sales.DisableTTL(ctx, "expires"))
	attribute, err = sales.TTL(ctx)
	fmt.Println(attribute == "", err)
	// Output:
	// expires <nil>
	// true <nil>
}

func ExampleTable_EnableStream() {
	ctx, sales := context.Background(), shop().Table("sales")
	check(sales.DisableStream(ctx))
	check(sales.EnableStream(ctx, api.StreamViewTypeNewImage))
	d, err := sales.Describe(ctx)
	check(err)
	fmt.Println(d.StreamSpecification.StreamViewType.Value)
	// Output: NEW_IMAGE
}

// Sets are values of their own: a slice is a list.
func ExampleStringSet() {
	ctx, sales := context.Background(), shop().Table("sales")
	check(sales.Update("c#1", "2026-01-02").
		Set("tags", build.StringSet("gift", "late")).
		Set("sizes", build.NumberSet("38", "40.5")).Run(ctx))
	n, err := sales.Scan().Filter(build.Attr("tags").Contains("gift").And(build.Attr("sizes").Contains(38))).Count(ctx)
	fmt.Println(n, err)
	// Output: 1 <nil>
}

// Names that come from elsewhere may look like a path.
func ExampleEscape() {
	ctx, sales := context.Background(), shop().Table("sales")
	name := "size[cm].net"
	check(sales.Update("c#1", "2026-01-02").Set(build.Escape(name), 5).Run(ctx))
	item, err := sales.Get("c#1", "2026-01-02").Project(build.Escape(name)).Item(ctx)
	fmt.Println(item.Has(name), err)
	// Output: true <nil>
}
