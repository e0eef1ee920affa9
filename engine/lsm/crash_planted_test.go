//go:build plantedbugs

package lsm

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
)

// plantedSeedsMax is how many seeds may pass before a fault counts as not found.
const plantedSeedsMax = 3

// TestPlantedBugsAreFound proves the harness: with each fault in the engine, some workload must
// fail, and without any none does.
func TestPlantedBugsAreFound(t *testing.T) {
	loads := map[string]crashWorkload{}
	for _, load := range crashWorkloads() {
		loads[load.name] = load
	}
	for _, tc := range plantedBugs() {
		t.Run(string(tc.bug), func(t *testing.T) {
			remove := bug.Plant(tc.bug)
			defer remove()
			for seed := range uint64(plantedSeedsMax) {
				for _, name := range tc.loads {
					load, ok := loads[name]
					require.True(t, ok, "no workload %q", name)
					if states, err := runCrash(load, 100+seed); err != nil {
						t.Logf("found after %d states: %.300s", states, err)
						return
					}
				}
			}
			t.Fatalf("nothing found in %v", tc.loads)
		})
	}
}

// TestPlantedPublicationIsFound: no crash shows this fault, a reader does.
func TestPlantedPublicationIsFound(t *testing.T) {
	defer bug.Plant(bug.PublishOutOfOrder)()
	require.NotEqual(t, uint64(1), visiblePastAStall(t))
}

// TestPlantedFlushIsFound: every sync of the file syncs a relaxed log that is written through the page cache,
// too, so that crash workloads show this fault seldom. It is a pass that does not wait for a group on its way.
func TestPlantedFlushIsFound(t *testing.T) {
	defer bug.Plant(bug.FlushUnsynced)()
	passes, _ := passBesideALostWrite(t)
	require.NotZero(t, passes)
}

// TestPlantedAnswerIsFound: in a crash workload the client must have noted its answer before the write comes to the
// disk, which is a matter of luck.
func TestPlantedAnswerIsFound(t *testing.T) {
	defer bug.Plant(bug.AckBeforeWrite)()
	require.NotZero(t, answersBeforeTheWrite(t))
}

// plantedBug names the workloads that must find a fault, the likeliest first.
type plantedBug struct {
	bug   bug.Name
	loads []string
}

func plantedBugs() []plantedBug {
	const (
		single = "single puts"
		batch  = "multi-stripe batches"
		ring   = "overwrites through a tiny ring"
		flush  = "flushes and compaction"
		drop   = "drop range"
		reopen = "close and reopen"
		spill  = "small spills"
		mix    = "mixed"
		swtch  = "manifest switches"
	)
	return []plantedBug{
		{bug.LogSyncLeftOut, []string{single}},
		{bug.TableSyncLeftOut, []string{ring, flush}},
		{bug.GrowSyncLeftOut, []string{spill, flush, mix}},
		{bug.SpillSyncLeftOut, []string{spill}},
		{bug.SpillFreedEarly, []string{spill}},
		{bug.ExtentReusedEarly, []string{swtch}},
		{bug.SegmentReusedEarly, []string{ring, mix}},
		{bug.TailTooFar, []string{ring, mix}},
		{bug.OldLapAccepted, []string{ring, mix}},
		{bug.SyncedTooHigh, []string{single, batch}},
		{bug.SuperblocksTogether, []string{reopen}},
		{bug.SuperblockBeforeData, []string{swtch}},
		{bug.RecoveryWithoutRewrite, []string{batch, ring, mix}},
		{bug.ReplayHalf, []string{batch}},
		{bug.TombstoneDroppedEarly, []string{flush, mix}},
		{bug.InputsFreedEarly, []string{flush, mix}},
		{bug.DropRangeForgotten, []string{drop}},
	}
}
