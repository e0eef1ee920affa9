package target

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// TestReaders share a file; a writer does not.
func TestReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.keystone")
	svc, err := Target{Path: path}.Create(t.Context())
	require.NoError(t, err)
	require.NoError(t, svc.Close())
	for range 2 {
		reader, err := Target{Path: path, ReadOnly: true}.Open(t.Context())
		require.NoError(t, err)
		defer reader.Close()
	}
	_, err = Target{Path: path}.Open(t.Context())
	require.ErrorContains(t, err, "is in use by another kstone")
}

// TestAuthorities: those of AWS_CA_BUNDLE are trusted, as by all AWS tools.
func TestAuthorities(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"TableNames":["one"]}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	tables := func() ([]string, error) {
		svc, err := Target{Endpoint: server.URL}.Open(context.Background())
		if err != nil {
			return nil, err
		}
		defer svc.Close()
		out, err := svc.ListTables(context.Background(), &api.ListTablesInput{})
		if err != nil {
			return nil, err
		}
		return out.TableNames, nil
	}
	environment(t, nil)
	_, err := tables()
	require.ErrorContains(t, err, "certificate")

	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	t.Setenv(envCABundle, bundle)
	_, err = tables()
	require.ErrorContains(t, err, "AWS_CA_BUNDLE: open ")
	require.NoError(t, os.WriteFile(bundle, []byte("none"), 0o600))
	_, err = tables()
	require.ErrorContains(t, err, "has no certificate in PEM form")
	block := pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	require.NoError(t, os.WriteFile(bundle, pem.EncodeToMemory(&block), 0o600))
	got, err := tables()
	require.NoError(t, err)
	assert.Equal(t, []string{"one"}, got)
}

// TestExplainDamage: what was met after the open says what to do about it, too.
func TestExplainDamage(t *testing.T) {
	err := fmt.Errorf("get: %w", engine.ErrDamaged)
	told := Target{Path: "my.keystone"}.Explain(t.Context(), err)
	require.EqualError(t, told, "my.keystone is damaged (get: storage: corrupt): restore a copy, or see what kstone salvage finds in it")
	require.ErrorIs(t, told, engine.ErrDamaged)
	require.Equal(t, err, Target{Endpoint: "http://localhost"}.Explain(t.Context(), err))
}
