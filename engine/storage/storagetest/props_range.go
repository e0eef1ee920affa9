package storagetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func rangeProperties() []Property {
	return []Property{
		{"DropRange", checkDropRange},
		{"StatsArePlausible", checkStats},
		{"Presplit", checkPresplit},
	}
}

// prefixOf returns the keys of one table and the range that holds them.
func prefixOf(space uint64) storage.Range {
	return storage.Range{
		Start: keyIn(space, 0, 0, "")[:storage.PrefixBytes],
		End:   keyIn(space, 1, 0, "")[:storage.PrefixBytes],
	}
}

// checkDropRange drops the middle of three tables, twice. What is dropped is never asked for again:
// the caller promises so.
func checkDropRange(t testing.TB, open Open) {
	e := newEnv(t, open)
	const before, dead, behind = spaceTest, spaceTest + 1, spaceTest + 2
	var b storage.Batch
	s := shadow{}
	for i := range 300 {
		for _, space := range []uint64{before, dead, behind} {
			k, v := keyIn(space, 0, byte(i), fmt.Sprint(i)), fmt.Sprint(space, i)
			b.Put(k, []byte(v))
			if space != dead {
				s[string(k)] = v
			}
		}
	}
	last := keyIn(before, 0, 255, "\xff\xff")
	b.Put(last, []byte("last"))
	s[string(last)] = "last"
	first := keyIn(dead, 1, 0, "") // right at the end of the dead range
	b.Put(first, []byte("first"))
	s[string(first)] = "first"
	require.NoError(t, e.apply(&b))
	for range 2 {
		require.NoError(t, e.s.DropRange(e.ctx, prefixOf(dead)))
	}
	require.NoError(t, e.s.DropRange(e.ctx, prefixOf(spaceTest+50)), "an empty range")
	snap := e.snapshotUntilEnd()
	for _, space := range []uint64{before, behind} {
		e.compare(snap, s, prefixOf(space))
	}
	for k, v := range s {
		require.Equal(t, v, e.get([]byte(k)))
	}
	more := keyIn(behind, 0, 3, "more")
	e.put(more, "x")
	assert.Equal(t, "x", e.get(more))
}

func checkStats(t testing.TB, open Open) {
	e := newEnv(t, open)
	const keys, size = 500, 100
	stats, err := e.s.Stats(e.ctx, prefixOf(spaceTest))
	require.NoError(t, err)
	assert.Zero(t, stats.Keys)
	assert.Zero(t, stats.Bytes)
	var b storage.Batch
	total := int64(0)
	for i := range keys {
		k := spread("s", i)
		total += int64(len(k) + size)
		b.Put(k, make([]byte, size))
		b.Put(keyIn(spaceTest+1, 0, byte(i), fmt.Sprint(i)), nil)
	}
	require.NoError(t, e.apply(&b))
	stats, err = e.s.Stats(e.ctx, prefixOf(spaceTest))
	require.NoError(t, err)
	if stats.Exact {
		assert.Equal(t, int64(keys), stats.Keys)
	}
	assert.InDelta(t, keys, stats.Keys, keys/2)
	assert.InDelta(t, total, stats.Bytes, float64(total)*3/4)
	for i := range keys {
		e.delete(spread("s", i))
	}
	stats, err = e.s.Stats(e.ctx, prefixOf(spaceTest))
	require.NoError(t, err)
	assert.LessOrEqual(t, stats.Keys, int64(keys))
	if stats.Exact {
		assert.Zero(t, stats.Keys)
	}
}

func checkPresplit(t testing.TB, open Open) {
	e := newEnv(t, open)
	e.put(key(1, "a"), "x")
	require.NoError(t, e.s.Presplit(e.ctx, [][]byte{key(0, ""), key(128, "")}))
	require.NoError(t, e.s.Presplit(e.ctx, nil))
	assert.Equal(t, "x", e.get(key(1, "a")), "a hint changes nothing")
}
