package lsm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

// shortEvery thins the crashes out where another detector slows everything down.
const shortEvery = 24

// crashStatesMin is how many states CI wants to see checked.
const crashStatesMin = 5000

// tiny makes everything happen soon: flushes after some dozen writes, a lap after a few more.
func tiny(o *Options) {
	o.MemtableBytes, o.SegmentBytes, o.LogBytes = 32<<10, 32<<10, 64<<10
}

func crashWorkloads() []crashWorkload {
	return []crashWorkload{
		{name: "single puts", run: singlePuts},
		{name: "multi-stripe batches", run: multiStripeBatches},
		{name: "overwrites through a tiny ring", tune: tiny, run: tinyRing},
		{name: "flushes and compaction", tune: tiny, run: flushesAndCompaction},
		{name: "drop range", tune: tiny, run: dropRanges},
		{name: "close and reopen", tune: tiny, run: closeAndReopen},
		{name: "spills", run: spills},
		{name: "small spills", tune: tiny, run: smallSpills},
		{name: "manifest switches", tune: switching, run: tinyRing},
		{name: "segments and manifests take turns", tune: takeTurns, run: extentsTakeTurns},
		{name: "coming to rest", tune: resting, run: comingToRest},
		{name: "coming to rest, off", tune: restingOff, run: comingToRest, every: 2},
		{name: "tables move", tune: resting, run: movesTables, every: 3},
		{name: "writers on one counter", run: writersOnOneCounter},
		{name: "short epochs", tune: shortEpochs, run: writersOnOneCounter, every: 2},
		{name: "interval", tune: interval, run: tinyRing},
		{name: "off", tune: off, run: mixed},
		{name: "mixed", tune: tiny, run: mixed, every: 2},
		{name: "logs of many sizes", tune: tiny, run: logSizes, every: 5},
	}
}

func interval(o *Options) {
	tiny(o)
	o.Sync, o.SyncInterval = SyncInterval, time.Hour
}

func off(o *Options) {
	tiny(o)
	o.Sync = SyncOff
}

// switching writes the manifest anew every few passes.
func switching(o *Options) {
	tiny(o)
	o.manifestSwitch = 8 << 10
}

// shortEpochs makes a running store take a new epoch every few writes.
func shortEpochs(o *Options) {
	tiny(o)
	o.counterMax = 24
}

func singlePuts(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	for i := range 60 {
		if err := s.put(crashKey(1, byte(i*37), i%20), 100); err != nil {
			return err
		}
		if i%7 == 6 {
			if err := s.del(crashKey(1, byte(i*37), i%20)); err != nil {
				return err
			}
		}
	}
	return s.close()
}

func multiStripeBatches(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	for i := range 40 {
		op := ledgerOp{puts: map[string]string{}}
		for k := range 12 {
			op.puts[crashKey(1, byte(k*21), (i*5+k)%30)] = s.value(150)
		}
		if i > 3 {
			op.deletes = []string{crashKey(1, byte(i%12*21), 77), crashKey(2, 9, i%4)}
		}
		if err := s.do(op); err != nil {
			return err
		}
	}
	return s.close()
}

// tinyRing writes the same few keys over several laps of the log.
func tinyRing(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	for i := range 160 {
		if err := s.put(crashKey(1, byte(i%10*25), i%10), 1500); err != nil {
			return err
		}
	}
	return s.close()
}

// flushesAndCompaction fills few stripes with many keys and deletes most of them again.
func flushesAndCompaction(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	for i := range 140 {
		op := ledgerOp{puts: map[string]string{}}
		for k := range 3 {
			op.puts[crashKey(1, byte(k), (i*7)%60)] = s.value(400)
		}
		if i%3 == 2 {
			op.deletes = []string{crashKey(1, 0, (i*5+1)%60), crashKey(1, 3, i)}
			delete(op.puts, op.deletes[0])
		}
		if err := s.do(op); err != nil {
			return err
		}
	}
	return s.close()
}

func dropRanges(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	for round := range byte(4) {
		for i := range 24 {
			if err := s.put(crashKey(10+round, byte(i*11), i), 600); err != nil {
				return err
			}
			if err := s.put(crashKey(1, byte(i*11), i), 300); err != nil {
				return err
			}
		}
		if err := s.drop(10 + round); err != nil {
			return err
		}
	}
	return s.close()
}

