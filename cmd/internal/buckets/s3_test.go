package buckets_test

import (
	"context"
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
