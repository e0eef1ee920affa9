package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// Feed is the internal change feed of a table: a stream with both images that no client sees, for consumers
// inside the database that need every change in order. It begins with its first consumer and ends with the
// last one. A record stays until all consumers have passed it.
type Feed struct {
	// ID, Label and Slots are given by the catalog when the feed begins.
	ID    uint64 `json:"id"`
	Label string `json:"label"`
	Slots uint32 `json:"slots"`
	// Consumers by name. Each has a row with its cursor (stream.Cursor).
	Consumers []Consumer `json:"consumers"`
}

// Consumer reads the feed of a table.
type Consumer struct {
	// Name begins with a word for the kind of consumer.
	Name string `json:"name"`
	// Keep: records wait for this consumer however long it takes. Without it they go when they are old.
	Keep bool `json:"keep,omitempty"`
}

// feedView is what the records of feeds hold.
const feedView = stream.ViewBoth

// feedInfix stands between table and label in the path of a feed, which is in no ARN.
const feedInfix = "/feed/"

// FeedPath is what a feed has in place of a stream's path.
func FeedPath(table, label string) string { return table + feedInfix + label }

// PathOf is the path of a stream or feed.
func PathOf(s *schema.Stream) string {
	if s.Feed {
		return FeedPath(s.Table, s.Label)
	}
	return StreamPath(s.Table, s.Label)
}

func (f *Feed) clone() *Feed {
	if f == nil {
		return nil
	}
	c := *f
	c.Consumers = slices.Clone(f.Consumers)
	return &c
}

// Consumer returns the one of that name, nil for none.
func (r *Record) Consumer(name string) *Consumer {
	if r.Feed != nil {
		for i := range r.Feed.Consumers {
			if r.Feed.Consumers[i].Name == name {
				return &r.Feed.Consumers[i]
			}
		}
	}
	return nil
}

// Follow adds a consumer to the table's feed, which begins with the first one. from is where it goes on; nil
// means that it gets what is acknowledged after the change of the record, and perhaps a little more.
func (r *Record) Follow(c Consumer, from *stream.Position) {
	if r.Feed == nil {
		r.Feed = new(Feed)
	}
	if old := r.Consumer(c.Name); old != nil {
		*old = c
	} else {
		r.Feed.Consumers = append(r.Feed.Consumers, c)
	}
	if r.joining == nil {
		r.joining = map[string]*stream.Position{}
	}
	r.joining[c.Name] = from
}

// Unfollow takes a consumer away; one that is not there is no error. With the last one the feed ends.
func (r *Record) Unfollow(name string) {
	if r.Feed == nil {
		return
	}
	r.Feed.Consumers = slices.DeleteFunc(r.Feed.Consumers, func(c Consumer) bool { return c.Name == name })
	delete(r.joining, name)
}

// FeedOf returns the stream of a table's feed as of now: immutable, shared, never to be changed. It is nil
// when there is none.
func (c *Catalog) FeedOf(t *Table) *schema.Stream {
	if t.Feed == nil {
		return nil
	}
	return c.Stream(FeedPath(t.Table.Name, t.Feed.Label))
}

// FeedBell is that of the table's feed; nil without one.
func (t *Table) FeedBell() *stream.Bell { return t.feedBell }

