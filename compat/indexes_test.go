package compat

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// untilIndex asks for a table until one of its indexes is as wanted, as client programs do.
func untilIndex(t *testing.T, db *dynamodb.Client, table, name string, want func(*types.GlobalSecondaryIndexDescription) bool) *types.TableDescription {
	t.Helper()
	for t.Context().Err() == nil {
		out, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		require.NoError(t, err)
		var found *types.GlobalSecondaryIndexDescription
		for i := range out.Table.GlobalSecondaryIndexes {
			if ix := &out.Table.GlobalSecondaryIndexes[i]; *ix.IndexName == name {
				found = ix
			}
		}
		if want(found) {
			return out.Table
		}
	}
	require.NoError(t, context.Cause(t.Context()))
	return nil
}

// TestIndexOfALivingTable makes an index of a table that has items, beside writes, and removes it.
func TestIndexOfALivingTable(t *testing.T) {
	table := name(t)
	_, err := db.CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	put := func(i int) {
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{
			"pk": str(fmt.Sprint(i)), "grp": str("g"), "num": num(fmt.Sprint(i)),
		}})
		require.NoError(t, err)
	}
	for i := range 20 {
		put(i)
	}
	_, err = db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("other"), "grp": num("1"), "num": num("1")}})
	require.NoError(t, err)
	out, err := db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName:            &table,
		AttributeDefinitions: []types.AttributeDefinition{definition("grp:S"), definition("num:N")},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String("late"), KeySchema: keySchema("grp:S", "num:N"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}},
	})
	require.NoError(t, err)
	assert.Equal(t, types.TableStatusUpdating, out.TableDescription.TableStatus)
	assert.Equal(t, types.IndexStatusCreating, out.TableDescription.GlobalSecondaryIndexes[0].IndexStatus)
	put(20)
	d := untilIndex(t, db, table, "late", func(ix *types.GlobalSecondaryIndexDescription) bool {
		return ix != nil && ix.IndexStatus == types.IndexStatusActive
	})
	assert.Nil(t, d.GlobalSecondaryIndexes[0].Backfilling)
	assert.Len(t, d.AttributeDefinitions, 3)
	got, err := db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: &table, IndexName: aws.String("late"), KeyConditionExpression: aws.String("grp = :g"),
		ExpressionAttributeValues: item{":g": str("g")},
	})
	require.NoError(t, err)
	require.Len(t, got.Items, 21, "the item of another type is left out")
	assert.Equal(t, item{"pk": str("20"), "grp": str("g"), "num": num("20")}, got.Items[20])

	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: &table,
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{
			Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("late")},
		}},
	})
	require.NoError(t, err)
	d = untilIndex(t, db, table, "late", func(ix *types.GlobalSecondaryIndexDescription) bool { return ix == nil })
	assert.Len(t, d.AttributeDefinitions, 1)
}

// TestIndexKeysOfSeveralAttributes: wire-facts §6.1.1.
func TestIndexKeysOfSeveralAttributes(t *testing.T) {
	table := name(t)
	in := tableInput(table, "pk:S")
	in.AttributeDefinitions = append(in.AttributeDefinitions,
		definition("country:S"), definition("city:S"), definition("year:N"), definition("day:N"), definition("code:B"))
	in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
		IndexName: aws.String("where"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		KeySchema: append([]types.KeySchemaElement{{AttributeName: aws.String("country"), KeyType: types.KeyTypeHash}},
			append(keySchema("city:S", "year:N", "day:N"), types.KeySchemaElement{AttributeName: aws.String("code"), KeyType: types.KeyTypeRange})...),
	}}
	_, err := db.CreateTable(t.Context(), in)
	require.NoError(t, err)
	for i := range 12 {
		it := item{
			"pk": str(fmt.Sprint(i)), "country": str("c"), "city": str(fmt.Sprint(i % 2)), "year": num(fmt.Sprint(2000 + i%3)),
			"day": num(fmt.Sprint(i)), "code": &types.AttributeValueMemberB{Value: []byte{byte(i), 0, 1}},
		}
		if i == 10 {
			delete(it, "code") // an item without one of the attributes is not in the index
		}
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: it})
		require.NoError(t, err)
	}
	query := func(condition string, values item) ([]string, error) {
		var keys []string
		q := &dynamodb.QueryInput{
			TableName: &table, IndexName: aws.String("where"), KeyConditionExpression: &condition,
			ExpressionAttributeValues: values, ExpressionAttributeNames: map[string]string{}, Limit: aws.Int32(2),
		}
		for _, n := range []string{"year", "day"} {
			q.ExpressionAttributeNames["#"+n] = n
		}
		for _, n := range []string{"year", "day"} {
			if !strings.Contains(condition, "#"+n) {
				delete(q.ExpressionAttributeNames, "#"+n)
			}
		}
		if len(q.ExpressionAttributeNames) == 0 {
			q.ExpressionAttributeNames = nil
		}
		for {
			out, err := db.Query(t.Context(), q)
			if err != nil {
				return nil, err
			}
			for _, it := range out.Items {
				keys = append(keys, it["pk"].(*types.AttributeValueMemberS).Value)
			}
			if out.LastEvaluatedKey == nil {
				return keys, nil
			}
			require.Len(t, out.LastEvaluatedKey, 6, "all keys of the index and the table's")
			q.ExclusiveStartKey = out.LastEvaluatedKey
		}
	}
	both := item{":c": str("c"), ":t": str("0")}
	keys, err := query("country = :c AND city = :t", both)
	require.NoError(t, err)
	assert.Equal(t, []string{"0", "6", "4", "2", "8"}, keys, "by year, then day")
	keys, err = query("country = :c AND city = :t AND #year = :y AND #day > :d",
		item{":c": str("c"), ":t": str("1"), ":y": num("2001"), ":d": num("1")})
	require.NoError(t, err)
	assert.Equal(t, []string{"7"}, keys)

	// Through PartiQL it is the same index and order.
	rows, err := db.ExecuteStatement(t.Context(), &dynamodb.ExecuteStatementInput{
		Statement:  aws.String(fmt.Sprintf(`SELECT pk FROM "%s"."where" WHERE country = ? AND city = ? AND "year" = ? ORDER BY "year", "day"`, table)),
		Parameters: []types.AttributeValue{str("c"), str("0"), num("2002")},
	})
	require.NoError(t, err)
	assert.Equal(t, []item{{"pk": str("2")}, {"pk": str("8")}}, rows.Items)
	for condition, want := range map[string]string{
		"country = :c": "Query condition missed key schema element: city",
		"country = :c AND city = :t AND #day = :y": "RANGE key attributes year must have equality conditions specified in the query " +
			"because a condition is present on key attribute day",
		"country = :c AND city > :t":                              "Query key condition not supported",
		"country = :c AND city = :t AND #year > :y AND #day = :y": "Query key condition not supported",
	} {
		values := item{":c": str("c")}
		for _, v := range []string{":t", ":y"} {
			if strings.Contains(condition, v) {
				values[v] = map[string]types.AttributeValue{":t": str("0"), ":y": num("1")}[v]
			}
		}
		_, err := query(condition, values)
		wantError(t, err, validation, want)
	}
}

