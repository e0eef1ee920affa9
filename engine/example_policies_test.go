package engine_test

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine/api"
)

// A policy says who may do what with a table. It binds those who come with signatures: over HTTP or gRPC
// with a credentials file. A program that embeds the database may do everything.
func ExampleDB_PutResourcePolicy() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	const arn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
	_, err := db.PutResourcePolicy(ctx, &api.PutResourcePolicyInput{
		ResourceArn: api.Some(arn),
		Policy: api.Some(`{"Version": "2012-10-17", "Statement": {
			"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::123456789012:user/intern"},
			"Action": "dynamodb:DeleteItem", "Resource": "` + arn + `"}}`),
	})
	check(err)

	intern := &api.Caller{Arn: "arn:aws:iam::123456789012:user/intern", User: "intern", Account: "123456789012"}
	right := &api.Right{Action: "DeleteItem", Table: "orders"}
	fmt.Println(db.Policed(), db.Authorize(intern, right, new(api.DeleteItemInput)) == api.PolicyDenies)
	// Output: true true
}

func ExampleDB_GetResourcePolicy() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	arn := api.Some("arn:aws:dynamodb:us-east-1:123456789012:table/orders")
	_, err := db.GetResourcePolicy(ctx, &api.GetResourcePolicyInput{ResourceArn: arn})
	fmt.Println(api.CodeOf(err))
	_, err = db.DeleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn})
	fmt.Println(err)
	// Output:
	// PolicyNotFoundException
	// <nil>
}

// Which keys of a table are asked for most.
func ExampleDB_ContributorInsights() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	_, err := db.UpdateContributorInsights(ctx, &api.UpdateContributorInsightsInput{
		TableName: api.Some("orders"), ContributorInsightsAction: api.Some(api.ContributorInsightsActionEnable),
	})
	check(err)
	check(db.Table("orders").Put(Order{Customer: "c#1", Date: "2026-03-04", Total: 1}).Run(ctx))
	check(db.Table("orders").Put(Order{Customer: "c#1", Date: "2026-03-05", Total: 2}).Run(ctx))

	rules, err := db.ContributorInsights(ctx, "orders", "", 1)
	check(err)
	fmt.Println(rules[0].Keys[0].Key, rules[0].Keys[0].Count)
	described, err := db.DescribeContributorInsights(ctx, &api.DescribeContributorInsightsInput{TableName: api.Some("orders")})
	check(err)
	listed, err := db.ListContributorInsights(ctx, &api.ListContributorInsightsInput{})
	check(err)
	fmt.Println(len(described.ContributorInsightsRuleList), len(listed.ContributorInsightsSummaries))
	// Output:
	// {"pk":{"S":"c#1"}} 2
	// 4 1
}
