package ondisk

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/keystone-db/kstone/engine/storage"
)

func TestDropNotes(t *testing.T) {
	for _, r := range []storage.Range{{Start: []byte("a"), End: []byte("b")}, {Start: []byte{}}, {Start: []byte("a"), End: []byte{}}} {
		record := AppendDrop(nil, r)
		got, ok := Drop(record)
		assert.True(t, ok)
		assert.Equal(t, r, got)
		for n := range record {
			_, ok := Drop(record[:n])
			assert.False(t, ok, "%d bytes", n)
		}
		_, ok = Drop(append(record, 0))
		assert.False(t, ok)
	}
	_, ok := Mark([]byte{PayloadMark, 1, 0, 0, 0, 0, 0, 0})
	assert.False(t, ok)
	millis, ok := Mark([]byte{PayloadMark, 1, 0, 0, 0, 0, 0, 0, 0})
	assert.True(t, ok)
	assert.Equal(t, int64(1), millis)
}
