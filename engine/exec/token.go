package exec

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// Request tokens live in a space a ten-minute window, so that old ones go as whole ranges. A token
// is looked for in the current window and the one before, and counts for ten minutes from its
// transaction. The windows are numbered by a stored clock that never goes back. It turns only while
// no transaction with a token runs, so that all who look for a token look in the same windows.
const (
	// DigestBytes is the length of a request's digest.
	DigestBytes = sha256.Size
	// tokenLifeMs is how long a token holds: ten minutes.
	tokenLifeMs = 10 * 60 * 1000
	// tokenKeyBytes is the length of a token's key besides the token.
	tokenKeyBytes = storage.HeadBytes + 2
	// tokenWindows is how many windows a token is looked for in.
	tokenWindows = 2
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
	// mu is held shared while a transaction with a token runs, exclusively while the window turns.
	mu     sync.RWMutex
	window uint64 // guarded by mu

	dropMu sync.Mutex
	// dropped is the oldest window that may still hold tokens. Guarded by dropMu.
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
	c.window = binary.BigEndian.Uint64(v.Data)
	return nil
}

func tokenWindowRow() []byte { return key.AppendCatalog(nil, key.SubMeta, metaTokenWindow) }

// begin returns the keys under which a token may be stored, the current window's first; none for an
// empty token. The window stays until end is called.
func (c *tokenClock) begin(ctx context.Context, store storage.Store, name string, now time.Time) (keys [][]byte, end func(), err error) {
	if name == "" {
		return nil, func() {}, nil
	}
	window := uint64(max(now.UnixMilli(), 0)) / tokenLifeMs
	c.mu.RLock()
	for window > c.window {
		c.mu.RUnlock()
		if err := c.turn(ctx, store, window); err != nil {
			return nil, nil, err
		}
		c.mu.RLock()
	}
	keys = make([][]byte, 0, tokenWindows)
	room := make([]byte, 0, tokenWindows*(tokenKeyBytes+len(name)))
	for i := range min(tokenWindows, c.window+1) {
		at := len(room)
		room = key.AppendToken(room, c.window-i, name)
		keys = append(keys, room[at:len(room):len(room)])
	}
	return keys, c.mu.RUnlock, nil
}

// turn stores the new window before it is used and drops the windows that nobody reads any more.
func (c *tokenClock) turn(ctx context.Context, store storage.Store, window uint64) error {
	turned, err := c.advance(ctx, store, window)
	if err != nil || !turned {
		return err
	}
	return c.drop(ctx, store, window)
}

func (c *tokenClock) advance(ctx context.Context, store storage.Store, window uint64) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if window <= c.window {
		return false, nil
	}
	var batch storage.Batch
	batch.Put(tokenWindowRow(), binary.BigEndian.AppendUint64(nil, window))
	if err := store.Apply(ctx, &batch, storage.UpdateOptions{}); err != nil {
		return false, storeError(err)
	}
	c.window = window
	return true, nil
}

// drop removes the windows before those that are read. The first time after an open this also
// covers what a crash left between the two steps.
func (c *tokenClock) drop(ctx context.Context, store storage.Store, window uint64) error {
	c.dropMu.Lock()
	defer c.dropMu.Unlock()
	if window+1 <= tokenWindows+c.dropped {
		return nil
	}
	oldest := window + 1 - tokenWindows
	err := store.DropRange(ctx, storage.Range{
		Start: key.WholeSpace(key.TokenSpace(c.dropped)).Start,
		End:   key.WholeSpace(key.TokenSpace(oldest)).Start,
	})
	if err != nil {
		return storeError(err)
	}
	c.dropped = oldest
	return nil
}

// CheckToken says what is wrong with a stored request token.
func CheckToken(k, value []byte) error {
	n := storage.HeadBytes + 2
	if len(k) < n || int(binary.BigEndian.Uint16(k[storage.HeadBytes:])) != len(k)-n || key.HashOf(k) != key.Hash(k[n:]) {
		return fmt.Errorf("exec: key of a request token: %w", storage.ErrCorrupt)
	}
	_, err := decodeToken(value)
	return err
}
