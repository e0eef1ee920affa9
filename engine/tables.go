package engine

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
)

// lookup finds a table for the control plane, in any state.
func (db *core) lookup(ctx context.Context, name string) (*catalog.Table, error) {
	name = tableName(name)
	t, err := db.catalog.Lookup(ctx, name)
	if err == nil && len(t.Jobs) > 0 {
		db.background.jobs.look() // one may have become ready by the look
	}
	return t, notFound(err, name)
}

// notFound is the control plane's error for a table that is not there.
func notFound(err error, name string) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return api.Errorf(api.ResourceNotFound, api.MsgTableNotFound, name)
	}
	return err
}

// CreateTable registers a table with its indexes.
func (db *core) CreateTable(ctx context.Context, in *api.CreateTableInput) (*api.CreateTableOutput, error) {
	if err := validate.CreateTable(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TableName.Value)
	if in.GlobalTableSourceArn.Set {
		return db.createFrom(ctx, in, name)
	}
	record := db.newRecord(in, name)
	if in.ResourcePolicy.Set {
		if err := db.setPolicy(ctx, &record, in.ResourcePolicy.Value); err != nil {
			return nil, err
		}
	}
	if err := db.strictCreate(ctx, &record); err != nil {
		return nil, err
	}
	t, err := db.createTable(ctx, record)
	if err != nil {
		return nil, err
	}
	if t.Streams() {
		db.background.streams.look()
	}
	d, err := db.describe(ctx, t)
	return &api.CreateTableOutput{TableDescription: d}, err
}

// createTable stores a new table.
func (db *core) createTable(ctx context.Context, r catalog.Record) (*catalog.Table, error) {
	t, err := db.catalog.Create(ctx, r)
	switch {
	case errors.Is(err, catalog.ErrExists):
		return nil, api.Errorf(api.ResourceInUse, api.MsgTableExists, r.Table.Name)
	case errors.Is(err, catalog.ErrTooMany):
		return nil, api.Errorf(api.LimitExceeded, api.MsgTables, tablesMax)
	}
	return t, err
}

// newRecord turns a validated request into a catalog record.
func (db *core) newRecord(in *api.CreateTableInput, name string) catalog.Record {
	types := make(map[string]attr.Type, len(in.AttributeDefinitions))
	r := catalog.Record{Table: schema.Table{Name: name}}
	for _, d := range in.AttributeDefinitions {
		typ := keyType(d.AttributeType.Value)
		types[d.AttributeName.Value] = typ
		r.Definitions = append(r.Definitions, schema.KeyAttr{Name: d.AttributeName.Value, Type: typ})
	}
	r.Table.Key = keyOf(in.KeySchema, types)
	for i := range in.GlobalSecondaryIndexes {
		x := &in.GlobalSecondaryIndexes[i]
		r.Table.Indexes = append(r.Table.Indexes,
			indexOf(x.IndexName.Value, false, keyOf(x.KeySchema, types), x.Projection))
	}
	for i := range in.LocalSecondaryIndexes {
		x := &in.LocalSecondaryIndexes[i]
		r.Table.Indexes = append(r.Table.Indexes,
			indexOf(x.IndexName.Value, true, keyOf(x.KeySchema, types), x.Projection))
	}
	for i := range in.VectorIndexes {
		x := &in.VectorIndexes[i]
		r.Table.Indexes = append(r.Table.Indexes, vectorIndexOf(&api.CreateVectorIndexAction{
			IndexName: x.IndexName, VectorAttribute: x.VectorAttribute, Dimensions: x.Dimensions,
			DistanceFunction: x.DistanceFunction, Projection: x.Projection, SearchSchema: x.SearchSchema,
		}, types))
	}
	r.Billing = billingOf(in)
	r.DeletionProtection = in.DeletionProtectionEnabled.Value
	r.SettingsMode = in.GlobalTableSettingsReplicationMode.Value
	r.TableClass = in.TableClass.Value
	for _, tag := range in.Tags {
		r.Tags = append(r.Tags, catalog.Tag{Key: tag.Key.Value, Value: tag.Value.Value})
	}
	if s := in.StreamSpecification; s != nil && s.StreamEnabled.Value {
		r.Stream = &catalog.Stream{Enabled: true, ViewType: s.StreamViewType.Value}
	}
	r.SSE = sseOf(in.SSESpecification)
	return r
}

// sseOf is the encryption that is asked for; nil for that which every table has.
func sseOf(s *api.SSESpecification) *catalog.SSE {
	if s == nil || !s.Enabled.Or(s.SSEType.Set) {
		return nil
	}
	return &catalog.SSE{KeyID: s.KMSMasterKeyId.Value}
}

func keyType(name string) attr.Type {
	switch name {
	case api.ScalarAttributeTypeN:
		return attr.N
	case api.ScalarAttributeTypeB:
		return attr.B
	}
	return attr.S
}

func keyOf(elements []api.KeySchemaElement, types map[string]attr.Type) schema.Key {
	var k schema.Key
	for _, e := range elements {
		a := schema.KeyAttr{Name: e.AttributeName.Value, Type: types[e.AttributeName.Value]}
		if e.KeyType.Value == api.KeyTypeHash {
			k.Hash = append(k.Hash, a)
		} else {
			k.Range = append(k.Range, a)
		}
	}
	return k
}

