package catalog

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// Log is the change log of a table (package changelog), kept while anybody needs it.
type Log struct {
	// Generations are those that are there, oldest first; changes go to the last one.
	Generations []Generation `json:"generations"`
	// SinceMs is the time from which on every change is in the log, in milliseconds since 1970; zero
	// until all have left that wrote without it.
	SinceMs int64 `json:"sinceMs,omitempty"`
	// Days is the recovery period of point-in-time recovery; 0 when that is off.
	Days int `json:"days,omitempty"`
	// RecoverableMs is the time from which on the table can be recovered; zero as for SinceMs.
	RecoverableMs int64 `json:"recoverableMs,omitempty"`
	// Holds are the tasks that need the log.
	Holds []LogHold `json:"holds,omitempty"`
}

// Generation is a part of a log, which is dropped as a whole.
type Generation struct {
	// History is the sub of its history rows, Marks that of its marks.
	History uint32 `json:"history"`
	Marks   uint32 `json:"marks"`
	BeganMs int64  `json:"beganMs"`
	// EndedMs is a time when nobody wrote to it any more; zero while somebody may.
	EndedMs int64 `json:"endedMs,omitempty"`
}

// LogHold keeps the log of all changes from a time on.
type LogHold struct {
	// ID is that of the task.
	ID string `json:"id"`
	// FromMs is in milliseconds since 1970.
	FromMs int64 `json:"fromMs"`
	// MadeMs is when the hold was made.
	MadeMs int64 `json:"madeMs"`
	// Pins: the table may not be deleted meanwhile.
	Pins bool `json:"pins,omitempty"`
}

const (
	millisPerHour = 60 * 60 * 1000
	// generationsPerPeriod is into how many generations a recovery period is divided: so much more than
	// the period is kept at most, as a part of it.
	generationsPerPeriod = 16
)

func (l *Log) clone() *Log {
	if l == nil {
		return nil
	}
	c := *l
	c.Generations, c.Holds = slices.Clone(l.Generations), slices.Clone(l.Holds)
	return &c
}

// last is the generation that is written to.
func (l *Log) last() *Generation { return &l.Generations[len(l.Generations)-1] }

// History are the subs of the history rows that may hold changes made later than a time.
func (l *Log) History(ms int64) (subs []uint32) {
	for _, g := range l.Generations {
		if g.EndedMs == 0 || g.EndedMs >= ms {
			subs = append(subs, g.History)
		}
	}
	return subs
}

// Marks are the subs of the marks of changes made later than a time.
func (l *Log) Marks(ms int64) (subs []uint32) {
	for _, g := range l.Generations {
		if g.EndedMs == 0 || g.EndedMs >= ms {
			subs = append(subs, g.Marks)
		}
	}
	return subs
}

// keep is the time from which on changes are needed; false when none are.
func (l *Log) keep(nowMs int64) (fromMs int64, needed bool) {
	fromMs = nowMs
	if l.Days > 0 {
		fromMs, needed = nowMs-int64(l.Days)*millisPerDay, true
	}
	for _, h := range l.Holds {
		fromMs, needed = min(fromMs, h.FromMs), true
	}
	return fromMs, needed
}

// Subs are all that the log has keys under.
func (l *Log) Subs() (subs []uint32) {
	if l != nil {
		for _, g := range l.Generations {
			subs = append(subs, g.History, g.Marks)
		}
	}
	return subs
}

// StartLog makes a log unless there is one.
func (r *Record) StartLog(nowMs int64) {
	if r.Log == nil {
		r.Log = new(Log)
		r.newGeneration(nowMs)
	}
}

func (r *Record) newGeneration(nowMs int64) {
	r.Log.Generations = append(r.Log.Generations, Generation{History: r.TakeSub(), Marks: r.TakeSub(), BeganMs: nowMs})
}

// HoldLog makes a task keep the log from a time on, and starts it if there is none.
func (r *Record) HoldLog(h LogHold) {
	r.StartLog(h.MadeMs)
	r.Log.Holds = append(slices.DeleteFunc(r.Log.Holds, func(o LogHold) bool { return o.ID == h.ID }), h)
}

// ReleaseLog takes a hold away; one that is gone is no error.
func (r *Record) ReleaseLog(id string, nowMs int64) {
	if r.Log != nil {
		r.Log.Holds = slices.DeleteFunc(r.Log.Holds, func(h LogHold) bool { return h.ID == id })
		r.trimLog(nowMs)
	}
}

// Recover switches point-in-time recovery on with a period in days, or off with 0.
func (r *Record) Recover(days int, nowMs int64) {
	switch {
	case days > 0:
		r.StartLog(nowMs)
		r.Log.Days = days
	case r.Log != nil:
		r.Log.Days, r.Log.RecoverableMs = 0, 0
		r.trimLog(nowMs)
	}
}

