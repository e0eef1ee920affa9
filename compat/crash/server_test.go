package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BinaryEnv names the environment variable with the path of a built binary.
const BinaryEnv = "KSTONE_BIN"

const (
	// startMax bounds a start, recovery included.
	startMax = 5 * time.Minute
	// pollEvery is the pause between looks for a starting server.
	pollEvery = 2 * time.Millisecond
	// answerMax bounds one request.
	answerMax = 2 * time.Minute
	// quitMax is how long a server may take to say what it does.
	quitMax = 10 * time.Second
	// After so many kills the processes of a test may live twice as long, and killsMax are too many.
	killsDouble = 50
	killsMax    = 10 * killsDouble
)

// lives are how long the processes of a test live, by chance. The bound grows with the kills, so that work
// that goes on after each of them comes to its end on a machine of any speed.
type lives struct {
	rnd   *rand.Rand
	kills int
}

// next is the life of the next process, given its bound on a machine that is quick.
func (l *lives) next(t *testing.T, most time.Duration) time.Duration {
	t.Helper()
	require.Less(t, l.kills, killsMax, "the work does not end")
	most <<= l.kills / killsDouble
	l.kills++
	return time.Duration(l.rnd.Int64N(int64(most)))
}

// binary returns the path of the program, built when nobody gave one.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(BinaryEnv); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "kstone")
	build := exec.Command("go", "build", "-o", path, "github.com/keystone-db/kstone/cmd/kstone")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// server is one process on the database file.
type server struct {
	cmd    *exec.Cmd
	exited chan struct{}
	log    *bytes.Buffer
	url    string
	client *http.Client
}

// start runs the binary on a file, with more flags, and waits until it says where it listens.
func start(t *testing.T, bin, file string, more ...string) *server {
	t.Helper()
	portFile := filepath.Join(t.TempDir(), "port")
	s := &server{exited: make(chan struct{}), log: &bytes.Buffer{}}
	s.cmd = exec.Command(bin, append([]string{"serve", "--db", file, "--host", "127.0.0.1", "--port", "0", "--grpc-port", "off",
		"--port-file", portFile, "--sync", "always", "--log-level", "warn"}, more...)...)
	s.cmd.Stderr = s.log
	require.NoError(t, s.cmd.Start())
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // a killed process has no good exit
	}()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() && s.log.Len() > 0 {
			t.Logf("logs of %v:\n%s", s.cmd.Args[1:], s.log)
		}
	})
	s.client = &http.Client{
		Timeout:   answerMax,
		Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true},
	}
	s.url = "http://127.0.0.1:" + s.awaitPort(t, portFile) + "/"
	return s
}

func (s *server) awaitPort(t *testing.T, portFile string) string {
	t.Helper()
	deadline := time.NewTimer(startMax)
	defer deadline.Stop()
	for {
		text, err := os.ReadFile(portFile)
		if port := strings.TrimSpace(string(text)); err == nil && port != "" {
			return port
		}
		select {
		case <-s.exited:
			t.Fatalf("the server ended at its start: %s", s.log)
		case <-deadline.C:
			s.quit()
			t.Fatalf("the server does not start")
		case <-time.After(pollEvery):
		}
	}
}

// kill sends SIGKILL and waits until the process is gone.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.exited
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
}

// quit has a server that hangs write into its log what its goroutines do.
func (s *server) quit() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // where there are signals
	select {
	case <-s.exited:
	case <-time.After(quitMax):
	}
}

// answer is what a request came to: a status, or none when the connection broke.
type answer struct {
	status int
	body   map[string]any
	kind   string // the error's name
}

func (a answer) ok() bool { return a.status == http.StatusOK }

// call sends one operation.
func (s *server) call(ctx context.Context, operation string, in any) answer {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err) // requests are built here
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", target(operation))
	req.Header.Set("X-Amz-Date", "20260101T000000Z")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=crash/20260101/us-east-1/dynamodb/"+
		"aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}
	}
	a := answer{status: res.StatusCode}
	if json.Unmarshal(text, &a.body) != nil {
		return answer{kind: fmt.Sprintf("not JSON: %.100s", text), status: res.StatusCode}
	}
	if kind, ok := a.body["__type"].(string); ok {
		a.kind = kind[strings.LastIndex(kind, "#")+1:]
	}
	return a
}
