package crossref

import (
	"context"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// cursorID is what a cursor is of.
type cursorID struct {
	stream   uint64
	consumer string
}

// cursorRow says what is wrong with the row of a cursor, and remembers it; "" for nothing.
func (c *checker) cursorRow(k, v []byte) string {
	id, consumer, ok := key.SplitCursor(k)
	if !ok {
		return "the cursor of a consumer has an impossible key"
	}
	if _, err := stream.DecodeCursor(v); err != nil {
		return err.Error()
	}
	c.cursors[cursorID{id, consumer}] = true
	return ""
}

// feeds checks that each table with a feed has the stream of it, and each consumer a cursor, and that there
// are no others.
func (c *checker) feeds(ctx context.Context) error {
	known := map[cursorID]bool{}
	feeds := map[uint64]bool{}
	for _, r := range c.tables {
		if r.Feed == nil {
			continue
		}
		feeds[r.Feed.ID] = true
		for _, consumer := range r.Feed.Consumers {
			known[cursorID{r.Feed.ID, consumer.Name}] = true
		}
		if r.Status == catalog.StatusDeleting {
			continue // what is left of it goes
		}
		if err := c.feed(ctx, r); err != nil {
			return err
		}
	}
	for id := range c.cursors {
		if known[id] || c.blind || !feeds[id.stream] && slices.ContainsFunc(c.streams, isStream(id.stream)) {
			continue // that of a feed which is being dropped
		}
		k := key.AppendCursor(nil, id.stream, id.consumer)
		c.add(Fault{Warning: true, Region: Catalog, Key: k, What: fmt.Sprintf("the cursor of %q is of no consumer", id.consumer)})
		if err := c.remove(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

func isStream(id uint64) func(*schema.Stream) bool {
	return func(s *schema.Stream) bool { return s.ID == id }
}

// feed checks the stream and the cursors of one feed.
func (c *checker) feed(ctx context.Context, r *catalog.Record) error {
	row, value, s, err := catalog.FeedRow(r)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(c.streams, isStream(r.Feed.ID)); i >= 0 {
		s = c.streams[i]
	} else if !c.lost(row) {
		c.add(Fault{Region: Catalog, Table: r.Table.Name, Key: row, What: "the feed that consumers follow is not there"})
		if err := c.put(ctx, row, value); err != nil {
			return err
		}
		c.streams = append(c.streams, s)
	}
	for _, consumer := range r.Feed.Consumers {
		k := key.AppendCursor(nil, r.Feed.ID, consumer.Name)
		if c.cursors[cursorID{r.Feed.ID, consumer.Name}] || c.lost(k) {
			continue
		}
		c.add(Fault{Region: Catalog, Table: r.Table.Name, Key: k,
			What: fmt.Sprintf("the consumer %q has no cursor", consumer.Name)})
		cursor := stream.Cursor{At: stream.Position{Seq: storage.Seq(s.Trimmed + 1)}}
		b, err := cursor.Encode()
		if err != nil {
			return err
		}
		if err := c.put(ctx, k, b); err != nil {
			return err
		}
	}
	return nil
}
