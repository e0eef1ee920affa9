package compat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// vectorInput defines a table with an index by group and filter, and one of everything.
func vectorInput(table string, dimensions int64) *dynamodb.CreateTableInput {
	in := tableInput(table, "pk:S")
	in.AttributeDefinitions = append(in.AttributeDefinitions, definition("grp:S"), definition("num:N"))
	in.VectorIndexes = []types.VectorIndex{
		{
			IndexName: aws.String("grouped"), VectorAttribute: &types.VectorAttributeDefinition{AttributeName: aws.String("vec")},
			Dimensions: &dimensions, DistanceFunction: types.VectorDistanceFunctionEuclidean,
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"text"}},
			SearchSchema: []types.SearchSchemaElement{
				{AttributeName: aws.String("grp"), SearchSchemaElementType: types.SearchSchemaElementTypeHash},
				{AttributeName: aws.String("num"), SearchSchemaElementType: types.SearchSchemaElementTypeInlineFilter},
			},
		},
		{
			IndexName: aws.String("all"), VectorAttribute: &types.VectorAttributeDefinition{AttributeName: aws.String("vec")},
			Dimensions: &dimensions, DistanceFunction: types.VectorDistanceFunctionCosine,
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		},
	}
	return in
}

func vec(v ...float64) []types.AttributeValue {
	var out []types.AttributeValue
	for _, x := range v {
		out = append(out, num(strconv.FormatFloat(x, 'g', -1, 64)))
	}
	return out
}

// TestSearchVectors: the whole way of an index of vectors with the SDK, which sends searches to the endpoint
// that it is given although the service has one of its own for them.
func TestSearchVectors(t *testing.T) {
	table := name(t)
	created, err := db.CreateTable(t.Context(), vectorInput(table, 2))
	require.NoError(t, err)
	d := created.TableDescription.VectorIndexes
	require.Len(t, d, 2)
	assert.Equal(t, types.IndexStatusCreating, d[0].IndexStatus)
	assert.Nil(t, d[0].Backfilling)
	assert.Equal(t, *created.TableDescription.TableArn+"/index/grouped", *d[0].IndexArn)
	assert.Equal(t, vectorInput(table, 2).VectorIndexes[0].SearchSchema, d[0].SearchSchema)
	untilActive(t, db, table)

	for i := range 10 {
		out, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: &table, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes, Item: item{
				"pk": str(fmt.Sprint(i)), "grp": str(fmt.Sprint("g", i%2)), "num": intNum(i % 3), "text": str("t"), "more": str("m"),
				"vec": list(vec(float64(i), 1)...),
			},
		})
		require.NoError(t, err)
		require.Len(t, out.ConsumedCapacity.VectorIndexes, 2)
		assert.InDelta(t, 1024, *out.ConsumedCapacity.VectorIndexes["all"].VectorWriteRequestBytes, 0)
	}
	out, err := db.SearchVectors(t.Context(), &dynamodb.SearchVectorsInput{
		TableName: &table, IndexName: aws.String("grouped"), SearchVector: vec(4, 1), TopK: aws.Int32(3),
		SearchConditionExpression: aws.String("grp = :g"), ExpressionAttributeValues: item{":g": str("g1")},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	require.NoError(t, err)
	require.Len(t, out.SearchResults, 3)
	assert.Equal(t, item{"pk": str("3"), "grp": str("g1"), "num": num("0"), "text": str("t")}, out.SearchResults[0].Item)
	assert.InDelta(t, 1, out.SearchResults[0].Score, 0)
	assert.Positive(t, *out.ConsumedCapacity.VectorSearchRequestBytes)
	out, err = db.SearchVectors(t.Context(), &dynamodb.SearchVectorsInput{
		TableName: created.TableDescription.TableArn, IndexName: aws.String("all"), SearchVector: vec(9, 1), TopK: aws.Int32(1),
		ProjectionExpression: aws.String("more, vec"),
	})
	require.NoError(t, err)
	require.Len(t, out.SearchResults, 1)
	assert.Equal(t, item{"more": str("m"), "vec": list(vec(9, 1)...)}, out.SearchResults[0].Item)
	assert.InDelta(t, 0, out.SearchResults[0].Score, 1e-12)

	described, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, int64(10), *described.Table.VectorIndexes[1].ItemCount)
	assert.Positive(t, *described.Table.VectorIndexes[1].IndexSizeBytes)
}

