package engine

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
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

// TestStatsOfChangeLogs: what a change log takes is told, at most a minute late, and that it goes with recovery.
func TestStatsOfChangeLogs(t *testing.T) {
	d := openTest(t, Options{})
	d.recoverable()
	require.Equal(t, "orders", d.Stats().ChangeLogs[0].Table)
	small := d.Stats().ChangeLogs[0].Bytes
	value := strings.Repeat("v", 1000)
	for i := range 3 {
		d.putOrder("p", 1, value+strconv.Itoa(i))
	}
	require.Equal(t, small, d.Stats().ChangeLogs[0].Bytes)
	d.clock.add(logsMeasuredEvery)
	s := d.Stats()
	require.Len(t, s.ChangeLogs, 1)
	require.InDelta(t, 2*len(value), s.ChangeLogs[0].Bytes, 500, "what was before each of two changes")
	require.NotZero(t, s.ChangeLogs[0].SinceMs)
	require.Contains(t, string(s.AppendPrometheus(nil)), `kstone_change_log_bytes{table="orders"} `+strconv.FormatInt(s.ChangeLogs[0].Bytes, 10))

	_, err := d.UpdateContinuousBackups(t.Context(), &api.UpdateContinuousBackupsInput{
		TableName:                        api.Some("orders"),
		PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(false)},
	})
	require.NoError(t, err)
	d.clock.add(logsMeasuredEvery)
	require.Empty(t, d.Stats().ChangeLogs)
}
