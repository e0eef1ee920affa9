package partiql

import (
	"slices"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
)

// The rights that statements need, as the service's policies name them. EXISTS and EXPLAIN only
// read.
const (
	accessSelect = "PartiQLSelect"
	accessInsert = "PartiQLInsert"
	accessUpdate = "PartiQLUpdate"
	accessDelete = "PartiQLDelete"
)

// Access tells which table, or index of one, a statement names and which right it needs there; false when it does
// not parse, and so will not be run.
func Access(text string) (table, index, right string, ok bool) {
	p, err := Parse(text)
	if err != nil {
		return "", "", "", false
	}
	table, index, right = p.Access()
	return table, index, right, true
}

// Access is the function Access of a statement that parses.
func (p *Prepared) Access() (table, index, right string) {
	right = accessSelect
	if !p.Explain {
		switch p.Statement.(type) {
		case *Insert:
			right = accessInsert
		case *Update:
			right = accessUpdate
		case *Delete:
			right = accessDelete
		}
	}
	source := p.Statement.Source()
	return source.Table, source.Index, right
}

// LeadingKeys returns the values of the partition key that the statement is about, those of the index where it names
// one: of the item that it writes or checks, or of the partitions that it reads. It is false when the statement does
// not name them, so that all are read, or is wrong.
func (b *Bound) LeadingKeys(t *schema.Table) (keys []attr.Value, ok bool) {
	switch n := b.Statement.(type) {
	case *Select:
		return b.partitions(t, n)
	case *Insert:
		v, err := b.anyDepth(n.Value)
		if err != nil || v.Type() != attr.M {
			return nil, false
		}
		for _, a := range t.Key.Hash {
			keys = append(keys, v.MapItem().Get(a.Name))
		}
	default:
		for _, a := range t.Key.Hash {
			at, v, err := b.equality(conjuncts(b.where()), a.Name)
			if err != nil || at < 0 {
				return nil, false
			}
			keys = append(keys, v)
		}
	}
	return keys, !slices.ContainsFunc(keys, func(v attr.Value) bool { return v == nil })
}

func (b *Bound) partitions(t *schema.Table, s *Select) (keys []attr.Value, ok bool) {
	k := &t.Key
	if s.From.Index != "" {
		ix := t.Index(s.From.Index)
		if ix == nil {
			return nil, false
		}
		k = &ix.Key
	}
	parts, err := b.parts(s.Where, k)
	for i := range parts {
		keys = append(keys, parts[i].hash...)
	}
	return keys, err == nil && parts != nil
}

// where is the condition of a statement that is no INSERT; nil for none.
func (p *Prepared) where() Expr {
	switch n := p.Statement.(type) {
	case *Select:
		return n.Where
	case *Exists:
		return n.Query.Where
	case *Update:
		return n.Where
	case *Delete:
		return n.Where
	}
	return nil
}

// Attributes returns the top-level attributes that the statement names, some perhaps twice: those that it selects,
// orders by, assigns, removes or inserts, and those of its conditions.
func (b *Bound) Attributes() []string {
	names := appendNames(nil, b.where())
	switch n := b.Statement.(type) {
	case *Select:
		names = n.appendNames(names)
	case *Exists:
		names = n.Query.appendNames(names)
	case *Update:
		for _, a := range n.Actions {
			names = appendNames(names, a.Path, a.Value)
		}
	case *Insert:
		v, err := b.anyDepth(n.Value)
		if err != nil || v.Type() != attr.M {
			return names // it is refused
		}
		for r := v.MapItem().Read(); ; {
			name, _, ok := r.Next()
			if !ok {
				break
			}
			names = append(names, string(name))
		}
	}
	return names
}

// Everything says whether the statement is a SELECT of all attributes.
func (p *Prepared) Everything() bool {
	s, ok := p.Statement.(*Select)
	return ok && s.Paths == nil
}

func (s *Select) appendNames(names []string) []string {
	for _, p := range s.Paths {
		names = appendNames(names, p)
	}
	for _, o := range s.Order {
		names = append(names, o.Name)
	}
	return names
}

// appendNames appends the first names of all paths in expressions, any of which may be nil.
func appendNames(names []string, list ...Expr) []string {
	for _, x := range list {
		switch n := x.(type) {
		case *Path:
			names = append(names, n.Steps[0].Name)
		case *Call:
			names = appendNames(names, n.Args...)
		case *Binary:
			names = appendNames(names, n.Left, n.Right)
		case *Logic:
			names = appendNames(names, n.Terms...)
		case *Not:
			names = appendNames(names, n.X)
		case *Between:
			names = appendNames(names, n.X, n.Lo, n.Hi)
		case *In:
			names = appendNames(names, n.X, n.List)
		case *Is:
			names = appendNames(names, n.X)
		case *List:
			names = appendNames(names, n.Elems...)
		case *Bag:
			names = appendNames(names, n.Elems...)
		case *Tuple:
			for i := range n.Fields {
				names = appendNames(names, n.Fields[i].Value)
			}
		}
	}
	return names
}
