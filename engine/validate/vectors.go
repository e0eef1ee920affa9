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
		if err := c.vectorIndex(vectorOf(ix)); err != nil {
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

// vectorIndex checks one by itself. That its attribute is no key follows from that it is not defined.
func (c *creation) vectorIndex(ix *api.CreateVectorIndexAction) error {
	name, vector := ix.IndexName.Value, ix.VectorAttribute.AttributeName.Value
	if n := ix.Dimensions.Value; n < 1 || n > dimensionsMax {
		return invalid(api.MsgVectorDimensions)
	}
	var names []string
	filters := 0
	for _, e := range ix.SearchSchema {
		attribute := e.AttributeName.Value
		if !slices.Contains(c.defined, attribute) {
			return invalid(api.MsgSearchSchemaUndefined)
		}
		names = append(names, attribute)
		if e.SearchSchemaElementType.Value == api.SearchSchemaElementTypeInlineFilter {
			filters++
		}
	}
	_, twice := repeated(names)
	switch hashes := len(names) - filters; {
	case hashes > 1:
		return invalid(api.MsgSearchSchemaHash, hashes)
	case twice:
		return invalid(api.MsgSearchSchemaTwice)
	case filters > inlineFiltersMax:
		return invalid(api.MsgSearchSchemaFilters, name)
	case slices.Contains(c.defined, vector):
		return invalid(api.MsgVectorDefined, vector)
	}
	return c.projection(ix.Projection)
}

// NewVectorIndex makes the checks of an index that UpdateTable creates, which come after the table is
// looked up; defined are the attributes that the table or the request defines.
func NewVectorIndex(ix *api.CreateVectorIndexAction, defined []string) error {
	c := creation{defined: defined}
	return c.vectorIndex(ix)
}

// vectorUpdates makes the checks of updates of vector indexes as those of global ones. Two of one index are refused
// with the table at hand, as any two are.
func vectorUpdates(in *api.UpdateTableInput) error {
	for i := range in.VectorIndexUpdates {
		u := &in.VectorIndexUpdates[i]
		switch {
		case u.Create != nil && u.Delete != nil:
			return invalid(api.MsgVectorUpdateBoth)
		case u.Create == nil && u.Delete == nil:
			return invalid(api.MsgVectorUpdateEmpty)
		}
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
		return invalid(api.MsgTopK, k)
	}
	for i := range in.Bad {
		if place := in.Bad[i].Place; place == memberSearchVector || strings.HasPrefix(place, memberSearchVector+".") {
			return badAt(in.Bad, place)
		}
	}
	return s.check()
}
