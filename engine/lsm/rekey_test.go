package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// encryptedFile is a file with items in all levels, in the log and in a spill, dead ranges and tombstones, and
// what is in it.
func encryptedFile(t *testing.T, key []byte) (*vfs.MemFS, map[string]string) {
	t.Helper()
	fsys := vfs.NewMemFS(1)
	opts := faultOptions(fsys)
	opts.EncryptionKey = key
	db, err := Open(crashPath, opts)
	require.NoError(t, err)
	for i := range 300 {
		require.NoError(t, applyPut(db, crashKey(byte(1+i%3), byte(i%7*36), i%90), fmt.Sprint("v", i)))
	}
	require.NoError(t, db.checkpoint())
	require.NoError(t, db.DropRange(t.Context(), spaceRange(3)))
	require.NoError(t, applyDelete(db, crashKey(1, 0, 0)))
	var big storage.Batch
	for i := range 40 {
		big.Put([]byte(crashKey(2, byte(i*36), 200+i)), make([]byte, 1000))
	}
	require.NoError(t, db.Apply(t.Context(), &big, storage.UpdateOptions{}))
	want, err := readAll(db)
	require.NoError(t, err)
	left := fsys.CrashClone(vfs.CrashLoseAll, 1) // with a log to replay
	require.NoError(t, db.Close())
	return left, want
}

// requireItems opens a file with a key and compares what is in it, before and after a write and a reopen.
func requireItems(t *testing.T, fsys *vfs.MemFS, key []byte, want map[string]string) {
	t.Helper()
	opts := faultOptions(fsys)
	opts.EncryptionKey = key
	want = maps.Clone(want)
	for i := range 2 {
		db, err := Open(crashPath, opts)
		require.NoError(t, err)
		got, err := readAll(db)
		require.NoError(t, err)
		require.True(t, maps.Equal(want, got), difference(want, got))
		at := crashKey(9, 9, i)
		want[at] = "later"
		require.NoError(t, applyPut(db, at, "later"))
		require.NoError(t, db.Close())
	}
}

func TestRekey(t *testing.T) {
	fsys, want := encryptedFile(t, ownersKey)
	before := fileBytes(t, fsys)
	require.ErrorIs(t, Rekey(crashPath, RekeyOptions{FS: fsys, NewKey: strangersKey}), ErrKeyNeeded)
	require.ErrorIs(t, Rekey(crashPath, RekeyOptions{FS: fsys, Key: thirdKey, NewKey: strangersKey}), ErrWrongKey)
	require.ErrorIs(t, Rekey(crashPath, RekeyOptions{FS: fsys, Key: ownersKey}), errNewKey)
	require.ErrorContains(t, Rekey(crashPath, RekeyOptions{FS: fsys, Key: ownersKey, NewKey: ownersKey[1:]}), "31 bytes")
	require.Equal(t, before, fileBytes(t, fsys))
	for range 2 { // the second time completes the first, if need be
		require.NoError(t, Rekey(crashPath, RekeyOptions{FS: fsys, Key: ownersKey, NewKey: strangersKey}))
		after := fileBytes(t, fsys)
		require.Equal(t, before[8192:], after[8192:], "no data is touched")
		require.Equal(t, after[:4096], after[4096:8192])
		_, err := Open(crashPath, Options{FS: fsys, EncryptionKey: ownersKey})
		require.ErrorIs(t, err, ErrWrongKey)
	}
	requireItems(t, fsys, strangersKey, want)

	plain, _ := encryptedFile(t, nil)
	require.ErrorIs(t, Rekey(crashPath, RekeyOptions{FS: plain, NewKey: strangersKey}), ErrNotEncrypted)
	require.ErrorIs(t, Rekey(crashPath, RekeyOptions{FS: plain, Key: ownersKey, NewKey: strangersKey}), ErrNotEncrypted)
	require.ErrorIs(t, Rekey("none", RekeyOptions{FS: plain, Key: ownersKey, NewKey: strangersKey}), fs.ErrNotExist)
	db, err := Open(crashPath, Options{FS: fsys, EncryptionKey: strangersKey})
	require.NoError(t, err)
	require.ErrorIs(t, Rekey(crashPath, RekeyOptions{FS: fsys, Key: strangersKey, NewKey: ownersKey}), ErrLocked)
	require.NoError(t, db.Close())
}

