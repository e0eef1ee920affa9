package dynamowire

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Time-outs and limits of the HTTP server. Their purpose is that a slow or silent client holds a
// connection only for a bounded time.
const (
	// ReadHeaderTimeout is how long the head of a request may take.
	ReadHeaderTimeout = 10 * time.Second
	// ReadTimeout is how long head and body may take; a long body that keeps coming is given more.
	ReadTimeout = 60 * time.Second
	// WriteTimeout is how long an operation and its answer may take together.
	WriteTimeout = 5 * time.Minute
	// IdleTimeout is how long a connection may wait for its next request.
	IdleTimeout = 2 * time.Minute
	// MaxHeaderBytes bounds the head of a request.
	MaxHeaderBytes = 64 << 10
)

// Gatherer is a connection that can hold back the beginning of an answer until the rest of it is there,
// and then write both at once.
type Gatherer interface {
	// Gather announces that at least n bytes follow, in any number of writes.
	Gather(n int)
}

// GatherMinBytes is the shortest body that is announced to a Gatherer: net/http writes an answer that
// is longer than its buffer of this size in two pieces, of which the first is the buffer.
const GatherMinBytes = 4 << 10

// gathererKey finds the Gatherer of a request's connection in its context.
type gathererKey struct{}

// NewServer makes the HTTP server of a handler, to be given listeners. Connections that are a Gatherer
// are told of large answers.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if g, ok := c.(Gatherer); ok {
				return context.WithValue(ctx, gathererKey{}, g)
			}
			return ctx
		},
	}
}