// Feeds returns all feeds, those of which only a crash left something included.
func (c *Catalog) Feeds() []*schema.Stream {
	var list []*schema.Stream
	for _, s := range *c.streams.Load() {
		if s.Feed {
			list = append(list, s.Stream)
		}
	}
	slices.SortFunc(list, func(a, b *schema.Stream) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Followed returns the names of the tables that have a feed, those that are being deleted included.
func (c *Catalog) Followed() []string {
	var names []string
	for name, t := range c.snapshot().all() {
		if t.Feed != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// feedChange says whether a change of a table is one of its feed.
func (r *Record) feedChange(old *Table) bool {
	return len(r.joining) > 0 || (r.Feed == nil) != (old.Feed == nil) ||
		r.Feed != nil && !slices.Equal(r.Feed.Consumers, old.Feed.Consumers)
}

// updateFeed changes the feed of a table with its record, which must not change the stream too. A feed that begins is as complete as a stream that
// is enabled.
func (c *Catalog) updateFeed(ctx context.Context, t *Table, r *Record) (*Table, error) {
	leave, join := cursorChanges(t, r)
	s := c.FeedOf(t)
	switch {
	case t.Feed == nil:
		return c.beginFeed(ctx, t, r, join)
	case s == nil:
		return nil, ErrNoStream
	case r.Feed == nil:
		if _, err := c.storeCursors(ctx, r, s, c.closeStream, leave, nil); err != nil {
			return nil, err
		}
		next := c.supersede(r, t)
		return next, c.dropStream(ctx, s)
	}
	if _, err := c.storeCursors(ctx, r, s, func(*schema.Stream, uint64) {}, leave, join); err != nil {
		return nil, err
	}
	return c.supersede(r, t), nil
}

func (c *Catalog) beginFeed(ctx context.Context, t *Table, r *Record, join map[string]*stream.Position) (*Table, error) {
	id, err := c.takeStreamID(ctx)
	if err != nil {
		return nil, err
	}
	r.Feed.ID, r.Feed.Label, r.Feed.Slots = id, strconv.FormatUint(id, 10), max(c.opts.StreamShards, 1)
	s := feedStream(r)
	s.CreatedMs = c.opts.Clock().UnixMilli()
	begin := func(s *schema.Stream, seq uint64) { s.Shards = firstShards(s, seq) }
	if s, err = c.storeCursors(ctx, r, s, begin, nil, join); err != nil {
		return nil, err
	}
	next := c.supersede(r, t)
	_, err = c.storeBoth(ctx, nil, nil, s, begin)
	return next, err
}

// FeedRow makes the row of the stream of a record's feed anew, with all records from the first one on.
func FeedRow(r *Record) (row, value []byte, s *schema.Stream, err error) {
	s = feedStream(r)
	s.Shards = firstShards(s, 1)
	value, err = json.Marshal(s)
	return streamRow(s.ID), value, s, err
}

func feedStream(r *Record) *schema.Stream {
	return &schema.Stream{
		ID: r.Feed.ID, Table: r.Table.Name, Label: r.Feed.Label, View: feedView, Key: r.Table.Key, Slots: r.Feed.Slots,
		CreatedMs: r.CreatedMs, Feed: true,
	}
}

// cursorChanges are the consumers that a change takes away and those that it adds, with their places.
func cursorChanges(t *Table, r *Record) (leave []string, join map[string]*stream.Position) {
	if t.Feed != nil {
		for _, c := range t.Feed.Consumers {
			if r.Consumer(c.Name) == nil {
				leave = append(leave, c.Name)
			}
		}
	}
	join, r.joining = r.joining, nil
	return leave, join
}

// storeCursors is storeBoth of a record and its feed, with the cursors of consumers that come and go.
func (c *Catalog) storeCursors(
	ctx context.Context, r *Record, s *schema.Stream, set func(*schema.Stream, uint64), leave []string, join map[string]*stream.Position,
) (*schema.Stream, error) {
	var more also
	for _, name := range slices.AppendSeq(slices.Clone(leave), maps.Keys(join)) {
		more.named = append(more.named, storage.Named{Key: key.AppendCursor(nil, s.ID, name)})
	}
	more.write = func(tx storage.Tx) error {
		for _, name := range leave {
			tx.Delete(key.AppendCursor(nil, s.ID, name))
		}
		for name, at := range join {
			cursor := stream.Cursor{At: stream.Position{Seq: tx.Seq()}}
			if at != nil {
				cursor.At = *at
			}
			b, err := cursor.Encode()
			if err != nil {
				return err
			}
			tx.Put(key.AppendCursor(nil, s.ID, name), b)
		}
		return nil
	}
	return c.storeMore(ctx, nil, r, s, set, more)
}

// DropFeed forgets what a crash left of a feed that is closed or that no table has.
func (c *Catalog) DropFeed(ctx context.Context, path string, hold Hold) error {
	c.control.Lock()
	defer c.control.Unlock()
	s := c.Stream(path)
	if s == nil || !s.Feed {
		return ErrNoStream
	}
	if err := c.ask(ctx); err != nil {
		return err
	}
	if t := c.snapshot().get(s.Table); t != nil && t.Feed != nil && t.Feed.ID == s.ID {
		return nil
	}
	if _, err := hold(ctx); err != nil {
		return err
	}
	return c.dropStream(ctx, s)
}

// endFeed forgets the feed of a table that is being removed, and how far its consumers came.
func (c *Catalog) endFeed(ctx context.Context, r *Record) error {
	if r.Feed == nil {
		return nil
	}
	s := c.Stream(FeedPath(r.Table.Name, r.Feed.Label))
	if s == nil {
		return nil
	}
	if s.ClosedMs == 0 {
		if _, err := c.storeBoth(ctx, nil, nil, s, c.closeStream); err != nil {
			return err
		}
	}
	return c.dropStream(ctx, s)
}

// dropCursors forgets the cursors of all consumers of a feed.
func (c *Catalog) dropCursors(ctx context.Context, id uint64) error {
	return c.store.DropRange(ctx, storage.Range(key.CursorRange(id)))
}

// Cursors returns the cursors of the consumers of a table's feed, by name. One without a row is left out.
func (c *Catalog) Cursors(ctx context.Context, t *Table) (map[string]stream.Cursor, error) {
	out := map[string]stream.Cursor{}
	if t.Feed == nil {
		return out, nil
	}
	for _, consumer := range t.Feed.Consumers {
		cur, ok, err := stream.ReadCursor(ctx, c.store, t.Feed.ID, consumer.Name)
		if err != nil {
			return nil, fmt.Errorf("consumer %s of %s: %w", consumer.Name, t.Table.Name, err)
		}
		if ok {
			out[consumer.Name] = cur
		}
	}
	return out, nil
}
