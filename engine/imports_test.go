package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// bucketWith makes a root with a bucket "bucket" of these objects.
func bucketWith(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "bucket", filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// importOrders is a request to import into the table of ordersInput, without its local index.
func importOrders(format string) *api.ImportTableInput {
	create := ordersInput()
	p := &api.TableCreationParameters{
		TableName: create.TableName, KeySchema: create.KeySchema, BillingMode: create.BillingMode,
		GlobalSecondaryIndexes: create.GlobalSecondaryIndexes,
	}
	for _, d := range create.AttributeDefinitions {
		if d.AttributeName.Value != "l" {
			p.AttributeDefinitions = append(p.AttributeDefinitions, d)
		}
	}
	return &api.ImportTableInput{
		InputFormat: api.Some(format), TableCreationParameters: p, ClientToken: api.Some("token"),
		S3BucketSource: &api.S3BucketSource{S3Bucket: api.Some("bucket"), S3KeyPrefix: api.Some("in/")},
	}
}

func (d *testDB) describeImport(arn api.Opt[string]) *api.ImportTableDescription {
	d.t.Helper()
	out, err := d.DescribeImport(context.Background(), &api.DescribeImportInput{ImportArn: arn})
	require.NoError(d.t, err)
	return out.ImportTableDescription
}

func (d *testDB) itemsOf(table, index string) []string {
	d.t.Helper()
	in := &api.ScanInput{TableName: api.Some(table)}
	if index != "" {
		in.IndexName = api.Some(index)
	}
	out, err := d.Scan(context.Background(), in)
	require.NoError(d.t, err)
	items := make([]string, 0, len(out.Items))
	for _, it := range out.Items {
		items = append(items, it.String())
	}
	return items
}

func TestImport(t *testing.T) {
	var log bytes.Buffer
	root := bucketWith(t, map[string]string{
		"in/a": `{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":"x"},"h":{"N":"1"}}}` + "\n" +
			`{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"the later one stays"},"g":{"S":"y"},"h":{"N":"1"}}}` + "\n" +
			`{"Item":{"pk":{"S":"b"}}}` + "\nbad\n",
		"in/b/c": `{"Item":{"pk":{"S":"b"},"sk":{"N":"2"}}}`,
		"other":  "bad",
	})
	var kept bytes.Buffer
	opts := Options{Buckets: objects.Folders(root), Logger: zerolog.New(&log)}
	opts.ImportErrors = func(_ context.Context, id string, lines []byte) error {
		fmt.Fprintln(&kept, id)
		kept.Write(lines)
		return nil
	}
	d := openTest(t, opts)
	ctx := t.Context()
	in := importOrders("DYNAMODB_JSON")
	out, err := d.ImportTable(ctx, in)
	require.NoError(t, err)
	begun := out.ImportTableDescription
	arn := begun.ImportArn
	assert.Regexp(t, `^arn:aws:dynamodb:us-east-1:123456789012:table/orders/import/0[0-9]{13}-[0-9a-f]{8}$`, arn.Value)
	assert.Equal(t, "IN_PROGRESS", begun.ImportStatus.Value)
	assert.Equal(t, begun, d.describeImport(arn))
	table, err := d.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	assert.Equal(t, "CREATING", table.Table.TableStatus.Value)
	assert.Equal(t, table.Table.TableId, begun.TableId)
	_, err = d.Scan(ctx, &api.ScanInput{TableName: api.Some("orders")})
	require.ErrorContains(t, err, "Requested resource not found")
	_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.ErrorContains(t, err, "Table is being created: orders")

	// The same request is the same import, another one with its token is not.
	out, err = d.ImportTable(ctx, in)
	require.NoError(t, err)
	assert.Equal(t, arn, out.ImportTableDescription.ImportArn)
	_, err = d.ImportTable(ctx, importOrders("ION"))
	requireCode(t, err, api.ImportConflict)
	fresh := importOrders("ION")
	fresh.ClientToken = api.Some("other")
	_, err = d.ImportTable(ctx, fresh)
	requireCode(t, err, api.ResourceInUse)

	require.NoError(t, d.Work(ctx))
	got := d.describeImport(arn)
	assert.Equal(t, "FAILED", got.ImportStatus.Value)
	assert.Equal(t, "ItemValidationError", got.FailureCode.Value)
	assert.Equal(t, api.MsgItemsInvalid, got.FailureMessage.Value)
	assert.Equal(t, []int64{5, 3, 2}, []int64{got.ProcessedItemCount.Value, got.ImportedItemCount.Value, got.ErrorCount.Value})
	assert.True(t, got.EndTime.Set)
	assert.Contains(t, log.String(), `{"itemS3Pointer":{"bucket":"bucket","key":"in/a","itemIndex":2},"importArn":"`+arn.Value+
		`","errorMessages":["One or more parameter values were invalid: Missing the key sk in the item"]}`)
	assert.Contains(t, log.String(), `"errorMessages":["the line is no JSON object"]`)
	first, lines, _ := strings.Cut(kept.String(), "\n")
	assert.Equal(t, arn.Value[strings.LastIndex(arn.Value, "/")+1:], first)
	for line := range strings.Lines(lines) {
		assert.Contains(t, log.String(), strings.TrimSpace(line))
	}
	assert.Equal(t, 2, strings.Count(lines, "\n"))
	assert.ElementsMatch(t, []string{
		`{"g":{"S":"y"},"h":{"N":"1"},"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"the later one stays"}}`, `{"pk":{"S":"b"},"sk":{"N":"2"}}`,
	}, d.itemsOf("orders", ""))
	assert.Len(t, d.itemsOf("orders", "byG"), 1)

	// After eight hours the token is free again, and after ninety days the import is not listed any more.
	d.clock.add(8*time.Hour + time.Minute)
	_, err = d.ImportTable(ctx, in)
	requireCode(t, err, api.ResourceInUse)
	list, err := d.ListImports(ctx, &api.ListImportsInput{})
	require.NoError(t, err)
	require.Len(t, list.ImportSummaryList, 1)
	assert.Equal(t, arn, list.ImportSummaryList[0].ImportArn)
	d.clock.add(91 * 24 * time.Hour)
	list, err = d.ListImports(ctx, &api.ListImportsInput{})
	require.NoError(t, err)
	assert.Empty(t, list.ImportSummaryList)
	_, err = d.DescribeImport(ctx, &api.DescribeImportInput{ImportArn: arn})
	requireCode(t, err, api.ImportNotFound)
}

func requireCode(t *testing.T, err error, code api.Code) {
	t.Helper()
	e, ok := errors.AsType[*api.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, e.Code, e.Message)
}

// TestImportFormats reads the same items in all formats.
func TestImportFormats(t *testing.T) {
	json := `{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":"x"},"h":{"N":"2"},"v":{"S":"t"}}}`
	for format, text := range map[string]string{
		"DYNAMODB_JSON": json, "ION": `$ion_1_0 {Item:{pk:"a",sk:1.,g:"x",h:2.,v:"t"}}`, "CSV": "pk,sk,g,h,v\na,1,x,2,t\n",
	} {
		d := openTest(t, Options{Buckets: objects.Folders(bucketWith(t, map[string]string{"in/a": gzipped(t, text)}))})
		in := importOrders(format)
		in.InputCompressionType = api.Some("GZIP")
		out, err := d.ImportTable(t.Context(), in)
		require.NoError(t, err)
		require.NoError(t, d.Work(t.Context()))
		got := d.describeImport(out.ImportTableDescription.ImportArn)
		require.Equal(t, "COMPLETED", got.ImportStatus.Value, "%s %+v", format, got)
		require.Equal(t, int64(len(text)), got.ProcessedSizeBytes.Value)
		require.Equal(t, []string{`{"g":{"S":"x"},"h":{"N":"2"},"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"t"}}`}, d.itemsOf("orders", "byG"))
	}
}

// TestImportFailures: the table is not made when nothing could be read, and the name is free again.
func TestImportFailures(t *testing.T) {
	root := bucketWith(t, map[string]string{"other/a": "x"})
	for code, open := range map[string]objects.Open{
		"S3NoSuchBucket": nil, "S3NoSuchKey": objects.Folders(root),
		"S3AccessDenied": func(context.Context, string, string) (objects.Store, error) { return nil, objects.ErrDenied },
	} {
		d := openTest(t, Options{Buckets: open})
		out, err := d.ImportTable(t.Context(), importOrders("CSV"))
		require.NoError(t, err)
		require.NoError(t, d.Work(t.Context()))
		got := d.describeImport(out.ImportTableDescription.ImportArn)
		assert.Equal(t, "FAILED", got.ImportStatus.Value)
		assert.Equal(t, code, got.FailureCode.Value)
		_, err = d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
		requireCode(t, err, api.ResourceNotFound)
		in := importOrders("CSV")
		in.ClientToken = api.Some("again")
		_, err = d.ImportTable(t.Context(), in)
		require.NoError(t, err)
		require.NoError(t, d.Work(t.Context()))
	}
}

// TestImportTriesAgain: a bucket that cannot be reached is tried again, and not for ever.
func TestImportTriesAgain(t *testing.T) {
	root := bucketWith(t, map[string]string{"in/a": "pk,sk,g,h\na,1,x,2\n"})
	down := 2
	d := openTest(t, Options{Buckets: func(ctx context.Context, bucket, owner string) (objects.Store, error) {
		if down--; down >= 0 {
			return nil, errors.New("no route to host")
		}
		return objects.Folders(root)(ctx, bucket, owner)
	}})
	out, err := d.ImportTable(t.Context(), importOrders("CSV"))
	require.NoError(t, err)
	require.Error(t, d.Work(t.Context()))
	require.Error(t, d.Work(t.Context()))
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, "COMPLETED", d.describeImport(out.ImportTableDescription.ImportArn).ImportStatus.Value)
	down = 1000
	in := importOrders("CSV")
	in.ClientToken, in.TableCreationParameters.TableName = api.Some("other"), api.Some("second")
	out, err = d.ImportTable(t.Context(), in)
	require.NoError(t, err)
	for range triesMax - 1 {
		require.Error(t, d.Work(t.Context()))
	}
	require.NoError(t, d.Work(t.Context()))
	got := d.describeImport(out.ImportTableDescription.ImportArn)
	assert.Equal(t, "S3InternalError", got.FailureCode.Value)
	assert.Equal(t, "no route to host", got.FailureMessage.Value)
}

