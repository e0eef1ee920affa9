package engine

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

// conflictStores are the stores that transactions are met on. The hostile one does not rerun fn here:
// a run that is thrown away holds no keys.
func conflictStores(t *testing.T) map[string]storage.Store {
	db, err := lsm.Open("", lsm.Options{InMemory: true})
	require.NoError(t, err)
	hostile := memstore.Hostile(1)
	hostile.Rerun = 0
	mem, err := memstore.Open(hostile)
	require.NoError(t, err)
	return map[string]storage.Store{"lsm": db, "hostile": mem}
}

// Items of the transaction that is stopped: it writes one, checks another and leaves the third alone.
const (
	itemWritten = iota
	itemChecked
	itemFree
)

// stopTransaction starts the transaction and returns when it holds its items; done is closed when it
// has been answered.
func stopTransaction(t *testing.T, db serialDB, s *storagetest.Stalling) (stall *storagetest.Stall, done chan struct{}) {
	stall, done = s.StopNext(), make(chan struct{})
	go func() {
		defer close(done)
		_, err := db.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
			{Put: &api.Put{TableName: api.Some(serialTable), Item: serialItem(itemWritten, 7)}},
			{ConditionCheck: &api.ConditionCheck{
				TableName: api.Some(serialTable), Key: serialKey(itemChecked),
				ConditionExpression: api.Some("attribute_not_exists(nowhere)"),
			}},
		}})
		assert.NoError(t, err)
	}()
	<-stall.Reached
	return stall, done
}

func (d serialDB) put(i int, v storagetest.Cell) error {
	_, err := d.PutItem(d.ctx, &api.PutItemInput{TableName: api.Some(serialTable), Item: serialItem(i, v)})
	return err
}

func (d serialDB) putMetered(i int) error {
	_, err := d.PutItem(d.ctx, &api.PutItemInput{
		TableName: api.Some(serialTable), Item: serialItem(i, 1),
		ReturnConsumedCapacity: api.Some(api.ReturnConsumedCapacityTotal),
	})
	return err
}

func (d serialDB) remove(i int) error {
	_, err := d.DeleteItem(d.ctx, &api.DeleteItemInput{TableName: api.Some(serialTable), Key: serialKey(i)})
	return err
}

func (d serialDB) set(i int) error {
	_, err := d.UpdateItem(d.ctx, &api.UpdateItemInput{
		TableName: api.Some(serialTable), Key: serialKey(i),
		UpdateExpression: api.Some("SET v = :v"), ExpressionAttributeValues: valueOf(3),
	})
	return err
}

func (d serialDB) get(t *testing.T, i int) storagetest.Cell {
	out, err := d.GetItem(d.ctx, &api.GetItemInput{TableName: api.Some(serialTable), Key: serialKey(i)})
	require.NoError(t, err)
	return cellIn(out.Item)
}

func (d serialDB) transactPut(items ...int) error {
	in := &api.TransactWriteItemsInput{}
	for _, i := range items {
		in.TransactItems = append(in.TransactItems, api.TransactWriteItem{
			Put: &api.Put{TableName: api.Some(serialTable), Item: serialItem(i, 4)},
		})
	}
	_, err := d.TransactWriteItems(d.ctx, in)
	return err
}

func (d serialDB) transactCheck(i int) error {
	_, err := d.TransactWriteItems(d.ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{ConditionCheck: &api.ConditionCheck{
			TableName: api.Some(serialTable), Key: serialKey(i),
			ConditionExpression: api.Some("attribute_not_exists(nowhere)"),
		}},
	}})
	return err
}

func (d serialDB) transactGet(items ...int) error {
	in := &api.TransactGetItemsInput{}
	for _, i := range items {
		in.TransactItems = append(in.TransactItems, api.TransactGetItem{
			Get: &api.Get{TableName: api.Some(serialTable), Key: serialKey(i)},
		})
	}
	_, err := d.TransactGetItems(d.ctx, in)
	return err
}

func (d serialDB) statement(i string) error {
	_, err := d.ExecuteStatement(d.ctx, &api.ExecuteStatementInput{
		Statement: api.Some("UPDATE " + serialTable + " SET v=5 WHERE pk='k" + i + "'"),
	})
	return err
}

func (d serialDB) batch(mode string, items ...int) (*api.BatchWriteItemOutput, error) {
	in := &api.BatchWriteItemInput{
		RequestItems:           []api.BatchWriteItemRequestMapEntry{{Key: serialTable}},
		ReturnConsumedCapacity: api.Some(mode),
	}
	for _, i := range items {
		in.RequestItems[0].Value = append(in.RequestItems[0].Value,
			api.WriteRequest{PutRequest: &api.PutRequest{Item: serialItem(i, 6)}})
	}
	return d.BatchWriteItem(d.ctx, in)
}

