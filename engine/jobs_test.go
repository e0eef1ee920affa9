package engine

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// TestBackfillTellsProgress: the log says when a backfill has begun, how far it is after so many items,
// and what it did; which index it fills, or none for times to live.
func TestBackfillTellsProgress(t *testing.T) {
	const items = 1200 // two whole steps and a part of one
	var log bytes.Buffer
	d := openTest(t, Options{Logger: zerolog.New(&log), progressItems: 1000})
	d.orders()
	for i := range items {
		item := attr.NewItem().S("pk", "a").N("sk", strconv.Itoa(i)).N("t", "4000000000")
		if i%2 == 0 {
			item = item.S("x", "one").N("y", "5")
		}
		d.put(item)
	}
	log.Reset()
	_, err := d.UpdateTable(t.Context(), creating("orders", "late", "KEYS_ONLY"))
	require.NoError(t, err)
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, []string{
		`{"level":"info","table":"orders","index":"late","items":512,"entries":256,"message":"backfill in progress"}`,
		`{"level":"info","table":"orders","index":"late","items":1024,"entries":512,"message":"backfill in progress"}`,
		`{"level":"info","table":"orders","index":"late","items":1200,"entries":600,"message":"backfill finished"}`,
	}, strings.Split(strings.TrimSpace(log.String()), "\n"))

	log.Reset()
	_, err = d.UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{
		TableName: api.Some("orders"), TimeToLiveSpecification: &api.TimeToLiveSpecification{
			AttributeName: api.Some("t"), Enabled: api.Some(true),
		},
	})
	require.NoError(t, err)
	require.NoError(t, d.Work(t.Context()))
	require.Equal(t, []string{
		`{"level":"info","table":"orders","items":512,"entries":512,"message":"backfill in progress"}`,
		`{"level":"info","table":"orders","items":1024,"entries":1024,"message":"backfill in progress"}`,
		`{"level":"info","table":"orders","items":1200,"entries":1200,"message":"backfill finished"}`,
	}, strings.Split(strings.TrimSpace(log.String()), "\n"))
}
