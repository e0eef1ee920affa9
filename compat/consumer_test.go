package compat

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nodeModulesEnv names the folder with the packages of testdata/consumer.js: `npm install
// dynamodb-stream@1.1.4 @aws-sdk/client-dynamodb @aws-sdk/client-dynamodb-streams
// @aws-sdk/util-dynamodb` makes one.
const nodeModulesEnv = "KSTONE_NODE_MODULES"

// TestStreamConsumer: a replica that a library of others keeps from the stream equals the table.
func TestStreamConsumer(t *testing.T) {
	modules := os.Getenv(nodeModulesEnv)
	if modules == "" {
		t.Skipf("skipped: %s is not set", nodeModulesEnv)
	}
	for _, shards := range []string{"1", "4"} {
		t.Run(shards, func(t *testing.T) {
			s := newServer(t, "--in-memory", "--stream-shards", shards)
			node := exec.CommandContext(t.Context(), "node", "--no-warnings", "testdata/consumer.js", s.url)
			node.Env = append(os.Environ(), "NODE_PATH="+modules)
			out, err := node.CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Equal(t, "equal after 59 events\n", string(out))
		})
	}
}
