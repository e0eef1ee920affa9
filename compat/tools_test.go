package compat

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestAWSCLIMore: legacy parameters, batches, settings and a stream by aws-cli.
func TestAWSCLIMore(t *testing.T) {
	needAWS(t)
	s := newServer(t, "--in-memory")
	out := shell(t, s.url, `
streams() { command aws --endpoint-url "$ENDPOINT" --output json dynamodbstreams "$@"; }
aws() { command aws --endpoint-url "$ENDPOINT" --output json dynamodb "$@"; }
arn=$(aws create-table --table-name Things --billing-mode PAY_PER_REQUEST \
  --attribute-definitions AttributeName=pk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH \
  --stream-specification StreamEnabled=true,StreamViewType=KEYS_ONLY \
  --query TableDescription.LatestStreamArn --output text)
aws batch-write-item --request-items '{"Things":[{"PutRequest":{"Item":{"pk":{"S":"a"},"n":{"N":"1"}}}},{"PutRequest":{"Item":{"pk":{"S":"b"},"n":{"N":"2"}}}}]}' --query 'length(UnprocessedItems)'
aws scan --table-name Things --scan-filter '{"n":{"ComparisonOperator":"GT","AttributeValueList":[{"N":"1"}]}}' --query 'Items[0].pk.S'
! aws delete-item --table-name Things --key '{"pk":{"S":"a"}}' --expected '{"n":{"Value":{"N":"7"}}}' 2>error.txt
grep -o ConditionalCheckFailedException error.txt
aws update-time-to-live --table-name Things --time-to-live-specification Enabled=true,AttributeName=gone --query TimeToLiveSpecification.AttributeName
shard=$(streams describe-stream --stream-arn "$arn" --query 'StreamDescription.Shards[0].ShardId' --output text)
iterator=$(streams get-shard-iterator --stream-arn "$arn" --shard-id "$shard" --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text)
streams get-records --shard-iterator "$iterator" --query 'length(Records)'
`)
	assert.Equal(t, "0\n\"b\"\nConditionalCheckFailedException\n\"gone\"\n2\n", out)
}

// TestBoto3More: transactions, legacy parameters and pages of a stream's records by boto3.
func TestBoto3More(t *testing.T) {
	if botoPython() == "" {
		missing(t, "boto3")
	}
	s := newServer(t, "--in-memory")
	out := shell(t, s.url, `"$PYTHON" - <<'END'
import os, boto3
c = boto3.client("dynamodb", endpoint_url=os.environ["ENDPOINT"])
streams = boto3.client("dynamodbstreams", endpoint_url=os.environ["ENDPOINT"])
arn = c.create_table(TableName="Things", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})["TableDescription"]["LatestStreamArn"]
c.get_waiter("table_exists").wait(TableName="Things")
put = lambda pk: {"Put": {"TableName": "Things", "Item": {"pk": {"S": pk}}, "ConditionExpression": "attribute_not_exists(pk)"}}
c.transact_write_items(TransactItems=[put("a"), put("b")])
try:
    c.transact_write_items(TransactItems=[put("c"), put("b")])
except c.exceptions.TransactionCanceledException as e:
    print([r["Code"] for r in e.response["CancellationReasons"]])
print(c.update_item(TableName="Things", Key={"pk": {"S": "a"}}, ReturnValues="UPDATED_NEW",
    AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "3"}}}, Expected={"n": {"Exists": False}})["Attributes"])
print(c.query(TableName="Things", KeyConditions={"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}})["Count"])
shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
names = []
while len(names) < 3:
    page = streams.get_records(ShardIterator=iterator, Limit=2)
    names += [r["eventName"] for r in page["Records"]]
    iterator = page["NextShardIterator"]
print(names)
END
`)
	assert.Equal(t, "['None', 'ConditionalCheckFailed']\n{'n': {'N': '3'}}\n1\n['INSERT', 'INSERT', 'MODIFY']\n", out)
}
