package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// unruly is a way to a replica on which calls are lost, come twice, or come when nobody waits for them any more.
type unruly struct {
	api.Replicator
	rng  *rand.Rand
	wild bool
	late []*api.ReplicateInput
}

func (u *unruly) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	if !u.wild {
		return u.Replicator.Replicate(ctx, in)
	}
	switch u.rng.IntN(8) {
	case 0:
		return nil, errAway
	case 1: // the answer is lost
		_, _ = u.Replicator.Replicate(ctx, in)
		return nil, errAway
	case 2:
		if in.Step == api.ReplicateItems {
			u.late = append(u.late, in)
			return nil, errAway
		}
	case 3:
		_, _ = u.Replicator.Replicate(ctx, in)
	}
	return u.Replicator.Replicate(ctx, in)
}

// arrive delivers one of the calls that nobody waits for.
func (u *unruly) arrive(ctx context.Context) {
	if len(u.late) == 0 {
		return
	}
	i := u.rng.IntN(len(u.late))
	_, _ = u.Replicator.Replicate(ctx, u.late[i])
	u.late = append(u.late[:i], u.late[i+1:]...)
}

// wild is a group of three regions whose ways are unruly and whose clocks differ.
type wild struct {
	*group
	rng    *rand.Rand
	clocks []*atomic.Int64
	ways   []*unruly
	marks  []bool // which have a checkpoint
	once   int
}

func newWild(t *testing.T, seed uint64) *wild {
	w := &wild{group: &group{t: t}, rng: rand.New(rand.NewPCG(seed, 11)), marks: make([]bool, 3)}
	for i := range 3 {
		clock := new(atomic.Int64)
		clock.Store(1_800_000_000_000 + int64(seed%2)*w.rng.Int64N(120_000))
		w.clocks = append(w.clocks, clock)
		db, err := engine.Open("", engine.Options{
			InMemory: true, NoBackground: true, Region: regionOf(i), Clock: func() time.Time { return time.UnixMilli(clock.Load()) },
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		w.dbs = append(w.dbs, db)
	}
	for i := range 3 {
		for j := range 3 {
			if i != j {
				way := &unruly{Replicator: w.dbs[j], rng: w.rng}
				w.ways = append(w.ways, way)
				require.NoError(t, w.dbs[i].Connect(regionOf(j), way))
			}
		}
	}
	return w
}

func (w *wild) tame(wild bool) {
	for _, way := range w.ways {
		way.wild = wild
	}
}

func (w *wild) pass(ms int64) {
	for _, clock := range w.clocks {
		clock.Add(ms)
	}
}

// step does anything that may happen.
func (w *wild) step() {
	w.t.Helper()
	i := w.rng.IntN(3)
	switch w.rng.IntN(40) {
	case 0, 1, 2, 3:
		_ = w.dbs[i].Work(w.t.Context()) // what fails is tried again
	case 4, 5:
		w.ways[w.rng.IntN(len(w.ways))].arrive(w.t.Context())
	case 6:
		w.clocks[i].Add(w.rng.Int64N(30_000))
	case 7:
		w.put(i, "tab", fmt.Sprint("id", w.rng.IntN(12)), int(w.clocks[i].Load()/1000)+w.rng.IntN(40)-20) // ends soon, or has
	case 8:
		if w.rng.IntN(3) == 0 {
			require.NoError(w.t, w.dbs[i].Checkpoint("then"))
			w.marks[i] = true
		}
	case 9:
		if w.marks[i] && w.rng.IntN(3) == 0 {
			require.NoError(w.t, w.dbs[i].Reset("then"))
		}
	case 10:
		w.pass(w.rng.Int64N(5 * time.Minute.Milliseconds()))
	case 11, 12, 13, 14: // one that is not written again
		w.once++
		w.put(i, "tab", fmt.Sprint("once", w.once), w.once)
	default:
		if w.rng.IntN(4) == 0 {
			w.pass(w.rng.Int64N(3))
		}
		w.random(w.rng, i, "tab")
	}
}

// TestReplicasConvergeOverAnything: calls that are lost, come twice and come late, clocks that differ, items that end,
// transactions, databases that are reset: when it is over, all have the same.
func TestReplicasConvergeOverAnything(t *testing.T) {
	seeds := []uint64{0, 1, 5} // which notice a replica that is not filled again, and items that are not sent on
	if os.Getenv("KSTONE_NIGHT") != "" {
		for seed := range uint64(300) {
			seeds = append(seeds, 10+seed)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWild(t, seed)
			w.indexed("tab")
			_, err := w.dbs[0].UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{
				TableName:               api.Some("tab"),
				TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: api.Some("v"), Enabled: api.Some(true)},
			})
			require.NoError(t, err)
			w.settle()
			w.tame(true)
			for range 600 {
				w.step()
			}
			w.tame(false)
			w.settle()
			for _, way := range w.ways {
				for len(way.late) > 0 {
					way.arrive(t.Context())
				}
			}
			w.pass(time.Hour.Milliseconds())
			for range 4 {
				w.settle()
			}
			w.equal("tab")
			require.NotEmpty(t, w.all(0, "tab"))
			for i := range w.dbs {
				require.Equal(t, w.index(0, "tab"), w.index(i, "tab"), "entries in region %d", i)
				require.Len(t, w.describe(i, "tab").Replicas, 2)
			}
			before := w.all(0, "tab")
			for range 8 { // until stamps are forgotten
				w.pass(4 * time.Hour.Milliseconds())
				w.settle()
			}
			stamps := w.stamps("tab")
			require.Equal(t, len(before), stamps[0], "those of deleted items are forgotten")
			require.Equal(t, stamps, []int{stamps[0], stamps[0], stamps[0]})
			w.equal("tab")
		})
	}
}
