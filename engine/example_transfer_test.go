package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/engine/objects"
)

// withBucket opens a database whose buckets are folders, one of which is called shop.
func withBucket() (db *engine.DB, root string, end func()) {
	root, err := os.MkdirTemp("", "buckets")
	check(err)
	check(os.Mkdir(filepath.Join(root, "shop"), 0o700))
	db, err = engine.OpenInMemory(engine.Options{Buckets: objects.Folders(root), NoBackground: true})
	check(err)
	return db, root, func() {
		check(db.Close())
		check(os.RemoveAll(root))
	}
}

// A table is written into a bucket, and another one made of what is there.
func ExampleDB_ExportTableToPointInTime() {
	ctx := context.Background()
	db, _, end := withBucket()
	defer end()
	_, err := db.Client().Create("orders").PK(build.StringKey("id")).Run(ctx)
	check(err)
	check(db.Table("orders").Put(map[string]string{"id": "a"}).Run(ctx))
	_, err = db.UpdateContinuousBackups(ctx, &api.UpdateContinuousBackupsInput{
		TableName:                        api.Some("orders"),
		PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)},
	})
	check(err)
	begun, err := db.ExportTableToPointInTime(ctx, &api.ExportTableToPointInTimeInput{
		TableArn: api.Some("arn:aws:dynamodb:us-east-1:123456789012:table/orders"), S3Bucket: api.Some("shop"),
	})
	check(err)
	check(db.Work(ctx)) // which background work does otherwise
	export, err := db.DescribeExport(ctx, &api.DescribeExportInput{ExportArn: begun.ExportDescription.ExportArn})
	check(err)
	fmt.Println(export.ExportDescription.ExportStatus.Value, export.ExportDescription.ItemCount.Value)
	exports, err := db.ListExports(ctx, &api.ListExportsInput{})
	check(err)
	fmt.Println(len(exports.ExportSummaries))

	imported, err := db.ImportTable(ctx, &api.ImportTableInput{
		InputFormat: api.Some("DYNAMODB_JSON"), InputCompressionType: api.Some("GZIP"),
		S3BucketSource: &api.S3BucketSource{
			S3Bucket: api.Some("shop"), S3KeyPrefix: api.Some(filepath.Dir(export.ExportDescription.ExportManifest.Value) + "/data/"),
		},
		TableCreationParameters: &api.TableCreationParameters{
			TableName: api.Some("copy"), BillingMode: api.Some("PAY_PER_REQUEST"),
			AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("id"), AttributeType: api.Some("S")}},
			KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some("HASH")}},
		},
	})
	check(err)
	check(db.Work(ctx))
	got, err := db.DescribeImport(ctx, &api.DescribeImportInput{ImportArn: imported.ImportTableDescription.ImportArn})
	check(err)
	fmt.Println(got.ImportTableDescription.ImportStatus.Value, got.ImportTableDescription.ImportedItemCount.Value)
	imports, err := db.ListImports(ctx, &api.ListImportsInput{})
	check(err)
	fmt.Println(len(imports.ImportSummaryList))
	// Output:
	// COMPLETED 1
	// 1
	// COMPLETED 1
	// 1
}

// Items of objects are put into a table that is there; the report says which were not, and why.
func ExampleDB_StartBulkPutItems() {
	ctx := context.Background()
	db, root, end := withBucket()
	defer end()
	_, err := db.Client().Create("orders").PK(build.StringKey("id")).Run(ctx)
	check(err)
	check(os.WriteFile(filepath.Join(root, "shop", "new.json"), []byte(`{"Item":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(id)"}`), 0o600))
	in := &api.StartBulkPutItemsInput{
		TableName:             api.Some("orders"),
		InputS3Configuration:  &api.InputS3Configuration{S3Bucket: api.Some("shop"), S3KeyPrefix: api.Some("new"), InputFormat: api.Some("DYNAMODB_JSON")},
		OutputS3Configuration: &api.OutputS3Configuration{S3Bucket: api.Some("shop"), S3KeyPrefix: api.Some("report"), OutputType: []string{"ERROR"}},
	}
	put, err := db.StartBulkPutItems(ctx, in)
	check(err)
	check(db.Work(ctx)) // which background work does otherwise
	got, err := db.DescribeBulkOperation(ctx, &api.DescribeBulkOperationInput{BulkOperationArn: put.BulkOperationDescription.BulkOperationArn})
	check(err)
	fmt.Println(got.BulkOperationDescription.BulkOperationStatus.Value, got.BulkOperationDescription.ProcessedItemCount.Value)
	again, err := db.StartBulkPutItems(ctx, in)
	check(err)
	_, err = db.CancelBulkOperation(ctx, &api.CancelBulkOperationInput{BulkOperationArn: again.BulkOperationDescription.BulkOperationArn})
	check(err)
	check(db.Work(ctx))
	list, err := db.ListBulkOperations(ctx, &api.ListBulkOperationsInput{})
	check(err)
	for _, o := range list.BulkOperationsSummaryList {
		fmt.Println(o.BulkOperationStatus.Value)
	}
	// Unordered output:
	// COMPLETED 1
	// CANCELLED
	// COMPLETED
}
