package serve

import (
	"bytes"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/grpcapi/client"
)

func TestGRPCPort(t *testing.T) {
	p := GRPCPort{Port: GRPCPortDefault}
	require.Equal(t, "50051", p.String())
	require.NoError(t, p.Set("0"))
	require.Equal(t, GRPCPort{Asked: true}, p)
	require.NoError(t, p.Set("off"))
	require.Equal(t, GRPCPort{Off: true, Asked: true}, p)
	require.Equal(t, "off", p.String())
	require.NoError(t, p.Set("65535"))
	require.Equal(t, GRPCPort{Port: 65535, Asked: true}, p)
	for _, text := range []string{"", "-1", "65536", "OFF", "one"} {
		require.EqualError(t, p.Set(text), "want a whole number from 0 to 65535, or off")
	}
}

// TestATakenGRPCPort: one that nobody asked for is done without, one that somebody did is a failure.
func TestATakenGRPCPort(t *testing.T) {
	taken, err := listen(t.Context(), HostDefault, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, closeAll(taken)) }()
	port := uint16(portOf(taken[0]))
	try := func(c Config) ([]net.Listener, error) {
		c.Host, c.GRPCPort.Port = HostDefault, port
		return listenGRPC(t.Context(), c, zerolog.Nop())
	}
	listeners, err := try(Config{})
	require.NoError(t, err)
	require.Empty(t, listeners)
	listeners, err = try(Config{GRPCPort: GRPCPort{Off: true}})
	require.NoError(t, err)
	require.Empty(t, listeners)
	for _, asked := range []Config{{GRPCPort: GRPCPort{Asked: true}}, {GRPCPortFile: "port"}, {GRPCOnly: true}} {
		_, err = try(asked)
		require.ErrorContains(t, err, "is taken")
	}
	require.ErrorContains(t, explainListen("localhost", port, Config{GRPCOnly: true}.grpcFlag(), syscall.EADDRINUSE), "another with --port ")
}

// TestCallsAreLogged: at debug level only.
func TestCallsAreLogged(t *testing.T) {
	for level, want := range map[zerolog.Level]int{zerolog.DebugLevel: 1, zerolog.InfoLevel: 0} {
		db, err := engine.Open("", engine.Options{InMemory: true})
		require.NoError(t, err)
		listeners, err := listen(t.Context(), "127.0.0.1", 0)
		require.NoError(t, err)
		var logs bytes.Buffer
		server := newGRPC(Config{}, db, &door{}, listeners, zerolog.New(&logs).Level(level))
		done := make(chan error, 1)
		go func() { done <- server.Serve(listeners[0]) }()
		c, err := client.Dial(listeners[0].Addr().String(), client.Options{})
		require.NoError(t, err)
		for range c.Tables(t.Context()) {
			t.Error("there is none")
		}
		require.NoError(t, c.Close())
		server.GracefulStop()
		require.NoError(t, <-done)
		require.NoError(t, db.Close())
		require.Equal(t, want, strings.Count(logs.String(), `"call":"/keystone.v1.KeystoneDb/ListTables"`), logs.String())
	}
}