// crashed runs an operation on a file and calls check with what a crash at each of its writes and syncs
// may leave, in so many variants, and with what is there in the end.
func crashed(t *testing.T, fsys *vfs.MemFS, clones int, run func() error, check func(left *vfs.MemFS)) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var states []*vfs.MemFS
	capture := func(op vfs.Op) {
		if op.Kind == vfs.OpRead {
			return
		}
		for range clones {
			policy := crashPolicies[len(states)%len(crashPolicies)]
			states = append(states, fsys.CrashClone(policy, rng.Uint64()))
		}
	}
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error { capture(op); return nil }, During: capture})
	require.NoError(t, run())
	fsys.SetHooks(vfs.Hooks{})
	require.NotEmpty(t, states)
	t.Logf("%d crash states", len(states))
	for _, left := range append(states, fsys) {
		check(left)
	}
}

// openedBy says which of the keys opens a file.
func openedBy(t *testing.T, fsys *vfs.MemFS, keys ...[]byte) (by []byte) {
	t.Helper()
	n := 0
	for _, key := range keys {
		db, err := Open(crashPath, Options{FS: fsys, EncryptionKey: key, ReadOnly: true})
		if err == nil {
			n++
			by = key
			require.NoError(t, db.Close())
			continue
		}
		require.True(t, errors.Is(err, ErrWrongKey) || errors.Is(err, ErrKeyNeeded) || errors.Is(err, ErrNotEncrypted), err)
	}
	require.Equal(t, 1, n)
	return by
}

func TestCrashInRekey(t *testing.T) {
	fsys, want := encryptedFile(t, ownersKey)
	opts := RekeyOptions{Key: ownersKey, NewKey: strangersKey}
	run := func() error { o := opts; o.FS = fsys; return Rekey(crashPath, o) }
	seen := map[string]bool{}
	crashed(t, fsys, len(crashPolicies), run, func(left *vfs.MemFS) {
		by := openedBy(t, left, ownersKey, strangersKey)
		seen[string(by)] = true
		again := left.CrashClone(vfs.CrashKeepAll, 1)
		requireItems(t, left, by, want)
		o := opts
		o.FS = again
		require.NoError(t, Rekey(crashPath, o))
		requireItems(t, again, strangersKey, want)
	})
	assert.Len(t, seen, 2, "either key was found")
}

// TestANewKeyOutlivesALossOfPower: who was told that the key is replaced may throw the old one away.
func TestANewKeyOutlivesALossOfPower(t *testing.T) {
	for name, rekey := range map[string]func(RekeyOptions) error{
		"rekey":     func(o RekeyOptions) error { return Rekey(crashPath, o) },
		"reencrypt": func(o RekeyOptions) error { return Reencrypt(t.Context(), crashPath, o) },
	} {
		t.Run(name, func(t *testing.T) {
			fsys, want := encryptedFile(t, ownersKey)
			require.NoError(t, rekey(RekeyOptions{FS: fsys, Key: ownersKey, NewKey: strangersKey}))
			left := fsys.CrashClone(vfs.CrashLoseAll, 1)
			require.Equal(t, strangersKey, openedBy(t, left, ownersKey, strangersKey))
			requireItems(t, left, strangersKey, want)
		})
	}
}

// TestARekeyedBackupIsOne: incremental backups go on from it, and a restore needs the key of any of the
// chain.
func TestARekeyedBackupIsOne(t *testing.T) {
	fsys, _ := encryptedFile(t, ownersKey)
	opts := faultOptions(fsys)
	opts.EncryptionKey = ownersKey
	db, err := Open(crashPath, opts)
	require.NoError(t, err)
	_, err = db.Backup(t.Context(), "dir/full", BackupOptions{})
	require.NoError(t, err)
	require.NoError(t, Rekey("dir/full", RekeyOptions{FS: fsys, Key: ownersKey, NewKey: strangersKey}))
	require.NoError(t, applyPut(db, crashKey(1, 1, 1), "since"))
	_, err = db.Backup(t.Context(), "dir/more", BackupOptions{Base: "dir/full"})
	require.NoError(t, err)
	want, err := readAll(db)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	restore := func(path string, key []byte) error {
		_, err := RestoreBackups(t.Context(), path, []string{"dir/full", "dir/more"}, RestoreOptions{FS: fsys, EncryptionKey: key, Overwrite: true})
		return err
	}
	require.ErrorIs(t, restore("dir/new", nil), ErrKeyNeeded)
	require.ErrorIs(t, restore("dir/new", thirdKey), ErrWrongKey)
	for _, key := range [][]byte{ownersKey, strangersKey} {
		require.NoError(t, restore(crashPath, key))
		requireItems(t, fsys, key, want)
	}
	report, err := Verify(t.Context(), "dir/full", VerifyOptions{FS: fsys, EncryptionKey: strangersKey})
	require.NoError(t, err)
	require.Zero(t, report.Errors)
	_, err = Verify(t.Context(), "dir/full", VerifyOptions{FS: fsys})
	require.ErrorIs(t, err, ErrKeyNeeded)
}

