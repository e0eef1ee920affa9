package dynamowire

import (
	"bytes"
	"context"
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

// TestFailuresAreNotShown: whatever storage reports, a client sees an internal error and no cause; the
// log has it.
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
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"TableName":"tab","Key":{"pk":{"S":"a"}}}`))
		r.Header.Set(headerTarget, "DynamoDB_20120810.GetItem")
		r.Header.Set(headerType, contentTypeAmazon)
		r.Header.Set(headerAmzDate, "20260101T000000Z")
		r.Header.Set(headerAuthorization, "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusInternalServerError, w.Code, kind)
		require.Equal(t, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError",`+
			`"message":"Internal server error"}`, w.Body.String(), kind)
		require.Contains(t, log.String(), kind.Error())
		require.Contains(t, log.String(), cause)
	}
}
