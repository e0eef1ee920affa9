package compat

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"
)

// server is a running kstone.
type server struct {
	cmd    *exec.Cmd
	url    string
	grpc   string // HOST:PORT of the gRPC door
	stderr bytes.Buffer
}

// startServer runs `kstone serve ARGS` on free ports and waits until it says that it is ready.
func startServer(args ...string) (*server, error) {
	return startCommand(exec.Command(binary, append([]string{"serve", "--port", "0", "--grpc-port", "0"}, args...)...))
}

func startCommand(cmd *exec.Cmd) (*server, error) {
	s := &server{cmd: cmd}
	cmd.Stderr = &s.stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "export AWS_ENDPOINT_URL_DYNAMODB="); ok {
			s.url = url
		}
		if addr, ok := strings.CutPrefix(lines.Text(), "gRPC on "); ok && s.grpc == "" {
			s.grpc, _, _ = strings.Cut(addr, ",")
		}
		if lines.Text() == "ready" {
			return s, nil
		}
	}
	s.kill()
	return nil, fmt.Errorf("kstone did not become ready: %s", s.stderr.String())
}

// newServer starts a server of the test's own.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	s, err := startServer(args...)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("logs of kstone %v:\n%s", args, s.lastLogs())
		}
	})
	return s
}

// lastLogs are the newest logs of a process that has ended.
func (s *server) lastLogs() []byte {
	const most = 16 << 10
	logs := s.stderr.Bytes()
	return logs[max(0, len(logs)-most):]
}

func (s *server) client() *dynamodb.Client { return newClient(s.url) }

// kill ends the process as a power cut would: no signal that it could handle.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// stop asks the process to end and wants exit code 0.
func (s *server) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, s.cmd.Wait(), s.stderr.String())
}

// raw sends a body as it is, for what the SDK would not send, and returns status and body.
func raw(t *testing.T, target, body string) (int, string) {
	t.Helper()
	if !strings.Contains(target, ".") {
		target = "DynamoDB_20120810." + target
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, shared.url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("X-Amz-Target", target)
	request.Header.Set("X-Amz-Date", "20260101T000000Z")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, "+
		"SignedHeaders=host;x-amz-date;x-amz-target, Signature=0123")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

// missing skips the test for want of a tool; in CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and a skip is a failure in CI", what)
	}
	t.Skipf("skipped: no %s on this machine", what)
}
