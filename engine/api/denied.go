package api

import "context"

type deniedKey struct{}

// WithDenied tells the service which statements of a BatchExecuteStatement the caller may not run, by
// their index. Each fails alone, so who checks rights cannot refuse the request as a whole.
func WithDenied(ctx context.Context, statements map[int]*Error) context.Context {
	return context.WithValue(ctx, deniedKey{}, statements)
}

// Denied is why the caller may not run the i-th statement of a batch; nil when it may.
func Denied(ctx context.Context, i int) *Error {
	statements, _ := ctx.Value(deniedKey{}).(map[int]*Error)
	return statements[i]
}
