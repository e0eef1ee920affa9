package vector

import (
	"bytes"
	"errors"
	"slices"
)

// errFull: there are as many nodes as numbers for them.
var errFull = errors.New("vector: the graph is full")

// Insert puts a vector under a key, in place of the one that was there. The note comes back in Match; it is
// copied, as is the vector. Searches find it at once, by looking at it; Link makes it part of the graph. For
// the writer.
func (g *Graph) Insert(key, part string, v []float32, note []byte) error {
	s := &g.own
	s.query = g.params.Metric.prepare(s.query[:0], v)
	if id, ok := g.byKey[key]; ok {
		if g.same(id, part, s.query) {
			g.renote(id, note)
			return nil
		}
		g.mu.Lock()
		g.kill(id)
		g.mu.Unlock()
	}
	id, err := g.place(s.query)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.partOf(part)
	g.nodes[id] = node{key: key, note: bytes.Clone(note), part: p}
	g.setNeighbors(id, 0, nil)
	g.byKey[key] = id
	g.texts += len(key) + len(note)
	p.join(g.nodes, id)
	g.await(p)
	g.live++
	if g.params.Metric.odd(s.query) {
		g.odd++
	}
	g.stale++
	g.mark(vectorPages, id)
	return nil
}

// pays says whether links are of use in a partition.
func (g *Graph) pays(p *partition) bool {
	return len(p.loose()) > 0 && len(p.members) >= max(g.params.Least, g.resume)
}

// await has the loose members of a partition wait for links, if they are of use.
func (g *Graph) await(p *partition) {
	if !p.waits && g.pays(p) {
		p.waits = true
		g.waiting = append(g.waiting, p)
	}
}

// LinkDue says whether vectors wait for links. For the writer.
func (g *Graph) LinkDue() bool {
	for len(g.waiting) > 0 && !g.pays(g.waiting[0]) {
		g.waiting[0].waits = false
		g.waiting = g.waiting[1:]
	}
	return len(g.waiting) > 0
}

// Link gives links to so many of the vectors that wait for some, and says how many these were. For the writer.
func (g *Graph) Link(most int) (done int) {
	for ; done < most && g.LinkDue(); done++ {
		g.linkNode(g.waiting[0].loose()[0])
	}
	return done
}

// linkNode gives links to a loose node.
func (g *Graph) linkNode(id uint32) {
	s, p := &g.own, g.nodes[id].part
	s.query = append(s.query[:0], g.vec(id)...)
	level := g.drawLevel()
	var around [levelMax + 1][]uint32
	if p.nodes > 0 {
		g.choose(s, p, level, &around)
	}
	back := g.backLinks(id, level, &around)
	g.mu.Lock()
	defer g.mu.Unlock()
	n := &g.nodes[id]
	n.level, n.upper = uint8(level), make([][]uint32, level)
	p.link(g.nodes, id)
	g.linked++
	g.changes++
	for l := 0; l <= level; l++ {
		g.setNeighbors(id, l, around[l])
	}
	for _, b := range back {
		g.setNeighbors(b.id, b.level, b.list)
	}
	if p.nodes == 1 || level > int(g.nodes[p.entry].level) {
		p.entry = id
	}
}

// place gives a vector the number of a node, which is free still: nobody looks at its vector.
func (g *Graph) place(prepared []float32) (uint32, error) {
	g.mu.Lock()
	id, ok := g.take()
	g.mu.Unlock()
	if !ok {
		return 0, errFull
	}
	copy(g.vec(id), prepared)
	if g.codes != nil {
		g.codes.set(id, g.params.Metric, prepared)
	}
	return id, nil
}

// choose finds the neighbors of a new node of a level, whose vector is s.query.
func (g *Graph) choose(s *scratch, p *partition, level int, around *[levelMax + 1][]uint32) {
	top := int(g.nodes[p.entry].level)
	from := g.descend(p, s.query, level)
	for l := min(level, top); l >= 0; l-- {
		g.look(s, from, l, g.params.Build, p.nodes, g.isLive)
		found := slices.Clone([]near(s.best))
		slices.SortFunc(found, compareNear)
		around[l] = g.diverse(found, g.params.M)
		if len(found) > 0 {
			from = found[0]
		}
	}
}

func compareNear(a, b near) int {
	if a.less(b) {
		return -1
	}
	return 1
}

// diverse takes up to most of some candidates, which are sorted by distance: first those that are nearer
// to the node than to all that were taken before, then the nearest of the rest.
func (g *Graph) diverse(sorted []near, most int) []uint32 {
	taken := make([]uint32, 0, most)
	if len(sorted) <= most {
		for _, c := range sorted {
			taken = append(taken, c.id)
		}
		return taken
	}
	var rest []uint32
	for _, c := range sorted {
		if len(taken) == most {
			return taken
		}
		v, apart := g.vec(c.id), true
		for _, t := range taken {
			if g.params.Metric.between(v, g.vec(t)) < c.dist {
				apart = false
				break
			}
		}
		if apart {
			taken = append(taken, c.id)
		} else if len(rest) < most {
			rest = append(rest, c.id)
		}
	}
	return append(taken, rest[:min(len(rest), most-len(taken))]...)
}

// links are the neighbors that a node gets at a level.
type links struct {
	id    uint32
	level int
	list  []uint32
}

// backLinks are the neighbors of the neighbors of a node, with the node among them where it is.
func (g *Graph) backLinks(id uint32, level int, around *[levelMax + 1][]uint32) []links {
	var back []links
	for l := 0; l <= level; l++ {
		for _, o := range around[l] {
			if list := g.with(o, l, id); list != nil {
				back = append(back, links{o, l, list})
			}
		}
	}
	return back
}

// with are the neighbors of a node when another one comes to them: those that it keeps if it has too many.
// It is nil when nothing changes.
func (g *Graph) with(id uint32, level int, neighbor uint32) []uint32 {
	have := g.neighbors(id, level)
	if slices.Contains(have, neighbor) {
		return nil
	}
	if len(have) < g.most(level) {
		return append(append(make([]uint32, 0, len(have)+1), have...), neighbor)
	}
	v := g.vec(id)
	sorted := make([]near, 0, len(have)+1)
	for _, o := range have {
		sorted = append(sorted, near{dist: g.params.Metric.between(v, g.vec(o)), id: o})
	}
	sorted = append(sorted, near{dist: g.params.Metric.between(v, g.vec(neighbor)), id: neighbor})
	slices.SortFunc(sorted, compareNear)
	return g.diverse(sorted, g.most(level))
}
