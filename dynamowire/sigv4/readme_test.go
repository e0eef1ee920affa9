package sigv4

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMECredentials: the file that the README shows is one that the server takes.
func TestREADMECredentials(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, block, ok := strings.Cut(string(text), "```ini\n")
	require.True(t, ok, "the README shows a credentials file")
	block, _, _ = strings.Cut(block, "```")
	keys, err := ReadKeys(strings.NewReader(block))
	require.NoError(t, err)
	require.Equal(t, 3, keys.Len())
	report := keys.byID["AKIAREPORT"]
	require.True(t, report.ReadOnly)
	require.False(t, keys.byID["AKIAEXAMPLE"].ReadOnly)
	require.Equal(t, []string{"Music", "Sales-*"}, report.tables)
	require.Equal(t, "210987654321", keys.byID["AKIAPARTNER"].Account)
}
