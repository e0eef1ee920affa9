package engine

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
	"github.com/keystone-db/kstone/engine/transfer/manifest"
)

// recoverable makes the table of most tests, with recovery on.
func (d *testDB) recoverable() {
	d.t.Helper()
	d.orders()
	_, err := d.UpdateContinuousBackups(context.Background(), &api.UpdateContinuousBackupsInput{
		TableName:                        api.Some("orders"),
		PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)},
	})
	require.NoError(d.t, err)
}

func (d *testDB) putOrder(pk string, sk int, v string) {
	d.t.Helper()
	_, err := d.PutItem(context.Background(), &api.PutItemInput{TableName: api.Some("orders"), Item: keyOfOrder(pk, sk).With("v", attr.String(v))})
	require.NoError(d.t, err)
}

func keyOfOrder(pk string, sk int) attr.Item {
	return attr.Item(nil).With("pk", attr.String(pk)).With("sk", attr.Value(attr.AppendInt(nil, int64(sk))))
}

func exportOrders() *api.ExportTableToPointInTimeInput {
	return &api.ExportTableToPointInTimeInput{
		TableArn: api.Some("arn:aws:dynamodb:us-east-1:123456789012:table/orders"), S3Bucket: api.Some("bucket"),
	}
}

func (d *testDB) export(in *api.ExportTableToPointInTimeInput) *api.ExportDescription {
	d.t.Helper()
	out, err := d.ExportTableToPointInTime(context.Background(), in)
	require.NoError(d.t, err)
	require.NoError(d.t, d.Work(context.Background()))
	got, err := d.DescribeExport(context.Background(), &api.DescribeExportInput{ExportArn: out.ExportDescription.ExportArn})
	require.NoError(d.t, err)
	require.Equal(d.t, "COMPLETED", got.ExportDescription.ExportStatus.Value, "%+v", got.ExportDescription)
	return got.ExportDescription
}

// exported reads an export by its manifests, and checks them: the sorted lines of all data files.
func exported(t *testing.T, root string, d *api.ExportDescription) []string {
	t.Helper()
	bucket := filepath.Join(root, "bucket")
	read := func(key string) []byte {
		b, err := os.ReadFile(filepath.Join(bucket, filepath.FromSlash(key)))
		require.NoError(t, err)
		return b
	}
	summary := read(d.ExportManifest.Value)
	var s manifest.Export
	require.NoError(t, json.Unmarshal(bytes.ReplaceAll(summary, []byte("Time\":"), []byte("At\":")), &s))
	require.Equal(t, d.ItemCount.Value, s.ItemCount)
	list := read(s.FilesKey)
	for key, content := range map[string][]byte{d.ExportManifest.Value: summary, s.FilesKey: list} {
		require.Equal(t, manifest.Checksum(content), string(read(strings.TrimSuffix(key, "json")+"checksum")))
	}
	require.Empty(t, read(strings.Replace(s.FilesKey, manifest.Files, manifest.Started, 1)))
	var lines []string
	for line := range bytes.Lines(list) {
		var f manifest.File
		require.NoError(t, json.Unmarshal(line, &f))
		content := read(f.Key)
		require.Equal(t, f.Checksum, manifest.Checksum(content))
		z, err := gzip.NewReader(bytes.NewReader(content))
		require.NoError(t, err)
		text, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, f.ItemCount, int64(bytes.Count(text, []byte{'\n'})))
		for l := range strings.Lines(string(text)) {
			lines = append(lines, strings.TrimSuffix(l, "\n"))
		}
	}
	require.Len(t, lines, int(s.ItemCount))
	slices.Sort(lines)
	return lines
}

