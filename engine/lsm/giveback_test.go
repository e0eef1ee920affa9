package lsm

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

func TestMemoryOfALoadIsGivenBackOnceAndBesideNoCompaction(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(1))
	db.opts.manual = false // there is no flusher that would be first
	require.True(t, db.Settled(false))
	db.wal.taken.Add(db.opts.MemtableBytes - 1)
	require.True(t, db.Settled(false), "too little was written")
	db.giveBack()
	require.Zero(t, db.givenBack.Load())

	db.wal.taken.Add(1)
	require.False(t, db.Settled(false))
	db.compact.running = []*span{{}}
	db.giveBack()
	require.Zero(t, db.givenBack.Load())
	db.compact.running = nil
	db.giveBack()
	require.Equal(t, db.opts.MemtableBytes, db.givenBack.Load())
	require.True(t, db.Settled(false))
	db.opts.manual = true
	require.NoError(t, db.Close())
}
