// Package backups keeps the backups of tables: what each is of, and where its items lie.
//
// A backup is a row of the catalog space and the items of a table at one moment, under the keys that they
// have in a table, in a space that belongs to the backup alone. Its id begins with the time, so that rows
// list in the order of time.
package backups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// ErrNotFound: there is no backup of that id.
var ErrNotFound = errors.New("backups: no such backup")

// Status of a backup, in the service's words. Stored: never rename.
type Status string

const (
	// Creating backups have some of their items.
	Creating Status = "CREATING"
	// Available backups can be restored.
	Available Status = "AVAILABLE"
	// Deleted backups are not shown; their rows stay until their items are gone.
	Deleted Status = "DELETED"
)

// Types of backups, in the service's words. Stored: never rename.
const (
	TypeUser   = "USER"
	TypeSystem = "SYSTEM"
)

// rowVersion is the form of the stored row. A newer one is refused.
const rowVersion = 1

// Backup of one table.
type Backup struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Status  Status `json:"status"`
	// CreatedMs is the moment of which the backup is, in milliseconds since 1970.
	CreatedMs int64 `json:"createdMs"`
	// ExpiresMs is when it goes by itself; zero for never.
	ExpiresMs int64 `json:"expiresMs,omitempty"`
	// Table is what the catalog knew of the table.
	Table catalog.Record `json:"table"`
	// Space is the table id under which the items lie.
	Space uint64 `json:"space"`
	// HideBy is the attribute whose time may have hidden items by then; empty when none are among them.
	HideBy string `json:"hideBy,omitempty"`
	// Items and Bytes are how many there are, and their sizes together.
	Items int64 `json:"items"`
	Bytes int64 `json:"bytes"`
}

// Row is the key of a backup's row.
func Row(id string) []byte { return key.AppendCatalog(nil, key.SubBackup, id) }

// Range is where the items of the backup lie.
func (b *Backup) Range() storage.Range {
	return storage.Range(key.SpaceRange(key.TableSpace(b.Space), key.TableSub))
}

// Encode is the row of a backup.
func (b *Backup) Encode() ([]byte, error) {
	b.Version = rowVersion
	v, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("backups: backup %s: %w", b.ID, err)
	}
	return v, nil
}

// Decode reads the row of a backup. What does not parse wraps storage.ErrCorrupt.
func Decode(v []byte) (*Backup, error) {
	b := new(Backup)
	if err := json.Unmarshal(v, b); err != nil {
		return nil, fmt.Errorf("backups: row: %w: %w", storage.ErrCorrupt, err)
	}
	if b.Version > rowVersion {
		return nil, fmt.Errorf("backups: backup %s: row version %d is newer than this program", b.ID, b.Version)
	}
	return b, nil
}

// Stored reads the named row of a backup in an update; one that is deleted is not found.
func Stored(v storage.Value) (*Backup, error) {
	if !v.Present {
		return nil, ErrNotFound
	}
	b, err := Decode(v.Data)
	if err == nil && b.Status == Deleted {
		return nil, ErrNotFound
	}
	return b, err
}

// Get returns a backup.
func Get(ctx context.Context, store storage.Store, id string) (*Backup, error) {
	v, err := store.Get(ctx, Row(id))
	if err != nil {
		return nil, err
	}
	return Stored(v)
}

// listRows is how many rows List reads at once.
const listRows = 256

// List calls use for every backup that is not deleted, in the order of their ids behind after, until it
// returns false. It reads some rows at a time and keeps no snapshot while use runs, which may call it again.
func List(ctx context.Context, store storage.Store, after string, use func(*Backup) bool) error {
	for {
		var list []*Backup
		err := storage.Fresh(ctx, func() (err error) {
			list, err = read(ctx, store, after)
			return err
		})
		if err != nil {
			return err
		}
		for _, b := range list {
			if b.Status != Deleted && !use(b) {
				return nil
			}
			after = b.ID
		}
		if len(list) < listRows {
			return nil
		}
	}
}

// read returns up to listRows backups behind an id.
func read(ctx context.Context, store storage.Store, after string) ([]*Backup, error) {
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: "list of backups"})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	r := storage.Range(key.CatalogRange(key.SubBackup))
	if after != "" {
		r.Start = append(Row(after), 0)
	}
	it, err := snap.Iter(ctx, r, storage.IterOptions{})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var list []*Backup
	for len(list) < listRows && it.Next() {
		b, err := Decode(it.Value())
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, it.Err()
}

// ItemKey is the key of an item of the backup, by its key in a table.
func (b *Backup) ItemKey(item []byte) []byte {
	return append(key.AppendPrefix(nil, key.TableSpace(b.Space), key.TableSub), item[storage.PrefixBytes:]...)
}