// fewRecords are those of a step where there are to be many.
const fewRecords = 64

// TestImportIsTakenUpAgain: whenever the process is killed, the next one goes on, and nothing is counted twice.
func TestImportIsTakenUpAgain(t *testing.T) {
	var text strings.Builder
	for i := range 3 * fewRecords {
		fmt.Fprintf(&text, "k%d,%d,x,2\n", i%(fewRecords+10), i%3)
		if i%50 == 0 {
			text.WriteString("bad\n")
		}
	}
	root := bucketWith(t, map[string]string{"in/a": gzipped(t, text.String()), "in/b": gzipped(t, "last,1,x,1\n")})
	in := importOrders("CSV")
	in.InputCompressionType = api.Some("GZIP")
	in.InputFormatOptions = &api.InputFormatOptions{Csv: &api.CsvOptions{HeaderList: []string{"pk", "sk", "g", "h"}}}
	var want *api.ImportTableDescription
	for kill := 1000; kill >= 0; kill-- {
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
			_, err = db.ImportTable(t.Context(), in)
			err = errors.Join(err, db.Work(t.Context()))
			return errors.Join(err, db.Close())
		}
		if kill < 1000 {
			require.Error(t, ask())
			left.Store(1000)
		}
		require.NoError(t, ask())
		if kill == 1000 {
			kill = 1000 - int(left.Load()) // as many calls as a life without death has
		}
		db, err := OpenStore(store, opts)
		require.NoError(t, err)
		d := &testDB{DB: db, t: t, clock: c}
		list, err := d.ListImports(t.Context(), &api.ListImportsInput{})
		require.NoError(t, err)
		require.Len(t, list.ImportSummaryList, 1, "killed at %d", kill)
		got := d.describeImport(list.ImportSummaryList[0].ImportArn)
		got.ImportArn, got.TableId = api.Opt[string]{}, api.Opt[string]{}
		if want == nil {
			require.Equal(t, []int64{3*fewRecords + 5, 3*fewRecords + 1, 4}, []int64{got.ProcessedItemCount.Value, got.ImportedItemCount.Value, got.ErrorCount.Value})
			want = got
		}
		require.Equal(t, want, got, "killed at %d", kill)
		require.NoError(t, consistent(t.Context(), store, c.Now()))
		require.NoError(t, db.Close())
	}
}

