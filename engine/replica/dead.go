package replica

import (
	"context"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// NoteDead writes down that an item is deleted, in the update that deletes it, so that its stamp is found when it may
// be forgotten. item is its key.
func NoteDead(tx storage.Tx, dead uint32, item []byte, s Stamp) {
	tx.Put(DeadRow(dead, item, s), []byte{})
}

// DeadRow is the key of what NoteDead writes down.
func DeadRow(dead uint32, item []byte, s Stamp) []byte {
	return key.AppendExpiry(nil, dead, s.Micros/microsPerMilli, item)
}

const (
	microsPerMilli = 1000
	// collectRows bounds what is forgotten in one update.
	collectRows = 500
)

// HasDead says whether there are stamps of deleted items.
func (r Rows) HasDead(ctx context.Context, store storage.Store) (found bool, err error) {
	return r.any(ctx, store, key.SpaceRange(key.TableSpace(r.Table), r.Dead))
}

// any says whether there is a row.
func (r Rows) any(ctx context.Context, store storage.Store, span key.Range) (found bool, err error) {
	err = storage.Fresh(ctx, func() error {
		snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: owner})
		if err != nil {
			return err
		}
		defer snap.Close()
		it, err := snap.Iter(ctx, storage.Range(span), storage.IterOptions{LimitHint: 1})
		if err != nil {
			return err
		}
		defer it.Close()
		found = it.Next()
		return it.Err()
	})
	return found, err
}

// Guard is what an update names and checks so that one process does the work.
type Guard struct {
	Named storage.Named
	Check func(storage.Value) error
}

// Collect forgets the stamps of items that were deleted before a time, in milliseconds since 1970, with beside, a row
// that is put in each update. It does one step and says whether there is more. The caller knows that no replica can
// send anything older than they are.
func (r Rows) Collect(ctx context.Context, store storage.Store, beforeMs int64, g Guard, beside storage.Op) (more bool, err error) {
	for bucket := range key.ExpiryBuckets {
		var rows [][]byte
		err := storage.Fresh(ctx, func() error {
			rows, err = r.dead(ctx, store, bucket, beforeMs)
			return err
		})
		if err != nil {
			return false, err
		}
		if len(rows) > 0 {
			return true, r.forget(ctx, store, rows, beforeMs, g, beside)
		}
	}
	return false, nil
}

// dead returns rows of one bucket.
func (r Rows) dead(ctx context.Context, store storage.Store, bucket int, beforeMs int64) (rows [][]byte, err error) {
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: owner})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(key.ExpiryRange(r.Table, r.Dead, bucket, beforeMs)), storage.IterOptions{LimitHint: collectRows})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for len(rows) < collectRows && it.Next() {
		rows = append(rows, append([]byte(nil), it.Key()...))
	}
	return rows, it.Err()
}

// forget removes rows with the stamps that they are about, but for items that were written again.
func (r Rows) forget(ctx context.Context, store storage.Store, rows [][]byte, beforeMs int64, g Guard, beside storage.Op) error {
	var named []storage.Named
	at := map[string]bool{}
	for _, row := range rows {
		item, ok := key.ItemOfExpiry(row)
		if !ok {
			continue
		}
		if stamp := key.AppendStamp(nil, r.Stamps, item); !at[string(stamp)] {
			at[string(stamp)] = true
			named = append(named, storage.Named{Key: stamp})
		}
	}
	stamps := len(named)
	named = append(named, g.Named, storage.Named{Key: beside.Key})
	return store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := g.Check(tx.Value(stamps)); err != nil {
			return err
		}
		for i := range stamps {
			s, err := Decode(tx.Value(i))
			if err != nil {
				return err
			}
			if s.Deleted && s.Micros/microsPerMilli < beforeMs {
				tx.Delete(named[i].Key)
			}
		}
		for _, row := range rows {
			tx.Delete(row)
		}
		tx.Put(beside.Key, beside.Value)
		return nil
	})
}
