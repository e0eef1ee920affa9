package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/keystone-db/kstone/cmd/internal/flags"
)

// terminal opens a pseudo-terminal of a width: what is written to in comes out of screen.
func terminal(t *testing.T, columns uint16) (screen, in *os.File) {
	t.Helper()
	screen, err := os.OpenFile(terminals, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
	in, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = in.Close() })
	return screen, in
}

// onTerminal is what a command shows.
func onTerminal(t *testing.T, columns uint16, args ...string) string {
	t.Helper()
	screen, in := terminal(t, columns)
	var stderr bytes.Buffer
	code := run(args, in, &stderr)
	require.Zero(t, code, stderr.String())
	const end = "this is the end"
	_, err := in.WriteString(end + "\n")
	require.NoError(t, err)
	var shown string
	for lines := bufio.NewReader(screen); ; {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		if strings.HasPrefix(line, end) {
			return shown
		}
		shown += strings.ReplaceAll(line, "\r\n", "\n")
	}
}

// TestTerminal pins that people get tables that fit, and programs JSON.
func TestTerminal(t *testing.T) {
	for _, name := range []string{"output", "json"} {
		t.Setenv(flags.EnvironmentName(name), "")
	}
	db := filepath.Join(t.TempDir(), "db.keystone")
	var quiet bytes.Buffer
	require.Zero(t, run([]string{"create", db}, &quiet, &quiet), quiet.String())
	require.Zero(t, run([]string{"put", db, "alice", `{"age":30,"about":"` + strings.Repeat("much ", 20) + `"}`}, &quiet, &quiet), quiet.String())
	assert.Empty(t, quiet.String())

	assert.Equal(t, ""+
		"+-------+--------------------+-----+\n"+
		"| pk    | about              | age |\n"+
		"+-------+--------------------+-----+\n"+
		"| alice | much much much mu… | 30  |\n"+
		"+-------+--------------------+-----+\n", onTerminal(t, 36, "get", db, "alice"))
	assert.Equal(t, "+-------+\n| table |\n+-------+\n| items |\n+-------+\n(1 row)\n", onTerminal(t, 80, "tables", db))
	assert.Contains(t, onTerminal(t, 80, "describe", db), "| key     | pk (S)")
	assert.Equal(t, "[{\"age\":30}]\n", onTerminal(t, 80, "scan", db, "--attributes", "age", "--output", "compact"))

	require.Zero(t, run([]string{"scan", db, "--attributes", "age"}, &quiet, &quiet))
	assert.Equal(t, "[\n  {\n    \"age\": 30\n  }\n]\n", quiet.String())
}
