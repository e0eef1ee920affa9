package stream

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// Cursor is how far a consumer of a table's feed has come. It is a row of its own, so that many move at the
// same time.
type Cursor struct {
	// At is where the records begin that the consumer has not passed.
	At Position
	// TimeMs is the time of the last record that it has passed, in milliseconds since 1970; zero for none.
	TimeMs int64
	// Passed counts those records, Missed how often records were forgotten before it had passed them.
	Passed, Missed uint64
}

// cursorRow is the stored form. The position is a sequence number.
type cursorRow struct {
	At     string `json:"at"`
	TimeMs int64  `json:"timeMs,omitempty"`
	Passed uint64 `json:"passed,omitempty"`
	Missed uint64 `json:"missed,omitempty"`
}

// Encode returns the value of the cursor's row.
func (c Cursor) Encode() ([]byte, error) {
	b, err := json.Marshal(cursorRow{At: c.At.String(), TimeMs: c.TimeMs, Passed: c.Passed, Missed: c.Missed})
	if err != nil {
		return nil, fmt.Errorf("stream: cursor: %w", err)
	}
	return b, nil
}

// DecodeCursor reads the value of a cursor's row. What does not parse wraps storage.ErrCorrupt.
func DecodeCursor(b []byte) (Cursor, error) {
	var r cursorRow
	if err := json.Unmarshal(b, &r); err != nil {
		return Cursor{}, fmt.Errorf("stream: cursor: %w: %w", storage.ErrCorrupt, err)
	}
	at, ok := ParsePosition(r.At)
	if !ok {
		return Cursor{}, fmt.Errorf("stream: cursor at %q: %w", r.At, storage.ErrCorrupt)
	}
	return Cursor{At: at, TimeMs: r.TimeMs, Passed: r.Passed, Missed: r.Missed}, nil
}

// getter is a store or a snapshot of it.
type getter interface {
	Get(context.Context, []byte) (storage.Value, error)
}

// ReadCursor returns the cursor of a consumer of a stream; ok is false when there is none.
func ReadCursor(ctx context.Context, from getter, id uint64, consumer string) (c Cursor, ok bool, err error) {
	v, err := from.Get(ctx, key.AppendCursor(nil, id, consumer))
	if err != nil || !v.Present {
		return Cursor{}, false, err
	}
	c, err = DecodeCursor(v.Data)
	return c, err == nil, err
}
