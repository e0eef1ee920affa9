package catalog

import (
	"context"
	"strings"
)

// A table that is made from data which are elsewhere stays CREATING while somebody fills it: Record.Filling
// names who does, a task of this database or the region of another one. The data plane does not find it, and nobody
// can change it, so that a task may work on the value that Filled and Abandon expect without entering the table.

// fromRegion begins Record.Filling of a replica. No task's id does.
const fromRegion = "from "

// FillingFrom is Record.Filling of a replica that a region fills.
func FillingFrom(region string) string { return fromRegion + region }

// FillingRegion is the region that fills the table; empty for one that is not a replica being filled.
func (r *Record) FillingRegion() string {
	region, ok := strings.CutPrefix(r.Filling, fromRegion)
	if !ok {
		return ""
	}
	return region
}

// upgradeFilling takes the record of a replica in the form that did not name who fills it: that is the first of its
// peers if the replica was asked for from another account, and the last one else.
func (r *Record) upgradeFilling() {
	g := r.Global
	if g == nil || !g.WasFilling {
		return
	}
	g.WasFilling = false
	if n := len(g.Peers); n > 0 && r.Status == StatusCreating {
		p := g.Peers[n-1]
		if g.Peers[0].Account != "" {
			p = g.Peers[0]
		}
		r.Filling = FillingFrom(p.Region)
	}
}

// Filled ends the creation of a table that was filled. A table that is gone, or that nobody fills, is no
// error. When it returns, nobody is left who entered the table before.
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
	t := c.snapshot().get(name)
	if t == nil || t.Table.ID != id || t.Filling == "" {
		return nil
	}
	r := t.clone()
	r.Filling = ""
	change(r)
	if err := c.write(ctx, r); err != nil {
		return err
	}
	if r.Status == StatusDeleting {
		c.put(r, t.gate) // which is drained when it is removed
	} else {
		c.supersede(r, t)
	}
	return c.finishLocked(ctx)
}
