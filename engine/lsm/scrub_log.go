package lsm

import (
	"errors"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/verify"
)

// scrubLogBytes is about how much of the log is checked in a step.
const scrubLogBytes = 4 << 20

// logScrub is how far a pass is in the log and its spills. They are written and given back meanwhile: what
// is read is only what was synced before, and what does not verify is damage only if it is needed still
// after it was read. The tail, or the list of spills, has left a place before the place is used again.
type logScrub struct {
	on     bool         // a pass is there
	at     log.Position // of the next group, unless the tail has passed it
	until  log.Seq      // the last group that was synced when it began
	spills []*spill
}

// beginLog fixes what of the log a pass checks.
func (s *scrubber) beginLog() {
	w := &s.db.wal
	w.mu.Lock()
	s.log = logScrub{on: true, until: w.synced}
	w.mu.Unlock()
	s.db.spillMu.Lock()
	s.log.spills = slices.Clone(s.db.spills)
	s.db.spillMu.Unlock()
}

// logReader goes on where the last step ended, or at the tail if that is behind it.
func (s *scrubber) logReader() (*log.Reader, error) {
	m := &s.db.man
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.log.at.Seq == 0 || s.log.at.Seq < m.state.Tail.Seq {
		var err error
		if s.log.at, err = ondisk.StartOfLog(&s.db.super, m.state); err != nil {
			return nil, err
		}
	}
	return ondisk.LogReader(s.file, &s.db.super, m.state, s.log.at, s.log.until), nil
}

// stepLog checks the next groups, or the next spill behind all of them.
func (s *scrubber) stepLog() {
	if s.log.until == 0 || s.log.at.Seq > s.log.until {
		s.stepSpill()
		return
	}
	r, err := s.logReader()
	if err != nil {
		s.log.until = 0
		s.fault(logFault(err))
		return
	}
	if s.log.at.Seq > s.log.until { // the tail has passed all of it
		return
	}
	read := int64(0)
	for read < scrubLogBytes && r.Next() {
		read += int64(r.Header().Length)
	}
	s.log.at = r.Position()
	s.spent(max(read, int64(s.db.man.align)))
	if read >= scrubLogBytes || s.log.at.Seq > s.log.until || s.db.tailSeq() > s.log.at.Seq {
		return // or it was in use again, and the next step begins at the tail
	}
	err = r.Err()
	if err == nil {
		err = &base.CorruptError{Region: verify.WAL, Offset: s.log.at.Offset, Reason: "a group that was synced is not there"}
	}
	s.fault(logFault(err))
	s.log.until = 0 // what is behind it cannot be found
}

func (s *scrubber) stepSpill() {
	if len(s.log.spills) == 0 {
		s.log.on = false
		return
	}
	one := s.log.spills[0]
	s.log.spills = s.log.spills[1:]
	if !s.db.hasSpill(one) {
		return
	}
	s.spent(one.Length)
	size, err := s.file.Size()
	if err == nil {
		err = verify.OneSpill(s.file, size, s.db.crypt, one)
	}
	if err != nil && s.db.hasSpill(one) {
		s.fault(logFault(err))
	}
}

// hasSpill says whether the log still needs a spill, whose space is not used for anything else then.
func (db *DB) hasSpill(s *spill) bool {
	db.spillMu.Lock()
	defer db.spillMu.Unlock()
	return slices.Contains(db.spills, s)
}

func logFault(err error) verify.Fault {
	f := verify.Fault{Region: verify.WAL, Offset: -1, What: err.Error()}
	if ce, ok := errors.AsType[*base.CorruptError](err); ok {
		f.Region, f.Offset, f.What = ce.Region, ce.Offset, ce.Reason
	}
	return f
}
