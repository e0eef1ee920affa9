package archives

import (
	"io"
	"io/fs"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/cmd/internal/buckets"
	"github.com/keystone-db/kstone/cmd/internal/buckets/fakes3"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/build"
)

// bucketOf is an archive in a bucket "shop" of a fake.
func bucketOf(fake *fakes3.Server, prefix string) (inBucket, *httptest.Server) {
	server := httptest.NewServer(fake)
	client := buckets.Of(aws.Config{
		BaseEndpoint:     &server.URL,
		Credentials:      credentials.NewStaticCredentialsProvider("id", "secret", ""),
		RetryMaxAttempts: 1,
	})
	return inBucket{client.Bucket("shop", prefix)}, server
}

func TestS3(t *testing.T) {
	for name, plain := range map[string]bool{"conditions": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			fake := fakes3.New(fakes3.Settings{Plain: plain, Page: 2, Key: "id"}, "shop")
			fake.Set("shop", "other/a", "x")
			b, server := bucketOf(fake, "my/archive")
			defer server.Close()
			ctx := t.Context()
			put := func(name, text string, replace bool) error {
				return b.Put(ctx, name, strings.NewReader(text), replace)
			}
			for _, n := range []string{"t/log/3", "t/log/1", "t/log/2", "u/log/1"} {
				require.NoError(t, put(n, "text of "+n, false))
			}
			require.ErrorIs(t, put("t/log/1", "other", false), fs.ErrExist)
			require.NoError(t, put("t/log/2", "replaced", true))
			assert.Equal(t, "text of t/log/1", fake.Get("shop", "my/archive/t/log/1"))
			r, err := b.Get(ctx, "t/log/2")
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			assert.Equal(t, "replaced", string(got))
			_, err = b.Get(ctx, "t/log/4")
			require.ErrorIs(t, err, fs.ErrNotExist)
			names, err := b.List(ctx, "t/log/", "")
			require.NoError(t, err)
			assert.Equal(t, []string{"t/log/1", "t/log/2", "t/log/3"}, names)
			names, err = b.List(ctx, "t/", "t/log/1")
			require.NoError(t, err)
			assert.Equal(t, []string{"t/log/2", "t/log/3"}, names)
			sizes, err := b.Sizes(ctx, "t/")
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"t/log/1": 15, "t/log/2": 8, "t/log/3": 15}, sizes)
			require.NoError(t, b.Delete(ctx, "t/log/1", "t/log/3", "t/log/none"))
			names, err = b.List(ctx, "", "")
			require.NoError(t, err)
			assert.Equal(t, []string{"t/log/2", "u/log/1"}, names)
			assert.Equal(t, "x", fake.Get("shop", "other/a"))
			server.Close()
			require.ErrorContains(t, b.Delete(ctx, "t/log/2"), "s3://shop/my/archive/t/log/2")
			require.ErrorContains(t, put("t/log/5", "x", false), "s3://shop/my/archive/t/log/5")
		})
	}
}

// TestADatabaseInABucket goes there and comes back.
func TestADatabaseInABucket(t *testing.T) {
	fake := fakes3.New(fakes3.Settings{Page: 3, Key: "id"}, "shop")
	b, server := bucketOf(fake, "")
	defer server.Close()
	dir := t.TempDir()
	for i := range 3 { // three opens, which find what is there
		db, err := engine.Open(filepath.Join(dir, "db"), engine.Options{Archive: b})
		require.NoError(t, err)
		if i == 0 {
			_, err = db.Client().Create("items").PK(build.StringKey("pk")).Run(t.Context())
			require.NoError(t, err)
		}
		put := map[string]string{"pk": strconv.Itoa(i)}
		require.NoError(t, db.Table("items").Put(put).Run(t.Context()))
		require.NoError(t, db.Close())
		require.NoError(t, db.ArchiveStatus().Err)
	}
	path := filepath.Join(dir, "restored")
	_, err := engine.RestoreArchive(t.Context(), path, b, engine.PointInTime{}, engine.RestoreOptions{})
	require.NoError(t, err)
	db, err := engine.Open(path, engine.Options{})
	require.NoError(t, err)
	for i := range 3 {
		var got map[string]string
		found, err := db.Table("items").Get(strconv.Itoa(i)).Into(t.Context(), &got)
		require.NoError(t, err)
		require.True(t, found)
	}
	require.NoError(t, db.Close())
}

func TestOpen(t *testing.T) {
	for _, bad := range []string{"http://bucket/x", "s3://", "s3:///x", "s3://b/x?y=1"} {
		_, err := Open(t.Context(), bad, false)
		require.ErrorContains(t, err, "--archive")
	}
	dir := t.TempDir()
	_, err := Open(t.Context(), dir+"/a", true)
	require.ErrorContains(t, err, "there is no folder")
	_, err = Open(t.Context(), dir+"/a", false)
	require.NoError(t, err)
	_, err = Open(t.Context(), dir+"/a", true)
	require.NoError(t, err)
	_, err = Open(t.Context(), dir+"/no/where", false)
	require.ErrorContains(t, err, "mkdir -p")
	b, err := Open(t.Context(), "s3://shop/a/b/", false)
	require.NoError(t, err)
	assert.Equal(t, "a/b/", b.(inBucket).Prefix())
}
