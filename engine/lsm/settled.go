package lsm

// Settled says whether no background work runs or is due: no flush of the memtables for their budget
// or for the log, no compaction, and no memory of a load to be given back. With idle what compaction does
// only once nothing has been written for a second or two counts, too. It looks at every stripe: meant for
// tools that measure.
func (db *DB) Settled(idle bool) bool {
	if db.opts.InMemory || db.opts.ReadOnly {
		return true
	}
	if _, due := db.neededPass(); due || db.givesBack() {
		return false
	}
	if !db.passMu.TryLock() {
		return false
	}
	db.passMu.Unlock()
	c := &db.compact
	c.mu.Lock()
	running := len(c.running)
	c.mu.Unlock()
	if running > 0 {
		return false
	}
	for i := range db.stripes {
		c.mu.Lock()
		_, corrupt := c.corrupt[i]
		c.mu.Unlock()
		if db.due(i, idle).score >= 1 && !corrupt {
			return false
		}
	}
	return true
}
