package doors_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// TestNativeTypes: what the AWS SDK makes of the two types that its protocol lacks, in an item that came
// by gRPC and goes back there: a list of numbers and a number, which they then stay.
func TestNativeTypes(t *testing.T) {
	w := newWorld(t)
	sdk, native := openSDK(t, w.db).(sdkDoor), openGRPC(t, w.db).(grpcDoor).client
	_, err := native.Create("vectors").PK(build.StringKey("pk")).SK(build.NumberKey("at")).Run(t.Context())
	require.NoError(t, err)
	const at = 1_700_000_000_123
	put := attr.NewItem().S("pk", "a").Ts("at", at).Vec("v", 0.5, -2, 3e10)
	require.NoError(t, native.Table("vectors").Put(put).Run(t.Context()))

	got, err := native.Table("vectors").Get("a", attr.Timestamp(at)).Item(t.Context())
	require.NoError(t, err)
	require.Equal(t, attr.VecF32, got.Get("v").Type())
	require.Equal(t, []float32{0.5, -2, 3e10}, got.Get("v").Float32s(nil))
	require.Equal(t, attr.Ts, got.Get("at").Type())

	out, err := sdk.items.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("vectors")})
	require.NoError(t, err)
	require.Len(t, out.Items, 1)
	_, err = sdk.items.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("vectors"), Item: out.Items[0]})
	require.NoError(t, err)

	// The key is the same one: a Ts and the number of its milliseconds are equal.
	page, err := native.Service().Scan(t.Context(), &api.ScanInput{TableName: api.Some("vectors")})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	want, err := attr.NewItem().S("pk", "a").N("at", "1700000000123").
		L("v", number(t, "0.5"), number(t, "-2"), number(t, "30000000000")).Build()
	require.NoError(t, err)
	require.Equal(t, want, page.Items[0])
}

// TestNativeVectors: an index takes vectors in either form, and finds them for clients of both.
func TestNativeVectors(t *testing.T) {
	w := newWorld(t)
	sdk, native := openSDK(t, w.db).(sdkDoor), openGRPC(t, w.db).(grpcDoor).client
	name := aws.String("vectors")
	_, err := sdk.items.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		VectorIndexes: []types.VectorIndex{{
			IndexName: aws.String("near"), VectorAttribute: &types.VectorAttributeDefinition{AttributeName: aws.String("v")},
			Dimensions: aws.Int64(2), DistanceFunction: types.VectorDistanceFunctionDotProduct,
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	require.NoError(t, err)
	require.NoError(t, native.Table("vectors").Put(attr.NewItem().S("pk", "native").Vec("v", 2, 1)).Run(t.Context()))
	require.Error(t, native.Table("vectors").Put(attr.NewItem().S("pk", "long").Vec("v", 2, 1, 0)).Run(t.Context()))
	one := &types.AttributeValueMemberN{Value: "1"}
	_, err = sdk.items.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: name, Item: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "list"}, "v": &types.AttributeValueMemberL{Value: []types.AttributeValue{one, one}},
	}})
	require.NoError(t, err)
	out, err := sdk.items.SearchVectors(t.Context(), &dynamodb.SearchVectorsInput{
		TableName: name, IndexName: aws.String("near"), SearchVector: []types.AttributeValue{one, one}, TopK: aws.Int32(2),
		ProjectionExpression: aws.String("v"),
	})
	require.NoError(t, err)
	require.Len(t, out.SearchResults, 2)
	require.InDelta(t, 3, out.SearchResults[0].Score, 0)
	require.IsType(t, &types.AttributeValueMemberL{}, out.SearchResults[0].Item["v"])
	found, err := native.Service().SearchVectors(t.Context(), &api.SearchVectorsInput{
		TableName: api.Some("vectors"), IndexName: api.Some("near"), TopK: api.Some[int64](2),
		SearchVector: []attr.Value{number(t, "1"), number(t, "1")},
	})
	require.NoError(t, err)
	require.Len(t, found.SearchResults, 2)
	require.Equal(t, "native", found.SearchResults[0].Item.Get("pk").Text())
	require.InDelta(t, 2, found.SearchResults[1].Score.Value, 0)
}

func number(t *testing.T, text string) attr.Value {
	v, err := attr.Number(text)
	require.NoError(t, err)
	return v
}
