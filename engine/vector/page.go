package vector

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// PageNodes is the number of nodes of a page. Stored: never change it. A node has a few dozen links, which
// change with its neighbors, so that pages should be small.
const PageNodes = 16

// PageKind is what a page holds. Stored: never renumber.
type PageKind uint8

const (
	vectorPages PageKind = 0
	linkPages   PageKind = 1
	pageKinds            = 2
)

// PageID names a page.
type PageID struct {
	Kind   PageKind
	Number uint32
}

func (g *Graph) mark(k PageKind, id uint32) { g.dirty[k][id/PageNodes] = struct{}{} }

// Changed returns the pages that have changed since the last Clean, in order. For the writer.
func (g *Graph) Changed() []PageID {
	var ids []PageID
	for k := range g.dirty {
		first := len(ids)
		for n := range g.dirty[k] {
			ids = append(ids, PageID{Kind: PageKind(k), Number: n})
		}
		slices.SortFunc(ids[first:], func(a, b PageID) int { return int(int64(a.Number) - int64(b.Number)) })
	}
	return ids
}

// ChangedBytes is about how many bytes the pages of Changed take. For the writer.
func (g *Graph) ChangedBytes() int {
	return len(g.dirty[vectorPages])*PageNodes*(4*g.params.Dims+64) + len(g.dirty[linkPages])*PageNodes*4*g.stride
}

// Clean says that all pages of Changed are stored. For the writer.
func (g *Graph) Clean() {
	for k := range g.dirty {
		clear(g.dirty[k])
	}
}

// AppendPage appends the content of a page. For the writer.
func (g *Graph) AppendPage(dst []byte, page PageID) []byte {
	first := page.Number * PageNodes
	for id := first; id < first+PageNodes && int(id) < len(g.nodes); id++ {
		n := &g.nodes[id]
		if n.state == stateFree {
			dst = append(dst, byte(stateFree))
			continue
		}
		if page.Kind == linkPages {
			dst = append(dst, byte(n.state), n.level)
			for level := 0; level <= int(n.level); level++ {
				list := g.neighbors(id, level)
				dst = binary.AppendUvarint(dst, uint64(len(list)))
				for _, o := range list {
					dst = binary.LittleEndian.AppendUint32(dst, o)
				}
			}
			continue
		}
		key, s := n.key, stateLive
		if n.state == stateDead {
			key, s = n.part.name, stateDead // it has none, and belongs to its partition still
		}
		dst = append(dst, byte(s), 0)
		dst = appendBytes(appendBytes(dst, key), string(n.note))
		for _, x := range g.vec(id) {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
		}
	}
	return dst
}

func appendBytes(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Loader brings back a graph from its pages.
type Loader struct {
	g *Graph
	// part gives the partition of a key.
	part   func(key string) string
	states [pageKinds][]state
}

// NewLoader begins to load a graph of so many nodes, all of which are free until their pages come.
func NewLoader(p Params, nodes int, part func(key string) string) (*Loader, error) {
	if nodes < 0 || nodes > nodesMax {
		return nil, fmt.Errorf("%w: %d nodes", ErrCorrupt, nodes)
	}
	l := &Loader{g: New(p), part: part}
	l.g.grow(nodes)
	for k := range l.states {
		l.states[k] = make([]state, nodes)
	}
	return l, nil
}

// Page takes in a page. Pages may come in any order; those beyond the number of nodes are left out.
func (l *Loader) Page(page PageID, content []byte) error {
	r := pageReader{rest: content}
	first := uint64(page.Number) * PageNodes
	for id := first; id < first+PageNodes && id < uint64(len(l.g.nodes)); id++ {
		s := state(r.byte())
		if s > stateLoose || r.failed {
			return fmt.Errorf("%w: %d of kind %d", ErrCorrupt, page.Number, page.Kind)
		}
		l.states[page.Kind][id] = s
		if s == stateFree {
			continue
		}
		level := r.byte() // in a page of links; other ones had it, too
		if page.Kind == linkPages {
			l.links(&r, uint32(id), int(level))
		} else {
			l.vector(&r, uint32(id), s)
		}
		if r.failed {
			return fmt.Errorf("%w: %d of kind %d", ErrCorrupt, page.Number, page.Kind)
		}
	}
	if len(r.rest) > 0 && first+PageNodes <= uint64(len(l.g.nodes)) {
		return fmt.Errorf("%w: %d of kind %d", ErrCorrupt, page.Number, page.Kind)
	}
	return nil
}

func (l *Loader) vector(r *pageReader, id uint32, s state) {
	g := l.g
	key, note := r.bytes(), r.bytes()
	floats := r.take(4 * g.params.Dims)
	if r.failed {
		return
	}
	n := &g.nodes[id]
	n.state = s
	if s != stateDead {
		n.key = string(key)
		n.note = append([]byte(nil), note...)
		n.part = g.partOf(l.part(n.key))
	} else {
		n.part = g.partOf(string(key))
	}
	v := g.vec(id)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(floats[4*i:]))
	}
}

