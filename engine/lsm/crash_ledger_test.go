package lsm

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// ledger knows what was asked of a store and what was answered. Its ops are totally ordered: a
// workload issues them one after the other, or takes their places from a counter key.
type ledger struct {
	mu     sync.Mutex
	ops    []ledgerOp
	acked  int  // ops[:acked] are acknowledged
	sure   int  // ops[:sure] survive a power loss; behind acked in the modes interval and off
	opened bool // the first open has returned
}

// ledgerOp is one atomic update, or the end of a range.
type ledgerOp struct {
	puts    map[string]string
	deletes []string
	drop    *storage.Range
}

// window is what a crash at this moment may leave: the state after j ops for any lo ≤ j ≤ hi.
type window struct {
	lo, hi int
	begun  int // ops that were begun: their dropped ranges may be gone already
	opened bool
}

func (l *ledger) window(powerLoss bool) window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := window{lo: l.acked, hi: len(l.ops), begun: len(l.ops), opened: l.opened}
	if powerLoss {
		w.lo = l.sure
	}
	return w
}

// begin adds the next op; its index is returned.
func (l *ledger) begin(op ledgerOp) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, op)
	return len(l.ops) - 1
}

// claim is begin at a place that an update has read from the counter key.
func (l *ledger) claim(at int, op ledgerOp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.ops) <= at {
		l.ops = append(l.ops, ledgerOp{})
	}
	l.ops[at] = op
}

// ack says that op i and all before it are answered, and whether they survive a power loss.
func (l *ledger) ack(i int, durable bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = max(l.acked, i+1)
	if durable {
		l.sure = max(l.sure, i+1)
	}
}

func (l *ledger) list() []ledgerOp {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ops
}

// apply plays an op onto a state.
func (op ledgerOp) apply(state map[string]string) {
	maps.Copy(state, op.puts)
	for _, k := range op.deletes {
		delete(state, k)
	}
}

// match finds the j with lo ≤ j ≤ hi whose state is got; dropped ranges are judged apart.
func (l *ledger) match(got map[string]string, w window) (int, error) {
	ops := l.list()[:w.begun]
	var dead []storage.Range
	for i, op := range ops {
		if op.drop == nil {
			continue
		}
		dead = append(dead, *op.drop)
		for k := range got {
			if i < w.lo && op.drop.Contains([]byte(k)) {
				return 0, fmt.Errorf("key %x of a dropped range is back", k)
			}
		}
	}
	alive := func(state map[string]string) map[string]string {
		out := make(map[string]string, len(state))
		for k, v := range state {
			if !inRanges(dead, k) {
				out[k] = v
			}
		}
		return out
	}
	got = alive(got)
	state, why := map[string]string{}, ""
	for j := 0; j <= w.hi; j++ {
		if j > 0 {
			ops[j-1].apply(state)
		}
		if j < w.lo {
			continue
		}
		want := alive(state)
		if maps.Equal(want, got) {
			return j, nil
		}
		why += fmt.Sprintf("\n  after %d ops: %s", j, difference(want, got))
	}
	return 0, fmt.Errorf("the state is none of those after %d to %d ops:%s", w.lo, w.hi, shorten(why, 1500))
}

func inRanges(list []storage.Range, key string) bool {
	for _, r := range list {
		if r.Contains([]byte(key)) {
			return true
		}
	}
	return false
}

// difference names a few keys that are not as they should be.
func difference(want, got map[string]string) string {
	var out []string
	for k, v := range want {
		if g, ok := got[k]; !ok {
			out = append(out, fmt.Sprintf("%x lacks %q", k, shorten(v, 12)))
		} else if g != v {
			out = append(out, fmt.Sprintf("%x has %q, not %q", k, shorten(g, 12), shorten(v, 12)))
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			out = append(out, fmt.Sprintf("%x is there with %q", k, shorten(v, 12)))
		}
	}
	return fmt.Sprintf("%d keys differ: ", len(out)) + strings.Join(out[:min(len(out), 3)], ", ")
}

func shorten(s string, n int) string { return s[:min(len(s), n)] }

// readAll reads the whole store through a snapshot.
func readAll(db storage.Store) (map[string]string, error) {
	ctx := context.Background()
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range{}, storage.IterOptions{})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	got := map[string]string{}
	last := ""
	for it.Next() {
		k := string(it.Key())
		if last != "" && k <= last {
			return nil, fmt.Errorf("key %x follows %x", k, last)
		}
		got[k], last = string(it.Value()), k
	}
	return got, it.Err()
}

// crashKey is a key of a space and stripe.
func crashKey(space, stripe byte, n int) string {
	name := fmt.Sprintf("k%05d", n)
	return "\x00\x00\x00\x00\x00\x00\x00" + string([]byte{space}) + "\x00\x00\x00\x00" +
		string([]byte{stripe, 0, 0, 0, 0, byte(len(name))}) + name
}

func spaceRange(space byte) storage.Range {
	return storage.Range{
		Start: []byte{0, 0, 0, 0, 0, 0, 0, space}, End: []byte{0, 0, 0, 0, 0, 0, 0, space + 1},
	}
}

// crashSession is a running workload.
type crashSession struct {
	fs   *vfs.MemFS
	opts Options
	led  *ledger
	db   storage.Store
	n    int // ops so far, for values that tell where they come from
	seed uint64
}

func (s *crashSession) open() error {
	db, err := Open(crashPath, s.opts)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	s.db = db
	s.led.mu.Lock()
	s.led.opened = true
	s.led.mu.Unlock()
	return nil
}

// durable says whether an answer survives a power loss.
func (s *crashSession) durable() bool { return s.opts.Sync == SyncAlways }

func (s *crashSession) value(size int) string {
	v := fmt.Sprintf("%06d;", s.n)
	return v + strings.Repeat(string(rune('a'+s.n%26)), max(size-len(v), 0))
}

// do issues one op and waits for its answer. It is a blind batch when it has several keys or an
// odd number, else an update that reads its key, so that both ways are taken.
func (s *crashSession) do(op ledgerOp) error {
	i := s.led.begin(op)
	s.n++
	ctx := context.Background()
	var err error
	switch {
	case op.drop != nil:
		err = s.db.DropRange(ctx, *op.drop)
	case len(op.puts) == 1 && len(op.deletes) == 0 && i%2 == 0:
		for k, v := range op.puts {
			named := []storage.Named{{Key: []byte(k)}}
			err = s.db.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
				tx.Put([]byte(k), []byte(v))
				return nil
			})
		}
	default:
		var b storage.Batch
		for k, v := range op.puts {
			b.Put([]byte(k), []byte(v))
		}
		for _, k := range op.deletes {
			b.Delete([]byte(k))
		}
		err = s.db.Apply(ctx, &b, storage.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("op %d: %w", i, err)
	}
	s.led.ack(i, s.durable() || op.drop != nil)
	return nil
}

func (s *crashSession) put(key string, size int) error {
	return s.do(ledgerOp{puts: map[string]string{key: s.value(size)}})
}

func (s *crashSession) del(keys ...string) error { return s.do(ledgerOp{deletes: keys}) }

func (s *crashSession) drop(space byte) error {
	r := spaceRange(space)
	return s.do(ledgerOp{drop: &r})
}

// close is a clean shutdown: everything answered is durable after it.
func (s *crashSession) close() error {
	n := s.led.window(false).lo
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	s.led.mu.Lock()
	s.led.sure = max(s.led.sure, n)
	s.led.mu.Unlock()
	return nil
}
