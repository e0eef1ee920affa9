package build_test

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// tenOrders is a database with the orders 0 to 9 of one customer, total 0 to 9, of which the even ones are
// open, and one of another.
func tenOrders(t *testing.T) *engine.DB {
	t.Helper()
	db := orders(t)
	batch := db.Client().BatchWrite()
	for i := range 10 {
		status := "open"
		if i%2 == 1 {
			status = "paid"
		}
		batch.Put("orders", map[string]any{
			"pk": "c#1", "sk": "o#" + strconv.Itoa(i), "total": i, "status": status, "country": "de",
			"city": []string{"Bonn", "Ulm"}[i/5],
		})
	}
	batch.Put("orders", map[string]any{"pk": "c#2", "sk": "o#0", "total": 5})
	require.NoError(t, batch.Run(t.Context()))
	return db
}

// totals are those of the items of a sequence.
func totals(t *testing.T, items iter.Seq2[attr.Item, error]) []int64 {
	t.Helper()
	var list []int64
	for it, err := range items {
		require.NoError(t, err)
		n, _ := it.Get("total").Millis()
		list = append(list, n)
	}
	return list
}

// TestQueries compares what the builders make with requests written by hand, and what they find.
func TestQueries(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	pk := names("#_0", "pk", "#_1", "sk")
	for _, c := range []struct {
		name  string
		query func(*build.Query) *build.Query
		want  api.QueryInput
		found []int64
	}{
		{"partition", func(q *build.Query) *build.Query { return q.PK("c#2") }, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0"), ExpressionAttributeNames: pk[:1],
			ExpressionAttributeValues: values(":_0", "c#2"),
		}, []int64{5}},
		{"equal", func(q *build.Query) *build.Query { return q.PK("c#1").SKEqual("o#3") }, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND #_1 = :_1"), ExpressionAttributeNames: pk,
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#3"),
		}, []int64{3}},
		{"less", func(q *build.Query) *build.Query { return q.PK("c#1").SKLess("o#2") }, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND #_1 < :_1"), ExpressionAttributeNames: pk,
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#2"),
		}, []int64{0, 1}},
		{"less or equal", func(q *build.Query) *build.Query { return q.PK("c#1").SKLessEqual("o#1") }, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND #_1 <= :_1"), ExpressionAttributeNames: pk,
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#1"),
		}, []int64{0, 1}},
		{"greater", func(q *build.Query) *build.Query { return q.PK("c#1").SKGreater("o#7") }, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND #_1 > :_1"), ExpressionAttributeNames: pk,
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#7"),
		}, []int64{8, 9}},
		{"greater or equal", func(q *build.Query) *build.Query { return q.PK("c#1").SKGreaterEqual("o#8") }, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND #_1 >= :_1"), ExpressionAttributeNames: pk,
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#8"),
		}, []int64{8, 9}},
		{"between", func(q *build.Query) *build.Query { return q.PK("c#1").SKBetween("o#3", "o#5") }, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND #_1 BETWEEN :_1 AND :_2"), ExpressionAttributeNames: pk,
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#3", ":_2", "o#5"),
		}, []int64{3, 4, 5}},
		{"everything", func(q *build.Query) *build.Query {
			return q.PK("c#1").SKBeginsWith("o#").Filter(build.Attr("status").Equal("open")).
				Filter("total_ <> :x", build.Args{"x": 1}).Project("total", "pk").Descending().Consistent().
				PageSize(6).From(item(t, attr.NewItem().S("pk", "c#1").S("sk", "o#9"))).Limit(3)
		}, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND begins_with(#_1, :_1)"),
			FilterExpression:       api.Some("#_2 = :_2 AND (total_ <> :x)"), ProjectionExpression: api.Some("#_3, #_0"),
			ExpressionAttributeNames:  names("#_0", "pk", "#_1", "sk", "#_2", "status", "#_3", "total"),
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#", ":_2", "open", ":x", 1),
			ConsistentRead:            api.Some(true), ScanIndexForward: api.Some(false), Limit: api.Some(int64(6)),
			ExclusiveStartKey: item(t, attr.NewItem().S("pk", "c#1").S("sk", "o#9")),
		}, []int64{8, 6, 4}},
		{"local index", func(q *build.Query) *build.Query { return q.Index("byTotal").PK("c#1").SKGreater(7) }, api.QueryInput{
			IndexName:                api.Some("byTotal"),
			KeyConditionExpression:   api.Some("#_0 = :_0 AND #_1 > :_1"),
			ExpressionAttributeNames: names("#_0", "pk", "#_1", "total"), ExpressionAttributeValues: values(":_0", "c#1", ":_1", 7),
		}, []int64{8, 9}},
		{"index of several attributes", func(q *build.Query) *build.Query {
			return q.Index("byStatus").PK("open").PK("de").SKEqual("Ulm").SKLess(8)
		}, api.QueryInput{
			IndexName:                 api.Some("byStatus"),
			KeyConditionExpression:    api.Some("#_0 = :_0 AND #_1 = :_1 AND #_2 = :_2 AND #_3 < :_3"),
			ExpressionAttributeNames:  names("#_0", "status", "#_1", "country", "#_2", "city", "#_3", "total"),
			ExpressionAttributeValues: values(":_0", "open", ":_1", "de", ":_2", "Ulm", ":_3", 8),
		}, []int64{6}},
		{"text", func(q *build.Query) *build.Query { return q.KeyCondition("pk = :p", build.Args{"p": "c#2"}) }, api.QueryInput{
			KeyConditionExpression: api.Some("pk = :p"), ExpressionAttributeValues: values(":p", "c#2"),
		}, []int64{5}},
		{"condition", func(q *build.Query) *build.Query {
			return q.KeyCondition(build.Attr("pk").Equal("c#1").And(build.Attr("sk").BeginsWith("o#3")))
		}, api.QueryInput{
			KeyConditionExpression: api.Some("#_0 = :_0 AND begins_with(#_1, :_1)"), ExpressionAttributeNames: pk,
			ExpressionAttributeValues: values(":_0", "c#1", ":_1", "o#3"),
		}, []int64{3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := &recorder{Service: db}
			found := totals(t, c.query(build.New(rec).Query("orders")).Items(ctx))
			c.want.TableName = api.Some("orders")
			assert.Equal(t, &c.want, rec.got[0])
			assert.Equal(t, c.found, found)
		})
	}
}

