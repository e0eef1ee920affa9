package compat

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scanAll reads all pages and returns the partition keys in their order.
func scanAll(t *testing.T, in *dynamodb.ScanInput) []string {
	t.Helper()
	var keys []string
	for pages := dynamodb.NewScanPaginator(db, in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, it := range page.Items {
			keys = append(keys, it["pk"].(*types.AttributeValueMemberS).Value)
		}
	}
	return keys
}

// scanTable makes a table of the test's own with n items.
func scanTable(t *testing.T, n int) string {
	t.Helper()
	table := name(t)
	_, err := db.CreateTable(t.Context(), indexedInput(table))
	require.NoError(t, err)
	for i := range n {
		put(t, table, item{"pk": str(fmt.Sprint("p", i)), "sk": str("s"), "num": intNum(i), "grp": str("g")})
	}
	return table
}

func TestScanPagesAndSegments(t *testing.T) {
	const n = 60
	table := scanTable(t, n)
	all := scanAll(t, &dynamodb.ScanInput{TableName: &table})
	assert.Len(t, all, n)
	assert.Equal(t, all, scanAll(t, &dynamodb.ScanInput{TableName: &table, Limit: aws.Int32(7)}), "one order, whatever the page")
	for _, segments := range []int32{1, 3, 16} {
		var parts []string
		for s := range segments {
			parts = append(parts, scanAll(t, &dynamodb.ScanInput{TableName: &table, TotalSegments: &segments, Segment: &s, Limit: aws.Int32(5)})...)
		}
		assert.ElementsMatch(t, all, parts, "%d segments", segments)
	}
	// Any TotalSegments up to 1,000,000 is legal.
	_, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table, TotalSegments: aws.Int32(1000000), Segment: aws.Int32(999999)})
	require.NoError(t, err)
	assert.Len(t, scanAll(t, &dynamodb.ScanInput{TableName: &table, IndexName: aws.String(byGroup), Limit: aws.Int32(9)}), n)
	assert.Len(t, scanAll(t, &dynamodb.ScanInput{TableName: &table, IndexName: aws.String(byNumber), Limit: aws.Int32(9)}), n)
	assert.Empty(t, scanAll(t, &dynamodb.ScanInput{TableName: &table, IndexName: aws.String(byTag)}))
}

func TestScanFilterMayUseKeys(t *testing.T) {
	table := scanTable(t, 9)
	out, err := db.Scan(t.Context(), &dynamodb.ScanInput{
		TableName: &table, FilterExpression: aws.String("pk = :p OR num > :n"), ProjectionExpression: aws.String("num"),
		ExpressionAttributeValues: item{":p": str("p0"), ":n": num("6")},
	})
	require.NoError(t, err)
	assert.ElementsMatch(t, []map[string]types.AttributeValue{{"num": num("0")}, {"num": num("7")}, {"num": num("8")}}, out.Items)
	assert.Equal(t, int32(9), out.ScannedCount)
}

func TestScanErrors(t *testing.T) {
	for _, tt := range []struct {
		label string
		edit  func(*dynamodb.ScanInput)
		text  string // wire-facts §6.11
	}{
		{"no total", func(in *dynamodb.ScanInput) { in.Segment = aws.Int32(0) }, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"},
		{"no segment", func(in *dynamodb.ScanInput) { in.TotalSegments = aws.Int32(2) }, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"},
		{"segment too large", func(in *dynamodb.ScanInput) { in.Segment, in.TotalSegments = aws.Int32(2), aws.Int32(2) }, "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2"},
		{"index", func(in *dynamodb.ScanInput) { in.IndexName = aws.String("none") }, "The table does not have the specified index: none"},
		{"consistent GSI", func(in *dynamodb.ScanInput) {
			in.IndexName, in.ConsistentRead = aws.String(byTag), aws.Bool(true)
		}, "Consistent reads are not supported on global secondary indexes"},
		{"start key", func(in *dynamodb.ScanInput) { in.ExclusiveStartKey = item{"pk": str("x")} }, "The provided starting key is invalid: The provided key element does not match the schema"},
		{"total segments", func(in *dynamodb.ScanInput) { in.Segment, in.TotalSegments = aws.Int32(0), aws.Int32(1000001) }, "1 validation error detected: Value '1000001' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to 1000000"},
	} {
		t.Run(tt.label, func(t *testing.T) {
			in := &dynamodb.ScanInput{TableName: aws.String(indexedTable)}
			tt.edit(in)
			_, err := db.Scan(t.Context(), in)
			wantError(t, err, validation, tt.text)
		})
	}
}
