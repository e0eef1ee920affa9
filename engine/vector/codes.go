package vector

import (
	"math"
	"slices"
)

// A code is a vector in a quarter of its bytes: how far it is from the center of all, in steps of its own,
// each component a whole number from -codeMost to codeMost. What is lost is measured, so that the distance
// of a code gives bounds between which that of its vector lies. Scan looks at all codes and compares only
// those vectors whose bounds leave it open whether they are among the nearest: it is exact, and several
// times as quick as it would be without.
//
// Codes are made of what a graph has in memory and are not stored.
const (
	// codeBlock is how many components the kernels take at a time; codes are padded with zeros.
	codeBlock = 32
	codeMost  = math.MaxInt8
	// roundShare bounds what is lost to 32-bit arithmetic, as a share of the magnitudes that are added.
	roundShare = 1e-6
)

// codeNote is what a scan knows of a code beside its components.
type codeNote struct {
	// step is the distance between neighboring numbers.
	step float32
	// base is the square of the distance from the center where that is part of a distance, else zero.
	base float32
	// length is that of the code as a vector, missed that of what the code lacks.
	length, missed float32
}

// codes of all nodes of a graph, by blocks as its vectors.
type codes struct {
	center  []float32
	stride  int
	numbers [][]int8
	notes   [][]codeNote
}

func newCodes(dims int) *codes {
	return &codes{center: make([]float32, dims), stride: (dims + codeBlock - 1) / codeBlock * codeBlock}
}

// grow makes room for so many blocks of nodes.
func (c *codes) grow(blocks int) {
	for len(c.numbers) < blocks {
		c.numbers = append(c.numbers, make([]int8, blockNodes*c.stride))
		c.notes = append(c.notes, make([]codeNote, blockNodes))
	}
}

func (c *codes) code(id uint32) []int8 {
	at := int(id%blockNodes) * c.stride
	return c.numbers[id/blockNodes][at : at+c.stride : at+c.stride]
}

// fetch has the code of a node brought from memory.
func (c *codes) fetch(id uint32) {
	fetch(&c.numbers[id/blockNodes][int(id%blockNodes)*c.stride])
}

// codeBytes is what the code of a vector of so many dimensions takes in memory.
func codeBytes(dims int) int {
	const note = 16
	return (dims+codeBlock-1)/codeBlock*codeBlock + note
}

// set makes the code of a node.
func (c *codes) set(id uint32, m Metric, v []float32) {
	// The low byte of a float that is added to so much is the nearest whole number.
	const rounder = 3 << 22
	code, note := c.code(id), codeNote{}
	var most float32
	for i, x := range v {
		most = max(most, abs(x-c.center[i]))
	}
	if note.step = most / codeMost; note.step > 0 && most <= math.MaxFloat32 {
		per := codeMost / most
		for i, x := range v {
			code[i] = int8(math.Float32bits((x-c.center[i])*per + rounder))
		}
	} else {
		note.step = 0
		clear(code)
	}
	var all, missed, length float32
	for i, x := range v {
		d := x - c.center[i]
		coded := note.step * float32(code[i])
		all, length, missed = all+d*d, length+coded*coded, missed+(d-coded)*(d-coded)
	}
	note.length, note.missed = sqrt(length), sqrt(missed)
	if m == Euclidean {
		note.base = all
	}
	c.notes[id/blockNodes][id%blockNodes] = note
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// codeQuery is a query as codes are compared with it.
type codeQuery struct {
	numbers []int16
	// factor turns the inner product with a code, times its step, into its share of the distance.
	factor float32
	// length is that of the query, missed that of what its numbers lack; both times the weight that inner
	// products have in a distance.
	length, missed float32
}

// query prepares a query, in place.
func (c *codes) query(q *codeQuery, m Metric, v []float32) {
	weight := float32(1)
	q.numbers = slices.Grow(q.numbers[:0], c.stride)[:c.stride]
	clear(q.numbers)
	from := func(i int) float32 { return v[i] }
	if m == Euclidean {
		weight = 2
		from = func(i int) float32 { return v[i] - c.center[i] }
	}
	var most float32
	for i := range v {
		most = max(most, abs(from(i)))
	}
	// Inner products stay within 32 bits.
	top := float32(min(math.MaxInt16, math.MaxInt32/(codeMost*c.stride)))
	step := most / top
	if !(step > 0) || most > math.MaxFloat32 {
		step = 0
	}
	var all, missed float64
	for i := range v {
		x := from(i)
		var n float32
		if step > 0 {
			n = float32(math.RoundToEven(float64(x / step)))
			q.numbers[i] = int16(n)
		}
		lost := float64(x) - float64(step)*float64(n)
		all, missed = all+float64(x)*float64(x), missed+lost*lost
	}
	q.factor = -weight * step
	q.length, q.missed = weight*float32(math.Sqrt(all)), weight*float32(math.Sqrt(missed))
}

// bounds are those between which the distance of a node from a query is, but for what is the same for all.
func (c *codes) bounds(q *codeQuery, id uint32) (low, high float32) {
	n := &c.notes[id/blockNodes][id%blockNodes]
	about := n.base + q.factor*n.step*float32(dotCodes(q.numbers, c.code(id)))
	open := q.length*n.missed + q.missed*n.length + roundShare*(n.base+q.length*n.length)
	return about - open, about + open
}

// dotCodesPlain is dotCodes where there is no assembly for it.
func dotCodesPlain(q []int16, c []int8) (sum int32) {
	c = c[:len(q)]
	for i, x := range q {
		sum += int32(x) * int32(c[i])
	}
	return sum
}

// tidyLeast and tidyShare: codes are made anew when so many vectors have changed, and one in so many.
const (
	tidyLeast = 1024
	tidyShare = 2
)

// Tidy keeps scans quick while vectors come and go. For the writer.
func (g *Graph) Tidy() {
	if g.stale >= tidyLeast && g.stale*tidyShare >= g.live {
		g.recode()
	}
}

// sortMembers puts members in the order in which they lie in memory.
func (g *Graph) sortMembers() {
	for _, p := range g.parts {
		sorted := slices.Clone(p.members)
		slices.Sort(sorted[:p.linked])
		slices.Sort(sorted[p.linked:])
		g.mu.Lock()
		p.members = sorted
		g.mu.Unlock()
		for at, id := range sorted {
			g.nodes[id].place = uint32(at)
		}
	}
}

// recode makes the codes of all nodes anew, around their center of now. For the writer.
func (g *Graph) recode() {
	g.stale = 0
	g.sortMembers()
	if g.codes == nil {
		return
	}
	next := newCodes(g.params.Dims)
	next.grow(len(g.floats))
	sums := make([]float64, g.params.Dims)
	for id := range g.nodes {
		if g.nodes[id].lives() {
			for i, x := range g.vec(uint32(id)) {
				sums[i] += float64(x)
			}
		}
	}
	for i, sum := range sums {
		next.center[i] = float32(sum / float64(max(1, g.live)))
	}
	for id := range g.nodes {
		if g.nodes[id].lives() {
			next.set(uint32(id), g.params.Metric, g.vec(uint32(id)))
		}
	}
	g.mu.Lock()
	g.codes = next
	g.mu.Unlock()
}
