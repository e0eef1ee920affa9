package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// windowRows counts the tokens stored in a window.
func (e *env) windowRows(window uint64) int {
	return len(e.rows(key.WholeSpace(key.TokenSpace(window))))
}

// TestTokenLife: a token holds for ten minutes, whichever windows they touch, also after a restart.
func TestTokenLife(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second int64 // ms
		restart       bool
		replayed      bool
	}{
		{"at once", startMs, startMs, false, true},
		{"same window", startMs, startMs + 4*60_000, false, true},
		{"next window", startMs, startMs + 6*60_000, false, true},
		{"next window, restarted", startMs, startMs + 6*60_000, true, true},
		{"last moment", startMs, startMs + tokenLifeMs - 1, false, true},
		{"over", startMs, startMs + tokenLifeMs, false, false},
		{"begin of a window", startMs + 5*60_000, startMs + 5*60_000 + tokenLifeMs - 1, false, true},
		{"over by a window", startMs, startMs + 2*tokenLifeMs, true, false},
		{"clock goes back", startMs, startMs - 60_000, false, true},
		{"clock goes back, restarted", startMs, startMs - 60_000, true, true},
		{"clock goes back by hours, restarted", startMs, startMs - 7_200_000, true, true},
		{"1970", 0, tokenLifeMs - 1, false, true},
		{"1970, second window", tokenLifeMs + 1, tokenLifeMs + 2, false, true},
		{"before 1970", -5_000_000, -4_999_000, false, true},
	} {
		e := newEnv(t, memstore.Hostile(6), "")
		e.at(c.first)
		e.reopen()
		w := e.update("a", "ADD n :a", numeral(t, "1"))
		first, err := e.transact("T", 1, w)
		require.NoError(t, err, c.name)
		require.False(t, first.Replayed, c.name)
		e.at(c.second)
		if c.restart {
			e.reopen()
		}
		second, err := e.transact("T", 1, w)
		require.NoError(t, err, c.name)
		require.Equal(t, c.replayed, second.Replayed, c.name)
		if c.replayed {
			require.Equal(t, first.Sizes, second.Sizes, c.name)
			require.Nil(t, second.Results, c.name)
			_, err = e.transact("T", 2, w)
			requireCode(t, err, api.IdempotentParameterMismatch, api.MsgTokenMismatch)
		}
	}
}

func numeral(t *testing.T, text string) attr.Value {
	t.Helper()
	v, err := attr.Number(text)
	require.NoError(t, err)
	return v
}

// A transaction that was cancelled leaves no token: the same call may succeed later.
func TestCancelledTransactionLeavesNoToken(t *testing.T) {
	e := newEnv(t, memstore.Hostile(7), "")
	w := e.put(attr.NewItem().S("pk", "a"), "attribute_exists(pk)")
	_, err := e.transact("T", 1, w)
	require.Error(t, err)
	e.write(e.put(attr.NewItem().S("pk", "a"), ""))
	r, err := e.transact("T", 1, w)
	require.NoError(t, err)
	require.False(t, r.Replayed)
}

// TestOldWindowsGo: two windows are kept, those before are dropped, also by a restarted process.
func TestOldWindowsGo(t *testing.T) {
	e := newEnv(t, memstore.Options{}, "")
	base := uint64(startMs) / tokenLifeMs
	for i := range uint64(6) {
		e.at(startMs + int64(i)*tokenLifeMs)
		if i == 3 {
			e.reopen()
		}
		_, err := e.transact(fmt.Sprint(i), 1, e.update("a", "SET x = :a", attr.String("v")))
		require.NoError(t, err)
		require.Equal(t, 1, e.windowRows(base+i))
		for j := range i {
			want := 0
			if j == i-1 {
				want = 1
			}
			require.Equal(t, want, e.windowRows(base+j), "window %d at %d", j, i)
		}
	}
	require.NotEmpty(t, e.rows(key.WholeSpace(key.TableSpace(e.table.Table.ID))), "nothing else went")
}

// A second call with a token that runs finds that out before it touches the items.
func TestRunningToken(t *testing.T) {
	e := newEnv(t, memstore.Options{}, "")
	e.running.Store("T", nil)
	_, err := e.transact("T", 1, e.update("a", "SET x = :a", attr.String("v")))
	requireCode(t, err, api.TransactionInProgress, "Transaction from previous request is still in progress")
	_, err = e.transact("U", 1, e.update("a", "SET x = :a", attr.String("v")))
	require.NoError(t, err)
	e.running.Delete("T")
	_, err = e.transact("T", 1, e.update("a", "SET x = :a", attr.String("v")))
	require.NoError(t, err)
}

// TestOneOfManyExecutes: calls with one token race while the clock turns the window under them.
// However they interleave, the number is added once.
func TestOneOfManyExecutes(t *testing.T) {
	e := newEnv(t, memstore.Hostile(8), "")
	for round := range 20 {
		pk := fmt.Sprint(round)
		w := e.update(pk, "ADD n :a", numeral(t, "1"))
		e.at(startMs + int64(round+1)*tokenLifeMs - tokenLifeMs/2 - 1) // the last moment of a window
		var executed atomic.Int32
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				if i == 3 {
					e.at(startMs + int64(round+1)*tokenLifeMs - tokenLifeMs/2)
				}
				r, err := e.transact("T"+pk, 1, w)
				var own *api.Error
				switch {
				case err == nil && !r.Replayed:
					executed.Add(1)
				case err != nil && (!errors.As(err, &own) || own.Code != api.TransactionInProgress):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), executed.Load())
		item, _, err := e.Get(context.Background(), e.table, w.Key)
		require.NoError(t, err)
		require.Equal(t, numeral(t, "1"), item.Get("n"))
	}
}

func TestTokenBytes(t *testing.T) {
	digest := [DigestBytes]byte{1, 2, 3}
	at := time.UnixMilli(1_800_000_000_123)
	b := encodeToken(digest, at, []int{0, 5, 300, 409600})
	got, err := decodeToken(b)
	require.NoError(t, err)
	require.Equal(t, token{digest: digest, atMs: at.UnixMilli(), sizes: []int{0, 5, 300, 409600}}, got)
	_, err = decodeToken(b[:DigestBytes+7])
	require.ErrorIs(t, err, storage.ErrCorrupt)
	_, err = decodeToken(append(b, 0x80))
	require.ErrorIs(t, err, storage.ErrCorrupt)
}

func FuzzDecodeToken(f *testing.F) {
	f.Add(encodeToken([DigestBytes]byte{}, time.UnixMilli(1), []int{1, 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeToken(b)
		if err == nil {
			again, err := decodeToken(encodeToken(got.digest, time.UnixMilli(got.atMs), got.sizes))
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	})
}
