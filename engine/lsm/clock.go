package lsm

import (
	"sync"
	"time"
)

// steadyClock makes ages and rates of a clock that people and NTP set: a step back counts as no time,
// and the time after it goes on from there. A step forward counts, which makes ages too large once.
type steadyClock struct {
	mu        sync.Mutex
	last, now int64 // nanoseconds: as read, as told
	begun     bool
}

func (c *steadyClock) read(clock func() time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := clock().UnixNano()
	switch {
	case !c.begun:
		c.begun, c.now = true, at
	case at > c.last:
		c.now += at - c.last
	}
	c.last = at
	return c.now
}

// clock is in nanoseconds, and never goes back.
func (db *DB) clock() int64 {
	if db.opts.Clock != nil {
		return db.steady.read(db.opts.Clock)
	}
	return db.ticks.Load()
}
