package catalog

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTables: changes of many tables, one after the other, beside a map; what others hold is never changed.
func TestTables(t *testing.T) {
	table := func(name string, status Status, policed bool) *Table {
		out := new(Table)
		out.Table.Name, out.Status = name, status
		if policed {
			out.Policy, out.StreamPolicies = new(Policy), map[string]Policy{"a": {}}
		}
		return out
	}
	now, want := new(tables), map[string]*Table{}
	check := func(of *tables, want map[string]*Table) {
		t.Helper()
		require.Equal(t, want, maps.Collect(of.all()))
		passing, policed := 0, 0
		for name, is := range want {
			require.Same(t, is, of.get(name))
			if is.Status != StatusActive {
				passing++
				require.Same(t, is, of.passing[name])
			}
			policed += is.policies()
		}
		require.Equal(t, []int{len(want), passing, policed}, []int{of.count, len(of.passing), of.policed})
		require.Nil(t, of.get("none"))
	}
	type held struct {
		tables *tables
		want   map[string]*Table
	}
	var before []held
	for i := range 2000 {
		name := fmt.Sprint("t", i*7919%500)
		var next *Table
		if i%3 > 0 {
			next = table(name, Status(1+i%4), i%5 == 0)
		}
		if now = now.with(name, next); next == nil {
			delete(want, name)
		} else {
			want[name] = next
		}
		if i%400 == 0 {
			before = append(before, held{now, maps.Clone(want)})
		}
	}
	check(now, want)
	for _, h := range before {
		check(h.tables, h.want)
	}
	for _, name := range []string{"", "a", "é", "a-very-long-name-of-a-table"} {
		require.Equal(t, name, now.with(name, table(name, StatusActive, false)).get(name).Table.Name)
	}
}
