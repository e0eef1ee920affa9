package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// bill changes what the table orders pays for, one second later.
func (d *testDB) bill(in *api.UpdateTableInput) error {
	in.TableName = api.Some("orders")
	_, err := d.UpdateTable(d.t.Context(), in)
	d.later(time.Second)
	return err
}

func (d *testDB) provision(read, write int64) error {
	return d.bill(&api.UpdateTableInput{ProvisionedThroughput: unitsOf(read, write)})
}

func (d *testDB) switchTo(mode string) error {
	in := &api.UpdateTableInput{BillingMode: api.Some(mode)}
	if mode == api.BillingModeProvisioned {
		in.ProvisionedThroughput, in.GlobalSecondaryIndexUpdates = unitsOf(100, 100), indexUnitsOf("byG", unitsOf(100, 100))
	}
	return d.bill(in)
}

// decreased is the refusal of a decrease, with the times that it names.
func decreased(n int, last, next string) string {
	return fmt.Sprintf("Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. "+
		"After the first 4 decreases, each subsequent decrease in the same UTC day can be performed at most once every "+
		"3600 seconds. Number of decreases today: %d. Last decrease at %s Coordinated Universal Time. "+
		"Next decrease can be made at %s Coordinated Universal Time", n, last, next)
}

// TestStrictDecreases: wire-facts §6.2 #14 and §9: four a day at any time, then one an hour, in UTC. Each
// index has its own count; what goes up is free.
func TestStrictDecreases(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true}) // it is 03:04:05 on a Friday
	d.orders()
	require.NoError(t, d.switchTo(api.BillingModeProvisioned))
	for i := range int64(4) {
		require.NoError(t, d.provision(90-i, 100+i), "one half may go up")
	}
	refused := decreased(4, "Friday, January 2, 2026 at 3:04:09 AM", "Friday, January 2, 2026 at 4:04:09 AM")
	requireError(t, d.provision(80, 103), api.LimitExceeded, refused)
	requireError(t, d.provision(80, 200), api.LimitExceeded, refused)
	require.NoError(t, d.provision(87, 200))
	require.NoError(t, d.bill(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(1, 1))}))
	d.clock.set(time.Date(2026, 1, 2, 4, 4, 8, 999e6, time.UTC))
	requireError(t, d.provision(80, 200), api.LimitExceeded, refused)
	d.clock.set(time.Date(2026, 1, 2, 4, 4, 9, 0, time.UTC))
	require.NoError(t, d.provision(80, 200))
	requireError(t, d.provision(79, 200), api.LimitExceeded,
		decreased(5, "Friday, January 2, 2026 at 4:04:09 AM", "Friday, January 2, 2026 at 5:04:09 AM"))

	d.clock.set(time.Date(2026, 1, 2, 23, 30, 0, 0, time.UTC))
	require.NoError(t, d.provision(79, 200))
	requireError(t, d.provision(78, 200), api.LimitExceeded,
		decreased(6, "Friday, January 2, 2026 at 11:30:00 PM", "Saturday, January 3, 2026 at 12:00:00 AM"))
	d.clock.set(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC))
	for i := range int64(4) {
		require.NoError(t, d.provision(70-i, 200), "a new day")
	}
	require.Error(t, d.provision(60, 200))

	for i := range int64(5) { // first up from 1
		require.NoError(t, d.bill(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(100+i, 100-i))}))
	}
	require.Equal(t, api.LimitExceeded, api.CodeOf(d.bill(&api.UpdateTableInput{
		GlobalSecondaryIndexUpdates: indexUnitsOf("byG", unitsOf(1, 1)),
	})))
}

