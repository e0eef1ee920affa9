package dynamowire

import (
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

// NewServer makes the HTTP server of a handler, to be given listeners.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
	}
}
