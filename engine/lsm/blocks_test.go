package lsm

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// blockBytes is what a disk may lose, keep or put in another place as a whole.
const blockBytes = 4096

// imageOf reads the whole file.
func imageOf(t *testing.T, fsys *vfs.MemFS) []byte {
	t.Helper()
	f, err := fsys.Open(crashPath, vfs.OpenOptions{})
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	return b
}

// TestBlocksThatAreZeroedSwappedOrStale: a block of the file that reads as zeros, as another block, or as
// it was some time ago gives right data or an error, never wrong data; with encryption, too.
func TestBlocksThatAreZeroedSwappedOrStale(t *testing.T) {
	for _, key := range [][]byte{nil, ownersKey} {
		fsys := vfs.NewMemFS(1)
		o := faultOptions(fsys)
		o.EncryptionKey = key
		open := func(fsys *vfs.MemFS) (*DB, error) {
			o := o
			o.FS = fsys
			return Open(crashPath, o)
		}
		want := map[string]string{}
		var old []byte
		for round := range 3 { // over the places of before, too
			db, err := open(fsys)
			require.NoError(t, err)
			for i := range 100 {
				key, value := crashKey(1, byte(i%5*50), i%70), fmt.Sprintf("%d-%d-%0*d", round, i, 100+i*7%900, i)
				require.NoError(t, applyPut(db, key, value))
				want[key] = value
			}
			require.NoError(t, db.Close())
			if round == 1 {
				old = imageOf(t, fsys)
			}
		}
		good := imageOf(t, fsys)
		blocks := len(good) / blockBytes
		rng := rand.New(rand.NewPCG(6, 6))
		tries, met := 240, 0
		if testing.Short() {
			tries = 40
		}
		for i := range tries {
			at := rng.IntN(blocks) * blockBytes
			for bytes.Equal(good[at:at+blockBytes], make([]byte, blockBytes)) {
				at = rng.IntN(blocks) * blockBytes
			}
			with, how := make([]byte, blockBytes), "zeros"
			switch {
			case i%3 == 1:
				how = "another"
				from := rng.IntN(blocks) * blockBytes
				with = good[from : from+blockBytes]
			case i%3 == 2 && at+blockBytes <= len(old):
				how = "an old one"
				with = old[at : at+blockBytes]
			}
			if bytes.Equal(with, good[at:at+blockBytes]) {
				continue
			}
			what := fmt.Sprintf("block at %d is %s, encrypted %v", at, how, key != nil)
			clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
			f, err := clone.Open(crashPath, vfs.OpenOptions{})
			require.NoError(t, err)
			_, err = f.WriteAt(with, int64(at))
			require.NoError(t, err)
			db, err := open(clone)
			if err == nil {
				var got map[string]string
				if got, err = readAll(db); err == nil {
					require.True(t, maps.Equal(want, got), "%s: %s", what, difference(want, got))
				}
				_ = db.Close()
			}
			if err != nil {
				met++
				require.ErrorIs(t, err, storage.ErrCorrupt, what)
			}
		}
		require.Greater(t, met, tries/20)
	}
}

// TestEitherSuperblockMayBeBad: the database opens with the other copy, whatever the bad one holds, and has
// two good ones from then on; without any it is refused, and never begun anew.
func TestEitherSuperblockMayBeBad(t *testing.T) {
	good, want := filled(t, true)
	image := imageOf(t, good)
	noise := []byte(randomValue(rand.New(rand.NewPCG(1, 1)), blockBytes))
	flipped := bytes.Clone(image[:blockBytes])
	flipped[70] ^= 1
	bad := func(copies ...int) func([]byte) *vfs.MemFS {
		return func(with []byte) *vfs.MemFS {
			fsys := good.CrashClone(vfs.CrashKeepAll, 1)
			f, err := fsys.Open(crashPath, vfs.OpenOptions{})
			require.NoError(t, err)
			for _, c := range copies {
				_, err = f.WriteAt(with, int64(c)*blockBytes)
				require.NoError(t, err)
			}
			return fsys
		}
	}
	for _, with := range [][]byte{make([]byte, blockBytes), noise, flipped} {
		for c := range 2 {
			fsys := bad(c)(with)
			for range 2 {
				db, err := Open(crashPath, faultOptions(fsys))
				require.NoError(t, err)
				got, err := readAll(db)
				require.NoError(t, err)
				require.True(t, maps.Equal(want, got), difference(want, got))
				require.NoError(t, db.Close())
			}
			now := imageOf(t, fsys)
			require.True(t, bytes.Equal(now[:blockBytes], now[blockBytes:2*blockBytes]))
		}
		fsys := bad(0, 1)(with)
		_, err := Open(crashPath, faultOptions(fsys))
		require.Error(t, err)
		require.True(t, bytes.Equal(image[2*blockBytes:], imageOf(t, fsys)[2*blockBytes:]))
	}
}
