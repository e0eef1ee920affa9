package engine

import (
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
)

// strictUnits refuses throughput that is above what a table, or with all others the account, may have: that of a
// table is its own and that of its indexes.
func (db *core) strictUnits(table string, b *catalog.Billing) error {
	if !db.opts.StrictLimits || b.OnDemand {
		return nil
	}
	own := b.Provisioned()
	all := db.catalog.Provisioned(table)
	for _, x := range []struct {
		kind       string
		own, total int64
	}{{"read", own.Read, own.Read + all.Read}, {"write", own.Write, own.Write + all.Write}} {
		switch {
		case x.own > tableUnitsMax:
			return api.Errorf(api.LimitExceeded, api.MsgTableUnits, x.kind, tableUnitsMax)
		case x.total > accountUnitsMax:
			return api.Errorf(api.LimitExceeded, api.MsgAccountUnits, x.kind, accountUnitsMax)
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
