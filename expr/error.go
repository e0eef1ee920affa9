package expr

import "fmt"

// Kind says which parameter of a request an expression is; it decides grammar and error prefix.
type Kind uint8

// The kinds of expression.
const (
	KindCondition    Kind = iota // ConditionExpression
	KindFilter                   // FilterExpression
	KindKeyCondition             // KeyConditionExpression
	KindProjection               // ProjectionExpression
	KindUpdate                   // UpdateExpression
	KindSearch                   // SearchConditionExpression

	kindCount = iota
)

// String returns the name of the request parameter.
func (k Kind) String() string {
	switch k {
	case KindCondition:
		return "ConditionExpression"
	case KindFilter:
		return "FilterExpression"
	case KindKeyCondition:
		return "KeyConditionExpression"
	case KindProjection:
		return "ProjectionExpression"
	case KindUpdate:
		return "UpdateExpression"
	case KindSearch:
		return "SearchConditionExpression"
	default:
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
}

// Error is what is wrong with an expression as far as the request alone tells. The client sees
// it as a ValidationException whose text is Msg.
type Error struct {
	// Pos is the byte offset in the expression's text of what Msg speaks about; -1 where there
	// is no text or no place.
	Pos int
	// Near is the source around a syntax error, as quoted in Msg; empty for other errors.
	Near string
	// Msg is the literal text for the client, with the prefix "Invalid …Expression: " where the
	// service sends one.
	Msg string
}

// Error returns Msg.
func (e *Error) Error() string { return e.Msg }

// errAt makes an error with the prefix of kind.
func errAt(kind Kind, pos int, format string, args ...any) *Error {
	return &Error{Pos: pos, Msg: fmt.Sprintf(msgInvalid, kind, fmt.Sprintf(format, args...))}
}

// bareErr makes an error that the service sends without a prefix.
func bareErr(pos int, format string, args ...any) *Error {
	return &Error{Pos: pos, Msg: fmt.Sprintf(format, args...)}
}

// EvalKind says why an update could not be evaluated.
type EvalKind uint8

// The kinds of evaluation error.
const (
	EvalMissing   EvalKind = iota // an operand's path is not in the item
	EvalType                      // an operand from the item has the wrong type
	EvalPath                      // a target's parent is missing or of the wrong type
	EvalOverflow                  // a result of 1E126 or more in magnitude
	EvalUnderflow                 // a nonzero result below 1E-130 in magnitude
	EvalPrecision                 // a result of more than 38 significant digits
	EvalDepth                     // a result nested deeper than 32 levels
)

// EvalError is an update's failure on one particular item: a ValidationException for the client,
// never with a prefix.
type EvalError struct {
	Kind EvalKind
	Msg  string
}

// Error returns the literal text for the client.
func (e *EvalError) Error() string { return e.Msg }

// evalErr makes the error of a kind.
func evalErr(kind EvalKind) *EvalError {
	msg := ""
	switch kind {
	case EvalMissing:
		msg = msgEvalMissing
	case EvalType:
		msg = msgEvalType
	case EvalPath:
		msg = msgEvalPath
	case EvalOverflow:
		msg = msgEvalOverflow
	case EvalUnderflow:
		msg = msgEvalUnderflow
	case EvalPrecision:
		msg = msgEvalPrecision
	case EvalDepth:
		msg = msgEvalNestedDepth
	}
	return &EvalError{Kind: kind, Msg: msg}
}
