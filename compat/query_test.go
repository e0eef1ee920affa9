package compat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fill puts n items with sort keys 0 to n-1 into the test's partition of rangeTable.
func fill(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		put(t, rangeTable, item{"pk": str(t.Name()), "sk": intNum(i), "even": boolean(i%2 == 0)})
	}
}

// sortKeys are the sort keys of items, in their order.
func sortKeys(items []map[string]types.AttributeValue) string {
	var keys []string
	for _, it := range items {
		switch k := it["sk"].(type) {
		case *types.AttributeValueMemberN:
			keys = append(keys, k.Value)
		case *types.AttributeValueMemberS:
			keys = append(keys, k.Value)
		}
	}
	return strings.Join(keys, " ")
}

func partition(t *testing.T, more string, values item) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: aws.String(rangeTable), KeyConditionExpression: aws.String("pk = :pk" + more),
		ExpressionAttributeValues: with(item{":pk": str(t.Name())}, values),
	}
}

func TestQueryKeyConditions(t *testing.T) {
	fill(t, 10)
	for _, tt := range []struct {
		condition string
		values    item
		want      string
	}{
		{"", nil, "0 1 2 3 4 5 6 7 8 9"},
		{" AND sk = :a", item{":a": num("3")}, "3"},
		{" AND sk < :a", item{":a": num("2")}, "0 1"},
		{" AND sk <= :a", item{":a": num("2")}, "0 1 2"},
		{" AND sk > :a", item{":a": num("7")}, "8 9"},
		{" AND :a < sk", item{":a": num("7")}, "8 9"},
		{" AND sk >= :a", item{":a": num("7.5")}, "8 9"},
		{" AND sk BETWEEN :a AND :b", item{":a": num("3"), ":b": num("5")}, "3 4 5"},
		{" AND sk > :a", item{":a": num("100")}, ""},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			in := partition(t, tt.condition, tt.values)
			in.ExpressionAttributeValues[":pk"] = str("TestQueryKeyConditions")
			out, err := db.Query(t.Context(), in)
			require.NoError(t, err)
			assert.Equal(t, tt.want, sortKeys(out.Items))
			assert.Equal(t, int32(len(out.Items)), out.Count)
			in.ScanIndexForward = aws.Bool(false)
			back, err := db.Query(t.Context(), in)
			require.NoError(t, err)
			for i := range out.Items {
				assert.Equal(t, out.Items[i], back.Items[len(back.Items)-1-i])
			}
		})
	}
}

func TestQueryFilterAndCount(t *testing.T) {
	fill(t, 6)
	in := partition(t, "", item{":t": boolean(true)})
	in.FilterExpression = aws.String("even = :t")
	out, err := db.Query(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, "0 2 4", sortKeys(out.Items))
	assert.Equal(t, int32(6), out.ScannedCount)
	in.Select = types.SelectCount
	out, err = db.Query(t.Context(), in)
	require.NoError(t, err)
	assert.Empty(t, out.Items)
	assert.Equal(t, int32(3), out.Count)
}

// TestQueryPaging: a page that ends by Limit has a key even if nothing follows (wire-facts §6.10).
func TestQueryPaging(t *testing.T) {
	fill(t, 6)
	for _, forward := range []bool{true, false} {
		in := partition(t, "", nil)
		in.Limit, in.ScanIndexForward = aws.Int32(2), &forward
		var got []map[string]types.AttributeValue
		var sizes strings.Builder
		for pages := dynamodb.NewQueryPaginator(db, in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			got = append(got, page.Items...)
			sizes.WriteString(fmt.Sprint(len(page.Items), " "))
		}
		want := "0 1 2 3 4 5"
		if !forward {
			want = "5 4 3 2 1 0"
		}
		assert.Equal(t, want, sortKeys(got))
		assert.Equal(t, "2 2 2 0 ", sizes.String())
	}
}

// TestQueryPagesAtOneMegabyte: a page ends with the item that makes it reach 1 MB.
func TestQueryPagesAtOneMegabyte(t *testing.T) {
	const items, text = 8, 200 << 10
	for i := range items {
		put(t, rangeTable, item{"pk": str(t.Name()), "sk": intNum(i), "v": str(strings.Repeat("x", text))})
	}
	out, err := db.Query(t.Context(), partition(t, "", nil))
	require.NoError(t, err)
	assert.Equal(t, "0 1 2 3 4 5", sortKeys(out.Items))
	assert.Equal(t, item{"pk": str(t.Name()), "sk": num("5")}, item(out.LastEvaluatedKey))
	in := partition(t, "", nil)
	in.ExclusiveStartKey = out.LastEvaluatedKey
	out, err = db.Query(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, "6 7", sortKeys(out.Items))
	assert.Nil(t, out.LastEvaluatedKey)
}

