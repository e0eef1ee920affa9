package build_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// order is an item as programs have it.
type order struct {
	Customer string   `dynamodbav:"pk"`
	Date     string   `dynamodbav:"sk"`
	Total    int      `dynamodbav:"total"`
	Tags     []string `dynamodbav:"tags,stringset,omitempty"`
}

func TestStructs(t *testing.T) {
	table, ctx := orders(t).Table("orders"), t.Context()
	want := order{"c#1", "2026-01", 5, []string{"a", "b"}}
	require.NoError(t, table.Put(want).Run(ctx))

	var got order
	found, err := table.Get("c#1", "2026-01").Into(ctx, &got)
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, want, got)

	found, err = table.Get("c#1", "2026-02").Into(ctx, &got)
	require.NoError(t, err)
	assert.False(t, found)
	assert.Equal(t, want, got)

	_, err = table.Get("c#1").Into(ctx, &got)
	code(t, api.Validation, err)

	var rows []order
	for row, err := range build.As[order](table.Query().PK("c#1").Items(ctx)) {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	assert.Equal(t, []order{want}, rows)

	require.NoError(t, table.Put(order{Customer: "c#2", Date: "2026-01"}).Run(ctx))
	turns := 0
	for _, err := range build.As[struct {
		Total []int `dynamodbav:"total"`
	}](table.Scan().Items(ctx)) {
		turns++
		assert.Error(t, err)
	}
	assert.Equal(t, 1, turns)
}

// TestKeys: a key may be given by its attributes in any Go type, or whole.
func TestKeys(t *testing.T) {
	db, ctx := open(t), t.Context()
	client := db.Client()
	// The names of the key attributes are not in their order here.
	_, err := client.Create("reversed").PK(build.NumberKey("z")).SK(build.BinaryKey("a")).Run(ctx)
	require.NoError(t, err)
	_, err = client.Create("single").PK(build.StringKey("id")).Run(ctx)
	require.NoError(t, err)
	whole := item(t, attr.NewItem().Int("z", 7).B("a", []byte("k")))
	for _, k := range [][]any{{7, []byte("k")}, {uint8(7), attr.Binary([]byte("k"))}, {whole}, {attr.NewItem().Value("z", attr.Int(7)).B("a", []byte("k"))}} {
		require.NoError(t, client.Table("reversed").Put(whole).Run(ctx))
		old, err := client.Table("reversed").Delete(k[0], k[1:]...).Old(ctx)
		require.NoError(t, err)
		assert.Equal(t, whole, old)
	}
	require.NoError(t, client.Table("single").Put(map[string]any{"id": "x"}).Run(ctx))
	got, err := client.Table("single").Get("x").Item(ctx)
	require.NoError(t, err)
	assert.Equal(t, item(t, attr.NewItem().S("id", "x")), got)

	_, err = client.Table("single").Get("x", "y").Item(ctx)
	assert.Equal(t, api.MsgKeyMismatch, code(t, api.Validation, err).Message)
	_, err = client.Table("none").Get("x").Item(ctx)
	assert.Equal(t, api.MsgNotFound, code(t, api.ResourceNotFound, err).Message)
	_, err = client.Table("!").Get("x").Item(ctx)
	code(t, api.Validation, err)
}

// TestSchemaIsLookedUpOnce, and again once it may have changed.
func TestSchemaIsLookedUpOnce(t *testing.T) {
	db, ctx := open(t), t.Context()
	rec := &recorder{Service: db}
	table := build.New(rec).Table("changed")
	_, err := db.Client().Create("changed").PK(build.StringKey("old")).Run(ctx)
	require.NoError(t, err)
	for range 3 {
		_, err := table.Get("x").Item(ctx)
		require.NoError(t, err)
	}
	assert.Equal(t, 1, rec.described)

	require.NoError(t, db.Table("changed").Drop(ctx))
	_, err = table.Get("x").Item(ctx)
	code(t, api.ResourceNotFound, err)
	_, err = db.Client().Create("changed").PK(build.StringKey("new")).Run(ctx)
	require.NoError(t, err)
	require.NoError(t, table.Put(map[string]any{"new": "x"}).Run(ctx))
	got, err := table.Get("x").Item(ctx)
	require.NoError(t, err)
	assert.Equal(t, item(t, attr.NewItem().S("new", "x")), got)
}

