package build

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Limits of batches: the first two are the service's.
const (
	batchGetMax   = 100
	batchWriteMax = 25
	// batchTriesMax is how often in a row a request is made of which nothing is processed.
	batchTriesMax = 10
	// The waits between them double from the first to the last.
	batchWaitFirst = 50 * time.Millisecond
	batchWaitLast  = 5 * time.Second
)

// UnprocessedError is what is left of a batch when the service went on to process nothing of a request.
type UnprocessedError struct {
	Writes []api.BatchWriteItemRequestMapEntry // of a BatchWrite
	Keys   []api.BatchGetRequestMapEntry       // of a BatchGet
}

// Error says how much is left.
func (e *UnprocessedError) Error() string {
	n := 0
	for _, w := range e.Writes {
		n += len(w.Value)
	}
	for _, k := range e.Keys {
		n += len(k.Value.Keys)
	}
	return fmt.Sprintf("build: %d requests of a batch are not processed after %d tries", n, batchTriesMax)
}

// batchEntry is one write or key of a batch.
type batchEntry struct {
	table *Table
	key   key
	put   attr.Item // nil: a key
}

// sealed is an entry as it is sent, with what tells its key from others.
type sealed struct {
	table string
	put   attr.Item
	key   attr.Item
	id    string
}

// seal finds out the names of key attributes.
func (b *batchEntry) seal(ctx context.Context) (sealed, error) {
	if b.put == nil {
		it, err := b.key.item(ctx, b.table)
		return sealedKey(b.table.name, it), err
	}
	s, err := b.table.client.schemaOf(ctx, b.table.name)
	if err != nil {
		return sealed{}, err
	}
	names := slices.Sorted(slices.Values(slices.Concat(s.key.partition, s.key.sort)))
	out := sealedKey(b.table.name, b.put.Project(names))
	out.put, out.key = b.put, nil
	return out, nil
}

func sealedKey(table string, key attr.Item) sealed {
	return sealed{table: table, key: key, id: table + "\x00" + string(key)}
}

