package vector

import "slices"

// The dead are taken out when there are deadLeast of them, and one for deadShare linked ones.
const (
	deadLeast = 64
	deadShare = 8
)

// sweep is a pass over all nodes that gives other neighbors to those of the dead.
type sweep struct {
	doomed map[uint32]struct{} // the dead that the pass takes out; nil between passes
	at     uint32
}

// RepairDue says whether a pass is going on or should begin. For the writer.
func (g *Graph) RepairDue() bool {
	return g.sweep.doomed != nil || g.dead >= deadLeast && g.dead*deadShare >= g.linked
}

// Repair does a step of a pass, over so many nodes. At the end of the pass the nodes that were dead at its
// beginning are free. For the writer.
func (g *Graph) Repair(nodes int) {
	if g.sweep.doomed == nil && g.resume > 0 {
		g.unlink()
		return
	}
	if g.sweep.doomed == nil {
		g.sweep = sweep{doomed: map[uint32]struct{}{}}
		for id := range g.nodes {
			if g.nodes[id].state == stateDead {
				g.sweep.doomed[uint32(id)] = struct{}{}
			}
		}
	}
	for ; nodes > 0 && int(g.sweep.at) < len(g.nodes); nodes-- {
		g.relinkNode(g.sweep.at)
		g.sweep.at++
	}
	if int(g.sweep.at) >= len(g.nodes) {
		g.release()
	}
}

func (g *Graph) doomed(id uint32) bool {
	_, ok := g.sweep.doomed[id]
	return ok
}

// relinkNode takes doomed neighbors of a node that stays away, and gives it other ones where few are left.
func (g *Graph) relinkNode(id uint32) {
	n := &g.nodes[id]
	if n.state == stateFree || g.doomed(id) {
		return
	}
	for level := 0; level <= int(n.level); level++ {
		if all := g.neighbors(id, level); slices.ContainsFunc(all, g.doomed) {
			if rest := slices.DeleteFunc(slices.Clone(all), g.doomed); len(rest) >= g.most(level)/2 {
				g.mu.Lock()
				g.setNeighbors(id, level, rest)
				g.mu.Unlock()
			} else {
				g.relink(id, level)
			}
		}
	}
}

// unlink makes all nodes loose and the dead free: links are of no use.
func (g *Graph) unlink() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.parts {
		p.linked, p.nodes = 0, 0
	}
	for i := range g.nodes {
		id, n := uint32(i), &g.nodes[i]
		switch n.state {
		case stateLive:
			n.state, n.level, n.upper = stateLoose, 0, nil
			g.setNeighbors(id, 0, nil)
		case stateDead:
			g.mark(vectorPages, id)
			g.mark(linkPages, id)
			g.vacate(id)
		}
	}
	g.linked, g.dead, g.changes = 0, 0, 0
	g.awaitAll()
}

// relink chooses among the neighbors that stay, those of the doomed ones and, if these are few, what a
// search finds.
func (g *Graph) relink(id uint32, level int) {
	s, v := &g.own, g.vec(id)
	s.query = append(s.query[:0], v...)
	s.begin(len(g.nodes))
	s.meet(id)
	found := g.around(s, id, level)
	if len(found) < g.most(level)/2 {
		p := g.nodes[id].part
		if top := int(g.nodes[p.entry].level); level <= top {
			g.look(s, g.descend(p, s.query, level), level, g.params.Build, p.nodes, func(o uint32) bool {
				return o != id && g.nodes[o].state == stateLive
			})
			for _, n := range s.best {
				if !slices.ContainsFunc(found, func(f near) bool { return f.id == n.id }) {
					found = append(found, n)
				}
			}
		}
	}
	slices.SortFunc(found, compareNear)
	next := g.diverse(found, g.most(level))
	before := g.neighbors(id, level)
	added := slices.DeleteFunc(slices.Clone(next), func(o uint32) bool { return slices.Contains(before, o) })
	back := make([]links, 0, len(added))
	for _, o := range added {
		if list := g.with(o, level, id); list != nil {
			back = append(back, links{o, level, list})
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.setNeighbors(id, level, next)
	for _, b := range back {
		g.setNeighbors(b.id, b.level, b.list)
	}
}

// around are the live neighbors of a node, and those of its doomed ones, which may be doomed in turn.
func (g *Graph) around(s *scratch, id uint32, level int) []near {
	const hops = 2
	var found []near
	ring := []uint32{id}
	for range hops + 1 {
		var next []uint32
		for _, at := range ring {
			for _, o := range g.neighbors(at, level) {
				switch {
				case !s.meet(o):
				case g.doomed(o):
					next = append(next, o)
				case g.nodes[o].state == stateLive:
					found = append(found, near{dist: g.params.Metric.between(s.query, g.vec(o)), id: o})
				}
			}
		}
		ring = next
	}
	return found
}

// release ends the pass: nobody is linked to a doomed node any more.
func (g *Graph) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	moved := map[*partition]bool{}
	for id := range g.sweep.doomed {
		n := &g.nodes[id]
		if n.part.entry == id {
			moved[n.part] = true
		}
		n.part.nodes--
		g.vacate(id)
		g.dead--
		g.mark(vectorPages, id)
		g.mark(linkPages, id)
	}
	slices.Sort(g.free) // so that it does not depend on the order of a map
	slices.Reverse(g.free)
	g.sweep = sweep{}
	g.enter(moved)
}

// enter gives partitions an entry: a node of the highest level.
func (g *Graph) enter(parts map[*partition]bool) {
	if len(parts) == 0 {
		return
	}
	highest := map[*partition]int{}
	for id := range g.nodes {
		n := &g.nodes[id]
		if n.state == stateFree || !parts[n.part] || n.state == stateLoose {
			continue
		}
		level := 2 * int(n.level)
		if n.state == stateLive {
			level++ // rather a live one
		}
		if old, ok := highest[n.part]; !ok || level > old {
			highest[n.part], n.part.entry = level, uint32(id)
		}
	}
}
