// Package manifest makes the manifests of an export and of the report of a bulk put: a summary, a list of the
// data files, and for each a file with its checksum.
//
//	PREFIX/AWSDynamoDB/ID/_started
//	PREFIX/AWSDynamoDB/ID/manifest-summary.json
//	PREFIX/AWSDynamoDB/ID/manifest-summary.checksum
//	PREFIX/AWSDynamoDB/ID/manifest-files.json
//	PREFIX/AWSDynamoDB/ID/manifest-files.checksum
//	PREFIX/AWSDynamoDB/ID/data/NAME.json.gz          of a full export
//	PREFIX/AWSDynamoDB/data/NAME.json.gz             of an incremental one
//
// Keys in the manifests are whole, prefix included: what reads exports of the service takes them so.
package manifest

import (
	"crypto/md5" //nolint:gosec // the checksum that the service has here
	"encoding/base64"
	"encoding/json"
	"path"
	"strings"
	"time"
)

// Names of the objects of an export.
const (
	Started = "_started"
	Summary = "manifest-summary.json"
	Files   = "manifest-files.json"
	folder  = "AWSDynamoDB"
	data    = "data"
)

// Key is the key of an object of an export without the prefix.
func Key(id, name string) string { return path.Join(folder, id, name) }

// DataKey is the key of a data file without the prefix.
func DataKey(id, name string, incremental bool) string {
	if incremental {
		return path.Join(folder, data, name)
	}
	return path.Join(folder, id, data, name)
}

// Under puts a prefix before a key. One that ends with a slash has no second one: unsure.
func Under(prefix, key string) string {
	if prefix = strings.Trim(prefix, "/"); prefix == "" {
		return key
	}
	return prefix + "/" + key
}

// ChecksumName is the name of the object that holds the checksum of a manifest.
func ChecksumName(name string) string { return strings.TrimSuffix(name, ".json") + ".checksum" }

// Checksum is the MD5 of an object in base64.
func Checksum(content []byte) string {
	sum := md5.Sum(content) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// File is a data file in the list.
type File struct {
	ItemCount int64  `json:"itemCount"`
	Checksum  string `json:"md5Checksum"`
	ETag      string `json:"etag"`
	Key       string `json:"dataFileS3Key"`
	// OutputType says what a file of the report of a bulk put holds.
	OutputType string `json:"outputType,omitempty"`
}

// AppendFile appends the line of a data file.
func AppendFile(dst []byte, f *File) ([]byte, error) {
	b, err := json.Marshal(f)
	return append(append(dst, b...), '\n'), err
}

// Time is a time as the manifests have it.
type Time time.Time

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// Export is the summary of an export. The order of its members is that of the documentation.
type Export struct {
	Version        string  `json:"version"`
	ExportARN      string  `json:"exportArn"`
	StartTime      Time    `json:"startTime"`
	EndTime        Time    `json:"endTime"`
	TableARN       string  `json:"tableArn"`
	TableID        string  `json:"tableId"`
	ExportTime     *Time   `json:"exportTime,omitempty"`
	ExportFromTime *Time   `json:"exportFromTime,omitempty"`
	ExportToTime   *Time   `json:"exportToTime,omitempty"`
	Bucket         string  `json:"s3Bucket"`
	Prefix         *string `json:"s3Prefix"`
	SSEAlgorithm   string  `json:"s3SseAlgorithm"`
	SSEKMSKeyID    *string `json:"s3SseKmsKeyId"`
	FilesKey       string  `json:"manifestFilesS3Key"`
	BilledSize     int64   `json:"billedSizeBytes"`
	ItemCount      int64   `json:"itemCount"`
	OutputFormat   string  `json:"outputFormat"`
	OutputView     string  `json:"outputView,omitempty"`
	ExportType     string  `json:"exportType"`
}

// Versions of summaries.
const (
	VersionFull        = "2020-06-30"
	VersionIncremental = "2023-08-01"
)

// Bulk is the summary of the report of a bulk put; unsure: the service's own is not known.
type Bulk struct {
	Version           string  `json:"version"`
	ARN               string  `json:"bulkOperationArn"`
	Status            string  `json:"bulkOperationStatus"`
	StartTime         Time    `json:"startTime"`
	EndTime           Time    `json:"endTime"`
	TableARN          string  `json:"tableArn"`
	TableID           string  `json:"tableId"`
	Bucket            string  `json:"s3Bucket"`
	Prefix            *string `json:"s3Prefix"`
	SSEAlgorithm      *string `json:"s3SseAlgorithm"`
	SSEKMSKeyID       *string `json:"s3SseKmsKeyId"`
	FilesKey          string  `json:"manifestFilesS3Key"`
	ProcessedCount    int64   `json:"processedItemCount"`
	FailedCount       int64   `json:"failedItemCount"`
	ConditionFailures int64   `json:"conditionCheckFailureCount"`
}