func TestDelete(t *testing.T) {
	db, ctx := orders(t), t.Context()
	rec := &recorder{Service: db}
	table := build.New(rec).Table("orders")
	present := item(t, attr.NewItem().S("pk", "p").S("sk", "s").Int("n", 5))
	require.NoError(t, table.Put(present).Run(ctx))

	err := table.Delete("p", "s").If(build.Attr("n").Less(5)).If("attribute_exists(pk)").ItemOnFailure().Run(ctx)
	assert.Equal(t, present, code(t, api.ConditionalCheckFailed, err).Item)
	assert.Equal(t, &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: item(t, attr.NewItem().S("pk", "p").S("sk", "s")),
		ConditionExpression:                 api.Some("#_0 < :_0 AND (attribute_exists(pk))"),
		ExpressionAttributeNames:            names("#_0", "n"),
		ExpressionAttributeValues:           values(":_0", 5),
		ReturnValuesOnConditionCheckFailure: api.Some("ALL_OLD"),
	}, rec.got[1])

	old, err := table.Delete("p", "s").Old(ctx)
	require.NoError(t, err)
	assert.Equal(t, present, old)
	old, err = table.Delete("p", "s").Old(ctx)
	require.NoError(t, err)
	assert.Nil(t, old)
	require.NoError(t, table.Delete("p", "s").Run(ctx))
}

