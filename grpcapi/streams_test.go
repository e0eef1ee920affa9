package grpcapi_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// endless is a table without end and a stream that always has more.
type endless struct {
	api.Base
	pages   atomic.Int64
	stopped atomic.Int64 // calls that saw the end of their context
	item    attr.Item
}

const (
	endlessItems = 20
	endlessBytes = 50_000 // of an item: a page is 1 MB
)

func newEndless(t *testing.T) *endless {
	it, err := attr.NewItem().S("pk", "a").S("text", strings.Repeat("x", endlessBytes)).Build()
	require.NoError(t, err)
	return &endless{item: it}
}

func (e *endless) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	if in.FilterExpression.Set { // which nothing passes
		return &api.ScanOutput{LastEvaluatedKey: in.ExclusiveStartKey}, nil
	}
	if err := ctx.Err(); err != nil {
		e.stopped.Add(1)
		return nil, err
	}
	if in.Select.Value == "COUNT" { // a scan that answers nothing until its context ends
		<-ctx.Done()
		e.stopped.Add(1)
		return nil, ctx.Err()
	}
	e.pages.Add(1)
	out := &api.ScanOutput{LastEvaluatedKey: e.item, Count: api.Some[int64](endlessItems)}
	for range endlessItems {
		out.Items = append(out.Items, e.item)
	}
	return out, nil
}

func (e *endless) Subscribe(ctx context.Context, in *api.SubscribeInput, deliver func(*api.SubscribeOutput) error) error {
	if err := deliver(&api.SubscribeOutput{Position: "0"}); err != nil {
		return err
	}
	if in.TableName.Value == "Idle" {
		<-ctx.Done()
		e.stopped.Add(1)
		return ctx.Err()
	}
	for n := 1; ; n++ {
		out := &api.SubscribeOutput{Position: strconv.Itoa(100*n + 50)}
		for i := range 4 {
			out.Records = append(out.Records, api.FeedRecord{ShardId: "shard", Record: api.Record{
				Dynamodb: &api.StreamRecord{NewImage: e.item, SequenceNumber: api.Some(strconv.Itoa(100*n + i))}}})
		}
		e.pages.Add(1)
		if err := deliver(out); err != nil {
			e.stopped.Add(1)
			return err
		}
	}
}

// bubble runs a test with a client of an endless table where time stands still until all wait.
func bubble(t *testing.T, test func(t *testing.T, e *endless, client keystonev1.KeystoneDbClient)) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndless(t)
		test(t, e, keystonev1.NewKeystoneDbClient(dial(t, e, grpcapi.Options{})))
	})
}

// TestScanWaits: the server reads one page and waits for the client; a cancel ends the scan within a
// page.
func TestScanWaits(t *testing.T) {
	bubble(t, func(t *testing.T, e *endless, client keystonev1.KeystoneDbClient) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := client.Scan(ctx, &keystonev1.ScanRequest{})
		require.NoError(t, err)
		synctest.Wait()
		require.EqualValues(t, 1, e.pages.Load(), "nothing is read ahead of the client but a page")
		for range endlessItems + 1 {
			_, err = s.Recv()
			require.NoError(t, err)
		}
		synctest.Wait()
		require.EqualValues(t, 2, e.pages.Load())
		cancel()
		synctest.Wait()
		require.LessOrEqual(t, e.pages.Load(), int64(3))
		for err == nil {
			_, err = s.Recv()
		}
		require.Equal(t, codes.Canceled, status.Code(err))
	})
}

// TestCancelWithoutAnswers: a scan that has nothing to send ends too when nobody waits for it.
func TestCancelWithoutAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, e *endless, client keystonev1.KeystoneDbClient) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := client.Scan(ctx, &keystonev1.ScanRequest{FilterExpression: new("a = b"),
			ExclusiveStartKey: item(key("a", "1"))})
		require.NoError(t, err)
		cancel()
		_, err = s.Recv()
		require.Equal(t, codes.Canceled, status.Code(err))
		synctest.Wait() // for the server to end, which it would never
	})
}

// TestDeadline: a deadline reaches the service, and the call ends with it.
func TestDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, e *endless, client keystonev1.KeystoneDbClient) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := client.Scan(ctx, &keystonev1.ScanRequest{Select: new("COUNT")})
		require.NoError(t, err)
		_, err = s.Recv()
		require.Equal(t, codes.DeadlineExceeded, status.Code(err))
		synctest.Wait()
		require.EqualValues(t, 1, e.stopped.Load())
	})
}

// TestSubscribe: the first message comes at once, the server waits for the client, and a part of a
// delivery tells a position to go on from.
func TestSubscribe(t *testing.T) {
	bubble(t, func(t *testing.T, e *endless, client keystonev1.KeystoneDbClient) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := client.Subscribe(ctx, &keystonev1.SubscribeRequest{TableName: new("Tab")})
		require.NoError(t, err)
		first, err := s.Recv()
		require.NoError(t, err)
		require.Empty(t, first.GetRecords())
		require.Equal(t, "0", first.GetPosition())
		synctest.Wait()
		require.LessOrEqual(t, e.pages.Load(), int64(2), "what two windows hold")
		var got, positions []string
		for len(got) < 8 {
			part, err := s.Recv()
			require.NoError(t, err)
			for _, r := range part.GetRecords() {
				require.Equal(t, "shard", r.GetShardId())
				got = append(got, r.GetRecord().GetDynamodb().GetSequenceNumber())
			}
			positions = append(positions, part.GetPosition())
		}
		require.Equal(t, strings.Fields("100 101 102 103 200 201 202 203"), got)
		// Each record is larger than half a part: it comes alone, and its part ends with it.
		require.Equal(t, strings.Fields("100 101 102 150 200 201 202 250"), positions)
		cancel()
		synctest.Wait()
		require.EqualValues(t, 1, e.stopped.Load())
	})
}

// TestStopEndsFeeds: a server that is to stop does not wait for feeds, which would never end.
func TestStopEndsFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndless(t)
		server, conn := serve(t, e, grpcapi.Options{})
		s, err := keystonev1.NewKeystoneDbClient(conn).Subscribe(t.Context(), &keystonev1.SubscribeRequest{TableName: new("Idle")})
		require.NoError(t, err)
		_, err = s.Recv()
		require.NoError(t, err)
		server.GracefulStop()
		_, err = s.Recv()
		require.Equal(t, codes.Unavailable, status.Code(err))
		require.Equal(t, string(api.Unavailable), detailOf(t, err).GetCode())
		require.EqualValues(t, 1, e.stopped.Load())
	})
}
