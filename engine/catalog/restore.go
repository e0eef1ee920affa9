package catalog

import (
	"slices"
	"strings"
)

// Restore says what a table is or was restored from.
type Restore struct {
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

// Restoring returns the tables that are being restored, by name.
func (c *Catalog) Restoring() []*Table {
	var list []*Table
	for _, t := range c.snapshot().all() {
		if t.Restore != nil && t.Filling != "" {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *Table) int { return strings.Compare(a.Table.Name, b.Table.Name) })
	return list
}
