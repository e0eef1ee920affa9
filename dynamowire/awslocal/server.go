package awslocal

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/engine/api"
)

// Server serves a database on a free port of this machine's loopback address. It accepts any
// credentials, so it is for tests only.
type Server struct {
	// URL is the address, such as http://127.0.0.1:40123.
	URL string

	server *http.Server
	served chan struct{}
}

// NewServer starts a server of a service, such as an *engine.DB, which must stay open until Close.
func NewServer(svc api.Service) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("awslocal: no port: %w", err)
	}
	s := &Server{
		URL:    "http://" + l.Addr().String(),
		server: dynamowire.NewServer(newHandler(svc)),
		served: make(chan struct{}),
	}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(l) // always tells that the server was closed
	}()
	return s, nil
}

// Close stops the server at once, with all its connections: requests that still run lose their answers.
// It may be called more than once.
func (s *Server) Close() {
	_ = s.server.Close()
	<-s.served
}
