package buckets_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/cmd/internal/buckets"
	"github.com/keystone-db/kstone/cmd/internal/buckets/fakes3"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/objects"
)

func client(t *testing.T, fake *fakes3.Server, key string) *buckets.Client {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return buckets.Of(aws.Config{
		BaseEndpoint:     &server.URL,
		Credentials:      credentials.NewStaticCredentialsProvider(key, "secret", ""),
		RetryMaxAttempts: 1,
	})
}

func TestObjects(t *testing.T) {
	fake := fakes3.New("b")
	fake.Page, fake.Key = 2, "id"
	c := client(t, fake, "id")
	b, err := c.Open(t.Context(), "b", "123456789012")
	require.NoError(t, err)
	ctx := t.Context()
	for _, n := range []string{"a/b/c", "a-b", "a/z", "b"} {
		tag, err := b.Put(ctx, n, strings.NewReader("hello"), objects.PutOptions{Encryption: "AES256"})
		require.NoError(t, err)
		require.Equal(t, "5d41402abc4b2a76b9719d911017c592", tag)
	}
	for from, want := range map[int64]string{0: "hello", 2: "llo", 5: ""} {
		r, err := b.Get(ctx, "a/z", from)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.Equal(t, want, string(got))
	}
	list, err := b.List(ctx, "a", 100)
	require.NoError(t, err)
	require.Len(t, list, 3)
	assert.Equal(t, objects.Info{Name: "a-b", Size: 5, Version: "5d41402abc4b2a76b9719d911017c592"}, list[0])
	list, err = b.List(ctx, "", 1)
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = b.Get(ctx, "none", 0)
	require.True(t, objects.Missing(err), "%v", err)
	require.ErrorContains(t, err, "s3://b/none")
}

func TestFaults(t *testing.T) {
	fake := fakes3.New("b")
	fake.Key = "id"
	for bucket, want := range map[string]error{"none": objects.ErrNoBucket, "b": objects.ErrDenied} {
		key := "id"
		if bucket == "b" {
			key = "other"
		}
		b, err := client(t, fake, key).Open(t.Context(), bucket, "")
		require.NoError(t, err)
		ctx := context.WithoutCancel(t.Context())
		_, err = b.Put(ctx, "a", strings.NewReader("x"), objects.PutOptions{})
		require.ErrorIs(t, err, want)
		_, err = b.Get(ctx, "a", 0)
		require.ErrorIs(t, err, want)
		_, err = b.List(ctx, "a", 10)
		require.ErrorIs(t, err, want)
	}
}

// TestDatabaseOnBuckets: a table is imported from a bucket, in several steps, and exported into it.
func TestDatabaseOnBuckets(t *testing.T) {
	fake := fakes3.New("bucket")
	fake.Page = 1
	const items = 5000 // more than a step reads
	for o := range 2 {
		var text strings.Builder
		for i := range items {
			fmt.Fprintf(&text, `{"Item":{"pk":{"S":"%d-%d"}}}`+"\n", o, i)
		}
		fake.Set("bucket", fmt.Sprint("in/", o), text.String())
	}
	c := client(t, fake, "id")
	db, err := engine.OpenInMemory(engine.Options{Buckets: c.Open, NoBackground: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	ctx := t.Context()
	imported, err := db.ImportTable(ctx, &api.ImportTableInput{
		InputFormat: api.Some("DYNAMODB_JSON"), S3BucketSource: &api.S3BucketSource{S3Bucket: api.Some("bucket"), S3KeyPrefix: api.Some("in/")},
		TableCreationParameters: &api.TableCreationParameters{
			TableName: api.Some("tab"), BillingMode: api.Some("PAY_PER_REQUEST"),
			AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
			KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		},
	})
	require.NoError(t, err)
	require.NoError(t, db.Work(ctx), "no step fails")
	i, err := db.DescribeImport(ctx, &api.DescribeImportInput{ImportArn: imported.ImportTableDescription.ImportArn})
	require.NoError(t, err)
	require.Equal(t, "COMPLETED", i.ImportTableDescription.ImportStatus.Value)
	require.EqualValues(t, 2*items, i.ImportTableDescription.ImportedItemCount.Value)
	_, err = db.UpdateContinuousBackups(ctx, &api.UpdateContinuousBackupsInput{
		TableName:                        api.Some("tab"),
		PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)},
	})
	require.NoError(t, err)
	begun, err := db.ExportTableToPointInTime(ctx, &api.ExportTableToPointInTimeInput{
		TableArn: i.ImportTableDescription.TableArn, S3Bucket: api.Some("bucket"), S3Prefix: api.Some("out"),
	})
	require.NoError(t, err)
	require.NoError(t, db.Work(ctx))
	e, err := db.DescribeExport(ctx, &api.DescribeExportInput{ExportArn: begun.ExportDescription.ExportArn})
	require.NoError(t, err)
	require.Equal(t, "COMPLETED", e.ExportDescription.ExportStatus.Value)
	require.Contains(t, fake.Get("bucket", e.ExportDescription.ExportManifest.Value), `"itemCount":10000`)
}
