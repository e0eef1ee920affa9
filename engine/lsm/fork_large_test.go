package lsm

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

// TestForksOfALargeDatabase makes, writes to and drops forks of a database in memory, some of them forks of
// others and many alive at once, and wants the heap back: at night 10,000 over 1,500,000 items of 400 bytes.
func TestForksOfALargeDatabase(t *testing.T) {
	items, forks := 15_000, 400
	if os.Getenv("KSTONE_NIGHT") != "" {
		items, forks = 1_500_000, 10_000
	}
	const alive, writes = 50, 10
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	key := func(i int) []byte {
		return binary.BigEndian.AppendUint64(testKey(byte(i*2654435761>>20), ""), uint64(i))
	}
	value := make([]byte, 400)
	for i := 0; i < items; i += 100 {
		var b storage.Batch
		for j := i; j < i+100; j++ {
			b.Put(key(j), value)
		}
		require.NoError(t, db.Apply(t.Context(), &b, storage.UpdateOptions{}))
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var list []*DB
	var forking []time.Duration
	for i := range forks {
		of := db
		if len(list) > 0 && i%3 == 0 {
			of = list[rng.IntN(len(list))]
		}
		began := time.Now()
		f, err := of.Fork()
		forking = append(forking, time.Since(began))
		require.NoError(t, err)
		for range writes {
			mustPut(t, f, key(rng.IntN(items)), "changed")
		}
		if list = append(list, f); len(list) == alive {
			at := rng.IntN(alive)
			require.NoError(t, list[at].Close())
			list[at] = list[alive-1]
			list = list[:alive-1]
		}
	}
	full := heap()
	for _, f := range list {
		require.NoError(t, f.Close())
	}
	clear(list)
	after := heap()
	slices.Sort(forking)
	t.Logf("%d items, %d MiB: %d forks, half of them within %v, 99 of 100 within %v; %d KiB more with %d alive, %d without",
		items, before>>20, forks, forking[forks/2], forking[forks*99/100], (full-before)>>10, alive-1, (after-before)>>10)
	// What the forks shared and the parent has is one version of each key; a leaf that was shared may be
	// held by the parent alone now.
	require.Less(t, after-before, before/50+4<<20)
	require.Equal(t, string(value), mustGet(t, db, key(items/2)), "what the forks wrote is theirs")
	require.NoError(t, db.Close())
}
