package exec

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// reusing is a store that overwrites what an update has seen as soon as the update is over, as the
// contract allows.
type reusing struct{ storage.Store }

func (s reusing) Update(
	ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error,
) error {
	var seen [][]byte
	defer func() {
		for _, b := range seen {
			clear(b)
		}
	}()
	return s.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
		return fn(lending{tx, &seen})
	})
}

type lending struct {
	storage.Tx
	seen *[][]byte
}

func (l lending) Value(i int) storage.Value {
	v := l.Tx.Value(i)
	v.Data = bytes.Clone(v.Data)
	*l.seen = append(*l.seen, v.Data)
	return v
}

// TestOwnedResults: whatever a write hands out is no longer storage's.
func TestOwnedResults(t *testing.T) {
	e := newEnv(t, memstore.Options{}, "")
	old := func() *attr.Builder { return attr.NewItem().S("pk", "a").S("x", "old") }
	e.write(e.put(old(), ""))
	e.store = reusing{e.store}
	want := e.item(old())
	untouched := func() plan.Write {
		w, err := plan.Update(new(plan.Room), &e.table.Table, e.item(attr.NewItem().S("pk", "a")), nil, nil)
		require.NoError(t, err)
		return w
	}
	run := func(w plan.Write, needOld bool) Result {
		r, err := e.Write(t.Context(), e.table, &w, needOld)
		require.NoError(t, err)
		return r
	}
	require.Equal(t, want, run(untouched(), false).New)
	require.Nil(t, run(untouched(), false).Old, "what nobody asked for is not there")
	require.Equal(t, want, run(e.update("a", "SET y = :a", attr.String("v")), true).Old)
	require.Equal(t, want, run(e.update("a", "REMOVE y"), false).New)

	failing := e.put(old(), "attribute_not_exists(pk)")
	failing.ReturnOnFailure = true
	_, err := e.Write(t.Context(), e.table, &failing, false)
	require.Equal(t, want, requireCode(t, err, api.ConditionalCheckFailed, api.MsgConditionFailed).Item)
	_, err = e.transact("", 0, failing)
	require.Equal(t, want, requireCode(t, err, api.TransactionCanceled,
		fmt.Sprintf(api.MsgTransactCanceled, api.ReasonConditionalCheckFailed)).Reasons[0].Item)

	x := Transaction{WantResults: true, Actions: []Action{{Table: e.table, Write: e.delete("a")}}}
	res, err := e.TransactWrite(t.Context(), &x)
	require.NoError(t, err)
	require.Equal(t, want, res.Results[0].Old)
	results, _, err := e.BatchWrite(t.Context(), []Action{{Table: e.table, Write: e.put(old(), "")}}, true)
	require.NoError(t, err)
	require.Equal(t, want, results[0].New)
}
