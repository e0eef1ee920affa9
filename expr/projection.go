package expr

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
)

// Projection is a list of document paths bound to the names of one request. It is immutable.
type Projection struct {
	text   []Path // in the order of the text
	sorted []Path // as comparePaths orders, which is the order of the output
	// names are those of what the paths of text reach, nil for items that keep their form.
	names []string
}

// Flat returns a projection that gives what each path reaches as an attribute of its own, which has the
// last name of the path with the indexes behind it: b[0] for a.b[0]. Of paths that end alike the last
// one that resolves stays.
func (p *Projection) Flat() *Projection {
	f := &Projection{text: p.text, sorted: p.sorted, names: make([]string, len(p.text))}
	for i, path := range p.text {
		last := len(path) - 1
		for path[last].IsIndex {
			last--
		}
		var name strings.Builder
		name.WriteString(path[last].Name)
		for _, s := range path[last+1:] {
			name.WriteString("[" + strconv.Itoa(s.Index) + "]")
		}
		f.names[i] = name.String()
	}
	return f
}

// Bind gives the tree's placeholders their meaning and refuses paths that overlap. The error is
// an *Error.
func (t *ProjectionTree) Bind(b *Binder) (*Projection, error) {
	var d binding
	d.bind(&t.refs, b)
	for _, p := range t.Paths {
		if err := d.undefinedName(KindProjection, p); err != nil {
			return nil, err
		}
	}
	arena := newPathArena(len(t.Paths), func(i int) *DocPath { return t.Paths[i] })
	paths := make([]Path, 0, 2*len(t.Paths))
	for _, p := range t.Paths {
		paths = append(paths, arena.path(p, d.names))
	}
	pos := func(i int) int { return t.Paths[i].Pos() }
	if err := checkPaths(KindProjection, paths, pos); err != nil {
		return nil, err
	}
	return newProjection(paths), nil
}

// NewProjection makes a projection of resolved paths, for callers without a text. No path may be
// a prefix of another. It keeps the paths.
func NewProjection(paths []Path) *Projection { return newProjection(slices.Clip(paths)) }

// newProjection sorts the paths, within their slice's spare capacity when there is enough.
func newProjection(paths []Path) *Projection {
	sorted := append(paths, paths...)[len(paths):]
	slices.SortFunc(sorted, comparePaths)
	return &Projection{text: paths, sorted: sorted}
}

// Paths returns the document paths in the order of the text. They belong to the projection.
func (p *Projection) Paths() []Path { return p.text }

// TopLevel returns the names of the top-level attributes that are asked for, sorted, each once.
// The caller owns the slice.
func (p *Projection) TopLevel() []string {
	var names []string
	for _, path := range p.sorted {
		if n := path.TopLevel(); len(names) == 0 || names[len(names)-1] != n {
			names = append(names, n)
		}
	}
	return names
}

// Apply appends to dst the part of the item that the paths reach and returns the extended slice;
// with an empty dst that is the projected item. Containers on the way are rebuilt with only what
// was asked, lists are compacted; a path that does not resolve leaves no trace, and when none
// does the result is the empty item, not an absent one.
func (p *Projection) Apply(dst []byte, item attr.Item) attr.Item {
	if dst == nil {
		dst = make([]byte, 0, min(len(item), projectionGuessBytes))
	}
	if p.names != nil {
		return p.flatten(dst, item)
	}
	return projectMap(dst, item.Read(), p.sorted, 0)
}

func (p *Projection) flatten(dst []byte, item attr.Item) attr.Item {
	var e attr.Encoder
	e.Reset(dst)
	e.BeginItem()
	for i, path := range p.text {
		if v := path.Get(item); v != nil {
			e.Name([]byte(p.names[i]))
			e.Value(v)
		}
	}
	e.EndItem()
	return e.Bytes()
}

// projectionGuessBytes is the capacity that Apply starts with when it is given no buffer.
const projectionGuessBytes = 512

// group returns how many of the sorted paths share the first one's step at depth.
func group(paths []Path, depth int) int {
	n := 1
	for n < len(paths) && paths[n][depth] == paths[0][depth] {
		n++
	}
	return n
}

