package catalog

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

func setStream(on bool) func(*Record) error {
	return func(r *Record) error {
		if on {
			r.Stream = &Stream{Enabled: true, ViewType: "KEYS_ONLY"}
		} else {
			r.Stream.Enabled = false
		}
		return nil
	}
}

// streamScript takes a stream through its life until the store fails: enabled, closed and opened anew,
// trimmed, disabled, enabled again, closed with its table, dropped.
func streamScript(e *env, store storage.Store) error {
	ctx := context.Background()
	c, err := Open(ctx, store, Options{
		Clock: func() time.Time { return e.now }, NewUUID: func() string { return "u" }, StreamShards: 2,
	})
	if err != nil {
		return err
	}
	if _, err = c.Create(ctx, record("a")); err != nil {
		return err
	}
	t, err := c.Update(ctx, "a", false, setStream(true))
	if err != nil {
		return err
	}
	first := StreamPath("a", t.Stream.Label)
	if err = c.RollShards(ctx, first, Roll{Hold: Anyone}); err != nil {
		return err
	}
	if err = c.TrimStream(ctx, first, c.Stream(first).Shards[0].Last, 0, Anyone); err != nil {
		return err
	}
	if _, err = c.Update(ctx, "a", false, setStream(false)); err != nil {
		return err
	}
	if _, err = c.Update(ctx, "a", false, setStream(true)); err != nil {
		return err
	}
	if _, err = c.Delete(ctx, "a", allow); err != nil {
		return err
	}
	return c.DropStream(ctx, first, Anyone)
}

// TestStreamCrashBetweenSteps kills the process before each change of the store in turn. Afterwards
// table and streams agree, and everything can be taken to its end.
func TestStreamCrashBetweenSteps(t *testing.T) {
	const calls = 20
	for n := range calls {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			e, ctx := newEnv(t), context.Background()
			err := streamScript(e, &crashStore{Store: e.store, left: n})
			require.Equal(t, n == calls-1, err == nil, "the last one is not cut short: %v", err)
			c := e.open(e.store)
			open := map[string]bool{}
			for _, s := range c.Streams() {
				require.Equal(t, uint32(2), s.Slots)
				if s.ClosedMs == 0 {
					open[StreamPath(s.Table, s.Label)] = true
				}
				slots := map[uint32]int{}
				for i := range s.Shards {
					if s.Shards[i].Open() {
						slots[s.Shards[i].Slot]++
					}
				}
				if s.ClosedMs == 0 {
					require.Equal(t, map[uint32]int{0: 1, 1: 1}, slots, "one open shard a slot")
				} else {
					require.Empty(t, slots)
				}
			}
			tb, err := c.Lookup(ctx, "a")
			if err == nil && tb.Streams() {
				require.Equal(t, map[string]bool{StreamPath("a", tb.Stream.Label): true}, open)
			} else {
				require.Empty(t, open)
			}
			if err == nil {
				_, err = c.Delete(ctx, "a", allow)
				require.NoError(t, err)
			}
			for _, s := range c.Streams() {
				require.NoError(t, c.DropStream(ctx, StreamPath(s.Table, s.Label), Anyone))
			}
			require.Empty(t, e.open(e.store).Streams())
		})
	}
}

// TestTrimDropsRecords: what is trimmed is gone from the store, in every slot, and nothing else.
func TestTrimDropsRecords(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	c := e.open(e.store)
	_, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	tb, err := c.Update(ctx, "a", false, setStream(true))
	require.NoError(t, err)
	path := StreamPath("a", tb.Stream.Label)
	row := func(seq uint64) []byte {
		k := key.AppendHead(nil, key.StreamSpace(tb.Stream.ID), 0, 0)
		return append(k, byte(seq>>56), byte(seq>>48), byte(seq>>40), byte(seq>>32), byte(seq>>24), byte(seq>>16), byte(seq>>8), byte(seq), 0)
	}
	var b storage.Batch
	b.Put(row(100), nil)
	b.Put(row(101), nil)
	require.NoError(t, e.store.Apply(ctx, &b, storage.UpdateOptions{}))
	require.NoError(t, c.TrimStream(ctx, path, 100, 0, Anyone))
	for seq, want := range map[uint64]bool{100: false, 101: true} {
		v, err := e.store.Get(ctx, row(seq))
		require.NoError(t, err)
		require.Equal(t, want, v.Present)
	}
	require.Equal(t, uint64(100), c.Stream(path).Trimmed)
	require.NoError(t, c.TrimStream(ctx, path, 50, 0, Anyone))
	require.Equal(t, uint64(100), c.Stream(path).Trimmed, "the horizon never goes back")
	require.ErrorIs(t, c.TrimStream(ctx, "b/stream/x", 1, 0, Anyone), ErrNoStream)
	require.ErrorIs(t, c.DropStream(ctx, path, Anyone), ErrNoStream, "an open stream is not dropped")
}

// closedFence is a fence behind which somebody else works.
type closedFence struct{ named int }

var errClosedFence = errors.New("closed")

func (f *closedFence) Named() storage.Named {
	f.named++
	return storage.Named{Key: key.AppendLease(nil, "streams"), Shared: true}
}

func (f *closedFence) Check(storage.Value) error { return errClosedFence }

// TestFencedChanges: a change that nobody asked for is in one update with its fence, or not made.
func TestFencedChanges(t *testing.T) {
	e, ctx := newEnv(t), context.Background()
	c := e.open(e.store)
	_, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	tb, err := c.Update(ctx, "a", false, setStream(true))
	require.NoError(t, err)
	path := StreamPath("a", tb.Stream.Label)
	before := c.Stream(path)
	f := new(closedFence)
	hold := func(context.Context) (Fence, error) { return f, nil }
	require.ErrorIs(t, c.RollShards(ctx, path, Roll{Hold: hold}), errClosedFence)
	require.ErrorIs(t, c.TrimStream(ctx, path, 100, 0, hold), errClosedFence)
	require.NoError(t, c.TrimStream(ctx, path, 0, 0, hold), "there is nothing to do")
	require.Equal(t, 2, f.named)
	require.Equal(t, before, c.Stream(path))
	require.Equal(t, before, e.open(e.store).Stream(path))
	refuse := func(context.Context) (Fence, error) { return nil, errClosedFence }
	_, err = c.Delete(ctx, "a", allow)
	require.NoError(t, err)
	require.ErrorIs(t, c.DropStream(ctx, path, refuse), errClosedFence)
	require.NotNil(t, c.Stream(path))
}
