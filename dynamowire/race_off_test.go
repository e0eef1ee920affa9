//go:build !race

package dynamowire

const raceAllocations = 0
