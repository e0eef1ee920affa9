package compat

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// TestREADMEOperations: the README's tables name every operation once, on the side where the server
// has it, and only tests that there are.
func TestREADMEOperations(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## What works\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	works, later, found := strings.Cut(section, "| later | operation |")
	require.True(t, found)

	count := map[string]int{}
	state := map[string]bool{} // operation → works
	for side, rows := range map[bool]string{true: works, false: later} {
		column := 2
		if side {
			column = 1
		}
		for row := range strings.Lines(rows) {
			cells := strings.Split(row, "|")
			if len(cells) <= column {
				continue
			}
			for name := range strings.SplitSeq(cells[column], ",") {
				count[strings.TrimSpace(name)]++
				state[strings.TrimSpace(name)] = side
			}
		}
	}
	prefix := map[string]string{api.ServiceDynamoDB: "DynamoDB_20120810.", api.ServiceStreams: "DynamoDBStreams_20120810."}
	for _, op := range api.Operations() {
		assert.Equal(t, 1, count[op.Name], op.Name)
		_, body := raw(t, prefix[op.Service]+op.Name, "{}")
		assert.Equal(t, !state[op.Name], strings.Contains(body, "UnknownOperationException"), "%s: %s", op.Name, body)
	}

	var code strings.Builder
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		code.Write(text)
	}
	for _, test := range regexp.MustCompile(`\bTest\w+`).FindAllString(section, -1) {
		assert.Contains(t, code.String(), "func "+test+"(")
	}
}
