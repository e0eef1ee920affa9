package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const ordersARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"

func policyDoc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const allowGet = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"dynamodb:GetItem",` +
	`"Resource":"` + ordersARN + `"}`

// TestResourcePolicies: put, get, delete and their revisions, over a restart.
func TestResourcePolicies(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx, arn := t.Context(), api.Some(ordersARN)
	require.False(t, d.Policed())

	_, err := d.GetResourcePolicy(ctx, &api.GetResourcePolicyInput{ResourceArn: arn})
	requireError(t, err, api.PolicyNotFound, "Resource-based policy not found for the provided ResourceArn: "+ordersARN)
	gone, err := d.DeleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn})
	require.NoError(t, err)
	require.False(t, gone.RevisionId.Set)

	put := func(document, expected string) (string, error) {
		in := &api.PutResourcePolicyInput{ResourceArn: arn, Policy: api.Some(document)}
		if expected != "" {
			in.ExpectedRevisionId = api.Some(expected)
		}
		out, err := d.PutResourcePolicy(ctx, in)
		if err != nil {
			return "", err
		}
		return out.RevisionId.Value, nil
	}
	first, err := put(policyDoc(allowGet), "NO_POLICY")
	require.NoError(t, err)
	require.True(t, d.Policed())
	same, err := put(policyDoc(allowGet), first)
	require.NoError(t, err)
	require.Equal(t, first, same, "the same document again")
	second, err := put(policyDoc(allowGet)+" ", first)
	require.NoError(t, err)
	require.NotEqual(t, first, second, "within the same millisecond")
	_, err = put(policyDoc(allowGet), "NO_POLICY")
	requireError(t, err, api.PolicyNotFound, "Resource-based policy not found for the provided ResourceArn: Requested policy "+
		"update expecting none to be present for table orders, but a policy exists with revision id "+second+".")
	_, err = put(policyDoc(allowGet), first)
	requireError(t, err, api.PolicyNotFound, "Resource-based policy not found for the provided ResourceArn: Requested update "+
		"for policy with revision id "+first+", but the policy associated to target table orders has revision id "+second+".")
	_, err = put(`{"Statement":[]}`, "")
	const invalid = "One or more parameter values were invalid: "
	requireError(t, err, api.Validation, invalid+"Invalid policy document: Could not parse the policy: Statement is empty!")
	_, err = put(strings.Repeat(" ", 20481), "")
	requireError(t, err, api.Validation, invalid+"Maximum policy size of 20480 bytes exceeded")
	_, err = put(policyDoc(`{"Effect":"Allow","Principal":{"AWS":"ann"},"Action":"*","Resource":"*"}`), "")
	requireError(t, err, api.Validation, invalid+"Invalid principal in policy document.")
	_, err = put(policyDoc(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`), "")
	requireError(t, err, api.Validation, "Resource-based policy grants unbounded access in one or more elements. "+
		"Please revise the policy to ensure least-privilege form of access")

	got, err := d.GetResourcePolicy(ctx, &api.GetResourcePolicyInput{ResourceArn: arn})
	require.NoError(t, err)
	require.Equal(t, api.GetResourcePolicyOutput{Policy: api.Some(policyDoc(allowGet) + " "), RevisionId: api.Some(second)}, *got)

	gone, err = d.DeleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn, ExpectedRevisionId: api.Some(second)})
	require.NoError(t, err)
	require.Equal(t, second, gone.RevisionId.Value)
	require.False(t, d.Policed())
	_, err = d.DeleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn, ExpectedRevisionId: api.Some(second)})
	requireError(t, err, api.PolicyNotFound, "Resource-based policy not found for the provided ResourceArn: Requested update for "+
		"policy with revision id "+second+", but table orders has no associated policy.")
	_, err = d.GetResourcePolicy(ctx, &api.GetResourcePolicyInput{ResourceArn: api.Some(ordersARN + "x")})
	requireError(t, err, api.ResourceNotFound, "Requested resource not found: Table: ordersx not found")
	_, err = d.GetResourcePolicy(ctx, &api.GetResourcePolicyInput{ResourceArn: api.Some(ordersARN + "/index/x")})
	requireError(t, err, api.Validation, invalid+"Invalid resource arn provided, only table or stream is accepted. "+
		"Provided resource arn: "+ordersARN+"/index/x")
}

