package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// modelStream is a stream with the list of all that is in it.
type modelStream struct {
	t      *testing.T
	store  storage.Store
	key    schema.Key
	stream *schema.Stream
	all    []Found // in order
}

const modelID = 1

func newModelStream(t *testing.T, slots uint32) *modelStream {
	t.Helper()
	store, err := memstore.Open(memstore.Options{Mangle: true, Late: 4, Seed: uint64(slots)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	m := &modelStream{t: t, store: store, key: tableKey()}
	m.stream = &schema.Stream{ID: modelID, Slots: slots, Key: m.key}
	for slot := range slots {
		m.stream.Shards = append(m.stream.Shards, schema.Shard{ID: fmt.Sprint("root-", slot), Slot: slot, First: 1})
	}
	return m
}

// write makes one update with so many records, of partition keys that rnd draws.
func (m *modelStream) write(rnd *rand.Rand, records, size int, ms int64) {
	m.t.Helper()
	guard := []storage.Named{{Key: []byte("guard of twenty bytes")}}
	var made []Found
	require.NoError(m.t, m.store.Update(m.t.Context(), guard, storage.UpdateOptions{}, func(tx storage.Tx) error {
		made = made[:0]
		for part := range records {
			pk := fmt.Sprint("p", rnd.IntN(50))
			it := item(m.t, attr.NewItem().S("pk", pk).S("a", "q").S("x", strings.Repeat("x", size)))
			hash := hashOf(&m.key, it)
			c := Change{New: it, At: time.UnixMilli(ms), Part: uint16(part)}
			Write(tx, Target{ID: modelID, Slots: m.stream.Slots, View: ViewNew}, &m.key, hash, &c)
			at := Position{Seq: tx.Seq(), Part: c.Part}
			made = append(made, Found{
				Record{At: at, Event: "INSERT", TimeMs: ms, Keys: it.Project([]string{"a", "pk"}), New: it},
				m.shard(hash),
			})
		}
		return nil
	}))
	m.all = append(m.all, made...)
}

// shard is the open shard of a hash.
func (m *modelStream) shard(hash uint32) *schema.Shard {
	for i := range m.stream.Shards {
		sh := &m.stream.Shards[i]
		if sh.Open() && sh.Slot == schema.SlotOf(hash, m.stream.Slots) && sh.Holds(hash) {
			return sh
		}
	}
	require.FailNow(m.t, "no shard")
	return nil
}

// split replaces each open shard of a slot by two.
func (m *modelStream) split(slot uint32) {
	mark := m.mark()
	s := m.stream.Clone()
	low := uint64(slot) << 32 / uint64(s.Slots)
	high := uint64(slot+1) << 32 / uint64(s.Slots)
	for i := range s.Shards {
		sh := &s.Shards[i]
		if !sh.Open() || sh.Slot != slot {
			continue
		}
		from, to := low, high
		if sh.Split() {
			from, to = sh.From, sh.To
		}
		sh.Last = mark
		for k, half := range []uint64{from, from + (to-from)/2} {
			child := schema.Shard{ID: fmt.Sprint(sh.ID, "-", k), Parent: sh.ID, Slot: slot, First: mark + 1, From: half, To: to}
			if k == 0 {
				child.To = from + (to-from)/2
			}
			s.Shards = append(s.Shards, child)
		}
	}
	m.stream = s
}

func (m *modelStream) mark() uint64 {
	mark, err := m.store.Watermark(m.t.Context(), 0)
	require.NoError(m.t, err)
	return uint64(mark)
}

// page reads one page.
func (m *modelStream) page(merge *Merge, last uint64, limit int) ([]Found, bool) {
	snap, err := m.store.Snapshot(m.t.Context(), storage.SnapshotOptions{})
	require.NoError(m.t, err)
	defer snap.Close()
	page, end, err := merge.Read(m.t.Context(), snap, last, limit)
	require.NoError(m.t, err)
	return page, end
}

// same compares records.
func same(t *testing.T, want, got []Found) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].At, got[i].At, "record %d", i)
		require.Equal(t, want[i].Shard.ID, got[i].Shard.ID, "record %d", i)
		require.Equal(t, want[i].Record, got[i].Record)
	}
}

// grown is a stream of several slots, of which some are split, while records of all sizes come.
func grown(t *testing.T, rnd *rand.Rand, slots uint32) *modelStream {
	m := newModelStream(t, slots)
	for i := range 150 {
		size := rnd.IntN(200)
		if rnd.IntN(20) == 0 {
			size = RecordBytesMax * (1 + rnd.IntN(7)) / 10
		}
		m.write(rnd, 1+rnd.IntN(4), size, int64(1000+i))
		if i%40 == 20 {
			m.split(rnd.Uint32N(slots))
		}
	}
	return m
}

