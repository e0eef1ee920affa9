package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// javascript is a copy of js with its packages, as the lock file names them, outside of the checkout.
func javascript(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool)
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("js")))
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	out, err := install.CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}

// node runs a script with the address of a server and returns its output.
func node(t *testing.T, dir, script, url string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "--no-warnings", script, url)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// TestJavaScript runs the flows of js/*.flow.mjs by the AWS SDK for JavaScript, and a replica of a
// table that a library of others (dynamodb-stream) keeps from its stream.
func TestJavaScript(t *testing.T) {
	dir := javascript(t)
	flows, err := filepath.Glob("js/*.flow.mjs")
	require.NoError(t, err)
	require.NotEmpty(t, flows)
	for _, flow := range flows {
		script := filepath.Base(flow)
		t.Run(strings.TrimSuffix(script, ".flow.mjs"), func(t *testing.T) {
			assert.Empty(t, node(t, dir, script, shared.url))
		})
	}
	for _, shards := range []string{"1", "4"} {
		t.Run("consumer of "+shards, func(t *testing.T) {
			s := newServer(t, "--in-memory", "--stream-shards", shards)
			assert.Equal(t, "equal after 59 events\n", node(t, dir, "consumer.js", s.url))
		})
	}
}