// TestPolicyThatLocksOut: whoever would take from himself the right to change a policy must confirm it.
func TestPolicyThatLocksOut(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx := api.WithCaller(t.Context(), &api.Caller{Arn: "arn:aws:iam::123456789012:user/ann", User: "ann", Account: "123456789012"})
	in := &api.PutResourcePolicyInput{ResourceArn: api.Some(ordersARN), Policy: api.Some(policyDoc(
		`{"Effect":"Deny","Principal":"*","Action":"dynamodb:*","Resource":"*"}`))}
	_, err := d.PutResourcePolicy(ctx, in)
	requireError(t, err, api.AccessDenied, "The new resource policy will not allow you to update the resource policy in the future.")
	in.ConfirmRemoveSelfResourceAccess = api.Some(true)
	_, err = d.PutResourcePolicy(ctx, in)
	require.NoError(t, err)
}

// TestPolicyOfAStream: a stream has a policy of its own, which does not outlive it.
func TestPolicyOfAStream(t *testing.T) {
	d := openTest(t, Options{})
	in := ordersInput()
	in.StreamSpecification = &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: api.Some("KEYS_ONLY")}
	in.ResourcePolicy = api.Some(policyDoc(allowGet))
	created, err := d.CreateTable(t.Context(), in)
	require.NoError(t, err)
	stream := created.TableDescription.LatestStreamArn.Value
	document := policyDoc(`{"Effect":"Deny","Principal":"*","Action":"dynamodb:GetRecords","Resource":"` + stream + `"}`)
	_, err = d.PutResourcePolicy(t.Context(), &api.PutResourcePolicyInput{ResourceArn: api.Some(stream), Policy: api.Some(document)})
	require.NoError(t, err)
	for arn, want := range map[string]string{stream: document, ordersARN: policyDoc(allowGet)} {
		got, err := d.GetResourcePolicy(t.Context(), &api.GetResourcePolicyInput{ResourceArn: api.Some(arn)})
		require.NoError(t, err)
		require.Equal(t, want, got.Policy.Value)
	}
	who := &api.Caller{Arn: "arn:aws:iam::123456789012:user/bob", User: "bob", Account: "123456789012"}
	part := stream[len(ordersARN):]
	require.Equal(t, api.PolicyDenies, d.Authorize(who, &api.Right{Action: "GetRecords", Table: "orders", Part: part}, &api.GetRecordsInput{}))
	require.Equal(t, api.PolicySilent, d.Authorize(who, &api.Right{Action: "DescribeStream", Table: "orders", Part: part}, &api.DescribeStreamInput{}))
	_, err = d.GetResourcePolicy(t.Context(), &api.GetResourcePolicyInput{ResourceArn: api.Some(stream + "0")})
	requireError(t, err, api.ResourceNotFound, "Requested resource not found: Stream: "+part[len("/stream/"):]+"0 not found for Table: orders")

	// Behind a newer stream the old one is there for a day, and its policy with it.
	var newer string
	for _, on := range []bool{false, true} {
		in := &api.UpdateTableInput{TableName: api.Some("orders"), StreamSpecification: &api.StreamSpecification{StreamEnabled: api.Some(on)}}
		if on {
			in.StreamSpecification.StreamViewType = api.Some("KEYS_ONLY")
		}
		d.clock.add(time.Second)
		out, err := d.UpdateTable(t.Context(), in)
		require.NoError(t, err)
		newer = out.TableDescription.LatestStreamArn.Value
	}
	require.NotEqual(t, stream, newer)
	_, err = d.PutResourcePolicy(t.Context(), &api.PutResourcePolicyInput{ResourceArn: api.Some(newer), Policy: api.Some(document)})
	require.NoError(t, err)
	denied := func() api.Decision {
		return d.Authorize(who, &api.Right{Action: "GetRecords", Table: "orders", Part: part}, &api.GetRecordsInput{})
	}
	require.Equal(t, api.PolicyDenies, denied())
	got, err := d.GetResourcePolicy(t.Context(), &api.GetResourcePolicyInput{ResourceArn: api.Some(stream)})
	require.NoError(t, err)
	require.Equal(t, document, got.Policy.Value)
	d.clock.add(2 * DefaultStreamRetention)
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, api.PolicySilent, denied())
	_, err = d.GetResourcePolicy(t.Context(), &api.GetResourcePolicyInput{ResourceArn: api.Some(stream)})
	requireCode(t, err, api.ResourceNotFound)
}

