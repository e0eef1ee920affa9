package build

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// Waits of Table.Wait, which double from the first to the last.
const (
	tableWaitFirst = 100 * time.Millisecond
	tableWaitLast  = 5 * time.Second
)

// KeyAttribute is an attribute of a key: StringKey, NumberKey or BinaryKey makes it.
type KeyAttribute struct{ name, typ string }

// StringKey is a key attribute that is an S.
func StringKey(name string) KeyAttribute { return KeyAttribute{name, api.ScalarAttributeTypeS} }

// NumberKey is a key attribute that is an N.
func NumberKey(name string) KeyAttribute { return KeyAttribute{name, api.ScalarAttributeTypeN} }

// BinaryKey is a key attribute that is a B.
func BinaryKey(name string) KeyAttribute { return KeyAttribute{name, api.ScalarAttributeTypeB} }

// Index describes a secondary index: GSI or LSI makes it. It projects all attributes unless told
// otherwise.
type Index struct {
	name       string
	local      bool
	pk, sk     []KeyAttribute
	projection api.Projection
	throughput *api.ProvisionedThroughput
}

// GSI describes a global index.
func GSI(name string) *Index { return newIndex(name, false) }

// LSI describes a local index, which has the partition key of its table.
func LSI(name string) *Index { return newIndex(name, true) }

func newIndex(name string, local bool) *Index {
	return &Index{
		name: name, local: local,
		projection: api.Projection{ProjectionType: api.Some(api.ProjectionTypeAll)},
	}
}

// PK is the partition key of a global index: one attribute or, together, up to four.
func (x *Index) PK(attributes ...KeyAttribute) *Index {
	x.pk = append(x.pk, attributes...)
	return x
}

// SK is the sort key: one attribute or, of a global index, up to four.
func (x *Index) SK(attributes ...KeyAttribute) *Index {
	x.sk = append(x.sk, attributes...)
	return x
}

// KeysOnly projects only the keys of the index and the table.
func (x *Index) KeysOnly() *Index {
	x.projection = api.Projection{ProjectionType: api.Some(api.ProjectionTypeKeysOnly)}
	return x
}

// Include projects the keys and these attributes.
func (x *Index) Include(names ...string) *Index {
	x.projection = api.Projection{
		ProjectionType: api.Some(api.ProjectionTypeInclude), NonKeyAttributes: names,
	}
	return x
}

// Provisioned bills the index by units a second, which it must be when its table is. Without it an index
// that is created with its table has the units of that.
func (x *Index) Provisioned(read, write int64) *Index {
	x.throughput = throughputOf(read, write)
	return x
}

func throughputOf(read, write int64) *api.ProvisionedThroughput {
	return &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(read), WriteCapacityUnits: api.Some(write)}
}

// Create makes a table.
type Create struct {
	client  *Client
	in      api.CreateTableInput
	pk, sk  []KeyAttribute
	indexes []*Index
}

// Create begins to make a table of that name, billed on demand.
func (c *Client) Create(table string) *Create {
	x := &Create{client: c}
	x.in.TableName = api.Some(table)
	x.in.BillingMode = api.Some(api.BillingModePayPerRequest)
	return x
}

// PK is the partition key.
func (x *Create) PK(attribute KeyAttribute) *Create {
	x.pk = append(x.pk, attribute)
	return x
}

// SK is the sort key; a table need not have one.
func (x *Create) SK(attribute KeyAttribute) *Create {
	x.sk = append(x.sk, attribute)
	return x
}

// Index adds indexes.
func (x *Create) Index(indexes ...*Index) *Create {
	x.indexes = append(x.indexes, indexes...)
	return x
}

// Stream enables a stream, whose records hold what view says: one of the constants
// api.StreamViewType….
func (x *Create) Stream(view string) *Create {
	x.in.StreamSpecification = streamOf(view)
	return x
}

// Provisioned bills the table and its global indexes by units a second, not on demand.
func (x *Create) Provisioned(read, write int64) *Create {
	x.in.BillingMode = api.Some(api.BillingModeProvisioned)
	x.in.ProvisionedThroughput = throughputOf(read, write)
	return x
}

// Run makes the table and returns its description. Until the service has made it, see Table.Wait, it takes
// no items.
func (x *Create) Run(ctx context.Context) (*api.TableDescription, error) {
	in := x.in
	attributes := slices.Concat(x.pk, x.sk)
	in.KeySchema = keySchemaOf(x.pk, x.sk)
	for _, index := range x.indexes {
		if index.local {
			attributes = append(attributes, index.sk...)
			in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, api.LocalSecondaryIndex{
				IndexName: api.Some(index.name), KeySchema: keySchemaOf(x.pk, index.sk), Projection: &index.projection,
			})
			continue
		}
		attributes = append(append(attributes, index.pk...), index.sk...)
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, api.GlobalSecondaryIndex{
			IndexName: api.Some(index.name), KeySchema: keySchemaOf(index.pk, index.sk),
			Projection: &index.projection, ProvisionedThroughput: cmp.Or(index.throughput, in.ProvisionedThroughput),
		})
	}
	in.AttributeDefinitions = definitionsOf(attributes)
	out, err := x.client.service.CreateTable(ctx, &in)
	if err != nil {
		return nil, err
	}
	x.client.setSchema(in.TableName.Value, newSchema(out.TableDescription))
	return out.TableDescription, nil
}

