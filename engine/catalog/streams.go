package catalog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// ErrNoStream: no stream of that path.
var ErrNoStream = errors.New("catalog: no such stream")

// NextStream is the row that holds the next stream id, eight bytes big-endian.
const NextStream = "next-stream"

// StreamInfix stands between table and label in the path of a stream, as in its ARN.
const StreamInfix = "/stream/"

// StreamPath is what the ARN of a stream holds behind the tables' prefix.
func StreamPath(table, label string) string { return table + StreamInfix + label }

// labelForm is the time of enabling, in UTC without a zone (wire-facts §7.1).
const labelForm = "2006-01-02T15:04:05.000"

func streamRow(id uint64) []byte {
	return key.AppendCatalog(nil, key.SubStream, string(binary.BigEndian.AppendUint64(nil, id)))
}

// storeStream writes the row of a stream, which the update must name, and returns it.
func storeStream(tx storage.Tx, s *schema.Stream) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("catalog: stream of %s: %w", s.Table, err)
	}
	tx.Put(streamRow(s.ID), b)
	return b, nil
}

// DecodeStream reads the row of a stream. What does not parse wraps storage.ErrCorrupt.
func DecodeStream(b []byte) (*schema.Stream, error) {
	s := new(schema.Stream)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("catalog: stream record: %w: %w", storage.ErrCorrupt, err)
	}
	return s, nil
}

// streamEntry is a stream in the cache, with the row that says so.
type streamEntry struct {
	*schema.Stream
	row []byte
}

// openStreams reads the rows of all streams.
func (c *Catalog) openStreams(ctx context.Context, snap storage.Snapshot) error {
	streams := make(map[string]streamEntry)
	it, err := snap.Iter(ctx, storage.Range(key.CatalogRange(key.SubStream)), storage.IterOptions{})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		s, err := DecodeStream(it.Value())
		if err != nil {
			return err
		}
		streams[PathOf(s)] = streamEntry{s, bytes.Clone(it.Value())}
	}
	c.streams.Store(&streams)
	return it.Err()
}

// Stream returns the stream of a path as of now: immutable, shared, never to be changed. It is nil
// when there is none.
func (c *Catalog) Stream(path string) *schema.Stream { return (*c.streams.Load())[path].Stream }

// StreamIn returns the stream of a path as a snapshot has it. A reader of records needs that: a change
// of the shards is in its snapshot a moment before it is in the cache.
func (c *Catalog) StreamIn(ctx context.Context, snap storage.Snapshot, path string) (*schema.Stream, error) {
	cached, ok := (*c.streams.Load())[path]
	if !ok {
		return nil, ErrNoStream
	}
	v, err := snap.Get(ctx, streamRow(cached.ID))
	switch {
	case err != nil:
		return nil, err
	case !v.Present:
		return nil, ErrNoStream
	case bytes.Equal(v.Data, cached.row):
		return cached.Stream, nil
	}
	return DecodeStream(v.Data)
}

// Streams returns all streams, those of tables that are gone included, by table and label.
func (c *Catalog) Streams() []*schema.Stream {
	streams := *c.streams.Load()
	list := make([]*schema.Stream, 0, len(streams))
	for _, s := range streams {
		if !s.Feed {
			list = append(list, s.Stream)
		}
	}
	slices.SortFunc(list, func(a, b *schema.Stream) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Label, b.Label))
	})
	return list
}

// putStream places a stream in the cache.
func (c *Catalog) putStream(s *schema.Stream, row []byte) {
	next := c.streamsWithout(PathOf(s))
	next[PathOf(s)] = streamEntry{s, row}
	c.streams.Store(&next)
}

func (c *Catalog) streamsWithout(path string) map[string]streamEntry {
	old := *c.streams.Load()
	next := make(map[string]streamEntry, len(old)+1)
	for p, s := range old {
		if p != path {
			next[p] = s
		}
	}
	return next
}

// newStream gives the record's stream its id and label, and returns what is to be stored of it; nil
// for a table without one. The label is the time of enabling, a little later where that is taken.
func (c *Catalog) newStream(ctx context.Context, r *Record) (*schema.Stream, error) {
	if !r.Streams() {
		return nil, nil
	}
	id, err := c.takeStreamID(ctx)
	if err != nil {
		return nil, err
	}
	now := c.opts.Clock()
	at := now
	for c.Stream(StreamPath(r.Table.Name, at.UTC().Format(labelForm))) != nil {
		at = at.Add(time.Millisecond)
	}
	r.Stream.ID, r.Stream.Label = id, at.UTC().Format(labelForm)
	r.Stream.Slots = max(c.opts.StreamShards, 1)
	return &schema.Stream{
		ID: id, Table: r.Table.Name, Label: r.Stream.Label, View: r.Stream.ViewType, Key: r.Table.Key,
		Slots: r.Stream.Slots, CreatedMs: now.UnixMilli(),
	}, nil
}

