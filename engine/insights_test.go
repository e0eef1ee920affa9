package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func (d *testDB) insightsOn(table, index, mode string) {
	d.t.Helper()
	in := &api.UpdateContributorInsightsInput{TableName: api.Some(table), ContributorInsightsAction: api.Some("ENABLE")}
	if index != "" {
		in.IndexName = api.Some(index)
	}
	if mode != "" {
		in.ContributorInsightsMode = api.Some(mode)
	}
	_, err := d.UpdateContributorInsights(d.t.Context(), in)
	require.NoError(d.t, err)
}

// counted is how often each key was counted by the rules of a kind.
func (d *testDB) counted(table, index, kind string) map[string]uint64 {
	d.t.Helper()
	rules, err := d.ContributorInsights(d.t.Context(), table, index, 100)
	require.NoError(d.t, err)
	for _, r := range rules {
		if r.Rule[len("DynamoDBContributorInsights-"):][:3] != kind {
			continue
		}
		out := map[string]uint64{}
		for _, k := range r.Keys {
			out[k.Key.String()] = k.Count
		}
		return out
	}
	return nil
}

// TestContributorInsights: every operation counts the keys that it asks for, and only while that is on.
func TestContributorInsights(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1"))
	d.insightsOn("orders", "", "")
	d.insightsOn("orders", "byG", "")
	d.put(attr.NewItem().S("pk", "a").N("sk", "-1.5"))
	d.get("a", "-1.5")
	d.query("", "pk = :a", nil, attr.String("a"))
	d.query("byG", "g = :a", nil, attr.String("g"))
	key := d.build(attr.NewItem().S("pk", "b").N("sk", "2"))
	table := api.Some("orders")
	_, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
		{Key: "orders", Value: api.KeysAndAttributes{Keys: []attr.Item{key}}},
	}})
	require.NoError(t, err)
	_, err = d.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{
		{Key: "orders", Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: key}}}},
	}})
	require.NoError(t, err)
	_, err = d.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: table, Item: key}},
	}})
	require.NoError(t, err)
	_, err = d.TransactGetItems(t.Context(), &api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{
		{Get: &api.Get{TableName: table, Key: key}},
	}})
	require.NoError(t, err)
	for _, statement := range []string{`SELECT * FROM orders WHERE pk = 'b' AND sk = 2`, `SELECT * FROM orders WHERE pk = 'b'`} {
		_, err = d.ExecuteStatement(t.Context(), &api.ExecuteStatementInput{Statement: api.Some(statement)})
		require.NoError(t, err)
	}
	_, err = d.Scan(t.Context(), &api.ScanInput{TableName: table})
	require.NoError(t, err)

	require.Equal(t, map[string]uint64{`{"pk":{"S":"b"}}`: 6, `{"pk":{"S":"a"}}`: 3}, d.counted("orders", "", "PKC"))
	require.Equal(t, map[string]uint64{`{"pk":{"S":"b"},"sk":{"N":"2"}}`: 5, `{"pk":{"S":"a"},"sk":{"N":"-1.5"}}`: 2},
		d.counted("orders", "", "SKC"))
	require.Equal(t, map[string]uint64{`{"g":{"S":"g"}}`: 1}, d.counted("orders", "byG", "PKC"))
	require.Empty(t, d.counted("orders", "", "PKT"))

	_, err = d.UpdateContributorInsights(t.Context(), &api.UpdateContributorInsightsInput{
		TableName: table, ContributorInsightsAction: api.Some("DISABLE"),
	})
	require.NoError(t, err)
	require.Nil(t, d.counted("orders", "", "PKC"))
	d.insightsOn("orders", "", "")
	require.Empty(t, d.counted("orders", "", "PKC"), "counting begins anew")
	_, err = d.ContributorInsights(t.Context(), "orders", "none", 1)
	requireError(t, err, api.ResourceNotFound, "Requested resource not found: Index: none not found for table: orders")
}

// TestInsightsOfThrottledKeys: what is refused is counted apart, in one of the modes alone.
func TestInsightsOfThrottledKeys(t *testing.T) {
	d := slowDB(t, nil)
	d.insightsOn("slow", "", "THROTTLED_KEYS")
	for d.putSlow(slowKey("a")) == nil {
	}
	require.Nil(t, d.counted("slow", "", "PKC"))
	require.Equal(t, map[string]uint64{`{"pk":{"S":"a"}}`: 1}, d.counted("slow", "", "PKT"))
}

