package grpcapi

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// addConsumed adds the capacity of a page to that of the pages before; either may be nil.
func addConsumed(sum, page *api.ConsumedCapacity) *api.ConsumedCapacity {
	if sum == nil || page == nil {
		if sum == nil {
			return page
		}
		return sum
	}
	return &api.ConsumedCapacity{
		TableName:              page.TableName,
		CapacityUnits:          addUnits(sum.CapacityUnits, page.CapacityUnits),
		ReadCapacityUnits:      addUnits(sum.ReadCapacityUnits, page.ReadCapacityUnits),
		WriteCapacityUnits:     addUnits(sum.WriteCapacityUnits, page.WriteCapacityUnits),
		Table:                  addCapacity(sum.Table, page.Table),
		LocalSecondaryIndexes:  addIndexes(sum.LocalSecondaryIndexes, page.LocalSecondaryIndexes),
		GlobalSecondaryIndexes: addIndexes(sum.GlobalSecondaryIndexes, page.GlobalSecondaryIndexes),
		VectorIndexes:          page.VectorIndexes, // no scan reads one
	}
}

func addUnits(a, b api.Opt[float64]) api.Opt[float64] {
	return api.Opt[float64]{Value: a.Value + b.Value, Set: a.Set || b.Set}
}

func addCapacity(a, b *api.Capacity) *api.Capacity {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	return &api.Capacity{
		ReadCapacityUnits:  addUnits(a.ReadCapacityUnits, b.ReadCapacityUnits),
		WriteCapacityUnits: addUnits(a.WriteCapacityUnits, b.WriteCapacityUnits),
		CapacityUnits:      addUnits(a.CapacityUnits, b.CapacityUnits),
	}
}

// addIndexes adds the capacities of indexes by their names.
func addIndexes(sum, page []api.SecondaryIndexesCapacityMapEntry) []api.SecondaryIndexesCapacityMapEntry {
	out := slices.Clone(sum)
	for _, e := range page {
		at, found := slices.BinarySearchFunc(out, e.Key, func(e api.SecondaryIndexesCapacityMapEntry, key string) int {
			return strings.Compare(e.Key, key)
		})
		if found {
			out[at].Value = *addCapacity(&out[at].Value, &e.Value)
		} else {
			out = slices.Insert(out, at, e)
		}
	}
	return out
}
