package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/engine/lsm"
)

var fileKey = []byte("the key of a file for tests, 32b")

// secrets are what users call things and put into them.
var secrets = []string{
	"SecretTable", "secretPartition", "secretSort", "SecretIndex", "secretAttribute", "secretValue",
	"secretKeyOfItem", "secretBytes", "secretSpilled",
}

// TestNothingReadableIsInTheFile: no name of a table, index or attribute, no key and no value can be read in
// the file of an encrypted database, in any state; in a plain one all can.
func TestNothingReadableIsInTheFile(t *testing.T) {
	for _, key := range [][]byte{nil, fileKey} {
		path := filepath.Join(t.TempDir(), "db")
		found := map[string]bool{}
		look := func(when string) {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, secret := range secrets {
				if bytes.Contains(raw, []byte(secret)) {
					found[secret] = true
					assert.Nil(t, key, "%s: %s can be read", when, secret)
				}
			}
			for _, form := range formsOf(fileKey) {
				assert.NotContains(t, string(raw), form, when)
			}
		}
		var logs bytes.Buffer
		opts := Options{
			EncryptionKey: key, NoBackground: true, Compression: lsm.CompressionNone, Sync: SyncOff,
			Logger: zerolog.New(&logs).Level(zerolog.DebugLevel),
		}
		db, err := Open(path, opts)
		require.NoError(t, err)
		look("new")
		fillWithSecrets(t, db)
		look("written")
		_, err = db.Backup(t.Context(), path+".copy", BackupOptions{})
		require.NoError(t, err)
		require.NoError(t, db.Close())
		look("closed")
		path += ".copy"
		look("backup")
		db, err = Open(path, opts)
		require.NoError(t, err)
		var got map[string]any
		_, err = db.Table("SecretTable").Get("secretKeyOfItem", "s101").Into(t.Context(), &got)
		require.NoError(t, err)
		assert.Equal(t, "secretValue", got["secretAttribute"])
		require.NoError(t, db.Close())
		look("restored")
		for _, form := range formsOf(fileKey) {
			assert.NotContains(t, logs.String(), form)
		}
		if key == nil {
			assert.Len(t, found, len(secrets), "the search finds all of them in a plain file: %v", found)
		}
	}
}

// TestKeyIsNotKept: a database holds no copy of the user's key, nor the caller's slice.
func TestKeyIsNotKept(t *testing.T) {
	file, err := Open(filepath.Join(t.TempDir(), "db"), Options{EncryptionKey: fileKey, NoBackground: true})
	require.NoError(t, err)
	assert.Nil(t, file.opts.EncryptionKey)
	require.NoError(t, file.Close())
	store, err := lsm.Open("", lsm.Options{InMemory: true})
	require.NoError(t, err)
	served, err := OpenStore(store, Options{EncryptionKey: fileKey, NoBackground: true})
	require.NoError(t, err)
	assert.Nil(t, served.opts.EncryptionKey)
	require.NoError(t, served.Close())
	_, err = Open("", Options{InMemory: true, EncryptionKey: fileKey})
	require.ErrorContains(t, err, "in memory has no encryption key")
}

func formsOf(key []byte) []string {
	return []string{string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key)[:40], fmt.Sprint(key)}
}

// fillWithSecrets writes a table with index and stream, small items and a transaction of large ones, which is
// spilled.
func fillWithSecrets(t *testing.T, db *DB) {
	t.Helper()
	ctx := t.Context()
	_, err := db.Client().Create("SecretTable").PK(build.StringKey("secretPartition")).SK(build.StringKey("secretSort")).
		Index(build.GSI("SecretIndex").PK(build.StringKey("secretAttribute"))).Run(ctx)
	require.NoError(t, err)
	table := db.Table("SecretTable")
	require.NoError(t, table.EnableStream(ctx, api.StreamViewTypeNewAndOldImages))
	for i := range 50 {
		require.NoError(t, table.Put(secretItem(i, nil)).Run(ctx))
	}
	large := bytes.Repeat([]byte("secretSpilled"), 30_000)
	require.NoError(t, db.Client().TransactWrite(
		table.Put(secretItem(100, large)), table.Put(secretItem(101, large)), table.Put(secretItem(102, large)),
		table.Put(secretItem(103, large)),
	).Token("secretToken").Run(ctx))
	require.NoError(t, table.Delete("secretKeyOfItem", "s007").Run(ctx))
}

func secretItem(i int, large []byte) map[string]any {
	return map[string]any{
		"secretPartition": "secretKeyOfItem", "secretSort": fmt.Sprintf("s%03d", i), "secretAttribute": "secretValue",
		"b": []byte("secretBytes"), "large": large,
	}
}
