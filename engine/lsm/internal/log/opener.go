package log

import (
	"fmt"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
)

// opener decrypts the frames of a log.
type opener struct {
	keys    *crypt.Keys // nil for a plain file
	sealers map[Salt]*crypt.Sealer
	plain   []byte
}

// open puts the plaintext in place of each payload of a group, valid until the next call. The payloads
// themselves, which belong to the file's window, stay as they are.
func (o *opener) open(h *Header, payloads [][]byte) error {
	if o.keys == nil {
		return nil
	}
	sealer, ok := o.sealers[h.Salt]
	if !ok {
		var err error
		if sealer, err = o.keys.Sealer(crypt.Log, h.Salt[:], uint64(h.Ident.Log)); err != nil {
			return err
		}
		if o.sealers == nil {
			o.sealers = map[Salt]*crypt.Sealer{}
		}
		o.sealers[h.Salt] = sealer
	}
	if cap(o.plain) < int(h.Length) {
		o.plain = make([]byte, h.Length)
	}
	rest := o.plain[:0]
	for i, sealed := range payloads {
		lsn := h.FirstLSN + base.LSN(i)
		plain, err := sealer.Open(rest, sealed, uint32(h.Epoch), uint64(lsn))
		if err != nil {
			return fmt.Errorf("frame %v: %w", lsn, err)
		}
		payloads[i] = plain
		rest = plain[len(plain):]
	}
	return nil
}