func (l *Loader) links(r *pageReader, id uint32, level int) {
	g := l.g
	if level > levelMax {
		r.failed = true
		return
	}
	upper := make([][]uint32, level)
	for at := 0; at <= level; at++ {
		count := r.uvarint()
		if count > uint64(g.most(at)) {
			r.failed = true
			return
		}
		list := r.take(4 * int(count))
		if r.failed {
			return
		}
		to := make([]uint32, 0, count)
		if at == 0 {
			room := g.room(id)
			room[0] = uint32(count)
			to = room[1:1]
		}
		for i := range int(count) {
			to = append(to, binary.LittleEndian.Uint32(list[4*i:]))
		}
		if at > 0 {
			upper[at-1] = to
		}
	}
	g.nodes[id].level, g.nodes[id].upper = uint8(level), upper
}

// Graph is what was loaded, once all its pages have come.
func (l *Loader) Graph() (*Graph, error) {
	g := l.g
	all := map[*partition]bool{}
	for i := range g.nodes {
		id, n := uint32(i), &g.nodes[i]
		s := l.states[vectorPages][i]
		if s == stateFree {
			if l.states[linkPages][i] != stateFree {
				return nil, fmt.Errorf("%w: node %d has links and no vector", ErrCorrupt, id)
			}
			g.free = append(g.free, id)
			continue
		}
		if err := l.check(id); err != nil {
			return nil, err
		}
		all[n.part] = true
		loose := l.states[linkPages][i] == stateLoose
		if s == stateDead {
			n.part.nodes++
			g.dead++
			continue
		}
		if _, twice := g.byKey[n.key]; twice {
			return nil, fmt.Errorf("%w: node %d has the key of another one", ErrCorrupt, id)
		}
		g.byKey[n.key] = id
		g.texts += len(n.key) + len(n.note)
		n.part.join(g.nodes, id)
		if !loose {
			n.part.link(g.nodes, id)
			g.linked++
		}
		g.live++
		if g.params.Metric.odd(g.vec(id)) {
			g.odd++
		}
	}
	slices.Reverse(g.free)
	g.enter(all)
	g.recode()
	g.awaitAll()
	return g, nil
}

// check says whether the links of a node fit.
func (l *Loader) check(id uint32) error {
	g := l.g
	n := &g.nodes[id]
	state := l.states[linkPages]
	switch loose := state[id] == stateLoose; {
	case state[id] == stateFree, n.state == stateLoose, loose && n.state != stateLive:
		return fmt.Errorf("%w: node %d has a vector and other links", ErrCorrupt, id)
	case loose && (n.level > 0 || len(g.neighbors(id, 0)) > 0):
		return fmt.Errorf("%w: node %d has no links, and some", ErrCorrupt, id)
	}
	for level := 0; level <= int(n.level); level++ {
		for _, o := range g.neighbors(id, level) {
			if int(o) >= len(g.nodes) || state[o] == stateLoose || o == id || g.nodes[o].part != n.part || int(g.nodes[o].level) < level {
				return fmt.Errorf("%w: node %d is linked to %d", ErrCorrupt, id, o)
			}
		}
	}
	return nil
}

// pageReader reads the parts of a page.
type pageReader struct {
	rest   []byte
	failed bool
}

func (r *pageReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	p := r.rest[:n:n]
	r.rest = r.rest[n:]
	return p
}

func (r *pageReader) byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *pageReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *pageReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	return r.take(int(n))
}