// before returns how many of the sorted paths, of which the first is one, have a step before name at
// depth. It looks in growing strides: mostly they are few, but AttributesToGet may name any number of
// attributes that the item lacks.
func before(paths []Path, depth int, name []byte) int {
	low, stride := 0, 1
	for low+stride < len(paths) && paths[low+stride][depth].Name < string(name) {
		low += stride
		stride *= 2
	}
	rest := paths[low+1 : min(low+stride, len(paths))]
	n, _ := slices.BinarySearchFunc(rest, name, func(p Path, name []byte) int {
		return strings.Compare(p[depth].Name, string(name))
	})
	return low + 1 + n
}

// projectMap appends the entries that the paths reach, by merging two sorted lists.
func projectMap(dst []byte, r attr.Reader, paths []Path, depth int) []byte {
	name, v, ok := r.Next()
	for ok && len(paths) > 0 {
		switch want := paths[0][depth].Name; {
		case string(name) < want:
			name, v, ok = r.Next()
		case string(name) > want:
			paths = paths[before(paths, depth, name):]
		default:
			n := group(paths, depth)
			start := len(dst)
			dst = appendName(dst, name)
			var found bool
			if dst, found = projectValue(dst, v, paths[:n], depth+1); !found {
				dst = dst[:start]
			}
			paths = paths[n:]
			name, v, ok = r.Next()
		}
	}
	return dst
}

// projectValue appends what the paths reach in v, and tells whether that is anything. A single
// path that ends here asks for all of v.
func projectValue(dst []byte, v attr.Value, paths []Path, depth int) ([]byte, bool) {
	if len(paths[0]) == depth {
		return append(dst, v...), true
	}
	isList := paths[0][depth].IsIndex
	t := wireType(v)
	if isList && t != attr.L || !isList && t != attr.M {
		return dst, false
	}
	at := len(dst)
	dst = append(dst, 0)
	start := len(dst)
	if isList {
		dst = projectList(dst, v, paths, depth)
	} else {
		dst = projectMap(dst, attr.MapReader(v), paths, depth)
	}
	if len(dst) == start {
		return dst[:at], false
	}
	return closeHead(dst, at, t), true
}

// projectList appends the elements that the paths reach, in the order of their indexes.
func projectList(dst []byte, v attr.Value, paths []Path, depth int) []byte {
	for r := newElements(v); len(paths) > 0 && r.next(); {
		if r.index != paths[0][depth].Index {
			continue
		}
		n := group(paths, depth)
		dst, _ = projectValue(dst, r.value, paths[:n], depth+1)
		paths = paths[n:]
	}
	return dst
}

// elements walks an L, or a VecF32 as if it were one.
type elements struct {
	index int
	value attr.Value
	list  attr.Elems
	vec   []byte
}

func newElements(v attr.Value) elements {
	r := elements{index: -1, list: attr.ListReader(v)}
	if v.Type() == attr.VecF32 {
		r.vec = v.Payload()
	}
	return r
}

// next moves to the next element. An element of a VecF32 has memory of its own, so that the reader
// of an L can stay on the stack.
func (r *elements) next() bool {
	r.index++
	if len(r.vec) >= 4 {
		r.value, r.vec = appendFloat32(nil, r.vec), r.vec[4:]
		return true
	}
	if !r.list.Next() {
		return false
	}
	r.value = r.list.Value()
	return true
}

// closeHead turns the placeholder byte at dst[at] into the head of a container of type t whose
// payload is all that follows; a payload too long for a one-byte head is moved.
func closeHead(dst []byte, at int, t attr.Type) []byte {
	var buf [1 + binary.MaxVarintLen64]byte
	n := len(dst) - at - 1
	head := attr.AppendHead(buf[:0], t, n)
	dst = append(dst, head[1:]...) // makes room; the bytes are overwritten below
	copy(dst[at+len(head):], dst[at+1:at+1+n])
	copy(dst[at:], head)
	return dst
}
