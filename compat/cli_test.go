package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shell runs a script with the credentials and the endpoint of a server, and returns its output.
// The variables name the endpoint for newer clients; scripts pass --endpoint-url as well, since
// aws-cli before 2.13 ignores them and would reach the cloud.
func shell(t *testing.T, url, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "ENDPOINT="+url, "AWS_ENDPOINT_URL_DYNAMODB="+url, "AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "HOME="+cmd.Dir)
	if python := botoPython(); python != "" {
		cmd.Env = append(cmd.Env, "PYTHON="+python)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// needAWS skips the test without aws-cli.
func needAWS(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		missing(t, "aws-cli")
	}
}

// botoPython is a Python that has boto3: the first of the PATH, else the system's own.
func botoPython() string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import boto3").Run() == nil {
			return python
		}
	}
	return ""
}

func TestAWSCLI(t *testing.T) {
	needAWS(t)
	s := newServer(t, "--db", filepath.Join(t.TempDir(), "cli.keystone"))
	out := shell(t, s.url, `
aws() { command aws --endpoint-url "$ENDPOINT" --output json dynamodb "$@"; }
aws create-table --table-name Music --billing-mode PAY_PER_REQUEST \
  --attribute-definitions AttributeName=Artist,AttributeType=S AttributeName=Song,AttributeType=S AttributeName=Year,AttributeType=N \
  --key-schema AttributeName=Artist,KeyType=HASH AttributeName=Song,KeyType=RANGE \
  --global-secondary-indexes 'IndexName=ByYear,KeySchema=[{AttributeName=Artist,KeyType=HASH},{AttributeName=Year,KeyType=RANGE}],Projection={ProjectionType=ALL}' >/dev/null
aws wait table-exists --table-name Music
aws put-item --table-name Music --item '{"Artist":{"S":"Nina"},"Song":{"S":"Sinnerman"},"Year":{"N":"1965"}}'
aws put-item --table-name Music --item '{"Artist":{"S":"Nina"},"Song":{"S":"Feeling Good"},"Year":{"N":"1964"}}'
aws query --table-name Music --index-name ByYear --key-condition-expression 'Artist = :a AND #y > :y' \
  --expression-attribute-names '{"#y":"Year"}' --expression-attribute-values '{":a":{"S":"Nina"},":y":{"N":"1964"}}' --query 'Items[].Song.S'
aws update-item --table-name Music --key '{"Artist":{"S":"Nina"},"Song":{"S":"Sinnerman"}}' \
  --update-expression 'ADD Plays :one' --expression-attribute-values '{":one":{"N":"1"}}' --return-values UPDATED_NEW
aws transact-write-items --transact-items '[{"Delete":{"TableName":"Music","Key":{"Artist":{"S":"Nina"},"Song":{"S":"Feeling Good"}}}}]'
aws scan --table-name Music --select COUNT --query Count
! aws put-item --table-name Music --item '{"Artist":{"S":"Nina"}}' 2>error.txt
grep -o 'Missing the key Song in the item' error.txt
aws delete-table --table-name Music --query TableDescription.TableStatus
`)
	for _, want := range []string{`"Sinnerman"`, `"N": "1"`, "\n1\n", "Missing the key Song in the item", `"DELETING"`} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "Feeling Good")
}

func TestBoto3(t *testing.T) {
	if botoPython() == "" {
		missing(t, "boto3")
	}
	s := newServer(t, "--in-memory")
	out := shell(t, s.url, `"$PYTHON" - <<'END'
import os, boto3
from decimal import Decimal
from boto3.dynamodb.conditions import Key, Attr
from botocore.exceptions import ClientError
db = boto3.resource("dynamodb", endpoint_url=os.environ["ENDPOINT"], region_name="us-east-1")
t = db.create_table(TableName="Things", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}])
t.wait_until_exists()
with t.batch_writer() as batch:
    for i in range(60):
        batch.put_item(Item={"pk": "p", "sk": i, "even": i % 2 == 0, "price": Decimal("1.25"), "tags": {"a", "b"}, "raw": b"\x00\xff"})
got = t.query(KeyConditionExpression=Key("pk").eq("p") & Key("sk").between(10, 19), FilterExpression=Attr("even").eq(True))
print("found", got["Count"], "of", got["ScannedCount"])
it = t.get_item(Key={"pk": "p", "sk": 7})["Item"]
print(it["price"] == Decimal("1.25"), it["tags"] == {"a", "b"}, it["raw"] == b"\x00\xff")
print(t.update_item(Key={"pk": "p", "sk": 7}, UpdateExpression="SET price = price + :p", ExpressionAttributeValues={":p": Decimal("0.75")}, ReturnValues="UPDATED_NEW")["Attributes"]["price"])
try:
    t.put_item(Item={"pk": "p", "sk": 7}, ConditionExpression=Attr("pk").not_exists())
except ClientError as e:
    print(e.response["Error"]["Code"])
pages = boto3.client("dynamodb", endpoint_url=os.environ["ENDPOINT"], region_name="us-east-1").get_paginator("scan").paginate(TableName="Things", PaginationConfig={"PageSize": 7})
print("scanned", sum(p["Count"] for p in pages))
END`)
	assert.Equal(t, "found 5 of 10\nTrue True True\n2.00\nConditionalCheckFailedException\nscanned 60\n", strings.ReplaceAll(out, "\n2\n", "\n2.00\n"))
}

// codeBlocks are the fenced blocks of a language in a Markdown file whose first line is a comment
// with the label.
func codeBlock(t *testing.T, file, label string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", file))
	require.NoError(t, err)
	parts := strings.Split(string(text), "```")
	for i := 1; i < len(parts); i += 2 {
		_, body, _ := strings.Cut(parts[i], "\n")
		if strings.HasPrefix(body, "# "+label+"\n") {
			return body
		}
	}
	t.Fatalf("%s has no code block that begins with the comment %q", file, label)
	return ""
}

// TestREADMEExample runs what the README tells a newcomer to paste, and the kill in the middle.
func TestREADMEExample(t *testing.T) {
	needAWS(t)
	path := filepath.Join(t.TempDir(), "readme.keystone")
	s := newServer(t, "--db", path)
	port := func(script, url string) string { return strings.ReplaceAll(script, "http://localhost:8000", url) }
	shell(t, s.url, port(codeBlock(t, "README.md", "create, write, read"), s.url))
	s.kill()
	s = newServer(t, "--db", path)
	out := shell(t, s.url, port(codeBlock(t, "README.md", "after kill -9 and a new start"), s.url))
	assert.Contains(t, out, "Sinnerman")
}

// TestREADMEServiceContainer runs the steps of the README's recipe for CI. The service container
// itself is a process here.
func TestREADMEServiceContainer(t *testing.T) {
	needAWS(t)
	s, err := startCommand(exec.Command(binary, "-inMemory", "-sharedDb", "-port", "0"))
	require.NoError(t, err)
	t.Cleanup(s.kill)
	block := codeBlock(t, "README.md", "steps of the job")
	out := shell(t, s.url, strings.ReplaceAll(block, "http://localhost:8000", s.url))
	assert.Contains(t, out, "healthy-table")
}
