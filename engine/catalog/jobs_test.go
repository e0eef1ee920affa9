package catalog

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
)

func lateIndex() schema.Index {
	return schema.Index{
		Name: "late", Key: schema.Key{Hash: []schema.KeyAttr{{Name: "x", Type: attr.S}}}, Projection: schema.ProjectAll,
	}
}

// TestJobsOutliveACrash: whichever write the process dies before, the next one finds the table before
// or after it, and the job until it is finished.
func TestJobsOutliveACrash(t *testing.T) {
	for left := range 6 {
		e := newEnv(t)
		ctx := context.Background()
		tb, err := e.open(e.store).Create(ctx, record("a"))
		require.NoError(t, err)
		crash := &crashStore{Store: e.store, left: left}
		c, err := Open(ctx, crash, Options{Clock: func() time.Time { return e.now }, NewUUID: func() string { return "u" }})
		if err == nil {
			_, err = c.Update(ctx, "a", true, func(r *Record) error { r.AddIndex(lateIndex()); return nil })
		}
		if err == nil {
			_, err = c.Busy(ctx)
		}
		if err == nil {
			err = c.Finish(ctx, tb.Table.ID, "a", tb.NextSub)
		}
		if left < 3 {
			require.ErrorIs(t, err, errCrash, left)
		}
		after, err := e.open(e.store).Lookup(ctx, "a")
		require.NoError(t, err)
		ix := after.Table.Index("late")
		require.Equal(t, ix != nil && ix.Building, len(after.Jobs) == 1, "an index that fills has a job")
		if ix != nil {
			require.Equal(t, tb.NextSub, ix.Sub)
		}
	}
}

// TestChangesWaitForOlderOperations: Update returns when no operation is left that was bound before it.
func TestChangesWaitForOlderOperations(t *testing.T) {
	e := newEnv(t)
	ctx := context.Background()
	c := e.open(e.store)
	_, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	old, err := c.Enter("a", 3)
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		_, err := c.Update(ctx, "a", false, func(r *Record) error { r.AddIndex(lateIndex()); return nil })
		done <- err
	}()
	for { // new operations do not wait
		next, err := c.Enter("a", 5)
		require.NoError(t, err)
		bound := next.Table.Index("late") != nil
		next.Leave(5)
		if bound {
			break
		}
	}
	select {
	case <-done:
		t.Fatal("an operation that knows no index still runs")
	default:
	}
	old.Leave(3)
	require.NoError(t, <-done)
}

// TestFinishLooksAtTheTable: a job of a table that is gone, or of another one of its name, is no error.
func TestFinishLooksAtTheTable(t *testing.T) {
	e := newEnv(t)
	ctx := context.Background()
	c := e.open(e.store)
	tb, err := c.Create(ctx, record("a"))
	require.NoError(t, err)
	require.NoError(t, c.Finish(ctx, tb.Table.ID, "none", 1))
	require.NoError(t, c.Finish(ctx, tb.Table.ID, "a", 99))
	next, err := c.Update(ctx, "a", false, func(r *Record) error { r.AddIndex(lateIndex()); return nil })
	require.NoError(t, err)
	sub := next.Table.Index("late").Sub
	require.NoError(t, c.Finish(ctx, tb.Table.ID+1, "a", sub))
	still, err := c.Lookup(ctx, "a")
	require.NoError(t, err)
	require.NotNil(t, still.Job(sub))
	require.NoError(t, c.Finish(ctx, tb.Table.ID, "a", sub))
	ended, err := c.Lookup(ctx, "a")
	require.NoError(t, err)
	require.Nil(t, ended.Job(sub))
	require.False(t, ended.Table.Index("late").Building)
}
