package catalog

import (
	"context"
	"slices"
	"strings"
)

// Restore says what a table is restored from.
type Restore struct {
	// Task is the id of the task that fills the table.
	Task string `json:"task"`
	// InProgress: the table is CREATING until it is filled.
	InProgress bool `json:"inProgress,omitempty"`
	// Backup is the id of the backup, empty when the source is a table as it was; BackupARN is shown.
	Backup    string `json:"backup,omitempty"`
	BackupARN string `json:"backupARN,omitempty"`
	// Source is the name of the table, SourceID its id, and SourceARN is shown.
	Source    string `json:"source"`
	SourceID  uint64 `json:"sourceID"`
	SourceARN string `json:"sourceARN"`
	// AtMs is the moment, in milliseconds since 1970, and Seq the cut of a table; zero for a backup.
	AtMs int64  `json:"atMs"`
	Seq  uint64 `json:"seq,omitempty"`
}

// Restoring returns the tables that are being filled, by name.
func (c *Catalog) Restoring() []*Table {
	var list []*Table
	for _, t := range c.snapshot() {
		if t.Restore != nil && t.Restore.InProgress && t.Status == StatusCreating {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *Table) int { return strings.Compare(a.Table.Name, b.Table.Name) })
	return list
}

// EndRestore ends the filling of a table: it is ACTIVE, or goes when it was not filled. One that is gone, or
// was ended before, is no error.
func (c *Catalog) EndRestore(ctx context.Context, name, task string, filled bool) error {
	c.control.Lock()
	defer c.control.Unlock()
	if err := c.finishLocked(ctx); err != nil {
		return err
	}
	t := c.snapshot()[name]
	if t == nil || t.Restore == nil || t.Restore.Task != task || !t.Restore.InProgress {
		return nil
	}
	r := t.clone()
	r.Restore.InProgress = false
	r.UntilMs = c.opts.Clock().UnixMilli()
	if !filled {
		r.Status = StatusDeleting
	}
	if err := c.write(ctx, r); err != nil {
		return err
	}
	c.supersede(r, t)
	return c.finishLocked(ctx)
}
