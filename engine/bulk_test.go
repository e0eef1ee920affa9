package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

func bulkOrders() *api.StartBulkPutItemsInput {
	return &api.StartBulkPutItemsInput{
		TableName: api.Some("orders"), ClientToken: api.Some("token"),
		InputS3Configuration: &api.InputS3Configuration{
			S3Bucket: api.Some("bucket"), S3KeyPrefix: api.Some("in/"), InputFormat: api.Some("DYNAMODB_JSON"),
		},
		OutputS3Configuration: &api.OutputS3Configuration{
			S3Bucket: api.Some("bucket"), S3KeyPrefix: api.Some("out"), OutputType: []string{"ERROR", "CONDITION_CHECK_FAILURE"},
		},
	}
}

func (d *testDB) describeBulk(arn api.Opt[string]) *api.BulkOperationDescription {
	d.t.Helper()
	out, err := d.DescribeBulkOperation(context.Background(), &api.DescribeBulkOperationInput{BulkOperationArn: arn})
	require.NoError(d.t, err)
	return out.BulkOperationDescription
}

// reported reads the objects of a report below its folder.
func reported(t *testing.T, root string, arn api.Opt[string]) map[string]string {
	t.Helper()
	_, id, _ := strings.Cut(arn.Value, "/bulk-operation/")
	base := filepath.Join(root, "bucket", "out", "AWSDynamoDB", id)
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(base, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		name, _ := filepath.Rel(base, p)
		files[filepath.ToSlash(name)] = string(b)
		return err
	}))
	return files
}

