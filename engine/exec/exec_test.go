package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// env is an executor on a map with one table: key pk, a global index on g that projects all and a
// local-like global index on h with keys only.
type env struct {
	*Executor
	t     *testing.T
	mem   *memstore.Store
	mu    sync.Mutex
	now   time.Time
	table *catalog.Table
}

func (e *env) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *env) at(ms int64) {
	e.mu.Lock()
	e.now = time.UnixMilli(ms)
	e.mu.Unlock()
}

// startMs is five minutes into a token window.
const startMs = 1_800_000_000_000/tokenLifeMs*tokenLifeMs + tokenLifeMs/2

func newEnv(t *testing.T, opts memstore.Options, ttl string) *env {
	t.Helper()
	mem, err := memstore.Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mem.Close()) })
	e := &env{t: t, mem: mem}
	e.at(startMs)
	e.reopen()
	name := func(n string) schema.Key { return schema.Key{Hash: []schema.KeyAttr{{Name: n, Type: attr.S}}} }
	c, err := catalog.Open(context.Background(), mem, catalog.Options{
		Clock: e.clock, NewUUID: func() string { return "u" },
	})
	require.NoError(t, err)
	_, err = c.Create(context.Background(), catalog.Record{Table: schema.Table{
		Name: "t", Key: name("pk"), TTL: ttl,
		Indexes: []schema.Index{
			{Name: "all", Key: name("g"), Projection: schema.ProjectAll},
			{Name: "keys", Key: name("h"), Projection: schema.ProjectKeys},
		},
	}})
	require.NoError(t, err)
	e.table, err = c.Lookup(context.Background(), "t")
	require.NoError(t, err)
	return e
}

// reopen makes a new executor on the same bytes, as a restart does.
func (e *env) reopen() {
	e.t.Helper()
	var err error
	e.Executor, err = New(context.Background(), e.mem, e.clock)
	require.NoError(e.t, err)
}

func (e *env) item(b *attr.Builder) attr.Item {
	e.t.Helper()
	it, err := b.Build()
	require.NoError(e.t, err)
	return it
}

func (e *env) put(b *attr.Builder, condition string) plan.Write {
	e.t.Helper()
	var x plan.Expressions
	if condition != "" {
		var err error
		x, err = plan.NewCompiler().Compile(&plan.Texts{Condition: api.Some(condition)})
		require.NoError(e.t, err)
	}
	w, err := plan.Put(new(plan.Room), &e.table.Table, e.item(b), x.Condition)
	require.NoError(e.t, err)
	return w
}

func (e *env) update(pk, expression string, values ...attr.Value) plan.Write {
	e.t.Helper()
	texts := plan.Texts{Update: api.Some(expression)}
	for i, v := range values {
		texts.Values = append(texts.Values, api.NamedValue{Placeholder: ":" + string(rune('a'+i)), Value: v})
	}
	x, err := plan.NewCompiler().Compile(&texts)
	require.NoError(e.t, err)
	w, err := plan.Update(new(plan.Room), &e.table.Table, e.item(attr.NewItem().S("pk", pk)), x.Update, nil)
	require.NoError(e.t, err)
	return w
}

func (e *env) delete(pk string) plan.Write {
	e.t.Helper()
	w, err := plan.Delete(new(plan.Room), &e.table.Table, e.item(attr.NewItem().S("pk", pk)), nil)
	require.NoError(e.t, err)
	return w
}

func (e *env) write(w plan.Write) Result {
	e.t.Helper()
	r, err := e.Write(context.Background(), e.table, &w, true)
	require.NoError(e.t, err)
	return r
}

func (e *env) transact(token string, digest byte, writes ...plan.Write) (TransactResult, error) {
	x := Transaction{Token: token, Digest: [DigestBytes]byte{digest}}
	for _, w := range writes {
		x.Actions = append(x.Actions, Action{Table: e.table, Write: w})
	}
	return e.TransactWrite(context.Background(), &x)
}

// rows lists the keys and values of a range.
func (e *env) rows(r key.Range) map[string]attr.Item {
	e.t.Helper()
	ctx := context.Background()
	snap, err := e.mem.Snapshot(ctx, storage.SnapshotOptions{})
	require.NoError(e.t, err)
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(r), storage.IterOptions{})
	require.NoError(e.t, err)
	defer it.Close()
	rows := map[string]attr.Item{}
	for it.Next() {
		rows[string(it.Key())] = append(attr.Item{}, it.Value()...)
	}
	require.NoError(e.t, it.Err())
	return rows
}

