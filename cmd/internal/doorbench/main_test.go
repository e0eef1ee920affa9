package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// TestMain is a server when a test starts one: servers are this program once more.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-server" {
		if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestCalls: every target answers.
func TestCalls(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-duration", "20ms", "-rounds", "2", "-keys", "50", "-inflight", "2"}, &out))
	for _, target := range []string{"echo", "typed", "grpc", "http"} {
		require.Contains(t, out.String(), target)
	}
}

// TestMemory: a scan of a file has all its parts.
func TestMemory(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-items", "300", "memory"}, &out))
	require.Equal(t, 2, strings.Count(out.String(), "scan of 300 items over grpc: 2 parts"), out.String())
	require.Equal(t, 1, strings.Count(out.String(), "scan of 300 items over http: 1 parts"), out.String())
}

// TestFeed: every record is known again.
func TestFeed(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-records", "100", "-duration", "20ms", "feed"}, &out))
	require.Contains(t, out.String(), "feed of 100 stored records")
	require.Equal(t, 3, strings.Count(out.String(), "feed beside"))
}

// TestItem: the item has the size that figures are told for.
func TestItem(t *testing.T) {
	require.Equal(t, itemBytes, sizeOf(newItem(keyOf(0)).GetAttributes()))
}

// sizeOf is what DynamoDB charges for attributes.
func sizeOf(attributes map[string]*keystonev1.Value) (n int) {
	for name, v := range attributes {
		n += len(name)
		switch v := v.GetValue().(type) {
		case *keystonev1.Value_S:
			n += len(v.S)
		case *keystonev1.Value_N:
			digits := strings.ReplaceAll(v.N, ".", "")
			n += (len(digits)+1)/2 + 1
		case *keystonev1.Value_BOOL:
			n++
		case *keystonev1.Value_SS:
			n += len(strings.Join(v.SS.GetValues(), ""))
		case *keystonev1.Value_M:
			n += 3 + len(v.M.GetEntries()) + sizeOf(v.M.GetEntries())
		}
	}
	return n
}