// SettleLog writes down what is known once nobody is left that was bound before the last change of the
// record: it must be in an Update after the one that made the change, and reports whether there is anything.
func (r *Record) SettleLog(nowMs int64) (changed bool) {
	if r.Log == nil {
		return false
	}
	if r.Log.SinceMs == 0 {
		r.Log.SinceMs, changed = nowMs, true
	}
	if r.Log.Days > 0 && r.Log.RecoverableMs == 0 {
		r.Log.RecoverableMs, changed = nowMs, true
	}
	for i := range r.Log.Generations[:len(r.Log.Generations)-1] {
		if g := &r.Log.Generations[i]; g.EndedMs == 0 {
			g.EndedMs, changed = nowMs, true
		}
	}
	return changed
}

// TendLog settles, begins a new generation when it is time, drops what nobody needs, and lets go of the holds
// of which gone says that there is no task. It reports whether it changed anything.
func (r *Record) TendLog(nowMs int64, gone func(LogHold) bool) (changed bool) {
	changed = r.SettleLog(nowMs)
	if r.Log == nil {
		return changed
	}
	before := len(r.Log.Holds)
	r.Log.Holds = slices.DeleteFunc(r.Log.Holds, gone)
	changed = changed || len(r.Log.Holds) != before
	if r.trimLog(nowMs) {
		changed = true
	}
	if r.Log != nil && nowMs-r.Log.last().BeganMs >= r.Log.span() {
		r.newGeneration(nowMs)
		changed = true
	}
	return changed
}

// LogDue says whether TendLog would change anything.
func (r *Record) LogDue(nowMs int64, gone func(LogHold) bool) bool {
	return r.clone().TendLog(nowMs, gone)
}

// Held says whether a task has a hold.
func (r *Record) Held(id string) bool {
	return r.Log != nil && slices.ContainsFunc(r.Log.Holds, func(h LogHold) bool { return h.ID == id })
}

// span is how long a generation is written to.
func (l *Log) span() int64 {
	return max(int64(l.Days)*millisPerDay/generationsPerPeriod, millisPerHour)
}

// trimLog drops the generations that nobody needs, or the whole log.
func (r *Record) trimLog(nowMs int64) (changed bool) {
	fromMs, needed := r.Log.keep(nowMs)
	if !needed {
		for _, sub := range r.Log.Subs() {
			r.drop(Job{Kind: JobDrop, Sub: sub, Ready: true})
		}
		r.Log = nil
		return true
	}
	for len(r.Log.Generations) > 1 {
		g := r.Log.Generations[0]
		if g.EndedMs == 0 || g.EndedMs >= fromMs {
			break
		}
		r.drop(Job{Kind: JobDrop, Sub: g.History, Ready: true})
		r.drop(Job{Kind: JobDrop, Sub: g.Marks, Ready: true})
		r.Log.Generations = r.Log.Generations[1:]
		r.Log.SinceMs = max(r.Log.SinceMs, g.EndedMs)
		changed = true
	}
	return changed
}

// Pinned says whether a task needs the table to stay.
func (r *Record) Pinned() bool {
	return r.Log != nil && slices.ContainsFunc(r.Log.Holds, func(h LogHold) bool { return h.Pins })
}

// Recovery returns the recovery period in days, 0 when point-in-time recovery is off, and the times between
// which the table can be recovered, in milliseconds since 1970.
func (r *Record) Recovery(nowMs int64) (days int, earliestMs, latestMs int64) {
	if r.Log == nil || r.Log.Days == 0 {
		return 0, 0, 0
	}
	since := cmp.Or(max(r.Log.SinceMs, r.Log.RecoverableMs), nowMs)
	return r.Log.Days, max(since, nowMs-int64(r.Log.Days)*millisPerDay), max(since, nowMs)
}

// WithLog returns the names of the tables that have a change log.
func (c *Catalog) WithLog() []string {
	var names []string
	for name, t := range c.snapshot().all() {
		if t.Log != nil && t.Status != StatusDeleting {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// LogIn returns a table and its log as a snapshot has them; a log that is in use may begin a generation at
// any time, and a reader needs those of which its snapshot has rows. It is ErrNotFound when the table, or
// its log, is gone.
func LogIn(ctx context.Context, snap storage.Snapshot, name string, id uint64) (*Record, error) {
	v, err := snap.Get(ctx, key.AppendCatalog(nil, key.SubTable, name))
	if err != nil {
		return nil, err
	}
	if !v.Present {
		return nil, ErrNotFound
	}
	r, err := DecodeRecord(v.Data)
	if err != nil {
		return nil, err
	}
	if r.Table.ID != id || r.Log == nil {
		return nil, ErrNotFound
	}
	return r, nil
}

// Mark says whether an update at a time has to write a mark, and under which sub: none before it has that
// for the same millisecond.
func (t *Table) Mark(now time.Time) (sub uint32, wanted bool) {
	return t.Log.last().Marks, t.marked.Load() != now.UnixMilli()
}

// Marked says that an update which wrote a mark for a time is over and was not refused.
func (t *Table) Marked(now time.Time) { t.marked.Store(now.UnixMilli()) }

// History is the sub that changes are written under.
func (t *Table) History() uint32 { return t.Log.last().History }

// Recorded says whether changes of the table's items are written down anywhere.
func (t *Table) Recorded() bool {
	return t.Log != nil || t.Feed != nil || t.Streams() || t.Global != nil
}
