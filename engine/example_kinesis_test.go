package engine_test

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// printed is a place for one data stream, which prints what it is given.
type printed struct{ arn string }

func (p printed) Check(_ context.Context, arn string) error {
	if arn != p.arn {
		return engine.ErrNoDataStream
	}
	return nil
}

func (p printed) Put(_ context.Context, _ string, records []engine.DataStreamRecord) error {
	for _, r := range records {
		fmt.Println(len(r.PartitionKey), string(r.Data[:23]))
	}
	return nil
}

// The changes of a table go to a data stream, here one of this program's own.
func ExampleDB_EnableKinesisStreamingDestination() {
	ctx := context.Background()
	arn := api.Some("arn:aws:kinesis:us-east-1:123456789012:stream/orders")
	db, err := engine.Open("", engine.Options{InMemory: true, NoBackground: true, DataStreams: printed{arn.Value}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	table, err := db.CreateTable(ctx, &api.CreateTableInput{
		TableName: api.Some("orders"), BillingMode: api.Some("PAY_PER_REQUEST"),
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("id"), AttributeType: api.Some("S")}},
	})
	if err != nil {
		panic(err)
	}
	name := table.TableDescription.TableName
	enabled, err := db.EnableKinesisStreamingDestination(ctx, &api.EnableKinesisStreamingDestinationInput{TableName: name, StreamArn: arn})
	if err != nil {
		panic(err)
	}
	fmt.Println(enabled.DestinationStatus.Value)
	work(db)
	updated, err := db.UpdateKinesisStreamingDestination(ctx, &api.UpdateKinesisStreamingDestinationInput{
		TableName: name, StreamArn: arn, UpdateKinesisStreamingConfiguration: &api.UpdateKinesisStreamingConfiguration{
			ApproximateCreationDateTimePrecision: api.Some(api.ApproximateCreationDateTimePrecisionMicrosecond),
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(updated.DestinationStatus.Value)
	item, err := attr.NewItem().S("id", "a").Build()
	if err != nil {
		panic(err)
	}
	if _, err := db.PutItem(ctx, &api.PutItemInput{TableName: name, Item: item}); err != nil {
		panic(err)
	}
	work(db)
	stats := db.Stats()
	for _, c := range stats.Consumers {
		var one engine.ConsumerStats = c
		fmt.Println(one.Table, one.Passed, one.Lag)
	}
	if _, err := db.DisableKinesisStreamingDestination(ctx, &api.DisableKinesisStreamingDestinationInput{TableName: name, StreamArn: arn}); err != nil {
		panic(err)
	}
	work(db)
	all, err := db.DescribeKinesisStreamingDestination(ctx, &api.DescribeKinesisStreamingDestinationInput{TableName: name})
	if err != nil {
		panic(err)
	}
	fmt.Println(all.KinesisDataStreamDestinations[0].DestinationStatus.Value)
	// Output:
	// ENABLING
	// UPDATING
	// 32 {"awsRegion":"us-east-1
	// orders 1 0s
	// DISABLED
}

// work does what the background does.
func work(db *engine.DB) {
	if err := db.Work(context.Background()); err != nil {
		panic(err)
	}
}
