package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kstone": main})
}

// terminals makes pseudo-terminals; some sandboxes have none.
const terminals = "/dev/ptmx"

// TestScripts runs testdata/script: the command line as a person meets it. The short form, for the race detector,
// is the scripts with a server in them.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txt"))
	require.NoError(t, err)
	var files []string
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotRegexp(t, `(?m)^stop`, string(text), "%s: stop ends a script as passed: use halt", name)
		if !testing.Short() || strings.Contains(string(text), "\nstart ") || strings.HasPrefix(string(text), "start ") {
			files = append(files, name)
		}
	}
	require.NotEmpty(t, files)
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			// Under the race detector every command would sleep for a second at its end otherwise.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			// Whoever has the default port of the gRPC door would be warned of.
			env.Setenv("KSTONE_GRPC_PORT", "0")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "terminals" {
				return false, fmt.Errorf("no condition %s", name)
			}
			f, err := os.OpenFile(terminals, os.O_RDWR, 0)
			if err != nil {
				return false, nil //nolint:nilerr // what cannot be opened is not there
			}
			return true, f.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "halt": halt, "get": get, "exits": exits, "flip": flip,
		},
	})
}

// child is a server that a script started.
type child struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// start ARGS…: run kstone in the background until it says "ready". $URL, $PORT and $GRPC_PORT are set; its
// output so far is in the file stdout. The gRPC door has a free port unless the script says more.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("start cannot be negated: use exec")
	}
	path, err := lookPath(ts.Getenv("PATH"), "kstone")
	ts.Check(err)
	c := &child{cmd: exec.Command(path, args...)}
	c.cmd.Dir = ts.Getenv("WORK")
	c.cmd.Env = environment(ts)
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(c.cmd.Start())
	ts.Defer(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		ts.Logf("logs of kstone %v:\n%s", args, c.stderr.String()) // shown when the script fails
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(&c.stdout, lines.Text())
		if url, ok := strings.CutPrefix(lines.Text(), "export AWS_ENDPOINT_URL_DYNAMODB="); ok {
			ts.Setenv("URL", url)
			ts.Setenv("PORT", url[strings.LastIndex(url, ":")+1:])
		}
		if addr, ok := strings.CutPrefix(lines.Text(), "gRPC on "); ok {
			addr, _, _ = strings.Cut(addr, ",")
			ts.Setenv("GRPC_PORT", addr[strings.LastIndex(addr, ":")+1:])
		}
		if lines.Text() == "ready" {
			ts.Check(os.WriteFile(ts.MkAbs("stdout"), c.stdout.Bytes(), 0o600))
			running.Store(ts, c)
			return
		}
	}
	_ = c.cmd.Wait()
	ts.Fatalf("kstone %v did not become ready: %s", args, c.stderr.String())
}

// running holds the last server of each script; scripts run in parallel.
var running sync.Map // *testscript.TestScript → *child

// halt [SIGNAL]: end the server that start began, with TERM or INT, which must exit 0. Its logs are in
// the file stderr then.
func halt(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := running.LoadAndDelete(ts)
	if !ok || neg {
		ts.Fatalf("halt: no server")
	}
	c := value.(*child)
	signal := syscall.SIGTERM
	if len(args) > 0 && args[0] == "INT" {
		signal = syscall.SIGINT
	}
	ts.Check(c.cmd.Process.Signal(signal))
	err := c.cmd.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), c.stderr.Bytes(), 0o600))
	if err != nil {
		ts.Fatalf("after %v: %v: %s", signal, err, c.stderr.String())
	}
}

// exits CODE PROGRAM ARGS…: exec that wants the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// flip FILE OFFSET…: turn a bit of the byte at each offset.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: flip FILE OFFSET…")
	}
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	for _, a := range args[1:] {
		at, err := strconv.Atoi(a)
		ts.Check(err)
		b[at] ^= 0x10
	}
	ts.Check(os.WriteFile(name, b, 0o600))
}

// get URL: fails unless the answer has status 200.
func get(ts *testscript.TestScript, neg bool, args []string) {
	answer, err := http.Get(args[0])
	if err == nil {
		err = answer.Body.Close()
	}
	good := err == nil && answer.StatusCode == http.StatusOK
	if good == neg {
		ts.Fatalf("get %s: %v", args[0], err)
	}
}

// environment is the script's own: testscript gives no list of it.
func environment(ts *testscript.TestScript) []string {
	env := []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "KSTONE_GRPC_PORT=0"}
	for _, name := range []string{"HOST", "PORT", "PORT_FILE", "DB", "IN_MEMORY", "SYNC", "REGION", "NO_AUTH", "LOG_LEVEL", "ENCRYPTION_KEY", "GRPC_PORT"} {
		if v := ts.Getenv("KSTONE_" + name); v != "" {
			env = append(env, "KSTONE_"+name+"="+v)
		}
	}
	return env
}

func lookPath(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if full, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("no %s in %s", name, path)
}
