package catalog

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// losingStore loses the answer to the next change of a table's row, which is applied or not.
type losingStore struct {
	storage.Store
	armed, applies bool
}

func (s *losingStore) lose(k []byte, apply func() error) error {
	row := key.AppendCatalog(nil, key.SubTable, "a")
	if !s.armed || string(k) != string(row) {
		return apply()
	}
	s.armed = false
	if s.applies {
		if err := apply(); err != nil {
			return err
		}
	}
	return storage.ErrUncertain
}

func (s *losingStore) Apply(ctx context.Context, b *storage.Batch, o storage.UpdateOptions) error {
	return s.lose(b.Ops[0].Key, func() error { return s.Store.Apply(ctx, b, o) })
}

func (s *losingStore) Update(ctx context.Context, n []storage.Named, o storage.UpdateOptions, fn func(storage.Tx) error) error {
	k := n[0].Key
	if len(n) > 1 {
		k = n[1].Key // the others change the row beside one of their own
	}
	return s.lose(k, func() error { return s.Store.Update(ctx, n, o, fn) })
}

// TestLostAnswers: a change of a table whose answer was lost is found out about before anything else is
// changed, so that the next change neither undoes it nor takes it for done.
func TestLostAnswers(t *testing.T) {
	ctx := context.Background()
	tag := func(k string) func(*Record) error {
		return func(r *Record) error {
			r.Tags = append(r.Tags, Tag{Key: k})
			return nil
		}
	}
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint(applied), func(t *testing.T) {
			e := newEnv(t)
			s := &losingStore{Store: e.store, applies: applied}
			c := e.open(s)
			lost := func(change func() error) {
				t.Helper()
				s.armed = true
				require.ErrorIs(t, change(), storage.ErrUncertain)
			}
			create := func() error { _, err := c.Create(ctx, record("a")); return err }
			update := func(change func(*Record) error) error {
				_, err := c.Update(ctx, "a", false, change)
				return err
			}
			agree := func() *Table {
				t.Helper()
				now, err := c.Lookup(ctx, "a")
				require.NoError(t, err)
				again := e.open(e.store)
				stored, err := again.Lookup(ctx, "a")
				require.NoError(t, err)
				require.Equal(t, stored.Record, now.Record)
				require.Equal(t, again.Streams(), c.Streams())
				return now
			}
			lost(create)
			if applied {
				require.ErrorIs(t, create(), ErrExists)
			} else {
				require.NoError(t, create())
			}
			lost(func() error { return update(tag("first")) })
			require.NoError(t, update(tag("second")))
			tags := []Tag{{Key: "second"}}
			if applied {
				tags = []Tag{{Key: "first"}, {Key: "second"}}
			}
			require.Equal(t, tags, agree().Tags)

			lost(func() error { return update(setStream(true)) })
			tb := agree()
			require.Equal(t, applied, tb.Streams())
			if !applied {
				require.NoError(t, update(setStream(true)))
				tb = agree()
			}
			path := StreamPath("a", tb.Stream.Label)
			require.NotNil(t, c.Stream(path))
			lost(func() error { return update(setStream(false)) })
			require.Equal(t, !applied, agree().Streams())
			require.Equal(t, applied, c.Stream(path).ClosedMs != 0)

			lost(func() error { _, err := c.Delete(ctx, "a", allow); return err })
			_, err := c.Lookup(ctx, "a")
			if applied {
				require.ErrorIs(t, err, ErrNotFound)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// brokenStore takes no more changes from some time on, as an LSM whose log has failed.
type brokenStore struct {
	storage.Store
	broken bool
}

func (s *brokenStore) Apply(ctx context.Context, b *storage.Batch, o storage.UpdateOptions) error {
	if s.broken {
		return storage.ErrUnavailable
	}
	return s.Store.Apply(ctx, b, o)
}

func (s *brokenStore) Update(ctx context.Context, n []storage.Named, o storage.UpdateOptions, fn func(storage.Tx) error) error {
	if s.broken {
		return storage.ErrUnavailable
	}
	return s.Store.Update(ctx, n, o, fn)
}

// TestADoubtThatStays: while the store takes no changes, a doubt about one table says nothing of others.
func TestADoubtThatStays(t *testing.T) {
	ctx := context.Background()
	e := newEnv(t)
	broken := &brokenStore{Store: e.store}
	losing := &losingStore{Store: broken}
	c := e.open(losing)
	_, err := c.Create(ctx, record("b"))
	require.NoError(t, err)
	_, err = c.Lookup(ctx, "b")
	require.NoError(t, err)
	losing.armed = true
	_, err = c.Create(ctx, record("a"))
	require.ErrorIs(t, err, storage.ErrUncertain)
	broken.broken = true
	_, err = c.Lookup(ctx, "a")
	require.ErrorIs(t, err, storage.ErrUnavailable)
	_, _, err = c.Names(ctx, "", 10)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	_, err = c.Lookup(ctx, "b")
	require.NoError(t, err)
	_, err = c.Lookup(ctx, "c")
	require.ErrorIs(t, err, ErrNotFound)
	broken.broken = false
	_, err = c.Lookup(ctx, "a")
	require.ErrorIs(t, err, ErrNotFound)
}
