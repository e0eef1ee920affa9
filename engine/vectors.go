package engine

import (
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/index"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
)

// distances are the distance functions by the service's names.
var distances = map[string]schema.Distance{
	api.VectorDistanceFunctionCosine:     schema.DistanceCosine,
	api.VectorDistanceFunctionEuclidean:  schema.DistanceEuclidean,
	api.VectorDistanceFunctionDotProduct: schema.DistanceDot,
}

func distanceName(d schema.Distance) string {
	for name, x := range distances {
		if x == d {
			return name
		}
	}
	return ""
}

// vectorIndexOf is the index that a validated request defines.
func vectorIndexOf(in *api.CreateVectorIndexAction, types map[string]attr.Type) schema.Index {
	v := &schema.Vector{
		Attribute: in.VectorAttribute.AttributeName.Value, Dimensions: int(in.Dimensions.Value),
		Distance: distances[in.DistanceFunction.Value],
	}
	var k schema.Key
	for _, e := range in.SearchSchema {
		a := schema.KeyAttr{Name: e.AttributeName.Value, Type: types[e.AttributeName.Value]}
		if e.SearchSchemaElementType.Value == api.SearchSchemaElementTypeHash {
			k.Hash = append(k.Hash, a)
		} else {
			v.Filters = append(v.Filters, a)
		}
	}
	ix := indexOf(in.IndexName.Value, false, k, in.Projection)
	ix.Vector = v
	return ix
}

// nextVectors makes the index of vectors that is to be created and takes away the one to be deleted, as
// nextIndexes does with global ones.
func nextVectors(in *api.UpdateTableInput, r *catalog.Record) error {
	billing := &r.Billing
	if r.Pending != nil {
		billing = r.Pending
	}
	switch {
	case billing.OnDemand:
	case r.Table.HasVectors():
		return api.Errorf(api.Validation, api.MsgVectorBillingSwitch)
	case len(in.VectorIndexUpdates) > 0:
		return api.Errorf(api.Validation, api.MsgVectorBilling)
	}
	for i := range in.VectorIndexUpdates {
		u := &in.VectorIndexUpdates[i]
		if c := u.Create; c != nil {
			if err := createVectors(c, in.AttributeDefinitions, r); err != nil {
				return err
			}
			continue
		}
		name := u.Delete.IndexName.Value
		if leaving(r, name) {
			return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
		}
		if ix := r.Table.Index(name); ix == nil || ix.Vector == nil {
			return api.Errorf(api.ResourceNotFound, api.MsgIndexNotFound, name, r.Table.Name)
		}
		r.DropIndex(name)
	}
	return nil
}

func createVectors(in *api.CreateVectorIndexAction, definitions []api.AttributeDefinition, r *catalog.Record) error {
	if name := in.IndexName.Value; r.Table.Index(name) != nil || leaving(r, name) {
		return api.Errorf(api.Validation, api.MsgIndexExists)
	}
	types := map[string]attr.Type{}
	for _, a := range r.Definitions {
		types[a.Name] = a.Type
	}
	for _, d := range definitions {
		types[d.AttributeName.Value] = keyType(d.AttributeType.Value)
	}
	var defined []string
	for name := range types {
		defined = append(defined, name)
	}
	if err := validate.NewVectorIndex(in, defined); err != nil {
		return err
	}
	ix := vectorIndexOf(in, types)
	vectors, nonKey := 1, len(ix.NonKey)
	for i := range r.Table.Indexes {
		o := &r.Table.Indexes[i]
		nonKey += len(o.NonKey)
		if o.Vector == nil {
			continue
		}
		vectors++
		if o.Vector.Attribute == ix.Vector.Attribute && o.Vector.Dimensions != ix.Vector.Dimensions {
			return api.Errorf(api.Validation, api.MsgVectorDimensionsDiffer, o.Vector.Attribute)
		}
	}
	switch {
	case vectors > validate.VectorIndexesMax:
		return api.Errorf(api.Validation, api.MsgVectorCount)
	case nonKey > validate.NonKeyAttributesMax:
		return api.Errorf(api.Validation, api.MsgProjectionCount)
	}
	for _, a := range slices.Concat(ix.Key.Hash, ix.Vector.Filters) {
		if err := define(r, a.Name, a.Type, api.KeyTypeHash); err != nil {
			return err
		}
	}
	r.AddIndex(ix)
	return nil
}

// vectorBytes is what the change of an entry is counted for. had says that the item was there before: one
// whose time is over goes as if it had been swept, and nobody pays.
func vectorBytes(had bool, c *index.Change) float64 {
	if !had {
		return capacity.VectorWriteBytes(0, c.NewSize, false)
	}
	return capacity.VectorWriteBytes(c.OldSize, c.NewSize, c.Moved())
}

// describeVectors renders an index of vectors.
func describeVectors(t *catalog.Table, ix *schema.Index, arn string, items, bytes int64) api.VectorIndexDescription {
	d := api.VectorIndexDescription{
		IndexName: api.Some(ix.Name), IndexArn: api.Some(arn + "/index/" + ix.Name),
		VectorAttribute:  &api.VectorAttributeDefinition{AttributeName: api.Some(ix.Vector.Attribute)},
		Dimensions:       api.Some(int64(ix.Vector.Dimensions)),
		DistanceFunction: api.Some(distanceName(ix.Vector.Distance)),
		Projection:       projection(ix), SearchSchema: searchSchema(ix),
		IndexStatus: api.Some(indexStatus(t, ix)),
		ItemCount:   api.Some(items), IndexSizeBytes: api.Some(bytes),
	}
	if j := t.Job(ix.Sub); j != nil && ix.Building {
		d.Backfilling = api.Some(j.Ready)
	}
	return d
}

// searchSchema renders the partition attribute, then the filters in the order in which they were given.
func searchSchema(ix *schema.Index) (list []api.SearchSchemaElement) {
	for _, a := range ix.Key.Hash {
		list = append(list, api.SearchSchemaElement{
			AttributeName: api.Some(a.Name), SearchSchemaElementType: api.Some(api.SearchSchemaElementTypeHash),
		})
	}
	for _, a := range ix.Vector.Filters {
		list = append(list, api.SearchSchemaElement{
			AttributeName: api.Some(a.Name), SearchSchemaElementType: api.Some(api.SearchSchemaElementTypeInlineFilter),
		})
	}
	return list
}

// leavingVectors are those that were deleted and are still being removed.
func leavingVectors(t *catalog.Table, arn string) (list []api.VectorIndexDescription) {
	for i := range t.Jobs {
		if ix := t.Jobs[i].Index; ix != nil && ix.Vector != nil && t.Status != catalog.StatusDeleting {
			d := describeVectors(t, ix, arn, 0, 0)
			d.IndexStatus, d.Backfilling = api.Some(api.IndexStatusDeleting), api.Opt[bool]{}
			list = append(list, d)
		}
	}
	return list
}
