package storagetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func seqProperties() []Property {
	return []Property{
		{"SeqOfOneUpdate", checkSeqOne},
		{"WatermarkBelowUnfinished", checkWatermarkUnfinished},
		{"WatermarkPassesAbandoned", checkWatermarkAbandoned},
		{"WatermarkWaits", checkWatermarkWaits},
		{"SeqAndWatermarkConcurrent", checkSeqConcurrent},
	}
}

func checkSeqOne(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	var last storage.Seq
	for range 10 {
		var a, b storage.Seq
		require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
			a, b = tx.Seq(), tx.Seq()
			tx.Put(k, []byte("x"))
			return nil
		}))
		require.Equal(t, a, b, "the same at each call of one run")
		require.Greater(t, a, last, "grows along a named key; zero is before every Seq")
		last = a
	}
	wm, err := e.s.Watermark(e.ctx, last-1)
	require.NoError(t, err)
	require.GreaterOrEqual(t, wm, last, "all are finished")
}

func checkWatermarkUnfinished(t testing.TB, open Open) {
	e := newEnv(t, open)
	k, l := key(1, "k"), key(2, "l")
	var early, late storage.Seq
	var mark storage.Seq
	var markErr, otherErr error
	require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
		early = tx.Seq()
		// A later Seq that finishes earlier moves nothing.
		otherErr = <-start(func() error {
			return e.update(exclusive(l), func(tx storage.Tx) error {
				late = tx.Seq()
				tx.Put(l, []byte("x"))
				return nil
			})
		})
		mark, markErr = e.s.Watermark(e.ctx, 0)
		tx.Put(k, []byte("x"))
		return nil
	}))
	require.NoError(t, errors.Join(markErr, otherErr))
	require.Greater(t, late, early)
	require.Less(t, mark, early, "an unfinished Seq is above the watermark")
	mark, err := e.s.Watermark(e.ctx, late-1)
	require.NoError(t, err)
	require.GreaterOrEqual(t, mark, late)
}

// checkWatermarkAbandoned: updates that took a Seq and came to nothing do not hold it back.
func checkWatermarkAbandoned(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	var seqs []storage.Seq
	run := func(verdict error) error {
		var seq storage.Seq
		err := e.update(exclusive(k), func(tx storage.Tx) error {
			seq = tx.Seq()
			return verdict
		})
		seqs = append(seqs, seq)
		return err
	}
	require.NoError(t, run(nil))
	require.ErrorIs(t, run(errMine), errMine)
	var tooLarge storage.Seq
	err := e.update(exclusive(k), func(tx storage.Tx) error {
		tooLarge = tx.Seq()
		tx.Put(k, make([]byte, e.s.Limits().MaxValue+1))
		return nil
	})
	require.ErrorIs(t, err, storage.ErrTooLarge)
	var inPanic storage.Seq
	require.PanicsWithError(t, errMine.Error(), func() {
		_ = e.update(exclusive(k), func(tx storage.Tx) error {
			inPanic = tx.Seq()
			panic(errMine)
		})
	})
	seqs = append(seqs, tooLarge, inPanic)
	for _, seq := range seqs {
		mark, err := e.s.Watermark(e.ctx, seq-1)
		require.NoError(t, err)
		require.GreaterOrEqual(t, mark, seq)
	}
	require.IsIncreasing(t, seqs)
}

func checkWatermarkWaits(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	for i := range work(10) {
		before, err := e.s.Watermark(e.ctx, 0)
		require.NoError(t, err)
		var after storage.Seq
		waiting := start(func() (err error) {
			after, err = e.s.Watermark(e.ctx, before)
			return err
		})
		var seq storage.Seq
		require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
			seq = tx.Seq()
			tx.Put(k, decimal(i))
			return nil
		}))
		if before == 0 { // Watermark(0) answers at once
			require.NoError(t, <-waiting)
			continue
		}
		require.NoError(t, <-waiting)
		require.Greater(t, after, before)
		require.Greater(t, seq, before, "nothing at or below a watermark appears later")
	}
}

