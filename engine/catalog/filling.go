package catalog

import "context"

// A table that is made from data which are elsewhere stays CREATING while somebody fills it: Record.Filling
// names who does. The data plane does not find it, and nobody can change or delete it, so that whoever fills
// it may work on the value that Filled and Abandon expect without entering the table.

// Filled ends the creation of a table that was filled. A table that is gone, or that nobody fills, is no
// error.
func (c *Catalog) Filled(ctx context.Context, id uint64, name string) error {
	return c.endFilling(ctx, id, name, func(r *Record) {
		r.UntilMs = c.opts.Clock().UnixMilli()
		r.settle(c.opts.Clock())
	})
}

// Abandon removes a table that was to be filled, with all that is in it.
func (c *Catalog) Abandon(ctx context.Context, id uint64, name string) error {
	return c.endFilling(ctx, id, name, func(r *Record) {
		r.Status, r.UntilMs = StatusDeleting, c.opts.Clock().UnixMilli()
	})
}

func (c *Catalog) endFilling(ctx context.Context, id uint64, name string, change func(*Record)) error {
	c.control.Lock()
	defer c.control.Unlock()
	if err := c.finishLocked(ctx); err != nil {
		return err
	}
	t := c.snapshot()[name]
	if t == nil || t.Table.ID != id || t.Filling == "" {
		return nil
	}
	r := t.clone()
	r.Filling = ""
	change(r)
	if err := c.write(ctx, r); err != nil {
		return err
	}
	c.put(r, t.gate)
	return c.finishLocked(ctx)
}
