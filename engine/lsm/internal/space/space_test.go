package space

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

func ext(off, n int64) log.Extent { return log.Extent{Offset: off * Unit, Length: n * Unit} }

func TestDerivedMapRefusesTwoOwners(t *testing.T) {
	m, err := New(2*Unit, 20*Unit, []log.Extent{ext(10, 5), ext(2, 3)})
	require.NoError(t, err)
	assert.Equal(t, set{ext(5, 5), ext(15, 5)}, m.free)
	for _, used := range [][]log.Extent{
		{ext(4, 4), ext(7, 2)}, {ext(0, 3)}, {ext(19, 2)}, {ext(4, 0)}, {{Offset: 5, Length: Unit}},
	} {
		_, err := New(2*Unit, 20*Unit, used)
		require.ErrorIs(t, err, ErrOverlap, "%v", used)
	}
	require.ErrorIs(t, m.Free(ext(14, 2)), ErrOverlap)
}

func TestAllocFreeGrowCut(t *testing.T) {
	m, err := New(0, 10*Unit, nil)
	require.NoError(t, err)
	a, hole, ok := m.Alloc(3*Unit-5, 0)
	require.True(t, ok)
	assert.False(t, hole)
	assert.Equal(t, ext(0, 3), a)
	_, _, ok = m.Alloc(4*Unit, 4*Unit)
	assert.False(t, ok, "the reserve stays free")
	b, _, ok := m.Alloc(7*Unit, 0)
	require.True(t, ok)
	assert.Equal(t, int64(2*Unit), m.Missing(2*Unit))
	m.Grow(12 * Unit)
	assert.Equal(t, int64(Unit), m.Missing(3*Unit))
	require.NoError(t, m.Free(a))
	require.NoError(t, m.Free(b))
	assert.Equal(t, set{ext(0, 12)}, m.free)
	_, ok = m.CutTail(13*Unit, 0)
	assert.False(t, ok)
	size, ok := m.CutTail(Unit, 0)
	assert.True(t, ok)
	assert.Zero(t, size)
}

func TestHoles(t *testing.T) {
	big := int64(HoleMinBytes / Unit)
	m, err := New(0, 2*HoleMinBytes, []log.Extent{ext(0, big)})
	require.NoError(t, err)
	e, ok := m.TakeHole(HoleMinBytes, 0)
	require.True(t, ok)
	assert.Equal(t, ext(big, big), e)
	_, _, ok = m.Alloc(Unit, 0)
	assert.False(t, ok, "taken while it is punched")
	require.NoError(t, m.Punched(e))
	_, ok = m.TakeHole(HoleMinBytes, 0)
	assert.False(t, ok, "punched once")
	assert.Equal(t, int64(HoleMinBytes), m.HoleBytes())
	got, hole, ok := m.Alloc(Unit, 0)
	assert.True(t, ok)
	assert.True(t, hole)
	require.NoError(t, m.Free(got))
	_, ok = m.TakeHole(HoleMinBytes, 0)
	assert.False(t, ok, "one unit alone is not worth it")
}

// TestAgainstBits compares with one flag a unit.
func TestAgainstBits(t *testing.T) {
	const units = 200
	rnd := rand.New(rand.NewPCG(1, 2))
	m, err := New(0, units*Unit, nil)
	require.NoError(t, err)
	var taken [units]bool
	var held []log.Extent
	for range 5000 {
		if e, _, ok := m.Alloc(1+rnd.Int64N(9*Unit), 0); ok && rnd.IntN(2) == 0 {
			for u := e.Offset / Unit; u < e.End()/Unit; u++ {
				require.False(t, taken[u])
				taken[u] = true
			}
			held = append(held, e)
		} else if ok {
			require.NoError(t, m.Free(e))
		}
		if len(held) > 0 && rnd.IntN(2) == 0 {
			i := rnd.IntN(len(held))
			e := held[i]
			held = append(held[:i], held[i+1:]...)
			for u := e.Offset / Unit; u < e.End()/Unit; u++ {
				taken[u] = false
			}
			require.NoError(t, m.Free(e))
		}
		var free int64
		for _, x := range taken {
			if !x {
				free += Unit
			}
		}
		require.Equal(t, free, m.FreeBytes())
		for i := 1; i < len(m.free); i++ {
			require.Less(t, m.free[i-1].End(), m.free[i].Offset, "neighbours are merged")
		}
	}
}