// TestAuthorizeByLeadingKeys: which partition keys a request is about, for every operation that has some; what
// cannot be told does not allow.
func TestAuthorizeByLeadingKeys(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	document := policyDoc(`{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"dynamodb:*","Resource":["` + ordersARN + `","` + ordersARN +
		`/index/*"],"Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"ann-*"}}}`)
	_, err := d.PutResourcePolicy(t.Context(), &api.PutResourcePolicyInput{ResourceArn: api.Some(ordersARN), Policy: api.Some(document)})
	require.NoError(t, err)
	who := &api.Caller{Arn: "arn:aws:iam::123456789012:user/ann", User: "ann", Account: "123456789012", SourceIP: "10.0.0.1"}
	table := api.Some("orders")
	key := func(pk string) attr.Item { return d.build(attr.NewItem().S("pk", pk).N("sk", "1")) }
	query := func(condition, pk string) *api.QueryInput {
		return &api.QueryInput{TableName: table, KeyConditionExpression: api.Some(condition),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":p", Value: attr.String(pk)}}}
	}
	for _, c := range []struct {
		action string
		of     func(pk string) any
	}{
		{"GetItem", func(pk string) any { return &api.GetItemInput{TableName: table, Key: key(pk)} }},
		{"PutItem", func(pk string) any { return &api.PutItemInput{TableName: table, Item: key(pk)} }},
		{"UpdateItem", func(pk string) any { return &api.UpdateItemInput{TableName: table, Key: key(pk)} }},
		{"DeleteItem", func(pk string) any { return &api.DeleteItemInput{TableName: table, Key: key(pk)} }},
		{"Query", func(pk string) any { return query("pk = :p", pk) }},
		{"BatchGetItem", func(pk string) any {
			return &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
				{Key: "orders", Value: api.KeysAndAttributes{Keys: []attr.Item{key("ann-1"), key(pk)}}}, {Key: "else"},
			}}
		}},
		{"BatchWriteItem", func(pk string) any {
			return &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "orders", Value: []api.WriteRequest{
				{PutRequest: &api.PutRequest{Item: key("ann-1")}}, {DeleteRequest: &api.DeleteRequest{Key: key(pk)}},
			}}}}
		}},
		{"GetItem", func(pk string) any {
			return &api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{{Get: &api.Get{TableName: table, Key: key(pk)}}}}
		}},
		{"ConditionCheckItem", func(pk string) any {
			return &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
				{ConditionCheck: &api.ConditionCheck{TableName: table, Key: key(pk)}}, {Put: &api.Put{TableName: table, Item: key("bob")}},
			}}
		}},
	} {
		right := &api.Right{Action: c.action, Table: "orders"}
		require.Equal(t, api.PolicyAllows, d.Authorize(who, right, c.of("ann-2")), "%T", c.of(""))
		require.Equal(t, api.PolicySilent, d.Authorize(who, right, c.of("bob")), "%T", c.of(""))
	}
	right := &api.Right{Action: "Query", Table: "orders"}
	require.Equal(t, api.PolicySilent, d.Authorize(who, right, query("other = :p", "ann-1")), "no condition on the key")
	require.Equal(t, api.PolicySilent, d.Authorize(who, right, query("pk = ", "ann-1")), "no expression")
	right = &api.Right{Action: "PartiQLSelect", Table: "orders"}
	require.Equal(t, api.PolicySilent, d.Authorize(who, right, &api.ExecuteStatementInput{}))
	require.Equal(t, api.PolicySilent, d.Authorize(who, &api.Right{Action: "GetItem", Table: "absent"}, &api.GetItemInput{}))
}

