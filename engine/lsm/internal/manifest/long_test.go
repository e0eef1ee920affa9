package manifest

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestALongDeadListIsCutIntoRecords: a record that is longer than a frame may be would be written and
// never read again.
func TestALongDeadListIsCutIntoRecords(t *testing.T) {
	s := NewState()
	for i := range uint32(400) {
		key := binary.BigEndian.AppendUint32(bytes.Repeat([]byte{1}, storage.KeyMaxBytes-4), i)
		require.NoError(t, s.Apply(&Edit{DeadAdd: []storage.Range{{Start: key, End: append(key[:len(key):len(key)], 0)}}}))
	}
	got, total := NewState(), 0
	for _, record := range s.Snapshot() {
		require.Less(t, len(record), RecordTargetBytes+2*storage.KeyMaxBytes+100)
		total += len(record)
		e, err := Decode(record)
		require.NoError(t, err)
		require.NoError(t, got.Apply(&e))
	}
	require.Greater(t, total, 2*log.FramePayloadMaxBytes)
	require.True(t, got.Whole)
	require.Equal(t, s.Dead, got.Dead)
}