// TestTheReserveIsSolid: what must be there on a full disk is neither punched nor cut, and holes do
// not count for it.
func TestTheReserveIsSolid(t *testing.T) {
	const mib = 1 << 20
	m, err := New(0, 16*mib, nil)
	require.NoError(t, err)
	e, ok := m.TakeHole(HoleMinBytes, 3*mib)
	require.True(t, ok)
	require.Equal(t, log.Extent{Length: 13 * mib}, e)
	require.NoError(t, m.Punched(e))
	_, ok = m.TakeHole(HoleMinBytes, 3*mib)
	require.False(t, ok)
	require.Equal(t, int64(3*mib), m.SolidBytes())
	_, ok = m.CutTail(Unit, 3*mib)
	require.False(t, ok, "the only solid bytes are at the end")

	e, hole, ok := m.Alloc(mib, 3*mib)
	require.True(t, ok)
	require.True(t, hole, "taken where it costs nothing of the reserve")
	require.NoError(t, m.Free(e)) // solid now
	_, ok = m.CutTail(Unit, 3*mib)
	require.True(t, ok)
	require.Equal(t, int64(3*mib), m.SolidBytes())
	_, _, ok = m.Alloc(14*mib, 0)
	require.True(t, ok)
}

// TestCheck finds what is lost, used twice, counted wrongly or punched in use.
func TestCheck(t *testing.T) {
	used := []log.Extent{ext(2, 3), ext(8, 1)}
	fresh := func() *Map {
		m, err := New(0, 16*Unit, used)
		require.NoError(t, err)
		require.NoError(t, m.Check(used))
		return m
	}
	m := fresh()
	_, _, ok := m.Alloc(Unit, 0)
	require.True(t, ok)
	require.Error(t, m.Check(used), "lost")
	m = fresh()
	require.NoError(t, m.Free(ext(2, 3)))
	require.Error(t, m.Check(used), "has an owner")
	m = fresh()
	require.ErrorIs(t, m.Check(append(used, ext(4, 1))), ErrOverlap)
	m.freeBytes++
	require.Error(t, m.Check(used), "miscounted")
	m = fresh()
	m.holes.add(ext(2, 1))
	require.Error(t, m.Check(used), "a hole in use")
}

// TestTheReserveMovesToTheFront: when all that is solid is what the file ends with, the front of the last
// free run gets its blocks, hole by hole, and the rest is cut.
func TestTheReserveMovesToTheFront(t *testing.T) {
	const mib = 1 << 20
	m, err := New(0, 16*mib, []log.Extent{{Offset: 0, Length: mib}})
	require.NoError(t, err)
	for range 2 {
		e, ok := m.TakeHole(HoleMinBytes, 3*mib)
		if !ok {
			break
		}
		require.NoError(t, m.Punched(e))
	}
	require.Equal(t, int64(3*mib), m.SolidBytes())
	_, ok := m.CutTail(4*mib, 3*mib)
	require.False(t, ok)
	_, ok = m.TakeFrontHole(13*mib, 3*mib)
	require.False(t, ok, "not worth it")
	e, ok := m.TakeFrontHole(4*mib, 3*mib)
	require.True(t, ok)
	require.Equal(t, log.Extent{Offset: mib, Length: 3 * mib}, e)
	require.NoError(t, m.Punched(e)) // the disk was full
	require.Equal(t, int64(3*mib), m.SolidBytes())
	e, ok = m.TakeFrontHole(4*mib, 3*mib)
	require.True(t, ok)
	require.NoError(t, m.Free(e))
	_, ok = m.TakeFrontHole(4*mib, 3*mib)
	require.False(t, ok)
	size, ok := m.CutTail(4*mib, 3*mib)
	require.True(t, ok)
	require.Equal(t, int64(4*mib), size)
	require.Equal(t, int64(3*mib), m.SolidBytes())
}
