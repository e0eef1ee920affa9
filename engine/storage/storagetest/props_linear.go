package storagetest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	// historyClients and historyOps bound one history: the search is exponential at worst.
	historyClients = 5
	historyOps     = 14
)

func linearProperties() []Property {
	return []Property{
		{"LinearizableRegister", func(t testing.TB, open Open) { checkHistories(t, open, 1) }},
		{"StrictlySerializable", func(t testing.TB, open Open) { checkHistories(t, open, 4) }},
	}
}

// checkHistories records short histories over few keys and has each explained.
func checkHistories(t testing.TB, open Open, keys int) {
	e := newEnv(t, open)
	for round := range work(12) {
		var all [][]byte
		for i := range keys {
			all = append(all, keyIn(spaceTest+uint64(round), 0, byte(i*61), "h"))
		}
		h := &History{}
		require.NoError(t, crowd(historyClients, func(w int) error {
			rnd := rand.New(rand.NewPCG(uint64(round), uint64(w)))
			r := &Recorder{History: h, Client: w, Store: e.s, Keys: all}
			for range historyOps {
				if err := e.recordOne(r, rnd); err != nil {
					return err
				}
			}
			return nil
		}))
		require.NoError(t, h.Check())
	}
}

func (e *env) recordOne(r *Recorder, rnd *rand.Rand) error {
	order := rnd.Perm(len(r.Keys))
	cut := 1 + rnd.IntN(len(order))
	switch rnd.IntN(8) {
	case 0, 1:
		return r.Get(e.ctx, order[0])
	case 2:
		return r.Read(e.ctx, order...)
	case 3:
		return r.Apply(e.ctx, rnd.IntN(3) == 0, order[:cut]...)
	case 4:
		return r.Update(e.ctx, order[cut:], order[:cut], true)
	}
	return r.Update(e.ctx, order[cut:], order[:cut], false)
}
