package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// savedModel fills a database with keys, most of them overwritten and some deleted.
func savedModel(t *testing.T, db *DB, seed uint64) map[string]string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 6))
	model := map[string]string{}
	for range 600 {
		k := string(testKey(byte(r.IntN(40)), fmt.Sprintf("k%02d", r.IntN(9))))
		if r.IntN(5) == 0 {
			mustDelete(t, db, []byte(k))
			delete(model, k)
			continue
		}
		model[k] = randomValue(r, r.IntN(300))
		mustPut(t, db, []byte(k), model[k])
	}
	return model
}

// TestSaveAndLoad: what is in memory, over a file or not, encrypted or not, comes back from the file.
func TestSaveAndLoad(t *testing.T) {
	ctx := context.Background()
	key := bytes.Repeat([]byte{7}, 32)
	for _, secret := range [][]byte{nil, key} {
		for _, over := range []string{"nothing", "a file"} {
			t.Run(fmt.Sprint(over, len(secret)), func(t *testing.T) {
				fsys := vfs.NewMemFS(1)
				var db *DB
				model := map[string]string{}
				if over == "nothing" {
					var err error
					db, err = Open("", Options{InMemory: true, FS: fsys, SegmentBytes: 64 << 10, LogBytes: 128 << 10})
					require.NoError(t, err)
				} else {
					o := memOptions(nil)
					o.EncryptionKey = bytes.Clone(secret)
					file := openMem(t, fsys, o)
					model = savedModel(t, file, 1)
					require.NoError(t, file.pass(passAll))
					maps.Copy(model, map[string]string{string(testKey(1, "late")): "in a memtable"})
					mustPut(t, file, testKey(1, "late"), "in a memtable")
					db = mustFork(t, file)
					require.NoError(t, file.Close())
					for k := range model {
						mustDelete(t, db, []byte(k))
						delete(model, k)
						if len(model) < 50 {
							break
						}
					}
				}
				maps.Copy(model, savedModel(t, db, 2))
				model, err := readAll(db)
				require.NoError(t, err)
				seq := lastSeq(t, db)
				require.NoError(t, db.Save(ctx, copyPath, SaveOptions{EncryptionKey: secret}))
				mustPut(t, db, testKey(9, "k"), "after it")
				require.NoError(t, db.Save(ctx, "dir/other", SaveOptions{EncryptionKey: secret}), "a second one")

				report, err := Verify(ctx, copyPath, VerifyOptions{FS: fsys, EncryptionKey: secret})
				require.NoError(t, err)
				sound(t, report)
				o := faultOptions(fsys)
				o.EncryptionKey = secret
				loaded, err := Load(copyPath, o)
				require.NoError(t, err)
				checkModel(t, loaded, model)
				require.Greater(t, lastSeq(t, loaded), seq)
				require.Zero(t, loaded.Metrics().Tables)
				mustPut(t, loaded, testKey(9, "k"), "loaded")

				o.EncryptionKey = bytes.Clone(secret)
				file, err := Open(copyPath, o)
				require.NoError(t, err, "nobody keeps it")
				checkModel(t, file, model)
				_, err = Load(copyPath, o)
				require.ErrorIs(t, err, ErrLocked)
				require.ErrorIs(t, loaded.Save(ctx, copyPath, SaveOptions{}), ErrLocked)
				require.NoError(t, file.Close())
				require.NoError(t, loaded.Save(ctx, copyPath, SaveOptions{EncryptionKey: secret}))
				o.EncryptionKey = bytes.Clone(secret)
				file, err = Open(copyPath, o)
				require.NoError(t, err)
				require.Equal(t, "loaded", mustGet(t, file, testKey(9, "k")))
				require.NoError(t, file.Close())
				require.NoError(t, loaded.Close())
			})
		}
	}
	_, err := Load("dir/absent", faultOptions(vfs.NewMemFS(1)))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// lastSeq takes a number.
func lastSeq(t *testing.T, db *DB) (s storage.Seq) {
	t.Helper()
	k := testKey(200, "seq")
	require.NoError(t, db.Update(context.Background(), []storage.Named{{Key: k}}, storage.UpdateOptions{},
		func(tx storage.Tx) error {
			s = tx.Seq()
			tx.Delete(k)
			return nil
		}))
	return s
}

// TestSaveIsWholeOrNot: whatever write, sync or rename fails, and wherever the machine stops, the file
// holds the old state or the new one.
func TestSaveIsWholeOrNot(t *testing.T) {
	ctx := context.Background()
	errBroken := errors.New("broken")
	for failed := 0; ; failed++ {
		fsys := vfs.NewMemFS(1)
		db, err := Open("", Options{InMemory: true, FS: fsys, SegmentBytes: 64 << 10, LogBytes: 128 << 10})
		require.NoError(t, err)
		mustPut(t, db, testKey(1, "k"), "old")
		require.NoError(t, db.Save(ctx, copyPath, SaveOptions{}))
		mustPut(t, db, testKey(1, "k"), "new")
		n := 0
		fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
			n++
			if n-1 == failed {
				return errBroken
			}
			return nil
		}})
		err = db.Save(ctx, copyPath, SaveOptions{})
		fsys.SetHooks(vfs.Hooks{})
		require.NoError(t, db.Close())
		for _, fsys := range []*vfs.MemFS{fsys, fsys.CrashClone(vfs.CrashLoseAll, uint64(failed))} {
			db, e := Open(copyPath, faultOptions(fsys))
			require.NoError(t, e)
			want := "new"
			if err != nil {
				got := mustGet(t, db, testKey(1, "k"))
				require.Contains(t, []string{"old", "new"}, got)
				want = got
			}
			require.Equal(t, want, mustGet(t, db, testKey(1, "k")))
			require.NoError(t, db.Close())
		}
		if n <= failed {
			require.NoError(t, err)
			break
		}
	}
}
