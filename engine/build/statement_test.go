package build_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

func TestStatements(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	client := db.Client()
	const byCustomer = `SELECT total FROM orders WHERE pk = ?`
	for limit := range 12 {
		for pageSize := range 12 {
			s := client.Statement(byCustomer, "c#1").Consistent()
			want := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
			if limit > 0 {
				s.Limit(limit)
				want = want[:min(limit, len(want))]
			}
			if pageSize > 0 {
				s.PageSize(pageSize)
			}
			label := fmt.Sprintf("limit %d, page size %d", limit, pageSize)
			assert.Equal(t, want, totals(t, s.Rows(ctx)), label)
			all, err := s.All(ctx)
			require.NoError(t, err)
			assert.Len(t, all, len(want), label)
		}
	}

	page, err := client.Statement(byCustomer, "c#1").PageSize(4).Page(ctx)
	require.NoError(t, err)
	assert.Equal(t, []int64{0, 1, 2, 3}, totals(t, seq(page.Rows)))
	page, err = client.Statement(byCustomer, "c#1").PageSize(6).From(page.Next).Page(ctx)
	require.NoError(t, err)
	assert.Equal(t, []int64{4, 5, 6, 7, 8, 9}, totals(t, seq(page.Rows)))
	if page.Next != "" { // the service may not know yet that this was all
		page, err = client.Statement(byCustomer, "c#1").From(page.Next).Page(ctx)
		require.NoError(t, err)
		assert.Empty(t, page.Rows)
		assert.Empty(t, page.Next)
	}
	for range client.Statement(byCustomer, "c#1").Rows(ctx) {
		break
	}

	require.NoError(t, client.Statement(`INSERT INTO orders VALUE {'pk': ?, 'sk': ?, 'tags': ?}`,
		"c#3", "o#1", build.StringSet("a")).Exec(ctx))
	rows, err := client.Statement(`UPDATE orders SET total = 1 WHERE pk = 'c#3' AND sk = 'o#1' RETURNING ALL NEW *`).All(ctx)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	assert.Equal(t, item(t, attr.NewItem().S("pk", "c#3").S("sk", "o#1").SS("tags", "a").Int("total", 1)), rows[0])

	err = client.Statement(`DELETE FROM orders WHERE pk = ? AND sk = ? AND total = 2`, "c#3", "o#1").ItemOnFailure().Exec(ctx)
	assert.Equal(t, rows[0], code(t, api.ConditionalCheckFailed, err).Item)
	for _, err := range client.Statement(`SELECT`).Rows(ctx) {
		code(t, api.Validation, err)
	}
	code(t, api.ResourceNotFound, last(client.Statement(`SELECT * FROM none WHERE pk = 1`).All(ctx)))
}

func TestSeveralStatements(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	client := db.Client()
	batch := client.BatchStatements(client.Statement(`SELECT total FROM orders WHERE pk = 'c#1' AND sk = 'none'`))
	for i := range 60 {
		batch.Add(client.Statement(`SELECT total FROM orders WHERE pk = ? AND sk = ?`, "c#1", fmt.Sprintf("o#%d", i)))
	}
	responses, err := batch.Run(ctx)
	require.NoError(t, err)
	require.Len(t, responses, 61)
	for i, r := range responses {
		assert.Equal(t, i >= 1 && i <= 10, r.Item != nil, i)
		if r.Item != nil {
			assert.Equal(t, attr.Int(int64(i-1)), r.Item.Get("total"))
		}
	}
	responses, err = client.BatchStatements(
		client.Statement(`INSERT INTO orders VALUE {'pk': 'c#2', 'sk': 'o#0'}`),
		client.Statement(`INSERT INTO orders VALUE {'pk': 'c#3', 'sk': 'o#0'}`),
	).Run(ctx)
	require.NoError(t, err)
	require.NotNil(t, responses[0].Error)
	assert.Equal(t, "DuplicateItem", responses[0].Error.Code.Value)
	assert.Nil(t, responses[1].Error)
	code(t, api.Validation, last(client.BatchStatements(client.Statement(`x`, attr.Value(nil))).Run(ctx)))

	items, err := client.TransactStatements(client.Statement(`SELECT total FROM orders WHERE pk = 'c#1' AND sk = 'o#3'`)).
		Add(client.Statement(`SELECT total FROM orders WHERE pk = 'c#1' AND sk = 'none'`)).Run(ctx)
	require.NoError(t, err)
	assert.Equal(t, []attr.Item{item(t, attr.NewItem().Int("total", 3)), nil}, items)

	write := client.TransactStatements(
		client.Statement(`UPDATE orders SET total = total + ? WHERE pk = 'c#1' AND sk = 'o#3'`, 1),
	).Token("once")
	for range 2 {
		_, err = write.Run(ctx)
		require.NoError(t, err)
	}
	got, err := db.Table("orders").Get("c#1", "o#3").Project("total").Item(ctx)
	require.NoError(t, err)
	assert.Equal(t, item(t, attr.NewItem().Int("total", 4)), got)

	_, err = client.TransactStatements(
		client.Statement(`UPDATE orders SET total = 1 WHERE pk = 'c#1' AND sk = 'o#3' AND total = 0`).ItemOnFailure(),
		client.Statement(`DELETE FROM orders WHERE pk = 'c#1' AND sk = 'o#4'`),
	).Run(ctx)
	reasons := code(t, api.TransactionCanceled, err).Reasons
	require.Len(t, reasons, 2)
	assert.Equal(t, attr.Int(4), reasons[0].Item.Get("total"))
	code(t, api.Validation, last(client.TransactStatements(client.Statement(`x`, attr.Value(nil))).Run(ctx)))
}
