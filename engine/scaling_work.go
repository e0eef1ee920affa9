package engine

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
)

// Auto scaling follows what requests consume, which is known where they are held to it: with Options.Throttle. It
// looks at each minute, as the service's alarms do.
const (
	scalingWindow = time.Minute
	// windowsOut and windowsIn are how many windows in a row must be above the target, or far below, until the
	// throughput changes.
	windowsOut = 2
	windowsIn  = 15
	// scalingSlack is how far below the target consumption must be for a decrease.
	scalingSlack = 0.9
	percent      = 100
	// looksPerWindow is how often the worker looks whether a window is over.
	looksPerWindow = 4
)

// scaling is what is known of the throughputs that scale.
type scaling struct {
	mu sync.Mutex
	// sinceMs is when the window began; guarded by mu, as is of.
	sinceMs int64
	of      map[capacity.Bucket]*scaled
}

// scaled is one throughput.
type scaled struct {
	high, low   int // windows in a row
	outMs, inMs int64
	seen        bool
}

// scaleOnce is the work of the scaling's worker.
func (db *core) scaleOnce(ctx context.Context) (waiting bool, err error) {
	return db.throttled(), db.scaleDue(ctx)
}

// scaleDue changes the throughput of tables with replicas whose consumption asks for it, when a window is over.
func (db *core) scaleDue(ctx context.Context) error {
	if !db.throttled() || db.opts.ReadOnly {
		return nil
	}
	s := &db.scaling
	s.mu.Lock()
	defer s.mu.Unlock()
	now := db.exec.Now().UnixMilli()
	if s.of == nil {
		s.of, s.sinceMs = map[capacity.Bucket]*scaled{}, now
	}
	if now-s.sinceMs < scalingWindow.Milliseconds() {
		return nil
	}
	seconds := float64(now-s.sinceMs) / millisPerSecond
	s.sinceMs = now
	for _, x := range s.of {
		x.seen = false
	}
	var errs []error
	for _, t := range db.catalog.Globals() {
		if !t.Billing.OnDemand && t.Status == catalog.StatusActive && t.Global.Settled() {
			errs = append(errs, db.scaleTable(ctx, t, seconds, now))
		}
	}
	for name, x := range s.of {
		if !x.seen {
			delete(s.of, name)
		}
	}
	return errors.Join(errs...)
}

const millisPerSecond = 1000

// scaleTable changes the throughput of one table and its indexes; the mutex of scaling is held.
func (db *core) scaleTable(ctx context.Context, t *catalog.Table, seconds float64, nowMs int64) error {
	wanted := map[capacity.Bucket]int64{}
	look := func(index string, write bool, a catalog.AutoScaling, current int64) {
		name := capacity.Bucket{Table: t.Table.ID, Index: index, Write: write}
		x := db.scaling.of[name]
		if x == nil {
			x = &scaled{}
			db.scaling.of[name] = x
		}
		x.seen = true
		if units := x.next(&a, db.buckets.Used(name)/seconds, current, nowMs); units != current {
			wanted[name] = units
		}
	}
	for index, a := range t.Scaling.Write {
		look(index, true, a, throughputOf(&t.Billing, index).Write)
	}
	for index, a := range t.Scaling.Read[db.opts.Region] {
		look(index, false, a, throughputOf(&t.Billing, index).Read)
	}
	if len(wanted) == 0 {
		return nil
	}
	_, err := db.catalog.Update(ctx, t.Table.Name, false, func(r *catalog.Record) error {
		if r.Table.ID != t.Table.ID || r.Billing.OnDemand || r.Global == nil {
			return nil
		}
		for name, units := range wanted {
			db.scale(r, name, units, nowMs)
		}
		return nil
	})
	db.wakeSenders()
	return unlessGone(err)
}

func throughputOf(b *catalog.Billing, index string) catalog.Throughput {
	if index == "" {
		return b.Table
	}
	return b.Indexes[index]
}

// scale sets one throughput: of writes in all replicas, of reads in this one.
func (db *core) scale(r *catalog.Record, name capacity.Bucket, units, nowMs int64) {
	if !name.Write {
		own := catalog.Override{Read: units}
		if name.Index != "" {
			own = catalog.Override{IndexRead: map[string]int64{name.Index: units}}
		}
		r.Apply(r.Global.Own.Merge(own))
		return
	}
	old := throughputOf(&r.Billing, name.Index)
	next := catalog.Throughput{Read: old.Read, Write: units}
	if name.Index == "" {
		r.Billing.Changes, r.Billing.Table = r.Billing.Changed(old, next, nowMs), next
	} else {
		setThroughput(&r.Billing.Indexes, name.Index, next)
	}
	db.shared(r, nowMs)
}

// next is what a throughput becomes after a window in which used units were consumed a second.
func (x *scaled) next(a *catalog.AutoScaling, used float64, current, nowMs int64) int64 {
	if a.Disabled {
		return current
	}
	units := current
	if p := a.Policy; p != nil && p.Target > 0 {
		target := float64(current) * p.Target / percent
		wanted := int64(math.Ceil(used * percent / p.Target))
		if x.high++; used <= target {
			x.high = 0
		}
		if x.low++; used >= target*scalingSlack || p.DisableIn {
			x.low = 0
		}
		switch {
		case x.high >= windowsOut && nowMs-x.outMs >= p.OutCooldown*millisPerSecond:
			units, x.outMs = wanted, nowMs
		case x.low >= windowsIn && nowMs-max(x.inMs, x.outMs) >= p.InCooldown*millisPerSecond:
			units, x.inMs = wanted, nowMs
		}
	}
	return min(max(units, a.Min, 1), max(a.Max, 1))
}
