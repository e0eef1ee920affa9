package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// writesStore counts the updates and batches that change something.
type writesStore struct {
	storage.Store
	writes atomic.Int64
}

func (s *writesStore) Update(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
	wrote := false
	err := s.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
		w := &writesTx{Tx: tx}
		err := fn(w)
		wrote = w.wrote
		return err
	})
	if err == nil && wrote {
		s.writes.Add(1)
	}
	return err
}

func (s *writesStore) Apply(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
	s.writes.Add(1)
	return s.Store.Apply(ctx, batch, opts)
}

type writesTx struct {
	storage.Tx
	wrote bool
}

func (t *writesTx) Put(key, value []byte) { t.wrote = true; t.Tx.Put(key, value) }
func (t *writesTx) Delete(key []byte)     { t.wrote = true; t.Tx.Delete(key) }

// TestAnItemAndWhatFollowsItAreOneBatch: its entries in indexes, its stream record, its row of expiry, the
// size of its collection and the token of its transaction. A crash between two batches would leave index
// entries without items, or changes that no consumer of the stream sees.
func TestAnItemAndWhatFollowsItAreOneBatch(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	s := &writesStore{Store: mem}
	c := newClock(time.Unix(1_800_000_000, 0))
	db, err := OpenStore(s, Options{NoBackground: true, Clock: c.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	d := &testDB{DB: db, t: t, clock: c}
	d.events("NEW_AND_OLD_IMAGES")
	ctx, name := t.Context(), api.Some("orders")
	_, err = d.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName:               name,
		TimeToLiveSpecification: &api.TimeToLiveSpecification{Enabled: api.Some(true), AttributeName: api.Some("end")},
	})
	require.NoError(t, err)
	item := func(pk, g string) *attr.Builder {
		return attr.NewItem().S("pk", pk).N("sk", "1").S("g", g).N("h", "1").S("l", g).N("end", "4000000000")
	}
	transact := func(token string) error {
		in := &api.TransactWriteItemsInput{ClientRequestToken: api.Some(token)}
		for i := range 5 {
			in.TransactItems = append(in.TransactItems, api.TransactWriteItem{
				Put: &api.Put{TableName: name, Item: d.build(item(fmt.Sprint("x", i), token))},
			})
		}
		_, err := d.TransactWriteItems(ctx, in)
		return err
	}
	require.NoError(t, transact("first")) // stores the time, too, as the first one of ten minutes does
	for _, step := range []struct {
		name  string
		write func() error
	}{
		{"put", func() error { d.put(item("a", "1")); return nil }},
		{"put over", func() error { d.put(item("a", "2")); return nil }},
		{"update", func() error {
			_, err := d.UpdateItem(ctx, &api.UpdateItemInput{
				TableName: name, Key: d.build(attr.NewItem().S("pk", "a").N("sk", "1")),
				UpdateExpression: api.Some("SET h = :v REMOVE l"), ExpressionAttributeValues: valueOf(3),
			})
			return err
		}},
		{"delete", func() error { d.remove("a", "1"); return nil }},
		{"transaction", func() error { return transact("second") }},
		{"statement", func() error {
			_, err := d.ExecuteStatement(ctx, &api.ExecuteStatementInput{
				Statement: api.Some(`UPDATE "orders" SET g = 'n' WHERE pk = 'x1' AND sk = 1`),
			})
			return err
		}},
	} {
		before := s.writes.Load()
		require.NoError(t, step.write(), step.name)
		require.Equal(t, int64(1), s.writes.Load()-before, step.name)
	}
}