// TestExportAsOfATime: each time of the window has what was there, whatever came later.
func TestExportAsOfATime(t *testing.T) {
	root := bucketWith(t, map[string]string{"x": ""})
	d := openTest(t, Options{Buckets: objects.Folders(root), exportBytes: 100})
	d.recoverable()
	var times []time.Time
	var want [][]string
	for i := range 5 {
		d.clock.add(time.Second)
		for k := range i + 1 {
			d.putOrder("p", k, fmt.Sprint("v", i))
		}
		times = append(times, d.clock.Now())
		var items []string
		for _, it := range d.itemsOf("orders", "") {
			items = append(items, `{"Item":`+it+`}`)
		}
		slices.Sort(items)
		want = append(want, items)
	}
	d.clock.add(time.Second)
	for i, at := range times {
		in := exportOrders()
		in.ExportTime, in.S3Prefix = api.Some(at), api.Some("some/prefix")
		got := d.export(in)
		require.Equal(t, want[i], exported(t, root, got), i)
		require.Equal(t, api.Some(at.Local()), api.Some(got.ExportTime.Value.Local()))
		assert.Regexp(t, `^some/prefix/AWSDynamoDB/0[0-9]{13}-[0-9a-f]{8}/manifest-summary.json$`, got.ExportManifest.Value)
		assert.Positive(t, got.BilledSizeBytes.Value)
	}
	// What the export held is let go of.
	table, err := d.served.Load().catalog.Lookup(t.Context(), "orders")
	require.NoError(t, err)
	require.Empty(t, table.Log.Holds)
}

func TestExportFormatsAndFilters(t *testing.T) {
	root := bucketWith(t, map[string]string{"x": ""})
	d := openTest(t, Options{Buckets: objects.Folders(root)})
	d.recoverable()
	for _, pk := range []string{"a", "b"} {
		for sk := range 4 {
			d.putOrder(pk, sk, fmt.Sprint("v", sk%2))
		}
	}
	in := exportOrders()
	in.ExportFormat = api.Some("ION")
	in.FilterSpecification = &api.FilterSpecification{
		KeyConditionExpression: api.Some("pk = :p AND sk >= :s"), FilterExpression: api.Some("v = :v"),
		ProjectionExpression: api.Some("sk, #v"), ExpressionAttributeNames: []api.Name{{Placeholder: "#v", Name: "v"}},
		ExpressionAttributeValues: []api.NamedValue{
			{Placeholder: ":p", Value: attr.String("b")}, {Placeholder: ":s", Value: attr.Value(attr.AppendInt(nil, 1))},
			{Placeholder: ":v", Value: attr.String("v1")},
		},
	}
	got := d.export(in)
	assert.Equal(t, []string{`$ion_1_0 {Item:{sk:1.,v:"v1"}}`, `$ion_1_0 {Item:{sk:3.,v:"v1"}}`}, exported(t, root, got))
	assert.Equal(t, in.FilterSpecification, got.FilterSpecification)
	in.FilterSpecification.KeyConditionExpression = api.Opt[string]{}
	in.FilterSpecification.FilterExpression = api.Some("v = :v AND sk >= :s AND pk = :p")
	assert.Len(t, exported(t, root, d.export(in)), 2, "without a key condition a filter may use the key")
	in.FilterSpecification.KeyConditionExpression = api.Some("pk = :p")
	_, err := d.ExportTableToPointInTime(t.Context(), in)
	require.ErrorContains(t, err, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk")
	empty := exportOrders()
	empty.FilterSpecification = &api.FilterSpecification{
		FilterExpression: api.Some("v = :v"), ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":v", Value: attr.String("none")}},
	}
	assert.Empty(t, exported(t, root, d.export(empty)))
}

