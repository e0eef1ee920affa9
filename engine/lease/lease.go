// Package lease says who may do background work. A lease is a row: its owner, an epoch that grows
// with every change of the owner, and the time of its last beat. Every update of the work names the
// row, so that one of an owner who was deposed meanwhile fails; nothing depends on clocks agreeing.
//
// On a store that one process has for itself the newest taker always wins. On a shared one a lease
// is taken over when its owner has not beaten for the length of the lease.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

var (
	// ErrHeld: somebody else does the work.
	ErrHeld = errors.New("lease: held by another owner")
	// ErrLost: another owner has taken over.
	ErrLost = errors.New("lease: lost to another owner")
)

// Length is how long an owner may stay silent before another one takes over.
const Length = 10 * time.Second

// row is the stored form.
type row struct {
	Owner string `json:"owner"`
	Epoch uint64 `json:"epoch"`
	// BeatMs is the time of the last beat by the owner's clock, in milliseconds since 1970.
	BeatMs int64 `json:"beatMs"`
}

// Lease is held until another owner takes it. It is not safe for concurrent use.
type Lease struct {
	key []byte
	row row
}

// Take takes the lease of that name, or answers ErrHeld.
func Take(ctx context.Context, store storage.Store, name, owner string, now time.Time) (*Lease, error) {
	l := &Lease{key: key.AppendLease(nil, name)}
	shared := store.Limits().Shared
	err := store.Update(ctx, []storage.Named{{Key: l.key}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		old, err := decode(tx.Value(0))
		if err != nil {
			return err
		}
		if shared && old.Owner != owner && now.UnixMilli()-old.BeatMs < Length.Milliseconds() {
			return ErrHeld
		}
		l.row = row{Owner: owner, Epoch: old.Epoch + 1, BeatMs: now.UnixMilli()}
		return l.put(tx)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Named is the lease among the keys of an update of the work.
func (l *Lease) Named() storage.Named { return storage.Named{Key: l.key, Shared: true} }

// Check looks at the value of Named inside such an update; ErrLost must end it.
func (l *Lease) Check(v storage.Value) error {
	r, err := decode(v)
	if err == nil && (r.Owner != l.row.Owner || r.Epoch != l.row.Epoch) {
		err = ErrLost
	}
	return err
}

// Beat renews the lease when half of its length is over.
func (l *Lease) Beat(ctx context.Context, store storage.Store, now time.Time) error {
	if now.UnixMilli()-l.row.BeatMs < Length.Milliseconds()/2 {
		return nil
	}
	next := *l
	next.row.BeatMs = now.UnixMilli()
	err := store.Update(ctx, []storage.Named{{Key: l.key}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(0)); err != nil {
			return err
		}
		return next.put(tx)
	})
	if err == nil {
		l.row = next.row
	}
	return err
}

func (l *Lease) put(tx storage.Tx) error {
	b, err := json.Marshal(&l.row)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	tx.Put(l.key, b)
	return nil
}

func decode(v storage.Value) (row, error) {
	var r row
	if !v.Present {
		return r, nil
	}
	if err := json.Unmarshal(v.Data, &r); err != nil {
		return r, fmt.Errorf("lease: %w: %w", storage.ErrCorrupt, err)
	}
	return r, nil
}
