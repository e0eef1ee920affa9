package vector

import (
	"math"
	"slices"
)

// How many candidates a search needs depends on the vectors: where they have little structure, it may be
// ten times as many. A graph finds out by searching for some of its own vectors and looking at how many of
// their true neighbors it finds.
const (
	// calibrateLeast is how many vectors a graph has before it is worth the while.
	calibrateLeast = 1000
	// calibrateShare is the share of the vectors that have changed when it is done again.
	calibrateShare = 3
	samples        = 24
	// recallWanted leaves room: that of other queries is a little less or more.
	recallWanted = 0.98
	widthLeast   = 64
	// widthDefault holds until a graph is calibrated.
	widthDefault = 320
	// scanShare: a search that looks at more than this part of a partition is better done by Scan, which
	// goes through memory in order.
	scanShare = 3
	// always is the width of searches that are better done by Scan.
	always = math.MaxInt32
)

// Widths are how many candidates searches look at for few and for many results, 10 and 100 of them.
type Widths struct {
	Few, Many int
}

const few, many = 10, 100

// width for k results.
func (w Widths) width(k int) int {
	switch {
	case w.Few == 0:
		return max(widthDefault, 4*k)
	case k <= few:
		return w.Few
	case w.Few == always || w.Many == always:
		return max(w.Few, w.Many)
	}
	return max(k, w.Few+(w.Many-w.Few)*(k-few)/(many-few))
}

// Widths returns what Calibrate found, zeros before. For the writer.
func (g *Graph) Widths() Widths { return g.widths }

// SetWidths gives a graph that was loaded what Widths said. For the writer.
func (g *Graph) SetWidths(w Widths) {
	g.mu.Lock()
	g.widths = w
	g.mu.Unlock()
	g.changes = 0
}

// CalibrateDue says whether much has changed since the last Calibrate. For the writer.
func (g *Graph) CalibrateDue() bool {
	return g.live >= calibrateLeast && g.changes*calibrateShare >= g.live
}

// Calibrate finds the widths of searches. For the writer.
func (g *Graph) Calibrate() {
	g.changes = 0
	var p *partition
	for _, o := range g.parts {
		if p == nil || o.live > p.live || o.live == p.live && o.name < p.name {
			p = o
		}
	}
	ids := g.sample(p)
	if len(ids) == 0 {
		return
	}
	g.SetWidths(g.tryWidths(p, ids))
}

// sample draws live nodes of a partition.
func (g *Graph) sample(p *partition) (ids []uint32) {
	if p == nil || p.live == 0 {
		return nil
	}
	for range 16 * samples * len(g.nodes) / p.live {
		id := uint32(g.rnd.IntN(len(g.nodes)))
		if n := &g.nodes[id]; n.part == p && n.state == stateLive {
			if ids = append(ids, id); len(ids) == samples {
				break
			}
		}
	}
	return ids
}

// tryWidths doubles the width until searches for the sample find enough.
func (g *Graph) tryWidths(p *partition, ids []uint32) Widths {
	s := &g.own
	truth := make([]map[uint32]int, len(ids)) // the place of each true neighbor
	for i, id := range ids {
		truth[i] = g.truth(s, p, id)
	}
	w := Widths{}
	for width := widthLeast; w.Few == 0 || w.Many == 0; width *= 2 {
		met, foundFew, foundMany, wantFew, wantMany := 0, 0, 0, 0, 0
		for i, id := range ids {
			s.query = append(s.query[:0], g.vec(id)...)
			met += g.reach(s, p, id, width)
			wantFew += min(few, len(truth[i]))
			wantMany += len(truth[i])
			slices.SortFunc(s.best, compareNear)
			for place, n := range s.best {
				if at, ok := truth[i][n.id]; ok && place < many {
					foundMany++
					if at < few {
						foundFew++
					}
				}
			}
		}
		if met > len(ids)*p.nodes/scanShare {
			w.Few, w.Many = orAlways(w.Few), orAlways(w.Many)
			break
		}
		if w.Few == 0 && float64(foundFew) >= recallWanted*float64(wantFew) {
			w.Few = width
		}
		if w.Many == 0 && width >= many && float64(foundMany) >= recallWanted*float64(wantMany) {
			w.Many = width
		}
	}
	return w
}

func orAlways(width int) int {
	if width == 0 {
		return always
	}
	return width
}

// truth finds exactly the nearest neighbors of a node, but for itself.
func (g *Graph) truth(s *scratch, p *partition, of uint32) map[uint32]int {
	s.query = append(s.query[:0], g.vec(of)...)
	s.best = s.best[:0]
	for i := range g.nodes {
		id := uint32(i)
		if n := &g.nodes[i]; n.part == p && n.state == stateLive && id != of {
			s.best.offer(near{dist: g.params.Metric.between(s.query, g.vec(id)), id: id}, many)
		}
	}
	slices.SortFunc(s.best, compareNear)
	places := make(map[uint32]int, len(s.best))
	for place, n := range s.best {
		places[n.id] = place
	}
	return places
}

// reach searches as for a query and returns how many nodes it looked at.
func (g *Graph) reach(s *scratch, p *partition, but uint32, width int) (met int) {
	return p.nodes - g.look(s, g.descend(p, s.query, 0), 0, width, p.nodes, func(id uint32) bool {
		return id != but && g.nodes[id].state == stateLive
	})
}
