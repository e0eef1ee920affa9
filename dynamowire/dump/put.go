package dump

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
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
	ctx     context.Context //nolint:containedctx // of one Load
	cancel  context.CancelFunc
	svc     api.Service
	bad     func(line int64, err error) error
	lanes   [putWorkers]chan numbered
	seed    maphash.Seed
	done    sync.WaitGroup // the lanes
	pending sync.WaitGroup // the items in them
	items   atomic.Int64
	last    atomic.Int64 // line that was written
	end     atomic.Int64 // the first bad line; what is behind it is not written

	mu  sync.Mutex
	err error // the first, by the lines
}

// numbered is an item and where it stood.
type numbered struct {
	table *table
	item  attr.Item
	line  int64
}

func newPutter(ctx context.Context, svc api.Service, bad func(int64, error) error) *putter {
	p := &putter{svc: svc, bad: bad, seed: maphash.MakeSeed()}
	p.end.Store(math.MaxInt64)
	p.ctx, p.cancel = context.WithCancel(ctx)
	for i := range p.lanes {
		lane := make(chan numbered, 2*batchItemsMax)
		p.lanes[i] = lane
		p.done.Go(func() { p.work(lane) })
	}
	return p
}

func (p *putter) count() int64 { return p.items.Load() }

// put hands an item to the lane of its key. One that the service may refuse is written between those before
// it and those behind it.
func (p *putter) put(t *table, it attr.Item, line int64) error {
	if !t.mayRefuse(it) {
		return p.queue(numbered{t, it, line})
	}
	p.pending.Wait()
	if err := p.failure(); err != nil {
		return err
	}
	if err := p.queue(numbered{t, it, line}); err != nil {
		return err
	}
	p.pending.Wait()
	return p.failure()
}

func (p *putter) queue(n numbered) error {
	if n.line > p.end.Load() {
		return p.failure()
	}
	p.pending.Add(1)
	select {
	case p.lanes[maphash.String(p.seed, n.table.keyOf(n.item))%putWorkers] <- n:
		return nil
	case <-p.ctx.Done():
		p.pending.Done()
		return p.failure()
	}
}

// failure is what has ended the load.
func (p *putter) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return p.ctx.Err()
	}
	return p.err
}

// fail notes an error: of those of lines the first line's, and before those any other.
func (p *putter) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := errors.AsType[*LineError](err)
	if !ok {
		p.cancel()
	}
	old, was := errors.AsType[*LineError](p.err)
	if p.err == nil || was && (!ok || at.Line < old.Line) {
		p.err = err
	}
	if ok && at.Line < p.end.Load() {
		p.end.Store(at.Line)
	}
}

// wait ends the work. It returns the first error, of which err is that of reading.
func (p *putter) wait(err error) error {
	for _, lane := range p.lanes {
		close(lane)
	}
	p.done.Wait()
	if err != nil {
		p.fail(err)
	}
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := errors.AsType[*LineError](p.err); ok && p.last.Load() > at.Line {
		at.Behind = p.last.Load()
	}
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
		if p.ctx.Err() == nil { // else empty the lane
			if err := p.write(p.before(batch)); err != nil {
				p.fail(err)
			}
		}
		p.pending.Add(-len(batch))
	}
}

// before leaves out what is behind the first bad line.
func (p *putter) before(batch []numbered) []numbered {
	end := p.end.Load()
	for i := range batch {
		if batch[i].line > end {
			return batch[:i]
		}
	}
	return batch
}

// written counts lines.
func (p *putter) written(lines ...numbered) {
	p.items.Add(int64(len(lines)))
	for _, n := range lines {
		for last := p.last.Load(); n.line > last && !p.last.CompareAndSwap(last, n.line); {
			last = p.last.Load()
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
			p.written(n)
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
	p.written(batch...)
	return nil
}

// What is far from the limits of keys and items is not refused because of them; nobody knows of limits of
// another service.
const (
	keySafeBytes  = 1 << 10
	itemSafeBytes = 390 << 10
)

// mayRefuse says whether the service may refuse an item. It has the last word, and the words.
func (t *table) mayRefuse(it attr.Item) bool {
	for _, name := range t.keys {
		if !it.Has(name) {
			return true
		}
	}
	for i := range t.typed {
		v := it.Get(t.typed[i].AttributeName.Value)
		if v == nil {
			continue
		}
		if n := len(v.Payload()); v.Type().String() != t.typed[i].AttributeType.Value || n == 0 || n > keySafeBytes {
			return true
		}
	}
	return !it.Within(itemSafeBytes)
}
