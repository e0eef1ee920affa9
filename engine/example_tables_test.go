package engine_test

import (
	"context"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// A store is what a database lies on: a file, memory, or one of a program's own.
func ExampleOpenStore() {
	store, err := memstore.Open(memstore.Options{})
	check(err)
	db, err := engine.OpenStore(store, engine.Options{})
	check(err)
	fmt.Println(db.Ready(context.Background()))
	check(db.Close())
	// Output: true
}

func ExampleDB_CreateTable() {
	db, err := engine.OpenInMemory(engine.Options{})
	check(err)
	defer func() { check(db.Close()) }()

	out, err := db.CreateTable(context.Background(), &api.CreateTableInput{
		TableName:   api.Some("users"),
		BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema:   []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some(api.KeyTypeHash)}},
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("id"), AttributeType: api.Some(api.ScalarAttributeTypeS)},
		},
	})
	check(err)
	fmt.Println(out.TableDescription.TableArn.Value)
	// Output: arn:aws:dynamodb:us-east-1:123456789012:table/users
}

func ExampleDB_DescribeTable() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("orders")})
	check(err)
	fmt.Println(out.Table.TableStatus.Value, out.Table.ItemCount.Value)
	// Output: ACTIVE 3
}

func ExampleDB_ListTables() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.ListTables(ctx, &api.ListTablesInput{})
	check(err)
	fmt.Println(out.TableNames)
	// Output: [orders]
}

func ExampleDB_UpdateTable() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.UpdateTable(ctx, &api.UpdateTableInput{
		TableName: api.Some("orders"), DeletionProtectionEnabled: api.Some(true),
	})
	check(err)
	fmt.Println(out.TableDescription.DeletionProtectionEnabled.Value)
	// Output: true
}

func ExampleDB_DeleteTable() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	_, err := db.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	check(err)
	_, err = db.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("orders")})
	fmt.Println(api.CodeOf(err) == api.ResourceNotFound)
	// Output: true
}

func ExampleDB_UpdateTimeToLive() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	_, err := db.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName: api.Some("orders"),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{
			AttributeName: api.Some("expires"), Enabled: api.Some(true),
		},
	})
	check(err)
	out, err := db.DescribeTimeToLive(ctx, &api.DescribeTimeToLiveInput{TableName: api.Some("orders")})
	check(err)
	fmt.Println(out.TimeToLiveDescription.TimeToLiveStatus.Value, out.TimeToLiveDescription.AttributeName.Value)
	// Output: ENABLED expires
}

// Without background work, Work does what is due: here, it removes an item whose time is past.
func ExampleDB_Work() {
	now, ctx := time.Unix(1_767_000_000, 0), context.Background()
	db, err := engine.OpenInMemory(engine.Options{Clock: func() time.Time { return now }, NoBackground: true})
	check(err)
	defer func() { check(db.Close()) }()
	_, err = db.Client().Create("orders").PK(build.StringKey("pk")).SK(build.StringKey("sk")).Run(ctx)
	check(err)
	orders := db.Table("orders")
	check(orders.EnableTTL(ctx, "expires"))
	check(orders.Put(Order{Customer: "c#1", Date: "2026-01-02", Expires: now.Add(time.Hour).Unix()}).Run(ctx))

	now = now.Add(2 * time.Hour)
	check(db.Work(ctx))
	table, err := orders.Describe(ctx)
	check(err)
	fmt.Println(table.ItemCount.Value)
	// Output: 0
}

func ExampleDB_TagResource() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()
	table, err := db.Table("orders").Describe(ctx)
	check(err)

	_, err = db.TagResource(ctx, &api.TagResourceInput{ResourceArn: table.TableArn, Tags: []api.Tag{
		{Key: api.Some("team"), Value: api.Some("shop")}, {Key: api.Some("old"), Value: api.Some("yes")},
	}})
	check(err)
	_, err = db.UntagResource(ctx, &api.UntagResourceInput{ResourceArn: table.TableArn, TagKeys: []string{"old"}})
	check(err)
	out, err := db.ListTagsOfResource(ctx, &api.ListTagsOfResourceInput{ResourceArn: table.TableArn})
	check(err)
	for _, tag := range out.Tags {
		fmt.Println(tag.Key.Value, tag.Value.Value)
	}
	// Output: team shop
}

func ExampleDB_DescribeLimits() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	limits, err := db.DescribeLimits(ctx, &api.DescribeLimitsInput{})
	check(err)
	endpoints, err := db.DescribeEndpoints(ctx, &api.DescribeEndpointsInput{})
	check(err)
	fmt.Println(limits.TableMaxReadCapacityUnits.Value, endpoints.Endpoints[0].Address.Value)
	// Output: 40000 dynamodb.us-east-1.amazonaws.com
}

// The way of a reader of a stream as the service has it; Table.Changes does all this.
func ExampleDB_GetRecords() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()
	orders := db.Table("orders")
	check(orders.EnableStream(ctx, api.StreamViewTypeNewImage))
	check(orders.Update("c#1", "2026-01-02").Set("total", 8).Run(ctx))

	streams, err := db.ListStreams(ctx, &api.ListStreamsInput{TableName: api.Some("orders")})
	check(err)
	arn := streams.Streams[0].StreamArn
	stream, err := db.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: arn})
	check(err)
	for _, shard := range stream.StreamDescription.Shards {
		start, err := db.GetShardIterator(ctx, &api.GetShardIteratorInput{
			StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: api.Some(api.ShardIteratorTypeTrimHorizon),
		})
		check(err)
		out, err := db.GetRecords(ctx, &api.GetRecordsInput{ShardIterator: start.ShardIterator})
		check(err)
		for _, r := range out.Records {
			fmt.Println(r.EventName.Value, r.Dynamodb.NewImage.Get("total"))
		}
	}
	// Output: MODIFY {"N":"8"}
}

// RollStreamShards ends the open shards and begins as many others for each as are asked for.
func ExampleDB_RollStreamShards() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()
	orders := db.Table("orders")
	check(orders.EnableStream(ctx, api.StreamViewTypeKeysOnly))
	table, err := orders.Describe(ctx)
	check(err)

	arn := table.LatestStreamArn
	check(db.RollStreamShards(ctx, arn.Value, 2))
	out, err := db.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: arn})
	check(err)
	fmt.Println(len(out.StreamDescription.Shards))
	// Output: 3
}
