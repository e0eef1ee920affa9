package serve

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

const (
	// BackupPath streams a backup of the database to whoever may read all of it.
	BackupPath = "/_kstone/backup"
	// BackupHeader must be in the request, with any value: a page in somebody's browser cannot send it.
	BackupHeader = "X-Kstone-Backup"
	// backupWriteTimeout is how long a client may take for one write of the stream: the database keeps what it
	// would free until the backup ends.
	backupWriteTimeout = time.Minute
)

// backups serves BackupPath.
type backups struct {
	db       *engine.DB
	verifier *sigv4.Verifier // nil accepts any credentials
	logger   zerolog.Logger
}

func (b *backups) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get(BackupHeader) == "" {
		http.Error(w, "kstone backup --endpoint asks here", http.StatusMethodNotAllowed)
		return
	}
	if err := unrestricted(b.verifier, r, "back up the database"); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	rate, err := strconv.ParseInt(r.URL.Query().Get("rate"), 10, 64)
	if err != nil || rate < 0 {
		http.Error(w, "rate: want bytes a second", http.StatusBadRequest)
		return
	}
	// The deadlines of the server are for answers that are made at once.
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	began := time.Now()
	out := &slowWriter{ResponseWriter: w, control: control}
	info, err := b.db.BackupTo(r.Context(), out, engine.BackupOptions{BytesPerSecond: rate})
	if err != nil {
		if !out.begun {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		b.logger.Warn().Err(err).Msg("a backup failed")
		return
	}
	b.logger.Info().Int64("bytes", info.Bytes).Dur("took_ms", time.Since(began)).Msg("a backup was taken")
}

// unrestricted wants a key that may read and write every table, since a backup has all of them, and may be
// served. what says what is asked for.
func unrestricted(verifier *sigv4.Verifier, r *http.Request, what string) error {
	if verifier == nil {
		return nil
	}
	now := time.Now()
	signed := sigv4.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header,
		BodySum: sha256.Sum256(nil),
	}
	claim, err := verifier.Check(&signed, now)
	if err != nil {
		return err
	}
	key, err := verifier.Verify(&claim, &signed, now)
	if err != nil {
		return err
	}
	if key.ReadOnly || !key.Unbound() {
		return api.Errorf(api.AccessDenied, "User %s may not %s: its access key is restricted", key.User, what)
	}
	return nil
}

// slowWriter gives each write its time.
type slowWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (w *slowWriter) Write(p []byte) (int, error) {
	if err := w.control.SetWriteDeadline(time.Now().Add(backupWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// withOwn serves our own paths beside everything else.
func withOwn(handler http.Handler, b *backups, k *keyInsights) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case BackupPath:
			b.ServeHTTP(w, r)
		case InsightsPath:
			k.ServeHTTP(w, r)
		default:
			handler.ServeHTTP(w, r)
		}
	})
}