// requireConflicts asserts a cancelled transaction whose second action met the other one.
func requireConflicts(t *testing.T, err error) {
	t.Helper()
	var e *api.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, api.TransactionCanceled, e.Code)
	require.Equal(t, "Transaction cancelled, please refer cancellation reasons for specific reasons "+
		"[None, TransactionConflict]", e.Message)
	require.Equal(t, []api.CancellationReason{
		{Code: api.Some("None")},
		{Code: api.Some("TransactionConflict"), Message: api.Some("Transaction is ongoing for the item")},
	}, e.Reasons)
}

// TestWhatMeetsATransaction: every kind of write, and a transaction that reads, that meets a running
// transaction on its items is refused and changes nothing (wire-facts §1.4, §6.13, §6.14).
func TestWhatMeetsATransaction(t *testing.T) {
	for name, store := range conflictStores(t) {
		t.Run(name, func(t *testing.T) {
			s := &storagetest.Stalling{Store: store}
			db := openSerial(t, s)
			require.NoError(t, db.put(itemWritten, 1))
			require.NoError(t, db.put(itemChecked, 1))
			stall, done := stopTransaction(t, db, s)
			for what, err := range map[string]error{
				"put": db.put(itemWritten, 2), "put over the checked": db.put(itemChecked, 2),
				"put with capacity": db.putMetered(itemWritten), "delete": db.remove(itemWritten),
				"update": db.set(itemWritten), "statement": db.statement("0"),
			} {
				var e *api.Error
				require.ErrorAs(t, err, &e, what)
				require.Equal(t, api.TransactionConflict, e.Code, what)
				require.Equal(t, "Transaction is ongoing for the item", e.Message, what)
			}
			requireConflicts(t, db.transactPut(itemFree, itemWritten))
			requireConflicts(t, db.transactPut(itemFree, itemChecked))
			requireConflicts(t, db.transactGet(itemFree, itemWritten))
			require.NoError(t, db.transactGet(itemFree, itemChecked), "both only read")
			require.NoError(t, db.transactCheck(itemChecked), "both only read")
			for _, mode := range []string{api.ReturnConsumedCapacityNone, api.ReturnConsumedCapacityTotal} {
				require.Equal(t, storagetest.Cell(0), db.get(t, itemFree))
				out, err := db.batch(mode, itemWritten, itemFree, itemChecked)
				require.NoError(t, err)
				require.Len(t, out.UnprocessedItems, 1)
				require.Len(t, out.UnprocessedItems[0].Value, 2)
				require.Equal(t, serialItem(itemWritten, 6), out.UnprocessedItems[0].Value[0].PutRequest.Item)
				require.Equal(t, serialItem(itemChecked, 6), out.UnprocessedItems[0].Value[1].PutRequest.Item)
				require.Equal(t, storagetest.Cell(6), db.get(t, itemFree))
				require.NoError(t, db.remove(itemFree))
			}
			require.Equal(t, storagetest.Cell(1), db.get(t, itemWritten), "plain reads see what was before")
			close(stall.Release)
			<-done
			require.Equal(t, storagetest.Cell(7), db.get(t, itemWritten))
			require.Equal(t, storagetest.Cell(1), db.get(t, itemChecked))
			require.NoError(t, db.put(itemWritten, 2), "it is over")
			require.NoError(t, db.transactGet(itemFree, itemWritten))
		})
	}
}

// TestWaitingForATransaction: with the option the same requests wait, and come behind it.
func TestWaitingForATransaction(t *testing.T) {
	for name, store := range conflictStores(t) {
		t.Run(name, func(t *testing.T) {
			s := &storagetest.Stalling{Store: store}
			db := openSerialWith(t, s, Options{WaitOnConflict: true})
			stall, done := stopTransaction(t, db, s)
			require.NoError(t, db.transactGet(itemFree, itemWritten), "reads need not wait: they see what was before")
			var behind sync.WaitGroup
			for _, do := range []func() error{
				func() error { return db.put(itemWritten, 2) },
				func() error { return db.putMetered(itemWritten) },
				func() error { return db.remove(itemWritten) },
				func() error { return db.set(itemWritten) },
				func() error { return db.put(itemChecked, 2) },
				func() error { return db.transactPut(itemFree, itemWritten) },
				func() error {
					out, err := db.batch(api.ReturnConsumedCapacityNone, itemWritten, itemFree)
					if err == nil {
						assert.Empty(t, out.UnprocessedItems)
					}
					return err
				},
			} {
				behind.Go(func() { assert.NoError(t, do()) })
			}
			close(stall.Release)
			behind.Wait()
			<-done
			require.NotEqual(t, storagetest.Cell(7), db.get(t, itemWritten), "all of them came behind it")
		})
	}
}
