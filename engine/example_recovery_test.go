package engine_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// backedUp makes a backup of the orders and waits until it is there.
func backedUp(db *engine.DB) (arn api.Opt[string]) {
	ctx := context.Background()
	out, err := db.CreateBackup(ctx, &api.CreateBackupInput{TableName: api.Some("orders"), BackupName: api.Some("monday")})
	check(err)
	check(db.Work(ctx))
	return out.BackupDetails.BackupArn
}

// itemCount counts the items of a table.
func itemCount(db *engine.DB, table string) int64 {
	out, err := db.Scan(context.Background(), &api.ScanInput{TableName: api.Some(table), Select: api.Some(api.SelectCount)})
	check(err)
	return out.Count.Value
}

func ExampleDB_CreateBackup() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.CreateBackup(ctx, &api.CreateBackupInput{TableName: api.Some("orders"), BackupName: api.Some("monday")})
	check(err)
	arn := out.BackupDetails.BackupArn.Value
	fmt.Println(out.BackupDetails.BackupStatus.Value, arn[:strings.LastIndex(arn, "/")])
	// Output: CREATING arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup
}

func ExampleDB_DescribeBackup() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.DescribeBackup(ctx, &api.DescribeBackupInput{BackupArn: backedUp(db)})
	check(err)
	b := out.BackupDescription
	fmt.Println(b.BackupDetails.BackupStatus.Value, b.SourceTableDetails.ItemCount.Value)
	// Output: AVAILABLE 3
}

func ExampleDB_ListBackups() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	backedUp(db)
	out, err := db.ListBackups(ctx, &api.ListBackupsInput{TableName: api.Some("orders")})
	check(err)
	for _, b := range out.BackupSummaries {
		fmt.Println(b.TableName.Value, b.BackupName.Value)
	}
	// Output: orders monday
}

func ExampleDB_DeleteBackup() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.DeleteBackup(ctx, &api.DeleteBackupInput{BackupArn: backedUp(db)})
	check(err)
	fmt.Println(out.BackupDescription.BackupDetails.BackupStatus.Value)
	// Output: DELETED
}

// A restored table is there at once and can be used when it is ACTIVE.
func ExampleDB_RestoreTableFromBackup() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{
		BackupArn: backedUp(db), TargetTableName: api.Some("orders-of-monday"),
	})
	check(err)
	check(db.Work(ctx)) // programs ask DescribeTable for the status
	fmt.Println(out.TableDescription.TableStatus.Value, itemCount(db, "orders-of-monday"))
	// Output: CREATING 3
}

// With recovery on, a table can be restored as of any time from then on.
func ExampleDB_UpdateContinuousBackups() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.UpdateContinuousBackups(ctx, &api.UpdateContinuousBackupsInput{
		TableName: api.Some("orders"), PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: api.Some(true), RecoveryPeriodInDays: api.Some[int64](7),
		},
	})
	check(err)
	r := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	fmt.Println(r.PointInTimeRecoveryStatus.Value, r.RecoveryPeriodInDays.Value)
	// Output: ENABLED 7
}

func ExampleDB_DescribeContinuousBackups() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	out, err := db.DescribeContinuousBackups(ctx, &api.DescribeContinuousBackupsInput{TableName: api.Some("orders")})
	check(err)
	fmt.Println(out.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus.Value)
	// Output: DISABLED
}

func ExampleDB_RestoreTableToPointInTime() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	orders := api.Some("orders")
	on, err := db.UpdateContinuousBackups(ctx, &api.UpdateContinuousBackupsInput{
		TableName: orders, PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: api.Some(true),
		},
	})
	check(err)
	_, err = db.RestoreTableToPointInTime(ctx, &api.RestoreTableToPointInTimeInput{
		SourceTableName: orders, TargetTableName: api.Some("orders-before"),
		RestoreDateTime: on.ContinuousBackupsDescription.PointInTimeRecoveryDescription.LatestRestorableDateTime,
	})
	check(err)
	check(db.Work(ctx)) // programs ask DescribeTable for the status
	fmt.Println(itemCount(db, "orders-before"))
	// Output: 3
}
