package engine

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// TestModelOfForks is TestModel for databases that are forked, reset and saved all the time.
func TestModelOfForks(t *testing.T) {
	seed, steps := uint64(1), 1000
	if os.Getenv("KSTONE_NIGHT") != "" {
		seed, steps = rand.Uint64(), modelSteps()/10
	}
	memory := Options{InMemory: true, NoBackground: true}
	for name, kind := range map[string]struct {
		opts Options
		next func(context.Context, *DB) (*DB, error)
	}{
		"forks":          {memory, forked},
		"forks of files": {Options{MemtableBytes: 64 << 10, Sync: SyncOff, NoBackground: true}, forked},
		"resets":         {memory, reset},
		"saved":          {memory, saved(t.TempDir())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Logf("seed %d", seed)
			c := newModelClock()
			kind.opts.Clock = c.now
			db, next := modelOf(t, kind.opts, kind.next)
			p := newProgram(t, seed, c, db, next)
			p.often = 15
			require.NoError(t, p.run(steps))
		})
	}
}

// modelOf opens a database for the model's programs, which goes on as next says.
func modelOf(t *testing.T, opts Options, next func(context.Context, *DB) (*DB, error)) (*DB, func() (*DB, error)) {
	t.Helper()
	path := ""
	if !opts.InMemory {
		path = filepath.Join(t.TempDir(), "model")
	}
	db, err := Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db, func() (*DB, error) {
		n, err := next(t.Context(), db)
		if err == nil {
			db = n
		}
		return n, err
	}
}

// forked goes on with a fork, while the parent is laid waste.
func forked(ctx context.Context, db *DB) (*DB, error) {
	f, err := db.Fork()
	if err != nil {
		return nil, err
	}
	if err := layWaste(ctx, db); err != nil {
		return nil, err
	}
	return f, db.Close()
}

// reset goes on at a checkpoint.
func reset(ctx context.Context, db *DB) (*DB, error) {
	if err := db.Checkpoint("here"); err != nil {
		return nil, err
	}
	if err := layWaste(ctx, db); err != nil {
		return nil, err
	}
	return db, db.Reset("here")
}

// saved goes on with what was saved and loaded.
func saved(dir string) func(context.Context, *DB) (*DB, error) {
	return func(ctx context.Context, db *DB) (*DB, error) {
		path := filepath.Join(dir, "saved")
		if err := db.Save(ctx, path, SaveOptions{}); err != nil {
			return nil, err
		}
		opts := db.opts
		opts.Load = path
		if err := db.Close(); err != nil {
			return nil, err
		}
		return OpenInMemory(opts)
	}
}

// layWaste deletes a table after the other, and what they hold.
func layWaste(ctx context.Context, db *DB) error {
	out, err := db.ListTables(ctx, &api.ListTablesInput{})
	if err != nil {
		return err
	}
	for _, name := range out.TableNames {
		_, err := db.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some(name)})
		if err != nil && api.CodeOf(err) != api.ResourceInUse { // that one stays
			return err
		}
	}
	return db.Work(ctx)
}
