package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
)

// ImportTable makes a table and fills it from the objects of a bucket.
func (db *DB) ImportTable(ctx context.Context, in *api.ImportTableInput) (*api.ImportTableOutput, error) {
	return serve(ctx, db, in, (*core).ImportTable)
}

// DescribeImport tells how far an import of a table is.
func (db *DB) DescribeImport(ctx context.Context, in *api.DescribeImportInput) (*api.DescribeImportOutput, error) {
	return serve(ctx, db, in, (*core).DescribeImport)
}

// ListImports lists the imports of the last 90 days.
func (db *DB) ListImports(ctx context.Context, in *api.ListImportsInput) (*api.ListImportsOutput, error) {
	return serve(ctx, db, in, (*core).ListImports)
}

// StartBulkPutItems begins to put the items of objects into a table.
func (db *DB) StartBulkPutItems(ctx context.Context, in *api.StartBulkPutItemsInput) (*api.StartBulkPutItemsOutput, error) {
	return serve(ctx, db, in, (*core).StartBulkPutItems)
}

// DescribeBulkOperation tells how far a bulk put is.
func (db *DB) DescribeBulkOperation(ctx context.Context, in *api.DescribeBulkOperationInput) (*api.DescribeBulkOperationOutput, error) {
	return serve(ctx, db, in, (*core).DescribeBulkOperation)
}

// ListBulkOperations lists the bulk puts of the last 90 days.
func (db *DB) ListBulkOperations(ctx context.Context, in *api.ListBulkOperationsInput) (*api.ListBulkOperationsOutput, error) {
	return serve(ctx, db, in, (*core).ListBulkOperations)
}

// CancelBulkOperation ends a bulk put; what it has put stays.
func (db *DB) CancelBulkOperation(ctx context.Context, in *api.CancelBulkOperationInput) (*api.CancelBulkOperationOutput, error) {
	return serve(ctx, db, in, (*core).CancelBulkOperation)
}

// ExportTableToPointInTime begins to write a table as it was, or what has changed in it, into a bucket.
func (db *DB) ExportTableToPointInTime(ctx context.Context, in *api.ExportTableToPointInTimeInput) (*api.ExportTableToPointInTimeOutput, error) {
	return serve(ctx, db, in, (*core).ExportTableToPointInTime)
}

// DescribeExport tells how far an export is.
func (db *DB) DescribeExport(ctx context.Context, in *api.DescribeExportInput) (*api.DescribeExportOutput, error) {
	return serve(ctx, db, in, (*core).DescribeExport)
}

// ListExports lists the exports of the last 90 days.
func (db *DB) ListExports(ctx context.Context, in *api.ListExportsInput) (*api.ListExportsOutput, error) {
	return serve(ctx, db, in, (*core).ListExports)
}
