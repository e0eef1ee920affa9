package target

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/keystone-db/kstone/cmd/internal/serve"
)

// refusalBytesMax is how much of a refusal is read.
const refusalBytesMax = 4 << 10

// Backup asks the server at Endpoint for a backup, at most so many bytes a second, and returns the stream.
func (t Target) Backup(ctx context.Context, bytesPerSecond int64) (io.ReadCloser, error) {
	if !strings.Contains(t.Endpoint, "://") {
		t.Endpoint = "http://" + t.Endpoint
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("--endpoint %q is no URL such as http://localhost:8000", t.Endpoint)
	}
	who, err := t.identify(ctx, u)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawQuery = serve.BackupPath, fmt.Sprintf("rate=%d", bytesPerSecond)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set(serve.BackupHeader, "1")
	if who.credentials.HasKeys() {
		if err := who.sign(r, nil); err != nil {
			return nil, err
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if bundle := os.Getenv(envCABundle); bundle != "" && u.Scheme == "https" {
		if client, err = trusting(bundle); err != nil {
			return nil, err
		}
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, t.Explain(ctx, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, refusalBytesMax))
	return nil, fmt.Errorf("%s answered %s: %s", t.Endpoint, answer.Status, strings.TrimSpace(string(text)))
}