// TestMergeReadsAllInOrder: whatever the slots, limits and places to begin, pages are the stretches of one
// list, within their bounds.
func TestMergeReadsAllInOrder(t *testing.T) {
	for _, slots := range []uint32{1, 2, 7, 64} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(slots), 1))
			m := grown(t, rnd, slots)
			mark := m.mark()
			for _, limit := range []int{1, 3, 10, 1000} {
				merge := NewMerge(m.stream, nil, Position{Seq: 1})
				merge.HearAll(storage.Seq(mark))
				rest := m.all
				for end := false; !end; {
					var page []Found
					page, end = m.page(merge, mark, limit)
					require.LessOrEqual(t, len(page), limit)
					bytes := 0
					for i := range page {
						bytes += page[i].Size()
					}
					if len(page) > 1 {
						require.LessOrEqual(t, bytes, RecordBytesMax)
					}
					if n := len(page); !end {
						require.NotZero(t, n)
						require.True(t, n == limit || bytes+rest[n].Size() > RecordBytesMax, "the page is not full")
						require.Equal(t, rest[n].At, merge.Next())
					}
					same(t, rest[:len(page)], page)
					rest = rest[len(page):]
				}
				require.Empty(t, rest)
				require.Equal(t, Position{Seq: storage.Seq(mark + 1)}, merge.Next())
				require.False(t, merge.Pending(math.MaxUint64))
			}
		})
	}
}

// TestMergeBeginsAnywhere: at each record, and between them.
func TestMergeBeginsAnywhere(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	m := grown(t, rnd, 5)
	mark := m.mark()
	for i, r := range m.all {
		for from, want := range map[Position][]Found{r.At: m.all[i:], r.At.Next(): m.all[i+1:]} {
			merge := NewMerge(m.stream, nil, from)
			merge.HearAll(storage.Seq(mark))
			var got []Found
			for end := false; !end && len(got) < 30; {
				var page []Found
				page, end = m.page(merge, mark, 20)
				got = append(got, page...)
				require.Equal(t, merge.Next(), merge.Next().Prev().Next(), "a position leads back to its place")
			}
			same(t, want[:min(len(want), len(got))], got)
			require.True(t, len(got) >= 30 || len(got) == len(want))
		}
	}
}

// TestMergeOfOneShard has the records of that shard only, those of a split one too.
func TestMergeOfOneShard(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 1))
	m := grown(t, rnd, 3)
	mark := m.mark()
	seen := 0
	for i := range m.stream.Shards {
		sh := &m.stream.Shards[i]
		merge := NewMerge(m.stream, sh, First(m.stream, sh))
		merge.HearAll(storage.Seq(mark))
		var want, got []Found
		for _, r := range m.all {
			if r.Shard.ID == sh.ID {
				want = append(want, r)
			}
		}
		for end := false; !end; {
			var page []Found
			page, end = m.page(merge, merge.Last(storage.Seq(mark)), 4)
			got = append(got, page...)
		}
		same(t, want, got)
		require.Equal(t, !sh.Open(), merge.Ended())
		seen += len(got)
	}
	require.Len(t, m.all, seen)
	require.Greater(t, len(m.stream.Shards), 3)
}

// iterators counts the iterators that are made of a store's snapshots, and the most at a time.
type iterators struct {
	storage.Snapshot
	made, open, most int
}

type countedIterator struct {
	storage.Iterator
	of *iterators
}

func (s *iterators) Iter(ctx context.Context, r storage.Range, opts storage.IterOptions) (storage.Iterator, error) {
	it, err := s.Snapshot.Iter(ctx, r, opts)
	if err != nil {
		return nil, err
	}
	s.made, s.open = s.made+1, s.open+1
	s.most = max(s.most, s.open)
	return &countedIterator{it, s}, nil
}

func (it *countedIterator) Close() { it.of.open--; it.Iterator.Close() }

