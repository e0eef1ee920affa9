package compat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const accessKeys = `
# the owner
[owner]
aws_access_key_id = AKIAOWNER
aws_secret_access_key = owner/secret+1
[reader]
aws_access_key_id = AKIAREADER
aws_secret_access_key = reader-secret
access = read-only
[clerk]
aws_access_key_id = AKIACLERK
aws_secret_access_key = clerk-secret
tables = Orders, Old-*
[partner]
aws_access_key_id = AKIAPARTNER
aws_secret_access_key = partner-secret
account = 210987654321
[partner-reader]
aws_access_key_id = AKIAPARTNERREADS
aws_secret_access_key = partner-reads
account = 210987654321
access = read-only
[guest]
aws_access_key_id = ASIAGUEST
aws_secret_access_key = guest-secret
aws_session_token = guest-token
`

// guarded starts a server that verifies signatures and returns the file of its access keys.
func guarded(t *testing.T, args ...string) (*server, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.ini")
	require.NoError(t, os.WriteFile(path, []byte(accessKeys), 0o600))
	return newServer(t, append([]string{"--in-memory", "--credentials", path, "--region", "eu-west-3"}, args...)...), path
}

// as is a client with an access key; an error is not tried again.
func (s *server) as(id, secret, token string, options ...func(*dynamodb.Options)) *dynamodb.Client {
	return newClient(s.url, append([]func(*dynamodb.Options){func(o *dynamodb.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(id, secret, token)
		o.Retryer = aws.NopRetryer{}
	}}, options...)...)
}

const unknownKey = "The security token included in the request is invalid."

// TestSignatures: the SDK signs, the server verifies (wire-facts §1.8).
func TestSignatures(t *testing.T) {
	s, _ := guarded(t)
	owner := s.as("AKIAOWNER", "owner/secret+1", "")
	require.NoError(t, createTables(t.Context(), owner))
	table, key := aws.String(hashTable), hashKey(t)
	_, err := owner.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: key})
	require.NoError(t, err)
	get := func(c *dynamodb.Client) error {
		_, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: key})
		return err
	}
	require.NoError(t, get(owner))
	wantError(t, get(s.as("AKIANOBODY", "x", "")), "UnrecognizedClientException", unknownKey)
	wantError(t, get(s.as("AKIAOWNER", "wrong", "")), "InvalidSignatureException", "The request signature we calculated does "+
		"not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service "+
		"documentation for details.")
	wantError(t, get(s.as("AKIAOWNER", "owner/secret+1", "", func(o *dynamodb.Options) { o.Region = "us-west-2" })),
		"InvalidSignatureException", "Credential should be scoped to a valid region, not 'us-west-2'. ")

	require.NoError(t, get(s.as("ASIAGUEST", "guest-secret", "guest-token")))
	wantError(t, get(s.as("ASIAGUEST", "guest-secret", "other")), "UnrecognizedClientException", strings.TrimSuffix(unknownKey, "."))

	// A large body is not kept for a key that is not known, and the client sees why.
	var large []types.WriteRequest
	for i := range 25 {
		item := map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: fmt.Sprint(i)},
			"x":  &types.AttributeValueMemberS{Value: strings.Repeat("x", 390_000)},
		}
		large = append(large, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
	}
	_, err = s.as("AKIANOBODY", "x", "").BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{hashTable: large},
	})
	wantError(t, err, "UnrecognizedClientException", unknownKey)

	// Without any signature.
	status, body := post(t, s.url, nil)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.JSONEq(t, `{"__type":"com.amazon.coral.service#MissingAuthenticationTokenException",`+
		`"message":"Request is missing Authentication Token"}`, body)
}

