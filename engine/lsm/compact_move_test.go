package lsm

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// moveNewest takes the newest table of a level down without writing it.
func moveNewest(t *testing.T, db *DB, stripe, from, to int) {
	t.Helper()
	v := db.stripes[stripe].tables.acquire()
	defer db.release(v)
	c := &compaction{span: span{stripe: stripe}, version: v, to: to, move: true}
	c.add(v.levels[from][0], from)
	require.True(t, db.claimCurrent(c))
	defer db.compact.unclaim(&c.span)
	require.NoError(t, db.moveDown(c))
}

// TestMoveBesideBackup: a table moves down, between tables one of which an older view still holds. In
// the copy of that view the table is where it was, or a search by bounds would miss its keys.
func TestMoveBesideBackup(t *testing.T) {
	const stripe = 1
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	ctx := context.Background()
	tableAt := func(level int, names ...string) {
		for _, name := range names {
			mustPut(t, db, testKey(stripe, name), name)
		}
		flushAll(t, db)
		moveNewest(t, db, stripe, 0, level)
	}
	tableAt(6, "c", "d")
	between := db.stripes[stripe].tables.levels[6][0]
	tableAt(6, "n", "z")
	tableAt(5, "a", "k", "m")

	v := db.view("backup")
	defer v.close()
	drop := manifest.TableRef{Stripe: stripe, Level: 6, Num: between.Meta.Num}
	// As when its range is dropped.
	require.NoError(t, db.installTables(&manifest.Edit{TableDrop: []manifest.TableRef{drop}}, stripe,
		func() []*liveTable { return nil }))
	moveNewest(t, db, stripe, 5, 6)

	place, err := newfile.Open(fsys, copyPath, false)
	require.NoError(t, err)
	align, err := place.Align()
	require.NoError(t, err)
	_, err = db.writeCopy(ctx, place.File(), align, v, nil, BackupOptions{})
	require.NoError(t, err)
	require.NoError(t, place.Commit())
	copied := openCopyAt(t, fsys, copyPath)
	for _, name := range []string{"a", "c", "d", "k", "m", "n", "z"} {
		require.Equal(t, name, mustGet(t, copied, testKey(stripe, name)))
	}
}