// TestStrictSwitches: wire-facts §6.2 #13: four switches to on-demand in 24 hours, rolling.
func TestStrictSwitches(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true})
	d.orders()
	there := func() error {
		require.NoError(t, d.switchTo(api.BillingModeProvisioned))
		return d.switchTo(api.BillingModePayPerRequest)
	}
	for range 4 {
		require.NoError(t, there())
		d.later(time.Hour)
	}
	requireError(t, there(), api.LimitExceeded, "Subscriber limit exceeded: Update to PayPerRequest mode are limited to once "+
		"in 1 day(s). Last update at Friday, January 2, 2026 at 6:04:12 AM Coordinated Universal Time. "+
		"Next update can be made at Saturday, January 3, 2026 at 3:04:06 AM Coordinated Universal Time")
	d.clock.set(time.Date(2026, 1, 3, 3, 4, 5, 999e6, time.UTC))
	require.Equal(t, api.LimitExceeded, api.CodeOf(d.switchTo(api.BillingModePayPerRequest)))
	d.clock.set(time.Date(2026, 1, 3, 3, 4, 6, 0, time.UTC))
	require.NoError(t, d.switchTo(api.BillingModePayPerRequest))
	require.Equal(t, api.LimitExceeded, api.CodeOf(there()), "each has its own day")
}

// TestStrictTTL: wire-facts §6.16: one change an hour, whatever it is.
func TestStrictTTL(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true})
	d.orders()
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
	d.later(time.Hour - time.Millisecond)
	requireError(t, setTTL(t.Context(), d.DB, "orders", "ttl", false), api.Validation,
		"Time to live has been modified multiple times within a fixed interval")
	requireError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true), api.Validation, "TimeToLive is already enabled")
	d.later(time.Millisecond)
	require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", false))
	require.Equal(t, api.Validation, api.CodeOf(setTTL(t.Context(), d.DB, "orders", "other", true)))
}

// TestStrictTables: 2,500 and no more (wire-facts §9); one that is deleted makes room.
func TestStrictTables(t *testing.T) {
	if testing.Short() {
		t.Skip("2,500 tables, one after the other")
	}
	d := openTest(t, Options{StrictLimits: true})
	create := func(name string) error {
		_, err := d.CreateTable(t.Context(), &api.CreateTableInput{
			TableName: api.Some(name), BillingMode: api.Some(api.BillingModePayPerRequest),
			KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
			AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
		})
		return err
	}
	for i := range 2500 {
		require.NoError(t, create(fmt.Sprint("table", i)))
	}
	requireError(t, create("more"), api.LimitExceeded, "Subscriber limit exceeded: There is a limit of 2500 tables per subscriber")
	require.Equal(t, api.ResourceInUse, api.CodeOf(create("table7")))
	_, err := d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("table7")})
	require.NoError(t, err)
	require.NoError(t, create("more"))
}

// TestPacedOnlyWhenStrict: without the option administrators are not held up.
func TestPacedOnlyWhenStrict(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	for i := range int64(10) {
		require.NoError(t, d.switchTo(api.BillingModeProvisioned))
		require.NoError(t, d.provision(90-i, 100))
		require.NoError(t, d.switchTo(api.BillingModePayPerRequest))
		require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", i%2 == 0))
	}
}

// TestStrictClass: two changes of the class in 30 days, rolling.
func TestStrictClass(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true})
	d.orders()
	class := func(name string) error { return d.bill(&api.UpdateTableInput{TableClass: api.Some(name)}) }
	require.NoError(t, class(api.TableClassStandardInfrequentAccess))
	require.NoError(t, class(api.TableClassStandard))
	d.later(30*24*time.Hour - 2*time.Second - time.Millisecond)
	requireError(t, class(api.TableClassStandardInfrequentAccess), api.LimitExceeded,
		"Subscriber limit exceeded: Updates to TableClass are limited to 2 times in 30 day(s).")
	require.NoError(t, class(api.TableClassStandardInfrequentAccess))
}

