package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// errCrash is what a store answers whose process is about to be killed.
var errCrash = errors.New("crash")

// crashStore fails its n-th changing call and all after it, without doing them.
type crashStore struct {
	storage.Store
	mu   sync.Mutex
	left int // changing calls until the crash; below zero for none
}

func (s *crashStore) step() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 {
		return errCrash
	}
	if s.left > 0 {
		s.left--
	}
	return nil
}

func (s *crashStore) Apply(ctx context.Context, b *storage.Batch, o storage.UpdateOptions) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.Store.Apply(ctx, b, o)
}

func (s *crashStore) Update(ctx context.Context, n []storage.Named, o storage.UpdateOptions, fn func(storage.Tx) error) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.Store.Update(ctx, n, o, fn)
}

func (s *crashStore) DropRange(ctx context.Context, r storage.Range) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.Store.DropRange(ctx, r)
}

type env struct {
	t     *testing.T
	store *memstore.Store
	now   time.Time
	delay time.Duration
	uuids int
}

func newEnv(t *testing.T) *env {
	t.Helper()
	store, err := memstore.Open(memstore.Hostile(1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return &env{t: t, store: store, now: time.UnixMilli(1_800_000_000_000)}
}

func (e *env) open(store storage.Store) *Catalog {
	e.t.Helper()
	c, err := Open(context.Background(), store, Options{
		Clock:      func() time.Time { return e.now },
		NewUUID:    func() string { e.uuids++; return fmt.Sprint(e.uuids) },
		TableDelay: e.delay,
	})
	require.NoError(e.t, err)
	return c
}

func record(name string) Record {
	hash := []schema.KeyAttr{{Name: "pk", Type: attr.S}}
	return Record{Table: schema.Table{
		Name: name, Key: schema.Key{Hash: hash},
		Indexes: []schema.Index{
			{Name: "all", Key: schema.Key{Hash: hash}, Projection: schema.ProjectAll},
			{
				Name: "some", Key: schema.Key{Hash: []schema.KeyAttr{{Name: "g", Type: attr.S}}},
				Projection: schema.ProjectInclude, NonKey: []string{"z", "a"},
			},
		},
	}}
}

func allow(*Record) error { return nil }

// row writes one row of data of a table.
func (e *env) row(t *Table) {
	e.t.Helper()
	var b storage.Batch
	b.Put(key.AppendHead(nil, key.TableSpace(t.Table.ID), 0, 7), []byte("x"))
	require.NoError(e.t, e.store.Apply(context.Background(), &b, storage.UpdateOptions{}))
}

// rows counts the rows of data of a table.
func (e *env) rows(id uint64) int64 {
	e.t.Helper()
	st, err := e.store.Stats(context.Background(), storage.Range(key.WholeSpace(key.TableSpace(id))))
	require.NoError(e.t, err)
	return st.Keys
}

func status(t *testing.T, c *Catalog, name string) string {
	t.Helper()
	tb, err := c.Lookup(context.Background(), name)
	if errors.Is(err, ErrNotFound) {
		return "gone"
	}
	require.NoError(t, err)
	return tb.Status.String()
}

func TestLifeOfATable(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	e.delay = time.Minute
	c := e.open(e.store)
	created, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	require.Equal(t, StatusCreating, created.Status)
	require.Equal(t, uint64(firstTableID), created.Table.ID)
	require.Equal(t, []uint32{1, 2}, []uint32{created.Table.Indexes[0].Sub, created.Table.Indexes[1].Sub})
	require.Nil(t, created.ProjectedNames(0))
	require.Equal(t, []string{"a", "g", "pk", "z"}, created.ProjectedNames(1))
	_, err = c.Create(ctx, record("a"))
	require.ErrorIs(t, err, ErrExists)
	_, err = c.Enter("a", 0)
	require.ErrorIs(t, err, ErrNotFound)

	e.now = e.now.Add(time.Minute - time.Millisecond)
	require.Equal(t, "CREATING", status(t, c, "a"))
	e.now = e.now.Add(time.Millisecond)
	require.Equal(t, "ACTIVE", status(t, c, "a"))

	pending := &Billing{Table: Throughput{Read: 2, Write: 3}}
	updating, err := c.Update(ctx, "a", true, func(r *Record) error { r.Pending = pending; return nil })
	require.NoError(t, err)
	require.Equal(t, StatusUpdating, updating.Status)
	require.Zero(t, updating.Billing.Table.Read, "the old numbers until it is active")
	h, err := c.Enter("a", 3)
	require.NoError(t, err, "the data plane goes on")
	h.Leave(3)
	e.now = e.now.Add(time.Minute)
	require.Equal(t, "ACTIVE", status(t, c, "a"))
	tb, err := c.Lookup(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, int64(3), tb.Billing.Table.Write)
	require.Nil(t, tb.Pending)

	e.row(tb)
	deleting, err := c.Delete(ctx, "a", allow)
	require.NoError(t, err)
	require.Equal(t, StatusDeleting, deleting.Status)
	_, err = c.Enter("a", 0)
	require.ErrorIs(t, err, ErrNotFound)
	_, err = c.Create(ctx, record("a"))
	require.ErrorIs(t, err, ErrExists, "until it is gone")
	e.now = e.now.Add(time.Minute)
	require.Equal(t, "gone", status(t, c, "a"))
	require.Zero(t, e.rows(tb.Table.ID))
	_, err = c.Enter("a", 0)
	require.ErrorIs(t, err, ErrNotFound)

	again, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	require.Equal(t, uint64(firstTableID+1), again.Table.ID, "ids are never reused")
}

// The data plane takes no step of a table's life: it reads the clock.
func TestEnterSeesTheEndOfCreating(t *testing.T) {
	e := newEnv(t)
	e.delay = time.Second
	c := e.open(e.store)
	_, err := c.Create(context.Background(), record("a"))
	require.NoError(t, err)
	e.now = e.now.Add(time.Second)
	h, err := c.Enter("a", 1)
	require.NoError(t, err)
	require.Equal(t, StatusCreating, h.Status)
	h.Leave(1)
}

// An operation that holds one table enters another while the first is being deleted. It must not
// wait for the deletion, which waits for it.
func TestEnterDoesNotWaitForADeletion(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	c := e.open(e.store)
	for _, name := range []string{"a", "b"} {
		_, err := c.Create(ctx, record(name))
		require.NoError(t, err)
	}
	a, err := c.Enter("a", 0)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := c.Delete(ctx, "a", allow)
		done <- err
	}()
	for c.snapshot().get("a").Status != StatusDeleting {
		runtime.Gosched()
	}
	b, err := c.Enter("b", 0)
	require.NoError(t, err)
	e.row(a)
	require.Len(t, done, 0)
	b.Leave(0)
	a.Leave(0)
	require.NoError(t, <-done)
	require.Zero(t, e.rows(a.Table.ID))
}

func TestReopenKeepsEverything(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	e.delay = time.Hour
	c := e.open(e.store)
	for _, name := range []string{"b", "a", "c"} {
		_, err := c.Create(ctx, record(name))
		require.NoError(t, err)
	}
	before, err := c.Lookup(ctx, "a")
	require.NoError(t, err)
	c = e.open(e.store)
	after, err := c.Lookup(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, before.Record, after.Record)
	require.Equal(t, 3, c.Count())
	e.now = e.now.Add(time.Hour)
	c = e.open(e.store)
	require.Equal(t, "ACTIVE", status(t, c, "b"))

	names, more, err := c.Names(ctx, "", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, names)
	require.True(t, more)
	names, more, err = c.Names(ctx, "b", 1)
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, names)
	require.False(t, more, "exactly the limit remained")
	names, _, err = c.Names(ctx, "c", 1)
	require.NoError(t, err)
	require.Empty(t, names)
}

