package vector

import (
	"bytes"
	"math"
	"math/rand/v2"
	"sync"
)

// Defaults and bounds of Params.
const (
	MDefault     = 16
	BuildDefault = 100
	// levelMax bounds the levels; at 16 neighbors the expected number of nodes of that level is below one
	// for any number of nodes that fits into 32 bits.
	levelMax = 15
	// nodesMax bounds the numbers of nodes.
	nodesMax = math.MaxUint32 - 1
)

// Params of a graph.
type Params struct {
	// Dims is the length of all vectors.
	Dims   int
	Metric Metric
	// M is the number of neighbors of a node at each level above 0, half of that at level 0; 0 means
	// MDefault.
	M int
	// Build is how many candidates are looked at for the neighbors of a new node; 0 means BuildDefault.
	Build int
	// Least is how many vectors a partition has before they get links; 0 means so many that a search by links
	// can be quicker than one that looks at all. Other numbers are for tests: links are also used as if there
	// were no codes.
	Least int
	// Seed of the generator that draws levels.
	Seed [2]uint64
}

// state of a node. Stored: never renumber.
type state uint8

const (
	stateFree state = 0
	stateLive state = 1
	// stateDead is a node whose vector was removed: searches pass through it and do not return it.
	stateDead state = 2
	// stateLoose is a live node without links, to which nobody is linked.
	stateLoose state = 3
)

// node is what a graph knows of a vector beside its floats and its links of level 0.
type node struct {
	key   string
	note  []byte
	part  *partition
	upper [][]uint32 // neighbors by level, from 1 on
	level uint8
	state state
	place uint32 // among the members of its partition, while it is live
}

// lives says whether searches may return a node.
func (n *node) lives() bool { return n.state == stateLive || n.state == stateLoose }

// partition is a graph of its own among the nodes.
type partition struct {
	name  string
	entry uint32 // a node of the highest level
	nodes int    // those that are linked, live and dead
	// members are the live nodes, in no order but that the linked ones come first.
	members []uint32
	linked  int
	waits   bool // among Graph.waiting
}

// loose are the members that have no links yet.
func (p *partition) loose() []uint32 { return p.members[p.linked:] }

// blockNodes is how many nodes' vectors and links lie together in memory.
const blockNodes = 64

// Graph of vectors. Insert, Remove, Repair and what marks pages clean are for one goroutine at a time, the
// writer. It may read without a lock; whoever else reads does so through a View. The writer computes first
// and locks only to change, so that searches hardly wait for it.
type Graph struct {
	params  Params
	stride  int // of links at level 0: a count and 2·M neighbors
	perNode float64
	eager   bool // Params.Least was given
	rnd     *rand.Rand

	mu     sync.RWMutex // held by views, and by the writer while it changes what follows
	nodes  []node
	floats [][]float32 // by blocks
	links  [][]uint32  // by blocks, level 0
	codes  *codes      // nil where they do not pay
	byKey  map[string]uint32
	parts  map[string]*partition
	live   int
	dead   int
	linked int // of those that live
	odd    int // of those that live
	widths Widths

	// These are the writer's alone.
	free  []uint32
	dirty [pageKinds]map[uint32]struct{} // pages
	sweep sweep
	// waiting are the partitions whose loose members are to get links, and perhaps others.
	waiting []*partition
	// resume is how many members a partition has before its loose ones get links, beside Params.Least: where
	// links were found to be of no use, they are tried again when there are more vectors.
	resume int
	// stale counts changes since the last recode.
	stale int
	// texts is how many bytes keys and notes have.
	texts int
	// changes of links since the last Calibrate.
	changes int
	own     scratch
	reader  sync.Pool // *scratch of views
}

