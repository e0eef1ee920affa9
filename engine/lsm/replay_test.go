package lsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// crashes calls op, which changes fsys, and returns what crashes at each of its operations leave,
// under each policy in turn.
func crashes(fsys *vfs.MemFS, each int, op func()) (left []*vfs.MemFS) {
	n := 0
	capture := func(vfs.Op) {
		for range each {
			n++
			left = append(left, fsys.CrashClone(crashPolicies[n%len(crashPolicies)], uint64(n)))
		}
	}
	fsys.SetHooks(vfs.Hooks{
		Before: func(op vfs.Op) error {
			if op.Kind != vfs.OpRead {
				capture(op)
			}
			return nil
		},
		During: capture,
	})
	op()
	fsys.SetHooks(vfs.Hooks{})
	return left
}

// replayEach operation of a replay after a crash in replay is crashed, replayEachShort beside another
// detector.
const replayEach, replayEachShort = 5, 25

// TestACrashInReplayWithSpills: replay flushes as it goes, which lets go of spills and puts tables
// into their place. It is crashed at each of its writes and syncs, and the replay after that too.
func TestACrashInReplayWithSpills(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes, o.LogBytes = 8<<20, 4<<20 })
	require.NoError(t, db.addSegments(6))
	rng := rand.New(rand.NewPCG(1, 1))
	want := map[string]string{}
	for i := range 24 {
		size := 1 << 10
		if i%3 == 0 {
			size = 20 << 10
		}
		key, value := testKey(byte(i%5*50), fmt.Sprint(i%11)), randomValue(rng, size)
		mustPut(t, db, key, value)
		want[string(key)] = value
	}
	spilled := db.spillBytes()
	require.Greater(t, spilled, int64(100<<10))
	open := func(fsys *vfs.MemFS) *DB {
		o := faultOptions(fsys)
		o.manual = true
		again, err := Open(crashPath, o)
		require.NoError(t, err)
		return again
	}
	check := func(again *DB, what ...any) {
		for k, v := range want {
			require.True(t, mustGet(t, again, []byte(k)) == v, "crash at %v: key %x", what, k)
		}
		require.NoError(t, again.Close())
	}
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	var again *DB
	first := crashes(crashed, 2, func() { again = open(crashed) })
	require.Greater(t, again.Metrics().Passes, uint64(2), "replay flushes")
	require.Less(t, again.spillBytes(), spilled/2, "and lets go of spills")
	check(again)
	require.Greater(t, len(first), 50)
	nested, each := 0, replayEach
	if testing.Short() {
		each = replayEachShort
	}
	for i, left := range first {
		second := crashes(left, 1, func() { again = open(left) })
		check(again, i)
		for j := i % each; j < len(second); j += each {
			nested++
			check(open(second[j]), i, j)
		}
	}
	t.Logf("%d crashes in replay, %d in the replay after one", len(first), nested)
}

// TestANewFileAndItsNameAreThereTogether: creation is crashed at each operation. There is no name,
// or a file that is refused as what it is, or a database; and once Open has returned there is one.
func TestANewFileAndItsNameAreThereTogether(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	found := map[string]int{}
	for _, left := range crashes(fsys, len(crashPolicies), func() { manualDB(t, fsys, nil) }) {
		if len(left.Names()) == 0 {
			found["nothing"]++
			continue
		}
		db, err := Open(crashPath, faultOptions(left))
		if err != nil {
			require.ErrorIs(t, err, superblock.ErrInterrupted)
			found["refused"]++
			continue
		}
		found["whole"]++
		require.NoError(t, applyPut(db, crashKey(1, 1, 1), "v"))
		require.NoError(t, db.Close())
	}
	require.Len(t, found, 3)
	for i, policy := range crashPolicies {
		left := fsys.CrashClone(policy, uint64(i))
		require.Equal(t, []string{crashPath}, left.Names(), "policy %d", policy)
		db, err := Open(crashPath, faultOptions(left))
		require.NoError(t, err)
		require.NoError(t, errors.Join(applyPut(db, crashKey(1, 1, 1), "v"), db.Close()))
	}
}