// TestUpdates compares what the builders make with requests written by hand, and what they do.
func TestUpdates(t *testing.T) {
	start := attr.NewItem().Int("n", 5).SS("set", "x", "y").L("list", attr.Int(1)).
		M("m", item(t, attr.NewItem().S("k", "v")))
	startItem := item(t, start.S("pk", "p").S("sk", "s"))
	for _, c := range []struct {
		name   string
		update func(*build.Update) *build.Update
		text   string
		names  []api.Name
		values []api.NamedValue
		want   attr.Item // of the attributes that change
	}{
		{"set", func(u *build.Update) *build.Update { return u.Set("n", 6).Set("m.k", "w") },
			"SET #_0 = :_0, #_1.#_2 = :_1", names("#_0", "n", "#_1", "m", "#_2", "k"), values(":_0", 6, ":_1", "w"),
			item(t, attr.NewItem().Int("n", 6).M("m", item(t, attr.NewItem().S("k", "w"))))},
		{"set to another attribute", func(u *build.Update) *build.Update { return u.Set("copy", build.Attr("m.k")) },
			"SET #_0 = #_1.#_2", names("#_0", "copy", "#_1", "m", "#_2", "k"), nil, item(t, attr.NewItem().S("copy", "v"))},
		{"plus", func(u *build.Update) *build.Update { return u.Set("n", build.Attr("n").Plus(2)) },
			"SET #_0 = #_0 + :_0", names("#_0", "n"), values(":_0", 2), item(t, attr.NewItem().Int("n", 7))},
		{"minus", func(u *build.Update) *build.Update {
			return u.Set("left", build.Attr("n").Minus(build.Attr("list[0]")))
		},
			"SET #_0 = #_1 - #_2[0]", names("#_0", "left", "#_1", "n", "#_2", "list"), nil, item(t, attr.NewItem().Int("left", 4))},
		{"if not exists, plus", func(u *build.Update) *build.Update {
			return u.Set("c", build.IfNotExists(build.Attr("c"), 10).Plus(1))
		}, "SET #_0 = if_not_exists(#_0, :_0) + :_1", names("#_0", "c"), values(":_0", 10, ":_1", 1), item(t, attr.NewItem().Int("c", 11))},
		{"set if absent", func(u *build.Update) *build.Update { return u.SetIfAbsent("n", 1).SetIfAbsent("c", 1) },
			"SET #_0 = if_not_exists(#_0, :_0), #_1 = if_not_exists(#_1, :_1)", names("#_0", "n", "#_1", "c"),
			values(":_0", 1, ":_1", 1), item(t, attr.NewItem().Int("n", 5).Int("c", 1))},
		{"append", func(u *build.Update) *build.Update {
			return u.Set("list", build.ListAppend(build.Attr("list"), []int{2}))
		}, "SET #_0 = list_append(#_0, :_0)", names("#_0", "list"), values(":_0", []int{2}),
			item(t, attr.NewItem().L("list", attr.Int(1), attr.Int(2)))},
		{"prepend", func(u *build.Update) *build.Update {
			return u.Set("list", build.ListAppend([]int{0}, build.Attr("list")))
		}, "SET #_0 = list_append(:_0, #_0)", names("#_0", "list"), values(":_0", []int{0}),
			item(t, attr.NewItem().L("list", attr.Int(0), attr.Int(1)))},
		{"add", func(u *build.Update) *build.Update { return u.Add("n", -5).Add("set", build.StringSet("z")) },
			"ADD #_0 :_0, #_1 :_1", names("#_0", "n", "#_1", "set"), values(":_0", -5, ":_1", build.StringSet("z")),
			item(t, attr.NewItem().Int("n", 0).SS("set", "x", "y", "z"))},
		{"delete from", func(u *build.Update) *build.Update { return u.DeleteFrom("set", build.StringSet("x")) },
			"DELETE #_0 :_0", names("#_0", "set"), values(":_0", build.StringSet("x")), item(t, attr.NewItem().SS("set", "y"))},
		{"all clauses", func(u *build.Update) *build.Update {
			return u.DeleteFrom("set", build.StringSet("x")).Add("n", 1).Remove("m", "list").Set("s", true)
		}, "SET #_0 = :_0 REMOVE #_1, #_2 ADD #_3 :_1 DELETE #_4 :_2",
			names("#_0", "s", "#_1", "m", "#_2", "list", "#_3", "n", "#_4", "set"),
			values(":_0", true, ":_1", 1, ":_2", build.StringSet("x")),
			item(t, attr.NewItem().Bool("s", true).Int("n", 6).SS("set", "y"))},
		{"text", func(u *build.Update) *build.Update {
			return u.Expr("SET #n = :n REMOVE m", build.Args{"#n": "n", "n": 1})
		}, "SET #n = :n REMOVE m", names("#n", "n"), values(":n", 1), item(t, attr.NewItem().Int("n", 1))},
		{"texts and clauses", func(u *build.Update) *build.Update {
			return u.Add("n", 1).Expr("SET c = :c", build.Args{"c": 1}).Expr("REMOVE m")
		}, "SET c = :c REMOVE m ADD #_0 :_0", names("#_0", "n"), values(":_0", 1, ":c", 1),
			item(t, attr.NewItem().Int("c", 1).Int("n", 6))},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, ctx := orders(t), t.Context()
			table := db.Table("orders")
			require.NoError(t, table.Put(startItem).Run(ctx))
			rec := &recorder{Service: db}
			update := func() *build.Update { return c.update(build.New(rec).Table("orders").Update("p", "s")) }

			old, err := update().If("attribute_exists(pk)").Old(ctx)
			require.NoError(t, err)
			assert.Equal(t, startItem, old)
			want := &api.UpdateItemInput{
				TableName: api.Some("orders"), Key: item(t, attr.NewItem().S("pk", "p").S("sk", "s")),
				UpdateExpression: api.Some(c.text), ConditionExpression: api.Some("attribute_exists(pk)"),
				ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.values,
				ReturnValues: api.Some("ALL_OLD"),
			}
			assert.Equal(t, want, rec.got[0])
			got, err := table.Get("p", "s").Item(ctx)
			require.NoError(t, err)

			// The answer of the same request, made by hand, on the same item.
			require.NoError(t, table.Put(startItem).Run(ctx))
			want.ReturnValues = api.Some("UPDATED_NEW")
			direct, err := db.UpdateItem(ctx, want)
			require.NoError(t, err)
			assert.Equal(t, c.want, direct.Attributes)
			for r := c.want.Read(); ; {
				name, v, ok := r.Next()
				if !ok {
					break
				}
				assert.Equal(t, v, got.Get(string(name)))
			}

			for _, returns := range []func(*build.Update) (attr.Item, error){
				func(u *build.Update) (attr.Item, error) { return u.New(ctx) },
				func(u *build.Update) (attr.Item, error) { return u.UpdatedNew(ctx) },
				func(u *build.Update) (attr.Item, error) { return u.UpdatedOld(ctx) },
			} {
				require.NoError(t, table.Put(startItem).Run(ctx))
				made, err := returns(update())
				require.NoError(t, err)
				want := *rec.got[len(rec.got)-1].(*api.UpdateItemInput)
				require.NoError(t, table.Put(startItem).Run(ctx))
				direct, err := db.UpdateItem(ctx, &want)
				require.NoError(t, err)
				assert.Equal(t, direct.Attributes, made)
			}
		})
	}
}

