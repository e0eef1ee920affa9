package compat

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
)

// TestResourcePolicies: policies are kept, and where requests are signed they say who gets in.
func TestResourcePolicies(t *testing.T) {
	ctx := t.Context()
	s, _ := guarded(t)
	owner, reader := s.as("AKIAOWNER", "owner/secret+1", ""), s.as("AKIAREADER", "reader-secret", "")
	clerk := s.as("AKIACLERK", "clerk-secret", "")
	table := aws.String("Ledger")
	_, err := owner.CreateTable(ctx, tableInput(*table, "pk:S"))
	require.NoError(t, err)
	const arn = "arn:aws:dynamodb:eu-west-3:123456789012:table/Ledger"
	resource := aws.String(arn)
	put := func(c *dynamodb.Client, pk string) error {
		_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: item{"pk": str(pk)}})
		return err
	}
	get := func(c *dynamodb.Client, pk string) error {
		_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: item{"pk": str(pk)}})
		return err
	}
	refused := func(user, action, why string) string {
		return fmt.Sprintf("User: arn:aws:iam::123456789012:user/%s is not authorized to perform: dynamodb:%s on resource: %s %s",
			user, action, arn, why)
	}
	const explicitly = "with an explicit deny in a resource-based policy"
	byKey := func(action string) string {
		return "because no identity-based policy allows the dynamodb:" + action + " action"
	}

	_, err = owner.GetResourcePolicy(ctx, &dynamodb.GetResourcePolicyInput{ResourceArn: resource})
	wantError(t, err, "PolicyNotFoundException", "Resource-based policy not found for the provided ResourceArn: "+arn)
	document := aws.String(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/clerk"},"Action":["dynamodb:GetItem","dynamodb:PutItem"],
		 "Resource":"` + arn + `","Condition":{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":"clerk"}}},
		{"Effect":"Deny","Principal":"*","Action":"dynamodb:GetItem","Resource":"` + arn + `","Condition":{"StringNotEquals":{"aws:username":["clerk"]}}},
		{"Effect":"Deny","Principal":"*","Action":"dynamodb:Scan","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":["127.0.0.0/8","::1"]}}}]}`)
	made, err := owner.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: resource, Policy: document})
	require.NoError(t, err)
	got, err := owner.GetResourcePolicy(ctx, &dynamodb.GetResourcePolicyInput{ResourceArn: resource})
	require.NoError(t, err)
	require.Equal(t, *document, aws.ToString(got.Policy))
	require.Equal(t, made.RevisionId, got.RevisionId)

	require.NoError(t, put(owner, "x"), "the policy is silent, the key may")
	wantError(t, get(owner, "x"), "AccessDeniedException", refused("owner", "GetItem", explicitly))
	require.NoError(t, put(clerk, "clerk"), "the key may not, the policy lets him")
	require.NoError(t, get(clerk, "clerk"))
	wantError(t, put(clerk, "x"), "AccessDeniedException", refused("clerk", "PutItem", byKey("PutItem")))
	wantError(t, put(reader, "x"), "AccessDeniedException", refused("reader", "PutItem", byKey("PutItem")))
	_, err = owner.Scan(ctx, &dynamodb.ScanInput{TableName: table})
	wantError(t, err, "AccessDeniedException", refused("owner", "Scan", explicitly))
	_, err = owner.TransactGetItems(ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: table, Key: item{"pk": str("x")}}},
	}})
	wantError(t, err, "AccessDeniedException", refused("owner", "GetItem", explicitly))

	// Nobody locks himself out unawares.
	deny := aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"dynamodb:*","Resource":"*"}}`)
	_, err = owner.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: resource, Policy: deny})
	wantError(t, err, "AccessDeniedException", "The new resource policy will not allow you to update the resource policy in the future.")

	_, err = owner.DeleteResourcePolicy(ctx, &dynamodb.DeleteResourcePolicyInput{ResourceArn: resource, ExpectedRevisionId: aws.String("1")})
	require.ErrorContains(t, err, "PolicyNotFoundException")
	gone, err := owner.DeleteResourcePolicy(ctx, &dynamodb.DeleteResourcePolicyInput{ResourceArn: resource})
	require.NoError(t, err)
	require.Equal(t, made.RevisionId, gone.RevisionId)
	require.NoError(t, get(owner, "x"))

	// With the table.
	in := tableInput("Closed", "pk:S")
	in.ResourcePolicy = aws.String(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"dynamodb:PutItem","Resource":"*"}}`)
	_, err = owner.CreateTable(ctx, in)
	require.NoError(t, err)
	_, err = owner.PutItem(ctx, &dynamodb.PutItemInput{TableName: in.TableName, Item: item{"pk": str("x")}})
	require.ErrorContains(t, err, explicitly)
	for _, bad := range []string{`{`, `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}}`} {
		in.TableName, in.ResourcePolicy = aws.String("Bad"), aws.String(bad)
		_, err = owner.CreateTable(ctx, in)
		require.ErrorContains(t, err, "Invalid policy document: ")
	}
}
