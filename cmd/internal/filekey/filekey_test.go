package filekey

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testKey is 32 bytes, some of them not text.
var testKey = []byte("\x00\xff kstone key for tests, 32 b \r\n")

// source parses a command line.
func source(t *testing.T, prefix string, args ...string) *Source {
	s := &Source{Prefix: prefix}
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.AddFlags(f)
	require.NoError(t, f.Parse(args))
	return s
}

func write(t *testing.T, mode os.FileMode, text []byte) string {
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func TestForms(t *testing.T) {
	require.Len(t, testKey, keyBytes)
	for name, text := range map[string]string{
		"raw":                    string(testKey),
		"hex":                    hex.EncodeToString(testKey),
		"upper hex, newline":     strings.ToUpper(hex.EncodeToString(testKey)) + "\n",
		"base64, CR LF":          base64.StdEncoding.EncodeToString(testKey) + "\r\n",
		"base64 without padding": base64.RawStdEncoding.EncodeToString(testKey),
		"base64 for URLs":        " " + base64.URLEncoding.EncodeToString(testKey) + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse([]byte(text))
			require.NoError(t, err)
			assert.Equal(t, testKey, got)
		})
	}
	for name, text := range map[string]string{
		"empty":          "",
		"31 bytes":       string(testKey[:31]),
		"33 bytes":       string(testKey) + "\n",
		"a password":     "correct horse battery staple, 32",
		"16 bytes":       hex.EncodeToString(testKey[:16]),
		"hex and else":   strings.Repeat("0", 63) + "g",
		"no base64":      strings.Repeat("!", 44),
		"30 bytes":       base64.RawStdEncoding.EncodeToString(testKey[:30]),
		"33 in base64":   base64.RawStdEncoding.EncodeToString(append(testKey[:32:32], 1)),
		"31, two pads =": base64.StdEncoding.EncodeToString(testKey[:31]),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(text))
			require.ErrorContains(t, err, "openssl rand -hex 32")
			if len(text) > 8 {
				assert.NotContains(t, err.Error(), text[:8])
			}
		})
	}
}

func TestSources(t *testing.T) {
	digits := hex.EncodeToString(testKey)
	file := write(t, 0o600, testKey)
	t.Run("none", func(t *testing.T) {
		s := source(t, "")
		assert.False(t, s.Given())
		key, err := s.Key(t.Context(), nil)
		require.NoError(t, err)
		assert.Nil(t, key)
	})
	t.Run("file", func(t *testing.T) {
		var told bytes.Buffer
		key, err := source(t, "", "--encryption-key-file", file).Key(t.Context(), &told)
		require.NoError(t, err)
		assert.Equal(t, testKey, key)
		assert.Empty(t, told.String())
	})
	t.Run("variables", func(t *testing.T) {
		t.Setenv("KSTONE_ENCRYPTION_KEY", digits)
		key, err := source(t, "").Key(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, testKey, key)
		t.Setenv("KSTONE_ENCRYPTION_KEY_FILE", file)
		_, err = source(t, "").Key(t.Context(), nil)
		require.ErrorContains(t, err, "KSTONE_ENCRYPTION_KEY_FILE and KSTONE_ENCRYPTION_KEY exclude each other")
		t.Setenv("KSTONE_ENCRYPTION_KEY", "")
		key, err = source(t, "").Key(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, testKey, key)
	})
	t.Run("another prefix", func(t *testing.T) {
		t.Setenv("KSTONE_NEW_ENCRYPTION_KEY", digits)
		assert.False(t, source(t, "").Given())
		key, err := source(t, "new-").Key(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, testKey, key)
	})
	t.Run("a flag wins", func(t *testing.T) {
		t.Setenv("KSTONE_ENCRYPTION_KEY", strings.Repeat("0", 64))
		key, err := source(t, "", "--encryption-key-file="+file).Key(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, testKey, key)
	})
	t.Run("two flags", func(t *testing.T) {
		s := source(t, "", "--encryption-key-file="+file, "--encryption-key-command=x")
		_, err := s.Key(t.Context(), nil)
		require.ErrorContains(t, err, "--encryption-key-file and --encryption-key-command exclude each other")
	})
	t.Run("an empty flag is a fault", func(t *testing.T) {
		for _, flag := range []string{"file", "command"} {
			_, err := source(t, "", "--encryption-key-"+flag+"=").Key(t.Context(), nil)
			require.Error(t, err)
		}
	})
	t.Run("raw in a variable", func(t *testing.T) {
		t.Setenv("KSTONE_ENCRYPTION_KEY", strings.Repeat("\xff", 32))
		_, err := source(t, "").Key(t.Context(), nil)
		require.ErrorContains(t, err, "KSTONE_ENCRYPTION_KEY: no key")
		assert.NotContains(t, err.Error(), "\xff")
	})
}

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t", nil},
		{"aws kms  decrypt", []string{"aws", "kms", "decrypt"}},
		{`sh -c 'a "b" | c'`, []string{"sh", "-c", `a "b" | c`}},
		{`"C:\Program Files\k.exe" ''`, []string{`C:\Program Files\k.exe`, ""}},
		{`a'b c'"d e"f`, []string{"ab cd ef"}},
		{`$HOME *; x`, []string{"$HOME", "*;", "x"}},
	} {
		got, err := splitWords(tt.line)
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, tt.line)
	}
	for _, line := range []string{`'`, `a "b`, `"it's`} {
		_, err := splitWords(line)
		require.Error(t, err, line)
	}
}
