package table

import (
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
)

// Cipher of a table. On disk: never renumber.
const (
	cipherNone = 0
	cipherGCM  = 1

	cipherAt = 10 // in the header
	saltAt   = 40
)

// newSealer draws the salt of a new table and derives its key; both are nil for a plain one.
func (o *WriterOptions) newSealer() (*crypt.Sealer, []byte, error) {
	if o.Keys == nil {
		return nil, nil, nil
	}
	salt := make([]byte, crypt.SaltBytes)
	if _, err := io.ReadFull(o.Rand, salt); err != nil {
		return nil, nil, fmt.Errorf("draw the salt of a table: %w", err)
	}
	sealer, err := o.Keys.Sealer(crypt.Table, salt, uint64(o.Num))
	return sealer, salt, err
}

// cipher is what opens the blocks of an encrypted table. It is derived from the header once; two that do so
// at once come to the same.
func (r *Reader) cipher() (*crypt.Sealer, error) {
	if s := r.sealer.Load(); s != nil {
		return s, nil
	}
	var h [headerBytes]byte
	if err := r.readAt(h[:], 0); err != nil {
		return nil, err
	}
	if wrong := checkHeader(h[:], r.sums); wrong != "" {
		return nil, r.corrupt(0, "%s", wrong)
	}
	if h[cipherAt] != cipherGCM {
		return nil, r.corrupt(0, "a plain table in an encrypted database")
	}
	s, err := r.opts.Keys.Sealer(crypt.Table, h[saltAt:saltAt+crypt.SaltBytes], uint64(r.opts.Num))
	if err != nil {
		return nil, fmt.Errorf("table %v: %w", r.opts.Num, err)
	}
	r.sealer.Store(s)
	return s, nil
}

// decrypt puts the plaintext of a block in the place of its payload.
func (r *Reader) decrypt(s section, payload []byte, codec Codec) ([]byte, error) {
	c, err := r.cipher()
	if err != nil {
		return nil, err
	}
	plain, err := c.Open(payload[:0], payload, uint32(codec), uint64(s.offset))
	if err != nil {
		return nil, r.corrupt(int64(s.offset), "%v", err)
	}
	return plain, nil
}