func TestReencrypt(t *testing.T) {
	for _, tt := range []struct {
		name    string
		key, to []byte
	}{
		{"a new file key", ownersKey, strangersKey},
		{"the same key", ownersKey, ownersKey},
		{"a plain file", nil, ownersKey},
		{"to a plain file", ownersKey, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys, want := encryptedFile(t, tt.key)
			before := fileBytes(t, fsys)
			require.ErrorIs(t, Reencrypt(t.Context(), crashPath, RekeyOptions{FS: fsys, Key: thirdKey, NewKey: tt.to}), wrongFor(tt.key))
			require.Equal(t, before, fileBytes(t, fsys))
			var told int64
			opts := RekeyOptions{FS: fsys, Key: tt.key, NewKey: tt.to, Progress: func(done, total int64) {
				told = done
				assert.LessOrEqual(t, done, total)
			}}
			require.NoError(t, Reencrypt(t.Context(), crashPath, opts))
			assert.Positive(t, told)
			requireItems(t, fsys, tt.to, want)
			report, err := Verify(t.Context(), crashPath, VerifyOptions{FS: fsys, EncryptionKey: tt.to})
			require.NoError(t, err)
			require.Zero(t, report.Errors, report.Faults)
		})
	}
	fsys, _ := encryptedFile(t, nil)
	require.ErrorIs(t, Reencrypt(t.Context(), crashPath, RekeyOptions{FS: fsys}), errPlainToPlain)
	require.ErrorIs(t, Reencrypt(t.Context(), "none", RekeyOptions{FS: fsys, NewKey: ownersKey}), fs.ErrNotExist)
}

func wrongFor(key []byte) error {
	if key == nil {
		return ErrNotEncrypted
	}
	return ErrWrongKey
}

func TestCrashInReencrypt(t *testing.T) {
	fsys, want := encryptedFile(t, ownersKey)
	run := func() error {
		return Reencrypt(t.Context(), crashPath, RekeyOptions{FS: fsys, Key: ownersKey, NewKey: strangersKey})
	}
	seen := map[string]bool{}
	crashed(t, fsys, 1, run, func(left *vfs.MemFS) {
		by := openedBy(t, left, ownersKey, strangersKey)
		seen[string(by)] = true
		requireItems(t, left, by, want)
	})
	assert.Len(t, seen, 2)
}

// lockHooked calls before ahead of each exclusive lock of the database.
type lockHooked struct {
	vfs.FS
	before func()
}

func (l lockHooked) Lock(path string, mode vfs.LockMode) (io.Closer, error) {
	if path == crashPath && mode == vfs.LockExclusive {
		l.before()
	}
	return l.FS.Lock(path, mode)
}

// TestReencryptLosesNoWrite: whoever comes between the copy and the rename wins.
func TestReencryptLosesNoWrite(t *testing.T) {
	fsys, want := encryptedFile(t, ownersKey)
	locks := 0
	hooked := lockHooked{fsys, func() {
		if locks++; locks != 2 {
			return // the first is at the beginning
		}
		opts := faultOptions(fsys)
		opts.EncryptionKey = ownersKey
		db, err := Open(crashPath, opts)
		require.NoError(t, err)
		want[crashKey(1, 1, 1)] = "in between"
		require.NoError(t, applyPut(db, crashKey(1, 1, 1), "in between"))
		require.NoError(t, db.Close())
	}}
	err := Reencrypt(t.Context(), crashPath, RekeyOptions{FS: hooked, Key: ownersKey, NewKey: strangersKey})
	require.ErrorIs(t, err, errChanged)
	require.Equal(t, 2, locks)
	requireItems(t, fsys, ownersKey, want)
}

func applyDelete(db storage.Store, key string) error {
	var b storage.Batch
	b.Delete([]byte(key))
	return db.Apply(context.Background(), &b, storage.UpdateOptions{})
}

func fileBytes(t *testing.T, fsys *vfs.MemFS) []byte {
	t.Helper()
	f, err := fsys.Open(crashPath, vfs.OpenOptions{ReadOnly: true})
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return b
}
