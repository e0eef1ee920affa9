package compat

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// putObject puts an object into the bucket of the tests.
func putObject(t *testing.T, key, text string) {
	t.Helper()
	path := filepath.Join(bucketRoot, bucket, filepath.FromSlash(key))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// objectText reads an object of the bucket.
func objectText(t *testing.T, key string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(bucketRoot, bucket, filepath.FromSlash(key)))
	require.NoError(t, err)
	return string(b)
}

// imported waits for an import.
func imported(t *testing.T, arn *string) *types.ImportTableDescription {
	t.Helper()
	var d *types.ImportTableDescription
	require.Eventually(t, func() bool {
		out, err := db.DescribeImport(t.Context(), &dynamodb.DescribeImportInput{ImportArn: arn})
		require.NoError(t, err)
		d = out.ImportTableDescription
		return d.ImportStatus != types.ImportStatusInProgress
	}, waitMax, 5*time.Millisecond)
	return d
}

func importInput(table, prefix string) *dynamodb.ImportTableInput {
	create := tableInput(table, "pk:S", "sk:N")
	return &dynamodb.ImportTableInput{
		InputFormat:    types.InputFormatCsv,
		S3BucketSource: &types.S3BucketSource{S3Bucket: aws.String(bucket), S3KeyPrefix: &prefix},
		TableCreationParameters: &types.TableCreationParameters{
			TableName: &table, BillingMode: create.BillingMode, KeySchema: create.KeySchema, AttributeDefinitions: create.AttributeDefinitions,
		},
	}
}

// TestImport: a table made of objects (wire-facts §6.19).
func TestImport(t *testing.T) {
	table := name(t)
	putObject(t, table+"/1.csv", "pk;sk;title\na;1;\"one; two\"\na;2;three\n")
	putObject(t, table+"/2.csv", "pk;sk\nb;3\n")
	in := importInput(table, table)
	in.InputFormatOptions = &types.InputFormatOptions{Csv: &types.CsvOptions{Delimiter: aws.String(";")}}
	out, err := db.ImportTable(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, types.ImportStatusInProgress, out.ImportTableDescription.ImportStatus)
	assert.NotEmpty(t, out.ImportTableDescription.ClientToken, "which the SDK makes")
	d := imported(t, out.ImportTableDescription.ImportArn)
	assert.Equal(t, types.ImportStatusCompleted, d.ImportStatus)
	assert.Equal(t, []int64{3, 3, 0}, []int64{d.ImportedItemCount, d.ProcessedItemCount, d.ErrorCount})
	assert.Equal(t, types.InputCompressionTypeNone, d.InputCompressionType)
	assert.Equal(t, types.TableStatusActive, exists(t, table).TableStatus)
	got := get(t, table, item{"pk": str("a"), "sk": num("1")})
	assert.Equal(t, item{"pk": str("a"), "sk": num("1"), "title": str("one; two")}, got)
	list, err := db.ListImports(t.Context(), &dynamodb.ListImportsInput{TableArn: d.TableArn})
	require.NoError(t, err)
	require.Len(t, list.ImportSummaryList, 1)
	assert.Equal(t, d.ImportArn, list.ImportSummaryList[0].ImportArn)
}

