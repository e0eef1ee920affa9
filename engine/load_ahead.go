package engine

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/input"
)

const (
	// loadRounds is how many rounds a step of an import or bulk put has.
	loadRounds = 16
	// putters do the puts of a round of an import at once, each at least putsMin.
	putters = 4
	putsMin = 16
)

// round is a run of records that is read at once.
type round struct {
	// from is where its first record is.
	from input.Cursor
	segs []*segment
	// end: there are no records behind it.
	end bool
}

// roundOptions say how rounds are read.
type roundOptions struct {
	// records is the most of a round, rounds the most of a step.
	records, rounds int
	// unordered is that of loader.
	unordered bool
}

// reading is the input of a task, which is read ahead of what is put.
type reading struct {
	in *input.Input
	// ahead are rounds that are read and not put.
	ahead []*round
}

// at is where the first record is that is not put.
func (r *reading) at() input.Cursor {
	if len(r.ahead) > 0 {
		return r.ahead[0].from
	}
	return r.in.Cursor()
}

// errBucket is an error of a bucket, among those of the store.
type errBucket struct{ error }

func (e errBucket) Unwrap() error { return e.error }

// step hands rounds to put, and reads the next one meanwhile. One that could not be put is kept, with what is
// read behind it: a compressed object is not read from its beginning again for that. When it returns,
// nothing is read any more.
func (r *reading) step(ctx context.Context, read func(context.Context) (*round, error), opts *roundOptions, put func(*round) error) (end bool, err error) {
	next, enough := make(chan *round), make(chan struct{})
	var failed error // set before next is closed
	last := len(r.ahead) > 0 && r.ahead[len(r.ahead)-1].end
	left := opts.rounds - len(r.ahead)
	go func() {
		defer close(next)
		for ; left > 0 && !last; left-- {
			select {
			case <-enough:
				return
			default:
			}
			one, err := read(ctx)
			if err != nil {
				failed = errBucket{err}
				return
			}
			last = one.end
			next <- one
		}
	}()
	for err == nil && !end {
		if len(r.ahead) == 0 {
			one, more := <-next
			if !more {
				break
			}
			r.ahead = append(r.ahead, one)
		}
		if err = put(r.ahead[0]); err == nil {
			end = r.ahead[0].end
			r.ahead = r.ahead[1:]
		}
	}
	close(enough)
	for one := range next {
		r.ahead = append(r.ahead, one)
	}
	if err == nil {
		err = failed
	}
	return end, err
}

// load does a step of an import or bulk put.
func (db *core) load(ctx context.Context, run *tasks.Run, t *catalog.Table, r *reading, opts *roundOptions, put func(*round) error) (end bool, err error) {
	// A step that is cancelled waits for no store.
	defer context.AfterFunc(ctx, r.in.Interrupt)()
	end, err = r.step(ctx, func(ctx context.Context) (*round, error) { return db.readRound(ctx, t, r.in, opts) }, opts, put)
	if broken, ok := errors.AsType[errBucket](err); ok {
		r.in.Close()
		return false, db.bucketFailure(ctx, run, broken.error)
	}
	if end {
		r.in.Close()
	} else {
		db.keepInput(run.ID, r)
	}
	return end, err
}

// putAll does puts with different keys, which may be done twice, in several updates at once. It says whether any was
// of a key that was there.
func (db *core) putAll(ctx context.Context, run *tasks.Run, t *catalog.Table, writes []plan.Write) (again bool, err error) {
	n := min(putters, len(writes)/putsMin+1)
	errs, old := make([]error, n), make([]bool, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			l := db.exec.NewLoad(t, writes[len(writes)*i/n:len(writes)*(i+1)/n])
			errs[i] = run.Write(ctx, l.Named(), l.Run)
			l.End(errs[i])
			old[i] = replaced(l.Results)
		})
	}
	all.Wait()
	return slices.Contains(old, true), errors.Join(errs...)
}

// replaced says whether any write was of an item that was there.
func replaced(results []exec.Result) bool {
	return slices.ContainsFunc(results, func(r exec.Result) bool { return r.Old != nil })
}

// takeInput opens the input of a task where the step before ended. The one that the step has left is that.
func (db *core) takeInput(ctx context.Context, id string, s *inputSource, at input.Cursor) (*reading, error) {
	db.transfers.mu.Lock()
	r := db.transfers.inputs[id]
	delete(db.transfers.inputs, id)
	db.transfers.mu.Unlock()
	if r != nil {
		if reflect.DeepEqual(r.at(), at) {
			return r, nil
		}
		r.in.Close()
	}
	b, err := db.bucket(ctx, s.bucket, s.owner)
	if err != nil {
		return nil, err
	}
	// What is open outlives the step.
	in, err := input.Open(db.background.ctx, b, s.spec, at)
	if err != nil {
		return nil, err
	}
	return &reading{in: in}, nil
}

// keepInput leaves the input of a task to its next step.
func (db *core) keepInput(id string, r *reading) {
	db.transfers.mu.Lock()
	defer db.transfers.mu.Unlock()
	db.transfers.inputs[id] = r
}

// dropInput lets the input of a task go.
func (db *core) dropInput(id string) {
	db.transfers.mu.Lock()
	defer db.transfers.mu.Unlock()
	if r := db.transfers.inputs[id]; r != nil {
		r.in.Close()
	}
	delete(db.transfers.inputs, id)
	delete(db.transfers.tries, id)
	delete(db.transfers.pauses, id)
}
