package vector

import (
	"cmp"
	"math"
	"slices"
)

// scratch is the memory of one search.
type scratch struct {
	seen  []uint32 // by node: the round in which it was met
	round uint32
	open  nearest
	best  farthest
	query []float32
	coded codeQuery
}

// begin forgets what was met, for a graph of n nodes.
func (s *scratch) begin(n int) {
	if len(s.seen) < n {
		s.seen = make([]uint32, n+n/4+blockNodes)
		s.round = 0
	}
	if s.round++; s.round == 0 {
		clear(s.seen)
		s.round = 1
	}
	s.open, s.best = s.open[:0], s.best[:0]
}

// meet reports whether a node is met for the first time.
func (s *scratch) meet(id uint32) bool {
	if s.seen[id] == s.round {
		return false
	}
	s.seen[id] = s.round
	return true
}

// descend goes greedily from the entry of a partition down to above a level, and returns where it ended.
func (g *Graph) descend(p *partition, q []float32, above int) near {
	at := near{dist: g.params.Metric.between(q, g.vec(p.entry)), id: p.entry}
	for level := int(g.nodes[p.entry].level); level > above; level-- {
		for moved := true; moved; {
			moved = false
			for _, id := range g.neighbors(at.id, level) {
				if n := (near{dist: g.params.Metric.between(q, g.vec(id)), id: id}); n.dist < at.dist {
					at, moved = n, true
				}
			}
		}
	}
	return at
}

// look searches a level around a node. The nearest so many that accept takes end in s.best, a heap. It
// looks at no more than budget nodes, and returns what is left of it, less than zero if it was not enough.
func (g *Graph) look(s *scratch, from near, level, width, budget int, accept func(id uint32) bool) (left int) {
	q, metric := s.query, g.params.Metric
	s.begin(len(g.nodes))
	s.meet(from.id)
	s.open.push(from)
	if accept(from.id) {
		s.best.push(from)
	}
	for len(s.open) > 0 {
		at := s.open.pop()
		if len(s.best) == width && at.dist > s.best[0].dist {
			return budget
		}
		next := g.neighbors(at.id, level)
		for _, id := range next {
			if s.seen[id] != s.round {
				fetchFloats(&g.vec(id)[0])
			}
		}
		for _, id := range next {
			if !s.meet(id) {
				continue
			}
			if budget--; budget < 0 {
				return budget
			}
			n := near{dist: metric.between(q, g.vec(id)), id: id}
			if len(s.best) == width && n.dist >= s.best[0].dist {
				continue
			}
			s.open.push(n)
			if accept(id) {
				s.best.offer(n, width)
			}
		}
	}
	return budget
}

// isLive is the accept of whoever takes every live node.
func (g *Graph) isLive(id uint32) bool { return g.nodes[id].state == stateLive }

// Hit is a vector that a search found.
type Hit struct {
	Key string
	// Distance orders hits of one search; it is not a score.
	Distance float32
}

// View is a graph at one moment, for reading. It must be closed; until then the writer waits with changes.
type View struct {
	g *Graph
	s *scratch
}

// View opens a view.
func (g *Graph) View() *View {
	g.mu.RLock()
	return &View{g: g, s: g.reader.Get().(*scratch)}
}

// Close ends the view.
func (v *View) Close() {
	v.g.reader.Put(v.s)
	v.g.mu.RUnlock()
}

// Live is the number of vectors of a partition.
func (v *View) Live(part string) int {
	if p := v.g.parts[part]; p != nil {
		return len(p.members)
	}
	return 0
}

// Match says of a vector whether a search may return it. The note is the graph's.
type Match func(key string, note []byte) bool

// budgetLeast bounds what a search with a filter looks at before it is quicker to look at everything: at
// least so many nodes, and the share of a partition that scanShare says.
const budgetLeast = 4096