func TestImportErrors(t *testing.T) {
	table := name(t)
	putObject(t, table+"/1.csv", "pk,sk\na,1\nb,x\n")
	in := importInput(table, table+"/")
	in.ClientToken = aws.String(table)
	out, err := db.ImportTable(t.Context(), in)
	require.NoError(t, err)
	d := imported(t, out.ImportTableDescription.ImportArn)
	assert.Equal(t, types.ImportStatusFailed, d.ImportStatus)
	assert.Equal(t, "ItemValidationError", *d.FailureCode)
	assert.True(t, strings.HasPrefix(*d.FailureMessage, "Some of the items failed validation checks and were not imported."))
	assert.Equal(t, []int64{1, 2, 1}, []int64{d.ImportedItemCount, d.ProcessedItemCount, d.ErrorCount})
	// The token is the same import, with other parameters a conflict.
	again, err := db.ImportTable(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, d.ImportArn, again.ImportTableDescription.ImportArn)
	in.InputFormat = types.InputFormatIon
	_, err = db.ImportTable(t.Context(), in)
	wantError(t, err, "ImportConflictException", "The specified client token was already used by an import with different parameters: "+*d.ImportArn)
	in.ClientToken = nil
	_, err = db.ImportTable(t.Context(), in)
	wantError(t, err, "ResourceInUseException", "Table already exists: "+table)
	_, err = db.DescribeImport(t.Context(), &dynamodb.DescribeImportInput{ImportArn: aws.String(*d.ImportArn + "0")})
	wantError(t, err, "ImportNotFoundException", "Import not found: "+*d.ImportArn+"0")
	// A bucket that is not there fails the import, and leaves no table.
	none := importInput(table+"-none", "x")
	none.S3BucketSource.S3Bucket = aws.String("no-such-bucket")
	out, err = db.ImportTable(t.Context(), none)
	require.NoError(t, err)
	d = imported(t, out.ImportTableDescription.ImportArn)
	assert.Equal(t, "S3NoSuchBucket", *d.FailureCode)
	_, err = db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(table + "-none")})
	wantError(t, err, notFound, "Requested resource not found: Table: "+table+"-none not found")
}

// exportedTable waits for an export and returns the lines of its data files.
func exportedTable(t *testing.T, in *dynamodb.ExportTableToPointInTimeInput) (*types.ExportDescription, []string) {
	t.Helper()
	in.ClientToken = nil // the SDK leaves the one that it makes
	out, err := db.ExportTableToPointInTime(t.Context(), in)
	require.NoError(t, err)
	waiter := dynamodb.NewExportCompletedWaiter(db, func(o *dynamodb.ExportCompletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 50*time.Millisecond
	})
	got, err := waiter.WaitForOutput(t.Context(), &dynamodb.DescribeExportInput{ExportArn: out.ExportDescription.ExportArn}, waitMax)
	require.NoError(t, err)
	d := got.ExportDescription
	var summary struct{ ManifestFilesS3Key string }
	require.NoError(t, json.Unmarshal([]byte(objectText(t, *d.ExportManifest)), &summary))
	var lines []string
	for entry := range strings.Lines(objectText(t, summary.ManifestFilesS3Key)) {
		var f struct{ DataFileS3Key string }
		require.NoError(t, json.Unmarshal([]byte(entry), &f))
		z, err := gzip.NewReader(strings.NewReader(objectText(t, f.DataFileS3Key)))
		require.NoError(t, err)
		var text strings.Builder
		_, err = io.Copy(&text, z)
		require.NoError(t, err)
		for l := range strings.Lines(text.String()) {
			lines = append(lines, strings.TrimSuffix(l, "\n"))
		}
	}
	return d, lines
}

