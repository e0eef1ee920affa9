package serve

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"
)

// heapGoal is where the collector would end its next cycle.
func heapGoal() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestBallast(t *testing.T) {
	t.Setenv("GOGC", "")
	release := holdBallast()
	require.GreaterOrEqual(t, heapGoal(), uint64(2*ballastBytes))
	release()
	require.Less(t, heapGoal(), uint64(2*ballastBytes), "the ballast is still there")

	t.Setenv("GOGC", "100")
	defer holdBallast()()
	require.Less(t, heapGoal(), uint64(2*ballastBytes), "GOGC was set")
}
