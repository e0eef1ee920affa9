package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keystone-db/kstone/engine"
)

// An archive grows until it is pruned: what is older than the moment leaves it, and whatever that moment and
// later ones need stays.
func ExamplePruneArchive() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()

	archive, err := engine.OpenArchive(filepath.Join(dir, "archive"))
	check(err)
	db, err := engine.Open(filepath.Join(dir, "shop.kstone"), engine.Options{Archive: archive})
	check(err)
	check(db.Close())

	timelines, err := engine.ListArchive(ctx, archive)
	check(err)
	for _, t := range timelines {
		fmt.Println(len(t.Bases), "base backup,", len(t.Spans), "span without a gap")
	}
	gone, err := engine.PruneArchive(ctx, archive, engine.PruneOptions{Before: time.Now().Add(-30 * 24 * time.Hour)})
	check(err)
	for _, t := range gone {
		fmt.Println(t.Bases, "base backups are gone")
	}
	// Output:
	// 1 base backup, 1 span without a gap
	// 0 base backups are gone
}
