package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
)

// Limits that only pace administrators, which hold with Options.StrictLimits (wire-facts §9).
const (
	// tablesMax is the number of tables of an account.
	tablesMax = 2500
	// ttlChangeInterval is the time from one change of time to live to the next.
	ttlChangeInterval = time.Hour
	// decreasesFree is how often a throughput may go down on a day, in UTC, before each further time
	// has to wait for decreaseInterval.
	decreasesFree    = 4
	decreaseInterval = time.Hour
	// switchesMax is how often a table may become on-demand within switchWindow.
	switchesMax  = 4
	switchWindow = 24 * time.Hour
	// tablesAtOnceMax is how many tables may be created, updated and deleted at once, indexedAtOnceMax how many with
	// indexes may be created at once.
	tablesAtOnceMax  = 500
	indexedAtOnceMax = 250
	// classChangesMax is how often a table may change its class within classWindow.
	classChangesMax = 2
	classWindow     = 30 * 24 * time.Hour
	// sseChangesFree is how often the encryption of a table may change within sseWindow, before each further time has to
	// wait for sseInterval.
	sseChangesFree = 4
	sseWindow      = 24 * time.Hour
	sseInterval    = 6 * time.Hour
	// sseChangesKept is how many changes of a day are remembered: more than those that the limit lets through.
	sseChangesKept = 8
)

// strictCreate makes the checks that hold a new table to the limits of its account.
func (db *core) strictCreate(ctx context.Context, r *catalog.Record) error {
	if !db.opts.StrictLimits {
		return nil
	}
	if err := db.strictPassing(ctx); err != nil {
		return err
	}
	if _, indexed := db.catalog.Passing(); len(r.Table.Indexes) > 0 && indexed >= indexedAtOnceMax {
		return api.Errorf(api.LimitExceeded, api.MsgIndexedAtOnce)
	}
	return db.strictUnits(r.Table.Name, &catalog.Billing{}, &r.Billing)
}

// strictPassing refuses a change of tables while too many others change.
func (db *core) strictPassing(ctx context.Context) error {
	if !db.opts.StrictLimits {
		return nil
	}
	if err := db.catalog.Settle(ctx); err != nil {
		return err
	}
	if all, _ := db.catalog.Passing(); all >= tablesAtOnceMax {
		return api.Errorf(api.LimitExceeded, api.MsgTablesAtOnce, tablesAtOnceMax)
	}
	return nil
}

// strictUpdate makes the checks of an update whose outcome for billing is known.
func (db *core) strictUpdate(in *api.UpdateTableInput, r *catalog.Record, next *catalog.Billing, nowMs int64) error {
	if !db.opts.StrictLimits {
		return nil
	}
	if err := strictBilling(&r.Billing, next, nowMs); err != nil {
		return err
	}
	if in.TableClass.Set && len(r.ClassChanges) >= classChangesMax && nowMs < r.ClassChanges[0]+classWindow.Milliseconds() {
		return api.Errorf(api.LimitExceeded, api.MsgClassSwitch)
	}
	if in.SSESpecification != nil {
		if err := strictSSE(r.SSEChanges, nowMs); err != nil {
			return err
		}
	}
	return db.strictUnits(r.Table.Name, &r.Billing, next)
}

// strictSSE refuses a change of encryption too many: four in a day, which begins with the first of them, and then one
// every six hours.
func strictSSE(changes []int64, nowMs int64) error {
	if len(changes) < sseChangesFree {
		return nil
	}
	end, last := changes[0]+sseWindow.Milliseconds(), changes[len(changes)-1]
	again := min(end, last+sseInterval.Milliseconds())
	if nowMs >= again {
		return nil
	}
	stamp := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
	return api.Errorf(api.LimitExceeded, api.MsgSSESwitch, stamp(end), len(changes), stamp(last), stamp(again))
}

// strictUnits refuses throughput that is above what a table, an index, or with all others the account, may have.
func (db *core) strictUnits(table string, old, b *catalog.Billing) error {
	all, was, own := db.catalog.Provisioned(table), catalog.Throughput{}, b.Provisioned()
	if !old.OnDemand {
		was = old.Provisioned()
	}
	for _, q := range quotas() {
		if err := q.ceilings(b, db.opts.Region); err != nil {
			return err
		}
		if b.OnDemand {
			continue
		}
		if err := q.tableUnits(b, db.opts.Region); err != nil {
			return err
		}
		if reserved := q.of(all) + q.of(was); q.of(all)+q.of(own) > accountUnitsMax {
			return api.Errorf(api.LimitExceeded, api.MsgAccountUnits, q.unit, db.opts.Region, q.unit, reserved, accountUnitsMax, q.of(own))
		}
	}
	return nil
}

