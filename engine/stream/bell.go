package stream

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/storage"
)

// Bell wakes the feeds of one stream, in this process. Whoever writes records notes it while the update
// runs, so before anything of it can be seen, and rings when the update is over:
//
//   - A feed that reads up to a watermark has been told, before it asked for it, of every slot where
//     there may be records up to there. It needs to look at no other one.
//   - A feed that has read all it was told of may sleep: it is woken for everything else.
//
// While nobody listens, a note is one atomic maximum and a ring one atomic load.
type Bell struct {
	// noted is the highest Seq that was noted, whether anybody listened or not: who begins to listen
	// missed no note above it.
	noted     atomic.Uint64
	listening atomic.Int32
	mu        sync.Mutex
	listeners []*Listener // guarded by mu
}

// Note says that an update, which has this Seq and is not yet visible, writes a record into a slot. It is
// called by the function of the update: a run that storage throws away makes some feed look in vain.
func (b *Bell) Note(slot uint32, seq storage.Seq) {
	if !b.note(seq) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.listeners {
		l.note(slot, seq)
	}
}

// NoteChange says that an update with this Seq, not yet visible, changes the stream: its shards, or that
// it is open.
func (b *Bell) NoteChange(seq storage.Seq) {
	if !b.note(seq) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.listeners {
		l.changed, l.highest = max(l.changed, seq), max(l.highest, seq)
	}
}

// note keeps the Seq and says whether anybody listens.
func (b *Bell) note(seq storage.Seq) bool {
	for {
		noted := b.noted.Load()
		if uint64(seq) <= noted || b.noted.CompareAndSwap(noted, uint64(seq)) {
			return b.listening.Load() > 0
		}
	}
}

// Ring says that an update that was noted is over, whatever came of it: its Seq is finished, or will be.
func (b *Bell) Ring(seq storage.Seq) {
	if b.listening.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.listeners {
		if l.rung < seq && seq <= l.highest {
			l.rung = seq
			l.call()
		}
	}
}

// Listener is one feed at the bell of its stream.
type Listener struct {
	bell *Bell
	wake chan struct{} // holds one call
	// first is the slot of noted[0].
	first uint32
	// noted is, by slot, the highest Seq of a record that there may be, highest that of all that
	// concerns the listener, changed that of a change of the stream, rung the highest that is over.
	// Guarded by the bell's mutex.
	noted                  []storage.Seq
	highest, changed, rung storage.Seq
	// lowest is the lowest Seq of a record noted since the listener was asked, zero for none; asked that
	// it ever was.
	lowest storage.Seq
	asked  bool
}

// Listen adds a listener for so many slots from first on.
func (b *Bell) Listen(first, slots uint32) *Listener {
	l := &Listener{bell: b, wake: make(chan struct{}, 1), first: first, noted: make([]storage.Seq, slots)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(b.listeners, l)
	// What was noted before this addition is in b.noted, and what comes after it in the listener. An
	// update that was noted before may find nobody to ring for: it counts as rung.
	b.listening.Add(1)
	missed := storage.Seq(b.noted.Load())
	for i := range l.noted {
		l.noted[i] = missed
	}
	l.highest, l.changed, l.rung = missed, missed, missed
	return l
}

// Close ends the listening.
func (l *Listener) Close() {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	l.bell.listeners = slices.DeleteFunc(l.bell.listeners, func(o *Listener) bool { return o == l })
	l.bell.listening.Add(-1)
}

// Wake holds a call when there may be something new.
func (l *Listener) Wake() <-chan struct{} { return l.wake }

// heard is what a listener knows.
type heard struct {
	// lowest is the lowest Seq of a record that was noted since the last time; zero for none.
	lowest storage.Seq
	// changed is the Seq of the last change of the stream, rung the highest that is over.
	changed, rung storage.Seq
	// first: what was noted before anybody listened is in there, and may be lower than lowest.
	first bool
}

// heard returns what is known, and raises noted to the highest Seqs of records that there may be, by
// slot.
func (l *Listener) heard(noted []storage.Seq) heard {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	h := heard{lowest: l.lowest, changed: l.changed, rung: l.rung, first: !l.asked}
	if h.lowest > 0 || h.first {
		for i, seq := range l.noted {
			noted[i] = max(noted[i], seq)
		}
	}
	l.lowest, l.asked = 0, true
	return h
}

func (l *Listener) note(slot uint32, seq storage.Seq) {
	if i := slot - l.first; i < uint32(len(l.noted)) {
		l.noted[i], l.highest = max(l.noted[i], seq), max(l.highest, seq)
		if l.lowest == 0 || seq < l.lowest {
			l.lowest = seq
		}
	}
}

func (l *Listener) call() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
