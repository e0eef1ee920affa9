package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

// serialStores are the backends on which transactions are proven strictly serializable.
func serialStores() map[string]func(t *testing.T, seed uint64) storage.Store {
	memory := func(change func(*memstore.Options)) func(*testing.T, uint64) storage.Store {
		return func(t *testing.T, seed uint64) storage.Store {
			opts := memstore.Hostile(seed)
			change(&opts)
			s, err := memstore.Open(opts)
			require.NoError(t, err)
			return s
		}
	}
	return map[string]func(*testing.T, uint64) storage.Store{
		"lsm": func(t *testing.T, _ uint64) storage.Store {
			s, err := lsm.Open("", lsm.Options{InMemory: true})
			require.NoError(t, err)
			return s
		},
		"hostile":   memory(func(*memstore.Options) {}),
		"conflicts": memory(func(o *memstore.Options) { o.Conflict = 0.02 }),
		"uncertain": memory(func(o *memstore.Options) { o.Uncertain, o.Unavailable = 0.02, 0.01 }),
	}
}

// serialDB is a database with one table of items {pk: "k<i>", v: number}.
type serialDB struct {
	*DB
	ctx context.Context
}

const serialTable = "serial"

func openSerial(t *testing.T, store storage.Store) serialDB {
	t.Helper()
	return openSerialWith(t, store, Options{})
}

func openSerialWith(t *testing.T, store storage.Store, opts Options) serialDB {
	t.Helper()
	db, err := OpenStore(store, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	in := &api.CreateTableInput{
		TableName:   api.Some(serialTable),
		BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema: []api.KeySchemaElement{
			{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")},
		},
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("pk"), AttributeType: api.Some("S")},
		},
	}
	settled(t, func() error {
		_, err := db.CreateTable(t.Context(), in)
		if codeOf(err) == api.ResourceInUse {
			return nil
		}
		return err
	})
	return serialDB{DB: db, ctx: t.Context()}
}

// settled repeats an idempotent preparation on a store that loses answers.
func settled(t *testing.T, do func() error) {
	t.Helper()
	const attempts = 50
	var err error
	for range attempts {
		if err = do(); err == nil {
			return
		}
	}
	require.NoError(t, err)
}

func serialKey(i int) attr.Item {
	it, _ := attr.NewItem().S("pk", fmt.Sprint("k", i)).Build()
	return it
}

func serialItem(i int, v storagetest.Cell) attr.Item {
	it, _ := attr.NewItem().S("pk", fmt.Sprint("k", i)).N("v", fmt.Sprint(v)).Build()
	return it
}

// cellIn reads v of an item; an absent item is 0.
func cellIn(it attr.Item) storagetest.Cell {
	if it == nil {
		return 0
	}
	n, ok := numberOf(it.Get("v"))
	if !ok {
		return -1 // no write of a history
	}
	return storagetest.Cell(n)
}

func valueOf(v storagetest.Cell) []api.NamedValue {
	n, _ := attr.Number(fmt.Sprint(v))
	return []api.NamedValue{{Placeholder: ":v", Value: n}}
}

// codeOf is the code of an error, empty for none.
func codeOf(err error) api.Code {
	var e *api.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	}
	return api.Code(err.Error())
}

// refusedByConflict says whether nothing happened because someone was in the way.
func refusedByConflict(err error) bool {
	var e *api.Error
	if !errors.As(err, &e) {
		return errors.Is(err, storage.ErrConflict)
	}
	for _, r := range e.Reasons {
		if r.Code.Value == "TransactionConflict" {
			return true
		}
	}
	return e.Code == "TransactionConflictException"
}

// grade turns an operation's error into its outcome.
func grade(err error) (storagetest.Outcome, error) {
	if err == nil {
		return storagetest.Done, nil
	}
	switch {
	case refusedByConflict(err):
		return storagetest.Never, nil
	case errors.Is(err, storage.ErrUncertain), errors.Is(err, storage.ErrUnavailable),
		codeOf(err) == api.InternalServerError:
		return storagetest.Maybe, nil // an unknown outcome, as far as a client can tell
	}
	return storagetest.Never, err
}

// serialClient makes recorded operations.
type serialClient struct {
	serialDB
	h    *storagetest.History
	id   int
	keys int // items of this history begin at base
	base int
	rnd  *rand.Rand
}

func (c *serialClient) one(rnd int) error {
	k := c.rnd.IntN(c.keys)
	switch rnd {
	case 0:
		return c.getItem(k)
	case 1:
		return c.transactGet()
	case 2:
		return c.batchGet()
	case 3:
		return c.put(k, c.rnd.IntN(2) == 0)
	case 4:
		return c.delete(k)
	case 5:
		return c.updateItem(k)
	}
	return c.transactWrite()
}

