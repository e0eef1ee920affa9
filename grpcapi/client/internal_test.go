package client

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
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
		time.AfterFunc(time.Second, cancel)
		require.Equal(t, context.Canceled, wait(ctx, time.Minute))
		require.Equal(t, time.Second, passed())
	})
}

// TestEveryCall: each call of the protocol is one that the client makes.
func TestEveryCall(t *testing.T) {
	made := []string{subscribeCall().method, jsonCall().method}
	for operation, c := range calls() {
		require.True(t, slices.ContainsFunc(api.Operations(), func(o api.Operation) bool { return o.Name == operation }))
		made = append(made, c.method)
	}
	var all []string
	for _, m := range keystonev1.KeystoneDb_ServiceDesc.Methods {
		all = append(all, "/keystone.v1.KeystoneDb/"+m.MethodName)
	}
	for _, m := range keystonev1.KeystoneDb_ServiceDesc.Streams {
		all = append(all, "/keystone.v1.KeystoneDb/"+m.StreamName)
	}
	require.ElementsMatch(t, all, made)
}
