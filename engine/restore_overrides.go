package engine

import (
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
)

// overrides are the settings of a restored table that are not those of its source.
type overrides struct {
	mode    api.Opt[string]
	units   *api.ProvisionedThroughput
	max     *api.OnDemandThroughput
	sse     *api.SSESpecification
	globals []api.GlobalSecondaryIndex
	locals  []api.LocalSecondaryIndex
	vectors []api.VectorIndex
}

// apply changes a record that has the indexes and the billing of its source.
func (o *overrides) apply(r *catalog.Record) error {
	was := r.Billing
	if err := o.tableBilling(&r.Billing); err != nil {
		return err
	}
	chosen, err := o.indexes(r)
	if err != nil {
		return err
	}
	r.Billing.Indexes, r.Billing.IndexMax = nil, nil
	for i := range chosen {
		if err := chosen[i].billing(&r.Billing, &was); err != nil {
			return err
		}
	}
	r.Table.Indexes = make([]schema.Index, len(chosen))
	for i := range chosen {
		r.Table.Indexes[i] = chosen[i].Index
	}
	if r.Table.HasVectors() && !r.Billing.OnDemand {
		return api.Errorf(api.Validation, api.MsgVectorBilling)
	}
	if o.sse != nil {
		r.SSE = sseOf(o.sse)
	}
	return nil
}

// tableBilling changes what the table itself pays for.
func (o *overrides) tableBilling(b *catalog.Billing) error {
	was := b.OnDemand
	if o.mode.Set {
		b.OnDemand = o.mode.Value == api.BillingModePayPerRequest
	}
	if b.OnDemand != was {
		b.Table, b.Max, b.Warm, b.IndexWarm, b.Switched = catalog.Throughput{}, nil, nil, nil, false
	}
	switch {
	case o.units != nil && b.OnDemand:
		return api.Errorf(api.Validation, api.MsgRestoreUnits)
	case o.units != nil:
		b.Table = throughput(o.units)
	case o.mode.Value == api.BillingModeProvisioned:
		return api.Errorf(api.Validation, api.MsgRestoreUnitsAbsent)
	}
	if o.max == nil {
		return nil
	}
	for _, m := range []struct {
		name string
		max  api.Opt[int64]
	}{{"MaxReadRequestUnits", o.max.MaxReadRequestUnits}, {"MaxWriteRequestUnits", o.max.MaxWriteRequestUnits}} {
		switch {
		case m.max.Set && !b.OnDemand:
			return api.Errorf(api.Validation, api.MsgRestoreMaximum, m.name)
		case m.max.Set && m.max.Value < 1:
			return api.Errorf(api.Validation, api.MsgRestoreMaximumRange, m.name)
		}
	}
	b.Max = onDemand(o.max)
	return nil
}

// chosenIndex is an index of a restored table.
type chosenIndex struct {
	schema.Index
	// source is the index's name in the source; it may have a new one.
	source string
	// override has the throughput that is asked for; nil where the source's holds.
	override *api.GlobalSecondaryIndex
}

// indexes are those that are asked for: all where nothing is said of a kind. Each must have key and projection of one
// of the source, of which none may be asked for twice.
func (o *overrides) indexes(r *catalog.Record) ([]chosenIndex, error) {
	c := chooser{indexes: r.Table.Indexes, taken: make([]bool, len(r.Table.Indexes))}
	for i := range o.globals {
		x := &o.globals[i]
		c.choose(x.IndexName.Value, x, func(ix *schema.Index) bool { return ix.Global() && like(ix, x.KeySchema, x.Projection) })
	}
	for i := range o.locals {
		x := &o.locals[i]
		c.choose(x.IndexName.Value, nil, func(ix *schema.Index) bool { return ix.Local && like(ix, x.KeySchema, x.Projection) })
	}
	for i := range o.vectors {
		x := &o.vectors[i]
		c.choose(x.IndexName.Value, nil, func(ix *schema.Index) bool { return likeVectors(ix, x) })
	}
	for _, ix := range r.Table.Indexes {
		if ix.Local && o.locals == nil || ix.Global() && o.globals == nil || ix.Vector != nil && o.vectors == nil {
			c.add(chosenIndex{Index: ix, source: ix.Name})
		}
	}
	return c.chosen, c.err
}