func TestBulkPut(t *testing.T) {
	root := bucketWith(t, map[string]string{
		"in/a": `{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":"x"},"h":{"N":"1"}}}` + "\n" +
			`{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"new"}},"ConditionExpression":"attribute_not_exists(pk)"}` + "\n" +
			`{"Item":{"pk":{"S":"old"},"sk":{"N":"1"}},"ConditionExpression":"#v = :v","ExpressionAttributeNames":{"#v":"v"},"ExpressionAttributeValues":{":v":{"S":"other"}}}` + "\n" +
			`{"Item":{"pk":{"S":"old"},"sk":{"N":"2"}},"ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":{"S":"was"}}}` + "\n" +
			`{"Item":{"pk":{"S":"b"}}}` + "\n",
		"in/b": "bad\n" + `{"Item":{"pk":{"S":"c"},"sk":{"N":"1"}},"ConditionExpression":"bad expression"}`,
	})
	d := openTest(t, Options{Buckets: objects.Folders(root)})
	d.orders()
	ctx := t.Context()
	was := attr.Item(nil).With("pk", attr.String("old")).With("sk", attr.Value(attr.AppendInt(nil, 1))).With("v", attr.String("was"))
	for _, it := range []attr.Item{was, was.With("sk", attr.Value(attr.AppendInt(nil, 2)))} {
		_, err := d.PutItem(ctx, &api.PutItemInput{TableName: api.Some("orders"), Item: it})
		require.NoError(t, err)
	}
	out, err := d.StartBulkPutItems(ctx, bulkOrders())
	require.NoError(t, err)
	begun := out.BulkOperationDescription
	arn := begun.BulkOperationArn
	assert.Equal(t, "IN_PROGRESS", begun.BulkOperationStatus.Value)
	assert.False(t, begun.TotalInputBytes.Set)
	assert.Equal(t, "STANDARD", begun.PerformanceTier.Value)
	assert.Equal(t, "NONE", begun.InputS3Configuration.InputCompressionType.Value)
	assert.Equal(t, begun, d.describeBulk(arn))
	again, err := d.StartBulkPutItems(ctx, bulkOrders())
	require.NoError(t, err)
	assert.Equal(t, begun, again.BulkOperationDescription)
	other := bulkOrders()
	other.InputS3Configuration.S3KeyPrefix = api.Some("other")
	_, err = d.StartBulkPutItems(ctx, other)
	requireCode(t, err, api.IdempotentParameterMismatch)

	require.NoError(t, d.Work(ctx))
	got := d.describeBulk(arn)
	assert.Equal(t, "COMPLETED_WITH_ERRORS", got.BulkOperationStatus.Value)
	assert.Equal(t, []int64{7, 3}, []int64{got.ProcessedItemCount.Value, got.FailedItemCount.Value})
	assert.Equal(t, got.TotalInputBytes, got.ProcessedInputBytes)
	assert.False(t, got.FailureCode.Set)
	// {pk a, sk 1, g x, h 1} is 3+4+2+3 bytes, {pk old, sk 2} 5+4; the index on g and h projects all.
	usage := got.BulkOperationUsage[0]
	assert.Equal(t, api.Some[int64](12+9), usage.Table.BulkPutBytes)
	assert.Equal(t, []api.BulkOperationBytesMapEntry{{Key: "byG", Value: api.BulkOperationBytes{BulkPutBytes: api.Some[int64](12)}}}, usage.GlobalSecondaryIndexes)
	assert.Equal(t, api.Some[int64](33), usage.BulkPutBytes)
	assert.ElementsMatch(t, []string{
		`{"g":{"S":"x"},"h":{"N":"1"},"pk":{"S":"a"},"sk":{"N":"1"}}`, was.String(), `{"pk":{"S":"old"},"sk":{"N":"2"}}`,
	}, d.itemsOf("orders", ""))

	files := reported(t, root, arn)
	assert.Equal(t, `{"itemS3Pointer":{"bucket":"bucket","key":"in/a","itemIndex":4},"errorMessages":["One or more parameter values were invalid: Missing the key sk in the item"],"Item":{"pk":{"S":"b"}}}
{"itemS3Pointer":{"bucket":"bucket","key":"in/b","itemIndex":0},"errorMessages":["the line is no JSON object"]}
{"itemS3Pointer":{"bucket":"bucket","key":"in/b","itemIndex":1},"errorMessages":["Invalid ConditionExpression: Syntax error; token: \"expression\", near: \"bad expression\""],"Item":{"pk":{"S":"c"},"sk":{"N":"1"}}}
`, files["ERROR/00000001.json"])
	assert.Equal(t, `{"itemS3Pointer":{"bucket":"bucket","key":"in/a","itemIndex":1},"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"new"}},"ExistingItem":{"g":{"S":"x"},"h":{"N":"1"},"pk":{"S":"a"},"sk":{"N":"1"}}}
{"itemS3Pointer":{"bucket":"bucket","key":"in/a","itemIndex":2},"Item":{"pk":{"S":"old"},"sk":{"N":"1"}},"ExistingItem":{"pk":{"S":"old"},"sk":{"N":"1"},"v":{"S":"was"}}}
`, files["CONDITION_CHECK_FAILURE/00000001.json"])
	assert.Contains(t, files, "_started")
	assert.Contains(t, files["manifest-summary.json"], `"bulkOperationStatus":"COMPLETED_WITH_ERRORS"`)
	assert.Contains(t, files["manifest-summary.json"], `"processedItemCount":7,"failedItemCount":3,"conditionCheckFailureCount":2`)
	assert.Equal(t, 2, strings.Count(files["manifest-files.json"], "\n"))
	assert.Contains(t, files["manifest-files.json"], `{"itemCount":3,`)
	assert.Len(t, files, 7)

	list, err := d.ListBulkOperations(ctx, &api.ListBulkOperationsInput{})
	require.NoError(t, err)
	require.Len(t, list.BulkOperationsSummaryList, 1)
	assert.Equal(t, arn, list.BulkOperationsSummaryList[0].BulkOperationArn)
	_, err = d.CancelBulkOperation(ctx, &api.CancelBulkOperationInput{BulkOperationArn: arn})
	requireCode(t, err, api.ResourceInUse)
	_, err = d.DescribeBulkOperation(ctx, &api.DescribeBulkOperationInput{BulkOperationArn: api.Some(arn.Value + "0")})
	requireCode(t, err, api.ResourceNotFound)
}

