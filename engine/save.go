package engine

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine/lsm"
)

// SaveOptions of DB.Save. The zero value makes a file that is not encrypted.
type SaveOptions = lsm.SaveOptions

// Save writes all that the database holds now to the file path while requests are served: an ordinary
// database file, for Open, for Options.Load and for the command kstone. It stands for one moment. A file that is
// there is replaced when the new one is whole and durable, and stays as it was after an error, a crash or
// the end of the context; one that somebody has open is not replaced. It is meant for databases in memory
// and for forks. Of a file DB.Backup makes copies that belong to it, and much faster.
func (db *DB) Save(ctx context.Context, path string, opts SaveOptions) error {
	for {
		c := db.served.Load()
		if c.file == nil {
			return errNoFile
		}
		err := c.save(ctx, path, opts)
		if err == nil || !c.replaced(err) {
			return err
		}
	}
}

func (db *core) save(ctx context.Context, path string, opts SaveOptions) error {
	if !db.opts.ReadOnly {
		if err := db.keepTime(ctx, 0); err != nil {
			return fmt.Errorf("save to %s: %w", path, err)
		}
		if _, err := db.keepInsights(ctx); err != nil {
			return fmt.Errorf("save to %s: %w", path, err)
		}
	}
	return db.file.Save(ctx, path, opts)
}