func closeAndReopen(s *crashSession) error {
	for round := range 6 {
		if err := s.open(); err != nil {
			return err
		}
		for i := range 12 {
			if err := s.put(crashKey(1, byte(i*19), i), 200+round*300); err != nil {
				return err
			}
		}
		if err := s.close(); err != nil {
			return err
		}
	}
	return nil
}

// spills has batches that go to the heap before the log names them.
func spills(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for i := range rounds {
		op := ledgerOp{puts: map[string]string{}}
		for k := range 5 {
			op.puts[crashKey(1, byte(k*50), (i+k)%7)] = s.value(300 << 10)
		}
		if err := s.do(op); err != nil {
			return err
		}
		for k := range 3 {
			if err := s.put(crashKey(1, byte(k), k), 100); err != nil {
				return err
			}
		}
	}
	return s.close()
}

// smallSpills spills often, because a tiny segment takes only tiny frames, and laps.
func smallSpills(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	for i := range 40 {
		op := ledgerOp{puts: map[string]string{}}
		for k := range 5 {
			op.puts[crashKey(1, byte(k*50), (i+k)%7)] = s.value(5 << 10)
		}
		if err := s.do(op); err != nil {
			return err
		}
		if err := s.put(crashKey(1, byte(i), i), 100); err != nil {
			return err
		}
	}
	return s.close()
}

// writersOnOneCounter has several updates in flight whose order a counter key tells.
func writersOnOneCounter(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	const writers, each = 6, 25
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				if errs[w] = s.count(w); errs[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, s.close())...)
}

// count raises the counter and writes where it stood into a key of the writer.
func (s *crashSession) count(writer int) error {
	counter, mine := crashKey(1, 7, 0), crashKey(1, byte(writer*40), 1+writer)
	named := []storage.Named{{Key: []byte(counter)}, {Key: []byte(mine)}}
	var at int
	err := s.db.Update(context.Background(), named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		at = 0
		if v := tx.Value(0); v.Present {
			at = int(binary.BigEndian.Uint64(v.Data))
		}
		next := binary.BigEndian.AppendUint64(nil, uint64(at+1))
		text := fmt.Sprintf("%06d by %d", at, writer)
		s.led.claim(at, ledgerOp{puts: map[string]string{counter: string(next), mine: text}})
		tx.Put([]byte(counter), next)
		tx.Put([]byte(mine), []byte(text))
		return nil
	})
	if err == nil {
		s.led.ack(at, s.durable())
	}
	return err
}

// mixed draws ops from a seed, with reopens in between.
func mixed(s *crashSession) error {
	rng := rand.New(rand.NewPCG(7, 7))
	if err := s.open(); err != nil {
		return err
	}
	for range 220 {
		var err error
		switch rng.IntN(12) {
		case 0:
			err = s.del(crashKey(1, byte(rng.IntN(3)*90), rng.IntN(12)))
		case 1, 2:
			op := ledgerOp{puts: map[string]string{}}
			for range 1 + rng.IntN(6) {
				op.puts[crashKey(1, byte(rng.IntN(4)*60), rng.IntN(12))] = s.value(rng.IntN(900))
			}
			err = s.do(op)
		case 3:
			if rng.IntN(5) == 0 {
				err = errors.Join(s.close(), s.open())
			}
		default:
			err = s.put(crashKey(1, byte(rng.IntN(4)*60), rng.IntN(12)), rng.IntN(1500))
		}
		if err != nil {
			return err
		}
	}
	return s.close()
}

// crashSeeds are several at night: a seed decides what a crash keeps, and what is encrypted.
func crashSeeds() []uint64 {
	if os.Getenv("KSTONE_NIGHT") != "" && !testing.Short() {
		return []uint64{1, 2, 3}
	}
	return []uint64{1}
}

func TestCrashAtEveryWriteAndSync(t *testing.T) {
	var total int64
	ran := 0
	for _, load := range crashWorkloads() {
		t.Run(load.name, func(t *testing.T) {
			ran++
			if testing.Short() {
				load.every = shortEvery * max(load.every, 1)
			}
			for _, seed := range crashSeeds() {
				states, err := runCrash(load, seed)
				total += states
				t.Logf("seed %d: %d states", seed, states)
				require.NoError(t, err)
			}
		})
	}
	t.Logf("%d crash states in all", total)
	if ran == len(crashWorkloads()) && !t.Failed() && !testing.Short() {
		require.GreaterOrEqual(t, total, int64(crashStatesMin))
	}
}
