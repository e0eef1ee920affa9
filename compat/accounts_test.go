package compat

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// otherAccount is that of keys in accessKeys.
const otherAccount = "210987654321"

// TestOtherAccounts: who is of another account reaches a table by its ARN when both its policy and his key let him, as
// in the service. Tables of two accounts with one name are two: each account has a server of its own.
func TestOtherAccounts(t *testing.T) {
	ctx := t.Context()
	s, path := guarded(t)
	theirs := newServer(t, "--in-memory", "--credentials", path, "--region", "eu-west-3", "--account", otherAccount)
	owner, partner := s.as("AKIAOWNER", "owner/secret+1", ""), s.as("AKIAPARTNER", "partner-secret", "")
	reader := s.as("AKIAPARTNERREADS", "partner-reads", "")
	name := "Orders"
	arn := "arn:aws:dynamodb:eu-west-3:123456789012:table/" + name
	in := tableInput(name, "pk:S")
	in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly}
	made, err := owner.CreateTable(ctx, in)
	require.NoError(t, err)
	home := theirs.as("AKIAPARTNER", "partner-secret", "")
	there, err := home.CreateTable(ctx, tableInput(name, "pk:S"))
	require.NoError(t, err, "in his own account")
	assert.Equal(t, "arn:aws:dynamodb:eu-west-3:"+otherAccount+":table/"+name, aws.ToString(there.TableDescription.TableArn))

	put := func(c *dynamodb.Client, table, pk string) error {
		_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str(pk)}})
		return err
	}
	get := func(c *dynamodb.Client, table string) error {
		_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: item{"pk": str("ours")}})
		return err
	}
	refused := func(user, action, resource, kind string) string {
		return fmt.Sprintf("User: arn:aws:iam::%s:user/%s is not authorized to perform: dynamodb:%s on resource: %s "+
			"because no %s policy allows the dynamodb:%s action", otherAccount, user, action, resource, kind, action)
	}
	require.NoError(t, put(owner, name, "ours"))
	require.NoError(t, put(home, name, "his"))
	wantError(t, get(partner, arn), "AccessDeniedException", refused("partner", "GetItem", arn, "resource-based"))
	his := "arn:aws:dynamodb:eu-west-3:" + otherAccount + ":table/"
	wantError(t, get(partner, name), "AccessDeniedException", refused("partner", "GetItem", his+name, "identity-based"))
	_, err = partner.CreateTable(ctx, tableInput("New", "pk:S"))
	wantError(t, err, "AccessDeniedException", refused("partner", "CreateTable", his+"New", "identity-based"))
	_, err = partner.ListTables(ctx, &dynamodb.ListTablesInput{})
	wantError(t, err, "AccessDeniedException", refused("partner", "ListTables", "*", "identity-based"))

	// The table's policy lets the account in, and of that its key.
	_, err = owner.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: &arn, Policy: aws.String(`{"Statement":[
		{"Effect":"Allow","Principal":{"AWS":"` + otherAccount + `"},"Action":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:DescribeTable"],"Resource":"` + arn + `"},
		{"Effect":"Deny","Principal":{"AWS":"` + otherAccount + `"},"Action":"dynamodb:PutItem","Resource":"` + arn + `","Condition":{"ForAnyValue:StringEquals":{"dynamodb:LeadingKeys":"no"}}}]}`)})
	require.NoError(t, err)
	require.NoError(t, get(partner, arn))
	require.NoError(t, put(partner, arn, "yes"))
	wantError(t, put(partner, arn, "no"), "AccessDeniedException", "User: arn:aws:iam::"+otherAccount+
		":user/partner is not authorized to perform: dynamodb:PutItem on resource: "+arn+" with an explicit deny in a resource-based policy")
	require.NoError(t, get(reader, arn))
	wantError(t, put(reader, arn, "yes"), "AccessDeniedException", refused("partner-reader", "PutItem", arn, "identity-based"))
	_, err = partner.Scan(ctx, &dynamodb.ScanInput{TableName: &arn})
	wantError(t, err, "AccessDeniedException", refused("partner", "Scan", arn, "resource-based"))
	wantError(t, get(partner, name), "AccessDeniedException", refused("partner", "GetItem", his+name, "identity-based"))
	_, err = partner.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		arn: {Keys: []map[string]types.AttributeValue{{"pk": str("ours")}}},
	}})
	wantError(t, err, "AccessDeniedException", refused("partner", "BatchGetItem", arn, "resource-based"))
	d, err := partner.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &arn})
	require.NoError(t, err)
	assert.Equal(t, arn, aws.ToString(d.Table.TableArn))

	// So is its stream.
	stream := aws.ToString(made.TableDescription.LatestStreamArn)
	streams := newStreams(s.url, func(o *dynamodbstreams.Options) {
		o.Credentials, o.Retryer = credentials.NewStaticCredentialsProvider("AKIAPARTNER", "partner-secret", ""), aws.NopRetryer{}
	})
	describe := func() error {
		_, err := streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &stream})
		return err
	}
	wantError(t, describe(), "AccessDeniedException", refused("partner", "DescribeStream", stream, "resource-based"))
	_, err = owner.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: &stream, Policy: aws.String(
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + otherAccount + `:root"},"Action":"dynamodb:DescribeStream","Resource":"` + stream + `"}}`)})
	require.NoError(t, err)
	require.NoError(t, describe())

	// Two tables of one name are two.
	out, err := home.Scan(ctx, &dynamodb.ScanInput{TableName: &name})
	require.NoError(t, err)
	require.Len(t, out.Items, 1)
	require.NoError(t, put(owner, arn, "by ARN"))
	mine, err := owner.Scan(ctx, &dynamodb.ScanInput{TableName: &name})
	require.NoError(t, err)
	require.Len(t, mine.Items, 3)
}

