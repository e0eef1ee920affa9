package capacity

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// The formulas of wire-facts §6.5.
func TestUnits(t *testing.T) {
	assert.Equal(t, 0.5, ReadUnits(0, false), "a miss")
	assert.Equal(t, 1.0, ReadUnits(4096, true))
	assert.Equal(t, 2.0, ReadUnits(4097, true))
	assert.Equal(t, 1.0, ReadUnits(4097, false))
	assert.Equal(t, 0.5, PageUnits(0, false))
	assert.Equal(t, 128.0, PageUnits(1<<20, false))
	assert.Equal(t, 2.0, TransactReadUnits(0))
	assert.Equal(t, 4.0, TransactReadUnits(5000))
	assert.Equal(t, 1.0, WriteUnits(0, 0), "delete of a missing item")
	assert.Equal(t, 1.0, WriteUnits(0, 1024))
	assert.Equal(t, 2.0, WriteUnits(1025, 10), "the larger of both")
	assert.Equal(t, 4.0, TransactWriteUnits(0, 1025))
	assert.Equal(t, 2.0, IndexWriteUnits(1025, 100, false))
	assert.Equal(t, 3.0, IndexWriteUnits(1025, 100, true), "moved: both entries are paid")
}

func TestMeterRendersByMode(t *testing.T) {
	m := Meter{TableName: "t", Table: 1}
	m.AddIndex("g", false, 2)
	m.AddIndex("l", true, 1)
	m.AddIndex("g", false, 1)
	require.Nil(t, m.Consumed(api.ReturnConsumedCapacityNone, Plain))
	require.Nil(t, m.Consumed("", Plain))

	total := m.Consumed(api.ReturnConsumedCapacityTotal, TransactWrite)
	require.Equal(t, api.Some(5.0), total.CapacityUnits)
	require.Equal(t, api.Some(5.0), total.WriteCapacityUnits)
	require.False(t, total.ReadCapacityUnits.Set)
	require.Nil(t, total.Table)

	indexes := m.Consumed(api.ReturnConsumedCapacityIndexes, Plain)
	require.Equal(t, api.Some(1.0), indexes.Table.CapacityUnits)
	require.Equal(t, "g", indexes.GlobalSecondaryIndexes[0].Key)
	require.Equal(t, api.Some(3.0), indexes.GlobalSecondaryIndexes[0].Value.CapacityUnits)
	require.Equal(t, "l", indexes.LocalSecondaryIndexes[0].Key)
}