// TestCrashBetweenSteps kills the process before each change of the store in turn. What is found
// afterwards is always a whole state, and the table can be deleted and made again.
func TestCrashBetweenSteps(t *testing.T) {
	for n := range 12 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			e, ctx := newEnv(t), context.Background()
			first := crashScript(e, &crashStore{Store: e.store, left: n})

			c := e.open(e.store)
			switch status(t, c, "a") {
			case "gone":
				require.Zero(t, e.rows(first), "data of a table that is gone")
			case "ACTIVE":
				_, err := c.Delete(ctx, "a", allow)
				require.NoError(t, err)
			default:
				t.Fatalf("a is %s", status(t, c, "a"))
			}
			require.Zero(t, e.rows(first))
			again, err := c.Create(ctx, record("a"))
			require.NoError(t, err)
			require.Greater(t, again.Table.ID, first, "ids are never reused")
			require.Zero(t, e.rows(again.Table.ID))
		})
	}
}

// crashScript creates, fills, updates and deletes until the store fails, and returns the table's id.
func crashScript(e *env, store storage.Store) (id uint64) {
	ctx := context.Background()
	c, err := Open(ctx, store, Options{
		Clock: func() time.Time { return e.now }, NewUUID: func() string { return "u" },
	})
	if err != nil {
		return 0
	}
	t, err := c.Create(ctx, record("a"))
	if err != nil {
		return 0
	}
	id = t.Table.ID
	e.row(t)
	if _, err := c.Lookup(ctx, "a"); err != nil {
		return id
	}
	if _, err := c.Update(ctx, "a", true, allow); err != nil {
		return id
	}
	_, _ = c.Delete(ctx, "a", allow) // the crash may be in here
	return id
}

