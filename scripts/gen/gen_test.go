package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

const root = "../.."

// The files on disk are what the generator writes, and nothing generated is left over.
func TestUpToDate(t *testing.T) {
	m, err := loadModel(modelJSON)
	require.NoError(t, err)
	files, err := generate(m)
	require.NoError(t, err)
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err, "go run ./scripts/gen")
		require.Equal(t, string(want), string(got), "%s: go run ./scripts/gen", path)
		require.Less(t, strings.Count(string(want), "\n"), 1000, path)
	}
	for _, dir := range []string{"engine/api", "engine/validate", "dynamowire/codec"} {
		onDisk, err := filepath.Glob(filepath.Join(root, dir, "*_gen.go"))
		require.NoError(t, err)
		for _, f := range onDisk {
			rel, err := filepath.Rel(root, f)
			require.NoError(t, err)
			require.Contains(t, files, filepath.ToSlash(rel))
		}
	}
}

// 62 operations of the database and four of its streams (github.com/aws/aws-sdk-go-v2
// service/dynamodb v1.73.1 and dynamodbstreams v1.46.7), each in one family.
func TestModel(t *testing.T) {
	m, err := loadModel(modelJSON)
	require.NoError(t, err)
	require.Len(t, m.Operations, 66)
	family := make(map[string]string)
	for _, f := range families() {
		for _, op := range f.operations {
			require.NotContains(t, family, op)
			family[op] = f.name
		}
	}
	require.Len(t, family, 66)
	codes := make(map[string]bool)
	for _, e := range m.Errors {
		codes[e.Name] = true
		code := api.Code(e.Name)
		require.True(t, code.Known(), e.Name)
		require.Equal(t, e.Text, code.Class().Text, e.Name)
	}
	for _, op := range m.Operations {
		require.Contains(t, family, op.Name)
		for _, e := range op.Errors {
			require.True(t, codes[e], "%s: %s", op.Name, e)
		}
	}
}

// A model that names what it does not describe is refused.
func TestModelErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                               "model.json",
		`{"shapes":{"A":{"kind":"odd"}}}`: `shape A: unknown kind "odd"`,
		`{"shapes":{"A":{"kind":"list","of":"B"}}}`:                                 `shape A: type "B" is not described`,
		`{"shapes":{"A":{"kind":"structure","members":[{"name":"a","type":"B"}]}}}`: `type "B"`,
		`{"shapes":{"A":{"kind":"structure","walk":["a"]}}}`:                        `walk names "a"`,
		`{"operations":[{"name":"X","input":"A","output":"A"}]}`:                    `no structure "A"`,
	} {
		_, err := loadModel([]byte(text))
		require.ErrorContains(t, err, want)
	}
}

func TestCamel(t *testing.T) {
	for in, want := range map[string]string{
		"ALL_OLD": "AllOld", "HASH": "Hash", "KMS": "KMS", "AES256": "AES256",
		"ConditionalCheckFailed": "ConditionalCheckFailed", "dynamodb:x": "DynamodbX",
	} {
		require.Equal(t, want, camel(in), in)
	}
}

// Patterns of the service's language become ones of ours.
func TestGoPattern(t *testing.T) {
	for in, want := range map[string]string{
		`[a-zA-Z0-9_.-]+`: `[a-zA-Z0-9_.-]+`,
		`\p{Print}+`:      `[[:print:]]+`,
		`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`: `[\x{0020}-\x{D7FF}\x{E000}-` +
			`\x{FFFD}\x{10000}-\x{10FFFF}\r\n\t]*`,
	} {
		require.Equal(t, want, goPattern(in))
		require.NotPanics(t, func() { regexp.MustCompile(goPattern(in)) })
	}
}
