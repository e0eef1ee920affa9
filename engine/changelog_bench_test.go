package engine_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// BenchmarkPutWithLog is what the change log costs a put that replaces an item of benchItemBytes: a put that
// need not read, one that reads for its old item, one with a log, and one with a log and a stream of both images.
func BenchmarkPutWithLog(b *testing.B) {
	recovery := func(b *testing.B, db *engine.DB) {
		_, err := db.UpdateContinuousBackups(b.Context(), &api.UpdateContinuousBackupsInput{
			TableName: api.Some("bench"), PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{
				PointInTimeRecoveryEnabled: api.Some(true),
			},
		})
		require.NoError(b, err)
	}
	stream := func(b *testing.B, db *engine.DB) {
		_, err := db.UpdateTable(b.Context(), &api.UpdateTableInput{
			TableName: api.Some("bench"), StreamSpecification: &api.StreamSpecification{
				StreamEnabled: api.Some(true), StreamViewType: api.Some(api.StreamViewTypeNewAndOldImages),
			},
		})
		require.NoError(b, err)
	}
	none := func(*testing.B, *engine.DB) {}
	for _, file := range []bool{false, true} {
		where := "memory"
		if file {
			where = "file"
		}
		for _, c := range []struct {
			name  string
			set   func(*testing.B, *engine.DB)
			reads bool
		}{
			{"blind", none, false}, {"reading", none, true}, {"log", recovery, false},
			{"stream", stream, false}, {"log+stream", func(b *testing.B, db *engine.DB) { recovery(b, db); stream(b, db) }, false},
		} {
			b.Run(where+"/"+c.name, func(b *testing.B) {
				db, items := filled(b, file)
				c.set(b, db)
				b.ReportAllocs()
				b.ResetTimer()
				i := 0
				for b.Loop() {
					i++
					in := &api.PutItemInput{TableName: api.Some("bench"), Item: items[i/benchItems%2][i%benchItems]}
					if c.reads {
						in.ReturnValues = api.Some(api.ReturnValueAllOld)
					}
					if _, err := db.PutItem(b.Context(), in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// filled is a database with benchItems items, in memory or in a file that is not synced, and two values for
// each of them.
func filled(b *testing.B, file bool) (db *engine.DB, items [2][]attr.Item) {
	b.Helper()
	opts := engine.Options{Sync: engine.SyncOff, InMemory: !file}
	path := ""
	if file {
		path = filepath.Join(b.TempDir(), "bench.keystone")
	}
	db, err := engine.Open(path, opts)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	_, err = db.Client().Create("bench").PK(build.StringKey("id")).Run(b.Context())
	require.NoError(b, err)
	for which := range items {
		batch := db.Client().BatchWrite()
		for i := range benchItems {
			r := recordOf(i)
			r.Count = 1_000_000 + which // another value of the same length
			it, err := build.Marshal(r)
			require.NoError(b, err)
			items[which] = append(items[which], it)
			batch.Put("bench", it)
		}
		require.NoError(b, batch.Run(b.Context()))
	}
	return db, items
}

// BenchmarkCopies is how quickly a backup of benchItems items is made, and a table of it, in a file that is not
// synced.
func BenchmarkCopies(b *testing.B) {
	db, items := filled(b, true)
	ctx, bytes := b.Context(), 0
	for _, it := range items[0] {
		bytes += it.Size()
	}
	var arns []api.Opt[string]
	b.Run("backup", func(b *testing.B) {
		b.SetBytes(int64(bytes))
		for b.Loop() {
			out, err := db.CreateBackup(ctx, &api.CreateBackupInput{TableName: api.Some("bench"), BackupName: api.Some("bench")})
			require.NoError(b, err)
			require.NoError(b, db.Work(ctx))
			arns = append(arns, out.BackupDetails.BackupArn)
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(int64(bytes))
		i := 0
		for b.Loop() {
			i++
			_, err := db.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{
				BackupArn: arns[0], TargetTableName: api.Some("restored-" + strconv.Itoa(i)),
			})
			require.NoError(b, err)
			require.NoError(b, db.Work(ctx))
		}
	})
}
