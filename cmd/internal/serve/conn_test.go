package serve

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/engine/api"
)

// serveMetrics serves bodies of the length that size holds, on bound connections.
func serveMetrics(t *testing.T, size *atomic.Int64) (url string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := dynamowire.NewServer(dynamowire.NewHandler(api.Base{}, dynamowire.Options{
		Clock:   time.Now,
		Metrics: func(bool) ([]byte, error) { return metricsBody(int(size.Load())), nil },
	}))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(newLimiter(2, zerolog.Nop()).bound([]net.Listener{l})[0]) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return "http://" + l.Addr().String() + "/metrics"
}

func metricsBody(n int) []byte {
	b := bytes.Repeat([]byte("0123456789abcde\n"), n/16+1)
	return b[:n]
}

// Answers of every size come whole, also behind one that had no body, on one connection.
func TestLargeAnswers(t *testing.T) {
	var size atomic.Int64
	url := serveMetrics(t, &size)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	sizes := []int{0, 1, 2048, 12_345, 200_000}
	for d := -400; d <= 10; d += 5 {
		sizes = append(sizes, dynamowire.GatherMinBytes+d)
	}
	for _, n := range sizes {
		size.Store(int64(n))
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
			require.NoError(t, err)
			answer, err := client.Do(request)
			require.NoError(t, err, fmt.Sprint(method, n))
			got, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.EqualValues(t, n, answer.ContentLength)
			if method == http.MethodGet {
				require.Equal(t, metricsBody(n), got)
			}
		}
	}
}

func TestGather(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	far, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	near, err := newLimiter(1, zerolog.Nop()).bound([]net.Listener{l})[0].Accept()
	require.NoError(t, err)
	c := near.(*boundTCP)
	buffer := metricsBody(dynamowire.GatherMinBytes)
	var want []byte
	write := func(n int, waits bool) {
		t.Helper()
		wrote, err := c.Write(buffer[:n])
		require.NoError(t, err)
		require.Equal(t, n, wrote)
		require.Equal(t, waits, c.held != nil)
		want = append(want, buffer[:n]...)
	}
	write(100, false)
	c.Gather(5000)
	write(4096, true)
	buffer = bytes.Repeat([]byte("x"), 10_000) // who called Write has its memory back
	write(1500, false)
	write(10, false)
	c.Gather(4096)
	write(4096, false)
	c.Gather(100_000)
	write(10_000, false) // long enough for a write of its own
	write(10, false)
	require.NoError(t, c.Close())
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Equal(t, want, got)

	c.Gather(5000)
	_, err = c.Write(buffer[:4096])
	require.NoError(t, err, "nothing was written yet")
	n, err := c.Write(buffer[:1500])
	require.ErrorIs(t, err, net.ErrClosed)
	require.Zero(t, n)
	require.NoError(t, far.Close())
	require.NoError(t, l.Close())
}
