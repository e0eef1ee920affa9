package expr

// ConditionTree is a parsed condition, filter or key condition. It is immutable.
type ConditionTree struct {
	Root Cond
	refs refs
	// legacy marks comparisons of attributes: ConditionOf.
	legacy bool
}

// ProjectionTree is a parsed projection. It is immutable.
type ProjectionTree struct {
	Paths []*DocPath
	refs  refs
}

// UpdateTree is a parsed update, the actions in the order of the text. It is immutable.
type UpdateTree struct {
	Clauses []*Clause
	refs    refs
	// plan is the order of application; nil when it depends on name placeholders.
	plan *updatePlan
	// legacy marks actions on attributes: UpdateOf.
	legacy bool
}

// NewConditionTree takes ownership of a tree built without text and makes it ready to be bound.
func NewConditionTree(root Cond) *ConditionTree {
	t := &ConditionTree{Root: root}
	t.refs.cond(root)
	return t
}

// NewProjectionTree takes ownership of the paths and makes a tree ready to be bound.
func NewProjectionTree(paths []*DocPath) *ProjectionTree {
	t := &ProjectionTree{Paths: paths}
	for _, p := range paths {
		t.refs.path(p)
	}
	return t
}

// NewUpdateTree takes ownership of the clauses and makes a tree ready to be bound.
func NewUpdateTree(clauses []*Clause) *UpdateTree {
	t := &UpdateTree{Clauses: clauses}
	for _, c := range clauses {
		t.refs.path(c.Path)
		t.refs.operand(c.Value)
	}
	if len(t.refs.names) == 0 {
		t.plan = newUpdatePlan(clauses, nil)
	}
	return t
}

// String prints the condition as text.
func (t *ConditionTree) String() string { return t.Root.String() }

// String prints the projection as text.
func (t *ProjectionTree) String() string {
	return printed(func(p *printer) {
		for i, path := range t.Paths {
			if i > 0 {
				p.WriteString(", ")
			}
			p.path(path)
		}
	})
}

// String prints the update as text.
func (t *UpdateTree) String() string {
	return printed(func(p *printer) { p.update(t.Clauses) })
}

// refs lists the distinct placeholders of a tree in order of appearance. The nodes keep indexes
// into the lists, so that binding is one look-up a placeholder and never touches the tree.
type refs struct{ names, values []string }

// none tells that the tree means the same in every request.
func (r *refs) none() bool { return len(r.names) == 0 && len(r.values) == 0 }

func (r *refs) cond(c Cond) {
	switch n := c.(type) {
	case *And:
		r.conds(n.Terms)
	case *Or:
		r.conds(n.Terms)
	case *Not:
		r.cond(n.Term)
	case *Compare:
		r.operand(n.Left)
		r.operand(n.Right)
	case *Between:
		r.operand(n.X)
		r.operand(n.Lo)
		r.operand(n.Hi)
	case *In:
		r.operand(n.X)
		r.operands(n.List)
	case *Call:
		r.operands(n.Args)
	}
}

func (r *refs) conds(terms []Cond) {
	for _, t := range terms {
		r.cond(t)
	}
}

func (r *refs) operands(list []Operand) {
	for _, o := range list {
		r.operand(o)
	}
}

func (r *refs) operand(o Operand) {
	switch n := o.(type) {
	case *DocPath:
		r.path(n)
	case *ValueRef:
		n.slot = slotOf(&r.values, n.Name)
	case *Call:
		r.operands(n.Args)
	case *Arith:
		r.operand(n.Left)
		r.operand(n.Right)
	}
}

func (r *refs) path(p *DocPath) {
	for i := range p.Elems {
		if e := &p.Elems[i]; e.Kind == ElemPlaceholder {
			e.slot = slotOf(&r.names, e.Name)
		}
	}
}

// slotOf returns the index of name in list, adding it if it is new.
func slotOf(list *[]string, name string) int {
	for i, s := range *list {
		if s == name {
			return i
		}
	}
	*list = append(*list, name)
	return len(*list) - 1
}