// TestPutTwiceIsCountedAtOnce: storage says too much of a table some of whose items an import has put twice, because
// of records with one key or of a crash. It is counted before it is there.
func TestPutTwiceIsCountedAtOnce(t *testing.T) {
	const items = 4 * fewRecords
	object := func(more string) string {
		var text strings.Builder
		for i := range items {
			fmt.Fprintf(&text, `{"Item":{"pk":{"S":"k%d"},"sk":{"N":"1"},"g":{"S":"g"},"h":{"N":"%d"}}}`+"\n", i, i)
		}
		return text.String() + more
	}
	twice := false
	for _, c := range []struct {
		object string
		kills  []int64
	}{
		{object(`{"Item":{"pk":{"S":"k0"},"sk":{"N":"1"}}}` + "\n"), []int64{1000}},
		{object(""), []int64{20, 25, 30, 35, 40, 45}},
	} {
		root := bucketWith(t, map[string]string{"in/a": c.object})
		for _, kill := range c.kills {
			mem, err := memstore.Open(memstore.Options{})
			require.NoError(t, err)
			clock := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			var left atomic.Int64
			left.Store(kill)
			open := func() *testDB {
				db, err := OpenStore(dying{&vagueStore{Store: mem}, &left}, Options{
					Clock: clock.Now, NoBackground: true, Buckets: objects.Folders(root), loadRecords: fewRecords, countMax: fewRecords, countStep: 7,
				})
				require.NoError(t, err)
				return &testDB{DB: db, t: t, clock: clock}
			}
			d := open()
			im, err := d.ImportTable(t.Context(), importOrders("DYNAMODB_JSON"))
			require.NoError(t, err)
			_, _ = d.served.Load().doTasks(t.Context())
			_ = d.Close()
			left.Store(1000)
			d = open()
			_, err = d.served.Load().doTasks(t.Context())
			require.NoError(t, err)
			require.Equal(t, "COMPLETED", d.describeImport(im.ImportTableDescription.ImportArn).ImportStatus.Value)
			id, _, _ := ofARN(kindImport, im.ImportTableDescription.ImportArn.Value)
			task, err := d.served.Load().tasks.Get(t.Context(), id)
			require.NoError(t, err)
			var state importState
			require.NoError(t, json.Unmarshal(task.Cursor, &state))
			if state.Again {
				twice = twice || kill < 1000
				require.EqualValues(t, items, d.described()[""][0], "killed at %d", kill)
			}
			require.NoError(t, d.Close())
		}
	}
	require.True(t, twice, "no import was killed between what it put and where it noted that")
}

