package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// settings changes the table orders and waits until it is active.
func (d *testDB) settings(in *api.UpdateTableInput) *api.TableDescription {
	d.t.Helper()
	in.TableName = api.Some("orders")
	_, err := d.UpdateTable(d.t.Context(), in)
	require.NoError(d.t, err)
	d.clock.add(time.Second)
	out, err := d.DescribeTable(d.t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(d.t, err)
	require.Equal(d.t, "ACTIVE", out.Table.TableStatus.Value)
	return out.Table
}

// TestUpdateEncryption: wire-facts §6.1.2. The service's own key is shown by saying nothing.
func TestUpdateEncryption(t *testing.T) {
	const keyARN = "arn:aws:kms:us-east-1:123456789012:"
	d := openTest(t, Options{})
	d.orders()
	sse := func(enabled bool, id string) *api.SSEDescription {
		spec := &api.SSESpecification{Enabled: api.Some(enabled)}
		if id != "" {
			spec.KMSMasterKeyId, spec.SSEType = api.Some(id), api.Some("KMS")
		}
		return d.settings(&api.UpdateTableInput{SSESpecification: spec}).SSEDescription
	}
	shown := func(arn string) *api.SSEDescription {
		return &api.SSEDescription{
			Status: api.Some("ENABLED"), SSEType: api.Some("KMS"), KMSMasterKeyArn: api.Some(arn),
		}
	}
	require.Equal(t, shown(keyARN+"alias/aws/dynamodb"), sse(true, ""))
	require.Equal(t, shown(keyARN+"key/one"), sse(true, "one"))
	require.Equal(t, shown("arn:aws:kms:eu-west-1:1:key/two"), sse(true, "arn:aws:kms:eu-west-1:1:key/two"))
	kept := d.settings(&api.UpdateTableInput{DeletionProtectionEnabled: api.Some(true)}).SSEDescription
	require.Equal(t, shown("arn:aws:kms:eu-west-1:1:key/two"), kept, "other changes leave it alone")
	require.Nil(t, sse(false, ""))
	_, err := d.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName: api.Some("orders"), SSESpecification: &api.SSESpecification{Enabled: api.Some(false)},
	})
	requireError(t, err, api.Validation, "One or more parameter values were invalid: Table is already encrypted by default")
	require.Equal(t, shown(keyARN+"alias/aws/dynamodb"), d.settings(&api.UpdateTableInput{
		SSESpecification: &api.SSESpecification{SSEType: api.Some("KMS")},
	}).SSEDescription, "a kind of encryption asks for it")
}

// TestMaximaAreShown: wire-facts §6.1.2. -1 removes an on-demand maximum, what is not named stays, and what there is
// not is not shown.
func TestMaximaAreShown(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ceiling := func(read, write int64) *api.OnDemandThroughput {
		return &api.OnDemandThroughput{
			MaxReadRequestUnits: api.Some(read), MaxWriteRequestUnits: api.Some(write),
		}
	}
	reads := &api.OnDemandThroughput{MaxReadRequestUnits: api.Some[int64](10)}
	writes := &api.OnDemandThroughput{MaxWriteRequestUnits: api.Some[int64](20)}
	set := func(o *api.OnDemandThroughput) *api.OnDemandThroughput {
		return d.settings(&api.UpdateTableInput{OnDemandThroughput: o}).OnDemandThroughput
	}
	require.Equal(t, reads, set(reads))
	require.Equal(t, ceiling(10, 20), set(writes))
	require.Equal(t, writes, set(&api.OnDemandThroughput{MaxReadRequestUnits: api.Some[int64](-1)}))
	require.Nil(t, set(ceiling(-1, -1)))
	require.Equal(t, writes, set(writes))

	index := func(name string, o *api.OnDemandThroughput) *api.UpdateTableInput {
		return &api.UpdateTableInput{GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{
			Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: api.Some(name), OnDemandThroughput: o},
		}}}
	}
	got := d.settings(index("byG", ceiling(5, 6)))
	require.Equal(t, ceiling(5, 6), got.GlobalSecondaryIndexes[0].OnDemandThroughput)
	require.Equal(t, writes, got.OnDemandThroughput)
	got = d.settings(index("byG", &api.OnDemandThroughput{MaxWriteRequestUnits: api.Some[int64](7)}))
	require.Equal(t, ceiling(5, 7), got.GlobalSecondaryIndexes[0].OnDemandThroughput)
	for _, name := range []string{"none", "byL"} {
		in := index(name, ceiling(1, 1))
		in.TableName = api.Some("orders")
		_, err := d.UpdateTable(t.Context(), in)
		require.Error(t, err, name)
	}
	for _, units := range []int64{0, -2} {
		_, err := d.UpdateTable(t.Context(), &api.UpdateTableInput{TableName: api.Some("orders"), OnDemandThroughput: ceiling(units, 1)})
		requireError(t, err, api.Validation, "One or more parameter values were invalid: Requested MaxReadRequestUnits for "+
			"OnDemandThroughput for table is outside of valid range")
	}
	d.put(attr.NewItem().S("pk", "a").N("sk", "1"))
}

