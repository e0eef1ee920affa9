package expr

import (
	"slices"

	"github.com/keystone-db/kstone/engine/attr"
)

// Update is an update expression bound to the names and values of one request. It is immutable:
// Apply may be called again, as a retried transaction does, and from several goroutines.
type Update struct {
	tree *UpdateTree
	plan *updatePlan
	binding
}

// Target is one path that an update changes.
type Target struct {
	Path   Path
	Action Action
	// Value is what a SET or ADD writes as far as the request alone tells: nil when it takes
	// evaluation, and for REMOVE and DELETE.
	Value attr.Value
}

// updatePlan is what follows from the target paths alone.
type updatePlan struct {
	targets []Path // one a clause
	order   []int  // indexes of clauses, sorted by target
	err     *Error // overlap or conflict among the targets
}

// planMemory holds the slices of a small plan.
type planMemory struct {
	targets [4]Path
	order   [4]int
	steps   [8]Step
}

// newUpdatePlan resolves and sorts the targets.
func newUpdatePlan(clauses []*Clause, names []string) *updatePlan {
	m := new(struct {
		updatePlan
		planMemory
	})
	m.fill(&m.planMemory, clauses, names)
	return &m.updatePlan
}

// fill resolves and sorts the targets, in mem as long as they fit.
func (p *updatePlan) fill(mem *planMemory, clauses []*Clause, names []string) {
	p.targets, p.order = mem.targets[:0], mem.order[:0]
	arena := pathArena{mem.steps[:0]}
	for i, c := range clauses {
		p.targets = append(p.targets, arena.path(c.Path, names))
		p.order = append(p.order, i)
	}
	p.err = checkPaths(KindUpdate, p.targets, func(i int) int { return clauses[i].Pos() })
	slices.SortFunc(p.order, func(i, j int) int {
		return comparePaths(p.targets[i], p.targets[j])
	})
}

// namedUpdate is an Update whose targets depend on name placeholders, with its own plan, in one
// piece of memory.
type namedUpdate struct {
	Update
	plan updatePlan
	mem  planMemory
}