func (c *Catalog) takeStreamID(ctx context.Context) (id uint64, err error) {
	row := key.AppendCatalog(nil, key.SubMeta, NextStream)
	named := []storage.Named{{Key: row}}
	err = c.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		var err error
		if id, err = nextID(tx.Value(0)); err != nil {
			return fmt.Errorf("catalog: next stream id: %w", err)
		}
		tx.Put(row, binary.BigEndian.AppendUint64(nil, id+1))
		return nil
	})
	return id, err
}

// firstShards are those with which a stream begins.
func firstShards(s *schema.Stream, seq uint64) []schema.Shard {
	shards := make([]schema.Shard, s.Slots)
	for i := range shards {
		shards[i] = newShard(s, schema.Shard{Slot: uint32(i), First: seq, CreatedMs: s.CreatedMs})
	}
	return shards
}

// newShard gives a shard its id. It has the form of the service's, and differs from those of all other
// shards of the stream, since none begins with the same hashes and the same Seq.
func newShard(s *schema.Stream, sh schema.Shard) schema.Shard {
	var b []byte
	for _, n := range []uint64{s.ID, uint64(sh.Slot), sh.First, sh.From} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sh.ID = fmt.Sprintf("shardId-%020d-%08x", sh.CreatedMs, crc32.ChecksumIEEE(b))
	return sh
}

// Fence is a row that says who may do some work. Every update of the work names it and fails once
// somebody else has taken over.
type Fence interface {
	Named() storage.Named
	Check(storage.Value) error
}

// Hold returns the fence of a change, or says that the change is not for this process to make.
type Hold func(context.Context) (Fence, error)

// Anyone makes a change without a fence: one that somebody asked for.
func Anyone(context.Context) (Fence, error) { return nil, nil }

// storeBoth writes the record of a table, unless that is nil, and a stream in one update, behind a
// fence unless that is nil. set changes the stream given the update's Seq; it may run several times
// and gets a fresh copy each time. It is given what is stored, not what is cached: an earlier change
// whose outcome was uncertain may have been applied, and shards that readers have seen must not go
// again.
func (c *Catalog) storeBoth(ctx context.Context, f Fence, r *Record, s *schema.Stream, set func(*schema.Stream, uint64)) (*schema.Stream, error) {
	return c.storeMore(ctx, f, r, s, set, also{})
}

// also is what an update writes beside a record and a stream.
type also struct {
	named []storage.Named
	write func(storage.Tx) error
}

// storeMore is storeBoth with more in the same update.
func (c *Catalog) storeMore(
	ctx context.Context, f Fence, r *Record, s *schema.Stream, set func(*schema.Stream, uint64), more also,
) (*schema.Stream, error) {
	named := []storage.Named{{Key: streamRow(s.ID)}}
	if r != nil {
		named = append(named, storage.Named{Key: key.AppendCatalog(nil, key.SubTable, r.Table.Name)})
	}
	named = append(named, more.named...)
	if f != nil {
		named = append(named, f.Named())
	}
	var stored *schema.Stream
	var row []byte
	var seq storage.Seq
	err := c.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if f != nil {
			if err := f.Check(tx.Value(len(named) - 1)); err != nil {
				return err
			}
		}
		stored = s.Clone()
		if v := tx.Value(0); v.Present {
			var err error
			if stored, err = DecodeStream(v.Data); err != nil {
				return err
			}
		}
		seq = tx.Seq()
		set(stored, uint64(seq))
		if more.write != nil {
			if err := more.write(tx); err != nil {
				return err
			}
		}
		if r != nil {
			b, err := r.encode()
			if err != nil {
				return err
			}
			tx.Put(named[1].Key, b)
		}
		var err error
		row, err = storeStream(tx, stored)
		return err
	})
	if err == nil {
		c.putStream(stored, row)
	}
	c.bells.of(s.ID).Ring(seq)
	if err != nil {
		if r != nil {
			return nil, c.doubt(r.Table.Name, err)
		}
		return nil, err
	}
	return stored, nil
}

