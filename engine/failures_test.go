package engine

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// failingStore answers every write with err while it is set, and the first ones with a plain conflict.
// Then the first keys of as many updates as busy says are held by a transaction.
type failingStore struct {
	storage.Store
	err             error
	conflicts, busy int
}

func (s *failingStore) fail() error {
	if s.conflicts > 0 {
		s.conflicts--
		return &storage.ConflictError{Key: []byte("k")}
	}
	return s.err
}

func (s *failingStore) Update(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
	if err := s.fail(); err != nil {
		return err
	}
	if s.busy > 0 {
		s.busy--
		return &storage.ConflictError{Key: named[0].Key, Multi: true}
	}
	return s.Store.Update(ctx, named, opts, fn)
}

func (s *failingStore) Apply(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.Store.Apply(ctx, batch, opts)
}

// openFailing opens a database without background work, which would meet the faults as well.
func openFailing(t *testing.T) (*failingStore, serialDB) {
	t.Helper()
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	s := &failingStore{Store: mem}
	return s, openSerialWith(t, s, Options{NoBackground: true})
}

// TestFailuresOfStorage: what storage reports and no client can mend is an internal error whose cause
// stays in it for the log; a conflict between plain writes is tried again and not seen.
func TestFailuresOfStorage(t *testing.T) {
	s, db := openFailing(t)
	write := func() []error {
		_, put := db.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some(serialTable), Item: serialItem(1, 1)})
		_, update := db.UpdateItem(t.Context(), &api.UpdateItemInput{
			TableName: api.Some(serialTable), Key: serialKey(1),
			UpdateExpression: api.Some("SET v = :v"), ExpressionAttributeValues: valueOf(2),
		})
		_, batch := db.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{
			RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: serialTable, Value: []api.WriteRequest{
				{PutRequest: &api.PutRequest{Item: serialItem(2, 1)}},
			}}},
		})
		_, transact := db.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{
			TransactItems: []api.TransactWriteItem{{Put: &api.Put{TableName: api.Some(serialTable), Item: serialItem(3, 1)}}},
		})
		_, table := db.UpdateTable(t.Context(), &api.UpdateTableInput{
			TableName: api.Some(serialTable), DeletionProtectionEnabled: api.Some(true),
		})
		return []error{put, update, batch, transact, table}
	}
	for cause, code := range map[error]api.Code{
		storage.ErrUncertain: api.InternalServerError, storage.ErrFull: api.InternalServerError,
		storage.ErrReadOnly: api.InternalServerError, storage.ErrTooLarge: api.InternalServerError,
		storage.ErrConflict: api.InternalServerError, storage.ErrUnavailable: api.Unavailable,
		storage.ErrClosed: api.Unavailable, storage.ErrCorrupt: api.DataLoss,
	} {
		s.err = cause
		for i, err := range write() {
			require.ErrorIs(t, err, cause, i)
			require.Equal(t, code, api.CodeOf(err), i)
		}
	}
	s.err = nil
	for _, item := range []attr.Item{serialItem(1, 1), serialItem(2, 1)} {
		s.conflicts = storage.ConflictRetriesMax
		_, err := db.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some(serialTable), Item: item})
		require.NoError(t, err)
	}
	s.conflicts = storage.ConflictRetriesMax
	_, err := db.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName: api.Some(serialTable), DeletionProtectionEnabled: api.Some(true),
	})
	require.NoError(t, err, "the control plane too")
}

// TestReady: a store that waits for room is ready, one that has given up is not.
func TestReady(t *testing.T) {
	s, db := openFailing(t)
	for cause, want := range map[error]bool{
		nil: true, storage.ErrFull: true, &storage.ConflictError{Key: []byte("k")}: true,
		storage.ErrUnavailable: false, storage.ErrClosed: false, storage.ErrCorrupt: false, context.Canceled: false,
	} {
		s.err = cause
		require.Equal(t, want, db.Ready(t.Context()), "%v", cause)
	}
}

// TestUnprocessedItems: a request of a batch whose item a transaction holds comes back, the others are
// done; sent again it is done too (wire-facts §6.12, §6.13).
func TestUnprocessedItems(t *testing.T) {
	s, db := openFailing(t)
	const items = 5
	in := &api.BatchWriteItemInput{
		RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: serialTable}},
		// Units depend on what was there, so the batch has to read and meets the transaction.
		ReturnConsumedCapacity: api.Some(api.ReturnConsumedCapacityTotal),
	}
	for i := range items {
		in.RequestItems[0].Value = append(in.RequestItems[0].Value,
			api.WriteRequest{PutRequest: &api.PutRequest{Item: serialItem(i, 1)}})
	}
	s.busy = 2
	out, err := db.BatchWriteItem(t.Context(), in)
	require.NoError(t, err)
	require.Len(t, out.UnprocessedItems, 1)
	require.Equal(t, serialTable, out.UnprocessedItems[0].Key)
	require.Equal(t, in.RequestItems[0].Value[:2], out.UnprocessedItems[0].Value)
	require.Equal(t, float64(items-2), out.ConsumedCapacity[0].CapacityUnits.Value, "what was not done costs nothing")
	require.ErrorContains(t, db.sum(items, items), "the accounts hold 3, not 5")

	in.RequestItems = out.UnprocessedItems
	out, err = db.BatchWriteItem(t.Context(), in)
	require.NoError(t, err)
	require.Empty(t, out.UnprocessedItems)
	require.NoError(t, db.sum(items, items))

	s.busy = 1
	_, err = db.UpdateItem(t.Context(), &api.UpdateItemInput{TableName: api.Some(serialTable), Key: serialKey(1)})
	requireError(t, err, api.TransactionConflict, "Transaction is ongoing for the item")
}
