package api

import "context"

// Caller is who makes a request, where signatures say so.
type Caller struct {
	// Arn is that of the user.
	Arn string
	// User is the user's name, Account the number of the user's account.
	User    string
	Account string
	// SourceIP is the address that the request comes from; empty when it is not known.
	SourceIP string
	// Secure: the request came over TLS.
	Secure bool
}

// Right is one right that a request needs.
type Right struct {
	// Action is the name of the right, such as GetItem.
	Action string
	// Table is the name of the table, Part what of it, such as /index/NAME or /stream/LABEL; empty for
	// the table itself.
	Table string
	Part  string
}

// Decision is what resource policies say about a right.
type Decision uint8

// Decisions.
const (
	// PolicySilent: no policy says anything.
	PolicySilent Decision = iota
	// PolicyAllows: a policy allows it, and none denies it.
	PolicyAllows
	// PolicyDenies: a policy denies it, whatever else allows it.
	PolicyDenies
)

// Authorizer decides by the resource policies of tables and streams.
type Authorizer interface {
	// Policed says whether there is any policy. It is asked for every request.
	Policed() bool
	// Authorize decides about a right that a request needs; in is its input, such as *GetItemInput, not yet
	// validated.
	Authorize(who *Caller, right *Right, in any) Decision
}

type callerKey struct{}

// WithCaller tells the service who makes a request.
func WithCaller(ctx context.Context, who *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, who)
}

// CallerOf is who makes a request, nil when nobody has asked for signatures.
func CallerOf(ctx context.Context) *Caller {
	who, _ := ctx.Value(callerKey{}).(*Caller)
	return who
}