func indexOf(name string, local bool, k schema.Key, p *api.Projection) schema.Index {
	ix := schema.Index{Name: name, Local: local, Key: k, Projection: schema.ProjectAll}
	switch p.ProjectionType.Value {
	case api.ProjectionTypeKeysOnly:
		ix.Projection = schema.ProjectKeys
	case api.ProjectionTypeInclude:
		ix.Projection, ix.NonKey = schema.ProjectInclude, p.NonKeyAttributes
	}
	return ix
}

func billingOf(in *api.CreateTableInput) catalog.Billing {
	b := catalog.Billing{
		OnDemand: in.BillingMode.Value == api.BillingModePayPerRequest,
		Table:    throughput(in.ProvisionedThroughput),
		Max:      onDemand(in.OnDemandThroughput),
		Warm:     warm(in.WarmThroughput),
	}
	for i := range in.GlobalSecondaryIndexes {
		x := &in.GlobalSecondaryIndexes[i]
		setThroughput(&b.Indexes, x.IndexName.Value, throughput(x.ProvisionedThroughput))
		if m := onDemand(x.OnDemandThroughput); m != nil {
			setThroughput(&b.IndexMax, x.IndexName.Value, *m)
		}
		if w := warm(x.WarmThroughput); w != nil {
			setThroughput(&b.IndexWarm, x.IndexName.Value, *w)
		}
	}
	return b
}

func setThroughput(m *map[string]catalog.Throughput, name string, t catalog.Throughput) {
	if *m == nil {
		*m = map[string]catalog.Throughput{}
	}
	(*m)[name] = t
}

func throughput(p *api.ProvisionedThroughput) catalog.Throughput {
	if p == nil {
		return catalog.Throughput{}
	}
	return catalog.Throughput{Read: p.ReadCapacityUnits.Value, Write: p.WriteCapacityUnits.Value}
}

// noMaximum stands for an on-demand ceiling that was not given.
const noMaximum = -1

func onDemand(o *api.OnDemandThroughput) *catalog.Throughput {
	if o == nil {
		return nil
	}
	return &catalog.Throughput{
		Read: o.MaxReadRequestUnits.Or(noMaximum), Write: o.MaxWriteRequestUnits.Or(noMaximum),
	}
}

// warm is what was asked for; a half that was not is zero.
func warm(w *api.WarmThroughput) *catalog.Throughput {
	if w == nil {
		return nil
	}
	return &catalog.Throughput{Read: w.ReadUnitsPerSecond.Value, Write: w.WriteUnitsPerSecond.Value}
}

// DeleteTable removes a table and everything in it.
func (db *core) DeleteTable(ctx context.Context, in *api.DeleteTableInput) (*api.DeleteTableOutput, error) {
	if err := validate.DeleteTable(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TableName.Value)
	if err := db.strictPassing(ctx); err != nil {
		return nil, err
	}
	orphan := db.orphan(ctx, name)
	t, err := db.catalog.Delete(ctx, name, func(r *catalog.Record) error {
		if err := busy(r); err != nil && r.Table.ID != orphan {
			return err
		}
		if r.Pinned() {
			return api.Errorf(api.ResourceInUse, api.MsgBackupPins, r.Table.Name)
		}
		if r.BuildsIndexes() {
			return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
		}
		if r.DeletionProtection {
			return api.Errorf(api.Validation, api.MsgProtected)
		}
		if err := db.unlessSource(r); err != nil {
			return err
		}
		db.leaveDestinations(r)
		return nil
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	db.background.kinesis.look()
	db.tellDeleted(ctx, t)
	d, err := db.describe(ctx, t)
	return &api.DeleteTableOutput{TableDescription: d}, err
}

// busy refuses a change of a table in a passing state (wire-facts §6.29).
func busy(r *catalog.Record) error {
	word := ""
	switch r.Status {
	case catalog.StatusActive:
		return nil
	case catalog.StatusCreating:
		word = "created"
	case catalog.StatusUpdating:
		word = "updated"
	case catalog.StatusDeleting:
		word = "deleted"
	}
	return api.Errorf(api.ResourceInUse, api.MsgTableBusy, word, r.Table.Name)
}

// DescribeTable answers definition, settings, counts and state.
func (db *core) DescribeTable(ctx context.Context, in *api.DescribeTableInput) (*api.DescribeTableOutput, error) {
	if err := validate.DescribeTable(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.lookup(ctx, in.TableName.Value)
	if err != nil {
		return nil, err
	}
	d, err := db.describe(ctx, t)
	return &api.DescribeTableOutput{Table: d}, err
}

// listTablesDefault is the page size of ListTables when none is given.
const listTablesDefault = 100

// ListTables answers the names of all tables, in byte order.
func (db *core) ListTables(ctx context.Context, in *api.ListTablesInput) (*api.ListTablesOutput, error) {
	if err := validate.ListTables(in, db.rules); err != nil {
		return nil, err
	}
	names, more, err := db.catalog.Names(ctx, in.ExclusiveStartTableName.Value,
		int(in.Limit.Or(listTablesDefault)))
	if err != nil {
		return nil, err
	}
	out := &api.ListTablesOutput{TableNames: append([]string{}, names...)}
	if more {
		out.LastEvaluatedTableName = api.Some(names[len(names)-1])
	}
	return out, nil
}
