package catalog

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// A change of a table whose outcome is uncertain leaves a doubt: the row may say something else than
// the cache. Whoever of the control plane looks next asks the store, and only then is the table changed
// again. The LSM leaves one only when its log has failed: it cannot be asked before the next start then,
// but takes no other changes either, and tables that are not in doubt are still found.

// doubt notes that the outcome of writing a table's row is uncertain, and returns the error. The caller
// holds control.
func (c *Catalog) doubt(name string, err error) error {
	if errors.Is(err, storage.ErrUncertain) {
		if c.doubts == nil {
			c.doubts = map[string]bool{}
		}
		c.doubts[name] = true
		c.doubtful.Store(int64(len(c.doubts)))
	}
	return err
}

// unsettled says whether a step may be due that the control plane has to take first.
func (c *Catalog) unsettled() bool { return len(c.snapshot().passing) > 0 || c.doubtful.Load() > 0 }

// settled says whether a table is as the cache has it, whatever may be due of others.
func (c *Catalog) settled(name string) bool {
	c.control.Lock()
	defer c.control.Unlock()
	t := c.snapshot().get(name)
	return !c.doubts[name] && (t == nil || !t.due(c.opts.Clock()))
}

// ask ends all doubts.
func (c *Catalog) ask(ctx context.Context) error {
	for name := range c.doubts {
		r, err := c.stored(ctx, name)
		if err != nil {
			return err
		}
		if err := c.adopt(ctx, name, r); err != nil {
			return err
		}
		delete(c.doubts, name)
		c.doubtful.Store(int64(len(c.doubts)))
	}
	return nil
}

// stored returns a table's record as it is stored, nil when there is none. It writes the row anew, so
// that no change from before comes later.
func (c *Catalog) stored(ctx context.Context, name string) (r *Record, err error) {
	row := key.AppendCatalog(nil, key.SubTable, name)
	err = c.store.Update(ctx, []storage.Named{{Key: row}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		v := tx.Value(0)
		if r = nil; !v.Present {
			tx.Delete(row)
			return nil
		}
		var err error
		if r, err = DecodeRecord(v.Data); err != nil {
			return err
		}
		b, err := r.encode()
		if err != nil {
			return err
		}
		tx.Put(row, b)
		return nil
	})
	return r, err
}

// adopt makes a stored record that of the cache.
func (c *Catalog) adopt(ctx context.Context, name string, r *Record) error {
	old := c.snapshot().get(name)
	if r == nil {
		if old != nil {
			old.gate.drain()
		}
		c.replace(name, nil)
		return nil
	}
	var begun []*schema.Stream
	if r.Stream != nil {
		s, err := c.adoptStream(ctx, r.Stream.ID)
		if err != nil {
			return err
		}
		if s != nil && r.Streams() && old != nil && !(old.Streams() && old.Stream.ID == s.ID) {
			begun = append(begun, s)
		}
	}
	if r.Feed != nil {
		s, err := c.adoptStream(ctx, r.Feed.ID)
		if err != nil {
			return err
		}
		if s != nil && old != nil && !(old.Feed != nil && old.Feed.ID == s.ID) {
			begun = append(begun, s)
		}
	}
	if old == nil {
		c.put(r, newGate())
		return nil
	}
	c.supersede(r, old)
	for _, s := range begun {
		// Nobody recorded changes until now, and nobody was told that the stream had begun.
		_, err := c.storeBoth(ctx, nil, nil, s, func(s *schema.Stream, seq uint64) { s.Shards = firstShards(s, seq) })
		if err != nil {
			return err
		}
	}
	return nil
}

// adoptStream places a stream in the cache as it is stored and returns it; nil when it is not there.
func (c *Catalog) adoptStream(ctx context.Context, id uint64) (*schema.Stream, error) {
	row := streamRow(id)
	v, err := c.store.Get(ctx, row)
	if err != nil || !v.Present {
		return nil, err
	}
	s, err := DecodeStream(v.Data)
	if err == nil {
		c.putStream(s, v.Data)
	}
	return s, err
}
