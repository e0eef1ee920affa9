package crossref

import (
	"bytes"
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/backups"
	"github.com/keystone-db/kstone/engine/key"
)

func (c *checker) backupRow(name string, v []byte) string {
	b, err := backups.Decode(v)
	if err != nil {
		return err.Error()
	}
	switch {
	case b.ID != name:
		return fmt.Sprintf("backup %q: its row is of backup %q", name, b.ID)
	case len(b.Table.Table.Key.Hash) != 1 || len(b.Table.Table.Key.Range) > 1:
		return fmt.Sprintf("backup %q: the key of its table has an impossible form", name)
	}
	c.backups = append(c.backups, b)
	return ""
}

// backup checks the items of a backup.
func (c *checker) backup(ctx context.Context, b *backups.Backup) error {
	if b.Status == backups.Deleted {
		return nil // what is left of it goes
	}
	t := b.Table.Table
	t.ID = b.Space
	c.begin(ctx, "backup "+b.ID, b.Range())
	return c.walk(ctx, b.Range(), func(k, v []byte) error {
		c.out.Counts.BackupItems++
		what := ""
		if err := attr.CheckItem(v); err != nil {
			what = "the item is malformed: " + err.Error()
		} else if own, ok := key.AppendItem(nil, &t, attr.Item(v)); !ok || !bytes.Equal(own, k) {
			what = "the item stands under the key of another one"
		}
		if what == "" {
			return nil
		}
		c.add(Fault{Region: Backups, Table: t.Name, Key: k, What: what})
		return c.remove(ctx, k)
	})
}
