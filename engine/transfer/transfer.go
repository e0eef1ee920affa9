// Package transfer holds what the formats of exports, imports and bulk puts have in common: what a record is
// and how reading it can fail. The formats are in the packages below.
//
// An input is read record by record, and after each it is known how many bytes of it were used up, so that
// reading can begin there again. Bytes are those of the text: of a compressed object, after decompression.
package transfer

import (
	"fmt"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// RecordMaxBytes bounds one record of an input: the largest item, with every byte written in the longest way.
const RecordMaxBytes = 32 << 20

// Record is one item of an input. It is valid until the next one is read, but for the items in it, which
// share no memory with those of other records.
type Record struct {
	Item attr.Item
	// Condition is absent for a put without one; Names and Values are its placeholders.
	Condition api.Opt[string]
	Names     []api.Name
	Values    []api.NamedValue
	// Bad holds the first bad attribute value of each place, as in api.PutItemInput.
	Bad []api.BadValue
}

// Reader reads the records of one object.
type Reader interface {
	// Next returns the next record; io.EOF at the end. With a *RecordError the record is lost and reading
	// may go on; any other error ends the object.
	Next() (*Record, error)
	// Offset is how many bytes of the text Next has used up. A reader that begins there has what follows.
	Offset() int64
}

// RecordError says that something in the place of a record is none.
type RecordError struct{ Message string }

func (e *RecordError) Error() string { return e.Message }

// Faultf makes a *RecordError.
func Faultf(format string, args ...any) error { return &RecordError{fmt.Sprintf(format, args...)} }

// BrokenError says that the rest of an object cannot be read, because of what it holds.
type BrokenError struct{ Message string }

func (e *BrokenError) Error() string { return e.Message }

// Brokenf makes a *BrokenError.
func Brokenf(format string, args ...any) error { return &BrokenError{fmt.Sprintf(format, args...)} }
