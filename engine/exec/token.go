package exec

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// Request tokens live in a space a ten-minute window, so that old ones go as whole ranges. A token
// is looked for in the current window and the one before, and counts for ten minutes from its
// transaction. The windows are numbered by a stored clock that never goes back.
const (
	// DigestBytes is the length of a request's digest.
	DigestBytes = sha256.Size
	// tokenLifeMs is how long a token holds: ten minutes.
	tokenLifeMs = 10 * 60 * 1000
	// tokenWindows is how many windows a token is looked for in.
	tokenWindows = 2
	// tokenKeepWindows is how many windows are kept before the current one: one more than is read,
	// for transactions that were bound just before the window turned.
	tokenKeepWindows = 2
	// metaTokenWindow is the row of the stored clock.
	metaTokenWindow = "token-window"
)

// Stored token: digest 32 · time in ms 8 (big-endian) · uvarint sizes.
type token struct {
	digest [DigestBytes]byte
	atMs   int64
	sizes  []int
}

func encodeToken(digest [DigestBytes]byte, at time.Time, sizes []int) []byte {
	b := make([]byte, 0, DigestBytes+8+3*len(sizes))
	b = append(b, digest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli()))
	for _, n := range sizes {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func decodeToken(b []byte) (token, error) {
	var t token
	if len(b) < DigestBytes+8 {
		return t, fmt.Errorf("exec: request token: %w", storage.ErrCorrupt)
	}
	copy(t.digest[:], b)
	t.atMs = int64(binary.BigEndian.Uint64(b[DigestBytes:]))
	for b = b[DigestBytes+8:]; len(b) > 0; {
		n, used := binary.Uvarint(b)
		if used <= 0 {
			return t, fmt.Errorf("exec: request token: %w", storage.ErrCorrupt)
		}
		t.sizes = append(t.sizes, int(n))
		b = b[used:]
	}
	return t, nil
}

// tokenClock is the stored number of the newest window.
type tokenClock struct {
	window atomic.Uint64
	// mu is held while the stored clock moves.
	mu sync.Mutex
	// dropped is the oldest window that may still hold tokens.
	dropped uint64
}

func (c *tokenClock) load(ctx context.Context, store storage.Store) error {
	v, err := store.Get(ctx, tokenWindowRow())
	if err != nil || !v.Present {
		return err
	}
	if len(v.Data) != 8 {
		return fmt.Errorf("exec: token window: %w", storage.ErrCorrupt)
	}
	c.window.Store(binary.BigEndian.Uint64(v.Data))
	return nil
}

func tokenWindowRow() []byte { return key.AppendCatalog(nil, key.SubMeta, metaTokenWindow) }

// keys returns the keys of a token, the current window's first; none for an empty token.
func (c *tokenClock) keys(ctx context.Context, store storage.Store, name string, now time.Time) ([][]byte, error) {
	if name == "" {
		return nil, nil
	}
	window := uint64(now.UnixMilli()) / tokenLifeMs
	if window > c.window.Load() {
		if err := c.advance(ctx, store, window); err != nil {
			return nil, err
		}
	}
	window = c.window.Load()
	keys := make([][]byte, tokenWindows)
	for i := range keys {
		keys[i] = key.AppendToken(nil, window-uint64(i), name)
	}
	return keys, nil
}

// advance stores the new window before it is used and drops the windows that nobody reads any more.
func (c *tokenClock) advance(ctx context.Context, store storage.Store, window uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if window <= c.window.Load() {
		return nil
	}
	var batch storage.Batch
	batch.Put(tokenWindowRow(), binary.BigEndian.AppendUint64(nil, window))
	if err := store.Apply(ctx, &batch, storage.UpdateOptions{}); err != nil {
		return storeError(err)
	}
	c.window.Store(window)
	if window-tokenKeepWindows <= c.dropped {
		return nil
	}
	// The first time after an open this also covers what a crash left between the two steps.
	err := store.DropRange(ctx, storage.Range{
		Start: key.WholeSpace(key.TokenSpace(c.dropped)).Start,
		End:   key.WholeSpace(key.TokenSpace(window - tokenKeepWindows)).Start,
	})
	if err != nil {
		return storeError(err)
	}
	c.dropped = window - tokenKeepWindows
	return nil
}
