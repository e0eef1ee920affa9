package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/lsm"
)

// RekeyOptions of Rekey and Reencrypt.
type RekeyOptions = lsm.RekeyOptions

// Rekey makes RekeyOptions.NewKey the key that opens an encrypted file, in place of Key, without writing its
// data again: they are encrypted with a key of the file's own, and only its wrapping is replaced. Nobody may
// have the file open (ErrLocked). At any crash one of the two keys opens it, and a second try completes the
// first. Copies from before still open with the old key.
func Rekey(path string, opts RekeyOptions) error { return lsm.Rekey(path, opts) }

// Reencrypt writes a whole database anew under a new key of the file's own, and puts it in the place of the
// file, which nobody may have open: at any crash or error the old file is there or the new one, as a whole.
// It encrypts a file that was not encrypted when RekeyOptions.Key is nil, and decrypts one when NewKey is
// nil. It needs the space of a second copy. Incremental backups begin anew with a full one.
func Reencrypt(ctx context.Context, path string, opts RekeyOptions) error {
	return lsm.Reencrypt(ctx, path, opts)
}
