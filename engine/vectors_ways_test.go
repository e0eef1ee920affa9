package engine

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/objects"
)

// vectorLines are items on a line as an export writes them, and one whose vector no index takes.
func vectorLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"Item":{"pk":{"S":"%d"},"sk":{"N":"1"},"f":{"N":"%d"},"h":{"S":"h"},"v":{"L":[{"N":"%d"},{"N":"0"},{"N":"0"},{"N":"0"},{"N":"0"}]}}}`+"\n", i, i%3, i)
	}
	b.WriteString(`{"Item":{"pk":{"S":"short"},"sk":{"N":"1"},"v":{"L":[{"N":"1"}]}}}` + "\n")
	return b.String()
}

// nearestIn are the keys of the three nearest to a place of the line.
func nearestIn(t *testing.T, db *DB, table, index string, at float32) (keys []string) {
	t.Helper()
	in := searchOf(index, 3, "", []float32{at, 0, 0, 0, 0})
	in.TableName = api.Some(table)
	if index == "byh" {
		in.SearchConditionExpression = api.Some("h = :h")
		in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":h", Value: attr.String("h")}}
	}
	out, err := db.SearchVectors(t.Context(), in)
	require.NoError(t, err)
	for _, r := range out.SearchResults {
		keys = append(keys, r.Item.Get("pk").Text())
	}
	return keys
}

// TestVectorsAreImported: what an import and a bulk put bring is found, and vectors that no index takes are
// errors of their items.
func TestVectorsAreImported(t *testing.T) {
	root := bucketWith(t, map[string]string{"in/a": vectorLines(90), "more/b": strings.ReplaceAll(vectorLines(4), `"pk":{"S":"`, `"pk":{"S":"b`)})
	d := openTest(t, Options{Buckets: objects.Folders(root), vectorsExact: 5})
	create := vectorTable("EUCLIDEAN")
	in := &api.ImportTableInput{
		InputFormat: api.Some("DYNAMODB_JSON"), ClientToken: api.Some("token"),
		S3BucketSource: &api.S3BucketSource{S3Bucket: api.Some("bucket"), S3KeyPrefix: api.Some("in/")},
		TableCreationParameters: &api.TableCreationParameters{
			TableName: create.TableName, KeySchema: create.KeySchema, BillingMode: create.BillingMode,
			AttributeDefinitions: create.AttributeDefinitions, VectorIndexes: create.VectorIndexes,
		},
	}
	out, err := d.ImportTable(t.Context(), in)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, d.Work(t.Context()))
	}
	got := d.describeImport(out.ImportTableDescription.ImportArn)
	require.Equal(t, []int64{91, 90, 1}, []int64{got.ProcessedItemCount.Value, got.ImportedItemCount.Value, got.ErrorCount.Value})
	for _, index := range []string{"all", "byh"} {
		require.ElementsMatch(t, []string{"49", "50", "51"}, nearestIn(t, d.DB, "tab", index, 50))
	}
	table := d.table("tab")
	require.Len(t, table.VectorIndexes, 2)
	for _, ix := range table.VectorIndexes {
		require.Equal(t, "ACTIVE", ix.IndexStatus.Value)
		require.Equal(t, int64(90), ix.ItemCount.Value)
	}

	bulk := bulkOrders()
	bulk.TableName, bulk.InputS3Configuration.S3KeyPrefix = api.Some("tab"), api.Some("more/")
	started, err := d.StartBulkPutItems(t.Context(), bulk)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, d.Work(t.Context()))
	}
	done := d.describeBulk(started.BulkOperationDescription.BulkOperationArn)
	require.Equal(t, "COMPLETED_WITH_ERRORS", done.BulkOperationStatus.Value)
	require.Equal(t, []int64{5, 1}, []int64{done.ProcessedItemCount.Value, done.FailedItemCount.Value})
	require.Len(t, done.BulkOperationUsage[0].VectorIndexes, 2)
	require.ElementsMatch(t, []string{"3", "b3", "4"}, nearestIn(t, d.DB, "tab", "all", 3.4))
}

// TestVectorsOfThePast: a table of a second of the past has the vectors of that second, or no indexes of any if
// that is asked for.
func TestVectorsOfThePast(t *testing.T) {
	d := openTest(t, Options{vectorsExact: 5})
	_, err := d.CreateTable(t.Context(), vectorTable("EUCLIDEAN"))
	require.NoError(t, err)
	_, err = d.UpdateContinuousBackups(t.Context(), &api.UpdateContinuousBackupsInput{
		TableName:                        api.Some("tab"),
		PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)},
	})
	require.NoError(t, err)
	d.later(time.Minute)
	for i := range 40 {
		d.putVector(i)
	}
	d.later(time.Minute)
	past := d.clock.Now()
	d.later(time.Minute)
	for i := range 40 {
		d.putVector(i + 20)
	}
	_, err = d.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: api.Some("tab"), Key: d.build(attr.NewItem().S("pk", "11").N("sk", "1")),
	})
	require.NoError(t, err)
	require.NoError(t, d.Work(t.Context()))
	d.later(10 * time.Minute)
	for name, indexes := range map[string][]api.VectorIndex{"then": nil, "bare": {}} {
		_, err = d.RestoreTableToPointInTime(t.Context(), &api.RestoreTableToPointInTimeInput{
			SourceTableName: api.Some("tab"), TargetTableName: api.Some(name), RestoreDateTime: api.Some(past),
			VectorIndexOverride: indexes,
		})
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, d.Work(t.Context()))
		}
	}
	require.ElementsMatch(t, []string{"10", "11", "12"}, nearestIn(t, d.DB, "then", "all", 11))
	require.ElementsMatch(t, []string{"37", "38", "39"}, nearestIn(t, d.DB, "then", "all", 50))
	require.ElementsMatch(t, []string{"10", "12", "9"}, nearestIn(t, d.DB, "tab", "all", 10.9))
	require.ElementsMatch(t, []string{"49", "50", "51"}, nearestIn(t, d.DB, "tab", "all", 50))
	require.Empty(t, d.table("bare").VectorIndexes)
}

// TestVectorsOfReplicas: a replica of a table has its indexes of vectors and finds what was written elsewhere.
func TestVectorsOfReplicas(t *testing.T) {
	open := func(region string) *DB {
		db, err := OpenInMemory(Options{NoBackground: true, Region: region, vectorsExact: 5})
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	here, there := open("region-0"), open("region-1")
	require.NoError(t, here.Connect("region-1", there))
	require.NoError(t, there.Connect("region-0", here))
	settle := func() {
		for range 6 {
			require.NoError(t, here.Work(t.Context()))
			require.NoError(t, there.Work(t.Context()))
		}
	}
	d := &testDB{DB: here, t: t}
	_, err := here.CreateTable(t.Context(), vectorTable("EUCLIDEAN"))
	require.NoError(t, err)
	for i := range 30 {
		d.putVector(i)
	}
	_, err = here.UpdateTable(t.Context(), &api.UpdateTableInput{TableName: api.Some("tab"), ReplicaUpdates: []api.ReplicationGroupUpdate{{
		Create: &api.CreateReplicationGroupMemberAction{RegionName: api.Some("region-1")},
	}}})
	require.NoError(t, err)
	settle()
	require.ElementsMatch(t, []string{"19", "20", "21"}, nearestIn(t, there, "tab", "all", 20))
	for i := 30; i < 60; i++ {
		d.putVector(i)
	}
	away := &testDB{DB: there, t: t}
	away.putVector(100)
	settle()
	require.ElementsMatch(t, []string{"49", "50", "51"}, nearestIn(t, there, "tab", "all", 50))
	require.ElementsMatch(t, []string{"100", "59", "58"}, nearestIn(t, here, "tab", "all", 90))
}

// TestVectorIndexGoesBesideSearches: an index that is deleted while it is searched is there or is not.
func TestVectorIndexGoesBesideSearches(t *testing.T) {
	db, err := OpenInMemory(Options{vectorsExact: 5})
	require.NoError(t, err)
	d := &testDB{DB: db, t: t}
	_, err = db.CreateTable(t.Context(), vectorTable("EUCLIDEAN"))
	require.NoError(t, err)
	for i := range 60 {
		d.putVector(i)
	}
	require.NoError(t, db.Work(t.Context()))
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for gone := false; !gone; {
				out, err := db.SearchVectors(t.Context(), searchOf("all", 3, "", []float32{50, 0, 0, 0, 0}))
				switch {
				case err == nil && len(out.SearchResults) == 3:
				case err != nil && strings.Contains(err.Error(), "The table does not have the specified index: all"):
					gone = true
				default:
					t.Errorf("searched: %v %v", out, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		d.putVector(100 + i)
	}
	_, err = db.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName:          api.Some("tab"),
		VectorIndexUpdates: []api.VectorIndexUpdate{{Delete: &api.DeleteVectorIndexAction{IndexName: api.Some("all")}}},
	})
	require.NoError(t, err)
	group.Wait()
	require.NoError(t, db.Work(t.Context()))
	_, err = db.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: api.Some("tab"), Key: d.build(attr.NewItem().S("pk", strconv.Itoa(3)).N("sk", "1")),
	})
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// TestOddVectorsAreFound: vectors whose squares 32 bits cannot hold are compared as all others are.
func TestOddVectorsAreFound(t *testing.T) {
	for _, distance := range []string{"EUCLIDEAN", "DOT_PRODUCT", "COSINE"} {
		d := openTest(t, Options{vectorsExact: 5})
		_, err := d.CreateTable(t.Context(), vectorTable(distance))
		require.NoError(t, err)
		put := func(pk string, v ...float32) {
			_, err := d.PutItem(t.Context(), &api.PutItemInput{
				TableName: api.Some("tab"), Item: d.build(attr.NewItem().S("pk", pk).N("sk", "1").Vec("v", v...)),
			})
			require.NoError(t, err)
		}
		for i := range 40 {
			put(strconv.Itoa(i), float32(i)*8e36, 0, 1e36, 0, 0)
			put("small"+strconv.Itoa(i), float32(i)*1e-30, 0, 1e-30, 0, 0)
		}
		require.NoError(t, d.Work(t.Context()))
		out, err := d.SearchVectors(t.Context(), searchOf("all", 3, "", []float32{20 * 8e36, 0, 1e36, 0, 0}))
		require.NoError(t, err)
		want := map[string]string{"EUCLIDEAN": "20", "DOT_PRODUCT": "39", "COSINE": "20"}[distance]
		require.Contains(t, out.SearchResults[0].Item.Get("pk").Text(), want, distance)
		if distance == "EUCLIDEAN" {
			out, err = d.SearchVectors(t.Context(), searchOf("all", 1, "", []float32{7e-30, 0, 1e-30, 0, 0}))
			require.NoError(t, err)
			require.Equal(t, "small7", out.SearchResults[0].Item.Get("pk").Text())
		}
	}
}
