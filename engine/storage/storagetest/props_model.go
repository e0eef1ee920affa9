package storagetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func modelProperties() []Property {
	return []Property{
		{"RandomAgainstModel", checkRandomAlone},
		{"RandomAgainstModelConcurrent", checkRandomCrowd},
	}
}

// player makes random operations on keys of its own and knows what they must give.
type player struct {
	*env
	rnd   *rand.Rand
	keys  [][]byte
	truth shadow
	views []heldView
}

// heldView is a snapshot that stays open and what it must show.
type heldView struct {
	snap  storage.Snapshot
	truth shadow
}

// viewsMax bounds the snapshots that one player holds.
const viewsMax = 4

func (e *env) newPlayer(id int) *player {
	p := &player{env: e, rnd: rand.New(rand.NewPCG(uint64(id), 27)), truth: shadow{}}
	for i := range 25 {
		p.keys = append(p.keys,
			keyIn(spaceTest+uint64(id), uint32(i%2), byte(p.rnd.IntN(256)), fmt.Sprint(i)))
	}
	return p
}

func (p *player) bounds() storage.Range {
	space := spaceTest + (uint64(p.keys[0][7]) - uint64(spaceTest&0xff))
	return storage.Range{Start: keyIn(space, 0, 0, "")[:8], End: keyIn(space+1, 0, 0, "")[:8]}
}

func (p *player) pick() []byte { return p.keys[p.rnd.IntN(len(p.keys))] }

// some returns up to n different keys.
func (p *player) some(n int) [][]byte {
	var out [][]byte
	for _, i := range p.rnd.Perm(len(p.keys))[:1+p.rnd.IntN(n)] {
		out = append(out, p.keys[i])
	}
	return out
}

func (p *player) play(rounds int) error {
	defer p.closeViews(0)
	for i := range rounds {
		if err := p.step(i); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return p.checkRange(p.bounds())
}

func (p *player) step(i int) error {
	switch p.rnd.IntN(8) {
	case 0, 1:
		return p.blind(i)
	case 2, 3:
		return p.readWrite(i)
	case 4:
		return p.giveUp()
	case 5:
		k := p.pick()
		v, err := p.s.Get(p.ctx, k)
		if err != nil {
			return err
		}
		return p.same(k, v, p.truth)
	case 6:
		return p.hold()
	}
	a, b := p.pick(), p.pick()
	if string(a) > string(b) {
		a, b = b, a
	}
	return p.checkRange(storage.Range{Start: a, End: b})
}

func (p *player) same(k []byte, v storage.Value, truth shadow) error {
	want, ok := truth[string(k)]
	if v.Present != ok || string(v.Data) != want {
		return fmt.Errorf("key %x is %q, want %q (present %v)", k, text(v), want, ok)
	}
	return nil
}

func (p *player) blind(i int) error {
	var b storage.Batch
	next := shadow{}
	maps.Copy(next, p.truth)
	for j, k := range p.some(5) {
		if p.rnd.IntN(3) == 0 {
			b.Delete(k)
			delete(next, string(k))
			continue
		}
		v := fmt.Sprintf("blind %d.%d", i, j)
		b.Put(k, []byte(v))
		next[string(k)] = v
	}
	p.truth = next
	return p.apply(&b)
}

func (p *player) readWrite(i int) error {
	keys := p.some(4)
	deletes := p.rnd.IntN(4) == 0
	next := shadow{}
	maps.Copy(next, p.truth)
	for _, k := range keys {
		if deletes {
			delete(next, string(k))
		} else {
			next[string(k)] = p.truth[string(k)] + fmt.Sprint("+", i)
		}
	}
	var wrong error
	err := p.update(exclusive(keys...), func(tx storage.Tx) error {
		wrong = nil
		for j, k := range keys {
			v := tx.Value(j)
			wrong = errors.Join(wrong, p.same(k, v, p.truth))
			if deletes {
				tx.Delete(k)
			} else {
				tx.Put(k, []byte(string(v.Data)+fmt.Sprint("+", i)))
			}
		}
		return nil
	})
	p.truth = next
	return errors.Join(err, wrong)
}

func (p *player) giveUp() error {
	k := p.pick()
	err := p.update(exclusive(k), func(tx storage.Tx) error {
		tx.Put(k, []byte("never"))
		return errMine
	})
	if !errors.Is(err, errMine) {
		return fmt.Errorf("fn's error became %w", err)
	}
	return nil
}

// hold opens a snapshot, looks at the oldest one again and closes what is too many.
func (p *player) hold() error {
	snap, err := p.s.Snapshot(p.ctx, storage.SnapshotOptions{})
	if err != nil {
		return err
	}
	p.views = append(p.views, heldView{snap, p.truth}) // truth is replaced, never changed
	oldest := p.views[0]
	for _, reverse := range []bool{false, true} {
		got, err := p.scan(oldest.snap, p.bounds(), storage.IterOptions{Reverse: reverse})
		if err != nil {
			return err
		}
		if want := oldest.truth.scan(p.bounds(), reverse); !slices.Equal(got, want) {
			return fmt.Errorf("held snapshot shows %q, want %q", got, want)
		}
	}
	p.closeViews(viewsMax)
	return nil
}

func (p *player) closeViews(keep int) {
	for len(p.views) > keep {
		p.views[0].snap.Close()
		p.views = p.views[1:]
	}
}

func (p *player) checkRange(r storage.Range) error {
	snap, err := p.s.Snapshot(p.ctx, storage.SnapshotOptions{})
	if err != nil {
		return err
	}
	defer snap.Close()
	reverse := p.rnd.IntN(2) == 0
	got, err := p.scan(snap, r, storage.IterOptions{Reverse: reverse})
	if err != nil {
		return err
	}
	if want := p.truth.scan(r, reverse); !slices.Equal(got, want) {
		return fmt.Errorf("range [%x, %x) shows %q, want %q", r.Start, r.End, got, want)
	}
	return nil
}

func checkRandomAlone(t testing.TB, open Open) {
	e := newEnv(t, open)
	require.NoError(t, e.newPlayer(0).play(work(400)))
}

func checkRandomCrowd(t testing.TB, open Open) {
	e := newEnv(t, open)
	require.NoError(t, crowd(6, func(w int) error { return e.newPlayer(w).play(work(150)) }))
}
