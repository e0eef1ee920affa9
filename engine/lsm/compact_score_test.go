package lsm

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// fakeTable is one of a version that is only looked at.
func fakeTable(level int, num, length, entries int64, first, last string) *liveTable {
	return &liveTable{Table: manifest.Table{Level: uint8(level), Meta: table.Meta{
		Num: base.ObjectNum(num), Length: length, Entries: entries, Smallest: []byte(first), Largest: []byte(last),
		MaxLSN: base.LSN(num),
	}}, sharedTable: &sharedTable{}}
}

// fakeVersion has count tables of 100 KiB each in level 0, which overlap, and others.
func fakeVersion(count int, others ...*liveTable) *version {
	v := newVersion([manifest.LevelCount][]*liveTable{}, merge.Dead{})
	for i := range count {
		others = append(others, fakeTable(0, int64(1000+i), 100<<10, 300, "a", "z"))
	}
	return v.with(others, nil, merge.Dead{})
}

// whole is a last level of tables of 1 MiB that share the keys from a to z.
func whole(level, mib int) (tables []*liveTable) {
	for i := range mib {
		tables = append(tables, fakeTable(level, int64(100*level+i), 1<<20, 3000,
			fmt.Sprintf("a%03d", i), fmt.Sprintf("a%03d9", i)))
	}
	return tables
}

func TestWhatIsDue(t *testing.T) {
	const stripe = 1
	most := l0Start + stripe
	for _, c := range []struct {
		name  string
		v     *version
		idle  bool
		asked int64
		due   bool
		why   reason
		level int
	}{
		{name: "nothing", v: fakeVersion(0)},
		{name: "a small stripe costs nothing", v: fakeVersion(1)},
		{name: "few tables that nobody reads", v: fakeVersion(most-1, whole(6, 1)...)},
		{name: "as many as it takes", v: fakeVersion(most, whole(6, 1)...), due: true, why: forWrites},
		{name: "few, read a little", v: fakeVersion(3, whole(6, 1)...), asked: 10_000},
		{name: "few, read a lot", v: fakeVersion(3, whole(6, 1)...), asked: 100_000, due: true, why: forReads},
		{name: "a large level to write anew, read as much", v: fakeVersion(3, whole(6, 9)...), asked: 100_000},
		{name: "one table has nobody to be joined with", v: fakeVersion(1, whole(6, 1)...), asked: 1 << 40},
		{name: "idle, some tables", v: fakeVersion(l0Idle, whole(6, 30)...), idle: true, due: true, why: forWrites},
		{name: "idle, much is superseded", v: fakeVersion(3, whole(6, 1)...), idle: true, due: true, why: forSpace},
		{name: "idle, little is superseded", v: fakeVersion(1, whole(6, 1)...), idle: true},
		{name: "idle, many small deletes", v: fakeVersion(0, append(whole(6, 1), fakeTable(0, 9, 9000, 900, "a", "z"))...),
			idle: true, due: true, why: forSpace},
		{name: "a level above its share", v: fakeVersion(1, append(whole(5, 2), whole(6, 8)...)...), due: true, why: forSize, level: 5},
		{name: "a level within its share", v: fakeVersion(1, append(whole(5, 1), whole(6, 9)...)...)},
		{name: "idle, the last level has shrunk", v: fakeVersion(0, fakeTable(5, 1, 200<<10, 9, "a", "z"), fakeTable(6, 2, 300<<10, 9, "a", "z")),
			idle: true, due: true, why: forSpace, level: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.v.due(stripe, c.idle, c.asked)
			require.Equal(t, c.due, d.score >= 1, "score %v", d.score)
			if c.due {
				require.Equal(t, dueCompaction{score: d.score, level: c.level, why: c.why}, d)
			}
		})
	}
}

func TestStripesAreNotDueAllAtOnce(t *testing.T) {
	v := fakeVersion(l0Start)
	n := 0
	for i := range base.StripeCount {
		if v.due(i, false, 0).score >= 1 {
			n++
		}
	}
	require.Equal(t, base.StripeCount/l0Spread, n)
}

// TestWhereLevel0Goes: as far down as it may, unless that would write much more than is new.
func TestWhereLevel0Goes(t *testing.T) {
	for _, c := range []struct {
		name string
		v    *version
		want int
	}{
		{"an empty stripe", fakeVersion(6), levelLast},
		{"less than ten times as much below", fakeVersion(8, whole(6, 7)...), levelLast},
		{"more", fakeVersion(8, whole(6, 9)...), levelLast - 1},
		{"there is a level between", fakeVersion(8, append(whole(5, 1), whole(6, 9)...)...), levelLast - 1},
		{"which is large, too", fakeVersion(8, append(whole(5, 9), whole(6, 90)...)...), levelLast - 2},
		{"much below, of which little is written anew",
			fakeVersion(0, append(whole(6, 30), fakeTable(0, 1, 200<<10, 9, "a0005", "a0006"))...), levelLast},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, c.v.job(1, 0, &Options{}).to)
		})
	}
}

// TestReadsPayForACompaction reads a stripe with a few tables until it is compacted.
func TestReadsPayForACompaction(t *testing.T) {
	db := manualDB(t, vfs.NewMemFS(1), nil)
	for i := range 3 {
		mustPut(t, db, testKey(1, "k"), fmt.Sprint(i))
		flushAll(t, db)
	}
	worked, err := db.compactOnce(t.Context(), false)
	require.NoError(t, err)
	require.False(t, worked)
	reads := 0
	for ; !worked; reads++ {
		require.Less(t, reads, 10_000)
		require.Equal(t, "2", mustGet(t, db, testKey(1, "k")))
		worked, err = db.compactOnce(t.Context(), false)
		require.NoError(t, err)
	}
	require.Greater(t, reads, 10)
	m := db.Metrics()
	require.Zero(t, m.Level0)
	require.Equal(t, CompactReasons{Reads: 1}, m.CompactFor)
	require.Zero(t, db.stripes[1].asked.Load())
}
