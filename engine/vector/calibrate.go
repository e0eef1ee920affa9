package vector

import (
	"math"
	"slices"
	"strings"
)

// How many candidates a search needs depends on the vectors: where they have little structure, it may be
// ten times as many. A graph finds out by searching for some of its own vectors and looking at how many of
// their true neighbors it finds.
const (
	// calibrateLeast is how many linked vectors a graph has before it is worth the while.
	calibrateLeast = 1000
	// leastByShare times scanShare is how many vectors there are at least before links are of use: with the
	// least width, a search looks at about so many of them.
	leastByShare = 700
	// calibrateShare is the share of the links that have changed when it is done again.
	calibrateShare = 3
	samples        = 24
	// recallWanted leaves room: that of other queries is a little less or more.
	recallWanted = 0.98
	widthLeast   = 64
	// widthDefault holds until a graph is calibrated.
	widthDefault = 320
	// scanShare: a search that looks at more than this part of a partition is better done by Scan, which
	// goes through memory in order, and codeShare where Scan has codes.
	scanShare = 3
	codeShare = 24
	// always is the width of searches that are better done by Scan.
	always = math.MaxInt32
)

// Widths are how many candidates searches look at for few and for many results, 10 and 100 of them.
type Widths struct {
	Few, Many int
	// Far is a distance: where the few-th of what a search found is farther, the query is not like the vectors
	// that the widths are good for, and a scan is made. Zero stands for no such distance. For inner products,
	// it is that of a query of length 1.
	Far float32
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
	least := 0
	if p := g.largest(); p != nil {
		least = 2 * len(p.members)
	}
	g.setWidths(w, least)
}

// setWidths also says how many vectors there must be before links are tried again, if they are of no use.
func (g *Graph) setWidths(w Widths, least int) {
	g.mu.Lock()
	g.widths = w
	g.mu.Unlock()
	g.changes, g.resume = 0, 0
	if w.Few == always && w.Many == always {
		g.resume = least
	}
	g.awaitAll()
}

// awaitAll has partitions wait for links as if their members had come now.
func (g *Graph) awaitAll() {
	for _, p := range g.parts {
		p.waits = false
	}
	g.waiting = g.waiting[:0]
	for _, p := range g.parts {
		g.await(p)
	}
	slices.SortFunc(g.waiting, func(a, b *partition) int { return strings.Compare(a.name, b.name) })
}

// largest is the partition with the most members; nil if there is none.
func (g *Graph) largest() (p *partition) {
	for _, o := range g.parts {
		if p == nil || len(o.members) > len(p.members) || len(o.members) == len(p.members) && o.name < p.name {
			p = o
		}
	}
	return p
}

// CalibrateDue says whether much has changed since the last Calibrate. For the writer.
func (g *Graph) CalibrateDue() bool {
	return g.linked >= max(calibrateLeast, g.params.Least) && g.changes*calibrateShare >= g.linked
}

// Calibrate finds the widths of searches. For the writer.
func (g *Graph) Calibrate() {
	g.changes = 0
	g.recode()
	p := g.largest()
	if trials := g.trials(p); len(trials) > 0 {
		w, met := g.tryWidths(p, trials)
		g.setWidths(w, max(met*g.scanShare(), len(p.members)*5/4))
	}
}

// trial is a search for one of the vectors, of which the answer is known.
type trial struct {
	id    uint32
	truth map[uint32]int // the place of each true neighbor
	far   float32        // the distance of the few-th
}

// trials are searches for linked vectors of a partition.
func (g *Graph) trials(p *partition) (list []trial) {
	if p == nil || p.linked == 0 {
		return nil
	}
	s := &g.own
	for range samples {
		t := trial{id: p.members[g.rnd.IntN(p.linked)], truth: map[uint32]int{}}
		s.query = append(s.query[:0], g.vec(t.id)...)
		g.scan(s, p, many, func(id uint32) bool { return id != t.id && g.isLive(id) })
		slices.SortFunc(s.best, compareNear)
		for place, n := range s.best {
			t.truth[n.id] = place
			if place < few {
				t.far = g.standard(s.query, n.dist)
			}
		}
		list = append(list, t)
	}
	return list
}

// standard is a distance from a query as it is compared with Widths.Far.
func (g *Graph) standard(q []float32, dist float32) float32 {
	if length := sqrt(dot(q, q)); g.params.Metric == Dot && length > 0 {
		return dist / length
	}
	return dist
}

// isFar says of the distance of what a search found as the few-th, or last, whether it is beyond Widths.Far.
func (g *Graph) isFar(q []float32, dist float32) bool {
	return g.widths.Far != 0 && g.standard(q, dist) > g.widths.Far
}

// tryWidths doubles the width until the trials find enough, and returns how many nodes searches of the last
// width look at. A width with which a scan of all members is quicker is not used.
func (g *Graph) tryWidths(p *partition, trials []trial) (w Widths, met int) {
	w.Far = trials[0].far
	for width := widthLeast; w.Few == 0 || w.Many == 0; width *= 2 {
		foundFew, foundMany, wantFew, wantMany := 0, 0, 0, 0
		met = 0
		for i := range trials {
			t := &trials[i]
			w.Far = max(w.Far, t.far)
			met += g.reach(p, t, width)
			wantFew += min(few, len(t.truth))
			wantMany += len(t.truth)
			for place, n := range g.own.best {
				if at, ok := t.truth[n.id]; ok && place < many {
					foundMany++
					if at < few {
						foundFew++
					}
				}
			}
		}
		met /= len(trials)
		apart := width > p.nodes // and still something was not found
		scan, hopeless := apart || met*g.scanShare() > len(p.members), apart || met > p.nodes/2
		if w.Few == 0 && (hopeless || float64(foundFew) >= recallWanted*float64(wantFew)) {
			w.Few = orAlways(width, scan)
		}
		if w.Many == 0 && (hopeless || scan && w.Few != 0 || width >= many && float64(foundMany) >= recallWanted*float64(wantMany)) {
			w.Many = orAlways(width, scan)
		}
	}
	w.Many = max(w.Few, w.Many)
	if !(abs(w.Far) <= math.MaxFloat32) {
		w.Far = 0 // no number that could be compared and stored
	}
	return w, met
}

// reach does a trial and returns how many nodes it looked at. What it found is in order in
// g.own.best.
func (g *Graph) reach(p *partition, t *trial, width int) (met int) {
	s := &g.own
	s.query = append(s.query[:0], g.vec(t.id)...)
	met = p.nodes - g.look(s, g.descend(p, s.query, 0), 0, width, p.nodes, func(id uint32) bool {
		return id != t.id && g.isLive(id)
	})
	slices.SortFunc(s.best, compareNear)
	return met
}

// scanShare is how many vectors Scan looks at in the time in which a search follows one link.
func (g *Graph) scanShare() int {
	if g.codes == nil || g.eager {
		return scanShare
	}
	return codeShare
}

func orAlways(width int, scan bool) int {
	if scan {
		return always
	}
	return width
}
