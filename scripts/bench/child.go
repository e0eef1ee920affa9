package main

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// child measures the rows of one group on one engine, in a process of its own.
type child struct {
	engine string
	dir    string
	items  int
	took   time.Duration // of a row that is not bound by its work
	rows   []string
	values *values
	store  store
	// results by row and figure.
	results map[string]map[string]float64
}

func (c *child) wants(row string) bool { return slices.Contains(c.rows, row) }

func (c *child) set(row, figure string, value float64) {
	if c.results[row] == nil {
		c.results[row] = make(map[string]float64)
	}
	c.results[row][figure] = value
}

// span of time and work that is measured.
type span struct {
	c       *child
	row     string
	began   time.Time
	cpu     time.Duration
	written float64
	latency histogram
}

func (c *child) begin(row string) *span {
	return &span{c: c, row: row, written: writtenMiB(), cpu: cpu(), began: time.Now()}
}

// end sets the figures of n operations.
func (s *span) end(n int) {
	seconds, used := time.Since(s.began).Seconds(), cpu()-s.cpu
	s.c.set(s.row, rate, float64(n)/seconds)
	s.c.set(s.row, cpuPerOp, used.Seconds()*1e6/float64(n))
	if s.latency.max.Load() > 0 {
		s.c.set(s.row, p50, s.latency.quantile(.5))
		s.c.set(s.row, p99, s.latency.quantile(.99))
		s.c.set(s.row, largest, float64(s.latency.max.Load())/1e6)
	}
}

// own takes the engine's own figures over.
func (s *span) own() {
	for name, value := range s.c.store.own() {
		s.c.set(s.row, name, value)
	}
}

// worker runs op until it says that it is enough; i counts the calls of this worker.
type worker func(w, i int, r *rand.Rand) error

// untilTime runs op in parallel workers for a time, and returns how often.
func (s *span) untilTime(workers int, took time.Duration, op worker) (int, error) {
	var count atomic.Int64
	var failed atomic.Pointer[error]
	end := time.Now().Add(took)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			last := time.Now()
			i := 0
			for last.Before(end) && failed.Load() == nil {
				if err := op(w, i, r); err != nil {
					failed.Store(&err)
				}
				now := time.Now()
				s.latency.add(now.Sub(last))
				last = now
				i++
			}
			count.Add(int64(i))
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return int(count.Load()), nil
}

const (
	batchItems  = 100
	loadWorkers = 4
	// settlePoll is how often it is looked whether work is left; settlePolls in a row must say no.
	settlePoll  = 20 * time.Millisecond
	settlePolls = 3
)

// load writes n items in batches, item(i) says which comes i-th, and returns when the store has taken
// all of them.
func (s *span) load(n, workers, version int, item func(i int) int) error {
	var next atomic.Int64
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			keys, vals := make([][]byte, batchItems), make([][]byte, batchItems)
			for {
				from := int(next.Add(batchItems)) - batchItems
				if from >= n {
					return
				}
				m := min(batchItems, n-from)
				for j := range m {
					at := item(from + j)
					keys[j] = appendKey(keys[j][:0], at)
					vals[j] = s.c.values.append(vals[j][:0], at, version)
				}
				t := time.Now()
				if err := s.c.store.batch(keys[:m], vals[:m]); err != nil {
					errs[w] = err
					return
				}
				s.latency.add(time.Since(t))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// settle waits until no background work is left, and returns how long ago that was.
func (c *child) settle(idle bool) time.Duration {
	var since time.Time
	for calm := 0; calm < settlePolls; {
		if c.store.settled(idle) {
			if calm == 0 {
				since = time.Now()
			}
			calm++
		} else {
			calm = 0
		}
		time.Sleep(settlePoll)
	}
	return time.Since(since)
}

// watchPeak samples the anonymous memory until the result is called, which returns the most.
func watchPeak() func() float64 {
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		m := 0.0
		tick := time.NewTicker(settlePoll)
		defer tick.Stop()
		for {
			m = max(m, anonymousMiB())
			select {
			case <-tick.C:
			case <-stop:
				most <- m
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-most
	}
}

// zipfItems draws n items, a few of them often, scattered over all.
func zipfItems(items, n int, r *rand.Rand) []uint32 {
	const skew = 1.05
	z := rand.NewZipf(r, skew, 1, uint64(items-1))
	scatter := shuffle(items, 77)
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(scatter.at(int(z.Uint64())))
	}
	return out
}

func uniformItems(items, n int, r *rand.Rand) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(r.IntN(items))
	}
	return out
}

// touched keeps the compiler from leaving reads out.
var touched atomic.Uint64

func touch(key, value []byte) {
	if len(key) == 0 || len(value) == 0 {
		touched.Add(1)
	}
}
