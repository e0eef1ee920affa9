package doors_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
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

func number(t *testing.T, text string) attr.Value {
	v, err := attr.Number(text)
	require.NoError(t, err)
	return v
}
