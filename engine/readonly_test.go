package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestReadOnly: readers share a file, keep others from writing it, and leave it as it is, also when
// steps of tables have become due.
func TestReadOnly(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "db")
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	opts := Options{Clock: c.Now, NoBackground: true, TableDelay: time.Second}
	db, err := Open(path, opts)
	require.NoError(t, err)
	_, err = db.CreateTable(ctx, ordersInput())
	require.NoError(t, err)
	c.add(time.Minute)
	require.NoError(t, db.Table("orders").EnableStream(ctx, api.StreamViewTypeKeysOnly))
	c.add(time.Minute)
	require.NoError(t, db.Table("orders").Put(map[string]any{"pk": "a", "sk": 1}).Run(ctx))
	doomed := ordersInput()
	doomed.TableName = api.Some("doomed")
	_, err = db.CreateTable(ctx, doomed)
	require.NoError(t, err)
	c.add(time.Minute)
	require.NoError(t, db.Table("doomed").Drop(ctx))
	coming := ordersInput()
	coming.TableName = api.Some("coming")
	_, err = db.CreateTable(ctx, coming)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	c.add(time.Minute)
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	opts.ReadOnly = true
	one, err := Open(path, opts)
	require.NoError(t, err)
	two, err := Open(path, opts)
	require.NoError(t, err)
	_, err = Open(path, Options{})
	require.ErrorIs(t, err, ErrLocked)
	assert.Equal(t, 1, strings.Count(err.Error(), path), "%v", err)
	for _, db := range []*DB{one, two} {
		items, err := db.Table("orders").Scan().All(ctx)
		require.NoError(t, err)
		assert.Len(t, items, 1)
		for record, err := range db.Table("orders").Changes().FromStart().Records(ctx) {
			require.NoError(t, err)
			assert.Equal(t, "a", record.Dynamodb.Keys.Get("pk").Text())
			break
		}
		var names []string
		for name, err := range db.Client().Tables(ctx) {
			require.NoError(t, err)
			names = append(names, name)
		}
		assert.Equal(t, []string{"coming", "orders"}, names)
		table, err := db.Table("coming").Describe(ctx)
		require.NoError(t, err)
		assert.Equal(t, api.TableStatusActive, table.TableStatus.Value)

		err = db.Table("orders").Put(map[string]any{"pk": "a", "sk": 2}).Run(ctx)
		require.ErrorIs(t, err, storage.ErrReadOnly)
		err = db.Table("orders").Drop(ctx)
		require.ErrorIs(t, err, storage.ErrReadOnly)
		assert.False(t, db.Ready(ctx))
		require.ErrorIs(t, db.Work(ctx), storage.ErrReadOnly)
		require.NoError(t, db.Close())
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, string(before) == string(after), "the file is as it was")
	_, err = Open(filepath.Join(t.TempDir(), "none"), opts)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, 1, strings.Count(err.Error(), "none"), "%v", err)
	_, err = Open("", Options{InMemory: true, ReadOnly: true})
	require.ErrorContains(t, err, "read-only")
}