func TestQueryIndexes(t *testing.T) {
	p := t.Name()
	for i, n := range []int{30, 10, 20} {
		put(t, indexedTable, item{"pk": str(p), "sk": str(fmt.Sprint("s", i)), "num": intNum(n), "grp": str(p + "-g"),
			"tag": str(fmt.Sprint(p, i)), "extra": str("e"), "other": str("o")})
	}
	put(t, indexedTable, item{"pk": str(p), "sk": str("sparse")})
	query := func(index, condition string, value string) *dynamodb.QueryOutput {
		t.Helper()
		out, err := db.Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String(indexedTable), IndexName: &index, KeyConditionExpression: &condition,
			ExpressionAttributeValues: item{":v": str(value)},
		})
		require.NoError(t, err)
		return out
	}
	local := query(byNumber, "pk = :v", p)
	assert.Equal(t, "s1 s2 s0", sortKeys(local.Items), "by number, without the item that has none")
	assert.Len(t, local.Items[0], 3, "keys only: pk, sk, num")
	group := query(byGroup, "grp = :v", p+"-g")
	assert.Equal(t, "s1 s2 s0", sortKeys(group.Items))
	assert.Equal(t, str("o"), group.Items[0]["other"])
	tag := query(byTag, "tag = :v", p+"1")
	assert.Equal(t, []map[string]types.AttributeValue{{"pk": str(p), "sk": str("s1"), "tag": str(p + "1"), "extra": str("e")}}, tag.Items)

	// An LSI fetches what it does not hold; a GSI does not.
	out, err := db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String(indexedTable), IndexName: aws.String(byNumber), Select: types.SelectAllAttributes,
		KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: item{":v": str(p)}, Limit: aws.Int32(1),
	})
	require.NoError(t, err)
	assert.Equal(t, str("o"), out.Items[0]["other"])
	assert.Equal(t, item{"pk": str(p), "sk": str("s1"), "num": num("10")}, item(out.LastEvaluatedKey))

	// The index follows the item: a changed key moves the entry, a removed one takes it away.
	_, err = db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(indexedTable), Key: item{"pk": str(p), "sk": str("s1")},
		UpdateExpression: aws.String("SET num = :n REMOVE tag"), ExpressionAttributeValues: item{":n": num("99")},
	})
	require.NoError(t, err)
	assert.Equal(t, "s2 s0 s1", sortKeys(query(byGroup, "grp = :v", p+"-g").Items))
	assert.Empty(t, query(byTag, "tag = :v", p+"1").Items)
	_, err = db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(indexedTable), Key: item{"pk": str(p), "sk": str("s1")}})
	require.NoError(t, err)
	assert.Equal(t, "s2 s0", sortKeys(query(byGroup, "grp = :v", p+"-g").Items))
	assert.Equal(t, "s2 s0", sortKeys(query(byNumber, "pk = :v", p).Items))
}

func TestQueryErrors(t *testing.T) {
	for _, tt := range []struct {
		label string
		edit  func(*dynamodb.QueryInput)
		text  string // wire-facts §5.7, §6.10
	}{
		{"OR", func(in *dynamodb.QueryInput) {
			in.KeyConditionExpression = aws.String("pk = :v OR sk = :v")
		}, "Invalid operator used in KeyConditionExpression: OR"},
		{"<>", func(in *dynamodb.QueryInput) { in.KeyConditionExpression = aws.String("pk <> :v") }, "Invalid operator used in KeyConditionExpression: <>"},
		{"contains", func(in *dynamodb.QueryInput) { in.KeyConditionExpression = aws.String("contains(pk, :v)") }, "Invalid operator used in KeyConditionExpression: contains"},
		{"size", func(in *dynamodb.QueryInput) { in.KeyConditionExpression = aws.String("size(pk) = :v") }, "KeyConditionExpressions cannot contain nested operations"},
		{"nested", func(in *dynamodb.QueryInput) { in.KeyConditionExpression = aws.String("pk.a = :v") }, "KeyConditionExpressions cannot have conditions on nested attributes"},
		{"twice", func(in *dynamodb.QueryInput) { in.KeyConditionExpression = aws.String("pk = :v AND pk = :v") }, "KeyConditionExpressions must only contain one condition per key"},
		{"none", func(in *dynamodb.QueryInput) {
			in.KeyConditionExpression, in.ExpressionAttributeValues = nil, nil
		}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."},
		{"no hash key", func(in *dynamodb.QueryInput) { in.KeyConditionExpression = aws.String("elsewhere = :v") }, "Query condition missed key schema element: pk"},
		{"hash key not EQ", func(in *dynamodb.QueryInput) { in.KeyConditionExpression = aws.String("pk > :v") }, "Query key condition not supported"},
		{"type", func(in *dynamodb.QueryInput) { in.ExpressionAttributeValues = item{":v": num("1")} }, "One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{"empty", func(in *dynamodb.QueryInput) { in.ExpressionAttributeValues = item{":v": str("")} }, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"index", func(in *dynamodb.QueryInput) { in.IndexName = aws.String("none") }, "The table does not have the specified index: none"},
		{"consistent GSI", func(in *dynamodb.QueryInput) {
			in.IndexName, in.ConsistentRead = aws.String(byGroup), aws.Bool(true)
		}, "Consistent reads are not supported on global secondary indexes"},
		{"filter on a key", func(in *dynamodb.QueryInput) { in.FilterExpression = aws.String("sk = :v") }, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"},
		{"all of a partial GSI", func(in *dynamodb.QueryInput) {
			in.IndexName, in.KeyConditionExpression, in.Select = aws.String(byTag), aws.String("tag = :v"), types.SelectAllAttributes
		}, "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index by-tag because its projection type is not ALL"},
		{"start key", func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = item{"pk": str("x")} }, "The provided starting key is invalid"},
		{"start key elsewhere", func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey = item{"pk": str("another"), "sk": str("x")}
		}, "The provided starting key is outside query boundaries based on provided conditions"},
		{"limit", func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(0) }, "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
	} {
		t.Run(tt.label, func(t *testing.T) {
			in := &dynamodb.QueryInput{
				TableName: aws.String(indexedTable), KeyConditionExpression: aws.String("pk = :v"),
				ExpressionAttributeValues: item{":v": str("x")},
			}
			tt.edit(in)
			_, err := db.Query(t.Context(), in)
			wantError(t, err, validation, tt.text)
		})
	}
	_, err := db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String("no-such-table"), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: item{":v": str("x")},
	})
	wantError(t, err, notFound, "Requested resource not found")
}