// TestBulkPages: lists go from the newest to the oldest, page by page.
func TestBulkPages(t *testing.T) {
	root := bucketWith(t, map[string]string{"in/a": `{"Item":{"pk":{"S":"c"},"sk":{"N":"1"}}}`})
	d := openTest(t, Options{Buckets: objects.Folders(root)})
	d.orders()
	var want []string
	for i := range 5 {
		in := bulkOrders()
		in.ClientToken = api.Some(fmt.Sprint("token", i))
		out, err := d.StartBulkPutItems(t.Context(), in)
		require.NoError(t, err)
		want = append([]string{out.BulkOperationDescription.BulkOperationArn.Value}, want...)
		d.clock.add(time.Second)
	}
	require.NoError(t, d.Work(t.Context()))
	var got []string
	in := &api.ListBulkOperationsInput{MaxResults: api.Some[int64](2)}
	for {
		out, err := d.ListBulkOperations(t.Context(), in)
		require.NoError(t, err)
		require.LessOrEqual(t, len(out.BulkOperationsSummaryList), 2)
		for i := range out.BulkOperationsSummaryList {
			got = append(got, out.BulkOperationsSummaryList[i].BulkOperationArn.Value)
			assert.Equal(t, "COMPLETED", out.BulkOperationsSummaryList[i].BulkOperationStatus.Value)
		}
		if in.NextToken = out.NextToken; !in.NextToken.Set {
			break
		}
		assert.Regexp(t, `^([0-9a-f]{16}){7,}$`, in.NextToken.Value)
	}
	assert.Equal(t, want, got)
	in.NextToken = api.Some("bad")
	_, err := d.ListBulkOperations(t.Context(), in)
	requireCode(t, err, api.Validation)
}

// TestBulkCancel: what was put stays, and the report says what there was.
func TestBulkCancel(t *testing.T) {
	root := bucketWith(t, map[string]string{"in/a": `{"Item":{"pk":{"S":"c"},"sk":{"N":"1"}}}` + "\nbad\n" + strings.Repeat(`{"Item":{"pk":{"S":"d"},"sk":{"N":"1"}}}`+"\n", fewRecords)})
	d := openTest(t, Options{Buckets: objects.Folders(root), loadRecords: fewRecords})
	d.orders()
	in := bulkOrders()
	in.MaxWriteRequestUnits = api.Some[int64](1024)
	out, err := d.StartBulkPutItems(t.Context(), in)
	require.NoError(t, err)
	arn := out.BulkOperationDescription.BulkOperationArn
	require.NoError(t, d.Work(t.Context())) // up to its pause
	half := d.describeBulk(arn)
	assert.Equal(t, "IN_PROGRESS", half.BulkOperationStatus.Value)
	assert.Equal(t, int64(fewRecords), half.ProcessedItemCount.Value)
	cancelled, err := d.CancelBulkOperation(t.Context(), &api.CancelBulkOperationInput{BulkOperationArn: arn})
	require.NoError(t, err)
	assert.Equal(t, "CANCELLING", cancelled.BulkOperationStatus.Value)
	assert.Equal(t, "CANCELLING", d.describeBulk(arn).BulkOperationStatus.Value)
	require.NoError(t, d.Work(t.Context()))
	got := d.describeBulk(arn)
	assert.Equal(t, "CANCELLED", got.BulkOperationStatus.Value)
	assert.True(t, got.FailureCode.Set && got.FailureMessage.Set && got.EndTime.Set)
	assert.Equal(t, half.ProcessedItemCount, got.ProcessedItemCount)
	files := reported(t, root, arn)
	assert.Contains(t, files["ERROR/00000001.json"], `"itemIndex":1`)
	assert.Contains(t, files["manifest-summary.json"], `"CANCELLED"`)
	assert.Len(t, d.itemsOf("orders", ""), 2)
}

// TestBulkPace: the units of a second are not exceeded by more than a step.
func TestBulkPace(t *testing.T) {
	const records = 2048
	var text strings.Builder
	for i := range 3*records + 1 {
		fmt.Fprintf(&text, `{"Item":{"pk":{"S":"c"},"sk":{"N":"%d"}}}`+"\n", i)
	}
	d := openTest(t, Options{Buckets: objects.Folders(bucketWith(t, map[string]string{"in/a": text.String()})), loadRecords: records})
	d.orders()
	in := bulkOrders()
	in.MaxWriteRequestUnits = api.Some[int64](1024)
	out, err := d.StartBulkPutItems(t.Context(), in)
	require.NoError(t, err)
	for second := int64(0); second <= 6; second++ {
		require.NoError(t, d.Work(t.Context()))
		got := d.describeBulk(out.BulkOperationDescription.BulkOperationArn)
		require.LessOrEqual(t, got.ProcessedItemCount.Value, 1024*second+records, "after %d s", second)
		if second == 6 {
			require.Equal(t, "COMPLETED", got.BulkOperationStatus.Value)
		}
		d.clock.add(time.Second)
	}
}

