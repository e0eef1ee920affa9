package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCollectingWaitsForReplicas: a database that has no table with replicas when it is opened looks for them later.
func TestCollectingWaitsForReplicas(t *testing.T) {
	other := openTest(t, Options{Region: "eu-west-1"})
	db := openTest(t, Options{})
	waits := func() bool {
		waiting, err := db.served.Load().collectOnce(t.Context())
		require.NoError(t, err)
		return waiting
	}
	require.False(t, waits())
	require.NoError(t, db.Connect("eu-west-1", other))
	require.True(t, waits())
}
