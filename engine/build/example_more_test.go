package build_test

import (
	"context"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// Operands compare with operands and with values of any type.
func ExampleOperand() {
	ctx, sales := context.Background(), shop().Table("sales")
	total, status := build.Attr("total"), build.Attr("status")
	for _, filter := range []build.Condition{
		total.Between(7, 12),
		total.Greater(40),
		total.GreaterEqual(40),
		total.Less(12),
		total.LessEqual(12),
		status.In("paid", "lost"),
		status.NotEqual("paid"),
		status.BeginsWith("op"),
		status.Contains("pe"),
		status.AttributeExists(),
		status.AttributeNotExists(),
		status.AttributeType(attr.S),
		build.Size(status).Equal(4),
		build.Name("a.dotted.name").Size().Greater(0),
		build.Not(status.Equal("open")).Or(total.Equal(7)),
	} {
		n, err := sales.Scan().Filter(filter).Count(ctx)
		check(err)
		fmt.Print(n, " ")
	}
	// Output: 2 1 2 1 2 1 3 3 3 4 0 4 4 0 2
}

// Updates compute: of numbers, of what is there or else of a value, of lists.
func ExampleUpdate_UpdatedNew() {
	ctx, sales := context.Background(), shop().Table("sales")
	total := build.Attr("total")
	changed, err := sales.Update("c#1", "2026-01-02").
		Set("total", total.Plus(3)).
		Set("before", total.Minus(1)).
		Set("visits", build.IfNotExists(build.Attr("visits"), 0).Plus(1)).
		UpdatedNew(ctx)
	fmt.Println(changed, err)
	changed, err = sales.Update("c#1", "2026-01-02").Set("total", 0).UpdatedOld(ctx)
	fmt.Println(changed, err)
	// Output:
	// {"before":{"N":"6"},"total":{"N":"10"},"visits":{"N":"1"}} <nil>
	// {"total":{"N":"10"}} <nil>
}

// Sort keys are in a range; a KeyCondition says the same as a text.
func ExampleQuery_SKBetween() {
	sales := shop().Table("sales")
	for _, query := range []*build.Query{
		sales.Query().PK("c#1").SKBetween("2026-01-01", "2026-01-31"),
		sales.Query().PK("c#1").SKGreater("2026-01-02"),
		sales.Query().PK("c#1").SKGreaterEqual("2026-01-02"),
		sales.Query().PK("c#1").SKLess("2026-01-02"),
		sales.Query().PK("c#1").SKLessEqual("2026-01-02"),
		sales.Query().PK("c#1").SKEqual("2026-01-02"),
		sales.Query().KeyCondition("pk = :pk", build.Args{":pk": "c#1"}),
	} {
		n, err := query.Count(context.Background())
		check(err)
		fmt.Print(n, " ")
	}
	// Output: 1 1 2 1 2 1 3
}

// A page is one request; Pages makes them all.
func ExampleQuery_Pages() {
	for page, err := range shop().Query("sales").PK("c#1").PageSize(2).Pages(context.Background()) {
		check(err)
		fmt.Println(page.Count, page.Next != nil)
	}
	// Output:
	// 2 true
	// 1 false
}

// Deliveries are several records with a position to go on from; the first one comes at once.
func ExampleChanges_Deliveries() {
	ctx, sales := context.Background(), shop().Table("sales")
	position := ""
	for delivery, err := range sales.Changes().Since(time.Unix(0, 0)).PageSize(3).Deliveries(ctx) {
		check(err)
		if len(delivery.Records) > 0 {
			position = delivery.Position // to be stored with what was done about the records
			fmt.Println(len(delivery.Records))
			break
		}
	}
	for record, err := range sales.Changes().After(position).Records(ctx) {
		check(err)
		fmt.Println(record.Dynamodb.Keys.Get("sk"))
		break
	}
	// Output:
	// 3
	// {"S":"2026-02-14"}
}

// One shard can be followed alone, for readers that share the work.
func ExampleChanges_Shard() {
	ctx, client := context.Background(), shop()
	table, err := client.Table("sales").Describe(ctx)
	check(err)
	stream, err := client.Service().DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: table.LatestStreamArn})
	check(err)
	shard := stream.StreamDescription.Shards[0].ShardId.Value
	for record, err := range client.Table("sales").Changes().Shard(shard).FromStart().Records(ctx) {
		check(err)
		fmt.Println(record.EventName.Value, record.Dynamodb.Keys.Get("sk"))
		break
	}
	// Output: INSERT {"S":"2025-12-24"}
}

// A Number keeps all digits and gives those that a Go type can hold.
func ExampleNumber_Int64() {
	n := build.Number("12345678901234567890123456789012345678")
	_, err := n.Int64()
	f, _ := n.Float64()
	u, _ := build.Number("18446744073709551615").Uint64()
	fmt.Println(n.String(), err != nil, f, u)
	// Output: 12345678901234567890123456789012345678 true 1.2345678901234568e+37 18446744073709551615
}

// Provisioned tables have units; keys may be binary, and values sets of binaries.
func ExampleCreate_Provisioned() {
	ctx := context.Background()
	client := build.NewWith(shop().Service(), build.Options{Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	_, err := client.Create("blobs").PK(build.BinaryKey("id")).Provisioned(5, 5).
		Index(build.GSI("bySize").PK(build.NumberKey("size")).Provisioned(1, 1)).Run(ctx)
	check(err)
	blobs := client.Table("blobs")
	check(blobs.Put(map[string]any{"id": []byte{1, 2}, "size": 2}).Run(ctx))
	item, err := blobs.Update([]byte{1, 2}).Add("parts", build.BinarySet([]byte{1}, []byte{2})).New(ctx)
	fmt.Println(item, err)
	// Output: {"id":{"B":"AQI="},"parts":{"BS":["AQ==","Ag=="]},"size":{"N":"2"}} <nil>
}
