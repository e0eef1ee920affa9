package lsm

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// ErrFailed: a write or sync of the log or the manifest has failed, and nothing is written any more until
// the file is opened again. Reads go on. The error says also whether the write is ErrUncertain or, if
// certainly not done, ErrUnavailable.
var ErrFailed = errors.New("the log has failed")

// CorruptError is a place of the file that does not verify. errors.Is(err, storage.ErrCorrupt) holds.
type CorruptError = base.CorruptError

// failedError is the answer of a store that has given up writing.
type failedError struct{ kind, cause error }

// failed is an error of a kind of the contract, because of what ended all writing.
func failed(kind, cause error) error { return &failedError{kind, cause} }

func (e *failedError) Error() string { return fmt.Sprintf("%v: %v: %v", e.kind, ErrFailed, e.cause) }

func (e *failedError) Unwrap() []error { return []error{e.kind, ErrFailed, e.cause} }

// ClientText leaves out what may name paths or keys.
func (e *failedError) ClientText() string {
	text := "The database is read-only after a failed write or sync"
	if errno, ok := errors.AsType[syscall.Errno](e.cause); ok {
		text += ": " + errno.Error()
	} else if bad, ok := errors.AsType[*base.CorruptError](e.cause); ok {
		text += ": " + bad.Error()
	}
	return text + ". It must be opened again"
}
