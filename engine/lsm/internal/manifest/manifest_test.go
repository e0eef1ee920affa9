package manifest

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

func sample() Edit {
	return Edit{
		SegmentAdd:  []Segment{{Num: 3, Extent: log.Extent{Offset: 8192, Length: 4096}}},
		SegmentDrop: []base.ObjectNum{2},
		Tail:        &Tail{LSN: 300, Seq: 4, Segment: 3, Offset: 512, Digest: 0x0102, Epoch: 1},
		TableDrop:   []TableRef{{Stripe: 9, Level: 1, Num: 5}},
		TableAdd: []Table{{Stripe: 255, Level: 0, Offset: 65536, Meta: table.Meta{
			Num: 6, Length: 1000, Smallest: []byte("a"), Largest: []byte("bc"),
			MinLSN: 1, MaxLSN: 2, Entries: 3, Tombstones: 1, Digest: 0x0304,
		}}},
		DeadAdd:     []storage.Range{{Start: []byte("x"), End: []byte("y")}},
		DeadDrop:    []storage.Range{{Start: []byte("z")}},
		Next:        &log.Extent{Offset: 4096, Length: 8192},
		SnapshotEnd: true,
	}
}

func TestFormatVector(t *testing.T) {
	e := sample()
	record := e.Append(nil)
	assert.Equal(t, "0105038040802002010203"+"0fac0204038004020100000000000001"+"0503090105"+
		"041aff01008080"+"04e807060161026263010203"+"010403000000000000"+"060501780101"+"79"+"0703017a00"+
		"08048020"+"8040"+"0900", hex.EncodeToString(record))
	got, err := Decode(record)
	require.NoError(t, err)
	assert.Equal(t, e, got)
}

func TestDecodeRefuses(t *testing.T) {
	for name, record := range map[string]string{
		"unknown tag":    "2000",
		"length beyond":  "0105",
		"rest in field":  "02020102",
		"stripe 256":     "0504800201" + "05",
		"level too high": "0503010705",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(record)
			require.NoError(t, err)
			_, err = Decode(b)
			require.ErrorIs(t, err, errRecord)
		})
	}
}

func TestBoundsRoundOutwards(t *testing.T) {
	long := append(bytes.Repeat([]byte{7}, BoundMaxBytes), 1)
	assert.Equal(t, long[:64], ShortenSmallest(long))
	assert.Positive(t, bytes.Compare(ShortenLargest(long), long))
	assert.Len(t, ShortenLargest(long), 64)
	high := append(bytes.Repeat([]byte{0xff}, BoundMaxBytes), 1)
	assert.Equal(t, high, ShortenLargest(high))
	high[3] = 5
	assert.Equal(t, []byte{0xff, 0xff, 0xff, 6}, ShortenLargest(high))
	assert.Equal(t, []byte("k"), ShortenLargest([]byte("k")))
}

func TestStateAndSnapshot(t *testing.T) {
	s := NewState()
	require.NoError(t, s.Apply(&Edit{
		SegmentAdd: []Segment{{Num: 2, Extent: log.Extent{Offset: 1 << 20, Length: 4096}}},
		TableAdd:   []Table{{Stripe: 9, Level: 1, Meta: table.Meta{Num: 5}}},
		DeadAdd:    []storage.Range{{Start: []byte("z")}, {Start: []byte("a"), End: []byte("b")}},
	}))
	e := sample()
	require.NoError(t, s.Apply(&e))
	for n := range base.ObjectNum(20000) {
		require.NoError(t, s.Apply(&Edit{TableAdd: []Table{{Meta: table.Meta{Num: n + 100}}}}))
	}
	assert.Len(t, s.Segments, 1)
	assert.Len(t, s.Dead, 2)
	require.Error(t, s.Apply(&Edit{TableDrop: []TableRef{{Num: 99}}}))
	require.Error(t, s.Apply(&Edit{TableAdd: []Table{{Meta: table.Meta{Num: 100}}}}))
	require.Error(t, s.Apply(&Edit{SegmentDrop: []base.ObjectNum{77}}))

	records := s.Snapshot()
	assert.Greater(t, len(records), 1)
	got := NewState()
	for i, r := range records {
		assert.Less(t, len(r), RecordTargetBytes+1024)
		assert.False(t, got.Whole, "record %d", i)
		e, err := Decode(r)
		require.NoError(t, err)
		require.NoError(t, got.Apply(&e))
	}
	assert.True(t, got.Whole)
	assert.Equal(t, s.Tail, got.Tail)
	assert.Equal(t, s.Segments, got.Segments)
	assert.Equal(t, s.Dead, got.Dead)
	assert.Len(t, got.Tables, len(s.Tables))
}

func FuzzDecode(f *testing.F) {
	e := sample()
	f.Add(e.Append(nil))
	f.Add([]byte{1, 5, 3})
	f.Fuzz(func(t *testing.T, record []byte) {
		e, err := Decode(record)
		if err != nil {
			return
		}
		again, err := Decode(e.Append(nil))
		require.NoError(t, err)
		assert.Equal(t, e, again)
	})
}