func sealAll(ctx context.Context, entries []batchEntry) ([]sealed, error) {
	all := make([]sealed, len(entries))
	for i := range entries {
		var err error
		if all[i], err = entries[i].seal(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// chunk is the number of entries at the head of a queue that fit into one request: the service refuses
// a key that comes twice in it.
func chunk(queue []sealed, most int) int {
	seen := make(map[string]bool, most)
	for i, s := range queue {
		if i == most || seen[s.id] {
			return i
		}
		seen[s.id] = true
	}
	return len(queue)
}

// drain sends a queue in requests of at most that many entries; send returns those that were not
// processed. It returns what is left when there are too many tries in a row without progress.
func (c *Client) drain(ctx context.Context, queue []sealed, most int,
	send func(part []sealed) (left []sealed, err error),
) (left []sealed, err error) {
	wait := batchWaitFirst
	for tries := 0; len(queue) > 0; {
		n := chunk(queue, most)
		left, err := send(queue[:n])
		switch {
		case throttled(err):
			left = queue[:n]
		case err != nil:
			for _, s := range queue[:n] {
				err = c.Table(s.table).checked(err)
			}
			return nil, err
		}
		if len(left) < n {
			tries, wait = 0, batchWaitFirst
		} else if tries++; tries == batchTriesMax {
			return queue, err
		}
		// What is left goes first, so that writes of one key stay in their order.
		queue = append(slices.Clone(left), queue[n:]...)
		if len(left) > 0 {
			if err := c.wait(ctx, wait); err != nil {
				return nil, err
			}
			wait = min(2*wait, batchWaitLast)
		}
	}
	return nil, nil
}

// throttled says whether an error means that nothing was done as too much was asked for.
func throttled(err error) bool {
	switch api.CodeOf(err) {
	case api.ProvisionedThroughputExceeded, api.RequestLimitExceeded, api.Throttling:
		return true
	}
	return false
}

// BatchWrite writes and removes any number of items of any tables, each on its own.
type BatchWrite struct {
	client  *Client
	entries []batchEntry
	err     error
}

// BatchWrite begins a batch. It is sent in requests of 25; what a request leaves unprocessed is sent
// again after a pause.
func (c *Client) BatchWrite() *BatchWrite { return &BatchWrite{client: c} }

// Put writes an item, as Table.Put does.
func (b *BatchWrite) Put(table string, item any) *BatchWrite {
	it, err := toItem(item)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.entries = append(b.entries, batchEntry{table: b.client.Table(table), put: it})
	return b
}

// Delete removes the item with that key.
func (b *BatchWrite) Delete(table string, pk any, sk ...any) *BatchWrite {
	k, err := keyOf(pk, sk)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.entries = append(b.entries, batchEntry{table: b.client.Table(table), key: k})
	return b
}

// Run does all writes, those of one key in their order. After an error some of them may be done. When the
// service goes on to process nothing, the error is its own or an *UnprocessedError.
func (b *BatchWrite) Run(ctx context.Context) error {
	if b.err != nil {
		return b.err
	}
	queue, err := sealAll(ctx, b.entries)
	if err != nil {
		return err
	}
	left, err := b.client.drain(ctx, queue, batchWriteMax, func(part []sealed) ([]sealed, error) {
		out, err := b.client.service.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: writeRequests(part)})
		if err != nil {
			return nil, err
		}
		return b.unprocessed(ctx, out.UnprocessedItems)
	})
	if err == nil && len(left) > 0 {
		err = &UnprocessedError{Writes: writeRequests(left)}
	}
	return err
}

// byTable divides entries by table, in the order that requests have them in.
func byTable(part []sealed) (tables []string, entries map[string][]sealed) {
	entries = map[string][]sealed{}
	for _, s := range part {
		entries[s.table] = append(entries[s.table], s)
	}
	return slices.Sorted(maps.Keys(entries)), entries
}

func writeRequests(part []sealed) []api.BatchWriteItemRequestMapEntry {
	tables, entries := byTable(part)
	requests := make([]api.BatchWriteItemRequestMapEntry, len(tables))
	for i, table := range tables {
		requests[i].Key = table
		for _, s := range entries[table] {
			w := api.WriteRequest{}
			if s.put != nil {
				w.PutRequest = &api.PutRequest{Item: s.put}
			} else {
				w.DeleteRequest = &api.DeleteRequest{Key: s.key}
			}
			requests[i].Value = append(requests[i].Value, w)
		}
	}
	return requests
}

// unprocessed are the writes that an answer names.
func (b *BatchWrite) unprocessed(ctx context.Context, answer []api.BatchWriteItemRequestMapEntry) ([]sealed, error) {
	var entries []batchEntry
	for _, t := range answer {
		table := b.client.Table(t.Key)
		for _, w := range t.Value {
			e := batchEntry{table: table}
			if w.PutRequest != nil {
				e.put = w.PutRequest.Item
			} else if w.DeleteRequest != nil {
				e.key.whole = w.DeleteRequest.Key
			}
			entries = append(entries, e)
		}
	}
	return sealAll(ctx, entries)
}

// BatchGet reads any number of items of any tables.
type BatchGet struct {
	client     *Client
	entries    []batchEntry
	consistent bool
	paths      map[string][]string // by table
	err        error
}

// BatchGet begins a batch. It is sent in requests of 100; what a request leaves unprocessed is asked for
// again, after a pause if it got nothing at all.
func (c *Client) BatchGet() *BatchGet { return &BatchGet{client: c, paths: map[string][]string{}} }

// Get reads the item with that key.
func (b *BatchGet) Get(table string, pk any, sk ...any) *BatchGet {
	k, err := keyOf(pk, sk)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.entries = append(b.entries, batchEntry{table: b.client.Table(table), key: k})
	return b
}

// Consistent reads what was written last.
func (b *BatchGet) Consistent() *BatchGet {
	b.consistent = true
	return b
}

// Project reads only what is at the paths of the items of a table; paths are written as for Attr.
func (b *BatchGet) Project(table string, paths ...string) *BatchGet {
	b.paths[table] = append(b.paths[table], paths...)
	return b
}

// TableItem is an item of a table.
type TableItem struct {
	Table string
	Item  attr.Item
}

// errStop ends a batch whose caller wants no more items.
var errStop = errors.New("build: enough")

// Items goes through the items that there are, in no order. The first error ends it. Items are the
// caller's to keep.
func (b *BatchGet) Items(ctx context.Context) iter.Seq2[TableItem, error] {
	return func(yield func(TableItem, error) bool) {
		if err := b.run(ctx, func(it TableItem) bool { return yield(it, nil) }); err != nil {
			yield(TableItem{}, err)
		}
	}
}

// All returns the items that there are, by table and in no order.
func (b *BatchGet) All(ctx context.Context) (map[string][]attr.Item, error) {
	all := map[string][]attr.Item{}
	err := b.run(ctx, func(it TableItem) bool {
		all[it.Table] = append(all[it.Table], it.Item)
		return true
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (b *BatchGet) run(ctx context.Context, found func(TableItem) bool) error {
	if b.err != nil {
		return b.err
	}
	queue, err := sealAll(ctx, b.entries)
	if err != nil {
		return err
	}
	left, err := b.client.drain(ctx, queue, batchGetMax, func(part []sealed) ([]sealed, error) {
		requests, err := b.requests(part)
		if err != nil {
			return nil, err
		}
		out, err := b.client.service.BatchGetItem(ctx, &api.BatchGetItemInput{RequestItems: requests})
		if err != nil {
			return nil, err
		}
		for _, table := range out.Responses {
			for _, it := range table.Value {
				if !found(TableItem{table.Key, it}) {
					return nil, errStop
				}
			}
		}
		return unprocessedKeys(out.UnprocessedKeys), nil
	})
	switch {
	case errors.Is(err, errStop):
		return nil
	case err == nil && len(left) > 0:
		keys, _ := b.requests(left)
		return &UnprocessedError{Keys: keys}
	}
	return err
}

func (b *BatchGet) requests(part []sealed) ([]api.BatchGetRequestMapEntry, error) {
	tables, entries := byTable(part)
	requests := make([]api.BatchGetRequestMapEntry, len(tables))
	for i, table := range tables {
		r := &requests[i]
		r.Key = table
		for _, s := range entries[table] {
			r.Value.Keys = append(r.Value.Keys, s.key)
		}
		if b.consistent {
			r.Value.ConsistentRead = api.Some(true)
		}
		var e expression
		var err error
		r.Value.ProjectionExpression = e.projection(b.paths[table])
		if r.Value.ExpressionAttributeNames, _, err = e.placeholders(); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// unprocessedKeys are the keys that an answer names.
func unprocessedKeys(answer []api.BatchGetRequestMapEntry) []sealed {
	var left []sealed
	for _, t := range answer {
		for _, k := range t.Value.Keys {
			left = append(left, sealedKey(t.Key, k))
		}
	}
	return left
}
