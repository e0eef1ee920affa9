package engine

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/neighbors"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// TestPrometheusText: each line is of the format, names are not repeated, units end names and counters
// end in _total.
func TestPrometheusText(t *testing.T) {
	db, err := Open("", Options{InMemory: true, NoBackground: true})
	require.NoError(t, err)
	stats := db.Stats()
	help := regexp.MustCompile(`^# HELP (kstone_[a-z0-9_]+) [A-Z].*\.$`)
	kind := regexp.MustCompile(`^# TYPE (kstone_[a-z0-9_]+) (counter|gauge|histogram)$`)
	point := regexp.MustCompile(`^(kstone_[a-z0-9_]+?)(_bucket|_sum|_count)?(\{[a-z]+="[a-zA-Z0-9+]+"\})? -?[0-9.e+-]+$`)
	seen := map[string]bool{}
	var name, of string
	for line := range strings.Lines(string(stats.AppendPrometheus(nil))) {
		line = strings.TrimSuffix(line, "\n")
		if m := help.FindStringSubmatch(line); m != nil {
			name = m[1]
			require.False(t, seen[name], name)
			seen[name] = true
			continue
		}
		if m := kind.FindStringSubmatch(line); m != nil {
			require.Equal(t, name, m[1])
			of = m[2]
			require.Equal(t, of == "counter", strings.HasSuffix(name, "_total"), name)
			continue
		}
		m := point.FindStringSubmatch(line)
		require.NotNil(t, m, line)
		require.Equal(t, name, m[1], line)
		require.Equal(t, of == "histogram", m[2] != "", line)
	}
	require.Greater(t, len(seen), 50)
	require.NoError(t, db.Close())
}

// TestStatsOfAnotherStore: there is nothing to tell, and no harm in asking.
func TestStatsOfAnotherStore(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	db, err := OpenStore(mem, Options{NoBackground: true})
	require.NoError(t, err)
	require.Equal(t, Stats{VectorBudget: neighbors.BytesDefault}, db.Stats())
	require.NoError(t, db.Close())
}