// unitsOf is a throughput.
func unitsOf(read, write int64) *api.ProvisionedThroughput {
	return &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(read), WriteCapacityUnits: api.Some(write)}
}

func indexUnitsOf(name string, p *api.ProvisionedThroughput) []api.GlobalSecondaryIndexUpdate {
	return []api.GlobalSecondaryIndexUpdate{{Update: &api.UpdateGlobalSecondaryIndexAction{
		IndexName: api.Some(name), ProvisionedThroughput: p,
	}}}
}

// TestUpdateThroughputErrors: wire-facts §6.2, the checks on the table, in their order.
func TestUpdateThroughputErrors(t *testing.T) {
	const invalid = "One or more parameter values were invalid: "
	d := openTest(t, Options{})
	d.orders() // on demand
	update := func(in *api.UpdateTableInput) func() error {
		return func() error {
			in.TableName = api.Some("orders")
			_, err := d.UpdateTable(t.Context(), in)
			d.clock.add(time.Second)
			return err
		}
	}
	provisioned := api.Some(api.BillingModeProvisioned)
	requireRefusals(t, []refusal{
		{"units on demand", update(&api.UpdateTableInput{ProvisionedThroughput: unitsOf(1, 1)}), api.Validation,
			invalid + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"},
		{"units of an index on demand", update(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(1, 1))}), api.Validation,
			invalid + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"},
		{"switch without units of an index", update(&api.UpdateTableInput{BillingMode: provisioned, ProvisionedThroughput: unitsOf(1, 1)}), api.Validation,
			invalid + "ProvisionedThroughput must be specified for index: byG"},
		{"switch", update(&api.UpdateTableInput{
			BillingMode: provisioned, ProvisionedThroughput: unitsOf(3, 4), GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(5, 6)),
		}), "", ""},
		{"no change", update(&api.UpdateTableInput{ProvisionedThroughput: unitsOf(3, 4)}), api.Validation,
			"The provisioned throughput for the table will not change. The requested value equals the current value. " +
				"Current ReadCapacityUnits provisioned for the table: 3. Requested ReadCapacityUnits: 3. " +
				"Current WriteCapacityUnits provisioned for the table: 4. Requested WriteCapacityUnits: 4. " +
				"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."},
		{"no change of an index", update(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(5, 6))}), api.Validation,
			"The provisioned throughput for the index byG will not change. The requested value equals the current value. " +
				"Current ReadCapacityUnits provisioned for index byG: 5. Requested ReadCapacityUnits: 5. " +
				"Current WriteCapacityUnits provisioned for index byG: 6. Requested WriteCapacityUnits: 6. " +
				"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."},
		{"beyond reason", update(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(1_000_000_000_001, 1))}), api.Validation,
			"This operation cannot be performed with given input values. Please contact DynamoDB service team for more info: Action Blocked: IndexUpdate"},
		{"unknown index", update(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("none", unitsOf(1, 1))}), api.ResourceNotFound, textNotFound + ": Index none for table orders"},
		{"local index", update(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("byL", unitsOf(1, 1))}), api.Validation, "Cannot update an index that is not a GlobalSecondaryIndex: byL"},
		{"unknown index without units", update(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("none", nil)}),
			api.ResourceNotFound, textNotFound + ": Index none for table orders"},
		{"raise", update(&api.UpdateTableInput{ProvisionedThroughput: unitsOf(4, 4)}), "", ""},
	})
}

// TestUpdateTooManyIndexes: wire-facts §6.2, check 3 of the table comes before the indexes' own.
func TestUpdateTooManyIndexes(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	var updates []api.GlobalSecondaryIndexUpdate
	for i := range 6 {
		updates = append(updates, api.GlobalSecondaryIndexUpdate{
			Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: api.Some(fmt.Sprint("ix", i))},
		})
	}
	_, err := d.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName: api.Some("orders"), GlobalSecondaryIndexUpdates: updates,
	})
	requireError(t, err, api.LimitExceeded, "Subscriber limit exceeded: Only 1 online index can be "+
		"created or deleted simultaneously per table")
}