func (c *serialClient) getItem(k int) (err error) {
	c.h.Record(c.id, func() (s storagetest.Step) {
		out, e := c.GetItem(c.ctx, &api.GetItemInput{
			TableName: api.Some(serialTable), Key: serialKey(c.base + k), ConsistentRead: api.Some(true),
		})
		if e == nil {
			s.Reads = []storagetest.Access{{Key: k, Value: cellIn(out.Item)}}
		}
		s.Outcome, err = grade(e)
		return s
	})
	return err
}

func (c *serialClient) transactGet() (err error) {
	c.h.Record(c.id, func() (s storagetest.Step) {
		in := &api.TransactGetItemsInput{}
		for k := range c.keys {
			in.TransactItems = append(in.TransactItems, api.TransactGetItem{Get: &api.Get{
				TableName: api.Some(serialTable), Key: serialKey(c.base + k),
			}})
		}
		out, e := c.TransactGetItems(c.ctx, in)
		if e == nil {
			for k, r := range out.Responses {
				s.Reads = append(s.Reads, storagetest.Access{Key: k, Value: cellIn(r.Item)})
			}
		}
		s.Outcome, err = grade(e)
		return s
	})
	return err
}

// batchGet is not a transaction: each item is read at an instant of its own.
func (c *serialClient) batchGet() (err error) {
	c.h.RecordAll(c.id, func() (steps []storagetest.Step) {
		var keys []attr.Item
		for k := range c.keys {
			keys = append(keys, serialKey(c.base+k))
		}
		out, e := c.BatchGetItem(c.ctx, &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
			{Key: serialTable, Value: api.KeysAndAttributes{Keys: keys, ConsistentRead: api.Some(true)}},
		}})
		if e != nil {
			_, err = grade(e)
			return nil
		}
		if len(out.UnprocessedKeys) > 0 {
			err = errors.New("unprocessed keys of a small batch")
			return nil
		}
		found := map[string]attr.Item{}
		for _, entry := range out.Responses {
			for _, it := range entry.Value {
				found[string(it.Get("pk"))] = it
			}
		}
		for k := range c.keys {
			it := found[string(serialKey(c.base+k).Get("pk"))]
			steps = append(steps, storagetest.Step{
				Reads: []storagetest.Access{{Key: k, Value: cellIn(it)}},
			})
		}
		return steps
	})
	return err
}

func (c *serialClient) put(k int, old bool) (err error) {
	c.h.Record(c.id, func() (s storagetest.Step) {
		v := c.h.NewValue()
		in := &api.PutItemInput{TableName: api.Some(serialTable), Item: serialItem(c.base+k, v)}
		if old {
			in.ReturnValues = api.Some("ALL_OLD")
		}
		out, e := c.PutItem(c.ctx, in)
		s.Writes = []storagetest.Access{{Key: k, Value: v}}
		if e == nil && old {
			s.Reads = []storagetest.Access{{Key: k, Value: cellIn(out.Attributes)}}
		}
		s.Outcome, err = grade(e)
		return s
	})
	return err
}

func (c *serialClient) delete(k int) (err error) {
	c.h.Record(c.id, func() (s storagetest.Step) {
		out, e := c.DeleteItem(c.ctx, &api.DeleteItemInput{
			TableName: api.Some(serialTable), Key: serialKey(c.base + k), ReturnValues: api.Some("ALL_OLD"),
		})
		s.Writes = []storagetest.Access{{Key: k}}
		if e == nil {
			s.Reads = []storagetest.Access{{Key: k, Value: cellIn(out.Attributes)}}
		}
		s.Outcome, err = grade(e)
		return s
	})
	return err
}

func (c *serialClient) updateItem(k int) (err error) {
	c.h.Record(c.id, func() (s storagetest.Step) {
		v := c.h.NewValue()
		out, e := c.UpdateItem(c.ctx, &api.UpdateItemInput{
			TableName: api.Some(serialTable), Key: serialKey(c.base + k), ReturnValues: api.Some("ALL_OLD"),
			UpdateExpression: api.Some("SET v = :v"), ExpressionAttributeValues: valueOf(v),
		})
		s.Writes = []storagetest.Access{{Key: k, Value: v}}
		if e == nil {
			s.Reads = []storagetest.Access{{Key: k, Value: cellIn(out.Attributes)}}
		}
		s.Outcome, err = grade(e)
		return s
	})
	return err
}