// chooser picks indexes of a source.
type chooser struct {
	indexes []schema.Index
	taken   []bool
	chosen  []chosenIndex
	err     error
}

// choose takes an index that is as wanted, the one of that name if there are several.
func (c *chooser) choose(name string, x *api.GlobalSecondaryIndex, as func(*schema.Index) bool) {
	found := -1
	for i := range c.indexes {
		if ix := &c.indexes[i]; !c.taken[i] && as(ix) && (found < 0 || ix.Name == name) {
			found = i
		}
	}
	if found < 0 {
		if c.err == nil {
			c.err = api.Errorf(api.Validation, api.MsgRestoreIndex, name)
		}
		return
	}
	c.taken[found] = true
	ix := c.indexes[found]
	source := ix.Name
	ix.Name = name
	c.add(chosenIndex{Index: ix, source: source, override: x})
}

func (c *chooser) add(ix chosenIndex) {
	if c.err == nil && slices.ContainsFunc(c.chosen, func(o chosenIndex) bool { return o.Name == ix.Name }) {
		c.err = api.Errorf(api.Validation, api.MsgIndexDuplicate, ix.Name)
	}
	c.chosen = append(c.chosen, ix)
}

// like says whether an index has that key and projection.
func like(ix *schema.Index, key []api.KeySchemaElement, p *api.Projection) bool {
	same := slices.EqualFunc(keySchema(&ix.Key), key, func(a, b api.KeySchemaElement) bool { return a == b })
	return same && p != nil && likeProjection(ix, p)
}

func likeProjection(ix *schema.Index, p *api.Projection) bool {
	has := projection(ix)
	a, b := slices.Sorted(slices.Values(has.NonKeyAttributes)), slices.Sorted(slices.Values(p.NonKeyAttributes))
	return has.ProjectionType == p.ProjectionType && slices.Equal(a, b)
}

// likeVectors says whether an index of vectors is like one that is asked for.
func likeVectors(ix *schema.Index, x *api.VectorIndex) bool {
	return ix.Vector != nil && ix.Vector.Attribute == x.VectorAttribute.AttributeName.Value &&
		int64(ix.Vector.Dimensions) == x.Dimensions.Value && ix.Vector.Distance == distances[x.DistanceFunction.Value] &&
		slices.EqualFunc(searchSchema(ix), x.SearchSchema, func(a, b api.SearchSchemaElement) bool { return a == b })
}

// billing puts what a global index pays for into that of the restored table; was is that of the source.
func (x *chosenIndex) billing(b, was *catalog.Billing) error {
	if !x.Global() {
		return nil
	}
	units, ceiling := was.Indexes[x.source], was.IndexMax[x.source]
	_, limited := was.IndexMax[x.source]
	if o := x.override; o != nil {
		switch {
		case o.ProvisionedThroughput != nil && b.OnDemand:
			return api.Errorf(api.Validation, api.MsgRestoreUnitsIndex, x.Name)
		case o.ProvisionedThroughput != nil:
			units = throughput(o.ProvisionedThroughput)
		case !b.OnDemand:
			return api.Errorf(api.Validation, api.MsgRestoreUnitsIndexAbsent, x.Name)
		}
		if m := onDemand(o.OnDemandThroughput); m != nil {
			ceiling, limited = *m, true
		}
	}
	switch {
	case b.OnDemand && limited:
		setThroughput(&b.IndexMax, x.Name, ceiling)
	case b.OnDemand:
	case units.Read == 0 || units.Write == 0:
		return api.Errorf(api.Validation, api.MsgRestoreUnitsIndexAbsent, x.Name)
	default:
		setThroughput(&b.Indexes, x.Name, units)
	}
	return nil
}
