package engine_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/keystone-db/kstone/engine"
)

// Stats are typed figures of the database; AppendPrometheus writes them for a collector.
func ExampleDB_Stats() {
	db := shop()
	defer func() { check(db.Close()) }()

	stats := db.Stats()
	fmt.Println(stats.InMemory, stats.Frames > 0, stats.Full) // a batch is a frame of the log

	text := stats.AppendPrometheus(nil)
	fmt.Println(bytes.Contains(text, []byte("\n# TYPE kstone_memtable_bytes gauge\n")))
	// Output:
	// true true false
	// true
}

// Samples lists the figures for collectors of other kinds.
func ExampleStats_Samples() {
	db := shop()
	defer func() { check(db.Close()) }()

	stats := db.Stats()
	for _, s := range stats.Samples() {
		if s.Kind == engine.Histogram {
			fmt.Println(s.Name, len(s.Points), strings.Contains(s.Help, "Batches"))
		}
	}
	// Output: kstone_log_group_batches 13 true
}