// TestMergeLooksWhereItMust: of a thousand slots only those that were noted are looked at, one at a time;
// and once the first page of a long stream is read, only those whose turn it is.
func TestMergeLooksWhereItMust(t *testing.T) {
	const slots, limit = 1024, 10
	m := newModelStream(t, slots)
	rnd := rand.New(rand.NewPCG(5, 1))
	for i := range 60 {
		m.write(rnd, 3, 10, int64(i))
	}
	mark := m.mark()
	read := func(merge *Merge) (page []Found, s *iterators, end bool) {
		snap, err := m.store.Snapshot(t.Context(), storage.SnapshotOptions{})
		require.NoError(t, err)
		defer snap.Close()
		s = &iterators{Snapshot: snap}
		page, end, err = merge.Read(t.Context(), s, mark, limit)
		require.NoError(t, err)
		require.Zero(t, s.open)
		require.LessOrEqual(t, s.most, 1)
		return page, s, end
	}
	merge := NewMerge(m.stream, nil, Position{Seq: 1})
	merge.HearAll(storage.Seq(mark))
	_, s, _ := read(merge)
	require.Equal(t, slots, s.made, "at first nothing is known")
	_, s, _ = read(merge)
	require.LessOrEqual(t, s.made, limit+1)

	bell := new(Bell)
	merge = NewMerge(m.stream, nil, m.all[len(m.all)-1].At)
	l := merge.Listen(bell)
	defer l.Close()
	hash := hashOf(&m.key, m.all[len(m.all)-1].Keys)
	bell.Note(schema.SlotOf(hash, slots), m.all[len(m.all)-1].At.Seq)
	merge.Hear(l, storage.Seq(mark))
	page, s, end := read(merge)
	require.True(t, end)
	require.Equal(t, 1, s.made)
	same(t, m.all[len(m.all)-1:], page)
}

// failing is a snapshot that is gone after some iterators were made.
type failing struct {
	storage.Snapshot
	left int
}

func (f *failing) Iter(ctx context.Context, r storage.Range, opts storage.IterOptions) (storage.Iterator, error) {
	if f.left--; f.left < 0 {
		return nil, errGone
	}
	return f.Snapshot.Iter(ctx, r, opts)
}

var errGone = errors.New("the snapshot is gone")

// TestMergeReadsAgain: a page that failed at any slot is read again with all its records.
func TestMergeReadsAgain(t *testing.T) {
	const slots = 4
	m := newModelStream(t, slots)
	rnd := rand.New(rand.NewPCG(8, 1))
	for i := range 20 {
		m.write(rnd, 3, 10, int64(i))
	}
	mark := m.mark()
	merge := NewMerge(m.stream, nil, Position{Seq: 1})
	merge.HearAll(storage.Seq(mark))
	snap, err := m.store.Snapshot(t.Context(), storage.SnapshotOptions{})
	require.NoError(t, err)
	defer snap.Close()
	for made := range slots {
		_, _, err = merge.Read(t.Context(), &failing{snap, made}, mark, len(m.all))
		require.ErrorIs(t, err, errGone)
		require.Equal(t, Position{Seq: 1}, merge.Next())
	}
	page, end, err := merge.Read(t.Context(), snap, mark, len(m.all))
	require.NoError(t, err)
	require.True(t, end)
	same(t, m.all, page)
}

// TestHearStaysBelowTheWatermark: of an update that is not over nothing is known about those before it, so
// a merge that has read everything goes on no further than the watermark.
func TestHearStaysBelowTheWatermark(t *testing.T) {
	m := newModelStream(t, 2)
	merge := NewMerge(m.stream, nil, Position{Seq: 11})
	bell := new(Bell)
	l := merge.Listen(bell)
	defer l.Close()
	merge.Hear(l, 10)
	bell.Note(1, 17)
	merge.Hear(l, 14)
	require.Equal(t, Position{Seq: 15}, merge.Next(), "16 may be noted later")
	merge.Hear(l, 14)
	require.Equal(t, Position{Seq: 15}, merge.Next())
}

// TestSince: the first record that is not older, though times go up and down.
func TestSince(t *testing.T) {
	for _, slots := range []uint32{1, 4} {
		m := newModelStream(t, slots)
		rnd := rand.New(rand.NewPCG(6, uint64(slots)))
		const start, span = int64(10_000_000), int64(600_000)
		for i := range int64(300) {
			m.write(rnd, 1+rnd.IntN(2), 5, start+i*span/300-rnd.Int64N(SinceSlackMs))
			if i == 150 {
				m.split(0)
			}
		}
		shards := []*schema.Shard{nil}
		for i := range m.stream.Shards {
			shards = append(shards, &m.stream.Shards[i])
		}
		for _, sh := range shards {
			times := []int64{math.MinInt64, math.MinInt64 + SinceSlackMs, -1, 0, math.MaxInt64}
			for ms := start - SinceSlackMs - 1000; ms < start+span+1000; ms += 7919 {
				times = append(times, ms)
			}
			for _, ms := range times {
				at, err := Since(t.Context(), m.store, m.stream, sh, ms)
				require.NoError(t, err)
				i := slices.IndexFunc(m.all, func(r Found) bool {
					return r.TimeMs >= ms && (sh == nil || sh.ID == r.Shard.ID)
				})
				want := Position{Seq: storage.Seq(m.mark() + 1)}
				if i >= 0 {
					want = m.all[i].At
				} else if sh != nil && !sh.Open() {
					want = Position{Seq: storage.Seq(sh.Last + 1)}
				}
				require.Equal(t, want, at, "at %d", ms)
			}
		}
	}
}
