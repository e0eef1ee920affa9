package engine_test

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Vectors are attributes of items: lists of numbers, or attr.Vector, which takes a third of the space. An
// index finds those that are nearest to a given one.
func ExampleDB_SearchVectors() {
	db, err := engine.OpenInMemory(engine.Options{})
	check(err)
	defer func() { check(db.Close()) }()
	ctx := context.Background()

	_, err = db.CreateTable(ctx, &api.CreateTableInput{
		TableName:   api.Some("words"),
		BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema:   []api.KeySchemaElement{{AttributeName: api.Some("word"), KeyType: api.Some(api.KeyTypeHash)}},
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("word"), AttributeType: api.Some(api.ScalarAttributeTypeS)},
		},
		VectorIndexes: []api.VectorIndex{{
			IndexName:        api.Some("meaning"),
			VectorAttribute:  &api.VectorAttributeDefinition{AttributeName: api.Some("vector")},
			Dimensions:       api.Some[int64](2),
			DistanceFunction: api.Some(api.VectorDistanceFunctionCosine),
			Projection:       &api.Projection{ProjectionType: api.Some(api.ProjectionTypeKeysOnly)},
		}},
	})
	check(err)
	for word, vector := range map[string][]float32{"cat": {0.9, 0.1}, "dog": {0.8, 0.3}, "car": {-0.2, 0.9}} {
		item, err := attr.NewItem().S("word", word).Vec("vector", vector...).Build()
		check(err)
		_, err = db.PutItem(ctx, &api.PutItemInput{TableName: api.Some("words"), Item: item})
		check(err)
	}

	one, err := attr.Number("1")
	check(err)
	zero, err := attr.Number("0")
	check(err)
	out, err := db.SearchVectors(ctx, &api.SearchVectorsInput{
		TableName: api.Some("words"), IndexName: api.Some("meaning"),
		SearchVector: []attr.Value{one, zero}, TopK: api.Some[int64](2),
	})
	check(err)
	for _, r := range out.SearchResults {
		fmt.Printf("%s %.3f\n", r.Item.Get("word").Text(), r.Score.Value)
	}
	// Output:
	// cat 0.006
	// dog 0.064
}