// TestStrictEncryption: four changes in a day that begins with the first of them, then one every six hours.
func TestStrictEncryption(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true}) // it is 03:04:05
	d.orders()
	encrypt := func(on bool) error {
		return d.bill(&api.UpdateTableInput{SSESpecification: &api.SSESpecification{Enabled: api.Some(on)}})
	}
	for i := range 4 {
		require.NoError(t, encrypt(i%2 == 0))
	}
	requireError(t, encrypt(true), api.LimitExceeded, "Subscriber limit exceeded: Encryption mode changes are limited in the 24h "+
		"window ending at 2026-01-03T03:04:05.000Z. After the first 4 change, each subsequent change in the same window can be "+
		"performed at most once every 21600 seconds. Number of updates today: 4. Last change at 2026-01-02T03:04:08.000Z. "+
		"Next changes can be made at 2026-01-02T09:04:08.000Z.")
	d.clock.set(time.Date(2026, 1, 2, 9, 4, 8, 0, time.UTC))
	require.NoError(t, encrypt(true))
	require.Error(t, encrypt(false))
	d.clock.set(time.Date(2026, 1, 3, 3, 4, 5, 0, time.UTC))
	for i := range 4 {
		require.NoError(t, encrypt(i%2 != 0), "a new day")
	}
	require.Error(t, encrypt(true))
}

// TestStrictPassing: so many tables may be created, updated and deleted at once, and so many of those that are created
// may have indexes.
func TestStrictPassing(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true, TableDelay: time.Minute})
	create := func(name string, indexed bool) error {
		in := ordersInput()
		in.TableName = api.Some(name)
		if !indexed {
			in.GlobalSecondaryIndexes, in.LocalSecondaryIndexes = nil, nil
			in.AttributeDefinitions = slices.DeleteFunc(in.AttributeDefinitions, func(a api.AttributeDefinition) bool {
				return a.AttributeName.Value != "pk" && a.AttributeName.Value != "sk"
			})
		}
		_, err := d.CreateTable(t.Context(), in)
		return err
	}
	for i := range 250 {
		require.NoError(t, create(fmt.Sprint("indexed", i), true))
	}
	requireError(t, create("more", true), api.LimitExceeded, "Subscriber limit exceeded: You have exceeded the maximum number of "+
		"indexed tables that can be created simultaneously")
	for i := range 250 {
		require.NoError(t, create(fmt.Sprint("plain", i), false))
	}
	const atOnce = "Subscriber limit exceeded: Only 500 tables can be created, updated, or deleted simultaneously"
	requireError(t, create("more", false), api.LimitExceeded, atOnce)
	d.later(time.Minute)
	require.NoError(t, create("more", true))
	for i := range 499 {
		name := fmt.Sprint("indexed", i)
		if i >= 250 {
			name = fmt.Sprint("plain", i-250)
		}
		_, err := d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some(name)})
		require.NoError(t, err)
	}
	_, err := d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("plain249")})
	requireError(t, err, api.LimitExceeded, atOnce)
	_, err = d.UpdateTable(t.Context(), &api.UpdateTableInput{TableName: api.Some("plain249"), DeletionProtectionEnabled: api.Some(true)})
	requireError(t, err, api.LimitExceeded, atOnce)
}

// TestStrictCeilings: an on-demand maximum and warm throughput are held to what a table may have.
func TestStrictCeilings(t *testing.T) {
	d := openTest(t, Options{StrictLimits: true})
	d.orders()
	maximum := &api.OnDemandThroughput{MaxWriteRequestUnits: api.Some[int64](40001)}
	requireError(t, d.bill(&api.UpdateTableInput{OnDemandThroughput: maximum}), api.LimitExceeded, "Subscriber limit exceeded: "+
		"Requested MaxWriteRequestUnits for OnDemandThroughput for table exceeds TableMaxWriteCapacityUnits of the account in region us-east-1")
	warm := &api.WarmThroughput{ReadUnitsPerSecond: api.Some[int64](40001)}
	requireError(t, d.bill(&api.UpdateTableInput{GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
		{Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: api.Some("byG"), WarmThroughput: warm}},
	}}), api.LimitExceeded, "Subscriber limit exceeded: Requested ReadUnitsPerSecond for WarmThroughput for index byG exceeds "+
		"TableMaxReadCapacityUnits of the account in region us-east-1")
	warm.ReadUnitsPerSecond = api.Some[int64](40000)
	require.NoError(t, d.bill(&api.UpdateTableInput{WarmThroughput: warm}))
}
