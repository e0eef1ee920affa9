package engine

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// pairWriter counts in two items at once, which must agree at every moment.
type pairWriter struct {
	db *DB
	id int
	// acked is the last number that is known to be written, sent the last one that was tried.
	acked, sent atomic.Int64
}

func (w *pairWriter) item(half string, n int64) (attr.Item, error) {
	return attr.NewItem().S("pk", fmt.Sprint("writer ", w.id, " ", half)).N("sk", "1").Int("v", n).Build()
}

func (w *pairWriter) write(ctx context.Context) error {
	n := w.sent.Add(1)
	left, err := w.item("left", n)
	if err != nil {
		return err
	}
	right, err := w.item("right", n)
	if err != nil {
		return err
	}
	name := api.Some("orders")
	_, err = w.db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: name, Item: left}}, {Put: &api.Put{TableName: name, Item: right}},
	}})
	if err == nil {
		w.acked.Store(n)
	}
	return err
}

// numbers are what the two items of each writer hold in a table.
func numbersIn(t *testing.T, db *DB, table string) map[string]int64 {
	t.Helper()
	out, err := db.Scan(t.Context(), &api.ScanInput{TableName: api.Some(table)})
	require.NoError(t, err)
	found := map[string]int64{}
	for _, it := range out.Items {
		n, _ := numberOf(it.Get("v"))
		found[string(it.Get("pk").Payload())] = n
	}
	return found
}

// TestCopiesBesideWriters: while transactions go on, and recovery goes on and off, backups and restores to a
// time have every transaction as a whole, all that was acknowledged before, and nothing that began afterwards.
func TestCopiesBesideWriters(t *testing.T) {
	db, err := OpenInMemory(Options{Sync: SyncOff})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.CreateTable(t.Context(), ordersInput())
	require.NoError(t, err)
	const writers, rounds = 4, 4
	all := make([]*pairWriter, writers)
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	for i := range all {
		w := &pairWriter{db: db, id: i}
		all[i] = w
		require.NoError(t, w.write(ctx))
		done.Go(func() {
			for ctx.Err() == nil {
				if err := w.write(ctx); err != nil {
					assert.ErrorIs(t, err, context.Canceled)
				}
			}
		})
	}
	defer done.Wait()
	defer stop()
	look := func(value func(*pairWriter) int64) (out []int64) {
		for _, w := range all {
			out = append(out, value(w))
		}
		return out
	}
	acked, sent := func(w *pairWriter) int64 { return w.acked.Load() }, func(w *pairWriter) int64 { return w.sent.Load() }
	check := func(table string, least, most []int64) {
		found := numbersIn(t, db, table)
		for i := range all {
			left, right := found[fmt.Sprint("writer ", i, " left")], found[fmt.Sprint("writer ", i, " right")]
			require.Equal(t, left, right, "half a transaction")
			require.GreaterOrEqual(t, left, least[i], "what was acknowledged before")
			require.LessOrEqual(t, left, most[i], "what began afterwards")
		}
	}
	recovery := func(on bool) {
		_, err := db.UpdateContinuousBackups(ctx, &api.UpdateContinuousBackupsInput{
			TableName:                        api.Some("orders"),
			PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(on)},
		})
		require.NoError(t, err)
	}
	for round := range rounds {
		if round%3 == 1 {
			recovery(true)
		}
		least := look(acked)
		out, err := db.CreateBackup(ctx, &api.CreateBackupInput{TableName: api.Some("orders"), BackupName: api.Some("beside")})
		require.NoError(t, err)
		most := look(sent)
		require.NoError(t, db.Work(ctx))
		name := "backup-" + strconv.Itoa(round)
		_, err = db.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{
			BackupArn: out.BackupDetails.BackupArn, TargetTableName: api.Some(name),
		})
		require.NoError(t, err)
		require.NoError(t, db.Work(ctx))
		check(name, least, most)
		if round%3 != 1 {
			continue
		}
		// A moment of the past, with all that was acknowledged by then and sent soon after it.
		least = look(acked)
		at := time.Now()
		for time.Now().UnixMilli() == at.UnixMilli() { //nolint:revive // times are told apart to the millisecond
		}
		most = look(sent)
		name = "moment-" + strconv.Itoa(round)
		_, err = db.RestoreTableToPointInTime(ctx, &api.RestoreTableToPointInTimeInput{
			SourceTableName: api.Some("orders"), TargetTableName: api.Some(name), RestoreDateTime: api.Some(at),
		})
		require.NoError(t, err)
		require.NoError(t, db.Work(ctx))
		check(name, least, most)
		recovery(false)
	}
}
