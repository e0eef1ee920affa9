package vfs

import (
	"math/rand/v2"
	"slices"
)

// sector is one immutable sector; writers replace it whole.
type sector [SectorBytes]byte

// zeroSector is an allocated sector of zeros; a nil sector is a hole and reads the same.
var zeroSector = new(sector)

// memNode is a file's content: what readers see, what a power loss is sure to leave, and, sector by
// sector, what lies between. All of it is guarded by the MemFS's mutex.
type memNode struct {
	size    int64
	current []*sector
	// durableSize and durable are what the disk holds for certain.
	durableSize int64
	durable     []*sector
	// versions of each sector since it was last durable, oldest first. A power loss leaves the
	// durable one or any of these.
	versions map[int64][]*sector
	// sizes since the size was last durable, oldest first.
	sizes []int64
}

func at(list []*sector, i int64) *sector {
	if i < int64(len(list)) {
		return list[i]
	}
	return nil
}

func put(list []*sector, i int64, s *sector) []*sector {
	if grow := i + 1 - int64(len(list)); grow > 0 {
		if s == nil {
			return list
		}
		list = append(list, make([]*sector, grow)...)
	}
	list[i] = s
	return list
}

// bytes of a sector; zeros for a hole.
func (s *sector) bytes() []byte {
	if s == nil {
		return zeroSector[:]
	}
	return s[:]
}

// readAt copies what readers see; the caller has bounded p by the size.
func (n *memNode) readAt(p []byte, off int64) {
	for len(p) > 0 {
		i, in := off/SectorBytes, off%SectorBytes
		c := copy(p, at(n.current, i).bytes()[in:])
		p, off = p[c:], off+int64(c)
	}
}

// newSectors counts how many sectors of [off, off+length) are holes now.
func (n *memNode) newSectors(off, length int64) int64 {
	var count int64
	for i := off / SectorBytes; i*SectorBytes < off+length; i++ {
		if at(n.current, i) == nil {
			count++
		}
	}
	return count
}

// set gives a sector a new, not yet durable version.
func (n *memNode) set(i int64, s *sector) {
	n.current = put(n.current, i, s)
	if n.versions == nil {
		n.versions = map[int64][]*sector{}
	}
	n.versions[i] = append(n.versions[i], s)
}

// write replaces the sectors that p touches; keep says which of them are really written.
func (n *memNode) write(p []byte, off int64, keep func() bool) {
	end := off + int64(len(p))
	fresh := make([]sector, (end-1)/SectorBytes-off/SectorBytes+1)
	for len(p) > 0 {
		i, in := off/SectorBytes, off%SectorBytes
		next := &fresh[0]
		fresh = fresh[1:]
		*next = sector(at(n.current, i).bytes())
		c := copy(next[in:], p)
		p, off = p[c:], off+int64(c)
		if !keep() {
			continue
		}
		if *next == *zeroSector {
			next = zeroSector
		}
		n.set(i, next)
	}
	if end > n.size {
		n.resize(end)
	}
}

func (n *memNode) resize(size int64) {
	n.size = size
	n.sizes = append(n.sizes, size)
}

// truncate cuts or extends; it returns how many sectors became holes.
func (n *memNode) truncate(size int64) (freed int64) {
	for i := (size + SectorBytes - 1) / SectorBytes; i < int64(len(n.current)); i++ {
		if n.current[i] != nil {
			freed++
			n.set(i, nil)
		}
	}
	if in := size % SectorBytes; in != 0 && size < n.size {
		if s := at(n.current, size/SectorBytes); s != nil {
			cut := *s
			clear(cut[in:])
			n.set(size/SectorBytes, &cut)
		}
	}
	if size != n.size {
		n.resize(size)
	}
	return freed
}

// allocate fills holes with allocated zeros. Either reads as zeros, so that it makes no version for
// a crash to choose from.
func (n *memNode) allocate(off, length int64) {
	for i := off / SectorBytes; i*SectorBytes < off+length; i++ {
		if at(n.current, i) == nil {
			n.current = put(n.current, i, zeroSector)
		}
	}
	if off+length > n.size {
		n.resize(off + length)
	}
}

// punch makes holes of the whole sectors in the range; it returns how many.
func (n *memNode) punch(off, length int64) (freed int64) {
	for i := (off + SectorBytes - 1) / SectorBytes; (i+1)*SectorBytes <= off+length; i++ {
		if at(n.current, i) != nil {
			freed++
			n.set(i, nil)
		}
	}
	return freed
}

// settle makes the newest version of a sector durable.
func (n *memNode) settle(i int64) {
	if v := n.versions[i]; len(v) > 0 {
		n.durable = put(n.durable, i, v[len(v)-1])
		delete(n.versions, i)
	}
}

// settleAll makes the data durable, and the size if asked.
func (n *memNode) settleAll(size bool) {
	for i := range n.versions {
		n.settle(i)
	}
	if size && len(n.sizes) > 0 {
		n.durableSize = n.size
		n.sizes = nil
	}
}

// lose is a failed sync: of each pending sector some version reaches the disk, and the system takes
// the sector for clean, so that no later sync writes it.
func (n *memNode) lose(rng *rand.Rand) {
	for _, i := range n.pendingSectors() {
		n.durable = put(n.durable, i, n.pick(i, rng, fateAny))
		delete(n.versions, i)
	}
}

// pendingSectors in order, so that a seed decides everything.
func (n *memNode) pendingSectors() []int64 {
	list := make([]int64, 0, len(n.versions))
	for i := range n.versions {
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

// pick chooses the version of a sector that a power loss leaves.
func (n *memNode) pick(i int64, rng *rand.Rand, fate fate) *sector {
	v := n.versions[i]
	durable := at(n.durable, i)
	switch fate {
	case fateLose:
		return durable
	case fateKeep:
		return v[len(v)-1]
	}
	if c := rng.IntN(len(v) + 1); c > 0 {
		return v[c-1]
	}
	return durable
}