// quota is one half of the limits of throughput, with the names of what it bounds.
type quota struct {
	name, unit, second, maximum string
	of                          func(catalog.Throughput) int64
}

func quotas() []quota {
	return []quota{
		{
			"TableMaxReadCapacityUnits", "ReadCapacityUnits", "ReadUnitsPerSecond", "MaxReadRequestUnits",
			func(t catalog.Throughput) int64 { return t.Read },
		},
		{
			"TableMaxWriteCapacityUnits", "WriteCapacityUnits", "WriteUnitsPerSecond", "MaxWriteRequestUnits",
			func(t catalog.Throughput) int64 { return t.Write },
		},
	}
}

// ceilings checks on-demand maxima and warm throughput.
func (q *quota) ceilings(b *catalog.Billing, region string) error {
	err := eachUnits(b.Max, b.IndexMax, "index : ", func(t catalog.Throughput, of string) error {
		if q.of(t) > tableUnitsMax {
			return api.Errorf(api.LimitExceeded, api.MsgMaximumUnits, q.maximum, of, q.name, region)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return eachUnits(b.Warm, b.IndexWarm, "index ", func(t catalog.Throughput, of string) error {
		if q.of(t) > tableUnitsMax {
			return api.Errorf(api.LimitExceeded, api.MsgWarmUnits, q.second, of, q.name, region)
		}
		return nil
	})
}

// tableUnits checks provisioned throughput: that of each index, and of the table with all of them.
func (q *quota) tableUnits(b *catalog.Billing, region string) error {
	for _, name := range slices.Sorted(maps.Keys(b.Indexes)) {
		if units := q.of(b.Indexes[name]); units > tableUnitsMax {
			return api.Errorf(api.LimitExceeded, api.MsgIndexUnits, q.unit, name, units, region, tableUnitsMax)
		}
	}
	if units := q.of(b.Provisioned()); units > tableUnitsMax {
		return api.Errorf(api.LimitExceeded, api.MsgTableUnits, q.unit, units, region, tableUnitsMax)
	}
	return nil
}

// eachUnits calls f for what a table has, if it is there, and then for what its indexes have.
func eachUnits(table *catalog.Throughput, indexes map[string]catalog.Throughput, prefix string,
	f func(t catalog.Throughput, of string) error,
) error {
	if table != nil {
		if err := f(*table, "table"); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(indexes)) {
		if err := f(indexes[name], prefix+name); err != nil {
			return err
		}
	}
	return nil
}

// strictTables is the number of tables that the catalog may hold, 0 for any.
func (o *Options) strictTables() int {
	if o.StrictLimits {
		return tablesMax
	}
	return 0
}

// strictBilling makes the checks 13 and 14 of wire-facts §6.2 on what a table pays for now and next.
func strictBilling(old, next *catalog.Billing, nowMs int64) error {
	if next.OnDemand {
		if first := nowMs - switchWindow.Milliseconds(); !old.OnDemand && old.SwitchesSince(first) >= switchesMax {
			last, again := old.Switches[len(old.Switches)-1], old.Switches[len(old.Switches)-switchesMax]
			return api.Errorf(api.LimitExceeded, api.MsgModeSwitch,
				wordyTime(last), wordyTime(again+switchWindow.Milliseconds()))
		}
		return nil
	}
	if err := strictDecrease(old.Changes, old.Table, next.Table, nowMs); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(old.Indexes)) {
		p, ok := next.Indexes[name]
		if !ok {
			continue
		}
		if err := strictDecrease(old.IndexChanges[name], old.Indexes[name], p, nowMs); err != nil {
			return err
		}
	}
	return nil
}

// strictDecrease checks one throughput. A new day begins anew, even within the hour.
func strictDecrease(c catalog.Changes, old, next catalog.Throughput, nowMs int64) error {
	if !old.Lowered(next) || c.DecreasesOn(nowMs) < decreasesFree {
		return nil
	}
	again := min(c.DecreasedMs+decreaseInterval.Milliseconds(), catalog.NextDay(nowMs))
	if nowMs >= again {
		return nil
	}
	return api.Errorf(api.LimitExceeded, api.MsgDecreases, c.Decreases, wordyTime(c.DecreasedMs), wordyTime(again))
}

// wordyTime is a time as the service's texts have it, taken from errors that users published.
func wordyTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("Monday, January 2, 2006 at 3:04:05 PM") + " Coordinated Universal Time"
}