func TestUpdateErrors(t *testing.T) {
	table, ctx := orders(t).Table("orders"), t.Context()
	require.NoError(t, table.Update("p", "s").Set("n", 1).Run(ctx))
	err := table.Update("p", "s").Add("n", 1).If(build.Attr("n").Equal(2)).ItemOnFailure().Run(ctx)
	assert.Equal(t, item(t, attr.NewItem().S("pk", "p").S("sk", "s").Int("n", 1)),
		code(t, api.ConditionalCheckFailed, err).Item)

	code(t, api.Validation, table.Update("p", "s").Set("n", 1).Expr("SET m = n").Run(ctx))
	for _, c := range []struct {
		update *build.Update
		text   string
	}{
		{table.Update("p", "s").Set("", 1), `build: "" is no path of a document`},
		{table.Update("p", "s").Remove("a..b"), `build: "a..b" is no path of a document`},
		{table.Update("p", "s").Set("n", build.ListAppend(attr.Value(nil), 1)), "build: a value is absent"},
		{table.Update("p", "s").SetIfAbsent("[", 1), `build: "[" is no path of a document`},
		{table.Update(attr.Value(nil), "s").Add("n", 1), "build: a value is absent"},
		{table.Update("p", attr.Value(nil)).Add("n", 1), "build: a value is absent"},
		{table.Update("p", "s").Expr("ADD n :n", build.Args{"n": attr.Value(nil)}), "build: a value is absent"},
	} {
		assert.Equal(t, c.text, code(t, api.Validation, c.update.Run(ctx)).Message)
	}
}

// TestCallsRunAgain: running a call does not change it.
func TestCallsRunAgain(t *testing.T) {
	table, ctx := orders(t).Table("orders"), t.Context()
	add := table.Update("p", "s").Add("n", 1).If("attribute_not_exists(n) OR n < :max", build.Args{"max": 3})
	get := table.Get("p", "s").Project("n")
	all := table.Query().PK("p").SKGreaterEqual("a").Filter(build.Attr("n").Greater(0))
	for n := 1; n <= 3; n++ {
		require.NoError(t, add.Run(ctx))
		got, err := get.Item(ctx)
		require.NoError(t, err)
		assert.Equal(t, item(t, attr.NewItem().Int("n", int64(n))), got)
		count, err := all.Count(ctx)
		require.NoError(t, err)
		assert.Equal(t, int64(1), count)
		items, err := all.All(ctx)
		require.NoError(t, err)
		assert.Len(t, items, 1)
	}
	code(t, api.ConditionalCheckFailed, add.Run(ctx))
}

// TestEmptyTexts are expressions that the service refuses, and not none.
func TestEmptyTexts(t *testing.T) {
	table, ctx := orders(t).Table("orders"), t.Context()
	const empty = "The expression can not be empty;"
	for name, err := range map[string]error{
		"ConditionExpression":    table.Put(numbered(1)).If("").Run(ctx),
		"UpdateExpression":       table.Update("p", "s").Expr("").Run(ctx),
		"KeyConditionExpression": last(table.Query().KeyCondition("").All(ctx)),
		"FilterExpression":       last(table.Scan().Filter("").All(ctx)),
	} {
		assert.Contains(t, code(t, api.Validation, err).Message, "Invalid "+name+": "+empty)
	}
	code(t, api.Validation, table.Put(numbered(1)).If("").If("attribute_not_exists(pk)").Run(ctx))
	n, err := table.Scan().Count(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)

	// No condition and no change are none.
	require.NoError(t, table.Put(numbered(1)).If(build.Condition{}).Run(ctx))
	require.NoError(t, table.Update("p", "s").Run(ctx))
}

// TestConcurrentUse of one client and one table, while the table's schema is forgotten again and again.
func TestConcurrentUse(t *testing.T) {
	db, ctx := orders(t), t.Context()
	table := db.Table("orders")
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 15 {
				assert.NoError(t, table.Put(order{Customer: "c", Date: fmt.Sprintf("%d-%02d", g, i), Total: i}).Run(ctx))
				got, err := table.Get("c", fmt.Sprintf("%d-%02d", g, i)).Item(ctx)
				assert.NoError(t, err)
				assert.NotNil(t, got)
				_, err = table.Get("c").Item(ctx) // a fault, after which the schema is looked up again
				assert.Error(t, err)
			}
		})
	}
	group.Wait()
	n, err := table.Query().PK("c").Count(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(60), n)
}
