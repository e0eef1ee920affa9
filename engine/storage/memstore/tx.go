package memstore

import (
	"bytes"
	"fmt"

	"github.com/keystone-db/kstone/engine/storage"
)

// write is one Put or Delete of fn: what was given, to see that it stays unchanged, and a copy.
type write struct {
	givenKey, givenValue []byte
	key                  string
	value                []byte
	present              bool
}

// tx is one run of fn.
type tx struct {
	core   *core
	values []storage.Value
	writes []write
	seq    storage.Seq
	over   bool // fn has returned
}

// Value implements storage.Tx.
func (t *tx) Value(i int) storage.Value { return t.values[i] }

// Put implements storage.Tx.
func (t *tx) Put(key, value []byte) {
	t.writes = append(t.writes, write{
		givenKey: key, givenValue: value,
		key: string(key), value: append([]byte{}, value...), present: true,
	})
}

// Delete implements storage.Tx.
func (t *tx) Delete(key []byte) {
	t.writes = append(t.writes, write{givenKey: key, key: string(key)})
}

// Seq implements storage.Tx.
func (t *tx) Seq() storage.Seq {
	if t.seq == 0 && !t.over {
		t.seq = t.core.seqs.take()
	}
	return t.seq
}

// end closes the run: slices given to fn die.
func (t *tx) end() {
	t.over = true
	if t.core.opts.Mangle {
		for _, v := range t.values {
			mangle(v.Data)
		}
	}
}

// abandon ends a run whose result is thrown away.
func (t *tx) abandon() {
	t.end()
	t.core.seqs.finish(t.seq)
}

// checkUnchanged verifies that fn's caller did not reuse a slice that it had given to Put.
func (t *tx) checkUnchanged() error {
	for _, w := range t.writes {
		if string(w.givenKey) != w.key || !bytes.Equal(w.givenValue, w.value) {
			return fmt.Errorf("%w: key or value changed after Put of %x", ErrMisuse, w.key)
		}
	}
	return nil
}

// runTx runs fn on the given values. A panic of fn leaves no trace.
func (c *core) runTx(values []storage.Value, fn func(storage.Tx) error) (t *tx, err error) {
	t = &tx{core: c, values: values}
	returned := false
	defer func() {
		if !returned {
			t.abandon()
		}
	}()
	err = fn(t)
	returned = true
	return t, err
}

// commitOf turns a run's writes into a commit, checking limits and the guard rule's first half.
func (c *core) commitOf(writes []write, claims []*claim, multi bool) (*commit, error) {
	cm := &commit{writes: make(map[string]*version, len(writes))}
	size := 0
	for _, w := range writes {
		if len(w.key) > storage.KeyMaxBytes || len(w.value) > storage.ValueMaxBytes {
			return nil, storage.ErrTooLarge
		}
		size += len(w.key) + len(w.value)
		cm.writes[w.key] = &version{value: w.value, present: w.present, multi: multi}
	}
	if size > c.opts.MaxUpdate {
		return nil, storage.ErrTooLarge
	}
	for _, cl := range claims {
		if !cl.shared {
			cm.owned = append(cm.owned, cl.key) // sorted, because claims are
		}
		if cm.writes[cl.key] == nil {
			cm.reads = append(cm.reads, cl.key)
		} else if cl.shared {
			return nil, fmt.Errorf("%w: write of key %x, which is named as shared", ErrMisuse, cl.key)
		}
	}
	return cm, nil
}

// mangle overwrites a slice whose validity has ended.
func mangle(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}