func TestQueryErrors(t *testing.T) {
	table, ctx := tenOrders(t).Table("orders"), t.Context()
	for _, c := range []struct {
		name  string
		query *build.Query
		text  string
	}{
		{"no key", table.Query(), "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."},
		{"no partition key", table.Query().SKEqual("o#1"), "Query condition missed key schema element: pk"},
		{"a sort key too many", table.Query().PK("c#1").SKEqual("o#1").SKEqual("o#2"), api.MsgKeyMismatch},
		{"a partition key too many", table.Query().PK("c#1", "c#2"), api.MsgKeyMismatch},
		{"no such index", table.Query().Index("byX").PK("c#1"), fmt.Sprintf(api.MsgIndexUnknown, "byX")},
		{"a bad value", table.Query().PK(attr.Value(nil)).PK("x"), "build: a value is absent"},
		{"a bad sort value", table.Query().PK("c#1").SKBetween("a", attr.Value(nil)), "build: a value is absent"},
		{"a bad filter", table.Query().PK("c#1").Filter(1), "build: a condition is a text or a Condition, not a int"},
	} {
		t.Run(c.name, func(t *testing.T) {
			turns := 0
			for it, err := range c.query.Items(ctx) {
				turns++
				assert.Nil(t, it)
				assert.Equal(t, c.text, code(t, api.Validation, err).Message)
			}
			assert.Equal(t, 1, turns)
			_, err := c.query.All(ctx)
			assert.Equal(t, c.text, code(t, api.Validation, err).Message)
			_, err = c.query.Count(ctx)
			assert.Equal(t, c.text, code(t, api.Validation, err).Message)
			_, err = c.query.Page(ctx)
			assert.Equal(t, c.text, code(t, api.Validation, err).Message)
		})
	}
}

// TestIndexesAreLookedUpAgain when the table has one that it had not before.
func TestIndexesAreLookedUpAgain(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	table := build.New(db).Table("orders")
	_, err := table.Get("c#1", "o#1").Item(ctx)
	require.NoError(t, err)
	require.NoError(t, db.Table("orders").CreateIndex(ctx, build.GSI("byCity").PK(build.StringKey("city"))))
	require.NoError(t, db.Work(ctx))
	n, err := table.Query().Index("byCity").PK("Bonn").Count(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(5), n)
}