// Search returns the nearest k vectors of a partition among those that match takes, or nearly these, in
// order of distance; match may be nil. Width is how many candidates are looked at; 0 means as many as the
// graph has found to be enough. A filter that takes few is met by Scan, which finds exactly the nearest;
// so are partitions that are small, those of which many vectors have no links yet, and queries that are far
// from all vectors.
func (v *View) Search(part string, query []float32, k, width int, match Match) []Hit {
	g, s := v.g, v.s
	p := g.parts[part]
	if p == nil || len(p.members) == 0 || k <= 0 {
		return nil
	}
	if width == 0 {
		if g.widths.Few == 0 && g.scanShare() == codeShare {
			width = always
		} else {
			width = g.widths.width(k)
		}
	}
	if len(p.members) <= width || len(p.loose())*g.scanShare() > p.nodes {
		return v.Scan(part, query, k, match)
	}
	s.query = g.params.Metric.ask(s.query[:0], query)
	takes := func(id uint32) bool { return match == nil || match(g.nodes[id].key, g.nodes[id].note) }
	accept, budget := g.isLive, p.nodes
	if match != nil {
		accept = func(id uint32) bool { return g.isLive(id) && takes(id) }
		budget = max(budgetLeast, p.nodes/g.scanShare())
	}
	width = max(k, width)
	left := g.look(s, g.descend(p, s.query, 0), 0, width, budget, accept)
	if left < 0 || len(s.best) < k && len(s.best) < p.linked {
		return v.Scan(part, query, k, match)
	}
	for _, id := range p.loose() {
		if takes(id) {
			s.best.offer(near{dist: g.params.Metric.between(s.query, g.vec(id)), id: id}, width)
		}
	}
	hits := g.hits(s.best, k)
	if n := min(few, len(hits)); n > 0 && g.isFar(s.query, hits[n-1].Distance) {
		return v.Scan(part, query, k, match)
	}
	return hits
}

// Scan returns exactly the nearest k vectors of a partition among those that match takes, in order of
// distance, by looking at all of them; match may be nil.
func (v *View) Scan(part string, query []float32, k int, match Match) []Hit {
	g, s := v.g, v.s
	p := g.parts[part]
	if p == nil || k <= 0 {
		return nil
	}
	s.query = g.params.Metric.ask(s.query[:0], query)
	g.scan(s, p, k, func(id uint32) bool {
		n := &g.nodes[id]
		return match == nil || match(n.key, n.note)
	})
	return g.hits(s.best, k)
}

// scan finds exactly the nearest k of the live nodes of a partition that accept takes; they end in s.best.
func (g *Graph) scan(s *scratch, p *partition, k int, accept func(id uint32) bool) {
	s.best = s.best[:0]
	if g.codes == nil {
		for _, id := range p.members {
			n := near{dist: g.params.Metric.between(s.query, g.vec(id)), id: id}
			if (len(s.best) < k || n.less(s.best[0])) && accept(id) {
				s.best.offer(n, k)
			}
		}
		return
	}
	limit := g.scanCodes(s, p, k, accept)
	for _, n := range s.open {
		if !(n.dist > limit) {
			s.best.offer(near{dist: g.params.Metric.between(s.query, g.vec(n.id)), id: n.id}, k)
		}
	}
}

// scanCodes leaves in s.open, in no order, the nodes that may be among the nearest k, with the least distance
// that each can have. Those of more than limit cannot be.
func (g *Graph) scanCodes(s *scratch, p *partition, k int, accept func(id uint32) bool) (limit float32) {
	g.codes.query(&s.coded, g.params.Metric, s.query)
	s.open = s.open[:0]
	most := s.best // the nearest k by the greatest distance that each can have
	limit = float32(math.Inf(1))
	const ahead = 8 // so many comparisons take as long as memory
	for i, id := range p.members {
		if i+ahead < len(p.members) {
			g.codes.fetch(p.members[i+ahead])
		}
		low, high := g.codes.bounds(&s.coded, id)
		if low > limit || !accept(id) {
			continue
		}
		s.open = append(s.open, near{dist: low, id: id})
		if high <= limit { // and is a number
			if most.offer(near{dist: high, id: id}, k); len(most) == k {
				limit = most[0].dist
			}
		}
	}
	s.best = most[:0]
	return limit
}

// hits are the nearest k of some nodes.
func (g *Graph) hits(found []near, k int) []Hit {
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.dist, b.dist), cmp.Compare(g.nodes[a.id].key, g.nodes[b.id].key))
	})
	hits := make([]Hit, 0, min(k, len(found)))
	for _, n := range found[:min(k, len(found))] {
		hits = append(hits, Hit{Key: g.nodes[n.id].key, Distance: n.dist})
	}
	return hits
}
