package dynamowire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/storage"
)

// failing answers GetItem with one error.
type failing struct {
	api.Base
	err error
}

func (f failing) GetItem(context.Context, *api.GetItemInput) (*api.GetItemOutput, error) {
	return nil, f.err
}

// getItemRequest is a well-formed GetItem.
func getItemRequest(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/",
		strings.NewReader(`{"TableName":"tab","Key":{"pk":{"S":"a"}}}`))
	r.Header.Set(headerTarget, "DynamoDB_20120810.GetItem")
	r.Header.Set(headerType, contentTypeAmazon)
	r.Header.Set(headerAmzDate, "20260101T000000Z")
	r.Header.Set(headerAuthorization, "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c")
	return r
}

// reasons are what clients are told of failures of storage; of the others they are told nothing.
func reasons(kind error) string {
	switch {
	case errors.Is(kind, storage.ErrFull):
		return "The disk is full: what needs space is refused until there is some"
	case errors.Is(kind, storage.ErrReadOnly):
		return "The database is open for reading only"
	case errors.Is(kind, storage.ErrCorrupt):
		return "Stored data are damaged"
	}
	return "Internal server error"
}

// TestFailuresAreNotShown: whatever storage reports, a client sees an internal error with what it may know of
// the reason, or that nothing was done; the log has the cause.
func TestFailuresAreNotShown(t *testing.T) {
	for _, kind := range []error{
		storage.ErrUncertain, storage.ErrUnavailable, storage.ErrFull, storage.ErrReadOnly, storage.ErrTooLarge,
		storage.ErrCorrupt, storage.ErrClosed, storage.ErrSnapshotGone, storage.ErrConflict,
	} {
		var log bytes.Buffer
		const cause = "sector 7 of the disk"
		h := NewHandler(failing{err: fmt.Errorf("%w: "+cause, kind)}, Options{
			Clock: time.Now, Logger: zerolog.New(&log),
		})
		r := getItemRequest(t.Context())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		status, body := http.StatusInternalServerError,
			`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"`+reasons(kind)+`"}`
		if errors.Is(kind, storage.ErrUnavailable) {
			status, body = http.StatusServiceUnavailable, `{"__type":"com.amazon.coral.service#ServiceUnavailableException",`+
				`"message":"The request has failed due to a temporary failure of the server."}`
		}
		require.Equal(t, status, w.Code, kind)
		require.Equal(t, body, w.Body.String(), kind)
		require.Contains(t, log.String(), kind.Error())
		require.Contains(t, log.String(), cause)
	}
}

// TestClientsThatLeaveAreNoErrors: a request that ends because its client hung up is no failure of the
// server, and nobody is woken by it. The same error while the client waits is one.
func TestClientsThatLeaveAreNoErrors(t *testing.T) {
	for _, left := range []bool{true, false} {
		var log bytes.Buffer
		h := NewHandler(failing{err: fmt.Errorf("get: %w", context.Canceled)}, Options{
			Clock: time.Now, Logger: zerolog.New(&log),
		})
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		if left {
			leave()
		}
		h.ServeHTTP(httptest.NewRecorder(), getItemRequest(ctx))
		require.Equal(t, left, strings.Contains(log.String(), `"level":"debug"`), log.String())
		require.Equal(t, !left, strings.Contains(log.String(), `"level":"error"`), log.String())
	}
}
