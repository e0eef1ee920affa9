package capacity

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// Direction says how a transaction's units are shown beside CapacityUnits.
type Direction uint8

const (
	// Plain shows CapacityUnits alone.
	Plain Direction = iota
	// TransactRead also shows ReadCapacityUnits.
	TransactRead
	// TransactWrite also shows WriteCapacityUnits.
	TransactWrite
)

// Meter adds up what one request consumed of one table. The zero Meter is ready.
type Meter struct {
	// TableName is shown as the request named the table: by name or by ARN.
	TableName string
	Table     float64
	indexes   []indexUnits
	vectors   []vectorBytes
}

// vectorBytes is what was written to an index of vectors.
type vectorBytes struct {
	name  string
	bytes float64
}

// AddVector counts bytes that were written to an index of vectors, which are no units.
func (m *Meter) AddVector(name string, bytes float64) {
	for i := range m.vectors {
		if m.vectors[i].name == name {
			m.vectors[i].bytes += bytes
			return
		}
	}
	at, _ := slices.BinarySearchFunc(m.vectors, name, func(v vectorBytes, name string) int { return strings.Compare(v.name, name) })
	m.vectors = slices.Insert(m.vectors, at, vectorBytes{name: name, bytes: bytes})
}

type indexUnits struct {
	name  string
	local bool
	units float64
}

// AddIndex counts units of an index.
func (m *Meter) AddIndex(name string, local bool, units float64) {
	for i := range m.indexes {
		if m.indexes[i].name == name {
			m.indexes[i].units += units
			return
		}
	}
	m.indexes = append(m.indexes, indexUnits{name: name, local: local, units: units})
}

// Total of table and indexes.
func (m *Meter) Total() float64 {
	total := m.Table
	for i := range m.indexes {
		total += m.indexes[i].units
	}
	return total
}

// Consumed renders the meter for ReturnConsumedCapacity; nil for NONE or absent.
func (m *Meter) Consumed(mode string, d Direction) *api.ConsumedCapacity {
	if mode != api.ReturnConsumedCapacityTotal && mode != api.ReturnConsumedCapacityIndexes {
		return nil
	}
	c := &api.ConsumedCapacity{TableName: api.Some(m.TableName), CapacityUnits: api.Some(m.Total())}
	switch d {
	case TransactRead:
		c.ReadCapacityUnits = c.CapacityUnits
	case TransactWrite:
		c.WriteCapacityUnits = c.CapacityUnits
	}
	if mode == api.ReturnConsumedCapacityTotal {
		return c
	}
	c.Table = entry(m.Table, d)
	for _, ix := range m.indexes {
		e := api.SecondaryIndexesCapacityMapEntry{Key: ix.name, Value: *entry(ix.units, d)}
		if ix.local {
			c.LocalSecondaryIndexes = append(c.LocalSecondaryIndexes, e)
		} else {
			c.GlobalSecondaryIndexes = append(c.GlobalSecondaryIndexes, e)
		}
	}
	for _, v := range m.vectors {
		c.VectorIndexes = append(c.VectorIndexes, api.VectorIndexesCapacityMapEntry{
			Key: v.name, Value: api.VectorCapacity{VectorWriteRequestBytes: api.Some(v.bytes)},
		})
	}
	return c
}

func entry(units float64, d Direction) *api.Capacity {
	e := &api.Capacity{CapacityUnits: api.Some(units)}
	switch d {
	case TransactRead:
		e.ReadCapacityUnits = e.CapacityUnits
	case TransactWrite:
		e.WriteCapacityUnits = e.CapacityUnits
	}
	return e
}

// Indexes calls fn with what was consumed of each index.
func (m *Meter) Indexes(fn func(name string, local bool, units float64)) {
	for _, ix := range m.indexes {
		fn(ix.name, ix.local, ix.units)
	}
}