// enableStream begins a new stream of a table. Operations that entered the table before write no
// records, so the stream's first shards begin when the last of them has left.
func (c *Catalog) enableStream(ctx context.Context, t *Table, r *Record) (*Table, error) {
	s, err := c.newStream(ctx, r)
	if err != nil {
		return nil, err
	}
	begin := func(s *schema.Stream, seq uint64) { s.Shards = firstShards(s, seq) }
	if s, err = c.storeBoth(ctx, nil, r, s, begin); err != nil {
		return nil, err
	}
	next := c.supersede(r, t)
	_, err = c.storeBoth(ctx, nil, nil, s, begin)
	return next, err
}

// disableStream ends the stream of a table, with the Seq of the update that says so: up to there all
// changes are recorded. What operations that entered before record later is never seen.
func (c *Catalog) disableStream(ctx context.Context, t *Table, r *Record) (*Table, error) {
	s := c.Stream(StreamPath(t.Table.Name, t.Stream.Label))
	if s == nil {
		return nil, ErrNoStream
	}
	if _, err := c.storeBoth(ctx, nil, r, s, c.closeStream); err != nil {
		return nil, err
	}
	return c.supersede(r, t), nil
}

// closeStream ends a stream. Its feeds are told before it can be seen.
func (c *Catalog) closeStream(s *schema.Stream, seq uint64) {
	c.bells.of(s.ID).NoteChange(storage.Seq(seq))
	s.ClosedMs = c.opts.Clock().UnixMilli()
	for i := range s.Shards {
		if sh := &s.Shards[i]; sh.Open() {
			sh.Last, sh.ClosedMs = seq, s.ClosedMs
		}
	}
}

// endStream closes the stream of a table that is being removed, unless that is done.
func (c *Catalog) endStream(ctx context.Context, r *Record) error {
	if !r.Streams() {
		return nil
	}
	s := c.Stream(StreamPath(r.Table.Name, r.Stream.Label))
	if s == nil || s.ClosedMs != 0 {
		return nil
	}
	_, err := c.storeBoth(ctx, nil, nil, s, c.closeStream)
	return err
}

// changeStream changes a stream as it is by then.
func (c *Catalog) changeStream(ctx context.Context, path string, hold Hold, set func(*schema.Stream, uint64)) error {
	c.control.Lock()
	defer c.control.Unlock()
	s := c.Stream(path)
	if s == nil {
		return ErrNoStream
	}
	f, err := hold(ctx)
	if err != nil {
		return err
	}
	_, err = c.storeBoth(ctx, f, nil, s, set)
	return err
}

const (
	// ShardsOpenMax bounds the open shards of a stream that splitting can make.
	ShardsOpenMax = 1024
	// ShardsMax bounds those that rolling can make with the closed ones, which stay for the time of
	// retention: all are in one row, 265 bytes each at most, which must stay below
	// storage.ValueMaxBytes when they are closed.
	ShardsMax = 3800
)

// ErrShards: the stream would have more than ShardsOpenMax open shards, or ShardsMax in all.
var ErrShards = errors.New("catalog: too many shards")

// Roll says which shards are replaced, and how.
type Roll struct {
	// Split opens two children of each, not one.
	Split bool
	// BornBeforeMs spares the shards that were opened then or later; zero spares none.
	BornBeforeMs int64
	Hold         Hold
}

// RollShards closes the open shards of a stream and opens children of them.
func (c *Catalog) RollShards(ctx context.Context, path string, r Roll) error {
	now := c.opts.Clock().UnixMilli()
	if s := c.Stream(path); s != nil && !r.roll(s.Clone(), 0, now) {
		return ErrShards // without a write
	}
	var tooMany bool
	err := c.changeStream(ctx, path, r.Hold, func(s *schema.Stream, seq uint64) {
		c.bells.of(s.ID).NoteChange(storage.Seq(seq))
		tooMany = !r.roll(s, seq, now)
	})
	if err == nil && tooMany {
		return ErrShards
	}
	return err
}

// roll replaces shards, unless there would be too many.
func (r *Roll) roll(s *schema.Stream, seq uint64, now int64) bool {
	var parents []int
	var children []schema.Shard
	open := 0
	for i := range s.Shards {
		sh := &s.Shards[i]
		if !sh.Open() {
			continue
		}
		open++
		if r.BornBeforeMs == 0 || sh.CreatedMs < r.BornBeforeMs {
			parents, children = append(parents, i), append(children, childrenOf(s, sh, r.Split)...)
		}
	}
	if r.Split && open-len(parents)+len(children) > ShardsOpenMax || len(s.Shards)+len(children) > ShardsMax {
		return false
	}
	for _, i := range parents {
		s.Shards[i].Last, s.Shards[i].ClosedMs = seq, now
	}
	for _, sh := range children {
		sh.First, sh.CreatedMs = seq+1, now
		s.Shards = append(s.Shards, newShard(s, sh))
	}
	return true
}