// untilActive waits until a table and its vector indexes are there.
func untilActive(t *testing.T, db *dynamodb.Client, table string) {
	t.Helper()
	for {
		require.NoError(t, t.Context().Err())
		out, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		require.NoError(t, err)
		active := out.Table.TableStatus == types.TableStatusActive
		for _, ix := range out.Table.VectorIndexes {
			active = active && ix.IndexStatus == types.IndexStatusActive
		}
		if active {
			return
		}
	}
}

// TestVectorErrors: what is refused, and how.
func TestVectorErrors(t *testing.T) {
	table := name(t)
	_, err := db.CreateTable(t.Context(), vectorInput(table, 2))
	require.NoError(t, err)
	untilActive(t, db, table)
	search := func(change func(*dynamodb.SearchVectorsInput)) error {
		in := &dynamodb.SearchVectorsInput{TableName: &table, IndexName: aws.String("all"), SearchVector: vec(1, 2), TopK: aws.Int32(1)}
		change(in)
		_, err := db.SearchVectors(t.Context(), in)
		return err
	}
	put := func(v types.AttributeValue) error {
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("a"), "vec": v}})
		return err
	}
	for label, tt := range map[string]struct {
		err  error
		text string
	}{
		"no partition key": {search(func(in *dynamodb.SearchVectorsInput) { in.IndexName = aws.String("grouped") }),
			"SearchConditionExpression must be provided when SearchSchema has a HASH key"},
		"another operator": {search(func(in *dynamodb.SearchVectorsInput) {
			in.IndexName, in.SearchConditionExpression = aws.String("grouped"), aws.String("grp >= :g")
			in.ExpressionAttributeValues = item{":g": str("g")}
		}), "Invalid SearchConditionExpression: Invalid comparator used in SearchConditionExpression"},
		"TopK":       {search(func(in *dynamodb.SearchVectorsInput) { in.TopK = aws.Int32(101) }), "Provided TopK value '101' is out of valid range. The value must be between 1 and 100 inclusive"},
		"no index":   {search(func(in *dynamodb.SearchVectorsInput) { in.IndexName = aws.String("none") }), "The table does not have the specified index: none"},
		"dimensions": {search(func(in *dynamodb.SearchVectorsInput) { in.SearchVector = vec(1) }), "Input search vector dimension 1 does not match vector index dimension 2"},
		"no vector":  {put(str("x")), "One or more parameter values were invalid. Invalid type for parameter vec, Expected: 32-bit floating point number list IndexName: grouped"},
		"length":     {put(list(vec(1, 2, 3)...)), "One or more parameter values were invalid. Invalid size for parameter vec, Expected: 2, Actual: 3 IndexName: grouped"},
	} {
		t.Run(label, func(t *testing.T) { wantError(t, tt.err, validation, tt.text) })
	}
	_, err = db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: &table, IndexName: aws.String("grouped"), KeyConditionExpression: aws.String("grp = :g"),
		ExpressionAttributeValues: item{":g": str("g")},
	})
	wantError(t, err, validation, "Query operation not supported on this index type.")
	_, err = db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table, IndexName: aws.String("all")})
	wantError(t, err, validation, "Scan operation not supported on this index type.")
	none := "no-such-table"
	wantError(t, search(func(in *dynamodb.SearchVectorsInput) { in.TableName = &none }), notFound, unknownToData)
}

