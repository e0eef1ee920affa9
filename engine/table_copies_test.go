package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// dying is a store whose process dies after so many updates: no more are made.
type dying struct {
	storage.Store
	left *atomic.Int64
}

func (s dying) Update(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
	if s.left.Add(-1) < 0 {
		return storage.ErrUnavailable
	}
	return s.Store.Update(ctx, named, opts, fn)
}

func (s dying) Apply(ctx context.Context, b *storage.Batch, opts storage.UpdateOptions) error {
	if s.left.Add(-1) < 0 {
		return storage.ErrUnavailable
	}
	return s.Store.Apply(ctx, b, opts)
}

func (s dying) DropRange(ctx context.Context, r storage.Range) error {
	if s.left.Add(-1) < 0 {
		return storage.ErrUnavailable
	}
	return s.Store.DropRange(ctx, r)
}

func (dying) Close() error { return nil }

// TestCopiesSurviveCrashes: a backup, restores of it and of an earlier time, and the removal of all of it come
// to the right end, whenever the process dies, with writes between its lives.
func TestCopiesSurviveCrashes(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mem.Close()) })
	rnd := rand.New(rand.NewPCG(7, 8))
	var left atomic.Int64
	c := newClock(time.Unix(1_800_000_000, 0))
	open := func(updates int64) *testDB {
		left.Store(1 << 40)
		db, err := OpenStore(dying{mem, &left}, Options{Clock: c.Now, NoBackground: true, copyBytes: 900})
		require.NoError(t, err)
		left.Store(updates)
		return &testDB{DB: db, t: t, clock: c}
	}
	lives := 0
	// survive works through lives of random length until a condition holds.
	survive := func(v string, over func(*testDB) bool) {
		for {
			d := open(int64(rnd.IntN(24)))
			err := d.Work(t.Context())
			left.Store(1 << 40)
			lives++
			if err == nil && over(d) {
				return
			}
			require.Less(t, lives, 2000)
			c.add(time.Second)
			for i := range 5 {
				d.put(item1(fmt.Sprint("p", rnd.IntN(40)), fmt.Sprint(v, i)))
			}
		}
	}
	active := func(name string) func(d *testDB) bool {
		return func(d *testDB) bool { return d.table(name).TableStatus.Value == "ACTIVE" }
	}
	d := open(1 << 40)
	ctx := t.Context()
	d.orders()
	d.recovery(true, 0)
	d.fill(600, "before")
	then, want := c.Now(), d.scan("orders", "")
	c.add(time.Second)
	d.fill(300, "later")
	wantBackup := d.scan("orders", "")
	arn := d.backup("first")
	survive("a", func(d *testDB) bool { return d.describeBackup(arn).BackupDetails.BackupStatus.Value == "AVAILABLE" })
	backed := lives
	require.Greater(t, backed, 3)

	d = open(1 << 40)
	_, err = d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: api.Some(arn), TargetTableName: api.Some("again")})
	require.NoError(t, err)
	require.NoError(t, d.restoreAt(then, "then"))
	survive("b", active("again"))
	survive("c", active("then"))
	require.Greater(t, lives, backed+5)
	d = open(1 << 40)
	require.Equal(t, wantBackup, d.scan("again", ""))
	require.Equal(t, want, d.scan("then", ""))
	require.NoError(t, consistent(ctx, mem, c.Now()))

	_, err = d.DeleteBackup(ctx, &api.DeleteBackupInput{BackupArn: api.Some(arn)})
	require.NoError(t, err)
	survive("d", func(*testDB) bool { return true })
	d = open(1 << 40)
	left.Store(int64(rnd.IntN(4)))
	_, _ = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")}) // it dies on the way
	d = open(1 << 40)
	if names, err := d.ListTables(ctx, &api.ListTablesInput{}); err == nil && len(names.TableNames) == 3 {
		_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
		require.NoError(t, err)
	}
	out, err := d.ListBackups(ctx, &api.ListBackupsInput{BackupType: api.Some("ALL")})
	require.NoError(t, err)
	require.Len(t, out.BackupSummaries, 1)
	require.Equal(t, "SYSTEM", out.BackupSummaries[0].BackupType.Value)
	require.NoError(t, consistent(ctx, mem, c.Now()))
	list, err := d.served.Load().tasks.List(ctx, "")
	require.NoError(t, err)
	require.Empty(t, list)
}