// TestPoliciesOfReplicas: replication is the service's own affair. A policy that denies everybody does not stop it, and
// a key that is let in by one does not replicate.
func TestPoliciesOfReplicas(t *testing.T) {
	east, west := signedCoasts(t)
	table := "Orders"
	_, err := east.client().CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	deny := func(c *coast, region string) string {
		arn := "arn:aws:dynamodb:" + region + ":123456789012:table/" + table
		_, err := c.client().PutResourcePolicy(t.Context(), &dynamodb.PutResourcePolicyInput{ResourceArn: &arn, Policy: aws.String(
			`{"Statement":{"Effect":"Deny","Principal":"*","NotAction":["dynamodb:PutResourcePolicy","dynamodb:DeleteResourcePolicy","dynamodb:GetResourcePolicy",
				"dynamodb:UpdateTable","dynamodb:Scan"],"Resource":"*"}}`)})
		require.NoError(t, err)
		return arn
	}
	arrives := func(c *coast, key string) {
		t.Helper()
		require.Eventually(t, func() bool { return c.items(t, table)[key] != "" }, waitMax, 20*time.Millisecond)
	}
	allow := func(c *coast, arn string) {
		_, err := c.client().DeleteResourcePolicy(t.Context(), &dynamodb.DeleteResourcePolicyInput{ResourceArn: &arn})
		require.NoError(t, err)
	}
	east.put(t, table, "a", 1)
	inEast := deny(east, "us-east-1")
	east.addReplica(t, table, "us-west-2")
	arrives(west, "a")
	inWest := deny(west, "us-west-2")
	allow(east, inEast)
	east.put(t, table, "b", 2)
	arrives(west, "b")
	deny(east, "us-east-1")
	allow(west, inWest)
	west.put(t, table, "c", 3)
	arrives(east, "c")
	_, err = east.client().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("x")}})
	require.ErrorContains(t, err, "with an explicit deny in a resource-based policy")

	// Of another account, bound to a table or to reading: not even with a policy that lets them do everything.
	_, err = west.client().PutResourcePolicy(t.Context(), &dynamodb.PutResourcePolicyInput{ResourceArn: &inWest, Policy: aws.String(
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":["` + otherAccount + `","123456789012"]},"Action":"dynamodb:*","Resource":"*"}}`)})
	require.NoError(t, err)
	for id, secret := range map[string]string{"AKIAPARTNER": "partner-secret", "AKIACLERK": "clerk-secret", "AKIAREADER": "reader-secret"} {
		east.kill()
		t.Setenv("AWS_ACCESS_KEY_ID", id)
		t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
		east.start(t)
		_, err = east.client().UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, ReplicaUpdates: []types.ReplicationGroupUpdate{
			{Delete: &types.DeleteReplicationGroupMemberAction{RegionName: aws.String("us-west-2")}},
		}})
		require.ErrorContains(t, err, "Region us-west-2 cannot be reached now", id)
	}
}