// childrenOf returns what comes after a shard: one with the same hashes, or two with half of them each.
func childrenOf(s *schema.Stream, sh *schema.Shard, split bool) []schema.Shard {
	child := schema.Shard{Parent: sh.ID, Slot: sh.Slot, From: sh.From, To: sh.To}
	if !split {
		return []schema.Shard{child}
	}
	if !sh.Split() {
		child.From, child.To = key.SegmentBounds(uint64(sh.Slot), uint64(s.Slots))
	}
	other := child
	child.To = child.From + (child.To-child.From)/2
	other.From = child.To
	return []schema.Shard{child, other}
}

// TrimStream forgets the records of a stream up to a Seq, and the shards that were closed before a
// time with all that they hold. The row comes first: who reads meanwhile looks at it afterwards.
func (c *Catalog) TrimStream(ctx context.Context, path string, upTo uint64, closedBeforeMs int64, hold Hold) error {
	c.control.Lock()
	defer c.control.Unlock()
	old := c.Stream(path)
	if old == nil {
		return ErrNoStream
	}
	trim := func(s *schema.Stream, _ uint64) {
		s.Trimmed = max(s.Trimmed, upTo)
		s.Shards = slices.DeleteFunc(s.Shards, func(sh schema.Shard) bool {
			gone := !sh.Open() && sh.ClosedMs <= closedBeforeMs
			if gone {
				s.Trimmed = max(s.Trimmed, sh.Last)
			}
			return gone
		})
	}
	next := old.Clone()
	if trim(next, 0); next.Trimmed == old.Trimmed && len(next.Shards) == len(old.Shards) {
		return nil
	}
	f, err := hold(ctx)
	if err != nil {
		return err
	}
	s, err := c.storeBoth(ctx, f, nil, old, trim)
	if err != nil || s.Trimmed == old.Trimmed {
		return err
	}
	for slot := range s.Slots {
		// From the beginning: a crash may have come before an earlier one.
		from, _ := key.SegmentBounds(uint64(slot), uint64(s.Slots))
		head := key.AppendHead(nil, key.StreamSpace(s.ID), 0, uint32(from))
		r := storage.Range{Start: head, End: binary.BigEndian.AppendUint64(bytes.Clone(head), s.Trimmed+1)}
		if err := c.store.DropRange(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// DropStream forgets a stream that is closed. The cache forgets it first, so that nobody reads from it
// while it goes; the row last, so that a crash leaves it to be dropped again.
func (c *Catalog) DropStream(ctx context.Context, path string, hold Hold) error {
	c.control.Lock()
	defer c.control.Unlock()
	s := c.Stream(path)
	if s == nil || s.ClosedMs == 0 {
		return ErrNoStream
	}
	// Without the fence in the updates that follow: whoever drops it too does the same.
	if _, err := hold(ctx); err != nil {
		return err
	}
	return c.dropStream(ctx, s)
}

// dropStream is DropStream of a caller that holds control.
func (c *Catalog) dropStream(ctx context.Context, s *schema.Stream) error {
	next := c.streamsWithout(PathOf(s))
	c.streams.Store(&next)
	c.bells.drop(s.ID)
	if s.Feed {
		if err := c.dropCursors(ctx, s.ID); err != nil {
			return err
		}
	}
	if err := c.store.DropRange(ctx, storage.Range(key.WholeSpace(key.StreamSpace(s.ID)))); err != nil {
		return err
	}
	var batch storage.Batch
	batch.Delete(streamRow(s.ID))
	return c.store.Apply(ctx, &batch, storage.UpdateOptions{})
}

// bells are those of all streams, by id.
type bells struct {
	mu sync.Mutex
	by map[uint64]*stream.Bell // guarded by mu
}

// of returns the bell of a stream, the same each time.
func (b *bells) of(id uint64) *stream.Bell {
	b.mu.Lock()
	defer b.mu.Unlock()
	bell := b.by[id]
	if bell == nil {
		if b.by == nil {
			b.by = map[uint64]*stream.Bell{}
		}
		bell = new(stream.Bell)
		b.by[id] = bell
	}
	return bell
}

func (b *bells) drop(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.by, id)
}

// Bell returns the bell of a stream.
func (c *Catalog) Bell(s *schema.Stream) *stream.Bell { return c.bells.of(s.ID) }