// transactWrite checks some items against what a read just showed and writes the others. A failed
// check is a read as well: it returns the item that it found.
func (c *serialClient) transactWrite() (err error) {
	order := c.rnd.Perm(c.keys)
	cut := c.rnd.IntN(c.keys)
	expected := make([]storagetest.Cell, cut)
	for i, k := range order[:cut] {
		out, e := c.GetItem(c.ctx, &api.GetItemInput{
			TableName: api.Some(serialTable), Key: serialKey(c.base + k), ConsistentRead: api.Some(true),
		})
		if e != nil {
			return e
		}
		expected[i] = cellIn(out.Item)
	}
	c.h.Record(c.id, func() (s storagetest.Step) {
		in := &api.TransactWriteItemsInput{}
		for i, k := range order[:cut] {
			in.TransactItems = append(in.TransactItems,
				api.TransactWriteItem{ConditionCheck: c.check(k, expected[i])})
			s.Reads = append(s.Reads, storagetest.Access{Key: k, Value: expected[i]})
		}
		for _, k := range order[cut:] {
			v := c.h.NewValue()
			in.TransactItems = append(in.TransactItems, c.write(k, v))
			s.Writes = append(s.Writes, storagetest.Access{Key: k, Value: v})
		}
		_, e := c.TransactWriteItems(c.ctx, in)
		var cancelled *api.Error
		if errors.As(e, &cancelled) && len(cancelled.Reasons) > 0 && !refusedByConflict(e) {
			s = storagetest.Step{}
			for i, r := range cancelled.Reasons {
				if r.Code.Value == "ConditionalCheckFailed" {
					s.Reads = append(s.Reads, storagetest.Access{Key: order[i], Value: cellIn(r.Item)})
				}
			}
			e = nil
		}
		s.Outcome, err = grade(e)
		return s
	})
	return err
}