// New makes an empty graph.
func New(p Params) *Graph {
	if p.M == 0 {
		p.M = MDefault
	}
	if p.Build == 0 {
		p.Build = BuildDefault
	}
	g := &Graph{
		params: p, stride: 1 + 2*p.M, perNode: 1 / math.Log(float64(p.M)),
		rnd:   rand.New(rand.NewPCG(p.Seed[0], p.Seed[1])),
		byKey: map[string]uint32{}, parts: map[string]*partition{},
	}
	for i := range g.dirty {
		g.dirty[i] = map[uint32]struct{}{}
	}
	g.reader.New = func() any { return new(scratch) }
	if codesPay() {
		g.codes = newCodes(p.Dims)
	}
	if g.eager = p.Least != 0; !g.eager {
		g.params.Least = leastByShare * g.scanShare()
	}
	return g
}

// Live is the number of vectors that a search may return. For the writer.
func (g *Graph) Live() int { return g.live }

// Nodes is the number of nodes that there is room for: pages have numbers up to it divided by PageNodes.
// For the writer.
func (g *Graph) Nodes() int { return len(g.nodes) }

// Has says whether a key is among the live vectors. For the writer.
func (g *Graph) Has(key string) bool {
	_, ok := g.byKey[key]
	return ok
}

// Holds says whether this vector is there under a key. For the writer.
func (g *Graph) Holds(key string, v []float32) bool {
	id, ok := g.byKey[key]
	if !ok || len(v) != g.params.Dims {
		return false
	}
	return g.same(id, g.nodes[id].part.name, g.params.Metric.prepare(nil, v))
}

// vec is the vector of a node in the form in which it is compared.
func (g *Graph) vec(id uint32) []float32 {
	at := int(id%blockNodes) * g.params.Dims
	return g.floats[id/blockNodes][at : at+g.params.Dims : at+g.params.Dims]
}

// room is where the links of a node at level 0 lie: their number, then the neighbors.
func (g *Graph) room(id uint32) []uint32 {
	at := int(id%blockNodes) * g.stride
	return g.links[id/blockNodes][at : at+g.stride : at+g.stride]
}

// neighbors of a node at a level, in no order. They are shared.
func (g *Graph) neighbors(id uint32, level int) []uint32 {
	if level == 0 {
		r := g.room(id)
		return r[1 : 1+r[0]]
	}
	if up := g.nodes[id].upper; level <= len(up) {
		return up[level-1]
	}
	return nil
}

// most is how many neighbors a node has at most at a level.
func (g *Graph) most(level int) int {
	if level == 0 {
		return 2 * g.params.M
	}
	return g.params.M
}

// setNeighbors replaces the neighbors of a node at a level. The graph is locked.
func (g *Graph) setNeighbors(id uint32, level int, list []uint32) {
	if level == 0 {
		r := g.room(id)
		r[0] = uint32(copy(r[1:], list))
	} else {
		g.nodes[id].upper[level-1] = append(g.nodes[id].upper[level-1][:0:0], list...)
	}
	g.mark(linkPages, id)
}

// take gives out a node's number. The graph is locked.
func (g *Graph) take() (id uint32, ok bool) {
	if n := len(g.free); n > 0 {
		id = g.free[n-1]
		g.free = g.free[:n-1]
		return id, true
	}
	if len(g.nodes) >= nodesMax {
		return 0, false
	}
	id = uint32(len(g.nodes))
	g.grow(len(g.nodes) + 1)
	return id, true
}

// grow makes room for so many nodes. The graph is locked, or nobody knows it yet.
func (g *Graph) grow(n int) {
	for len(g.nodes) < n {
		g.nodes = append(g.nodes, node{})
	}
	for len(g.floats)*blockNodes < n {
		g.floats = append(g.floats, make([]float32, blockNodes*g.params.Dims))
		g.links = append(g.links, make([]uint32, blockNodes*g.stride))
	}
	if g.codes != nil {
		g.codes.grow(len(g.floats))
	}
}

// drawLevel draws the level of a new node.
func (g *Graph) drawLevel() int {
	return min(levelMax, int(-math.Log(1-g.rnd.Float64())*g.perNode))
}

// partOf returns a partition, which is made if there is none.
func (g *Graph) partOf(name string) *partition {
	p := g.parts[name]
	if p == nil {
		p = &partition{name: name}
		g.parts[name] = p
	}
	return p
}

