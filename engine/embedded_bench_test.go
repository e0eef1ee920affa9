package engine_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// benchItems is how many items the benchmarks read and write in turn, benchItemBytes how large they are.
const (
	benchItems     = 10_000
	benchItemBytes = 400
)

// record is an item of benchItemBytes, as a program has it.
type record struct {
	ID    string   `dynamodbav:"id"`
	Name  string   `dynamodbav:"name"`
	Count int      `dynamodbav:"count"`
	Tags  []string `dynamodbav:"tags,stringset"`
	Open  bool     `dynamodbav:"open"`
	Text  string   `dynamodbav:"text"`
}

func recordOf(i int) record {
	return record{
		ID: "item-" + strconv.Itoa(i), Name: "a name of some length", Count: i, Tags: []string{"one", "two", "three"},
		Open: true, Text: strings.Repeat("x", 335),
	}
}

// embedded is a database in memory with benchItems items, whose keys and items it also returns.
func embedded(b *testing.B) (db *engine.DB, keys []string, items []attr.Item) {
	b.Helper()
	db, err := engine.OpenInMemory(engine.Options{Sync: engine.SyncOff})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	_, err = db.Client().Create("bench").PK(build.StringKey("id")).Run(b.Context())
	require.NoError(b, err)
	batch := db.Client().BatchWrite()
	for i := range benchItems {
		r := recordOf(i)
		it, err := build.Marshal(r)
		require.NoError(b, err)
		require.InDelta(b, benchItemBytes, it.Size(), 10)
		keys, items = append(keys, r.ID), append(items, it)
		batch.Put("bench", it)
	}
	require.NoError(b, batch.Run(b.Context()))
	b.ReportAllocs()
	b.ResetTimer()
	return db, keys, items
}

// BenchmarkEmbeddedGet reads an item: through the contract, by a call, and into a struct.
func BenchmarkEmbeddedGet(b *testing.B) {
	b.Run("api", func(b *testing.B) {
		db, keys, _ := embedded(b)
		ctx := b.Context()
		for i := 0; b.Loop(); i++ {
			key := attr.AppendString(attr.AppendName(make([]byte, 0, 32), "id"), keys[i%benchItems])
			out, err := db.GetItem(ctx, &api.GetItemInput{TableName: api.Some("bench"), Key: key})
			if err != nil || out.Item == nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("item", func(b *testing.B) {
		db, keys, _ := embedded(b)
		table, ctx := db.Table("bench"), b.Context()
		for i := 0; b.Loop(); i++ {
			it, err := table.Get(keys[i%benchItems]).Item(ctx)
			if err != nil || it == nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("struct", func(b *testing.B) {
		db, keys, _ := embedded(b)
		table, ctx := db.Table("bench"), b.Context()
		for i := 0; b.Loop(); i++ {
			var r record
			if found, err := table.Get(keys[i%benchItems]).Into(ctx, &r); err != nil || !found {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkEmbeddedPut writes an item without a condition: through the contract, by a call, and from a
// struct.
func BenchmarkEmbeddedPut(b *testing.B) {
	b.Run("api", func(b *testing.B) {
		db, _, items := embedded(b)
		ctx := b.Context()
		for i := 0; b.Loop(); i++ {
			_, err := db.PutItem(ctx, &api.PutItemInput{TableName: api.Some("bench"), Item: items[i%benchItems]})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("item", func(b *testing.B) {
		db, _, items := embedded(b)
		table, ctx := db.Table("bench"), b.Context()
		for i := 0; b.Loop(); i++ {
			if err := table.Put(items[i%benchItems]).Run(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("struct", func(b *testing.B) {
		db, _, _ := embedded(b)
		table, ctx := db.Table("bench"), b.Context()
		r := recordOf(1)
		for i := 0; b.Loop(); i++ {
			r.Count = i
			if err := table.Put(&r).Run(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkEmbeddedUpdate counts up, with a condition: through the contract and by builders.
func BenchmarkEmbeddedUpdate(b *testing.B) {
	b.Run("api", func(b *testing.B) {
		db, keys, _ := embedded(b)
		ctx := b.Context()
		for i := 0; b.Loop(); i++ {
			_, err := db.UpdateItem(ctx, &api.UpdateItemInput{
				TableName:                api.Some("bench"),
				Key:                      attr.AppendString(attr.AppendName(make([]byte, 0, 32), "id"), keys[i%benchItems]),
				UpdateExpression:         api.Some("ADD #_0 :_0"),
				ConditionExpression:      api.Some("#_1 = :_1"),
				ExpressionAttributeNames: []api.Name{{Placeholder: "#_0", Name: "count"}, {Placeholder: "#_1", Name: "open"}},
				ExpressionAttributeValues: []api.NamedValue{
					{Placeholder: ":_0", Value: attr.Int(1)}, {Placeholder: ":_1", Value: attr.Bool(true)},
				},
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("call", func(b *testing.B) {
		db, keys, _ := embedded(b)
		table, ctx := db.Table("bench"), b.Context()
		for i := 0; b.Loop(); i++ {
			err := table.Update(keys[i%benchItems]).Add("count", 1).If(build.Attr("open").Equal(true)).Run(ctx)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
