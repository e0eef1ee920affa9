package validate

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// Limits of vector indexes (wire-facts §6.27, §9; those of the search schema are from public reports).
const (
	// VectorIndexesMax bounds the vector indexes of a table.
	VectorIndexesMax = 5
	dimensionsMax    = 4096
	inlineFiltersMax = 18
	topKMax          = 100
)

// vectorIndexes checks those of a new table. Their place among the other checks is not known: unsure.
func (c *creation) vectorIndexes() error {
	all := c.in.VectorIndexes
	switch {
	case all == nil:
		return nil
	case len(all) == 0:
		return invalid(api.MsgVectorEmpty)
	case !c.onDemand:
		return invalid(api.MsgVectorBilling)
	}
	dimensions := map[string]int64{}
	for i := range all {
		ix := &all[i]
		if err := c.vectorIndex(vectorOf(ix), keyNames(c.in.KeySchema)); err != nil {
			return err
		}
		name := ix.VectorAttribute.AttributeName.Value
		if n, ok := dimensions[name]; ok && n != ix.Dimensions.Value {
			return invalid(api.MsgVectorDimensionsDiffer, name)
		}
		dimensions[name] = ix.Dimensions.Value
		if err := c.newIndex(ix.IndexName.Value); err != nil {
			return err
		}
	}
	if len(all) > VectorIndexesMax {
		return invalid(api.MsgVectorCount)
	}
	return nil
}

// vectorOf is an index as an action creates one: both have the same members.
func vectorOf(ix *api.VectorIndex) *api.CreateVectorIndexAction {
	return &api.CreateVectorIndexAction{
		IndexName: ix.IndexName, VectorAttribute: ix.VectorAttribute, Dimensions: ix.Dimensions,
		DistanceFunction: ix.DistanceFunction, Projection: ix.Projection, SearchSchema: ix.SearchSchema,
	}
}

// vectorIndex checks one by itself; tableKey are the names of the table's key.
func (c *creation) vectorIndex(ix *api.CreateVectorIndexAction, tableKey []string) error {
	name, vector := ix.IndexName.Value, ix.VectorAttribute.AttributeName.Value
	if n := ix.Dimensions.Value; n < 1 || n > dimensionsMax {
		return invalid(api.MsgVectorDimensions, n, name)
	}
	if slices.Contains(tableKey, vector) {
		return invalid(api.MsgVectorKey, vector, name)
	}
	var names []string
	filters := 0
	for _, e := range ix.SearchSchema {
		attribute := e.AttributeName.Value
		switch {
		case !slices.Contains(c.defined, attribute):
			return invalid(api.MsgSearchSchemaUndefined)
		case attribute == vector:
			return invalid(api.MsgVectorKey, vector, name)
		}
		names = append(names, attribute)
		if e.SearchSchemaElementType.Value == api.SearchSchemaElementTypeInlineFilter {
			filters++
		}
	}
	if twice, ok := repeated(names); ok {
		return invalid(api.MsgSearchSchemaTwice, twice)
	}
	switch {
	case len(names)-filters > 1:
		return invalid(api.MsgSearchSchemaHash, name)
	case filters > inlineFiltersMax:
		return invalid(api.MsgSearchSchemaFilters, name)
	}
	return c.projection(ix.Projection)
}

// NewVectorIndex makes the checks of an index that UpdateTable creates, which come after the table is
// looked up; tableKey are the names of its key.
func NewVectorIndex(ix *api.CreateVectorIndexAction, defined, tableKey []string) error {
	c := creation{defined: defined}
	return c.vectorIndex(ix, tableKey)
}

// vectorUpdates makes the checks of updates of vector indexes as those of global ones.
func vectorUpdates(in *api.UpdateTableInput) error {
	var names []string
	for i := range in.VectorIndexUpdates {
		u := &in.VectorIndexUpdates[i]
		switch {
		case u.Create != nil && u.Delete != nil:
			return invalid(api.MsgVectorUpdateBoth)
		case u.Create != nil:
			names = append(names, u.Create.IndexName.Value)
		case u.Delete != nil:
			names = append(names, u.Delete.IndexName.Value)
		default:
			return invalid(api.MsgVectorUpdateEmpty)
		}
	}
	if name, twice := repeated(names); twice {
		return invalid(api.MsgVectorUpdateTwice, name)
	}
	return nil
}

// SearchVectors makes the static checks of wire-facts §6.28, in the order of Query's: unsure.
func SearchVectors(in *api.SearchVectorsInput) error {
	if err := Constraints(opSearchVectors, in); err != nil {
		return err
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	s := substitutes{in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Bad, memberValues}
	taker := in.SearchConditionExpression.Set
	if err := s.needed(taker || in.ProjectionExpression.Set, taker, memberSearchCondition); err != nil {
		return err
	}
	if k := in.TopK.Value; k < 1 || k > topKMax {
		return invalid(api.MsgTopK)
	}
	for i := range in.Bad {
		if place := in.Bad[i].Place; place == memberSearchVector || strings.HasPrefix(place, memberSearchVector+".") {
			return badAt(in.Bad, place)
		}
	}
	return s.check()
}
