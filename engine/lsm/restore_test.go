package lsm

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// restores are the ways to make a database of copies: of backups on the same file system, or of an
// archive.
func restores(t *testing.T) map[string]struct {
	fsys *vfs.MemFS
	want map[string]string
	run  func(context.Context, *vfs.MemFS) error
} {
	t.Helper()
	a := newArchiveDB(t, nil)
	require.NoError(t, a.round())
	a.step(20)
	require.NoError(t, a.round())
	db := a.lsm()
	backupTo(t, db, "dir/a")
	require.NoError(t, a.put(crashKey(5, 5, 5), 100))
	require.NoError(t, db.checkpoint())
	_, err := db.Backup(t.Context(), "dir/b", BackupOptions{Base: "dir/a"})
	require.NoError(t, err)
	require.NoError(t, a.round())
	want, err := readAll(db)
	require.NoError(t, err)
	require.NoError(t, a.close())
	type way = struct {
		fsys *vfs.MemFS
		want map[string]string
		run  func(context.Context, *vfs.MemFS) error
	}
	return map[string]way{
		"backups": {a.fs, want, func(ctx context.Context, fsys *vfs.MemFS) error {
			_, err := RestoreBackups(ctx, copyPath, []string{"dir/a", "dir/b"}, RestoreOptions{FS: fsys})
			return err
		}},
		"archive": {vfs.NewMemFS(3), want, func(ctx context.Context, fsys *vfs.MemFS) error {
			_, err := RestoreArchive(ctx, copyPath, a.to, PointInTime{}, RestoreOptions{FS: fsys})
			return err
		}},
	}
}

// TestACrashDuringARestore at any of its writes leaves a whole database under its name, or nothing.
func TestACrashDuringARestore(t *testing.T) {
	for name, way := range restores(t) {
		t.Run(name, func(t *testing.T) {
			var clones []*vfs.MemFS
			n := 0
			capture := func(op vfs.Op) {
				if n++; op.Kind != vfs.OpRead && (n%3 == 0 || op.Kind == vfs.OpRename || op.Kind == vfs.OpSyncDir) {
					clones = append(clones, way.fsys.CrashClone(crashPolicies[n%len(crashPolicies)], uint64(n)))
				}
			}
			way.fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error { capture(op); return nil }, During: capture})
			require.NoError(t, way.run(t.Context(), way.fsys))
			way.fsys.SetHooks(vfs.Hooks{})
			clones = append(clones, way.fsys.CrashClone(vfs.CrashLoseAll, 1))
			whole := 0
			for i, c := range clones {
				if !slices.Contains(c.Names(), copyPath) {
					if i%9 == 0 { // what is left is not in the way
						require.NoError(t, way.run(t.Context(), c))
					}
					continue
				}
				whole++
				state, err := readAll(openCopyAt(t, c, copyPath))
				require.NoError(t, err, "crash %d", i)
				require.Empty(t, diffOf(way.want, state), "crash %d", i)
			}
			require.NotZero(t, whole)
			require.Less(t, whole, len(clones))
		})
	}
}

// TestARestoreThatFails leaves nothing under its name.
func TestARestoreThatFails(t *testing.T) {
	for name, way := range restores(t) {
		t.Run(name, func(t *testing.T) {
			for _, fail := range []vfs.OpKind{
				vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpSyncFull, vfs.OpRename,
			} {
				left := 1
				way.fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
					if op.Kind == fail {
						if left--; left == 0 {
							return errInjected
						}
					}
					return nil
				}})
				err := way.run(t.Context(), way.fsys)
				way.fsys.SetHooks(vfs.Hooks{})
				if left > 0 { // there is none of the kind
					require.NoError(t, err)
					require.NoError(t, way.fsys.Remove(copyPath))
					continue
				}
				require.ErrorIs(t, err, errInjected, "%v", fail)
				require.NotContains(t, way.fsys.Names(), copyPath)
				require.NotContains(t, way.fsys.Names(), copyPath+".partial", "%v", fail)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, way.run(ctx, way.fsys), context.Canceled)
			require.NotContains(t, way.fsys.Names(), copyPath)
		})
	}
}
