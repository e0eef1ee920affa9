package lsm

import (
	"context"
	"time"
)

const (
	// compactRate is how fast compaction writes while commits arrive and nothing presses: 64 MB/s
	// leave the latency of the log as it is.
	compactRateBytes = 64_000_000
	// From half to three quarters of the log in use, and from l0Start to l0SlowTables tables in
	// level 0, the rate rises until it is without limit.
	logPressLow, logPressHigh = 0.5, 0.75
)

// pressure is from 0 (compaction may take its time) to 1 (writers are about to wait for it).
func pressure(l0 int, logUse float64) float64 {
	byTables := float64(l0-l0Start) / (l0SlowTables - l0Start)
	byLog := (logUse - logPressLow) / (logPressHigh - logPressLow)
	return min(1, max(0, byTables, byLog))
}

// paceFor is how long n bytes should take; 0 means no limit.
func paceFor(n int, press float64) time.Duration {
	if press >= 1 {
		return 0
	}
	seconds := float64(n) / compactRateBytes * (1 - press)
	return time.Duration(seconds * float64(time.Second))
}

// pace waits before a piece is written, or until the context ends.
func (db *DB) pace(ctx context.Context, stripe, n int) {
	if db.opts.manual || db.compact.calm.Load() || db.isIdle() {
		return
	}
	use, total, _ := db.ringUse()
	part := 0.0
	if full := max(total, db.opts.LogBytes); full > 0 {
		part = float64(use) / float64(full)
	}
	d := paceFor(n, pressure(int(db.stripes[stripe].l0.Load()), part))
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
