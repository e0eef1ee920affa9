package crash

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// transferred is how many items the objects hold; a tenth of them twice.
	transferred = 15_000
	// transferLifeMax bounds the life of a process meanwhile.
	transferLifeMax = 3 * copyLifeMax
)

// TestTransfersOverKills: an import, an export and a bulk put go on after each SIGKILL, and each item, count
// and line is there once.
func TestTransfersOverKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	dir := t.TempDir()
	bin, file, bucket := binary(t), filepath.Join(dir, "crash.keystone"), filepath.Join(dir, "buckets", "bucket")
	require.NoError(t, os.MkdirAll(filepath.Join(bucket, "in"), 0o700))
	writeObjects(t, bucket)
	lives := lives{rnd: rand.New(rand.NewPCG(seed, 30))}
	root := []string{"--s3-root", filepath.Dir(bucket)}
	s := start(t, bin, file, root...)
	ctx := t.Context()
	// outlive calls and kills servers until the answer of look says that it is over.
	outlive := func(operation string, in object, look func(object) string) (status string) {
		for status = "IN_PROGRESS"; status == "IN_PROGRESS"; {
			time.Sleep(lives.next(t, transferLifeMax)) //nolint:sleep // how far it comes is left to chance
			s.kill()
			s = start(t, bin, file, root...)
			a := s.call(ctx, operation, in)
			require.True(t, a.ok(), "%+v", a)
			status = look(a.body)
		}
		return status
	}

	a := s.call(ctx, "ImportTable", object{
		"InputFormat": "DYNAMODB_JSON", "InputCompressionType": "GZIP", "S3BucketSource": object{"S3Bucket": "bucket", "S3KeyPrefix": "in/"},
		"TableCreationParameters": object{
			"TableName": table, "BillingMode": "PAY_PER_REQUEST", "KeySchema": []object{{"AttributeName": "pk", "KeyType": "HASH"}},
			"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}},
		},
	})
	require.True(t, a.ok(), "%+v", a)
	arn := a.body["ImportTableDescription"].(object)["ImportArn"]
	var d object
	status := outlive("DescribeImport", object{"ImportArn": arn}, func(body object) string {
		d = body["ImportTableDescription"].(object)
		return d["ImportStatus"].(string)
	})
	require.Equal(t, "FAILED", status, "one line is bad")
	require.Equal(t, []any{transferred + 1.0, transferred + 0.0, 1.0}, []any{d["ProcessedItemCount"], d["ImportedItemCount"], d["ErrorCount"]})
	require.Equal(t, map[string]int{"0": transferred / 10, "1": transferred * 8 / 10}, versions(t, s, table))

	a = s.call(ctx, "UpdateContinuousBackups", object{
		"TableName": table, "PointInTimeRecoverySpecification": object{"PointInTimeRecoveryEnabled": true},
	})
	require.True(t, a.ok(), "%+v", a)
	a = s.call(ctx, "ExportTableToPointInTime", object{
		"TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/" + table, "S3Bucket": "bucket", "S3Prefix": "out",
	})
	require.True(t, a.ok(), "%+v", a)
	export := a.body["ExportDescription"].(object)["ExportArn"]

	a = s.call(ctx, "StartBulkPutItems", object{
		"TableName":             table,
		"InputS3Configuration":  object{"S3Bucket": "bucket", "S3KeyPrefix": "in/", "InputFormat": "DYNAMODB_JSON", "InputCompressionType": "GZIP"},
		"OutputS3Configuration": object{"S3Bucket": "bucket", "S3KeyPrefix": "report", "OutputType": []string{"ERROR", "CONDITION_CHECK_FAILURE"}},
	})
	require.True(t, a.ok(), "%+v", a)
	bulk := a.body["BulkOperationDescription"].(object)["BulkOperationArn"]
	status = outlive("DescribeBulkOperation", object{"BulkOperationArn": bulk}, func(body object) string {
		d = body["BulkOperationDescription"].(object)
		return d["BulkOperationStatus"].(string)
	})
	require.Equal(t, "COMPLETED_WITH_ERRORS", status)
	require.Equal(t, []any{transferred + 1.0, 1.0}, []any{d["ProcessedItemCount"], d["FailedItemCount"]})
	status = outlive("DescribeExport", object{"ExportArn": export}, func(body object) string {
		d = body["ExportDescription"].(object)
		return d["ExportStatus"].(string)
	})
	require.Equal(t, "COMPLETED", status)
	seen := exportedKeys(t, bucket, d["ExportManifest"].(string))
	require.Len(t, seen, transferred*9/10)
	s.kill()
	out, err := exec.Command(bin, "verify", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%d kills", lives.kills)
}

// writeObjects writes the items of the test: of every ten the last has the key of the first, and stays.
func writeObjects(t *testing.T, bucket string) {
	t.Helper()
	const perObject = transferred / 3
	for o := range 3 {
		f, err := os.Create(filepath.Join(bucket, "in", fmt.Sprint(o)))
		require.NoError(t, err)
		z := gzip.NewWriter(f)
		for i := o * perObject; i < (o+1)*perObject; i++ {
			k, v := i, 1
			if i%10 == 9 {
				k, v = i-9, 0
			}
			_, err := fmt.Fprintf(z, `{"Item":{"pk":{"S":"item-%d"},"v":{"N":"%d"},"pad":{"S":"%s"}}}`+"\n", k, v, strings.Repeat("x", 100))
			require.NoError(t, err)
		}
		if o == 1 {
			_, err = io.WriteString(z, "bad\n")
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		require.NoError(t, f.Close())
	}
}

// exportedKeys reads an export; no key comes twice.
func exportedKeys(t *testing.T, bucket, summary string) map[string]bool {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(bucket, filepath.Dir(summary), "manifest-files.json"))
	require.NoError(t, err)
	seen := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		var entry struct{ DataFileS3Key string }
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		f, err := os.Open(filepath.Join(bucket, entry.DataFileS3Key))
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		for d := json.NewDecoder(z); d.More(); {
			var it struct {
				Item struct{ Pk struct{ S string } }
			}
			require.NoError(t, d.Decode(&it))
			require.False(t, seen[it.Item.Pk.S], it.Item.Pk.S)
			seen[it.Item.Pk.S] = true
		}
		require.NoError(t, f.Close())
	}
	return seen
}
