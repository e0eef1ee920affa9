package engine

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestTheWidestStreamGrowsOld: a stream of as many shards as there may be lives through days of children
// that come with age, and is trimmed and disabled as any other. Its row could not hold those of a day.
func TestTheWidestStreamGrowsOld(t *testing.T) {
	d := openTest(t, Options{StreamShards: StreamShardsMax})
	arn := d.events("KEYS_ONLY")
	d.put(item1("a", "1"))
	most := 0
	for range 3 * 24 {
		d.later(time.Hour)
		require.NoError(t, d.Work(t.Context()))
		s, err := d.served.Load().stream(arn)
		require.NoError(t, err)
		most = max(most, len(s.Shards))
		var oldest int64 = math.MaxInt64
		for i := range s.Shards {
			if s.Shards[i].Open() {
				oldest = min(oldest, s.Shards[i].CreatedMs)
			}
		}
		require.LessOrEqual(t, d.clock.Now().UnixMilli()-oldest, (24 * time.Hour).Milliseconds(), "they are still replaced")
	}
	require.Greater(t, most, catalog.ShardsMax-StreamShardsMax)
	require.Zero(t, d.kept().Keys)
	d.disable()
}

// TestShardsFitTheirRow: as many shards as there may be are not too long for a value of the store.
func TestShardsFitTheirRow(t *testing.T) {
	id := "shardId-00000001764354914000-12345678"
	sh := schema.Shard{
		ID: id, Parent: id, Slot: StreamShardsMax, From: 1<<32 - 1, To: 1 << 32, First: math.MaxUint64, Last: math.MaxUint64,
		CreatedMs: 9_999_999_999_999, ClosedMs: 9_999_999_999_999,
	}
	s := schema.Stream{Shards: make([]schema.Shard, catalog.ShardsMax)}
	for i := range s.Shards {
		s.Shards[i] = sh
	}
	b, err := json.Marshal(&s)
	require.NoError(t, err)
	require.LessOrEqual(t, len(b)+8<<10, storage.ValueMaxBytes, "with room for the rest")
}