// TestPagesOfAQuery: whatever Limit and PageSize, with and without a filter, the items are the first of
// all, no request asks for more than is wanted, and a page can be resumed.
func TestPagesOfAQuery(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	for _, filtered := range []bool{false, true} {
		all := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		if filtered {
			all = []int64{0, 2, 4, 6, 8}
		}
		for _, limit := range []int{0, 1, 3, 5, 10, 11} {
			for _, pageSize := range []int{0, 1, 2, 5, 10, 11} {
				rec := &recorder{Service: db}
				q := build.New(rec).Query("orders").PK("c#1")
				want := all
				if limit > 0 {
					q.Limit(limit)
					want = all[:min(limit, len(all))]
				}
				if pageSize > 0 {
					q.PageSize(pageSize)
				}
				if filtered {
					q.Filter(build.Attr("status").Equal("open"))
				}
				label := fmt.Sprintf("filtered %v, limit %d, page size %d", filtered, limit, pageSize)
				assert.Equal(t, want, totals(t, q.Items(ctx)), label)
				for _, in := range rec.got {
					got := in.(*api.QueryInput).Limit
					assert.Equal(t, !filtered && limit > 0 || pageSize > 0, got.Set, label)
					if pageSize > 0 {
						assert.LessOrEqual(t, got.Value, int64(pageSize), label)
					}
					if limit > 0 && !filtered {
						assert.LessOrEqual(t, got.Value, int64(limit), label)
					}
				}
				n, err := q.Count(ctx)
				require.NoError(t, err)
				assert.Equal(t, int64(len(want)), n, label)
				items, err := q.All(ctx)
				require.NoError(t, err)
				assert.Len(t, items, len(want), label)

				resumed := []int64{}
				for q := q; len(resumed) < len(all); {
					page, err := q.Page(ctx)
					require.NoError(t, err)
					resumed = append(resumed, totals(t, seq(page.Items))...)
					if page.Next == nil {
						break
					}
					q.From(page.Next)
				}
				assert.Equal(t, all, resumed, label)
			}
		}
	}
}

// seq is a slice as a sequence.
func seq(items []attr.Item) iter.Seq2[attr.Item, error] {
	return func(yield func(attr.Item, error) bool) {
		for _, it := range items {
			if !yield(it, nil) {
				return
			}
		}
	}
}

func TestPage(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	q := db.Client().Query("orders").PK("c#1").PageSize(5).Filter(build.Attr("status").Equal("open"))
	page, err := q.Page(ctx)
	require.NoError(t, err)
	assert.Equal(t, []int64{0, 2, 4}, totals(t, seq(page.Items)))
	assert.Equal(t, []int64{3, 5}, []int64{page.Count, page.Scanned})
	assert.Equal(t, item(t, attr.NewItem().S("pk", "c#1").S("sk", "o#4")), page.Next)

	var counts []int64
	for page, err := range q.Limit(4).Pages(ctx) {
		require.NoError(t, err)
		counts = append(counts, page.Count)
		assert.Len(t, page.Items, int(page.Count))
	}
	assert.Equal(t, []int64{3, 1}, counts)
}

// TestLoopsEnd: a loop that is left makes no more requests.
func TestLoopsEnd(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	rec := &recorder{Service: db}
	for range build.New(rec).Scan("orders").PageSize(2).Items(ctx) {
		break
	}
	assert.Len(t, rec.got, 1)

	ended, cancel := context.WithCancel(ctx)
	defer cancel()
	turns := 0
	for _, err := range build.New(db).Scan("orders").PageSize(2).Items(ended) {
		if turns++; turns == 2 {
			cancel()
		}
		if turns > 2 {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	assert.Equal(t, 3, turns)
}

func TestScans(t *testing.T) {
	db, ctx := tenOrders(t), t.Context()
	rec := &recorder{Service: db}
	client := build.New(rec)
	start := item(t, attr.NewItem().S("pk", "c#1").S("sk", "o#5"))
	items, err := client.Scan("orders").Filter(build.Attr("status").Equal("open")).Filter("attribute_exists(pk)").
		Project("total").Consistent().PageSize(20).From(start).Limit(2).All(ctx)
	require.NoError(t, err)
	assert.Equal(t, &api.ScanInput{
		TableName: api.Some("orders"), Limit: api.Some(int64(20)), ConsistentRead: api.Some(true),
		ExclusiveStartKey: start, FilterExpression: api.Some("#_0 = :_0 AND (attribute_exists(pk))"),
		ProjectionExpression:      api.Some("#_1"),
		ExpressionAttributeNames:  names("#_0", "status", "#_1", "total"),
		ExpressionAttributeValues: values(":_0", "open"),
	}, rec.got[0])
	assert.Equal(t, []int64{6, 8}, totals(t, seq(items)))

	n, err := client.Scan("orders").Index("byTotal").Count(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(11), n)
	assert.Equal(t, &api.ScanInput{
		TableName: api.Some("orders"), IndexName: api.Some("byTotal"), Select: api.Some("COUNT"),
	}, rec.got[1])

	var all []attr.Item
	for i := range 3 {
		part, err := client.Scan("orders").Segment(i, 3).All(ctx)
		require.NoError(t, err)
		all = append(all, part...)
	}
	assert.Len(t, all, 11)
	_, err = client.Scan("orders").Segment(3, 3).All(ctx)
	code(t, api.Validation, err)
	_, err = client.Scan("none").All(ctx)
	code(t, api.ResourceNotFound, err)
}