// swap exchanges two members.
func (p *partition) swap(nodes []node, a, b int) {
	p.members[a], p.members[b] = p.members[b], p.members[a]
	nodes[p.members[a]].place, nodes[p.members[b]].place = uint32(a), uint32(b)
}

// join takes a live node in, which is loose.
func (p *partition) join(nodes []node, id uint32) {
	nodes[id].state, nodes[id].place = stateLoose, uint32(len(p.members))
	p.members = append(p.members, id)
}

// link takes a loose member among the linked ones.
func (p *partition) link(nodes []node, id uint32) {
	nodes[id].state = stateLive
	p.swap(nodes, int(nodes[id].place), p.linked)
	p.linked++
	p.nodes++
}

// leave lets go of a member.
func (p *partition) leave(nodes []node, id uint32) {
	if at := int(nodes[id].place); at < p.linked {
		p.linked--
		p.swap(nodes, at, p.linked)
	}
	last := len(p.members) - 1
	p.swap(nodes, int(nodes[id].place), last)
	p.members = p.members[:last]
}

// Remove takes a vector out; it reports whether there was one. For the writer.
func (g *Graph) Remove(key string) bool {
	id, ok := g.byKey[key]
	if !ok {
		return false
	}
	g.mu.Lock()
	g.kill(id)
	g.mu.Unlock()
	return true
}

// kill makes a live node a dead one, or a free one if nobody can be linked to it. The graph is locked.
func (g *Graph) kill(id uint32) {
	n := &g.nodes[id]
	n.part.leave(g.nodes, id)
	delete(g.byKey, n.key)
	g.live--
	if g.params.Metric.odd(g.vec(id)) {
		g.odd--
	}
	g.stale++
	g.mark(vectorPages, id)
	if n.state == stateLoose {
		g.mark(linkPages, id)
		g.vacate(id)
		return
	}
	n.state = stateDead
	g.texts -= len(n.key) + len(n.note)
	n.key, n.note = "", nil
	g.changes++
	g.linked--
	g.dead++
}

// vacate makes a node free. The graph is locked.
func (g *Graph) vacate(id uint32) {
	n := &g.nodes[id]
	g.texts -= len(n.key) + len(n.note)
	if p := n.part; p.nodes == 0 && len(p.members) == 0 {
		delete(g.parts, p.name)
	}
	*n = node{}
	g.room(id)[0] = 0
	g.free = append(g.free, id)
}

// same says whether a node has this vector and partition, so that only its note can differ.
func (g *Graph) same(id uint32, part string, prepared []float32) bool {
	if g.nodes[id].part.name != part {
		return false
	}
	for i, x := range g.vec(id) {
		if math.Float32bits(x) != math.Float32bits(prepared[i]) {
			return false
		}
	}
	return true
}

// renote replaces the note of a node.
func (g *Graph) renote(id uint32, note []byte) {
	if bytes.Equal(g.nodes[id].note, note) {
		return
	}
	g.mu.Lock()
	g.texts += len(note) - len(g.nodes[id].note)
	g.nodes[id].note = bytes.Clone(note)
	g.mu.Unlock()
	g.mark(vectorPages, id)
}

// nodeBytes is about what a node takes beside its vector, its code, its links of level 0 and its texts: as
// one of a slice that has grown, in a map, and as a member.
const nodeBytes = 224

// BytesOf is about how much memory a graph of so many nodes takes without their keys and notes.
func BytesOf(p Params, nodes int) int64 {
	g := New(p)
	each := 4*p.Dims + 4*g.stride + nodeBytes
	if g.codes != nil {
		each += codeBytes(p.Dims)
	}
	return int64(nodes) * int64(each)
}

// Bytes is about how much memory a graph takes. For the writer.
func (g *Graph) Bytes() int64 {
	return BytesOf(g.params, len(g.floats)*blockNodes) + int64(g.texts)
}
