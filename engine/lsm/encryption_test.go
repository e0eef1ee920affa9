package lsm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// Keys of users.
var (
	ownersKey    = []byte("a user's key, which is no secret")
	strangersKey = []byte("the key of somebody else, 32 b..")
	thirdKey     = []byte("a third key, which opens nothing")
)

func putOne(t testing.TB, db *DB, key, value string) {
	t.Helper()
	var b storage.Batch
	b.Put([]byte(key), []byte(value))
	require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
}

func getOne(t testing.TB, db *DB, key string) string {
	t.Helper()
	v, err := db.Get(context.Background(), []byte(key))
	require.NoError(t, err)
	require.True(t, v.Present, key)
	return string(v.Data)
}

// TestKeyThatDoesNotFit is refused by name, and not a byte of the file is touched.
func TestKeyThatDoesNotFit(t *testing.T) {
	for _, tt := range []struct {
		name         string
		made, opened []byte
		want         error
	}{
		{"no key", ownersKey, nil, ErrKeyNeeded},
		{"another key", ownersKey, strangersKey, ErrWrongKey},
		{"a key for a plain file", nil, ownersKey, ErrNotEncrypted},
	} {
		for _, readOnly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, read-only %v", tt.name, readOnly), func(t *testing.T) {
				fsys := vfs.NewMemFS(1)
				db, err := Open("db", Options{FS: fsys, EncryptionKey: tt.made})
				require.NoError(t, err)
				putOne(t, db, "k", "v")
				require.NoError(t, db.Close())
				wrote := 0
				fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
					if op.Kind != vfs.OpRead && op.Kind != vfs.OpCreate { // which finds the file there
						wrote++
					}
					return nil
				}})
				_, err = Open("db", Options{FS: fsys, EncryptionKey: tt.opened, ReadOnly: readOnly})
				require.ErrorIs(t, err, tt.want)
				require.NotErrorIs(t, err, storage.ErrCorrupt)
				assert.NotContains(t, err.Error(), string(ownersKey[:6]))
				assert.Zero(t, wrote)
				db, err = Open("db", Options{FS: fsys, EncryptionKey: tt.made, ReadOnly: true})
				require.NoError(t, err)
				assert.Equal(t, "v", getOne(t, db, "k"))
				require.NoError(t, db.Close())
			})
		}
	}
}

func TestKeyOptions(t *testing.T) {
	open := func(o Options) error {
		path := "db"
		if o.InMemory {
			path = ""
		}
		o.FS = vfs.NewMemFS(1)
		db, err := Open(path, o)
		if err == nil {
			require.NoError(t, db.Close())
		}
		return err
	}
	require.NoError(t, open(Options{EncryptionKey: ownersKey}))
	require.ErrorContains(t, open(Options{EncryptionKey: ownersKey, InMemory: true}), "in memory has no encryption key")
	require.ErrorContains(t, open(Options{EncryptionKey: ownersKey[:31]}), "has 31 bytes: want 32")
	require.ErrorContains(t, open(Options{EncryptionKey: []byte{}}), "has 0 bytes: want 32")
	require.ErrorContains(t, open(Options{EncryptionKey: make([]byte, 32)}), "all zeros")
}

// TestKeyIsTheCallers: it is copied before Open returns, and left as it was.
func TestKeyIsTheCallers(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	key := bytes.Clone(ownersKey)
	db, err := Open("db", Options{FS: fsys, EncryptionKey: key})
	require.NoError(t, err)
	assert.Equal(t, ownersKey, key)
	assert.Nil(t, db.opts.EncryptionKey, "no copy is kept")
	clear(key)
	putOne(t, db, "k", "v")
	require.NoError(t, db.Close())
	db, err = Open("db", Options{FS: fsys, EncryptionKey: ownersKey})
	require.NoError(t, err)
	assert.Equal(t, "v", getOne(t, db, "k"))
	require.NoError(t, db.Close())
}

// TestNothingReadableIsOnDisk: keys, values and the path of the file are found nowhere in it, neither in the
// superblocks, the log nor in spills, tables before and after a compaction, or the bounds in the manifest. Without
// a key they are.
func TestNothingReadableIsOnDisk(t *testing.T) {
	found := map[string]bool{}
	for _, key := range [][]byte{nil, ownersKey} {
		path := filepath.Join(t.TempDir(), "SECRETPLACE")
		look := func(when string) {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, secret := range []string{"SECRETPLACE", "SECRETKEY", "SECRETVALUE", "SECRETSPILL"} {
				if bytes.Contains(raw, []byte(secret)) {
					if key != nil {
						t.Errorf("%s: %s stands in the file", when, secret)
					}
					found[when+" "+secret] = true
				}
			}
		}
		opts := Options{EncryptionKey: key, Compression: CompressionNone, Sync: SyncOff, SegmentBytes: 64 << 10, LogBytes: 256 << 10}
		db, err := Open(path, opts)
		require.NoError(t, err)
		var all []storage.Op
		for i := range 200 {
			op := storage.Op{Key: fmt.Appendf(nil, "0123456789ab%cSECRETKEY %d", i%3, i), Value: []byte("SECRETVALUE" + strings.Repeat("v", 100))}
			all = append(all, op)
			require.NoError(t, db.Apply(t.Context(), &storage.Batch{Ops: []storage.Op{op}}, storage.UpdateOptions{}))
		}
		look("log")
		big := storage.Op{Key: []byte("0123456789abcSECRETKEY"), Value: bytes.Repeat([]byte("SECRETSPILL"), 10_000)}
		require.NoError(t, db.Apply(t.Context(), &storage.Batch{Ops: append(all, big)}, storage.UpdateOptions{}))
		require.Positive(t, db.spillBytes())
		look("spill")
		require.NoError(t, db.checkpoint())
		look("tables")
		require.NoError(t, db.Close())
		look("closed")
		db, err = Open(path, opts)
		require.NoError(t, err)
		assert.Equal(t, string(big.Value), getOne(t, db, string(big.Key)))
		require.NoError(t, db.Close())
	}
	for _, want := range []string{
		"log SECRETPLACE", "log SECRETKEY", "log SECRETVALUE", "spill SECRETSPILL", "tables SECRETKEY", "tables SECRETVALUE", "closed SECRETKEY",
	} {
		assert.True(t, found[want], "the search finds %s in a plain file", want)
	}
}

// TestNoKeyIsHeldAfterClose: the data key is overwritten, and nothing leads to what was derived from it; of
// a file that a fork reads, when that is closed.
func TestNoKeyIsHeldAfterClose(t *testing.T) {
	for _, forked := range []bool{false, true} {
		db, err := Open("db", Options{FS: vfs.NewMemFS(1), EncryptionKey: ownersKey})
		require.NoError(t, err)
		putOne(t, db, "key", "value")
		require.NoError(t, db.checkpoint())
		require.Equal(t, "value", getOne(t, db, "key"))
		held := func() (n int) {
			for i := range db.stripes {
				for _, level := range db.stripes[i].tables.levels {
					for _, table := range level {
						if table.reader.HoldsKey() {
							n++
						}
					}
				}
			}
			return n
		}
		require.Positive(t, held())
		last := db
		if forked {
			last, err = db.Fork()
			require.NoError(t, err)
			require.NoError(t, db.Close())
			require.Equal(t, "value", getOne(t, last, "key"))
			require.Positive(t, held())
		}
		require.NoError(t, last.Close())
		require.Zero(t, held())
		require.Nil(t, db.wal.term)
		require.Nil(t, db.man.term)
		_, err = db.newTerm(1, 1)
		require.ErrorContains(t, err, "is cleared")
	}
}
