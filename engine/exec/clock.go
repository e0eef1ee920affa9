package exec

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// metaTime is the row that holds the latest time that was kept, in milliseconds since 1970, 8 bytes
// big-endian. A system clock that was set back while the database was closed would wake items that had
// expired and give stream records times before those of older ones: time goes on from this row.
const metaTime = "time"

func timeRow() []byte { return key.AppendCatalog(nil, key.SubMeta, metaTime) }

func decodeTime(v storage.Value) (int64, error) {
	switch {
	case !v.Present:
		return 0, nil
	case len(v.Data) != 8:
		return 0, fmt.Errorf("exec: stored time: %w", storage.ErrCorrupt)
	}
	return int64(binary.BigEndian.Uint64(v.Data)), nil
}

// loadTime reads the time that was kept.
func (e *Executor) loadTime(ctx context.Context) error {
	v, err := e.store.Get(ctx, timeRow())
	if err != nil {
		return err
	}
	kept, err := decodeTime(v)
	e.kept.Store(kept)
	e.latest.Store(kept)
	return err
}

// Behind is by how much the clock is behind the time that the database has reached; zero when it is not.
// Until it has caught up, time stands still.
func (e *Executor) Behind() time.Duration {
	return max(0, time.Duration(e.latest.Load()-e.clock().UnixMilli())*time.Millisecond)
}

// KeepTime stores the present time, if what is stored is older than age.
func (e *Executor) KeepTime(ctx context.Context, age time.Duration) error {
	now := e.Now().UnixMilli()
	if now-e.kept.Load() <= age.Milliseconds() {
		return nil
	}
	row := timeRow()
	err := e.store.Update(ctx, []storage.Named{{Key: row}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		stored, err := decodeTime(tx.Value(0))
		if err != nil || stored >= now {
			return err
		}
		tx.Put(row, binary.BigEndian.AppendUint64(nil, uint64(now)))
		return nil
	})
	if err == nil {
		e.kept.Store(now)
	}
	return err
}

// Moment returns a Seq between what was acknowledged before and what begins afterwards.
func (e *Executor) Moment(ctx context.Context) (seq storage.Seq, err error) {
	row, now := timeRow(), e.Now().UnixMilli()
	err = e.store.Update(ctx, []storage.Named{{Key: row}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		stored, err := decodeTime(tx.Value(0))
		if err != nil {
			return err
		}
		seq = tx.Seq()
		tx.Put(row, binary.BigEndian.AppendUint64(nil, uint64(max(stored, now))))
		return nil
	})
	return seq, err
}