func TestBulkRefusals(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Minute})
	ctx := t.Context()
	_, err := d.StartBulkPutItems(ctx, bulkOrders())
	requireCode(t, err, api.ResourceNotFound)
	d.orders()
	_, err = d.StartBulkPutItems(ctx, bulkOrders())
	requireCode(t, err, api.ResourceInUse)
	d.clock.add(2 * time.Minute)
	out, err := d.StartBulkPutItems(ctx, bulkOrders())
	require.NoError(t, err)
	require.NoError(t, d.Work(ctx))
	got := d.describeBulk(out.BulkOperationDescription.BulkOperationArn)
	assert.Equal(t, "FAILED", got.BulkOperationStatus.Value)
	assert.Equal(t, "S3NoSuchBucket", got.FailureCode.Value)
}

// TestBulkIsTakenUpAgain: whenever the process is killed, each record is put, counted and reported once, and
// no item of others is overwritten a second time.
func TestBulkIsTakenUpAgain(t *testing.T) {
	var text strings.Builder
	for i := range 2*fewRecords + 10 {
		condition := ""
		if i%5 == 0 {
			condition = `,"ConditionExpression":"attribute_not_exists(pk)"`
		}
		fmt.Fprintf(&text, `{"Item":{"pk":{"S":"k"},"sk":{"N":"%d"},"g":{"S":"x"},"h":{"N":"1"}}%s}`+"\n", i%70, condition)
		if i%50 == 0 {
			text.WriteString("bad\n")
		}
	}
	var want *api.BulkOperationDescription
	var wantFiles map[string]string
	for kill := 1000; kill >= 0; kill-- {
		root := bucketWith(t, map[string]string{"in/a": text.String()})
		store, err := memstore.Open(memstore.Options{})
		require.NoError(t, err)
		c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		var left atomic.Int64
		left.Store(int64(kill))
		opts := Options{Clock: c.Now, NoBackground: true, Buckets: objects.Folders(root), loadRecords: fewRecords}
		ask := func() error {
			db, err := OpenStore(dying{store, &left}, opts)
			if err != nil {
				return err
			}
			_, err = db.CreateTable(t.Context(), ordersInput())
			if e, ok := errors.AsType[*api.Error](err); ok && e.Code == api.ResourceInUse {
				err = nil
			}
			if err == nil {
				_, err = db.StartBulkPutItems(t.Context(), bulkOrders())
			}
			if err == nil {
				err = db.Work(t.Context())
			}
			return errors.Join(err, db.Close())
		}
		if kill < 1000 {
			require.Error(t, ask())
			left.Store(1000)
		}
		require.NoError(t, ask())
		if kill == 1000 {
			kill = 1000 - int(left.Load())
		}
		db, err := OpenStore(store, opts)
		require.NoError(t, err)
		d := &testDB{DB: db, t: t, clock: c}
		list, err := d.ListBulkOperations(t.Context(), &api.ListBulkOperationsInput{})
		require.NoError(t, err)
		require.Len(t, list.BulkOperationsSummaryList, 1, "killed at %d", kill)
		arn := list.BulkOperationsSummaryList[0].BulkOperationArn
		got, files := d.describeBulk(arn), reported(t, root, arn)
		for _, name := range []string{"manifest-summary.json", "manifest-summary.checksum"} {
			delete(files, name) // they have the ARN
		}
		for name, text := range files {
			files[name] = strings.ReplaceAll(text, arn.Value[len(arn.Value)-23:], "ID")
		}
		delete(files, "manifest-files.checksum")
		got.BulkOperationArn, got.TableDetails = api.Opt[string]{}, nil
		if want == nil {
			require.Equal(t, int64(2*fewRecords+13), got.ProcessedItemCount.Value)
			require.Equal(t, 14, strings.Count(files["CONDITION_CHECK_FAILURE/00000001.json"], "\n"))
			want, wantFiles = got, files
		}
		require.Equal(t, want, got, "killed at %d", kill)
		require.Equal(t, wantFiles, files, "killed at %d", kill)
		require.NoError(t, consistent(t.Context(), store, c.Now()))
		require.NoError(t, db.Close())
	}
}
