package capacity

import (
	"sync"
	"time"
)

const (
	// BurstSeconds is how much unused capacity is kept: the service keeps five minutes.
	BurstSeconds = 300
	// bucketsMax is the number of buckets from which those that nobody used for longer than a burst
	// lasts are forgotten, as those of deleted tables are.
	bucketsMax = 4096
)

// Bucket names what has a throughput of its own: a table or a global index, for reads or for writes.
type Bucket struct {
	Table uint64
	Index string // empty for the table itself
	Write bool
}

// Buckets are token buckets that fill by the second. A request is let in when there is as much as it
// costs at least, and pays afterwards what it cost, if need be with what is yet to come: what it
// costs is known only then. The service's own way is not documented: unsure. Safe for concurrent use.
type Buckets struct {
	mu   sync.Mutex
	list map[Bucket]*level
}

// level is what is in a bucket at a time.
type level struct {
	units float64
	at    time.Time
	used  float64 // since Used was called
}

// Has says whether the bucket, which fills by rate units a second, holds units now.
func (b *Buckets) Has(name Bucket, rate, units float64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fill(name, rate, now).units >= units
}

// Take takes units, more than there are if need be; a negative number gives back.
func (b *Buckets) Take(name Bucket, rate, units float64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.fill(name, rate, now)
	l.units -= units
	l.used += units
}

// Used returns what was taken from a bucket since the last call, and is for one caller.
func (b *Buckets) Used(name Bucket) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.list[name]
	if l == nil {
		return 0
	}
	used := l.used
	l.used = 0
	return used
}

// fill brings a bucket up to now. A new one holds one second's worth: nothing was left unused yet.
func (b *Buckets) fill(name Bucket, rate float64, now time.Time) *level { // needs mu
	l := b.list[name]
	if l == nil {
		if len(b.list) >= bucketsMax {
			b.forget(now)
		}
		if b.list == nil {
			b.list = map[Bucket]*level{}
		}
		l = &level{units: rate, at: now}
		b.list[name] = l
		return l
	}
	if passed := now.Sub(l.at).Seconds(); passed > 0 {
		l.units += passed * rate
		l.at = now
	}
	// A throughput that was lowered takes the burst of the higher one along.
	l.units = min(l.units, rate*BurstSeconds)
	return l
}

func (b *Buckets) forget(now time.Time) { // needs mu
	for name, l := range b.list {
		if now.Sub(l.at) > BurstSeconds*time.Second {
			delete(b.list, name)
		}
	}
}
