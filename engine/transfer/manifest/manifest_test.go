package manifest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/transfer/manifest"
)

func TestKeys(t *testing.T) {
	assert.Equal(t, "AWSDynamoDB/01-ab/_started", manifest.Key("01-ab", manifest.Started))
	assert.Equal(t, "AWSDynamoDB/01-ab/data/x.json.gz", manifest.DataKey("01-ab", "x.json.gz", false))
	assert.Equal(t, "AWSDynamoDB/data/x.json.gz", manifest.DataKey("01-ab", "x.json.gz", true))
	assert.Equal(t, "p/q/AWSDynamoDB/x", manifest.Under("p/q/", "AWSDynamoDB/x"))
	assert.Equal(t, "AWSDynamoDB/x", manifest.Under("", "AWSDynamoDB/x"))
	assert.Equal(t, "manifest-files.checksum", manifest.ChecksumName(manifest.Files))
	assert.Equal(t, "XUFAKrxLKna5cZ2REBfFkg==", manifest.Checksum([]byte("hello")))
}

// TestSummary pins the example of the documentation.
func TestSummary(t *testing.T) {
	at := manifest.Time(time.Date(2020, 11, 4, 7, 28, 34, 28e6, time.UTC))
	prefix := "2020-Nov"
	b, err := json.MarshalIndent(&manifest.Export{
		Version: manifest.VersionFull, ExportARN: "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog/export/01234567890123-a1b2c3d4",
		StartTime: at, EndTime: manifest.Time(time.Date(2020, 11, 4, 7, 33, 43, 897e6, time.UTC)),
		TableARN: "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog", TableID: "12345a12-abcd-123a-ab12-1234abc12345",
		ExportTime: &at, Bucket: "ddb-productcatalog-export", Prefix: &prefix, SSEAlgorithm: "AES256",
		FilesKey: "AWSDynamoDB/01234567890123-a1b2c3d4/manifest-files.json", ItemCount: 8, OutputFormat: "DYNAMODB_JSON", ExportType: "FULL_EXPORT",
	}, "", "   ")
	require.NoError(t, err)
	assert.Equal(t, `{
   "version": "2020-06-30",
   "exportArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog/export/01234567890123-a1b2c3d4",
   "startTime": "2020-11-04T07:28:34.028Z",
   "endTime": "2020-11-04T07:33:43.897Z",
   "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog",
   "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
   "exportTime": "2020-11-04T07:28:34.028Z",
   "s3Bucket": "ddb-productcatalog-export",
   "s3Prefix": "2020-Nov",
   "s3SseAlgorithm": "AES256",
   "s3SseKmsKeyId": null,
   "manifestFilesS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/manifest-files.json",
   "billedSizeBytes": 0,
   "itemCount": 8,
   "outputFormat": "DYNAMODB_JSON",
   "exportType": "FULL_EXPORT"
}`, string(b))
	line, err := manifest.AppendFile(nil, &manifest.File{ItemCount: 8, Checksum: "sQMSpEILNgoQmarvDFonGQ==", ETag: "af83d6f217c19b8b0fff8023d8ca4716-1", Key: "AWSDynamoDB/11111111111111-22222222/data/33334444EXAMPLE.json.gz"})
	require.NoError(t, err)
	assert.Equal(t, `{"itemCount":8,"md5Checksum":"sQMSpEILNgoQmarvDFonGQ==","etag":"af83d6f217c19b8b0fff8023d8ca4716-1","dataFileS3Key":"AWSDynamoDB/11111111111111-22222222/data/33334444EXAMPLE.json.gz"}`+"\n", string(line))
}