// requireIndexes checks that the indexes hold exactly the entries of the stored items.
func (e *env) requireIndexes(why string) {
	e.t.Helper()
	tb := &e.table.Table
	items := e.rows(key.SpaceRange(key.TableSpace(tb.ID), key.TableSub))
	for i := range tb.Indexes {
		ix := &tb.Indexes[i]
		want := map[string]attr.Item{}
		for _, it := range items {
			if k, ok := key.AppendEntry(nil, tb, ix, it); ok {
				entry := it
				if names := e.table.ProjectedNames(i); names != nil {
					entry = it.Project(names)
				}
				want[string(k)] = entry
			}
		}
		require.Equal(e.t, want, e.rows(key.SpaceRange(key.TableSpace(tb.ID), ix.Sub)), "%s: index %s", why, ix.Name)
	}
}

func requireCode(t *testing.T, err error, code api.Code, message string) *api.Error {
	t.Helper()
	var e *api.Error
	require.True(t, errors.As(err, &e), "got %v", err)
	require.Equal(t, code, e.Code)
	require.Equal(t, message, e.Message)
	return e
}

// TestIndexEntriesFollowEveryChange: each step changes the one item; afterwards the indexes hold
// what they should, and the step counts as the service counts it (wire-facts §6.5).
func TestIndexEntriesFollowEveryChange(t *testing.T) {
	e := newEnv(t, memstore.Hostile(3), "")
	s := attr.String
	steps := []struct {
		name  string
		write plan.Write
		// changes are index positions, with "+" for a new entry, "-" for a removed one, "~" for one
		// changed in place, "m" for one that moved.
		changes []string
	}{
		{"put outside", e.put(attr.NewItem().S("pk", "a").S("x", "1"), ""), nil},
		{"enter one", e.update("a", "SET g = :a", s("G")), []string{"0+"}},
		{"enter the other", e.update("a", "SET h = :a", s("H")), []string{"0~", "1+"}},
		{"change unprojected", e.update("a", "SET x = :a", s("2")), []string{"0~"}},
		{"same again", e.update("a", "SET x = :a", s("2")), nil},
		{"move", e.update("a", "SET g = :a", s("G\x00")), []string{"0m"}},
		{"replace", e.put(attr.NewItem().S("pk", "a").S("g", "K").S("h", "H"), ""), []string{"0m"}},
		{"leave one", e.update("a", "REMOVE g"), []string{"0-"}},
		{"both", e.put(attr.NewItem().S("pk", "a").S("g", "K").S("h", "I"), ""), []string{"0+", "1m"}},
		{"delete", e.delete("a"), []string{"0-", "1-"}},
		{"delete again", e.delete("a"), nil},
	}
	for _, step := range steps {
		r := e.write(step.write)
		var got []string
		for _, c := range r.Changes {
			kind := "~"
			switch {
			case c.Moved():
				kind = "m"
			case c.Delete != nil:
				kind = "-"
			case c.OldSize == 0:
				kind = "+"
			}
			got = append(got, fmt.Sprint(c.Index, kind))
		}
		require.Equal(t, step.changes, got, step.name)
		e.requireIndexes(step.name)
	}
}

