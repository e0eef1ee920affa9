package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/partiql"
)

// askStatement asks as the doors do: with the table, index and right that the statement needs.
func (d *testDB) askStatement(who *api.Caller, text string, params ...attr.Value) api.Decision {
	table, index, action, ok := partiql.Access(text)
	require.True(d.t, ok, text)
	right := &api.Right{Action: action, Table: table}
	if index != "" {
		right.Part = "/index/" + index
	}
	return d.Authorize(who, right, &api.ExecuteStatementInput{Statement: api.Some(text), Parameters: params})
}

// TestPoliciesOfStatements: statements of PartiQL have the condition keys that the service tells of them: the partition
// keys and attributes that they name, what they select and return.
func TestPoliciesOfStatements(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	who := &api.Caller{Arn: "arn:aws:iam::123456789012:user/ann", User: "ann", Account: "123456789012"}
	rule := func(effect, condition string) {
		principal := map[string]string{"Allow": `{"AWS":"123456789012"}`, "Deny": `"*"`}[effect]
		_, err := d.PutResourcePolicy(t.Context(), &api.PutResourcePolicyInput{ResourceArn: api.Some(ordersARN), Policy: api.Some(policyDoc(
			`{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"dynamodb:*","Resource":["` + ordersARN + `","` + ordersARN +
				`/index/*"],"Condition":` + condition + `}`))})
		require.NoError(t, err)
	}

	// "ann" and "bob" are partition keys in turn.
	rule("Allow", `{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":"ann"}}`)
	for _, text := range []string{
		`SELECT * FROM orders WHERE pk = 'ann'`,
		`SELECT * FROM orders WHERE pk = 'ann' AND sk = 1`,
		`SELECT a FROM orders WHERE pk IN ['ann', 'ann']`,
		`SELECT * FROM orders.byG WHERE g = 'ann' AND h = 1`,
		`EXPLAIN SELECT * FROM orders WHERE pk = 'ann'`,
		`EXISTS(SELECT * FROM orders WHERE pk = 'ann' AND sk = 1)`,
		`INSERT INTO orders VALUE {'pk': 'ann', 'sk': 1}`,
		`UPDATE orders SET a = 1 WHERE pk = 'ann' AND sk = 1`,
		`DELETE FROM orders WHERE sk = 1 AND pk = 'ann'`,
	} {
		require.Equal(t, api.PolicyAllows, d.askStatement(who, text), text)
		other := strings.Replace(text, "'ann'", "'bob'", 1)
		require.Equal(t, api.PolicySilent, d.askStatement(who, other), other)
	}
	for _, text := range []string{
		`SELECT * FROM orders`, // nobody can tell whose
		`SELECT * FROM orders WHERE pk = 'ann' OR sk = 1`,
		`SELECT * FROM orders.byG WHERE pk = 'ann'`,
		`SELECT * FROM orders.none WHERE pk = 'ann'`,
		`SELECT * FROM orders WHERE pk = ?`, // it has no parameter
		`DELETE FROM orders WHERE pk IN ['ann'] AND pk = 'bob' AND sk = 1`,
		`DELETE FROM orders WHERE sk = 1`,
		`INSERT INTO orders VALUE {'sk': 1}`,
		`INSERT INTO orders VALUE {'pk': ['ann']}`,
		`INSERT INTO orders VALUE 'ann'`,
	} {
		require.Equal(t, api.PolicySilent, d.askStatement(who, text), text)
	}
	key := d.build(attr.NewItem().S("pk", "ann").N("sk", "1"))
	require.Equal(t, api.PolicyAllows, d.askStatement(who, `INSERT INTO orders VALUE ?`, attr.Map(key)))
	require.Equal(t, api.PolicyAllows, d.askStatement(who, `SELECT * FROM orders WHERE pk = ?`, attr.String("ann")))
	require.Equal(t, api.PolicySilent, d.askStatement(who, `SELECT * FROM orders WHERE pk = ?`, attr.String("bob")))

	// Of a transaction those count that need the right.
	statements := func(list ...string) *api.ExecuteTransactionInput {
		in := new(api.ExecuteTransactionInput)
		for _, text := range list {
			in.TransactStatements = append(in.TransactStatements, api.ParameterizedStatement{Statement: api.Some(text)})
		}
		return in
	}
	mixed := statements(`UPDATE orders SET a = 1 WHERE pk = 'ann' AND sk = 1`, `DELETE FROM orders WHERE pk = 'bob' AND sk = 1`)
	require.Equal(t, api.PolicyAllows, d.Authorize(who, &api.Right{Action: "PartiQLUpdate", Table: "orders"}, mixed))
	require.Equal(t, api.PolicySilent, d.Authorize(who, &api.Right{Action: "PartiQLDelete", Table: "orders"}, mixed))

	rule("Deny", `{"ForAnyValue:StringEquals":{"dynamodb:Attributes":["secret"]}}`)
	for _, text := range []string{
		`SELECT secret FROM orders WHERE pk = 'a'`,
		`SELECT secret.a[0] FROM orders WHERE pk = 'a'`,
		`SELECT * FROM orders WHERE pk = 'a' AND NOT (size(secret) > 3 OR a IS MISSING)`,
		`SELECT * FROM orders WHERE contains(secret, 'a')`,
		`SELECT * FROM orders WHERE secret BETWEEN 1 AND 2`,
		`SELECT * FROM orders WHERE a IN [1, secret]`,
		`SELECT * FROM orders WHERE secret IS MISSING`,
		`SELECT * FROM orders WHERE pk = 'a' ORDER BY secret`,
		`EXISTS(SELECT * FROM orders WHERE pk = 'a' AND sk = 1 AND secret = 1)`,
		`INSERT INTO orders VALUE {'pk': 'a', 'sk': 1, 'secret': 1}`,
		`UPDATE orders SET secret = 1 WHERE pk = 'a' AND sk = 1`,
		`UPDATE orders SET a = list_append(a, secret) WHERE pk = 'a' AND sk = 1`,
		`UPDATE orders REMOVE secret WHERE pk = 'a' AND sk = 1`,
		`DELETE FROM orders WHERE pk = 'a' AND sk = 1 AND secret = 1`,
	} {
		require.Equal(t, api.PolicyDenies, d.askStatement(who, text), text)
		other := strings.ReplaceAll(text, "secret", "shown")
		require.Equal(t, api.PolicySilent, d.askStatement(who, other), other)
	}
	require.Equal(t, api.PolicyDenies, d.askStatement(who, `INSERT INTO orders VALUE ?`, attr.Map(d.build(attr.NewItem().S("secret", "x")))))

	rule("Deny", `{"StringEquals":{"dynamodb:Select":"ALL_ATTRIBUTES"}}`)
	require.Equal(t, api.PolicyDenies, d.askStatement(who, `SELECT * FROM orders WHERE pk = 'a'`))
	require.Equal(t, api.PolicySilent, d.askStatement(who, `SELECT a FROM orders WHERE pk = 'a'`))
	require.Equal(t, api.PolicySilent, d.askStatement(who, `DELETE FROM orders WHERE pk = 'a' AND sk = 1`))
	reads := &api.Right{Action: "PartiQLSelect", Table: "orders"}
	one, all := `SELECT a FROM orders WHERE pk = 'a' AND sk = 1`, `SELECT * FROM orders WHERE pk = 'b' AND sk = 1`
	require.Equal(t, api.PolicySilent, d.Authorize(who, reads, statements(one, one)))
	require.Equal(t, api.PolicyDenies, d.Authorize(who, reads, statements(one, all)))
	require.Equal(t, api.PolicyDenies, d.Authorize(who, reads, statements(all, one)))

	rule("Deny", `{"StringEquals":{"dynamodb:ReturnValues":["ALL_OLD","ALL_NEW"]}}`)
	update := `UPDATE orders SET a = 1 WHERE pk = 'a' AND sk = 1`
	require.Equal(t, api.PolicySilent, d.askStatement(who, update))
	require.Equal(t, api.PolicySilent, d.askStatement(who, update+` RETURNING MODIFIED NEW *`))
	require.Equal(t, api.PolicyDenies, d.askStatement(who, update+` RETURNING ALL NEW *`))
	require.Equal(t, api.PolicyDenies, d.askStatement(who, `DELETE FROM orders WHERE pk = 'a' AND sk = 1 RETURNING ALL OLD *`))
}
