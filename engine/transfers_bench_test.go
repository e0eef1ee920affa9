package engine_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/objects"
)

// benchInput is about how much text BenchmarkImport imports, in benchObjects objects.
const (
	benchInput   = 48 << 20
	benchObjects = 3
)

// writeInput writes items of some 450 bytes of DynamoDB JSON below a bucket, in no order of their keys.
func writeInput(b *testing.B, root string) {
	b.Helper()
	dir := filepath.Join(root, "bucket", "in")
	require.NoError(b, os.MkdirAll(dir, 0o700))
	n := uint64(0)
	for o := range benchObjects {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(o))) //nolint:gosec // a folder of the test
		require.NoError(b, err)
		w := bufio.NewWriter(f)
		for size := 0; size < benchInput/benchObjects; {
			n++
			mixed := n * 0x9e3779b97f4a7c15
			text := strings.Repeat(fmt.Sprintf("%x", mixed), 18)
			line, err := fmt.Fprintf(w, `{"Item":{"pk":{"S":"user#%016x"},"sk":{"N":"%d"},"name":{"S":"name %d"},`+
				`"active":{"BOOL":true},"score":{"N":"%d.25"},"tags":{"SS":["a","b","c%d"]},"body":{"S":"%s"}}}`+"\n",
				mixed, n, n, n%1000, n%10, text)
			require.NoError(b, err)
			size += line
		}
		require.NoError(b, w.Flush())
		require.NoError(b, f.Close())
	}
}

// importBench imports what writeInput has written, into a file that is synced.
func importBench(b *testing.B, root string) (*engine.DB, *api.ImportTableDescription) {
	b.Helper()
	db, err := engine.Open(filepath.Join(b.TempDir(), "bench.keystone"), engine.Options{
		Buckets: objects.Folders(root), NoBackground: true,
	})
	require.NoError(b, err)
	out, err := db.ImportTable(b.Context(), &api.ImportTableInput{
		InputFormat:    api.Some(api.InputFormatDynamodbJson),
		S3BucketSource: &api.S3BucketSource{S3Bucket: api.Some("bucket"), S3KeyPrefix: api.Some("in/")},
		TableCreationParameters: &api.TableCreationParameters{
			TableName: api.Some("bench"), BillingMode: api.Some(api.BillingModePayPerRequest),
			AttributeDefinitions: []api.AttributeDefinition{
				{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}, {AttributeName: api.Some("sk"), AttributeType: api.Some("N")},
			},
			KeySchema: []api.KeySchemaElement{
				{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}, {AttributeName: api.Some("sk"), KeyType: api.Some("RANGE")},
			},
		},
	})
	require.NoError(b, err)
	require.NoError(b, db.Work(b.Context()))
	done, err := db.DescribeImport(b.Context(), &api.DescribeImportInput{ImportArn: out.ImportTableDescription.ImportArn})
	require.NoError(b, err)
	require.Equal(b, api.ImportStatusCompleted, done.ImportTableDescription.ImportStatus.Value)
	return db, done.ImportTableDescription
}

// BenchmarkImport is an import of DynamoDB JSON; bytes are those of the text.
func BenchmarkImport(b *testing.B) {
	root := b.TempDir()
	writeInput(b, root)
	b.ResetTimer()
	for b.Loop() {
		db, d := importBench(b, root)
		b.SetBytes(d.ProcessedSizeBytes.Value)
		require.NoError(b, db.Close())
	}
}

// BenchmarkExport is a full export; bytes are those of the items.
func BenchmarkExport(b *testing.B) {
	root := b.TempDir()
	writeInput(b, root)
	db, d := importBench(b, root)
	defer db.Close() //nolint:errcheck // of a benchmark
	on := &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)}
	_, err := db.UpdateContinuousBackups(b.Context(), &api.UpdateContinuousBackupsInput{
		TableName: api.Some("bench"), PointInTimeRecoverySpecification: on,
	})
	require.NoError(b, err)
	b.ResetTimer()
	for b.Loop() {
		out, err := db.ExportTableToPointInTime(b.Context(), &api.ExportTableToPointInTimeInput{
			TableArn: d.TableArn, S3Bucket: api.Some("bucket"), S3Prefix: api.Some("out"),
		})
		require.NoError(b, err)
		require.NoError(b, db.Work(b.Context()))
		done, err := db.DescribeExport(b.Context(), &api.DescribeExportInput{ExportArn: out.ExportDescription.ExportArn})
		require.NoError(b, err)
		require.Equal(b, api.ExportStatusCompleted, done.ExportDescription.ExportStatus.Value)
		b.SetBytes(done.ExportDescription.BilledSizeBytes.Value)
	}
}

// BenchmarkRestore is a backup of a table, or a restore of it; bytes are those of the items.
func BenchmarkRestore(b *testing.B) {
	root := b.TempDir()
	writeInput(b, root)
	db, _ := importBench(b, root)
	defer db.Close() //nolint:errcheck // of a benchmark
	backup := func(b *testing.B) *api.BackupDetails {
		b.Helper()
		out, err := db.CreateBackup(b.Context(), &api.CreateBackupInput{TableName: api.Some("bench"), BackupName: api.Some("backup")})
		require.NoError(b, err)
		require.NoError(b, db.Work(b.Context()))
		done, err := db.DescribeBackup(b.Context(), &api.DescribeBackupInput{BackupArn: out.BackupDetails.BackupArn})
		require.NoError(b, err)
		require.Equal(b, api.BackupStatusAvailable, done.BackupDescription.BackupDetails.BackupStatus.Value)
		return done.BackupDescription.BackupDetails
	}
	from := backup(b)
	b.Run("backup", func(b *testing.B) {
		b.SetBytes(from.BackupSizeBytes.Value)
		for b.Loop() {
			backup(b)
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(from.BackupSizeBytes.Value)
		n := 0
		for b.Loop() {
			n++
			_, err := db.RestoreTableFromBackup(b.Context(), &api.RestoreTableFromBackupInput{
				BackupArn: from.BackupArn, TargetTableName: api.Some(fmt.Sprint("restored-", n)),
			})
			require.NoError(b, err)
			require.NoError(b, db.Work(b.Context()))
		}
	})
}