// TestIncrementalExport: one line an item that changed, with what it was in the beginning and at the end.
func TestIncrementalExport(t *testing.T) {
	root := bucketWith(t, map[string]string{"x": ""})
	d := openTest(t, Options{Buckets: objects.Folders(root), exportBytes: 200})
	d.recoverable()
	ctx := t.Context()
	start := d.clock.Now()
	for sk := range 4 {
		d.putOrder("p", sk, "old")
	}
	d.clock.set(start.Add(20 * time.Minute))
	from := d.clock.Now()
	d.putOrder("p", 1, "between")
	d.putOrder("p", 1, "new")
	_, err := d.DeleteItem(ctx, &api.DeleteItemInput{TableName: api.Some("orders"), Key: keyOfOrder("p", 2)})
	require.NoError(t, err)
	d.putOrder("p", 9, "born")
	d.putOrder("q", 1, "short")
	_, err = d.DeleteItem(ctx, &api.DeleteItemInput{TableName: api.Some("orders"), Key: keyOfOrder("q", 1)})
	require.NoError(t, err)
	d.clock.set(start.Add(40 * time.Minute))
	to := d.clock.Now()
	d.putOrder("p", 3, "later")
	d.clock.set(start.Add(50 * time.Minute))
	in := exportOrders()
	in.ExportType = api.Some("INCREMENTAL_EXPORT")
	in.IncrementalExportSpecification = &api.IncrementalExportSpecification{ExportFromTime: api.Some(from), ExportToTime: api.Some(to)}
	got := d.export(in)
	micros := fmt.Sprintf(`{"Metadata":{"WriteTimestampMicros":"%d"}`, from.UnixMicro())
	image := func(sk int, v string) string {
		return fmt.Sprintf(`{"pk":{"S":"p"},"sk":{"N":"%d"},"v":{"S":"%s"}}`, sk, v)
	}
	keys := func(sk int) string { return fmt.Sprintf(`,"Keys":{"pk":{"S":"p"},"sk":{"N":"%d"}}`, sk) }
	assert.Equal(t, []string{
		micros + keys(1) + `,"OldImage":` + image(1, "old") + `,"NewImage":` + image(1, "new") + `}`,
		micros + keys(2) + `,"OldImage":` + image(2, "old") + `}`,
		micros + keys(9) + `,"NewImage":` + image(9, "born") + `}`,
	}, exported(t, root, got))
	assert.Equal(t, "NEW_AND_OLD_IMAGES", got.IncrementalExportSpecification.ExportViewType.Value)
	files, err := filepath.Glob(filepath.Join(root, "bucket", "AWSDynamoDB", "data", "*.json.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "the files of incremental exports share a folder")

	in.IncrementalExportSpecification.ExportViewType, in.ExportFormat = api.Some("NEW_IMAGE"), api.Some("ION")
	in.IncrementalExportSpecification.ExportFromTime, in.IncrementalExportSpecification.ExportToTime = api.Some(to), api.Opt[time.Time]{}
	assert.Equal(t, []string{fmt.Sprintf(`$ion_1_0 {Record:{Keys:{pk:"p",sk:3.},Metadata:{WriteTimestampMicros:%d.},NewImage:{pk:"p",sk:3.,v:"later"}}}`, to.UnixMicro())},
		exported(t, root, d.export(in)))
}

func TestExportRefusals(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true})
	ctx := t.Context()
	refused := func(code api.Code, change func(*api.ExportTableToPointInTimeInput)) {
		t.Helper()
		in := exportOrders()
		change(in)
		_, err := d.ExportTableToPointInTime(ctx, in)
		requireCode(t, err, code)
	}
	same := func(*api.ExportTableToPointInTimeInput) {}
	refused(api.TableNotFound, same)
	d.orders()
	refused(api.PointInTimeUnavailable, same)
	_, err := d.UpdateContinuousBackups(ctx, &api.UpdateContinuousBackupsInput{
		TableName:                        api.Some("orders"),
		PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)},
	})
	require.NoError(t, err)
	now := d.clock.Now()
	for _, at := range []time.Time{now.Add(-time.Hour), now.Add(time.Hour)} {
		refused(api.InvalidExportTime, func(in *api.ExportTableToPointInTimeInput) { in.ExportTime = api.Some(at) })
	}
	period := func(from, to time.Time) func(*api.ExportTableToPointInTimeInput) {
		return func(in *api.ExportTableToPointInTimeInput) {
			in.ExportType = api.Some("INCREMENTAL_EXPORT")
			in.IncrementalExportSpecification = &api.IncrementalExportSpecification{ExportFromTime: api.Some(from), ExportToTime: api.Some(to)}
		}
	}
	d.clock.set(now.Add(30 * time.Hour))
	refused(api.InvalidExportTime, period(now.Add(-time.Hour), now.Add(time.Hour)))
	refused(api.InvalidExportTime, period(now.Add(29*time.Hour), now.Add(31*time.Hour)))
	refused(api.Validation, period(now, now.Add(10*time.Minute)))
	refused(api.Validation, period(now, now.Add(25*time.Hour)))
	refused(api.Validation, period(now.Add(time.Hour), now))
	// The token, and a bucket that is not there.
	in := exportOrders()
	in.ClientToken = api.Some("token")
	out, err := d.ExportTableToPointInTime(ctx, in)
	require.NoError(t, err)
	again, err := d.ExportTableToPointInTime(ctx, in)
	require.NoError(t, err)
	require.Equal(t, out, again)
	_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	requireCode(t, err, api.ResourceInUse)
	refused(api.ExportConflict, func(in *api.ExportTableToPointInTimeInput) {
		in.ClientToken, in.S3Prefix = api.Some("token"), api.Some("other")
	})
	require.NoError(t, d.Work(ctx))
	got, err := d.DescribeExport(ctx, &api.DescribeExportInput{ExportArn: out.ExportDescription.ExportArn})
	require.NoError(t, err)
	assert.Equal(t, "FAILED", got.ExportDescription.ExportStatus.Value)
	assert.Equal(t, "S3NoSuchBucket", got.ExportDescription.FailureCode.Value)
	assert.Equal(t, "The specified bucket does not exist", got.ExportDescription.FailureMessage.Value)
	list, err := d.ListExports(ctx, &api.ListExportsInput{TableArn: in.TableArn})
	require.NoError(t, err)
	require.Len(t, list.ExportSummaries, 1)
	_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err, "a failed export lets go of its table")
	_, err = d.DescribeExport(ctx, &api.DescribeExportInput{ExportArn: api.Some(strings.Repeat("x", 40))})
	requireCode(t, err, api.ExportNotFound)
}

