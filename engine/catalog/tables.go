package catalog

import (
	"iter"
	"maps"
)

// tableParts divides the cached tables, so that a change copies only some of them: with thousands of tables a copy of
// all would cost more than the change.
const (
	tableParts    = 1 << tablePartBits
	tablePartBits = 8
)

// tables are all tables by name at one moment. They are never changed.
type tables struct {
	parts [tableParts]map[string]*Table
	count int
	// passing are those in a passing state: while there are none no step can be due.
	passing map[string]*Table
	// policed is the number of resource policies.
	policed int
}

// partOf is the part of a name, found without the whole of it. Names of many tables differ at their ends.
func partOf(name string) int {
	n := len(name)
	if n < 4 {
		return n
	}
	const golden = 0x9E3779B1 // an odd number near 2^32 divided by the golden ratio: it spreads what differs in few bits
	end := uint32(name[n-4]) | uint32(name[n-3])<<8 | uint32(name[n-2])<<16 | uint32(name[n-1])<<24
	return int(end * golden >> (32 - tablePartBits))
}

// get is the table of a name, nil for none.
func (t *tables) get(name string) *Table { return t.parts[partOf(name)][name] }

// all goes over the tables in any order.
func (t *tables) all() iter.Seq2[string, *Table] {
	return func(yield func(string, *Table) bool) {
		for _, part := range t.parts {
			for name, table := range part {
				if !yield(name, table) {
					return
				}
			}
		}
	}
}

// with returns the tables with another value under a name, or without one when it is nil.
func (t *tables) with(name string, next *Table) *tables {
	out := *t
	part := &out.parts[partOf(name)]
	old := (*part)[name]
	changed := make(map[string]*Table, len(*part)+1)
	maps.Copy(changed, *part)
	*part = changed
	out.passing = maps.Clone(t.passing)
	if old != nil {
		out.count--
		out.policed -= old.policies()
		delete(changed, name)
		delete(out.passing, name)
	}
	if next != nil {
		out.put(name, next)
	}
	return &out
}

// put adds a table to tables that nobody else has seen.
func (t *tables) put(name string, next *Table) {
	part := &t.parts[partOf(name)]
	if *part == nil {
		*part = map[string]*Table{}
	}
	(*part)[name] = next
	t.count++
	t.policed += next.policies()
	if next.Status != StatusActive {
		if t.passing == nil {
			t.passing = map[string]*Table{}
		}
		t.passing[name] = next
	}
}

// policies is the number of a table's resource policies, of its streams included.
func (t *Table) policies() int {
	n := len(t.StreamPolicies)
	if t.Policy != nil {
		n++
	}
	return n
}