// TestThroughputHistory: wire-facts §6.1.2. A table and each index show when their own throughput
// went up and down, and how often it went down on this day of UTC.
func TestThroughputHistory(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.clock.set(time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC))
	d.settings(&api.UpdateTableInput{
		BillingMode: api.Some(api.BillingModeProvisioned), ProvisionedThroughput: unitsOf(9, 9),
		GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(9, 9)),
	})
	shown := func(units, decreases int64, increased, decreased api.Opt[time.Time]) *api.ProvisionedThroughputDescription {
		return &api.ProvisionedThroughputDescription{
			ReadCapacityUnits: api.Some(units), WriteCapacityUnits: api.Some(units),
			NumberOfDecreasesToday: api.Some(decreases),
			LastIncreaseDateTime:   increased, LastDecreaseDateTime: decreased,
		}
	}
	now := func() api.Opt[time.Time] { return api.Some(time.UnixMilli(d.clock.Now().UnixMilli())) }
	var never api.Opt[time.Time]

	first := now()
	got := d.settings(&api.UpdateTableInput{ProvisionedThroughput: unitsOf(8, 8)})
	require.Equal(t, shown(8, 1, never, first), got.ProvisionedThroughput)
	require.Equal(t, shown(9, 0, never, never), got.GlobalSecondaryIndexes[0].ProvisionedThroughput)

	second := now()
	got = d.settings(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(10, 10))})
	require.Equal(t, shown(8, 1, never, first), got.ProvisionedThroughput)
	require.Equal(t, shown(10, 0, second, never), got.GlobalSecondaryIndexes[0].ProvisionedThroughput)

	third := now()
	got = d.settings(&api.UpdateTableInput{ProvisionedThroughput: unitsOf(7, 7)})
	require.Equal(t, shown(7, 2, never, third), got.ProvisionedThroughput)

	d.clock.add(time.Hour) // past midnight
	got = d.settings(&api.UpdateTableInput{DeletionProtectionEnabled: api.Some(false)})
	require.Equal(t, shown(7, 0, never, third), got.ProvisionedThroughput)
	next := now()
	got = d.settings(&api.UpdateTableInput{ProvisionedThroughput: unitsOf(6, 6)})
	require.Equal(t, shown(6, 1, never, next), got.ProvisionedThroughput)
}

// TestBillingSummaryKept: wire-facts §6.1.2. The time of becoming on-demand outlasts a switch back,
// also for a table that was created on demand.
func TestBillingSummaryKept(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	before := d.settings(&api.UpdateTableInput{DeletionProtectionEnabled: api.Some(false)}).BillingModeSummary
	require.True(t, before.LastUpdateToPayPerRequestDateTime.Set)
	after := d.settings(&api.UpdateTableInput{
		BillingMode: api.Some(api.BillingModeProvisioned), ProvisionedThroughput: unitsOf(1, 1),
		GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(1, 1)),
	}).BillingModeSummary
	require.Equal(t, &api.BillingModeSummary{
		BillingMode:                       api.Some(api.BillingModeProvisioned),
		LastUpdateToPayPerRequestDateTime: before.LastUpdateToPayPerRequestDateTime,
	}, after)
}

// TestWarmThroughput: wire-facts §6.1.2. What was asked for is shown for tables and indexes; what
// was not is what the billing mode gives.
func TestWarmThroughput(t *testing.T) {
	d := openTest(t, Options{})
	index := func(name string, w *api.WarmThroughput) api.GlobalSecondaryIndex {
		return api.GlobalSecondaryIndex{
			IndexName: api.Some(name), WarmThroughput: w,
			KeySchema:  []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
			Projection: &api.Projection{ProjectionType: api.Some("ALL")},
		}
	}
	_, err := d.CreateTable(t.Context(), &api.CreateTableInput{
		TableName: api.Some("orders"), BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("pk"), AttributeType: api.Some("S")},
		},
		WarmThroughput: &api.WarmThroughput{ReadUnitsPerSecond: api.Some[int64](13000)},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{
			index("plain", nil), index("warm", &api.WarmThroughput{WriteUnitsPerSecond: api.Some[int64](5000)}),
		},
	})
	require.NoError(t, err)
	d.clock.add(time.Second)
	out, err := d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	active := api.Some("ACTIVE")
	require.Equal(t, &api.TableWarmThroughputDescription{
		ReadUnitsPerSecond: api.Some[int64](13000), WriteUnitsPerSecond: api.Some[int64](4000), Status: active,
	}, out.Table.WarmThroughput)
	for i, want := range []struct{ read, write int64 }{{12000, 4000}, {12000, 5000}} {
		require.Equal(t, &api.GlobalSecondaryIndexWarmThroughputDescription{
			ReadUnitsPerSecond: api.Some(want.read), WriteUnitsPerSecond: api.Some(want.write), Status: active,
		}, out.Table.GlobalSecondaryIndexes[i].WarmThroughput)
	}
}