// TestAuthorizeByWhatIsAsked: the condition keys of attributes, of the enclosing transaction and of statements that read
// everything.
func TestAuthorizeByWhatIsAsked(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	who := &api.Caller{Arn: "arn:aws:iam::123456789012:user/ann", User: "ann", Account: "123456789012"}
	table, key := api.Some("orders"), d.build(attr.NewItem().S("pk", "a").N("sk", "1"))
	deny := func(action, condition string) {
		_, err := d.PutResourcePolicy(t.Context(), &api.PutResourcePolicyInput{ResourceArn: api.Some(ordersARN), Policy: api.Some(policyDoc(
			`{"Effect":"Deny","Principal":"*","Action":"dynamodb:` + action + `","Resource":"*","Condition":` + condition + `}`))})
		require.NoError(t, err)
	}
	ask := func(action string, in any) api.Decision {
		return d.Authorize(who, &api.Right{Action: action, Table: "orders"}, in)
	}

	deny("*", `{"ForAnyValue:StringEquals":{"dynamodb:Attributes":["secret"]}}`)
	names, values := []api.Name{{Placeholder: "#s", Name: "secret"}}, []api.NamedValue{{Placeholder: ":v", Value: attr.String("x")}}
	text := func(s string) api.Opt[string] { return api.Some(s) }
	secret := d.build(attr.NewItem().S("pk", "a").N("sk", "1").S("secret", "x"))
	for action, in := range map[string][2]any{
		"GetItem": {&api.GetItemInput{TableName: table, Key: key, ProjectionExpression: text("a.#s")},
			&api.GetItemInput{TableName: table, Key: key, ProjectionExpression: text("a, #s.b"), ExpressionAttributeNames: names}},
		"PutItem": {&api.PutItemInput{TableName: table, Item: key}, &api.PutItemInput{TableName: table, Item: secret}},
		"UpdateItem": {&api.UpdateItemInput{TableName: table, Key: key, UpdateExpression: text("SET a = b"), ConditionExpression: text("attribute_exists(c)")},
			&api.UpdateItemInput{TableName: table, Key: key, UpdateExpression: text("SET a = #s"), ExpressionAttributeNames: names}},
		"DeleteItem": {&api.DeleteItemInput{TableName: table, Key: key},
			&api.DeleteItemInput{TableName: table, Key: key, Expected: []api.ExpectedAttributeMapEntry{{Key: "secret"}}}},
		"Scan": {&api.ScanInput{TableName: table, AttributesToGet: []string{"a"}},
			&api.ScanInput{TableName: table, FilterExpression: text("#s = :v"), ExpressionAttributeNames: names, ExpressionAttributeValues: values}},
		"Query": {&api.QueryInput{TableName: table, KeyConditionExpression: text("pk = :v"), ExpressionAttributeValues: values},
			&api.QueryInput{TableName: table, KeyConditionExpression: text("pk = ")}},
		"BatchGetItem": {
			&api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
				{Key: "else", Value: api.KeysAndAttributes{Keys: []attr.Item{secret}}}, {Key: "orders", Value: api.KeysAndAttributes{Keys: []attr.Item{key}}},
			}},
			&api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{{Key: "orders", Value: api.KeysAndAttributes{AttributesToGet: []string{"secret"}}}}},
		},
		"BatchWriteItem": {
			&api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "orders", Value: []api.WriteRequest{{DeleteRequest: &api.DeleteRequest{Key: key}}}}}},
			&api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "orders", Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: secret}}}}}},
		},
		"ConditionCheckItem": {
			&api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{{Put: &api.Put{TableName: table, Item: secret}}}},
			&api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
				{ConditionCheck: &api.ConditionCheck{TableName: table, Key: key, ConditionExpression: text("attribute_exists(secret)")}},
			}},
		},
	} {
		if action == "GetItem" {
			in[0].(*api.GetItemInput).ExpressionAttributeNames = names
		}
		require.Equal(t, api.PolicySilent, ask(action, in[0]), action)
		require.Equal(t, api.PolicyDenies, ask(action, in[1]), action)
	}
	require.Equal(t, api.PolicyDenies, ask("PartiQLSelect", &api.ExecuteStatementInput{}), "nobody can tell")

	deny("*", `{"ForAnyValue:StringEquals":{"dynamodb:EnclosingOperation":["TransactGetItems","ExecuteTransaction"]}}`)
	require.Equal(t, api.PolicySilent, ask("GetItem", &api.GetItemInput{}))
	require.Equal(t, api.PolicyDenies, ask("GetItem", &api.TransactGetItemsInput{}))
	require.Equal(t, api.PolicySilent, ask("PutItem", &api.TransactWriteItemsInput{}))
	require.Equal(t, api.PolicyDenies, ask("PartiQLSelect", &api.ExecuteTransactionInput{}))

	deny("PartiQLSelect", `{"Bool":{"dynamodb:FullTableScan":"true"}}`)
	for statement, want := range map[string]api.Decision{
		`SELECT * FROM orders`:                          api.PolicyDenies,
		`SELECT * FROM orders WHERE sk = 1`:             api.PolicyDenies,
		`SELECT * FROM orders WHERE pk = 'a' OR sk = 1`: api.PolicyDenies,
		`SELECT * FROM orders WHERE pk = ?`:             api.PolicyDenies, // it has no parameter
		`SELECT * FROM orders WHERE pk = 'a'`:           api.PolicySilent,
		`SELECT * FROM orders WHERE pk IN ['a','b']`:    api.PolicySilent,
		`SELECT * FROM orders.byG WHERE pk = 'a'`:       api.PolicyDenies,
		`SELECT * FROM orders.byG WHERE g = 'a'`:        api.PolicySilent,
	} {
		require.Equal(t, want, ask("PartiQLSelect", &api.ExecuteStatementInput{Statement: text(statement)}), statement)
	}
	require.Equal(t, api.PolicySilent, ask("PartiQLSelect", &api.BatchExecuteStatementInput{}), "each names a key")
}
