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

	"github.com/keystone-db/kstone/engine/api"
)

// TestREADMEOperations: the README's table names every operation once, the server serves it, and each test
// that the table names is there.
func TestREADMEOperations(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## What works\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	count := map[string]int{}
	for row := range strings.Lines(section) {
		if cells := strings.Split(row, "|"); len(cells) > 1 {
			for name := range strings.SplitSeq(cells[1], ",") {
				count[strings.TrimSpace(name)]++
			}
		}
	}
	prefix := map[string]string{api.ServiceDynamoDB: "DynamoDB_20120810.", api.ServiceStreams: "DynamoDBStreams_20120810."}
	for _, op := range api.Operations() {
		assert.Equal(t, 1, count[op.Name], op.Name)
		_, body := raw(t, prefix[op.Service]+op.Name, "{}")
		assert.NotContains(t, body, "UnknownOperationException", op.Name)
	}

	// A test is one of this package, or named with the package that it is in.
	for _, m := range regexp.MustCompile(`(?:\b([a-z/]+)\.)?\b(Test\w+)`).FindAllStringSubmatch(section, -1) {
		dir := "."
		if m[1] != "" {
			dir = "../" + m[1]
		}
		assert.True(t, strings.Contains(testCode(t, dir), "func "+m[2]+"("), m[0])
	}
}

// testCode is the text of the tests of a package.
func testCode(t *testing.T, dir string) string {
	t.Helper()
	var code strings.Builder
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		code.Write(text)
	}
	return code.String()
}

// readmeHead is what the README's Go snippets leave out; orders is a reader's own package.
const readmeHead = `package readme

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/keystone-db/kstone/dynamowire/awslocal"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/grpcapi/client"
)

var (
	t      *testing.T
	ctx    context.Context
	orders struct{ NewStore func(*dynamodb.Client) any }

	_ = []any{awslocal.New, engine.Open, client.Dial}
)
`

// TestREADMEGo: the README's Go compiles, with "…" as whatever uses the variables.
func TestREADMEGo(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, blocks)
	loop := regexp.MustCompile(`(?m)^(for (\w+), (\w+) := range .*) \{ … \}`)
	defined := regexp.MustCompile(`(?m)^(\w+)(?:, (\w+))? :=`)
	var code strings.Builder
	code.WriteString(readmeHead)
	for _, block := range blocks {
		code.WriteString("\nfunc _() {\n" + loop.ReplaceAllString(block[1], "$1 { _, _ = $2, $3 }"))
		for _, names := range defined.FindAllStringSubmatch(block[1], -1) {
			for _, name := range names[1:] {
				if name != "" {
					code.WriteString("_ = " + name + "\n")
				}
			}
		}
		code.WriteString("}\n")
	}
	// The package is in this module and yet on no disk.
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "readme.go"), filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, []byte(code.String()), 0o600))
	list, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(root, "compat", "readme", "readme.go"): file},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, list, 0o600))
	out, err := exec.Command("go", "build", "-overlay", overlay, "./readme").CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, code.String())
}

// TestREADMECommandLine runs what the README shows of the command line.
func TestREADMECommandLine(t *testing.T) {
	path, err := filepath.Abs(binary)
	require.NoError(t, err)
	for block, want := range map[string]string{
		"a database of its own":   `"age": 31`,
		"copies, checks and keys": `"age": 31`,
	} {
		script := codeBlock(t, "README.md", block)
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", `kstone() { "$KSTONE" "$@"; }`+"\n"+script)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "KSTONE="+path)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), want)
	}
}

// binaryMaxBytes bounds the stripped binary: what is linked is downloaded, stored and loaded by everybody.
// The AWS client for S3, which archives need, is 3 MB of it. At 30 MB it goes for one of our own.
const binaryMaxBytes = 26_000_000

func TestBinarySize(t *testing.T) {
	info, err := os.Stat(binary)
	require.NoError(t, err)
	assert.LessOrEqual(t, info.Size(), int64(binaryMaxBytes))
}