// TestWarmThroughputRises: it may be raised for the table and its indexes, each number by itself, and
// nothing changes where one would fall.
func TestWarmThroughputRises(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	warm := func(read, write int64) *api.WarmThroughput {
		w := &api.WarmThroughput{}
		if read > 0 {
			w.ReadUnitsPerSecond = api.Some(read)
		}
		if write > 0 {
			w.WriteUnitsPerSecond = api.Some(write)
		}
		return w
	}
	index := func(name string, w *api.WarmThroughput) []api.GlobalSecondaryIndexUpdate {
		return []api.GlobalSecondaryIndexUpdate{{Update: &api.UpdateGlobalSecondaryIndexAction{
			IndexName: api.Some(name), WarmThroughput: w,
		}}}
	}
	shown := func(d *api.TableDescription) [4]int64 {
		ix := d.GlobalSecondaryIndexes[0].WarmThroughput
		return [4]int64{d.WarmThroughput.ReadUnitsPerSecond.Value, d.WarmThroughput.WriteUnitsPerSecond.Value,
			ix.ReadUnitsPerSecond.Value, ix.WriteUnitsPerSecond.Value}
	}
	d.settings(&api.UpdateTableInput{WarmThroughput: warm(13000, 0)})
	out := d.settings(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: index("byG", warm(0, 5000))})
	require.Equal(t, [4]int64{13000, 4000, 12000, 5000}, shown(out))
	out = d.settings(&api.UpdateTableInput{WarmThroughput: warm(13000, 4001)})
	require.Equal(t, [4]int64{13000, 4001, 12000, 5000}, shown(out))

	for want, in := range map[string]*api.UpdateTableInput{
		"ReadUnitsPerSecond for WarmThroughput for table":      {WarmThroughput: warm(12999, 0)},
		"WriteUnitsPerSecond for WarmThroughput for table":     {WarmThroughput: warm(14000, 4000)},
		"ReadUnitsPerSecond for WarmThroughput for index byG":  {GlobalSecondaryIndexUpdates: index("byG", warm(11999, 0))},
		"WriteUnitsPerSecond for WarmThroughput for index byG": {GlobalSecondaryIndexUpdates: index("byG", warm(0, 4999))},
	} {
		in.TableName = api.Some("orders")
		_, err := d.UpdateTable(t.Context(), in)
		require.ErrorContains(t, err, "Requested "+want+
			" is lower than current WarmThroughput, decreasing WarmThroughput is not supported")
	}
	_, err := d.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName: api.Some("orders"), GlobalSecondaryIndexUpdates: index("none", warm(13000, 0)),
	})
	require.Equal(t, api.ResourceNotFound, api.CodeOf(err))
	require.Equal(t, [4]int64{13000, 4001, 12000, 5000}, shown(d.settings(&api.UpdateTableInput{
		DeletionProtectionEnabled: api.Some(false),
	})))
}

// TestWarmThroughputStays: what a table was once ready for it stays ready for, whatever it pays for.
func TestWarmThroughputStays(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	shown := func(out *api.TableDescription) [4]int64 {
		ix := out.GlobalSecondaryIndexes[0].WarmThroughput
		return [4]int64{out.WarmThroughput.ReadUnitsPerSecond.Value, out.WarmThroughput.WriteUnitsPerSecond.Value,
			ix.ReadUnitsPerSecond.Value, ix.WriteUnitsPerSecond.Value}
	}
	require.Equal(t, [4]int64{12000, 4000, 12000, 4000}, shown(d.settings(&api.UpdateTableInput{
		BillingMode: api.Some("PROVISIONED"), ProvisionedThroughput: unitsOf(5, 5), GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(5, 5)),
	})))
	require.Equal(t, [4]int64{12001, 4000, 12000, 4001}, shown(d.settings(&api.UpdateTableInput{
		ProvisionedThroughput: unitsOf(12001, 7), GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(5, 4001)),
	})))
	require.Equal(t, [4]int64{12001, 4000, 12000, 4001}, shown(d.settings(&api.UpdateTableInput{
		ProvisionedThroughput: unitsOf(1, 1), GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(1, 1)),
	})))
}