// A deletion that could not be finished goes on at the next look.
func TestDeletionIsTakenUpAgain(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	store := &crashStore{Store: e.store, left: -1}
	c := e.open(store)
	tb, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	require.Equal(t, "ACTIVE", status(t, c, "a"))
	e.row(tb)
	store.left = 1 // the row that says DELETING, then no DropRange
	_, err = c.Delete(ctx, "a", allow)
	require.ErrorIs(t, err, errCrash)
	_, err = c.Enter("a", 0)
	require.ErrorIs(t, err, ErrNotFound)
	require.Equal(t, int64(1), e.rows(tb.Table.ID))
	store.left = -1
	require.Equal(t, "gone", status(t, c, "a"))
	require.Zero(t, e.rows(tb.Table.ID))
}

func TestRefusedChangesChangeNothing(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	c := e.open(e.store)
	_, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	no := errors.New("no")
	_, err = c.Update(ctx, "a", true, func(r *Record) error {
		r.Tags = append(r.Tags, Tag{Key: "k"})
		r.Billing.Table.Read = 9
		return no
	})
	require.Equal(t, no, err)
	_, err = c.Delete(ctx, "a", func(*Record) error { return no })
	require.Equal(t, no, err)
	tb, err := c.Lookup(ctx, "a")
	require.NoError(t, err)
	require.Empty(t, tb.Tags)
	require.Zero(t, tb.Billing.Table.Read)
	_, err = c.Update(ctx, "b", true, allow)
	require.ErrorIs(t, err, ErrNotFound)
	_, err = c.Delete(ctx, "b", allow)
	require.ErrorIs(t, err, ErrNotFound)
}

// Records that are handed out are immutable: a change works on a copy, as deep as it may reach.
func TestChangesDoNotReachOldRecords(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	c := e.open(e.store)
	r := record("a")
	r.Tags = []Tag{{Key: "k", Value: "1"}}
	r.Billing.Indexes = map[string]Throughput{"all": {Read: 1, Write: 1}}
	_, err := c.Create(ctx, r)
	require.NoError(t, err)
	old, err := c.Lookup(ctx, "a")
	require.NoError(t, err)
	want, err := json.Marshal(old.Record)
	require.NoError(t, err)
	_, err = c.Update(ctx, "a", false, func(r *Record) error {
		r.Tags[0].Value = "2"
		r.Billing.Indexes["all"] = Throughput{Read: 5}
		r.Table.Indexes[0].Name = "other"
		return nil
	})
	require.NoError(t, err)
	got, err := json.Marshal(old.Record)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
}

func TestRecordsOfNewerOrBrokenForm(t *testing.T) {
	for _, c := range []struct {
		row, want string
		corrupt   bool
	}{
		{`{"version":2,"table":{"name":"a"}}`, "record version 2 is newer than this program", false},
		{`{`, "catalog: table record", true},
	} {
		e, ctx := newEnv(t), context.Background()
		var b storage.Batch
		b.Put(key.AppendCatalog(nil, key.SubTable, "a"), []byte(c.row))
		require.NoError(t, e.store.Apply(ctx, &b, storage.UpdateOptions{}))
		_, err := Open(ctx, e.store, Options{Clock: func() time.Time { return e.now }})
		require.ErrorContains(t, err, c.want)
		require.Equal(t, c.corrupt, errors.Is(err, storage.ErrCorrupt))
	}
}

func TestNextTableIDMustBeWhole(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	var b storage.Batch
	b.Put(key.AppendCatalog(nil, key.SubMeta, NextTable), []byte("short"))
	require.NoError(t, e.store.Apply(ctx, &b, storage.UpdateOptions{}))
	_, err := e.open(e.store).Create(ctx, record("a"))
	require.ErrorIs(t, err, storage.ErrCorrupt)
}

// Writers enter, write and leave while the table is deleted and made again, over and over. When a
// deletion has returned, nothing of its table is there, and nothing appears later.
func TestConcurrentEnterAndDelete(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	c := e.open(e.store)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for shard := range uint32(4) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				tb, err := c.Enter("a", shard)
				if err != nil {
					runtime.Gosched()
					continue
				}
				var b storage.Batch
				b.Put(key.AppendHead(nil, key.TableSpace(tb.Table.ID), 0, shard), []byte("x"))
				err = e.store.Apply(ctx, &b, storage.UpdateOptions{})
				tb.Leave(shard)
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var ids []uint64
	for range 20 {
		tb, err := c.Create(ctx, record("a"))
		require.NoError(t, err)
		require.NotContains(t, ids, tb.Table.ID)
		ids = append(ids, tb.Table.ID)
		for range 20 {
			runtime.Gosched()
		}
		_, err = c.Delete(ctx, "a", allow)
		require.NoError(t, err)
		require.Zero(t, e.rows(tb.Table.ID))
	}
	close(stop)
	wg.Wait()
	for _, id := range ids {
		require.Zero(t, e.rows(id))
	}
}