// TestAccessOfKeys: what access keys may do that are bound to reading or to tables.
func TestAccessOfKeys(t *testing.T) {
	s, _ := guarded(t)
	owner := s.as("AKIAOWNER", "owner/secret+1", "")
	for _, name := range []string{"Orders", "Other"} {
		_, err := owner.CreateTable(t.Context(), tableInput(name, "pk:S"))
		require.NoError(t, err)
	}
	put := func(c *dynamodb.Client, table string) error {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: hashKey(t)})
		return err
	}
	scan := func(c *dynamodb.Client, table string) error {
		_, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		return err
	}
	denied := func(user, action, table string) string {
		return fmt.Sprintf("User: arn:aws:iam::123456789012:user/%s is not authorized to perform: dynamodb:%s on resource: "+
			"arn:aws:dynamodb:eu-west-3:123456789012:table/%s because no identity-based policy allows the dynamodb:%s action",
			user, action, table, action)
	}
	reader, clerk := s.as("AKIAREADER", "reader-secret", ""), s.as("AKIACLERK", "clerk-secret", "")
	require.NoError(t, scan(reader, "Orders"))
	wantError(t, put(reader, "Orders"), "AccessDeniedException", denied("reader", "PutItem", "Orders"))
	require.NoError(t, put(clerk, "Orders"))
	wantError(t, put(clerk, "Other"), "AccessDeniedException", denied("clerk", "PutItem", "Other"))
	wantError(t, put(clerk, "arn:aws:dynamodb:eu-west-3:123456789012:table/Other"), "AccessDeniedException",
		denied("clerk", "PutItem", "Other"))
	statement := func(c *dynamodb.Client, text string) error {
		_, err := c.ExecuteStatement(t.Context(), &dynamodb.ExecuteStatementInput{Statement: &text})
		return err
	}
	require.NoError(t, statement(clerk, `SELECT * FROM Orders WHERE pk = 'x'`))
	wantError(t, statement(clerk, `DELETE FROM "Other" WHERE pk = 'x'`), "AccessDeniedException",
		denied("clerk", "PartiQLDelete", "Other"))
	require.NoError(t, statement(reader, `SELECT * FROM Orders`))
	wantError(t, statement(reader, `INSERT INTO Orders VALUE {'pk': 'x'}`), "AccessDeniedException",
		denied("reader", "PartiQLInsert", "Orders"))
	batch, err := clerk.BatchExecuteStatement(t.Context(), &dynamodb.BatchExecuteStatementInput{
		Statements: []types.BatchStatementRequest{
			{Statement: aws.String(`DELETE FROM Orders WHERE pk = 'x'`)},
			{Statement: aws.String(`DELETE FROM "Other" WHERE pk = 'x'`)},
		},
	})
	require.NoError(t, err)
	require.Len(t, batch.Responses, 2)
	require.Nil(t, batch.Responses[0].Error)
	require.Equal(t, "Other", aws.ToString(batch.Responses[1].TableName))
	require.Equal(t, types.BatchStatementErrorCodeEnumAccessDenied, batch.Responses[1].Error.Code)
	require.Equal(t, denied("clerk", "PartiQLDelete", "Other"), aws.ToString(batch.Responses[1].Error.Message))
	_, err = clerk.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("Orders"), Item: hashKey(t)}},
		{Delete: &types.Delete{TableName: aws.String("Other"), Key: hashKey(t)}},
	}})
	wantError(t, err, "AccessDeniedException", denied("clerk", "DeleteItem", "Other"))
	_, err = clerk.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	require.ErrorContains(t, err, "is not authorized to perform: dynamodb:ListTables on resource: *")
}