// TestExport: a table and its changes, in objects (wire-facts §6.19).
func TestExport(t *testing.T) {
	table, arn := newTable(t)
	in := &dynamodb.ExportTableToPointInTimeInput{TableArn: &arn, S3Bucket: aws.String(bucket), S3Prefix: &table}
	_, err := db.ExportTableToPointInTime(t.Context(), in)
	wantError(t, err, "PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled for table '"+table+"'")
	enabled, err := db.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{
		TableName:                        &table,
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
	})
	require.NoError(t, err)
	since := enabled.ContinuousBackupsDescription.PointInTimeRecoveryDescription.EarliestRestorableDateTime
	put(t, table, item{"pk": str("a"), "n": num("1.5")})
	put(t, table, item{"pk": str("b")})
	d, lines := exportedTable(t, in)
	assert.ElementsMatch(t, []string{`{"Item":{"n":{"N":"1.5"},"pk":{"S":"a"}}}`, `{"Item":{"pk":{"S":"b"}}}`}, lines)
	assert.EqualValues(t, 2, *d.ItemCount)
	assert.Equal(t, types.ExportTypeFullExport, d.ExportType)
	in.ExportFormat = types.ExportFormatIon
	in.FilterSpecification = &types.FilterSpecification{
		KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: item{":p": str("a")}, ProjectionExpression: aws.String("n"),
	}
	d, lines = exportedTable(t, in)
	assert.Equal(t, []string{"$ion_1_0 {Item:{n:1.5}}"}, lines)
	assert.Equal(t, in.FilterSpecification.ExpressionAttributeValues, d.FilterSpecification.ExpressionAttributeValues)

	in.ExportFormat, in.FilterSpecification = "", nil
	in.ExportType = types.ExportTypeIncrementalExport
	in.IncrementalExportSpecification = &types.IncrementalExportSpecification{ExportFromTime: since, ExportViewType: types.ExportViewTypeNewImage}
	d, lines = exportedTable(t, in)
	require.Len(t, lines, 2)
	assert.Contains(t, strings.Join(lines, "\n"), `,"Keys":{"pk":{"S":"a"}},"NewImage":{"n":{"N":"1.5"},"pk":{"S":"a"}}}`)
	assert.True(t, d.IncrementalExportSpecification.ExportToTime.After(*since))
	list, err := db.ListExports(t.Context(), &dynamodb.ListExportsInput{TableArn: &arn})
	require.NoError(t, err)
	require.Len(t, list.ExportSummaries, 3)
	assert.Equal(t, d.ExportArn, list.ExportSummaries[0].ExportArn, "the newest first")
}

func TestExportErrors(t *testing.T) {
	ctx := t.Context()
	_, err := db.ExportTableToPointInTime(ctx, &dynamodb.ExportTableToPointInTimeInput{TableArn: aws.String(unknownARN), S3Bucket: aws.String(bucket)})
	wantError(t, err, "TableNotFoundException", "Table not found: no-such-table")
	none := aws.String(unknownARN + "/export/01234567890123-a1b2c3d4")
	_, err = db.DescribeExport(ctx, &dynamodb.DescribeExportInput{ExportArn: none})
	wantError(t, err, "ExportNotFoundException", "Export not found: "+*none)
	_, err = db.ListExports(ctx, &dynamodb.ListExportsInput{MaxResults: aws.Int32(26)})
	wantError(t, err, validation, "1 validation error detected: Value '26' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 25")
	_, err = db.ListImports(ctx, &dynamodb.ListImportsInput{PageSize: aws.Int32(0)})
	wantError(t, err, validation, "1 validation error detected: Value '0' at 'pageSize' failed to satisfy constraint: Member must have value greater than or equal to 1")
}

func bulkInput(table string) *dynamodb.StartBulkPutItemsInput {
	return &dynamodb.StartBulkPutItemsInput{
		TableName:            &table,
		InputS3Configuration: &types.InputS3Configuration{S3Bucket: aws.String(bucket), S3KeyPrefix: aws.String(table + "/in"), InputFormat: types.BulkOperationInputFormatDynamodbJson},
		OutputS3Configuration: &types.OutputS3Configuration{
			S3Bucket: aws.String(bucket), S3KeyPrefix: aws.String(table + "/out"),
			OutputType: []types.OutputTypeEnum{types.OutputTypeEnumError, types.OutputTypeEnumConditionCheckFailure},
		},
	}
}