// recordKey is a stream record's key: the Seq decides its place.
func recordKey(seq storage.Seq) []byte {
	k := keyIn(spaceTest+1, 0, 9, "")
	return binary.BigEndian.AppendUint64(k[:storage.HeadBytes], uint64(seq))
}

// checkSeqConcurrent lets a reader follow a stream while updates of few hot keys write it, some of
// which give up. What the reader saw up to a watermark is all that will ever be there.
func checkSeqConcurrent(t testing.TB, open Open) {
	const writers, readers, hot = 6, 2, 3
	e := newEnv(t, open)
	rounds := work(40)
	views := make([]streamViews, readers)
	var over atomic.Bool
	var writing sync.WaitGroup
	writing.Add(writers)
	go func() { writing.Wait(); over.Store(true) }()
	require.NoError(t, crowd(writers+readers, func(w int) error {
		if w < writers {
			defer writing.Done()
			return e.writeStream(w, rounds, hot)
		}
		return views[w-writers].follow(e, &over)
	}))
	final, err := e.readStream(^storage.Seq(0))
	require.NoError(t, err)
	assert.NotEmpty(t, final)
	counters := map[string]int{}
	for _, r := range final { // in Seq order
		var hotKey string
		var n int
		_, err := fmt.Sscanf(r.value, "%s %d", &hotKey, &n)
		require.NoError(t, err)
		require.Equal(t, counters[hotKey]+1, n, "Seq order is the order along key %s", hotKey)
		counters[hotKey] = n
	}
	for _, v := range views {
		for _, view := range v {
			n := 0
			for n < len(final) && final[n].seq <= view.mark {
				n++
			}
			require.Len(t, view.records, n, "a record appeared at or below watermark %d", view.mark)
		}
	}
}

func (e *env) writeStream(w, rounds, hot int) error {
	for i := range rounds {
		k := spread("hot", (w+i)%hot)
		giveUp := (w+i)%5 == 0
		err := e.update(exclusive(k), func(tx storage.Tx) error {
			seq := tx.Seq()
			if giveUp {
				return errMine
			}
			n := number(tx.Value(0)) + 1
			tx.Put(k, decimal(n))
			tx.Put(recordKey(seq), fmt.Appendf(nil, "hot%d %d", (w+i)%hot, n))
			return nil
		})
		if giveUp != errors.Is(err, errMine) || !giveUp && err != nil {
			return fmt.Errorf("giving up %v: %w", giveUp, err)
		}
	}
	return nil
}

// record is one stream record; view what a reader saw up to a watermark.
type record struct {
	seq   storage.Seq
	value string
}

type view struct {
	mark    storage.Seq
	records []record
}

type streamViews []view

func (v *streamViews) follow(e *env, over *atomic.Bool) error {
	var last storage.Seq
	for done := false; !done; {
		done = over.Load() // one more look afterwards
		runtime.Gosched()  // or the writers come no further on one processor
		mark, err := e.s.Watermark(e.ctx, 0)
		if err != nil {
			return err
		}
		if mark < last {
			return fmt.Errorf("watermark went back from %d to %d", last, mark)
		}
		if mark == last && !done {
			continue
		}
		last = mark
		records, err := e.readStream(mark)
		if err != nil {
			return err
		}
		*v = append(*v, view{mark, records})
	}
	return nil
}

// readStream reads all records up to a Seq.
func (e *env) readStream(mark storage.Seq) ([]record, error) {
	snap, err := e.s.Snapshot(e.ctx, storage.SnapshotOptions{})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	end := keyIn(spaceTest+2, 0, 0, "")
	entries, err := e.scan(snap, storage.Range{Start: recordKey(0), End: end}, storage.IterOptions{})
	if err != nil {
		return nil, err
	}
	var out []record
	for _, p := range entries {
		seq := storage.Seq(binary.BigEndian.Uint64([]byte(p.key)[storage.HeadBytes:]))
		if seq <= mark {
			out = append(out, record{seq, p.value})
		}
	}
	return out, nil
}
