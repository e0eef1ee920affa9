package buckets_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	fake := fakes3.New(fakes3.Settings{Page: 2, Key: "id"}, "b")
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
		r, err := b.Get(ctx, "a/z", "", from)
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
	_, err = b.Get(ctx, "none", "", 0)
	require.True(t, objects.Missing(err), "%v", err)
	require.ErrorContains(t, err, "s3://b/none")
}

func TestFaults(t *testing.T) {
	fake := fakes3.New(fakes3.Settings{Key: "id"}, "b")
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
		_, err = b.Get(ctx, "a", "", 0)
		require.ErrorIs(t, err, want)
		_, err = b.List(ctx, "a", 10)
		require.ErrorIs(t, err, want)
	}
}

// startImport begins an import of what is under in/ into a table.
func startImport(t *testing.T, db *engine.DB) *api.ImportTableDescription {
	t.Helper()
	out, err := db.ImportTable(t.Context(), &api.ImportTableInput{
		InputFormat: api.Some("DYNAMODB_JSON"), S3BucketSource: &api.S3BucketSource{S3Bucket: api.Some("bucket"), S3KeyPrefix: api.Some("in/")},
		TableCreationParameters: &api.TableCreationParameters{
			TableName: api.Some("tab"), BillingMode: api.Some("PAY_PER_REQUEST"),
			AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
			KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		},
	})
	require.NoError(t, err)
	return out.ImportTableDescription
}

// startExport begins an export of a table, which gets point-in-time recovery for it.
func startExport(t *testing.T, db *engine.DB, table api.Opt[string]) *api.ExportDescription {
	t.Helper()
	_, err := db.UpdateContinuousBackups(t.Context(), &api.UpdateContinuousBackupsInput{
		TableName:                        api.Some("tab"),
		PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)},
	})
	require.NoError(t, err)
	out, err := db.ExportTableToPointInTime(t.Context(), &api.ExportTableToPointInTimeInput{
		TableArn: table, S3Bucket: api.Some("bucket"), S3Prefix: api.Some("out"),
	})
	require.NoError(t, err)
	return out.ExportDescription
}

// TestDatabaseOnBuckets: a table is imported from a bucket, in several steps, and exported into it.
func TestDatabaseOnBuckets(t *testing.T) {
	fake := fakes3.New(fakes3.Settings{Page: 1}, "bucket")
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
	imported := startImport(t, db)
	require.NoError(t, db.Work(ctx), "no step fails")
	i, err := db.DescribeImport(ctx, &api.DescribeImportInput{ImportArn: imported.ImportArn})
	require.NoError(t, err)
	require.Equal(t, "COMPLETED", i.ImportTableDescription.ImportStatus.Value)
	require.EqualValues(t, 2*items, i.ImportTableDescription.ImportedItemCount.Value)
	begun := startExport(t, db, i.ImportTableDescription.TableArn)
	require.NoError(t, db.Work(ctx))
	e, err := db.DescribeExport(ctx, &api.DescribeExportInput{ExportArn: begun.ExportArn})
	require.NoError(t, err)
	require.Equal(t, "COMPLETED", e.ExportDescription.ExportStatus.Value)
	require.Contains(t, fake.Get("bucket", e.ExportDescription.ExportManifest.Value), `"itemCount":10000`)
}

// TestBrokenServices: what a service does wrong ends an import and an export with its words, or is made good by
// trying again; nothing is lost and nothing is doubled.
func TestBrokenServices(t *testing.T) {
	const items = 3000
	var text strings.Builder
	for i := range items {
		fmt.Fprintf(&text, `{"Item":{"pk":{"S":"%d"}}}`+"\n", i)
	}
	answer := func(status int, code string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			fakes3.Fault(w, status, code)
			return true
		}
	}
	// seldom misbehaves at every seventh object that is read or written.
	seldom := func(do func(w http.ResponseWriter, r *http.Request) bool) func(w http.ResponseWriter, r *http.Request) bool {
		var n atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) bool {
			return !r.URL.Query().Has("list-type") && n.Add(1)%7 == 1 && do(w, r)
		}
	}
	hangUp := func(w http.ResponseWriter, _ *http.Request) bool { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		name   string
		before func(w http.ResponseWriter, r *http.Request) bool
		code   string // of the failure; empty for none
		says   string
	}{
		{"denied", answer(403, "AccessDenied"), "S3AccessDenied", ""},
		{"no bucket", answer(404, "NoSuchBucket"), "S3NoSuchBucket", ""},
		{"another region", answer(301, "PermanentRedirect"), "S3InternalError", "PermanentRedirect"},
		{"refused", answer(400, "InvalidRequest"), "S3InternalError", "InvalidRequest"},
		{"ill", answer(500, "InternalError"), "S3InternalError", "InternalError"},
		{"busy", answer(503, "SlowDown"), "S3InternalError", "SlowDown"},
		{"hangs up", hangUp, "S3InternalError", ""},
		{"speaks no XML", func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, "<html>hello")
			return true
		}, "S3InternalError", ""},
		{"ill now and then", seldom(answer(500, "InternalError")), "", ""},
		{"hangs up now and then", seldom(hangUp), "", ""},
		{"cuts off now and then", seldom(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(text.Len()))
			_, _ = io.WriteString(w, text.String()[:text.Len()/2])
			panic(http.ErrAbortHandler)
		}), "", ""},
		{"ends too early now and then", seldom(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet {
				return false
			}
			_, _ = io.WriteString(w, text.String()[:text.Len()/3])
			return true
		}), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := fakes3.New(fakes3.Settings{}, "bucket")
			fake.Set("bucket", "in/a", text.String())
			var now atomic.Int64
			now.Store(1_800_000_000)
			db, err := engine.OpenInMemory(engine.Options{
				Buckets: client(t, fake, "id").Open, NoBackground: true, Clock: func() time.Time { return time.Unix(now.Load(), 0) },
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			work := func() {
				for range 40 {
					if db.Work(t.Context()) == nil {
						return
					}
					now.Add(1)
				}
				t.Fatal("it is tried without end")
			}
			check := func(code, message string) {
				if c.code != "" {
					require.Equal(t, c.code, code)
					require.Contains(t, message, c.says)
					return
				}
				require.Empty(t, code, message)
			}
			fake.Intercept(c.before)
			i := startImport(t, db)
			work()
			imported, err := db.DescribeImport(t.Context(), &api.DescribeImportInput{ImportArn: i.ImportArn})
			require.NoError(t, err)
			d := imported.ImportTableDescription
			check(d.FailureCode.Value, d.FailureMessage.Value)
			if c.code != "" {
				require.Equal(t, api.ImportStatusFailed, d.ImportStatus.Value)
				fake.Intercept(nil)
				d = startImport(t, db)
				work()
				imported, err = db.DescribeImport(t.Context(), &api.DescribeImportInput{ImportArn: d.ImportArn})
				require.NoError(t, err)
				d = imported.ImportTableDescription
			}
			require.Equal(t, []int64{items, items, 0}, []int64{d.ProcessedItemCount.Value, d.ImportedItemCount.Value, d.ErrorCount.Value})
			fake.Intercept(c.before)
			e := startExport(t, db, d.TableArn)
			work()
			exported, err := db.DescribeExport(t.Context(), &api.DescribeExportInput{ExportArn: e.ExportArn})
			require.NoError(t, err)
			check(exported.ExportDescription.FailureCode.Value, exported.ExportDescription.FailureMessage.Value)
			if c.code == "" {
				require.EqualValues(t, items, exported.ExportDescription.ItemCount.Value)
			}
		})
	}
}
