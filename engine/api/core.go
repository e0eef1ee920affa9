// Package api is the contract of the database: one struct for each request and answer, one Service
// interface with a method per operation, and one error type with a closed list of codes. Front
// doors translate their bytes into these structs and back; the engine serves them.
//
// Rules that hold for all structs:
//
//   - Absent differs from zero: scalars are Opt, structures are pointers, lists and maps are nil
//     when absent and empty when given empty.
//   - Items and keys are attr.Item, single values attr.Value; other maps are slices sorted by key
//     with each key once.
//   - Enums are plain strings: an unknown one must reach validation.
//   - Byte slices in a request belong to the caller and stay unchanged while the call runs.
//
// The structs, the enums and the interface are generated from scripts/gen/model.json. The texts of
// service errors stand in texts_*.go, except for those of the expression languages (expr, partiql),
// of single values (attr) and of the HTTP layer (dynamowire).
package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
)

// Opt is a scalar that may be absent. The zero value is absent.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some returns a present value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Or returns the value, or def when it is absent.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}

// Name is one entry of ExpressionAttributeNames. Slices of it are sorted by Placeholder.
type Name struct {
	Placeholder string // with its '#'
	Name        string // the attribute it stands for
}

// NamedValue is one entry of ExpressionAttributeValues. Slices of it are sorted by Placeholder.
type NamedValue struct {
	Placeholder string     // with its ':'
	Value       attr.Value // nil when the value is bad: see BadValue
}

// BadValue reports the first attribute value of a request's place that breaks the rules for values.
// Decoders cannot refuse such values at once, since other errors of the request come first.
//
// Place is a path: "Item", "Key", "ExclusiveStartKey", "ExpressionAttributeValues.:v",
// "AttributeUpdates.NAME", "Expected.NAME", "TransactItems.3.Put.Item" (counted from 0),
// "RequestItems.TABLE.0.PutRequest.Item", "RequestItems.TABLE.Keys.0", … The member named by the
// place is nil or holds a part of the value only.
type BadValue struct {
	Place string
	Err   attr.ValueError
}

// Error is an error that a client may see.
type Error struct {
	Code    Code
	Message string
	// Item is the stored item of a failed condition, when the request asked for it.
	Item attr.Item
	// Reasons holds one entry per action of a cancelled transaction.
	Reasons []CancellationReason
	// Throttling says what was throttled.
	Throttling []ThrottlingReason
}

// Error returns code and message; it is what Go programs see that embed the engine.
func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Message
}

// Errorf returns an error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of an error and "" for nil. Errors that are none of the contract's are
// Unavailable or DataLoss when they say so themselves, by a method Unavailable or DataLoss, and
// InternalServerError otherwise. Their text is for the log and never for a client (Shown).
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[interface {
		error
		Unavailable() bool
	}](err); ok && e.Unavailable() {
		return Unavailable
	}
	if e, ok := errors.AsType[interface {
		error
		DataLoss() bool
	}](err); ok && e.DataLoss() {
		return DataLoss
	}
	return InternalServerError
}

// Shown is the error that a client sees of err. One of the contract is shown as it is. Of another one a client
// sees whether it is Unavailable or an InternalServerError, and what it may know of the reason if the error
// says that by a method ClientText, such as that the disk is full; the rest is for the log.
func Shown(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Code: InternalServerError, Message: MsgInternal}
	if CodeOf(err) == Unavailable {
		e.Code, e.Message = Unavailable, MsgUnavailable
	}
	if told, ok := errors.AsType[interface {
		error
		ClientText() string
	}](err); ok {
		e.Message = told.ClientText()
	}
	return e
}

// Operation describes one operation of the contract.
type Operation struct {
	Name string
	// Service is ServiceDynamoDB or ServiceStreams: under which target clients call it.
	Service string
}

// Values of Operation.Service.
const (
	ServiceDynamoDB = "dynamodb"
	ServiceStreams  = "streams"
)

// Base answers every operation with UnknownOperation. Embed it to serve a part of the contract.
type Base struct{}

// Forward is a Service that passes every call on by one function: for services that are somewhere else.
// Embed it to serve a part of the contract otherwise.
type Forward struct {
	// Do makes one call. in points to the operation's input, such as *GetItemInput, and belongs to the
	// caller; Do fills out, which points to an empty output, such as *GetItemOutput. What it returns as
	// error is the call's.
	Do func(ctx context.Context, operation string, in, out any) error
}

func notBuilt(operation string) error { return Errorf(UnknownOperation, MsgNotBuilt, operation) }
