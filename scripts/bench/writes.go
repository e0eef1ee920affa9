package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// finishLoad settles and sets the figures of a load that has just ended.
func (s *span) finishLoad(n int, most func() float64) {
	c := s.c
	c.set(s.row, rate, float64(n)/time.Since(s.began).Seconds())
	calm := c.settle(false)
	seconds := (time.Since(s.began) - calm).Seconds()
	loading := c.results[s.row][rate]
	s.end(n)
	c.set(s.row, rate, loading)
	c.set(s.row, settledRate, float64(n)/seconds)
	c.set(s.row, anonymous, anonymousMiB())
	c.set(s.row, peak, most())
	s.own()
	c.settle(true)
	c.set(s.row, written, (writtenMiB()-s.written)*(1<<20)/float64(n*itemBytes))
}

func (c *child) closeAndMeasure(row string) error {
	err := c.store.close()
	c.store = nil
	c.set(row, disk, diskMiB(c.dir))
	return err
}

func loadRandom(c *child) error {
	most, s := watchPeak(), c.begin("load-random")
	if err := s.load(c.items, loadWorkers, 0, shuffle(c.items, 1).at); err != nil {
		return err
	}
	s.finishLoad(c.items, most)
	return c.closeAndMeasure(s.row)
}

func loadSequential(c *child) error {
	parts := inKeyOrder(c.items)
	most, s := watchPeak(), c.begin("load-sequential")
	item := func(i int) int { return int(parts[i/sortKeys])*sortKeys + i%sortKeys }
	if err := s.load(c.items, 1, 0, item); err != nil {
		return err
	}
	s.finishLoad(c.items, most)
	return c.closeAndMeasure(s.row)
}

func overwrite(c *child) error {
	most, s := watchPeak(), c.begin("overwrite")
	if err := s.load(c.items, loadWorkers, 1, shuffle(c.items, 2).at); err != nil {
		return err
	}
	s.finishLoad(c.items, most)
	return c.closeAndMeasure(s.row)
}

// gigabyte is how many bytes of items the row of stalls loads.
const gigabyte = 1 << 30

func loadGigabyte(c *child) error {
	n := gigabyte / itemBytes / sortKeys * sortKeys
	most, s := watchPeak(), c.begin("load-1gb")
	if err := s.load(n, loadWorkers, 0, shuffle(n, 3).at); err != nil {
		return err
	}
	s.finishLoad(n, most)
	return c.store.close()
}

// durablePuts of single items by so many writers into an empty store.
func durablePuts(writers int) func(*child) error {
	return func(c *child) error {
		order := shuffle(c.items, 4)
		var next atomic.Int64
		keys, vals := make([][]byte, writers), make([][]byte, writers)
		s := c.begin(c.rows[0])
		n, err := s.untilTime(writers, c.took, func(w, _ int, _ *rand.Rand) error {
			i := order.at(int(next.Add(1)-1) % c.items)
			keys[w] = appendKey(keys[w][:0], i)
			vals[w] = c.values.append(vals[w][:0], i, 0)
			return c.store.put(keys[w], vals[w])
		})
		if err != nil {
			return err
		}
		s.end(n)
		s.own()
		return c.store.close()
	}
}

const (
	// besideBytes a second are loaded beside the measured writer, in batches.
	besideBytes = 16 << 20
	// besideFor is how much longer than other rows that goes: it must reach compactions.
	besideFor = 3
)

// putBesideCompaction measures one durable writer beside a steady load, the same for all engines.
func putBesideCompaction(c *child) error {
	var done atomic.Bool
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		order := shuffle(c.items, 5)
		keys, vals := make([][]byte, batchItems), make([][]byte, batchItems)
		began := time.Now()
		for i := 0; !done.Load(); i += batchItems {
			for j := range keys {
				at := order.at((i + j) % c.items)
				keys[j] = appendKey(keys[j][:0], at)
				vals[j] = c.values.append(vals[j][:0], at, 2)
			}
			if failed = c.store.batch(keys, vals); failed != nil {
				return
			}
			due := time.Duration(float64(i*itemBytes) / besideBytes * float64(time.Second))
			time.Sleep(due - time.Since(began))
		}
	})
	order := shuffle(c.items, 6)
	var key, value []byte
	s := c.begin("put-beside-compaction")
	n, err := s.untilTime(1, besideFor*c.took, func(_, i int, _ *rand.Rand) error {
		at := order.at(i % c.items)
		key = appendKey(key[:0], at)
		value = c.values.append(value[:0], at, 3)
		return c.store.put(key, value)
	})
	done.Store(true)
	wg.Wait()
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	s.end(n)
	s.own()
	return c.store.close()
}

// logMiB of items are in the log when a store is killed.
const logMiB = 43

// dieWithLog leaves a store as kill -9 does, with a log that is durable or not, as it was opened.
func dieWithLog(c *child) error {
	c.settle(true)
	s := c.begin(c.rows[0])
	order := shuffle(c.items, 7)
	item := func(i int) int { return order.at(i % c.items) }
	if err := s.load(logMiB<<20/itemBytes, loadWorkers, 4, item); err != nil {
		return err
	}
	return syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
}

func openKilled(c *child) error {
	began := time.Now()
	var err error
	if c.store, err = openStore(c.engine, c.dir, tuning(c.rows[0] != unsynced)); err != nil {
		return err
	}
	c.set(c.rows[0], openTime, time.Since(began).Seconds()*1e3)
	c.set(c.rows[0], anonymous, anonymousMiB())
	key := appendKey(nil, shuffle(c.items, 7).at(0))
	if n, err := c.store.get(key); err != nil || n < 0 {
		return errMissing
	}
	return c.store.close()
}

// openings of a cleanly closed store; the median counts.
const openings = 5

func openClean(c *child) error {
	times := make([]float64, 0, openings)
	for range openings {
		began := time.Now()
		s, err := openStore(c.engine, c.dir, tuning(false))
		if err != nil {
			return err
		}
		times = append(times, time.Since(began).Seconds()*1e3)
		if err := s.close(); err != nil {
			return err
		}
	}
	c.set("open-clean", openTime, median(times))
	return nil
}
