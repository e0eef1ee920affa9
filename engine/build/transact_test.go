package build_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

func TestTransactions(t *testing.T) {
	db, ctx := orders(t), t.Context()
	client, table := db.Client(), db.Table("orders")
	require.NoError(t, table.Put(numbered(1)).Run(ctx))
	require.NoError(t, table.Put(numbered(2)).Run(ctx))
	require.NoError(t, table.Put(numbered(3)).Run(ctx))

	transaction := client.TransactWrite(
		table.Put(numbered(4)).If("attribute_not_exists(pk)"),
		table.Update("p", "001").Add("n", 10).If(build.Attr("n").Less(10)),
		table.Delete("p", "002").If("n = :n", build.Args{"n": 2}),
	).Add(table.Check("p", "003").If("attribute_exists(pk)")).Token("once")
	require.NoError(t, transaction.Run(ctx))
	require.NoError(t, transaction.Run(ctx)) // the token: it is not done again

	items, err := client.TransactGet(table.Get("p", "001").Project("n"), table.Get("p", "002")).
		Add(table.Get("p", "004").Project("sk")).Items(ctx)
	require.NoError(t, err)
	assert.Equal(t, []attr.Item{
		item(t, attr.NewItem().Int("n", 11)), nil, item(t, attr.NewItem().S("sk", "004")),
	}, items)

	err = client.TransactWrite(
		table.Put(numbered(5)).If("attribute_exists(pk)").ItemOnFailure(),
		table.Update("p", "001").Add("n", 1).If("n = :n", build.Args{"n": 0}).ItemOnFailure(),
		table.Delete("p", "003").If("n = :n", build.Args{"n": 3}),
		table.Delete("p", "004").If("n = :n", build.Args{"n": 3}),
		table.Check("p", "006").If(build.Attr("pk").AttributeExists()).ItemOnFailure(),
	).Run(ctx)
	reasons := code(t, api.TransactionCanceled, err).Reasons
	require.Len(t, reasons, 5)
	for i, want := range []string{"ConditionalCheckFailed", "ConditionalCheckFailed", "None", "ConditionalCheckFailed",
		"ConditionalCheckFailed"} {
		assert.Equal(t, want, reasons[i].Code.Value)
	}
	assert.Equal(t, item(t, attr.NewItem().S("pk", "p").S("sk", "001").Int("n", 11)), reasons[1].Item)
	assert.Nil(t, reasons[3].Item)
}

func TestTransactionErrors(t *testing.T) {
	db, ctx := orders(t), t.Context()
	client, table := db.Client(), db.Table("orders")
	for _, write := range []build.Write{
		table.Put(attr.Item(nil)),
		table.Put(numbered(1)).If(build.Attr("").Equal(1)),
		table.Update("p", "s").Set("", 1),
		table.Update(attr.Value(nil)),
		table.Delete("p", "s").If(1),
		table.Delete("p", "s", "t"),
		table.Check(attr.Value(nil)),
		table.Check("p", "s").If(1),
		table.Check("p", "s", "t").If("attribute_exists(pk)"),
		table.Check("p", "s"),
		table.Check("p").If("attribute_exists(pk)"),
	} {
		code(t, api.Validation, client.TransactWrite(write).Run(ctx))
	}
	code(t, api.Validation, last(client.TransactGet().Items(ctx)))
	code(t, api.Validation, last(client.TransactGet(table.Get(attr.Value(nil))).Items(ctx)))
	code(t, api.ResourceNotFound, last(client.TransactGet(db.Table("none").Get("p")).Items(ctx)))
}
