package engine

import (
	"fmt"
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
	d.clock.now = time.Date(2026, 1, 2, 4, 4, 8, 999e6, time.UTC)
	requireError(t, d.provision(80, 200), api.LimitExceeded, refused)
	d.clock.now = time.Date(2026, 1, 2, 4, 4, 9, 0, time.UTC)
	require.NoError(t, d.provision(80, 200))
	requireError(t, d.provision(79, 200), api.LimitExceeded,
		decreased(5, "Friday, January 2, 2026 at 4:04:09 AM", "Friday, January 2, 2026 at 5:04:09 AM"))

	d.clock.now = time.Date(2026, 1, 2, 23, 30, 0, 0, time.UTC)
	require.NoError(t, d.provision(79, 200))
	requireError(t, d.provision(78, 200), api.LimitExceeded,
		decreased(6, "Friday, January 2, 2026 at 11:30:00 PM", "Saturday, January 3, 2026 at 12:00:00 AM"))
	d.clock.now = time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
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
	d.clock.now = time.Date(2026, 1, 3, 3, 4, 5, 999e6, time.UTC)
	require.Equal(t, api.LimitExceeded, api.CodeOf(d.switchTo(api.BillingModePayPerRequest)))
	d.clock.now = time.Date(2026, 1, 3, 3, 4, 6, 0, time.UTC)
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
