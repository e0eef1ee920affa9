package expr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
)

// Path is a document path with all names resolved. The first step is always a name.
type Path []Step

// Step is one element of a Path: the name of an attribute or map key, or a list index.
type Step struct {
	Name    string
	Index   int
	IsIndex bool
}

// TopLevel returns the name of the attribute that the path begins with.
func (p Path) TopLevel() string { return p[0].Name }

// Nested tells whether the path goes below its attribute.
func (p Path) Nested() bool { return len(p) > 1 }

// String prints the path as the service does in its messages: [a, b, [0]].
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		if s.IsIndex {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.Index))
			b.WriteByte(']')
			continue
		}
		b.WriteString(s.Name)
	}
	b.WriteByte(']')
	return b.String()
}

// Get returns the value at the path, nil when the path does not resolve in the item. The value
// aliases the item, but for an element of a VecF32.
func (p Path) Get(item attr.Item) attr.Value {
	v := item.Get(p[0].Name)
	for _, s := range p[1:] {
		if v = s.get(v); v == nil {
			return nil
		}
	}
	return v
}

// get returns the part of v that the step names.
func (s *Step) get(v attr.Value) attr.Value {
	if s.IsIndex {
		return element(v, s.Index)
	}
	return v.MapItem().Get(s.Name)
}

// compare orders steps: names by bytes before indexes by number.
func (s Step) compare(t Step) int {
	switch {
	case s.IsIndex && t.IsIndex:
		return s.Index - t.Index
	case s.IsIndex:
		return 1
	case t.IsIndex:
		return -1
	default:
		return strings.Compare(s.Name, t.Name)
	}
}

// comparePaths orders paths step by step; a prefix comes before what it is a prefix of.
func comparePaths(p, q Path) int { return slices.CompareFunc(p, q, Step.compare) }

// relation tells how two paths get in each other's way.
type relation uint8

const (
	apart    relation = iota
	overlaps          // equal, or one is a prefix of the other
	conflict          // the same prefix is used as a map by one and as a list by the other
)

func relate(p, q Path) relation {
	for i := range min(len(p), len(q)) {
		if p[i] == q[i] {
			continue
		}
		if p[i].IsIndex != q[i].IsIndex {
			return conflict
		}
		return apart
	}
	return overlaps
}

// checkPaths reports the first pair of paths, in the order of the text, that overlaps, and if
// there is none the first that conflicts.
func checkPaths(kind Kind, paths []Path, pos func(int) int) *Error {
	for _, c := range [...]struct {
		bad    relation
		format string
	}{{overlaps, msgOverlap}, {conflict, msgConflict}} {
		for i, q := range paths {
			for _, p := range paths[:i] {
				if relate(p, q) == c.bad {
					return errAt(kind, pos(i), c.format, p, q)
				}
			}
		}
	}
	return nil
}

// pathArena makes Paths whose steps share one allocation.
type pathArena struct{ steps []Step }

// newPathArena reserves the steps of all paths.
func newPathArena(paths int, at func(int) *DocPath) pathArena {
	n := 0
	for i := range paths {
		n += len(at(i).Elems)
	}
	return pathArena{make([]Step, 0, n)}
}

// path resolves one path. When the steps outgrow the arena they move on; earlier paths keep the
// memory that they have.
func (a *pathArena) path(p *DocPath, names []string) Path {
	from := len(a.steps)
	for i := range p.Elems {
		e := &p.Elems[i]
		if e.Kind == ElemIndex {
			a.steps = append(a.steps, Step{Index: e.Index, IsIndex: true})
			continue
		}
		a.steps = append(a.steps, Step{Name: elemName(e, names)})
	}
	return Path(a.steps[from:len(a.steps):len(a.steps)])
}

// elemName returns the attribute name of a path element that is not an index.
func elemName(e *PathElem, names []string) string {
	if e.Kind == ElemPlaceholder {
		return names[e.slot]
	}
	return e.Name
}

// resolvePath resolves a path into memory of its own.
func resolvePath(p *DocPath, names []string) Path {
	a := pathArena{make([]Step, 0, len(p.Elems))}
	return a.path(p, names)
}
