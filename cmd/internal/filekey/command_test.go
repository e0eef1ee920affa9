//go:build unix

package filekey

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCommand(t *testing.T) {
	const secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	run := func(command string) ([]byte, string, error) {
		var told bytes.Buffer
		key, err := source(t, "", "--encryption-key-command", command).Key(t.Context(), &told)
		if err != nil {
			assert.NotContains(t, err.Error(), secret[:8])
		}
		assert.NotContains(t, told.String(), secret[:8])
		return key, told.String(), err
	}
	t.Run("what it prints", func(t *testing.T) {
		key, told, err := run("sh -c 'echo asking >&2; echo " + secret + "'")
		require.NoError(t, err)
		assert.Equal(t, byte(0x1f), key[31])
		assert.Equal(t, "asking\n", told)
	})
	t.Run("no shell", func(t *testing.T) {
		_, _, err := run("echo $HOME; echo " + secret)
		require.ErrorContains(t, err, "echo printed no key")
	})
	t.Run("it fails", func(t *testing.T) {
		_, _, err := run("sh -c 'echo " + secret + "; exit 3'")
		require.EqualError(t, err, "--encryption-key-command: sh: exit status 3")
	})
	t.Run("it is not there", func(t *testing.T) {
		_, _, err := run("kstone-has-no-such-program")
		require.ErrorContains(t, err, "kstone-has-no-such-program")
	})
	t.Run("it prints without end", func(t *testing.T) {
		_, _, err := run("sh -c 'head -c 100000 /dev/zero'")
		require.ErrorContains(t, err, "no key")
	})
	t.Run("our keys are not in its environment", func(t *testing.T) {
		t.Setenv("KSTONE_ENCRYPTION_KEY", secret)
		t.Setenv("KSTONE_NEW_ENCRYPTION_KEY", secret)
		_, _, err := run("env")
		require.ErrorContains(t, err, "no key")
		_, _, err = run(`sh -c 'test -z "$KSTONE_ENCRYPTION_KEY$KSTONE_NEW_ENCRYPTION_KEY" && exit 9'`)
		require.ErrorContains(t, err, "exit status 9")
	})
}

// TestOthersMayRead is told, once for each use; a pipe has no readers to speak of.
func TestOthersMayRead(t *testing.T) {
	path := write(t, 0o644, testKey)
	var told bytes.Buffer
	_, err := source(t, "", "--encryption-key-file", path).Key(t.Context(), &told)
	require.NoError(t, err)
	assert.Equal(t, "kstone: other users may read the key in "+path+": chmod 600 it\n", told.String())
}