// TestVectorsOfALivingTable: an index that is made of items that are there, beside writes, and one that goes,
// with a kill -9 in between: afterwards searches find what looking at everything would find.
func TestVectorsOfALivingTable(t *testing.T) {
	const n, dimensions = 1100, 8
	table := "kept"
	args := []string{"--db", filepath.Join(t.TempDir(), "v.keystone"), "--sync", "interval"}
	s := newServer(t, args...)
	c := s.client()
	in := vectorInput(table, dimensions)
	indexes := in.VectorIndexes
	in.VectorIndexes, in.AttributeDefinitions = nil, in.AttributeDefinitions[:1]
	_, err := c.CreateTable(t.Context(), in)
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(1, 2))
	stored := map[string][]float64{}
	draw := func() []float64 {
		v := make([]float64, dimensions)
		for i := range v {
			v[i] = float64(float32(rnd.NormFloat64()))
		}
		return v
	}
	put := func(from, to int) {
		for from < to {
			var requests []types.WriteRequest
			for ; len(requests) < 25 && from < to; from++ {
				pk := fmt.Sprint(from)
				stored[pk] = draw()
				requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: item{
					"pk": str(pk), "grp": str(fmt.Sprint("g", from%2)), "num": intNum(from % 3), "vec": list(vec(stored[pk]...)...),
				}}})
			}
			_, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: requests}})
			require.NoError(t, err)
		}
	}
	put(0, n)
	_, err = c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: &table, VectorIndexUpdates: []types.VectorIndexUpdate{{Create: &types.CreateVectorIndexAction{
			IndexName: indexes[1].IndexName, VectorAttribute: indexes[1].VectorAttribute, Dimensions: indexes[1].Dimensions,
			DistanceFunction: indexes[1].DistanceFunction, Projection: indexes[1].Projection,
		}}},
	})
	require.NoError(t, err)
	put(n-100, n+100) // some anew, some for the first time
	s.kill()
	s = newServer(t, args...)
	c = s.client()
	untilActive(t, c, table)
	nearest(t, c, table, stored, draw())
	put(n, n+200)
	for i := range 100 {
		pk := fmt.Sprint(i)
		_, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: item{"pk": str(pk)}})
		require.NoError(t, err)
		delete(stored, pk)
	}
	nearest(t, c, table, stored, draw())
	s.kill()
	s = newServer(t, args...)
	c = s.client()
	nearest(t, c, table, stored, draw())
	_, err = c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: &table, VectorIndexUpdates: []types.VectorIndexUpdate{{Delete: &types.DeleteVectorIndexAction{IndexName: aws.String("all")}}},
	})
	require.NoError(t, err)
	_, err = c.SearchVectors(t.Context(), &dynamodb.SearchVectorsInput{
		TableName: &table, IndexName: aws.String("all"), SearchVector: vec(draw()...), TopK: aws.Int32(1),
	})
	wantError(t, err, validation, "The table does not have the specified index: all")
	s.stop(t)
}

// nearest compares searches with looking at everything: of ten results one may be another, since answers
// are nearly exact.
func nearest(t *testing.T, c *dynamodb.Client, table string, stored map[string][]float64, q []float64) {
	t.Helper()
	const k = 10
	out, err := c.SearchVectors(t.Context(), &dynamodb.SearchVectorsInput{
		TableName: &table, IndexName: aws.String("all"), SearchVector: vec(q...), TopK: aws.Int32(k),
	})
	require.NoError(t, err)
	require.Len(t, out.SearchResults, k)
	distance := func(v []float64) float64 {
		var dot, a, b float64
		for i := range v {
			dot, a, b = dot+v[i]*q[i], a+v[i]*v[i], b+q[i]*q[i]
		}
		return 1 - dot/math.Sqrt(a*b)
	}
	var all []float64
	for _, v := range stored {
		all = append(all, distance(v))
	}
	slices.Sort(all)
	found := 0
	for _, r := range out.SearchResults {
		pk := r.Item["pk"].(*types.AttributeValueMemberS).Value
		require.Contains(t, stored, pk)
		require.InDelta(t, distance(stored[pk]), r.Score, 1e-6)
		if r.Score <= all[k-1]+1e-6 {
			found++
		}
	}
	assert.GreaterOrEqual(t, found, k-1)
}