// TestInsightsStates: the words of the service, rules and pages.
func TestInsightsStates(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Second})
	c := d.clock
	c.set(time.UnixMilli(1767326400000))
	d.orders()
	c.add(time.Second)
	describe := func() *api.DescribeContributorInsightsOutput {
		out, err := d.DescribeContributorInsights(t.Context(), &api.DescribeContributorInsightsInput{TableName: api.Some("orders")})
		require.NoError(t, err)
		return out
	}
	require.Equal(t, "DISABLED", describe().ContributorInsightsStatus.Value)
	d.insightsOn("orders", "", "")
	require.Equal(t, "ENABLING", describe().ContributorInsightsStatus.Value)
	c.add(time.Second)
	on := describe()
	require.Equal(t, "ENABLED", on.ContributorInsightsStatus.Value)
	require.Equal(t, "ACCESSED_AND_THROTTLED_KEYS", on.ContributorInsightsMode.Value)
	require.Equal(t, []string{
		"DynamoDBContributorInsights-PKC-orders-1767326401000", "DynamoDBContributorInsights-SKC-orders-1767326401000",
		"DynamoDBContributorInsights-PKT-orders-1767326401000", "DynamoDBContributorInsights-SKT-orders-1767326401000",
	}, on.ContributorInsightsRuleList)
	out, err := d.UpdateContributorInsights(t.Context(), &api.UpdateContributorInsightsInput{
		TableName: api.Some("orders"), ContributorInsightsAction: api.Some("DISABLE"),
	})
	require.NoError(t, err)
	require.Equal(t, "DISABLING", out.ContributorInsightsStatus.Value)
	c.add(time.Second)
	require.Equal(t, "DISABLED", describe().ContributorInsightsStatus.Value)
	d.insightsOn("orders", "byG", "")
	d.insightsOn("orders", "", "")
	c.add(time.Second)
	_, err = d.UpdateContributorInsights(t.Context(), &api.UpdateContributorInsightsInput{
		TableName: api.Some("orders"), ContributorInsightsAction: api.Some("DISABLE"),
	})
	require.NoError(t, err)

	var seen []string
	var token api.Opt[string]
	for {
		page, err := d.ListContributorInsights(t.Context(), &api.ListContributorInsightsInput{MaxResults: api.Some[int64](1), NextToken: token})
		require.NoError(t, err)
		for _, s := range page.ContributorInsightsSummaries {
			seen = append(seen, s.TableName.Value+"/"+s.IndexName.Value+" "+s.ContributorInsightsStatus.Value)
		}
		if token = page.NextToken; !token.Set {
			break
		}
	}
	require.Equal(t, []string{"orders/ DISABLING", "orders/byG ENABLED"}, seen)
}

// TestInsightsOfPassingTables: nothing is counted of what is not there yet or leaves.
func TestInsightsOfPassingTables(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Second})
	d.orders()
	update := func(index, action, mode string) (string, error) {
		in := &api.UpdateContributorInsightsInput{TableName: api.Some("orders"), ContributorInsightsAction: api.Some(action)}
		if index != "" {
			in.IndexName = api.Some(index)
		}
		if mode != "" {
			in.ContributorInsightsMode = api.Some(mode)
		}
		out, err := d.UpdateContributorInsights(t.Context(), in)
		if err != nil {
			return "", err
		}
		return out.ContributorInsightsStatus.Value + " " + out.ContributorInsightsMode.Value, nil
	}
	_, err := update("", "ENABLE", "")
	requireError(t, err, api.ResourceNotFound, "Requested resource not found: Table: orders not found")
	d.later(time.Second)
	for _, c := range [][3]string{
		{"DISABLE", "", "DISABLED "},
		{"ENABLE", "THROTTLED_KEYS", "ENABLING THROTTLED_KEYS"},
		{"ENABLE", "THROTTLED_KEYS", "ENABLED THROTTLED_KEYS"},
		{"ENABLE", "", "ENABLING ACCESSED_AND_THROTTLED_KEYS"},
	} {
		got, err := update("", c[0], c[1])
		require.NoError(t, err)
		require.Equal(t, c[2], got)
		d.later(time.Second)
	}
	_, err = update("byL", "ENABLE", "")
	requireError(t, err, api.ResourceNotFound, "Requested resource not found: Index: byL not found for table: orders")
	_, err = d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	const state = "Table or Index is not in a valid state to update Key Access Insights: TableStatus must be ACTIVE to enable ContributorInsights."
	_, err = update("", "ENABLE", "")
	requireError(t, err, api.Validation, state)
}

// TestInsightsAreKept: over a restart, until they are turned off or the table is gone.
func TestInsightsAreKept(t *testing.T) {
	d := openTest(t, Options{})
	reopen := func() { // as a process that begins after the work of the one before
		require.NoError(t, d.Work(t.Context()))
		db, err := OpenStore(d.served.Load().store, Options{Clock: d.clock.Now, NoBackground: true})
		require.NoError(t, err)
		d = &testDB{DB: db, t: t, clock: d.clock}
	}
	d.orders()
	d.insightsOn("orders", "", "")
	d.put(attr.NewItem().S("pk", "a").N("sk", "1"))
	d.put(attr.NewItem().S("pk", "a").N("sk", "2"))
	reopen()
	d.put(attr.NewItem().S("pk", "a").N("sk", "2"))
	require.Equal(t, map[string]uint64{`{"pk":{"S":"a"}}`: 3}, d.counted("orders", "", "PKC"))
	require.Equal(t, map[string]uint64{`{"pk":{"S":"a"},"sk":{"N":"1"}}`: 1, `{"pk":{"S":"a"},"sk":{"N":"2"}}`: 2}, d.counted("orders", "", "SKC"))

	_, err := d.UpdateContributorInsights(t.Context(), &api.UpdateContributorInsightsInput{
		TableName: api.Some("orders"), ContributorInsightsAction: api.Some("DISABLE"),
	})
	require.NoError(t, err)
	reopen()
	d.insightsOn("orders", "", "")
	require.Empty(t, d.counted("orders", "", "PKC"))
}
