package compat

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDockerfile runs the build and health commands of the Dockerfile and starts what it would
// start, with its environment and the arguments of a compose file for a local substitute. It needs
// no container engine.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "Dockerfile"))
	require.NoError(t, err)
	dir := t.TempDir()
	line := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(string(text))
		require.NotNil(t, m, pattern)
		return m[1]
	}
	build := exec.CommandContext(t.Context(), "bash", "-euc", strings.ReplaceAll(line(`(?m)^RUN (CGO_ENABLED=0 go build .*)$`), "/out/", dir+"/"))
	build.Dir, build.Env = "..", append(os.Environ(), "VERSION=v1.2.3-test")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	image := filepath.Join(dir, "kstone")
	out, err = exec.CommandContext(t.Context(), image, "version").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "kstone v1.2.3-test ")

	var entry, health []string
	require.NoError(t, json.Unmarshal([]byte(line(`(?m)^ENTRYPOINT (.*)$`)), &entry))
	require.NoError(t, json.Unmarshal([]byte(line(`(?m)^HEALTHCHECK .* CMD (.*)$`)), &health))
	assert.Equal(t, "/usr/local/bin/kstone", entry[0])
	assert.Equal(t, entry[0], health[0])
	assert.Regexp(t, `(?m)^USER [1-9]`, string(text), "not root")
	assert.Contains(t, string(text), "\nEXPOSE 8000 50051\n")

	env := strings.Fields(strings.ReplaceAll(line(`(?m)^ENV (.*)$`), "/data/", dir+"/"))
	for _, args := range [][]string{{"serve"}, {"-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb"}} {
		cmd := exec.Command(image, args...)
		cmd.Env = append(append(os.Environ(), env...), "KSTONE_PORT=0", "KSTONE_GRPC_PORT=0")
		s, err := startCommand(cmd)
		require.NoError(t, err)
		t.Cleanup(s.kill)
		for i := range health {
			health[i] = strings.Replace(health[i], "http://127.0.0.1:8000", s.url, 1)
		}
		require.NoError(t, exec.CommandContext(t.Context(), image, health[1:]...).Run())
		s.stop(t)
		require.Error(t, exec.CommandContext(t.Context(), image, health[1:]...).Run(), "nobody is there")
		health[len(health)-1] = "http://127.0.0.1:8000"
	}
	assert.FileExists(t, filepath.Join(dir, "kstone.keystone"))
}
