package engine

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// modelClock is the time of a program, which its database shares.
type modelClock struct{ ms atomic.Int64 }

func newModelClock() *modelClock {
	c := new(modelClock)
	c.ms.Store(1_800_000_000_000)
	return c
}

func (c *modelClock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

// ttlName is the attribute that ends items, and lateKey the key of an index that comes and goes; items
// have both at random, whether a table makes something of them or not.
const (
	ttlName  = "ttl"
	lateName = "late"
)

var lateKey = modelAttr{"g", attr.S}

// living is what a table has besides its keys and first indexes, as the model keeps it.
type living struct {
	clock *modelClock
	// ttl: items end. ghosts are those that are past their time and not yet swept.
	ttl    bool
	ghosts map[string]modelItem
	// pending is an index that is being made, leaving says that one is being removed.
	pending     *modelIndex
	leaving     bool
	provisioned bool
	units       int64
}

// expire makes ghosts of the items that are past their time.
func (t *modelTable) expire() {
	for k, it := range t.items {
		if end, ok := it[ttlName].(int64); t.ttl && ok && end*1000 < t.clock.ms.Load() {
			t.ghosts[k] = it
			delete(t.items, k)
		}
	}
}

// ghosts are the items past their time that have an entry in the source and that keep accepts.
func (s source) ghosts(keep func(modelItem) bool) int {
	n := 0
	for _, it := range s.t.ghosts {
		if (s.ix == nil || s.ix.has(it)) && keep(it) {
			n++
		}
	}
	return n
}

// change takes a step that is about a table as a whole, or about time.
func (p *program) change(t *modelTable) error {
	switch p.rnd.IntN(6) {
	case 0:
		return p.work()
	case 1:
		return p.setTTL(t)
	case 2:
		return p.lateIndex(t)
	case 3:
		return p.bill(t)
	}
	p.did = "time goes on"
	p.clock.ms.Add(500 * int64(1+p.rnd.IntN(5)))
	for _, t := range p.tables {
		t.expire()
	}
	return nil
}

// work does all background work: sweeping, and the jobs of indexes and expiry rows.
func (p *program) work() error {
	p.did = "background work"
	if err := p.settle(func() error { return p.db.Work(p.ctx) }); err != nil {
		return err
	}
	for _, t := range p.tables {
		if t.ttl {
			clear(t.ghosts)
		}
		if t.pending != nil {
			t.indexes, t.pending = append(t.indexes, *t.pending), nil
		}
		t.leaving = false
	}
	return nil
}

func (p *program) setTTL(t *modelTable) error {
	p.did = fmt.Sprint("time to live of ", t.name, " ", !t.ttl)
	if err := p.settle(func() error { return setTTL(p.ctx, p.db, t.name, ttlName, !t.ttl) }); err != nil {
		return err
	}
	t.ttl = !t.ttl
	if !t.ttl {
		maps.Copy(t.items, t.ghosts)
		clear(t.ghosts)
	}
	t.expire()
	return nil
}

func (p *program) updateTable(t *modelTable, in *api.UpdateTableInput) error {
	in.TableName = api.Some(t.name)
	return p.settle(func() error { _, err := p.db.UpdateTable(p.ctx, in); return err })
}

// lateIndex begins to make the index that comes and goes, or to remove it. Nobody reads it until it is
// made, but writers keep it.
func (p *program) lateIndex(t *modelTable) error {
	if t.pending != nil || t.leaving {
		return nil
	}
	p.did = "index of " + t.name
	if i := slices.IndexFunc(t.indexes, func(ix modelIndex) bool { return ix.name == lateName }); i >= 0 {
		t.indexes, t.leaving = slices.Delete(slices.Clone(t.indexes), i, i+1), true
		return p.updateTable(t, &api.UpdateTableInput{GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
			{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: api.Some(lateName)}},
		}})
	}
	ix := modelIndex{name: lateName, hash: lateKey, projection: pick(p.rnd, "ALL", "KEYS_ONLY", "INCLUDE")}
	if ix.projection == "INCLUDE" {
		ix.include = []string{"v", "n"}
	}
	create := &api.CreateGlobalSecondaryIndexAction{
		IndexName:  api.Some(ix.name),
		KeySchema:  []api.KeySchemaElement{{AttributeName: api.Some(lateKey.name), KeyType: api.Some("HASH")}},
		Projection: &api.Projection{ProjectionType: api.Some(ix.projection), NonKeyAttributes: ix.include},
	}
	if t.provisioned {
		create.ProvisionedThroughput = unitsOf(5, 5)
	}
	t.pending = &ix
	return p.updateTable(t, &api.UpdateTableInput{
		AttributeDefinitions:        []api.AttributeDefinition{{AttributeName: api.Some(lateKey.name), AttributeType: api.Some("S")}},
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Create: create}},
	})
}

// bill changes what a table pays for, which no item notices.
func (p *program) bill(t *modelTable) error {
	if t.pending != nil || t.leaving {
		return nil
	}
	p.did = "billing of " + t.name
	t.units++
	in := &api.UpdateTableInput{ProvisionedThroughput: unitsOf(10+t.units, 10+t.units)}
	if t.provisioned && p.rnd.IntN(2) == 0 {
		return p.updateTable(t, in)
	}
	t.provisioned = !t.provisioned
	if !t.provisioned {
		return p.updateTable(t, &api.UpdateTableInput{BillingMode: api.Some(api.BillingModePayPerRequest)})
	}
	in.BillingMode = api.Some(api.BillingModeProvisioned)
	for i := range t.indexes {
		if ix := &t.indexes[i]; !ix.local {
			in.GlobalSecondaryIndexUpdates = append(in.GlobalSecondaryIndexUpdates, indexUnitsOf(ix.name, unitsOf(5, 5))...)
		}
	}
	return p.updateTable(t, in)
}