// TestExportIsTakenUpAgain: whenever the process is killed, the export has each item once, as of its time.
func TestExportIsTakenUpAgain(t *testing.T) {
	var want []string
	for kill := 1000; kill >= 0; kill-- {
		root := bucketWith(t, map[string]string{"x": ""})
		store, err := memstore.Open(memstore.Options{})
		require.NoError(t, err)
		c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		opts := Options{Clock: c.Now, NoBackground: true, Buckets: objects.Folders(root), exportBytes: 500}
		var many atomic.Int64
		many.Store(10_000)
		db, err := OpenStore(dying{store, &many}, opts)
		require.NoError(t, err)
		d := &testDB{DB: db, t: t, clock: c}
		d.recoverable()
		for i := range 40 {
			d.putOrder("p", i, "before")
		}
		require.NoError(t, db.Close())
		in := exportOrders()
		in.ClientToken, in.ExportTime = api.Some("token"), api.Some(c.Now())
		c.add(time.Minute)
		var left atomic.Int64
		left.Store(int64(kill))
		ask := func() error {
			db, err := OpenStore(dying{store, &left}, opts)
			if err != nil {
				return err
			}
			_, err = db.ExportTableToPointInTime(t.Context(), in)
			if err == nil {
				_, err = db.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("orders"), Item: keyOfOrder("p", 5).With("v", attr.String("after"))})
			}
			if err == nil {
				err = db.Work(t.Context())
			}
			return errors.Join(err, db.Close())
		}
		if kill < 1000 {
			_ = ask() // the very last write is the time of closing, which may be missed
			left.Store(1000)
		}
		require.NoError(t, ask())
		if kill == 1000 {
			kill = 1000 - int(left.Load())
		}
		many.Store(10_000)
		db, err = OpenStore(dying{store, &many}, opts)
		require.NoError(t, err)
		d = &testDB{DB: db, t: t, clock: c}
		list, err := d.ListExports(t.Context(), &api.ListExportsInput{})
		require.NoError(t, err)
		require.Len(t, list.ExportSummaries, 1, "killed at %d", kill)
		out, err := d.DescribeExport(t.Context(), &api.DescribeExportInput{ExportArn: list.ExportSummaries[0].ExportArn})
		require.NoError(t, err)
		got := exported(t, root, out.ExportDescription)
		if want == nil {
			require.Len(t, got, 40)
			want = got
		}
		require.Equal(t, want, got, "killed at %d", kill)
		require.NoError(t, consistent(t.Context(), store, c.Now()))
		require.NoError(t, db.Close())
	}
}

