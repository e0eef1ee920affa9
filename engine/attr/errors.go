package attr

import (
	"errors"

	"github.com/keystone-db/kstone/engine/number"
)

// ErrMalformed marks bytes that are no value or item: see CheckItem.
var ErrMalformed = errors.New("attr: malformed bytes")

// ErrorKind is the closed list of what can be wrong with a value that a client
// sends. The order is the order in which the service looks at one value.
type ErrorKind uint8

// The kinds. The zero kind means no error.
const (
	Empty       ErrorKind = iota + 1 // no type member
	NotNumber                        // the text is no number
	Overflow                         // magnitude 1E126 or more
	Underflow                        // magnitude below 1E-130
	Precision                        // more than 38 significant digits
	NullFalse                        // NULL with false
	EmptySS                          // SS without members
	EmptyNS                          // NS without members
	EmptyBS                          // BS without members
	DupSS                            // a member of an SS twice
	DupNS                            // a member of an NS twice, as numbers
	DupBS                            // a member of a BS twice
	MultiType                        // two or more type members
	TooDeep                          // nested deeper than DepthMax
	NameTooLong                      // a name longer than NameMaxBytes
	NameEmpty                        // an empty name at the top of an item
)

// The service's texts, letter for letter (two blanks after "set" as well).
const (
	msgEmpty       = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
	msgNotNumber   = "The parameter cannot be converted to a numeric value"
	msgOverflow    = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	msgUnderflow   = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
	msgPrecision   = "Attempting to store more than 38 significant digits in a Number"
	msgInvalid     = "One or more parameter values were invalid: "
	msgNullFalse   = msgInvalid + "Null attribute value types must have the value of true"
	msgEmptySS     = msgInvalid + "An string set  may not be empty"
	msgEmptyNS     = msgInvalid + "An number set  may not be empty"
	msgEmptyBS     = msgInvalid + "Binary sets should not be empty"
	msgDupPrefix   = msgInvalid + "Input collection "
	msgDupSS       = " contains duplicates."
	msgDupNS       = "Input collection contains duplicates"
	msgDupBS       = "of type BS contains duplicates."
	msgMultiType   = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
	msgTooDeep     = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
	msgNameTooLong = "1 validation error detected: Attribute name is too large, must be less than 65536 bytes"
	// unsure: the service refuses an empty name, its text is not known.
	msgNameEmpty = msgInvalid + "Attribute names must not be empty"
)

// ValueError is a fault of a value that a client sent.
type ValueError struct {
	Kind ErrorKind
	// Text is what the message quotes: the number's text for NotNumber, the
	// members as "[a, b, a]" for DupSS and DupBS (base64 there).
	Text string
}

// Error gives Message.
func (e *ValueError) Error() string { return e.Message() }

// Message gives the service's text for the fault, without the prefixes that
// some places add (wire-facts 4.1).
func (e *ValueError) Message() string { //nolint:funlen // one flat switch
	switch e.Kind {
	case Empty:
		return msgEmpty
	case NotNumber:
		if e.Text == "" {
			return msgNotNumber
		}
		return msgNotNumber + ": " + e.Text
	case Overflow:
		return msgOverflow
	case Underflow:
		return msgUnderflow
	case Precision:
		return msgPrecision
	case NullFalse:
		return msgNullFalse
	case EmptySS:
		return msgEmptySS
	case EmptyNS:
		return msgEmptyNS
	case EmptyBS:
		return msgEmptyBS
	case DupSS:
		return msgDupPrefix + e.Text + msgDupSS
	case DupNS:
		return msgDupNS
	case DupBS:
		return msgDupPrefix + e.Text + msgDupBS
	case MultiType:
		return msgMultiType
	case TooDeep:
		return msgTooDeep
	case NameTooLong:
		return msgNameTooLong
	case NameEmpty:
		return msgNameEmpty
	}
	return msgInvalid + "unknown fault of a value"
}

// NumberError turns an error of package number into the ValueError of the text
// that caused it; nil stays nil.
func NumberError(err error, text []byte) *ValueError {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, number.ErrOverflow):
		return &ValueError{Kind: Overflow}
	case errors.Is(err, number.ErrUnderflow):
		return &ValueError{Kind: Underflow}
	case errors.Is(err, number.ErrPrecision):
		return &ValueError{Kind: Precision}
	}
	return &ValueError{Kind: NotNumber, Text: string(text)}
}
