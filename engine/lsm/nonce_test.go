package lsm

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// nonces is every use of a nonce under one data key, by key and number.
type nonces struct {
	mu    sync.Mutex
	uses  map[[2]uint64]uint64 // key, that is purpose and salt, with the number → plaintext, all hashed
	kinds map[crypt.Purpose]int
	twice []string
}

func newNonces() *nonces {
	return &nonces{uses: map[[2]uint64]uint64{}, kinds: map[crypt.Purpose]int{}}
}

func (n *nonces) add(u crypt.Use) {
	name := append([]byte(u.Purpose), u.Salt...)
	name = binary.LittleEndian.AppendUint64(name, u.Number)
	id := [2]uint64{xxhash.Sum64(name), xxhash.Sum64(append(name, 1))}
	plain := xxhash.Sum64(u.Plain)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kinds[u.Purpose]++
	if was, ok := n.uses[id]; ok {
		n.twice = append(n.twice, fmt.Sprintf("%s, salt %x, number %x, same plaintext: %v", u.Purpose, u.Salt, u.Number, was == plain))
	}
	n.uses[id] = plain
}

func (n *nonces) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.uses)
}

// nonceWorld is one database, and all copies that kills, copying and restores have made of it. Every one of
// them goes on writing, from the same numbers as others.
type nonceWorld struct {
	t      *testing.T
	rng    *rand.Rand
	rand   io.Reader // of the databases; nil is the system's
	nonces *nonces
	files  []*vfs.MemFS
	kills  int
}

// nonceFilesMax bounds the copies that are kept.
const nonceFilesMax = 8

func (w *nonceWorld) keep(fsys *vfs.MemFS) {
	if len(w.files) < nonceFilesMax {
		w.files = append(w.files, fsys)
		return
	}
	w.files[w.rng.IntN(len(w.files))] = fsys
}

func (w *nonceWorld) options(fsys *vfs.MemFS) Options {
	o := Options{
		FS: fsys, Rand: w.rand, EncryptionKey: ownersKey, Workers: 1, MemtableBytes: 128 << 10, SegmentBytes: 32 << 10,
		LogBytes: 128 << 10, hooks: &hooks{sealed: w.nonces.add}, manifestSwitch: 16 << 10,
	}
	if w.rng.IntN(4) == 0 {
		o.counterMax = 1 << 12 // epochs are renewed while it runs
	}
	return o
}

// run opens one of the files, writes, and leaves it in some way.
func (w *nonceWorld) run() {
	fsys := w.files[w.rng.IntN(len(w.files))]
	if w.rng.IntN(3) == 0 {
		w.keep(fsys.CrashClone(vfs.CrashKeepAll, w.rng.Uint64())) // cp, of a file that nobody has open
	}
	opts := w.options(fsys)
	var killed []*vfs.MemFS
	killAt, policy, seed := w.rng.IntN(2000), crashPolicies[w.rng.IntN(len(crashPolicies))], w.rng.Uint64()
	kill := func() {
		if killAt--; killAt == 0 {
			killed = append(killed, fsys.CrashClone(policy, seed))
		}
	}
	// One at a time: sealed and not written, or numbered and not sealed.
	var mu sync.Mutex
	locked := func() { mu.Lock(); defer mu.Unlock(); kill() }
	opts.hooks.afterReserve = locked
	opts.hooks.beforeWrite = func() error { locked(); return nil }
	db, err := Open(crashPath, opts)
	require.NoError(w.t, err)
	w.write(db)
	if w.rng.IntN(3) == 0 {
		w.restore(fsys, db)
	}
	mu.Lock()
	w.files = append(w.files, killed...)
	w.kills += len(killed)
	killAt = 0
	mu.Unlock()
	for len(w.files) > nonceFilesMax {
		i := w.rng.IntN(len(w.files))
		w.files = append(w.files[:i], w.files[i+1:]...)
	}
	if w.rng.IntN(2) == 0 {
		w.keep(fsys.CrashClone(vfs.CrashMostly, w.rng.Uint64())) // a copy of the disk while it is open
	}
	require.NoError(w.t, db.Close())
}

// write writes from several goroutines, now and then more than fits into a frame.
func (w *nonceWorld) write(db *DB) {
	var group sync.WaitGroup
	for range 4 {
		seed, n := w.rng.Uint64(), 100+w.rng.IntN(400)
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			value := make([]byte, 2000)
			for range n {
				var b storage.Batch
				ops, length := 1, 8+rng.IntN(40)
				if rng.IntN(200) == 0 {
					ops, length = 12, len(value) // a spill
				}
				for range ops {
					binary.LittleEndian.PutUint64(value, rng.Uint64())
					b.Put([]byte(crashKey(1, byte(rng.Uint32()), rng.IntN(50))), value[:length:length])
				}
				if err := db.Apply(context.Background(), &b, storage.UpdateOptions{}); err != nil {
					panic(err)
				}
			}
		})
	}
	group.Wait()
}

// restore makes a backup and a database of it, beside which the original goes on.
func (w *nonceWorld) restore(fsys *vfs.MemFS, db *DB) {
	_, err := db.Backup(w.t.Context(), "dir/backup", BackupOptions{Overwrite: true})
	require.NoError(w.t, err)
	w.write(db)
	left := fsys.CrashClone(vfs.CrashKeepAll, w.rng.Uint64())
	_, err = RestoreBackups(w.t.Context(), crashPath, []string{"dir/backup"}, RestoreOptions{
		FS: left, Rand: w.rand, EncryptionKey: ownersKey, Overwrite: true, watch: w.nonces.add, SegmentBytes: 32 << 10,
	})
	require.NoError(w.t, err)
	w.keep(left)
}

func newNonceWorld(t *testing.T, seed uint64, random io.Reader) *nonceWorld {
	w := &nonceWorld{t: t, rng: rand.New(rand.NewPCG(seed, 5)), rand: random, nonces: newNonces()}
	fsys := vfs.NewMemFS(seed)
	w.files = []*vfs.MemFS{fsys}
	db, err := Open(crashPath, w.options(fsys))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return w
}

// TestNoNonceTwice: a million nonces at night, fewer by day, over kills, restores and copies which all go on
// writing with the same data key and from the same numbers.
func TestNoNonceTwice(t *testing.T) {
	want, seed := 50_000, uint64(1)
	switch {
	case os.Getenv("KSTONE_NIGHT") != "":
		want, seed = 1_000_000, rand.Uint64()
	case testing.Short():
		want = 5_000
	}
	w := newNonceWorld(t, seed, nil)
	rounds := 0
	for ; w.nonces.count() < want || w.kills == 0; rounds++ {
		w.run()
	}
	t.Logf("seed %d: %d nonces in %d rounds, %d kills, %v", seed, w.nonces.count(), rounds, w.kills, w.nonces.kinds)
	require.Empty(t, w.nonces.twice)
	for _, kind := range []crypt.Purpose{crypt.Log, crypt.Table, crypt.Spill} {
		require.NotZero(t, w.nonces.kinds[kind], kind)
	}
}

// sameSalts gives one and the same salt over and over.
type sameSalts struct{}

func (sameSalts) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i + 1)
	}
	return len(p), nil
}

// TestNoncesRepeatWhereSaltsDo: the test above would see it.
func TestNoncesRepeatWhereSaltsDo(t *testing.T) {
	w := newNonceWorld(t, 1, sameSalts{})
	for i := 0; i < 5 && len(w.nonces.twice) == 0; i++ {
		w.run()
	}
	require.NotEmpty(t, w.nonces.twice)
}