// TestBackfillAfterAKill: an index is made in a process that is killed; the next one finishes it.
func TestBackfillAfterAKill(t *testing.T) {
	const items = 3000
	args := []string{"--db", filepath.Join(t.TempDir(), "b.keystone"), "--sync", "off"}
	s := newServer(t, args...)
	table, c := name(t), s.client()
	_, err := c.CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	for at := 0; at < items; at += 25 {
		var list []types.WriteRequest
		for i := at; i < at+25; i++ {
			list = append(list, types.WriteRequest{PutRequest: &types.PutRequest{Item: item{"pk": str(fmt.Sprint(i)), "grp": str("g")}}})
		}
		_, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: list}})
		require.NoError(t, err)
	}
	_, err = c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: &table, AttributeDefinitions: []types.AttributeDefinition{definition("grp:S")},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String("late"), KeySchema: keySchema("grp:S"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}},
	})
	require.NoError(t, err)
	s.kill()
	c = newServer(t, args...).client()
	untilIndex(t, c, table, "late", func(ix *types.GlobalSecondaryIndexDescription) bool {
		return ix.IndexStatus == types.IndexStatusActive
	})
	count, pages := 0, dynamodb.NewQueryPaginator(c, &dynamodb.QueryInput{
		TableName: &table, IndexName: aws.String("late"), KeyConditionExpression: aws.String("grp = :g"),
		ExpressionAttributeValues: item{":g": str("g")},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		count += len(page.Items)
	}
	assert.Equal(t, items, count)
}

// TestCollectionLimit: --collection-bytes bounds the items of one partition key and their local entries.
func TestCollectionLimit(t *testing.T) {
	c := newServer(t, "--in-memory", "--collection-bytes", "20000").client()
	table := name(t)
	_, err := c.CreateTable(t.Context(), indexedInput(table))
	require.NoError(t, err)
	put := func(pk, sk string) (*dynamodb.PutItemOutput, error) {
		return c.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: &table, Item: item{"pk": str(pk), "sk": str(sk), "num": num("1"), "x": str(strings.Repeat("x", 15000))},
			ReturnItemCollectionMetrics: types.ReturnItemCollectionMetricsSize,
		})
	}
	out, err := put("a", "1")
	require.NoError(t, err)
	assert.Equal(t, item{"pk": str("a")}, out.ItemCollectionMetrics.ItemCollectionKey)
	assert.Equal(t, []float64{0, 1}, out.ItemCollectionMetrics.SizeEstimateRangeGB)
	_, err = put("a", "2")
	wantError(t, err, "ItemCollectionSizeLimitExceededException", "Item collection size limit exceeded")
	_, err = put("b", "2")
	require.NoError(t, err)
	_, err = c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: item{"pk": str("a"), "sk": str("1")}})
	require.NoError(t, err)
	_, err = put("a", "2")
	require.NoError(t, err)
}