// post sends a ListTables that sign may sign.
func post(t *testing.T, url string, sign func(*http.Request, string) *http.Request) (int, string) {
	t.Helper()
	const body = `{"Limit":1}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
	if sign != nil {
		sum := sha256.Sum256([]byte(body))
		r = sign(r, hex.EncodeToString(sum[:]))
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

// TestSignatureTimes: dates beyond the 15 minutes, in both forms, and the form in the query string,
// whose body is part of the signature as well.
func TestSignatureTimes(t *testing.T) {
	s, _ := guarded(t)
	owner := aws.Credentials{AccessKeyID: "AKIAOWNER", SecretAccessKey: "owner/secret+1"}
	header := func(shift time.Duration) func(*http.Request, string) *http.Request {
		return func(r *http.Request, sum string) *http.Request {
			require.NoError(t, signer.NewSigner().SignHTTP(t.Context(), owner, r, sum, "dynamodb", "eu-west-3", time.Now().Add(shift)))
			return r
		}
	}
	query := func(shift time.Duration) func(*http.Request, string) *http.Request {
		return func(r *http.Request, sum string) *http.Request {
			// Signed for this body and to be sent with it, or with what the caller makes of it.
			url, _, err := signer.NewSigner().PresignHTTP(t.Context(), owner, r, sum, "dynamodb", "eu-west-3", time.Now().Add(shift))
			require.NoError(t, err)
			out, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, url, r.Body)
			require.NoError(t, err)
			out.ContentLength = r.ContentLength
			for _, name := range []string{"Content-Type", "X-Amz-Target"} {
				out.Header.Set(name, r.Header.Get(name))
			}
			return out
		}
	}
	for _, form := range []func(time.Duration) func(*http.Request, string) *http.Request{header, query} {
		status, body := post(t, s.url, form(0))
		assert.Equal(t, http.StatusOK, status, body)
		status, body = post(t, s.url, form(-16*time.Minute))
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Regexp(t, `"message":"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min.\)"`, body)
		status, body = post(t, s.url, form(16*time.Minute))
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, body, "Signature not yet current: ")
		status, body = post(t, s.url, func(r *http.Request, sum string) *http.Request {
			r = form(0)(r, sum)
			r.Body = io.NopCloser(strings.NewReader(`{"Limit":2}`))
			return r
		})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, body, "#InvalidSignatureException")
	}
}

// TestCredentialsReload: an access key is taken away and another given while the server runs.
func TestCredentialsReload(t *testing.T) {
	s, path := guarded(t)
	list := func(id, secret string) error {
		_, err := s.as(id, secret, "").ListTables(t.Context(), &dynamodb.ListTablesInput{})
		return err
	}
	require.NoError(t, list("AKIAOWNER", "owner/secret+1"))
	require.NoError(t, os.WriteFile(path, []byte("[new]\naws_access_key_id = AKIANEW\naws_secret_access_key = n\n"), 0o600))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { return list("AKIANEW", "n") == nil }, waitMax, 10*time.Millisecond)
	wantError(t, list("AKIAOWNER", "owner/secret+1"), "UnrecognizedClientException", unknownKey)
	s.stop(t)
}

// TestSignaturesOfOthers: aws-cli and boto3 sign with the server's own file of access keys.
func TestSignaturesOfOthers(t *testing.T) {
	needAWS(t)
	if botoPython() == "" {
		missing(t, "boto3")
	}
	s, path := guarded(t)
	out := shell(t, s.url, fmt.Sprintf(`
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export AWS_SHARED_CREDENTIALS_FILE=%q AWS_REGION=eu-west-3 AWS_DEFAULT_REGION=eu-west-3
aws() { command aws --endpoint-url "$ENDPOINT" --output text dynamodb "$@"; }
AWS_PROFILE=owner aws create-table --table-name Orders --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=pk,AttributeType=S \
  --key-schema AttributeName=pk,KeyType=HASH --query TableDescription.TableName
AWS_PROFILE=guest aws list-tables
! AWS_PROFILE=reader aws put-item --table-name Orders --item '{"pk":{"S":"a"}}' 2>error.txt
grep -o 'AccessDeniedException.*PutItem on resource' error.txt
! AWS_ACCESS_KEY_ID=AKIAOWNER AWS_SECRET_ACCESS_KEY=no aws list-tables 2>error.txt
grep -o InvalidSignatureException error.txt
export AWS_PROFILE=clerk
"$PYTHON" - <<'END'
import os, boto3, urllib.request
from botocore.exceptions import ClientError
db = boto3.client("dynamodb", endpoint_url=os.environ["ENDPOINT"])
db.put_item(TableName="Orders", Item={"pk": {"S": "ü"}})
print("boto3 found", db.get_item(TableName="Orders", Key={"pk": {"S": "ü"}})["Item"]["pk"]["S"])
streams = boto3.client("dynamodbstreams", endpoint_url=os.environ["ENDPOINT"])
try:
    streams.list_streams()
except ClientError as e:
    print("streams:", e.response["Error"]["Code"])
END
`, path))
	for _, want := range []string{"Orders\n", "TABLENAMES\tOrders", "AccessDeniedException", "InvalidSignatureException",
		"boto3 found ü", "streams: AccessDeniedException"} {
		assert.Contains(t, out, want)
	}
}
