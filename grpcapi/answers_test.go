package grpcapi_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// large answers a page of 1 MB to every query.
type large struct {
	*endless
	queries atomic.Int64
}

func (l *large) Query(ctx context.Context, _ *api.QueryInput) (*api.QueryOutput, error) {
	l.queries.Add(1)
	page, err := l.Scan(ctx, &api.ScanInput{})
	if err != nil {
		return nil, err
	}
	return &api.QueryOutput{Items: page.Items, Count: page.Count}, nil
}

func (l *large) ListTables(context.Context, *api.ListTablesInput) (*api.ListTablesOutput, error) {
	return &api.ListTablesOutput{}, nil
}

// Bounds of the tests: of eight pages.
const (
	pagesMost    = 8
	answersBytes = (pagesMost + 1) << 20 // a page is a little larger than 1 MB, and its buffer too
	slowCalls    = 100
	// slowHeap is what slow clients may take: answersBytes, what a page takes outside of answers, and
	// what the collector and others of the process have. All calls would take three times that.
	slowHeap = 40 << 20
)

// limitAnswers serves large answers with small bounds.
func limitAnswers(t *testing.T) (*limited, *large) {
	t.Helper()
	messages := grpcapi.NewMessages(0, time.Now)
	messages.BoundAnswers(answersBytes, 1<<40, time.Hour)
	svc := &large{endless: newEndless(t)}
	return limit(t, svc, messages), svc
}

// slow is a client that gives calls no window and reads nothing.
func (s *limited) slow(t *testing.T) *flooder {
	return s.flooder(t, false, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
}

// calls makes calls of a method with an empty message each.
func (f *flooder) calls(t *testing.T, from, to int, method string) {
	t.Helper()
	for i := from; i < to; i++ {
		require.NoError(t, f.open(uint32(2*i+1), method))
		require.NoError(t, f.WriteData(uint32(2*i+1), true, make([]byte, 5)))
	}
}

// until asks the server for something small until it is so.
func (s *limited) until(t *testing.T, so func(used, waiting int64) bool) {
	t.Helper()
	for !so(s.messages.AnswerBytes()) {
		_, err := s.others.ListTables(t.Context(), &keystonev1.ListTablesRequest{})
		require.NoError(t, err)
	}
}

// TestAnswersThatAreNotTaken: a client asks for many large answers and takes none. The server makes as
// many as it may hold, answers others, and the rest when the client takes them.
func TestAnswersThatAreNotTaken(t *testing.T) {
	s, svc := limitAnswers(t)
	f := s.slow(t)
	f.calls(t, 0, slowCalls, "Query")
	s.until(t, func(_, waiting int64) bool { return svc.queries.Load()+waiting == slowCalls })
	require.LessOrEqual(t, svc.queries.Load(), int64(pagesMost+1))
	require.GreaterOrEqual(t, svc.queries.Load(), int64(pagesMost/2))
	require.Less(t, heap(), s.heap+slowHeap)
	s.answersOthers(t)

	// The connection goes on being read, and who supervises the server is answered.
	require.NoError(t, f.openPath(2*slowCalls+1, "/grpc.health.v1.Health/Check"))
	require.NoError(t, f.WriteData(2*slowCalls+1, true, make([]byte, 5)))
	headers := map[uint32]int{}
	got := map[uint32]int{}
	next := func() http2.Frame {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			headers[frame.StreamID]++
		case *http2.DataFrame:
			got[frame.StreamID] += len(frame.Data())
			if len(frame.Data()) > 0 {
				require.NoError(t, f.WriteWindowUpdate(0, uint32(len(frame.Data()))))
			}
		}
		return frame
	}
	for headers[2*slowCalls+1] == 0 {
		next()
	}
	require.Less(t, heap(), s.heap+slowHeap)

	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	for ended := 0; ended < slowCalls+1; {
		if h, ok := next().(*http2.HeadersFrame); ok && h.StreamEnded() {
			ended++
		}
	}
	for i := range slowCalls {
		require.Greater(t, got[uint32(2*i+1)], endlessItems*endlessBytes)
	}
	require.EqualValues(t, slowCalls, svc.queries.Load())
	s.until(t, func(used, waiting int64) bool { return used == 0 && waiting == 0 })
}

// TestAnswersThatAreGivenUp: calls that are reset, and connections that end, leave nothing behind, whether
// they were answered or waited.
func TestAnswersThatAreGivenUp(t *testing.T) {
	s, svc := limitAnswers(t)
	f := s.slow(t)
	f.calls(t, 0, slowCalls, "Query")
	s.until(t, func(_, waiting int64) bool { return svc.queries.Load()+waiting == slowCalls })
	for i := range slowCalls {
		require.NoError(t, f.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel))
	}
	empty := func(used, waiting int64) bool { return used == 0 && waiting == 0 }
	s.until(t, empty)

	before := svc.queries.Load()
	f.calls(t, slowCalls, 2*slowCalls, "Query")
	s.until(t, func(_, waiting int64) bool { return svc.queries.Load()-before+waiting == slowCalls })
	require.NoError(t, f.Close())
	s.until(t, empty)
}

// TestStreamsThatAreNotTaken: each of many scans holds a page, of which there are only so many. When they
// are given up there is room again.
func TestStreamsThatAreNotTaken(t *testing.T) {
	s, svc := limitAnswers(t)
	f := s.slow(t)
	f.calls(t, 0, slowCalls, "Scan")
	s.until(t, func(_, waiting int64) bool { return svc.pages.Load()+waiting == slowCalls })
	pages := svc.pages.Load()
	require.LessOrEqual(t, pages, int64(pagesMost+1))
	require.Less(t, heap(), s.heap+slowHeap)
	s.answersOthers(t)
	for i := range slowCalls { // whichever they were
		require.NoError(t, f.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel))
	}
	s.until(t, func(used, waiting int64) bool { return used == 0 && waiting == 0 })

	f.calls(t, slowCalls, slowCalls+1, "Query")
	s.until(t, func(int64, int64) bool { return svc.queries.Load() == 1 })
}

// TestStreamsTakeTurns: more scans than there is room for all go on, while the client reads.
func TestStreamsTakeTurns(t *testing.T) {
	const scans, enough = 2 * pagesMost, 3 * endlessItems * endlessBytes
	s, _ := limitAnswers(t)
	f := s.flooder(t, false, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	require.NoError(t, f.WriteWindowUpdate(0, 1<<30))
	f.calls(t, 0, scans, "Scan")
	got := map[uint32]int{}
	for ended := 0; ended < scans; {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		data, ok := frame.(*http2.DataFrame)
		if !ok {
			continue
		}
		before := got[data.StreamID]
		got[data.StreamID] += len(data.Data())
		if before < enough && got[data.StreamID] >= enough {
			ended++
		}
	}
}

// TestFeedsMax: a connection has as many feeds as it may, and one more when one ends.
func TestFeedsMax(t *testing.T) {
	s, _ := limitAnswers(t)
	open := func() (cancel func(), err error) {
		ctx, cancel := context.WithCancel(t.Context())
		feed, err := s.others.Subscribe(ctx, &keystonev1.SubscribeRequest{TableName: new("Idle")})
		require.NoError(t, err)
		_, err = feed.Recv()
		return cancel, err
	}
	var end func()
	for range grpcapi.FeedsMax {
		cancel, err := open()
		require.NoError(t, err)
		defer cancel()
		end = cancel
	}
	cancel, err := open()
	defer cancel()
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	end()
	for err != nil { // until the server has noticed
		cancel, err = open()
		defer cancel()
	}
}