// Bind gives the tree's placeholders their meaning and makes the checks that need it, in the
// order in which the service reports them: undefined names, undefined values, overlapping and
// conflicting targets, operands of ADD and DELETE, operands of functions. The error is an *Error.
func (t *UpdateTree) Bind(b *Binder) (*Update, error) {
	u := t.bind(b)
	if err := u.undefined(); err != nil {
		return nil, err
	}
	if u.plan.err != nil {
		return nil, u.plan.err
	}
	if err := u.checkSetOperands(); err != nil {
		return nil, err
	}
	for _, c := range t.Clauses {
		if c.Action != ActionSet {
			continue
		}
		if err := u.checkOperand(c.Value); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// bind looks up the placeholders and makes the plan, unless the tree has one for all requests.
func (t *UpdateTree) bind(b *Binder) *Update {
	if t.plan != nil {
		u := &Update{tree: t, plan: t.plan}
		u.binding.bind(&t.refs, b)
		return u
	}
	n := new(namedUpdate)
	u := &n.Update
	u.tree, u.plan = t, &n.plan
	u.binding.bind(&t.refs, b)
	n.plan.fill(&n.mem, t.Clauses, u.names)
	return u
}

// String prints the update as it was written, with its placeholders.
func (u *Update) String() string { return u.tree.String() }

// undefined reports the first undefined name, and if all are defined the first undefined value.
func (u *Update) undefined() *Error {
	for _, c := range u.tree.Clauses {
		if err := u.undefinedName(KindUpdate, c.Path); err != nil {
			return err
		}
		if err := u.undefinedIn(c.Value, true); err != nil {
			return err
		}
	}
	for _, c := range u.tree.Clauses {
		if err := u.undefinedIn(c.Value, false); err != nil {
			return err
		}
	}
	return nil
}

// undefinedIn looks for undefined names, or for undefined values, in an operand.
func (u *Update) undefinedIn(o Operand, names bool) *Error {
	switch n := o.(type) {
	case *DocPath:
		if names {
			return u.undefinedName(KindUpdate, n)
		}
	case *ValueRef:
		if !names {
			return u.undefinedValue(KindUpdate, n)
		}
	case *Call:
		for _, a := range n.Args {
			if err := u.undefinedIn(a, names); err != nil {
				return err
			}
		}
	case *Arith:
		if err := u.undefinedIn(n.Left, names); err != nil {
			return err
		}
		return u.undefinedIn(n.Right, names)
	}
	return nil
}

// checkSetOperands checks the types of what is added and deleted.
func (u *Update) checkSetOperands() *Error {
	for _, c := range u.tree.Clauses {
		t := wireType(u.constant(c.Value))
		switch {
		case c.Action == ActionAdd && t != attr.N && !isSet(t):
			return errAt(KindUpdate, c.Pos(), msgAddType, longTypeName(t))
		case c.Action == ActionDelete && !isSet(t):
			return errAt(KindUpdate, c.Pos(), msgDeleteType, longTypeName(t))
		}
	}
	return nil
}

// checkOperand checks the functions and arithmetic within the right side of a SET, inner ones
// first.
func (u *Update) checkOperand(o Operand) *Error {
	switch n := o.(type) {
	case *Call:
		for _, a := range n.Args {
			if err := u.checkOperand(a); err != nil {
				return err
			}
		}
		return u.checkCall(n)
	case *Arith:
		for _, a := range [...]Operand{n.Left, n.Right} {
			if err := u.checkOperand(a); err != nil {
				return err
			}
		}
		return u.checkTypes(n.Op, n.Pos(), attr.N, n.Left, n.Right)
	}
	return nil
}

// checkCall checks the operands of one function. That it is one of an update's is known of parsed
// trees, not of built ones.
func (u *Update) checkCall(n *Call) *Error {
	if n.Fn != FnIfNotExists && n.Fn != FnListAppend {
		return errAt(KindUpdate, n.Pos(), msgUnknownFunction, n.Fn)
	}
	if len(n.Args) != n.Fn.arity() {
		return errAt(KindUpdate, n.Pos(), msgOperandCount, n.Fn, len(n.Args))
	}
	if n.Fn == FnListAppend {
		return u.checkTypes(n.Fn, n.Pos(), attr.L, n.Args[0], n.Args[1])
	}
	if _, ok := n.Args[0].(*DocPath); !ok {
		return errAt(KindUpdate, n.Pos(), msgNeedsPath, n.Fn)
	}
	return nil
}

// checkTypes refuses operands whose value the request gives and whose type is not want.
func (u *Update) checkTypes(op Op, pos int, want attr.Type, a, b Operand) *Error {
	for _, o := range [...]Operand{a, b} {
		if t := wireType(u.constant(o)); t != 0 && t != want {
			return errAt(KindUpdate, pos, msgOperandType, op, t)
		}
	}
	return nil
}

// Targets yields the paths that the update changes, in the order of the text; they are not to be
// changed.
func (u *Update) Targets(yield func(Target) bool) {
	for i, c := range u.tree.Clauses {
		target := Target{Path: u.plan.targets[i], Action: c.Action}
		if c.Action == ActionSet || c.Action == ActionAdd {
			target.Value = u.constant(c.Value)
		}
		if !yield(target) {
			return
		}
	}
}

// Attributes returns the names of the top-level attributes that the update changes and reads, in the order of the text
// and with repetitions. The caller owns the slice.
func (u *Update) Attributes() []string {
	var names []string
	note := func(p *DocPath) { names = append(names, elemName(&p.Elems[0], u.names)) }
	for _, c := range u.tree.Clauses {
		note(c.Path)
		if c.Value != nil {
			visitPaths(c.Value, note)
		}
	}
	return names
}

// NestedReads returns the paths below an attribute that the values of SET read, in the order of the
// text and with repetitions: like the targets, they must not reach into a key attribute. It is nil
// when there are none, which takes no memory.
func (u *Update) NestedReads() []Path {
	var paths []Path
	for _, c := range u.tree.Clauses {
		visitPaths(c.Value, func(p *DocPath) {
			if len(p.Elems) > 1 {
				paths = append(paths, resolvePath(p, u.names))
			}
		})
	}
	return paths
}

// CreatesItem tells whether the update creates an item where there is none. DynamoDB does this,
// as far as it is known (unsure), for every expression: one of only REMOVE and DELETE makes an
// item of nothing but its key (TestUpdate, "missing item"). Actions on attributes that only delete
// make none (TestActions).
func (u *Update) CreatesItem() bool {
	return !u.tree.legacy || slices.ContainsFunc(u.tree.Clauses, func(c *Clause) bool {
		return c.Action == ActionSet || c.Action == ActionAdd
	})
}

// Project returns the values that the item has at the updated paths, for UPDATED_OLD: containers
// on the way are rebuilt with only those. It is nil when there are none.
func (u *Update) Project(item attr.Item) attr.Item {
	return u.project(item, func(Action) bool { return true })
}

// ProjectNew is Project for UPDATED_NEW: what was removed gives nothing, not even where another
// list element has moved to its index. A SET beyond the end of a list is looked up at the index
// that it names, not at the one where the element went (unsure).
func (u *Update) ProjectNew(item attr.Item) attr.Item {
	return u.project(item, func(a Action) bool { return a != ActionRemove })
}

// pathsFew is the number of paths that need no memory of their own.
const pathsFew = 8

func (u *Update) project(item attr.Item, want func(Action) bool) attr.Item {
	paths := make([]Path, 0, pathsFew)
	for _, i := range u.plan.order {
		if want(u.tree.Clauses[i].Action) {
			paths = append(paths, u.plan.targets[i])
		}
	}
	out := projectMap(nil, item.Read(), paths, 0)
	if len(out) == 0 {
		return nil
	}
	return out
}
