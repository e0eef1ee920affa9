package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// fate of what is not durable.
type fate uint8

const (
	fateAny fate = iota // some version, by the seed
	fateLose
	fateKeep
)

// CrashPolicy says what a crash leaves of what was not durable.
type CrashPolicy uint8

const (
	// CrashAny leaves of each pending sector any of its versions, by the seed, in no order. Sizes
	// and names are left as they were at any moment since they were durable.
	CrashAny CrashPolicy = iota
	// CrashLoseAll leaves only what is durable.
	CrashLoseAll
	// CrashKeepAll leaves everything, as if it had just been synced.
	CrashKeepAll
	// CrashMostly is CrashAny that keeps nine sectors in ten, so that tears are small.
	CrashMostly
	// CrashFew is CrashAny that loses nine sectors in ten.
	CrashFew
	// CrashKill is the end of the process and not of the machine: readers see what they saw and it
	// is as little durable as before.
	CrashKill
)

// CrashClone returns what a machine would find after a crash at this moment, as a new file system
// without hooks, locks and capacity. The original goes on unharmed. The same state, policy and seed
// give the same clone.
func (m *MemFS) CrashClone(policy CrashPolicy, seed uint64) *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 1))
	out := NewMemFS(rng.Uint64())
	out.mu.align = m.mu.align
	names := m.survivingNamesLocked(policy, rng)
	clones := map[*memNode]*memNode{}
	for _, path := range slices.Sorted(maps.Keys(names)) {
		node := names[path]
		if clones[node] == nil {
			clones[node] = node.crash(policy, rng)
			out.mu.used += clones[node].allocated() * SectorBytes
		}
		out.mu.names[path] = clones[node]
	}
	out.mu.durable = maps.Clone(out.mu.names)
	if policy == CrashKill {
		out.mu.durable, out.mu.pending = m.cloneNamesLocked(clones)
	}
	return out
}

// survivingNamesLocked: the journal of names is ordered, so a prefix of it survives.
func (m *MemFS) survivingNamesLocked(policy CrashPolicy, rng *rand.Rand) map[string]*memNode {
	switch policy {
	case CrashKill, CrashKeepAll:
		return m.mu.names
	case CrashLoseAll:
		return m.mu.durable
	}
	names := maps.Clone(m.mu.durable)
	for _, op := range m.mu.pending[:rng.IntN(len(m.mu.pending)+1)] {
		applyNames(names, op)
	}
	return names
}

// cloneNamesLocked copies the durable names and the pending changes for a killed process. Nodes
// that no name shows any more are copied too: a power loss may bring them back.
func (m *MemFS) cloneNamesLocked(clones map[*memNode]*memNode) (map[string]*memNode, []nameOp) {
	clone := func(node *memNode) *memNode {
		if node != nil && clones[node] == nil {
			clones[node] = node.crash(CrashKill, nil)
		}
		return clones[node]
	}
	durable := map[string]*memNode{}
	for path, node := range m.mu.durable {
		durable[path] = clone(node)
	}
	var pending []nameOp
	for _, op := range m.mu.pending {
		var copied nameOp
		for _, c := range op {
			copied = append(copied, nameChange{c.path, clone(c.node)})
		}
		pending = append(pending, copied)
	}
	return durable, pending
}

// crash returns the file as the policy leaves it.
func (n *memNode) crash(policy CrashPolicy, rng *rand.Rand) *memNode {
	out := &memNode{durableSize: n.durableSize, durable: slices.Clone(n.durable)}
	if policy == CrashKill {
		out.size, out.current = n.size, slices.Clone(n.current)
		out.sizes = slices.Clone(n.sizes)
		out.versions = make(map[int64][]*sector, len(n.versions))
		for i, v := range n.versions {
			out.versions[i] = slices.Clone(v)
		}
		return out
	}
	for _, i := range n.pendingSectors() {
		out.durable = put(out.durable, i, n.pick(i, rng, sectorFate(policy, rng)))
	}
	out.durableSize = n.crashSize(policy, rng)
	out.cutToSize()
	out.size, out.current = out.durableSize, slices.Clone(out.durable)
	return out
}

func sectorFate(policy CrashPolicy, rng *rand.Rand) fate {
	switch policy {
	case CrashLoseAll:
		return fateLose
	case CrashKeepAll:
		return fateKeep
	case CrashMostly:
		if rng.IntN(10) != 0 {
			return fateKeep
		}
	case CrashFew:
		if rng.IntN(10) != 0 {
			return fateLose
		}
	}
	return fateAny
}

func (n *memNode) crashSize(policy CrashPolicy, rng *rand.Rand) int64 {
	if len(n.sizes) == 0 || policy == CrashLoseAll {
		return n.durableSize
	}
	if policy == CrashKeepAll {
		return n.size
	}
	if c := rng.IntN(len(n.sizes) + 1); c > 0 {
		return n.sizes[c-1]
	}
	return n.durableSize
}

// cutToSize drops what lies behind the size.
func (n *memNode) cutToSize() {
	if sectors := (n.durableSize + SectorBytes - 1) / SectorBytes; sectors < int64(len(n.durable)) {
		n.durable = n.durable[:sectors]
	}
	if in := n.durableSize % SectorBytes; in != 0 {
		if s := at(n.durable, n.durableSize/SectorBytes); s != nil {
			cut := *s
			clear(cut[in:])
			n.durable[n.durableSize/SectorBytes] = &cut
		}
	}
}

func (n *memNode) allocated() int64 {
	var count int64
	for _, s := range n.current {
		if s != nil {
			count++
		}
	}
	return count
}