func (c *serialClient) check(k int, want storagetest.Cell) *api.ConditionCheck {
	check := &api.ConditionCheck{
		TableName: api.Some(serialTable), Key: serialKey(c.base + k),
		ConditionExpression:                 api.Some("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: api.Some("ALL_OLD"),
	}
	if want != 0 {
		check.ConditionExpression = api.Some("v = :v")
		check.ExpressionAttributeValues = valueOf(want)
	}
	return check
}

func (c *serialClient) write(k int, v storagetest.Cell) api.TransactWriteItem {
	if c.rnd.IntN(2) == 0 {
		return api.TransactWriteItem{Put: &api.Put{
			TableName: api.Some(serialTable), Item: serialItem(c.base+k, v),
		}}
	}
	return api.TransactWriteItem{Update: &api.Update{
		TableName: api.Some(serialTable), Key: serialKey(c.base + k),
		UpdateExpression: api.Some("SET v = :v"), ExpressionAttributeValues: valueOf(v),
	}}
}

// crowd runs f in n goroutines.
func crowd(n int, f func(worker int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// recordHistory runs one short history on items of its own and returns it at rest.
func recordHistory(t *testing.T, db serialDB, round, keys int) *storagetest.History {
	t.Helper()
	const clients, ops = 5, 12
	h := &storagetest.History{}
	require.NoError(t, crowd(clients, func(id int) error {
		c := &serialClient{
			serialDB: db, h: h, id: id, keys: keys, base: round * storagetest.HistoryKeys,
			rnd: rand.New(rand.NewPCG(uint64(round), uint64(id))),
		}
		for range ops {
			if err := c.one(c.rnd.IntN(10)); err != nil {
				return err
			}
		}
		return nil
	}))
	return h
}

func TestHistoriesAreStrictlySerializable(t *testing.T) {
	for name, open := range serialStores() {
		t.Run(name, func(t *testing.T) {
			db := openSerial(t, open(t, 3))
			for round := range 25 {
				h := recordHistory(t, db, round, 1+round%4)
				require.NoError(t, h.Check())
			}
		})
	}
}

// TestBankTransfers moves money with transactions while others read all accounts at once, in a
// batch, and touch them with single writes that leave the money alone.
func TestBankTransfers(t *testing.T) {
	const accounts, balance, movers, moves = 8, 1000, 4, 40
	for name, open := range serialStores() {
		t.Run(name, func(t *testing.T) {
			db := openSerial(t, open(t, 5))
			for i := range accounts {
				settled(t, func() error {
					_, err := db.PutItem(db.ctx, &api.PutItemInput{
						TableName: api.Some(serialTable), Item: serialItem(i, balance),
					})
					return err
				})
			}
			var over atomic.Bool
			var moving sync.WaitGroup
			moving.Add(movers)
			go func() { moving.Wait(); over.Store(true) }()
			// All of those below may be in someone's way.
			settled(t, func() error { return db.transfer(0, 1, 1) })
			require.NoError(t, crowd(movers+3, func(w int) error {
				rnd := rand.New(rand.NewPCG(uint64(w), 9))
				if w < movers {
					defer moving.Done()
					for range moves {
						pair := rnd.Perm(accounts)[:2]
						err := db.transfer(pair[0], pair[1], storagetest.Cell(1+rnd.IntN(400)))
						if codeOf(err) == api.TransactionCanceled {
							continue // too poor, or in someone's way
						}
						if _, err = grade(err); err != nil {
							return err
						}
					}
					return nil
				}
				for last := false; !last; {
					last = over.Load()
					runtime.Gosched() // or the movers come no further on few processors
					if err := db.watch(w-movers, rnd, accounts, accounts*balance); err != nil {
						return err
					}
				}
				return nil
			}))
			require.NoError(t, db.sum(accounts, accounts*balance))
		})
	}
}

// transfer moves money from one account to another.
func (d serialDB) transfer(from, to int, money storagetest.Cell) error {
	amount := valueOf(money)
	_, err := d.TransactWriteItems(d.ctx, &api.TransactWriteItemsInput{
		TransactItems: []api.TransactWriteItem{
			{Update: &api.Update{
				TableName: api.Some(serialTable), Key: serialKey(from),
				UpdateExpression:    api.Some("SET v = v - :v"),
				ConditionExpression: api.Some("v >= :v"), ExpressionAttributeValues: amount,
			}},
			{Update: &api.Update{
				TableName: api.Some(serialTable), Key: serialKey(to),
				UpdateExpression: api.Some("SET v = v + :v"), ExpressionAttributeValues: amount,
			}},
		},
	})
	return err
}

// watch is one look or touch of someone who moves no money.
func (d serialDB) watch(role int, rnd *rand.Rand, accounts, want int) error {
	switch role {
	case 0:
		return d.sum(accounts, want)
	case 1:
		_, err := d.UpdateItem(d.ctx, &api.UpdateItemInput{
			TableName: api.Some(serialTable), Key: serialKey(rnd.IntN(accounts)),
			UpdateExpression:          api.Some("SET touched = :v"),
			ExpressionAttributeValues: valueOf(storagetest.Cell(rnd.IntN(100))),
		})
		_, err = grade(err)
		return err
	}
	_, err := d.BatchGetItem(d.ctx, &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{{
		Key: serialTable, Value: api.KeysAndAttributes{Keys: []attr.Item{serialKey(0), serialKey(1)}},
	}}})
	if err == nil {
		_, err = d.PutItem(d.ctx, &api.PutItemInput{
			TableName: api.Some(serialTable), Item: serialItem(accounts+rnd.IntN(3), 1),
		})
	}
	_, err = grade(err)
	return err
}

// sum reads all accounts in one transaction.
func (d serialDB) sum(accounts, want int) error {
	in := &api.TransactGetItemsInput{}
	for i := range accounts {
		in.TransactItems = append(in.TransactItems, api.TransactGetItem{Get: &api.Get{
			TableName: api.Some(serialTable), Key: serialKey(i),
		}})
	}
	out, err := d.TransactGetItems(d.ctx, in)
	if err != nil {
		_, err = grade(err)
		return err
	}
	got := 0
	for _, r := range out.Responses {
		got += int(cellIn(r.Item))
	}
	if got != want {
		return fmt.Errorf("the accounts hold %d, not %d", got, want)
	}
	return nil
}

// unlockedStore reads some named keys without protecting them: all of them, or the shared ones.
type unlockedStore struct {
	storage.Store
	all bool
}

// unlockedTx answers for the keys that were read without a lock.
type unlockedTx struct {
	storage.Tx
	loose map[int]storage.Value
	at    map[int]int
}

func (t unlockedTx) Value(i int) storage.Value {
	if v, ok := t.loose[i]; ok {
		return v
	}
	return t.Tx.Value(t.at[i])
}

func (u unlockedStore) Update(
	ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error,
) error {
	tx := unlockedTx{loose: map[int]storage.Value{}, at: map[int]int{}}
	var kept []storage.Named
	for i, n := range named {
		if !n.Shared && !u.all {
			tx.at[i] = len(kept)
			kept = append(kept, n)
			continue
		}
		v, err := u.Store.Get(ctx, n.Key)
		if err != nil {
			return err
		}
		tx.loose[i] = v
		if u.all {
			kept = append(kept, n) // its writes still need it
		}
	}
	runtime.Gosched()
	return u.Store.Update(ctx, kept, opts, func(inner storage.Tx) error {
		run := tx
		run.Tx = inner
		return fn(run)
	})
}

// TestHistoriesFindPlantedBugs proves the checker on the whole engine. Finding one takes a race,
// and the scheduler owes nobody a race, so it may try often; a few histories do.
func TestHistoriesFindPlantedBugs(t *testing.T) {
	const rounds = 400
	for name, all := range map[string]bool{"lost update": true, "write skew": false} {
		t.Run(name, func(t *testing.T) {
			store, err := memstore.Open(memstore.Options{Late: 30, Seed: 1})
			require.NoError(t, err)
			db := openSerial(t, unlockedStore{Store: store, all: all})
			found := false
			for round := 0; round < rounds && !found; round++ {
				found = recordHistory(t, db, round, 3).Check() != nil
			}
			assert.True(t, found)
		})
	}
}