// TestBulkPut: items of objects in a table that is there (wire-facts §6.26).
func TestBulkPut(t *testing.T) {
	table, _ := newTable(t)
	put(t, table, item{"pk": str("old")})
	putObject(t, table+"/in/1", `{"Item":{"pk":{"S":"a"}}}`+"\n"+`{"Item":{"pk":{"N":"1"}}}`+"\n"+
		`{"Item":{"pk":{"S":"old"},"v":{"N":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}`+"\n")
	in := bulkInput(table)
	out, err := db.StartBulkPutItems(t.Context(), in)
	require.NoError(t, err)
	arn := out.BulkOperationDescription.BulkOperationArn
	var d *types.BulkOperationDescription
	require.Eventually(t, func() bool {
		out, err := db.DescribeBulkOperation(t.Context(), &dynamodb.DescribeBulkOperationInput{BulkOperationArn: arn})
		require.NoError(t, err)
		d = out.BulkOperationDescription
		return d.EndTime != nil
	}, waitMax, 5*time.Millisecond)
	assert.Equal(t, types.BulkOperationStatusCompletedWithErrors, d.BulkOperationStatus)
	assert.Equal(t, []int64{3, 1}, []int64{d.ProcessedItemCount, d.FailedItemCount})
	assert.Equal(t, d.TotalInputBytes, d.ProcessedInputBytes)
	assert.EqualValues(t, 3, *d.BulkOperationUsage[0].Table.BulkPutBytes)
	assert.Equal(t, item{"pk": str("old")}, get(t, table, item{"pk": str("old")}))
	assert.Equal(t, item{"pk": str("a")}, get(t, table, item{"pk": str("a")}))
	id := (*arn)[strings.LastIndex(*arn, "/")+1:]
	failures := objectText(t, fmt.Sprintf("%s/out/AWSDynamoDB/%s/CONDITION_CHECK_FAILURE/00000001.json", table, id))
	assert.Contains(t, failures, `"Item":{"pk":{"S":"old"},"v":{"N":"1"}},"ExistingItem":{"pk":{"S":"old"}}}`)
	list, err := db.ListBulkOperations(t.Context(), &dynamodb.ListBulkOperationsInput{MaxResults: aws.Int32(100)})
	require.NoError(t, err)
	assert.NotEmpty(t, list.BulkOperationsSummaryList)
}

func TestBulkPutErrors(t *testing.T) {
	ctx := t.Context()
	_, err := db.StartBulkPutItems(ctx, bulkInput("no-such-table"))
	wantError(t, err, notFound, unknownToControl)
	none := aws.String(unknownARN + "/bulk-operation/01234567890123-a1b2c3d4")
	_, err = db.DescribeBulkOperation(ctx, &dynamodb.DescribeBulkOperationInput{BulkOperationArn: none})
	wantError(t, err, notFound, "Requested resource not found: Bulk operation: "+*none+" not found")
	_, err = db.CancelBulkOperation(ctx, &dynamodb.CancelBulkOperationInput{BulkOperationArn: none})
	wantError(t, err, notFound, "Requested resource not found: Bulk operation: "+*none+" not found")
	// Cancelled, and then too late; another request with its token.
	table, _ := newTable(t)
	// At so many units a second it takes minutes.
	putObject(t, table+"/in/1", strings.Repeat(`{"Item":{"pk":{"S":"a"}}}`+"\n", 500_000))
	in := bulkInput(table)
	in.MaxWriteRequestUnits, in.ClientToken = aws.Int64(1024), &table
	out, err := db.StartBulkPutItems(ctx, in)
	require.NoError(t, err)
	arn := out.BulkOperationDescription.BulkOperationArn
	in.PerformanceTier = types.BulkOperationPerformanceTierAccelerated
	_, err = db.StartBulkPutItems(ctx, in)
	wantError(t, err, "IdempotentParameterMismatchException", "The specified client token was already used by a bulk operation with different parameters: "+*arn)
	cancelled, err := db.CancelBulkOperation(ctx, &dynamodb.CancelBulkOperationInput{BulkOperationArn: arn})
	require.NoError(t, err)
	assert.Equal(t, types.BulkOperationStatusCancelling, cancelled.BulkOperationStatus)
	require.Eventually(t, func() bool {
		out, err := db.DescribeBulkOperation(ctx, &dynamodb.DescribeBulkOperationInput{BulkOperationArn: arn})
		require.NoError(t, err)
		return out.BulkOperationDescription.BulkOperationStatus == types.BulkOperationStatusCancelled
	}, waitMax, 5*time.Millisecond)
	_, err = db.CancelBulkOperation(ctx, &dynamodb.CancelBulkOperationInput{BulkOperationArn: arn})
	wantError(t, err, "ResourceInUseException", "Bulk operation "+*arn+" has already reached a terminal status")
}
