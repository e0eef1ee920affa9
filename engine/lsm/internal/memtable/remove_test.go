package memtable

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// checkTree walks a tree from its root and wants every node to have something, all leaves at one
// depth, and nodes that the memtable owns below such only. It returns the number of leaves.
func checkTree(t *testing.T, m *Memtable, tr *tree) (leaves int) {
	t.Helper()
	deepest := -1
	checkLeaf := func(l *leaf, depth int, owned bool) {
		require.NotZero(t, l.n)
		require.True(t, owned || l.owner != m.owner)
		if deepest < 0 {
			deepest = depth
		}
		require.Equal(t, deepest, depth)
		leaves++
	}
	var down func(n *inner, depth int, owned bool)
	down = func(n *inner, depth int, owned bool) {
		require.True(t, owned || n.owner != m.owner)
		owned = n.owner == m.owner
		for i := range n.n + 1 {
			require.True(t, (n.leaves[i] == nil) != (n.kids[i] == nil))
			if n.leaves[i] != nil {
				checkLeaf(n.leaves[i], depth+1, owned)
				continue
			}
			down(n.kids[i], depth+1, owned)
		}
	}
	owned := tr.owner == m.owner
	if tr.root == nil {
		checkLeaf(tr.leaf, 0, owned)
		return leaves
	}
	require.Nil(t, tr.leaf)
	down(tr.root, 0, owned)
	return leaves
}

func TestRemoveAgainstModel(t *testing.T) {
	for _, n := range []int{3, 300, 6000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(n), 3))
			m, md := New(), model{}
			lsn := base.LSN(0)
			check := func() {
				walk(t, r, m.NewIter(nil, IterOptions{}), md.list(0), 2000, func() []byte { return randomKey(r, n) })
				checkPrefixes(t, m, md)
				for _, tr := range m.trees {
					checkTree(t, m, tr)
				}
			}
			// Phases that mostly add and phases that mostly remove.
			for phase := range 6 {
				for range 2 * n {
					lsn++
					key := randomKey(r, n)
					if r.IntN(10) < 3+phase%2*5 {
						before := m.Bytes()
						require.Equal(t, m.Remove(key), m.Bytes()-before)
						delete(md, string(key))
						continue
					}
					e := base.Entry{Key: key, LSN: lsn, Kind: base.KindPut, Value: fmt.Append(nil, lsn)}
					m.Insert(e, false, 0)
					md.insert(e, 0)
				}
				check()
			}
			for k := range md {
				m.Remove([]byte(k))
				delete(md, k)
				if r.IntN(n) < 3 {
					check()
				}
			}
			require.Zero(t, m.Bytes())
			require.Zero(t, m.Versions())
			require.Empty(t, m.trees)
		})
	}
}

// TestNewKeysForEver lets keys come at one end and go at the other: nodes must go, too.
func TestNewKeysForEver(t *testing.T) {
	m := New()
	key := func(i int) []byte { return fmt.Appendf(nil, "table0\x00\x00\x00\x00\x00\x00%08d", i) }
	const kept = 100
	for i := range 50_000 {
		m.Insert(base.Entry{Key: key(i), LSN: base.LSN(i + 1), Kind: base.KindPut}, false, 0)
		if i >= kept {
			require.Negative(t, m.Remove(key(i-kept)))
		}
	}
	require.LessOrEqual(t, checkTree(t, m, m.trees[0]), kept/leafMax+2)
	require.LessOrEqual(t, m.trees[0].root.n, 3)
}

func TestBuryTakesOnlyTombstonesThatEverybodySees(t *testing.T) {
	m := New()
	m.Insert(put("k", "a", 1), false, 0)
	require.Zero(t, m.Bury([]byte("k"), 9), "a value")
	m.Insert(tomb("k", 5), false, 0)
	require.Zero(t, m.Bury([]byte("k"), 4), "somebody may still read the value")
	require.Zero(t, m.Bury([]byte("absent"), 9))
	require.NotNil(t, m.Newest([]byte("k")))
	require.Negative(t, m.Bury([]byte("k"), 5))
	require.Nil(t, m.Newest([]byte("k")))
	require.Zero(t, m.Bytes())
}

// TestAnIteratorGoesOnBesideRemovals: the keys that stay are each shown once, in order.
func TestAnIteratorGoesOnBesideRemovals(t *testing.T) {
	m := New()
	key := func(i int) []byte { return fmt.Appendf(nil, "table0\x00\x00\x00\x00\x00\x00%06d", i) }
	const count = 3000
	for i := range count {
		m.Insert(base.Entry{Key: key(i), LSN: base.LSN(i + 1), Kind: base.KindPut}, false, 0)
	}
	it := m.NewIter(nil, IterOptions{MaxLSN: count})
	var last []byte
	stay := 0
	for ok := it.First(); ok; ok = it.Next() {
		require.Less(t, string(last), string(it.Key()))
		last = it.Key()
		if last[len(last)-1] == '7' {
			stay++
		}
		for i := range 10 { // some before, some behind
			if k := key((int(it.LSN())*7 + i*311) % count); k[len(k)-1] != '7' {
				m.Remove(k)
			}
		}
	}
	require.Equal(t, count/10, stay)
}