// openings counts how often objects are opened.
type openings struct {
	objects.Store
	n *atomic.Int64
}

func (o openings) Get(ctx context.Context, name, version string, from int64) (io.ReadCloser, error) {
	o.n.Add(1)
	return o.Store.Get(ctx, name, version, from)
}

// TestAFullDiskReadsNothingAnew: what was read and could not be put is put later; a compressed object is not
// read from its beginning again.
func TestAFullDiskReadsNothingAnew(t *testing.T) {
	var text strings.Builder
	for i := range 10 * fewRecords {
		fmt.Fprintf(&text, `{"Item":{"pk":{"S":"k%d"},"sk":{"N":"1"}}}`+"\n", i)
	}
	folders := objects.Folders(bucketWith(t, map[string]string{"in/a": gzipped(t, text.String())}))
	for _, bulk := range []bool{false, true} {
		var opened, left atomic.Int64
		mem, err := memstore.Open(memstore.Options{})
		require.NoError(t, err)
		left.Store(1 << 40)
		c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		db, err := OpenStore(dying{mem, &left}, Options{
			Clock: c.Now, NoBackground: true, loadRecords: fewRecords,
			Buckets: func(ctx context.Context, bucket, owner string) (objects.Store, error) {
				s, err := folders(ctx, bucket, owner)
				return openings{s, &opened}, err
			},
		})
		require.NoError(t, err)
		d := &testDB{DB: db, t: t, clock: c}
		if bulk {
			d.orders()
			in := bulkOrders()
			in.InputS3Configuration.InputCompressionType = api.Some("GZIP")
			_, err = d.StartBulkPutItems(t.Context(), in)
		} else {
			in := importOrders("DYNAMODB_JSON")
			in.InputCompressionType = api.Some("GZIP")
			_, err = d.ImportTable(t.Context(), in)
		}
		require.NoError(t, err)
		failures := 0
		for ; ; failures++ {
			left.Store(6)
			if err = d.Work(t.Context()); err == nil {
				break
			}
			require.ErrorIs(t, err, storage.ErrUnavailable)
			require.Less(t, failures, 100)
		}
		require.Positive(t, failures)
		require.EqualValues(t, 1, opened.Load(), "bulk: %v", bulk)
		require.Len(t, d.itemsOf("orders", ""), 10*fewRecords)
		left.Store(1 << 40)
		require.NoError(t, db.Close())
	}
}
