package expr

import "github.com/keystone-db/kstone/engine/attr"

// Equality returns the value to which the condition holds an attribute: by name = value, joined to all
// else by AND. uses is the number of conditions that use the attribute in whatever way; value is nil
// unless it is one, of that form. only reports that the condition is nothing else.
func (c *Condition) Equality(name string) (value attr.Value, uses int, only bool) {
	e := equality{c: c, name: name}
	e.cond(c.tree.Root, true)
	if e.uses != 1 {
		e.value = nil
	}
	_, only = c.tree.Root.(*Compare)
	return e.value, e.uses, only && e.value != nil
}

// equality looks for the uses of an attribute.
type equality struct {
	c     *Condition
	name  string
	uses  int
	value attr.Value
}

// cond visits a part of the condition; joined says that the whole holds only if the part does.
func (e *equality) cond(c Cond, joined bool) {
	switch n := c.(type) {
	case *And:
		for _, t := range n.Terms {
			e.cond(t, joined)
		}
	case *Or:
		for _, t := range n.Terms {
			e.cond(t, false)
		}
	case *Not:
		e.cond(n.Term, false)
	default:
		e.leaf(c, joined)
	}
}

func (e *equality) leaf(c Cond, joined bool) {
	used := false
	visitPaths(c, func(p *DocPath) { used = used || e.is(p) })
	if !used {
		return
	}
	e.uses++
	n, ok := c.(*Compare)
	if !ok || !joined || n.Op != OpEq {
		return
	}
	path, other := n.Left, n.Right
	if _, ok := path.(*DocPath); !ok {
		path, other = other, path
	}
	if p, ok := path.(*DocPath); ok && e.is(p) && len(p.Elems) == 1 {
		e.value = e.c.constant(other)
	}
}

// is says whether a path is the attribute or leads into it.
func (e *equality) is(p *DocPath) bool { return elemName(&p.Elems[0], e.c.names) == e.name }
