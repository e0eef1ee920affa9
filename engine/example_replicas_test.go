package engine_test

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// coasts are two databases that know each other, and a table in the east with a replica in the west.
func coasts() (east, west *engine.DB) {
	east, err := engine.Open("", engine.Options{InMemory: true, NoBackground: true, Region: "us-east-1"})
	check(err)
	west, err = engine.Open("", engine.Options{
		InMemory: true, NoBackground: true, Region: "us-west-2", Replicas: map[string]api.Replicator{"us-east-1": east},
	})
	check(err)
	check(east.Connect("us-west-2", west))
	ctx := context.Background()
	_, err = east.CreateTable(ctx, &api.CreateTableInput{
		TableName: api.Some("orders"), BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some(api.KeyTypeHash)}},
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("id"), AttributeType: api.Some(api.ScalarAttributeTypeS)},
		},
	})
	check(err)
	_, err = east.UpdateTable(ctx, &api.UpdateTableInput{
		TableName: api.Some("orders"), ReplicaUpdates: []api.ReplicationGroupUpdate{{
			Create: &api.CreateReplicationGroupMemberAction{RegionName: api.Some("us-west-2")},
		}},
	})
	check(err)
	check(east.Work(ctx))
	check(west.Work(ctx))
	return east, west
}

// Two databases in one process replicate to each other when each knows the other.
func ExampleDB_Connect() {
	east, west := coasts()
	defer func() { check(east.Close()); check(west.Close()) }()
	ctx := context.Background()
	check(west.Connect("us-east-1", east)) // as Options.Replicas has said already
	_, err := east.PutItem(ctx, &api.PutItemInput{TableName: api.Some("orders"), Item: numbered("a", 1)})
	check(err)
	check(east.Work(ctx)) // without Options.NoBackground it happens by itself
	out, err := west.Scan(ctx, &api.ScanInput{TableName: api.Some("orders")})
	check(err)
	fmt.Println(out.Items)
	// Output: [{"id":{"S":"a"},"v":{"N":"1"}}]
}

// A database is asked by others what it has of a table.
func ExampleDB_Replicate() {
	east, west := coasts()
	defer func() { check(east.Close()); check(west.Close()) }()
	out, err := west.Replicate(context.Background(), &api.ReplicateInput{
		Version: api.ReplicateVersion, Step: api.ReplicateDescribe, From: "us-east-1", Table: "orders",
	})
	check(err)
	fmt.Println(out.Exists, out.Status, out.Empty)
	// Output: true ACTIVE true
}

// Throughput that follows what is consumed is set for all replicas at once.
func ExampleDB_UpdateTableReplicaAutoScaling() {
	east, west := coasts()
	defer func() { check(east.Close()); check(west.Close()) }()
	ctx := context.Background()
	_, err := east.UpdateTable(ctx, &api.UpdateTableInput{
		TableName: api.Some("orders"), BillingMode: api.Some(api.BillingModeProvisioned),
		ProvisionedThroughput: &api.ProvisionedThroughput{ReadCapacityUnits: api.Some[int64](5), WriteCapacityUnits: api.Some[int64](5)},
	})
	check(err)
	_, err = east.UpdateTableReplicaAutoScaling(ctx, &api.UpdateTableReplicaAutoScalingInput{
		TableName: api.Some("orders"), ProvisionedWriteCapacityAutoScalingUpdate: &api.AutoScalingSettingsUpdate{
			MinimumUnits: api.Some[int64](5), MaximumUnits: api.Some[int64](500),
		},
	})
	check(err)
	check(east.Work(ctx))
	out, err := west.DescribeTableReplicaAutoScaling(ctx, &api.DescribeTableReplicaAutoScalingInput{TableName: api.Some("orders")})
	check(err)
	fmt.Println(out.TableAutoScalingDescription.Replicas[0].ReplicaProvisionedWriteCapacityAutoScalingSettings.MaximumUnits.Value)
	// Output: 500
}

// A global table of the older version links tables that are there, of one name and empty.
func ExampleDB_CreateGlobalTable() {
	east, west := coasts()
	defer func() { check(east.Close()); check(west.Close()) }()
	ctx, name := context.Background(), api.Some("bids")
	for _, db := range []*engine.DB{east, west} {
		_, err := db.CreateTable(ctx, &api.CreateTableInput{
			TableName: name, BillingMode: api.Some(api.BillingModePayPerRequest),
			KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some(api.KeyTypeHash)}},
			AttributeDefinitions: []api.AttributeDefinition{
				{AttributeName: api.Some("id"), AttributeType: api.Some(api.ScalarAttributeTypeS)},
			},
			StreamSpecification: &api.StreamSpecification{
				StreamEnabled: api.Some(true), StreamViewType: api.Some(api.StreamViewTypeNewAndOldImages),
			},
		})
		check(err)
	}
	_, err := east.CreateGlobalTable(ctx, &api.CreateGlobalTableInput{
		GlobalTableName: name, ReplicationGroup: []api.Replica{{RegionName: api.Some("us-east-1")}},
	})
	check(err)
	_, err = east.UpdateGlobalTable(ctx, &api.UpdateGlobalTableInput{
		GlobalTableName: name, ReplicaUpdates: []api.ReplicaUpdate{{Create: &api.CreateReplicaAction{RegionName: api.Some("us-west-2")}}},
	})
	check(err)
	check(east.Work(ctx))
	check(west.Work(ctx))
	out, err := west.DescribeGlobalTable(ctx, &api.DescribeGlobalTableInput{GlobalTableName: name})
	check(err)
	fmt.Println(out.GlobalTableDescription.GlobalTableStatus.Value)
	set, err := west.UpdateGlobalTableSettings(ctx, &api.UpdateGlobalTableSettingsInput{
		GlobalTableName: name, GlobalTableBillingMode: api.Some(api.BillingModeProvisioned),
		GlobalTableProvisionedWriteCapacityUnits: api.Some[int64](5),
	})
	check(err)
	fmt.Println(len(set.ReplicaSettings), "replicas")
	check(west.Work(ctx))
	settings, err := east.DescribeGlobalTableSettings(ctx, &api.DescribeGlobalTableSettingsInput{GlobalTableName: name})
	check(err)
	fmt.Println(settings.ReplicaSettings[0].ReplicaProvisionedWriteCapacityUnits.Value, "units")
	list, err := east.ListGlobalTables(ctx, &api.ListGlobalTablesInput{})
	check(err)
	fmt.Println(list.GlobalTables[0].GlobalTableName.Value)
	// Output:
	// ACTIVE
	// 2 replicas
	// 5 units
	// bids
}