func keySchemaOf(pk, sk []KeyAttribute) []api.KeySchemaElement {
	var elements []api.KeySchemaElement
	add := func(attributes []KeyAttribute, typ string) {
		for _, a := range attributes {
			elements = append(elements, api.KeySchemaElement{AttributeName: api.Some(a.name), KeyType: api.Some(typ)})
		}
	}
	add(pk, api.KeyTypeHash)
	add(sk, api.KeyTypeRange)
	return elements
}

// definitionsOf defines each attribute once.
func definitionsOf(attributes []KeyAttribute) []api.AttributeDefinition {
	var defs []api.AttributeDefinition
	for i, a := range attributes {
		if slices.Contains(attributes[:i], a) {
			continue
		}
		defs = append(defs, api.AttributeDefinition{AttributeName: api.Some(a.name), AttributeType: api.Some(a.typ)})
	}
	return defs
}

func streamOf(view string) *api.StreamSpecification {
	return &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: api.Some(view)}
}

// Tables goes through the names of the tables, in their order. The first error ends it.
func (c *Client) Tables(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for in := (api.ListTablesInput{}); ; {
			out, err := c.service.ListTables(ctx, &in)
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range out.TableNames {
				if !yield(name, nil) {
					return
				}
			}
			if !out.LastEvaluatedTableName.Set {
				return
			}
			in.ExclusiveStartTableName = out.LastEvaluatedTableName
		}
	}
}

// Describe returns the table's description.
func (t *Table) Describe(ctx context.Context) (*api.TableDescription, error) {
	out, err := t.client.service.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some(t.name)})
	if err != nil {
		return nil, err
	}
	return out.Table, nil
}

// Wait waits until the table and its global indexes are ACTIVE: after a table or index was created. It asks
// again and again, at growing intervals, until ctx ends.
func (t *Table) Wait(ctx context.Context) error {
	for wait := tableWaitFirst; ; wait = min(2*wait, tableWaitLast) {
		d, err := t.Describe(ctx)
		if err != nil || active(d) {
			return err
		}
		if err := t.client.wait(ctx, wait); err != nil {
			return err
		}
	}
}

func active(d *api.TableDescription) bool {
	return d != nil && d.TableStatus.Value == api.TableStatusActive &&
		!slices.ContainsFunc(d.GlobalSecondaryIndexes, func(x api.GlobalSecondaryIndexDescription) bool {
			return x.IndexStatus.Value != api.IndexStatusActive
		})
}

// Drop removes the table and all its items.
func (t *Table) Drop(ctx context.Context) error {
	_, err := t.client.service.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some(t.name)})
	t.client.setSchema(t.name, nil)
	return err
}

// CreateIndex adds a global index; the service fills it on its own, see Wait.
func (t *Table) CreateIndex(ctx context.Context, index *Index) error {
	return t.update(ctx, &api.UpdateTableInput{
		AttributeDefinitions: definitionsOf(slices.Concat(index.pk, index.sk)),
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{
			Create: &api.CreateGlobalSecondaryIndexAction{
				IndexName: api.Some(index.name), KeySchema: keySchemaOf(index.pk, index.sk),
				Projection: &index.projection, ProvisionedThroughput: index.throughput,
			},
		}},
	})
}

// DropIndex removes a global index.
func (t *Table) DropIndex(ctx context.Context, name string) error {
	return t.update(ctx, &api.UpdateTableInput{
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{
			Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: api.Some(name)},
		}},
	})
}

// EnableStream enables a stream, whose records hold what view says: one of the constants
// api.StreamViewType….
func (t *Table) EnableStream(ctx context.Context, view string) error {
	return t.update(ctx, &api.UpdateTableInput{StreamSpecification: streamOf(view)})
}

// DisableStream disables the stream. What it holds can be read until it is too old.
func (t *Table) DisableStream(ctx context.Context) error {
	return t.update(ctx, &api.UpdateTableInput{
		StreamSpecification: &api.StreamSpecification{StreamEnabled: api.Some(false)},
	})
}

func (t *Table) update(ctx context.Context, in *api.UpdateTableInput) error {
	in.TableName = api.Some(t.name)
	_, err := t.client.service.UpdateTable(ctx, in)
	t.client.setSchema(t.name, nil)
	return err
}

// EnableTTL makes items expire at the time that the attribute holds, a number: seconds since 1970.
func (t *Table) EnableTTL(ctx context.Context, attribute string) error {
	return t.setTTL(ctx, attribute, true)
}

// DisableTTL ends what EnableTTL began, with the same attribute.
func (t *Table) DisableTTL(ctx context.Context, attribute string) error {
	return t.setTTL(ctx, attribute, false)
}

func (t *Table) setTTL(ctx context.Context, attribute string, enabled bool) error {
	_, err := t.client.service.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName: api.Some(t.name),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{
			Enabled: api.Some(enabled), AttributeName: api.Some(attribute),
		},
	})
	return err
}

// TTL returns the attribute that holds the time at which items expire, "" when they do not.
func (t *Table) TTL(ctx context.Context) (attribute string, err error) {
	out, err := t.client.service.DescribeTimeToLive(ctx, &api.DescribeTimeToLiveInput{TableName: api.Some(t.name)})
	if err != nil || out.TimeToLiveDescription == nil {
		return "", err
	}
	switch d := out.TimeToLiveDescription; d.TimeToLiveStatus.Value {
	case api.TimeToLiveStatusEnabled, api.TimeToLiveStatusEnabling:
		return d.AttributeName.Value, nil
	}
	return "", nil
}
