package kinesis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

func build(t *testing.T, b *attr.Builder) attr.Item {
	t.Helper()
	item, err := b.Build()
	require.NoError(t, err)
	return item
}

func TestAppend(t *testing.T) {
	keys := build(t, attr.NewItem().S("pk", "a"))
	c := Change{
		Region: "us-east-1", Table: "Tab", EventID: "id", Event: "MODIFY", TimeMs: 1767225600123, Micros: 45,
		Keys: keys, New: build(t, attr.NewItem().S("pk", "a").N("v", "2")), Old: build(t, attr.NewItem().S("pk", "a").N("v", "1")), SizeBytes: 17,
	}
	require.Equal(t, `{"awsRegion":"us-east-1","eventID":"id","eventName":"MODIFY","userIdentity":null,"recordFormat":"application/json","tableName":"Tab",`+
		`"dynamodb":{"ApproximateCreationDateTime":1767225600123,"Keys":{"pk":{"S":"a"}},"NewImage":{"pk":{"S":"a"},"v":{"N":"2"}},`+
		`"OldImage":{"pk":{"S":"a"},"v":{"N":"1"}},"SizeBytes":17},"eventSource":"aws:dynamodb"}`, string(c.Append(nil)))
	c.New, c.Expired, c.Event, c.Microseconds = nil, true, "REMOVE", true
	require.Equal(t, `{"awsRegion":"us-east-1","eventID":"id","eventName":"REMOVE","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},`+
		`"recordFormat":"application/json","tableName":"Tab","dynamodb":{"ApproximateCreationDateTime":1767225600123045,"Keys":{"pk":{"S":"a"}},`+
		`"OldImage":{"pk":{"S":"a"},"v":{"N":"1"}},"SizeBytes":17,"ApproximateCreationDateTimePrecision":"MICROSECOND"},"eventSource":"aws:dynamodb"}`, string(c.Append(nil)))
	require.Regexp(t, `^[0-9A-F]{32}$`, PartitionKey(keys))
	require.NotEqual(t, PartitionKey(keys), PartitionKey(build(t, attr.NewItem().S("pk", "b"))))
}

func TestParseARN(t *testing.T) {
	region, name, ok := ParseARN("arn:aws:kinesis:eu-west-1:123456789012:stream/orders")
	require.True(t, ok)
	require.Equal(t, "eu-west-1 orders", region+" "+name)
	for _, arn := range []string{"", "not-an-arn", "arn:aws:dynamodb:eu-west-1:123456789012:table/orders", "arn:aws:kinesis:eu-west-1:123456789012:stream/", "arn:aws:kinesis:eu-west-1:123456789012:stream/a/consumer/b", "arn:aws:kinesis:eu-west-1:123456789012:stream/.."} {
		_, _, ok := ParseARN(arn)
		require.False(t, ok, arn)
	}
}
