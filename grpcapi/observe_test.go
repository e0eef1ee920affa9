package grpcapi_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// TestObserve: every call is told of once, with its code and by the given clock.
func TestObserve(t *testing.T) {
	var mu sync.Mutex
	now := time.Unix(0, 0)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
	ended := make(chan grpcapi.CallInfo, 10)
	var log syncBuffer
	client := keystonev1.NewKeystoneDbClient(dial(t, store{}, grpcapi.Options{
		GRPC: grpcapi.Observe(clock, func(c grpcapi.CallInfo) {
			grpcapi.LogCalls(zerolog.New(&log))(c)
			ended <- c
		})}))
	_, err := client.Get(t.Context(), &keystonev1.GetRequest{})
	require.NoError(t, err)
	const service = "/keystone.v1.KeystoneDb/"
	require.Equal(t, grpcapi.CallInfo{Method: service + "Get", Peer: "bufconn", Took: time.Second}, <-ended)
	_, err = client.Put(t.Context(), &keystonev1.PutRequest{})
	require.Error(t, err)
	require.Equal(t, codes.Unimplemented, (<-ended).Code)
	s, err := client.Scan(t.Context(), &keystonev1.ScanRequest{})
	_, err = receive(t, s, err)
	require.Error(t, err)
	require.Equal(t, grpcapi.CallInfo{Method: service + "Scan", Peer: "bufconn", Code: codes.Unimplemented,
		Took: time.Second}, <-ended)
	require.Equal(t, 3, strings.Count(string(log.bytes()), `"level":"debug"`))
	require.Contains(t, string(log.bytes()), `"call":"/keystone.v1.KeystoneDb/Get","peer":"bufconn","code":"OK"`)
}
