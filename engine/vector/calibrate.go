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
	// goes through memory in order, and codeShare where Scan has codes.
	scanShare = 3
	codeShare = 24
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
	g.recode()
	var p *partition
	for _, o := range g.parts {
		if p == nil || len(o.members) > len(p.members) || len(o.members) == len(p.members) && o.name < p.name {
			p = o
		}
	}
	if trials := g.trials(p); len(trials) > 0 {
		g.SetWidths(g.tryWidths(p, trials))
	}
}

// trial is a query of which the answer is known.
type trial struct {
	query []float32
	// but is the node that the query is of, which does not count.
	but   uint32
	truth map[uint32]int // the place of each true neighbor
}

// trials are searches for linked vectors of a partition, and for what lies halfway between two of them, as
// queries need not be like the vectors.
func (g *Graph) trials(p *partition) (list []trial) {
	if p == nil || p.linked == 0 {
		return nil
	}
	draw := func() uint32 { return p.members[g.rnd.IntN(p.linked)] }
	for i := range samples {
		t := trial{but: draw()}
		t.query = slices.Clone(g.vec(t.but))
		if i%2 == 1 {
			for j, x := range g.vec(draw()) {
				t.query[j] = (t.query[j] + x) / 2
			}
			t.but = nodesMax
		}
		t.truth = g.truth(p, &t)
		list = append(list, t)
	}
	return list
}

// truth finds exactly the nearest neighbors.
func (g *Graph) truth(p *partition, t *trial) map[uint32]int {
	s := &g.own
	s.query = append(s.query[:0], t.query...)
	g.scan(s, p, many, func(id uint32) bool { return id != t.but && g.isLive(id) })
	slices.SortFunc(s.best, compareNear)
	places := make(map[uint32]int, len(s.best))
	for place, n := range s.best {
		places[n.id] = place
	}
	return places
}

// tryWidths doubles the width until the trials find enough.
func (g *Graph) tryWidths(p *partition, trials []trial) (w Widths) {
	for width := widthLeast; w.Few == 0 || w.Many == 0; width *= 2 {
		met, foundFew, foundMany, wantFew, wantMany := 0, 0, 0, 0, 0
		for i := range trials {
			t := &trials[i]
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
		if met > len(trials)*p.nodes/g.scanShare() {
			return Widths{Few: orAlways(w.Few), Many: orAlways(w.Many)}
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

// reach searches as for a query and returns how many nodes it looked at. What it found is in order in
// g.own.best.
func (g *Graph) reach(p *partition, t *trial, width int) (met int) {
	s := &g.own
	s.query = append(s.query[:0], t.query...)
	met = p.nodes - g.look(s, g.descend(p, s.query, 0), 0, width, p.nodes, func(id uint32) bool {
		return id != t.but && g.isLive(id)
	})
	slices.SortFunc(s.best, compareNear)
	return met
}

// scanShare is how many vectors Scan looks at in the time in which a search follows one link.
func (g *Graph) scanShare() int {
	if g.codes == nil {
		return scanShare
	}
	return codeShare
}

func orAlways(width int) int {
	if width == 0 {
		return always
	}
	return width
}