// TestExportsAtOnce: so many and no more, until one has ended.
func TestExportsAtOnce(t *testing.T) {
	d := openTest(t, Options{exportsMax: 2})
	d.recoverable()
	for range 2 {
		_, err := d.ExportTableToPointInTime(t.Context(), exportOrders())
		require.NoError(t, err)
	}
	_, err := d.ExportTableToPointInTime(t.Context(), exportOrders())
	requireCode(t, err, api.LimitExceeded)
	require.ErrorContains(t, err, "Subscriber limit exceeded: There is a limit of 2 simultaneous exports")
	require.NoError(t, d.Work(t.Context()))
	_, err = d.ExportTableToPointInTime(t.Context(), exportOrders())
	require.NoError(t, err)
	require.NoError(t, d.Work(t.Context()))
}

// TestCopiesLeaveTheObjectsOfOthersAlone: a fork, and a file restored from a backup, fail the exports and bulk puts
// that run, and write none of their objects; the database itself ends them, and so do a restart and an import.
func TestCopiesLeaveTheObjectsOfOthersAlone(t *testing.T) {
	root := bucketWith(t, map[string]string{"in/a": `{"Item":{"pk":{"S":"c"},"sk":{"N":"1"}}}` + "\nbad\n"})
	dir := t.TempDir()
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	opts := Options{Clock: c.Now, NoBackground: true, Buckets: objects.Folders(root)}
	open := func(name string) *testDB {
		db, err := Open(filepath.Join(dir, name), opts)
		require.NoError(t, err)
		return &testDB{DB: db, t: t, clock: c}
	}
	d := open("db")
	d.recoverable()
	d.putOrder("p", 1, "v")
	out := exportOrders()
	out.S3Prefix = api.Some("out")
	ex, err := d.ExportTableToPointInTime(t.Context(), out)
	require.NoError(t, err)
	bulk, err := d.StartBulkPutItems(t.Context(), bulkOrders())
	require.NoError(t, err)
	in := importOrders("DYNAMODB_JSON")
	in.TableCreationParameters.TableName = api.Some("imported")
	im, err := d.ImportTable(t.Context(), in)
	require.NoError(t, err)
	exportARN, bulkARN := ex.ExportDescription.ExportArn, bulk.BulkOperationDescription.BulkOperationArn
	states := func(d *testDB) []string {
		require.NoError(t, d.Work(t.Context()))
		out, err := d.DescribeExport(t.Context(), &api.DescribeExportInput{ExportArn: exportARN})
		require.NoError(t, err)
		e, b := out.ExportDescription, d.describeBulk(bulkARN)
		i := d.describeImport(im.ImportTableDescription.ImportArn)
		return []string{
			e.ExportStatus.Value, e.FailureCode.Value, b.BulkOperationStatus.Value, b.FailureCode.Value,
			i.ImportStatus.Value, i.FailureCode.Value,
		}
	}
	failed := []string{"FAILED", "DatabaseCopied", "FAILED", "DatabaseCopied", "FAILED", "ItemValidationError"}
	fork, err := d.Fork()
	require.NoError(t, err)
	_, err = d.Backup(t.Context(), filepath.Join(dir, "backup"), BackupOptions{})
	require.NoError(t, err)
	_, err = RestoreBackups(t.Context(), filepath.Join(dir, "restored"), []string{filepath.Join(dir, "backup")}, RestoreOptions{})
	require.NoError(t, err)
	require.NoError(t, d.Close())
	require.Equal(t, failed, states(&testDB{DB: fork, t: t, clock: c}))
	require.NoError(t, fork.Close())
	restored := open("restored")
	require.Equal(t, failed, states(restored))
	_, err = restored.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err, "the table is not held any more")
	require.NoError(t, restored.Close())
	require.NoDirExists(t, filepath.Join(root, "bucket", "out"))
	d = open("db")
	require.Equal(t, []string{"COMPLETED", "", "COMPLETED_WITH_ERRORS", "", "FAILED", "ItemValidationError"}, states(d))
	require.NoError(t, d.Close())
}
