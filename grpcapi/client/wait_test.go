package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWait: the default wait lasts as long as it should, ends with its context, and does not begin when the
// context's deadline comes first.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		passed := func() time.Duration { return time.Since(start) }
		require.NoError(t, wait(t.Context(), time.Second))
		require.Equal(t, time.Second, passed())

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, wait(ctx, time.Second/2))
		require.Equal(t, context.DeadlineExceeded, wait(ctx, time.Second))
		require.Equal(t, time.Second/2, passed())

		start = time.Now()
		ctx, cancel = context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second) //nolint:sleep // the clock of the bubble
			cancel()
		}()
		require.Equal(t, context.Canceled, wait(ctx, time.Minute))
		require.Equal(t, time.Second, passed())
	})
}

// TestReads: what counts as a read changes nothing, so it is listed.
func TestReads(t *testing.T) {
	for _, name := range []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems",
		"ExecuteStatement", "ExecuteTransaction", "BatchExecuteStatement", "CreateTable", "UpdateTable", "DeleteTable",
		"TagResource", "UpdateTimeToLive", "PutResourcePolicy", "StartBulkPutItems", "CancelBulkOperation",
		"RestoreTableFromBackup", "EnableKinesisStreamingDestination"} {
		require.False(t, isRead(name, nil), name)
	}
	for _, name := range []string{"GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "GetRecords",
		"GetShardIterator", "DescribeTable", "ListTables", "ListTagsOfResource", "SearchVectors"} {
		require.True(t, isRead(name, nil), name)
	}
}
