//go:build race

package dynamowire

// raceAllocations: under the race detector sync.Pool drops things at random.
const raceAllocations = 100