// An item past its time is absent, but its index entries are there and go with whatever replaces it.
func TestIndexEntriesOfAnExpiredItem(t *testing.T) {
	for name, write := range map[string]func(e *env) plan.Write{
		"put": func(e *env) plan.Write {
			return e.put(attr.NewItem().S("pk", "a").S("g", "N"), "attribute_not_exists(pk)")
		},
		"update":      func(e *env) plan.Write { return e.update("a", "SET g = :a", attr.String("N")) },
		"update away": func(e *env) plan.Write { return e.update("a", "SET x = :a", attr.String("N")) },
		"delete":      func(e *env) plan.Write { return e.delete("a") },
	} {
		e := newEnv(t, memstore.Hostile(4), "ttl")
		expired := e.put(attr.NewItem().S("pk", "a").S("g", "G").S("h", "H").N("ttl", fmt.Sprint(startMs/1000-5)), "")
		e.write(expired)
		require.Len(t, e.rows(key.SpaceRange(key.TableSpace(e.table.Table.ID), 1)), 1)
		r := e.write(write(e))
		require.Nil(t, r.Old, name)
		e.requireIndexes(name)
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	e := newEnv(t, memstore.Options{}, "")
	require.Equal(t, int64(startMs), e.Now().UnixMilli())
	e.at(startMs - 1000)
	require.Equal(t, int64(startMs), e.Now().UnixMilli())
	e.at(startMs + 1)
	require.Equal(t, int64(startMs+1), e.Now().UnixMilli())
}

// TestCancellation: every action is checked and has its reason; nothing is written.
func TestCancellation(t *testing.T) {
	e := newEnv(t, memstore.Hostile(5), "")
	e.write(e.put(attr.NewItem().S("pk", "a").S("n", "text"), ""))
	before := e.rows(key.WholeSpace(key.TableSpace(e.table.Table.ID)))
	failing := e.put(attr.NewItem().S("pk", "a"), "attribute_not_exists(pk)")
	failing.ReturnOnFailure = true
	_, err := e.transact("", 0,
		e.put(attr.NewItem().S("pk", "new"), ""),
		failing,
		e.update("b", "SET x = y"),
		e.update("a2", "SET x = :a", attr.String("v")),
	)
	got := requireCode(t, err, api.TransactionCanceled, "Transaction cancelled, please refer cancellation "+
		"reasons for specific reasons [None, ConditionalCheckFailed, ValidationError, None]")
	require.Len(t, got.Reasons, 4)
	require.False(t, got.Reasons[0].Message.Set)
	require.Equal(t, api.MsgConditionFailed, got.Reasons[1].Message.Value)
	require.Equal(t, "text", got.Reasons[1].Item.Get("n").Text())
	require.Equal(t, "The provided expression refers to an attribute that does not exist in the item",
		got.Reasons[2].Message.Value)
	require.Nil(t, got.Reasons[2].Item)
	require.Equal(t, before, e.rows(key.WholeSpace(key.TableSpace(e.table.Table.ID))))
}

// The items that a transaction leaves may not exceed 4 MB together (wire-facts §6.13 #8).
func TestTransactionSize(t *testing.T) {
	e := newEnv(t, memstore.Options{}, "")
	big := make([]byte, 390<<10)
	var writes []plan.Write
	for i := range 11 {
		pk := fmt.Sprint(i)
		e.write(e.put(attr.NewItem().S("pk", pk).B("x", big), ""))
		writes = append(writes, e.update(pk, "SET y = :a", attr.String("v")))
	}
	_, err := e.transact("", 0, writes...)
	requireCode(t, err, api.Validation, api.MsgTransactSize)
	_, err = e.transact("", 0, writes[:10]...)
	require.NoError(t, err)
}

// TestConflicts: what storage refuses comes out as the service's answers.
func TestConflicts(t *testing.T) {
	e := newEnv(t, memstore.Options{}, "")
	e.write(e.put(attr.NewItem().S("pk", "a"), ""))
	conflicting, err := memstore.Open(memstore.Options{Conflict: 1, ConflictMulti: 1})
	require.NoError(t, err)
	e.store = conflicting
	w := e.update("a", "SET x = :a", attr.String("v"))
	_, err = e.Write(context.Background(), e.table, &w, false)
	requireCode(t, err, api.TransactionConflict, "Transaction is ongoing for the item")

	results, unprocessed, err := e.BatchWrite(context.Background(), []Action{
		{Table: e.table, Write: e.put(attr.NewItem().S("pk", "a"), "")},
		{Table: e.table, Write: e.put(attr.NewItem().S("pk", "b"), "")},
	}, false)
	require.NoError(t, err)
	require.ElementsMatch(t, []int{0, 1}, unprocessed)
	require.Len(t, results, 2)

	_, err = e.transact("", 0, w)
	got := requireCode(t, err, api.TransactionCanceled, "Transaction cancelled, please refer cancellation "+
		"reasons for specific reasons [TransactionConflict]")
	require.Equal(t, "Transaction is ongoing for the item", got.Reasons[0].Message.Value)
}

// TestPlainConflicts: only transactions are in a client's way. What did not end after all retries is
// no answer of the service's, and says nothing of a transaction.
func TestPlainConflicts(t *testing.T) {
	e := newEnv(t, memstore.Options{}, "")
	conflicting, err := memstore.Open(memstore.Options{Conflict: 1})
	require.NoError(t, err)
	e.store = conflicting
	w := e.update("a", "SET x = :a", attr.String("v"))
	refused := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, storage.ErrConflict)
		require.Equal(t, api.InternalServerError, api.CodeOf(err))
	}
	_, err = e.Write(context.Background(), e.table, &w, false)
	refused(err)
	_, _, err = e.BatchWrite(context.Background(), []Action{{Table: e.table, Write: e.put(attr.NewItem().S("pk", "a"), "")}}, false)
	refused(err)
	_, err = e.transact("token", 0, w)
	refused(err)
}
