package dump

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const (
	// putWorkers write batches at once: durable writes share their syncs.
	putWorkers = 8
	// batchItemsMax is the service's limit of a batch, batchBytesMax what is sent of large items at once.
	batchItemsMax = 25
	batchBytesMax = 4 << 20
)

// putter writes items, those with equal keys in the order of their lines.
type putter struct {
	ctx    context.Context //nolint:containedctx // of one Load
	cancel context.CancelFunc
	svc    api.Service
	bad    func(line int64, err error) error
	lanes  [putWorkers]chan numbered
	seed   maphash.Seed
	done   sync.WaitGroup
	items  atomic.Int64

	mu  sync.Mutex
	err error // the first
}

// numbered is an item and where it stood.
type numbered struct {
	table *table
	item  attr.Item
	line  int64
}

func newPutter(ctx context.Context, svc api.Service, bad func(int64, error) error) *putter {
	p := &putter{svc: svc, bad: bad, seed: maphash.MakeSeed()}
	p.ctx, p.cancel = context.WithCancel(ctx)
	for i := range p.lanes {
		lane := make(chan numbered, 2*batchItemsMax)
		p.lanes[i] = lane
		p.done.Go(func() { p.work(lane) })
	}
	return p
}

func (p *putter) count() int64 { return p.items.Load() }

// put hands an item to the lane of its key.
func (p *putter) put(t *table, it attr.Item, line int64) error {
	lane := p.lanes[maphash.String(p.seed, t.keyOf(it))%putWorkers]
	select {
	case lane <- numbered{t, it, line}:
		return nil
	case <-p.ctx.Done():
		return p.failure()
	}
}

func (p *putter) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return p.ctx.Err()
	}
	return p.err
}

// wait ends the work and returns its first error.
func (p *putter) wait() error {
	for _, lane := range p.lanes {
		close(lane)
	}
	p.done.Wait()
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *putter) work(lane chan numbered) {
	var batch []numbered
	for n := range lane {
		batch = append(batch[:0], n)
		size := len(n.item)
	more:
		for len(batch) < batchItemsMax && size < batchBytesMax {
			select {
			case n, ok := <-lane:
				if !ok {
					break more
				}
				batch = append(batch, n)
				size += len(n.item)
			default:
				break more
			}
		}
		if p.ctx.Err() != nil {
			continue // empty the lane
		}
		if err := p.write(batch); err != nil {
			p.mu.Lock()
			if p.err == nil {
				p.err = err
			}
			p.mu.Unlock()
			p.cancel()
		}
	}
}

// write writes a batch; what cannot be written together one by one, so that the fault has a line.
func (p *putter) write(batch []numbered) error {
	if len(batch) > 1 && !p.repeats(batch) {
		err := p.writeTogether(batch)
		if err == nil || !isOfRequest(err) {
			return err
		}
	}
	for _, n := range batch {
		_, err := p.svc.PutItem(p.ctx, &api.PutItemInput{TableName: api.Some(n.table.name), Item: n.item})
		if err != nil && isOfRequest(err) {
			err = p.told(n.line, err)
		} else if err == nil {
			p.items.Add(1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// told reports a line, one at a time.
func (p *putter) told(line int64, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bad(line, messageOf(err))
}

// repeats says whether two items have one key: a batch may not have them.
func (p *putter) repeats(batch []numbered) bool {
	seen := make(map[string]bool, len(batch))
	for _, n := range batch {
		key := n.table.name + "\x00" + n.table.keyOf(n.item)
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}

// isOfRequest says that an error is about what was asked for, and comes again.
func isOfRequest(err error) bool {
	_, ok := errors.AsType[*api.Error](err)
	return ok && api.CodeOf(err) == api.Validation
}

func (p *putter) writeTogether(batch []numbered) error {
	var requests []api.BatchWriteItemRequestMapEntry
	for _, n := range batch {
		last := len(requests) - 1
		if last < 0 || requests[last].Key != n.table.name { // a dump goes table by table
			requests = append(requests, api.BatchWriteItemRequestMapEntry{Key: n.table.name})
			last++
		}
		requests[last].Value = append(requests[last].Value, api.WriteRequest{PutRequest: &api.PutRequest{Item: n.item}})
	}
	for len(requests) > 0 {
		out, err := p.svc.BatchWriteItem(p.ctx, &api.BatchWriteItemInput{RequestItems: requests})
		if err != nil {
			return err
		}
		requests = out.UnprocessedItems
	}
	p.items.Add(int64(len(batch)))
	return nil
}
