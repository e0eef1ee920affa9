package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/grpcapi"
)

// GRPCPortDefault is where clients of the original look.
const GRPCPortDefault = 50051

// grpcOff is the port that turns gRPC off.
const grpcOff = "off"

// GRPCPort is the port of the gRPC door as the command line gives it: a number, of which 0 picks a free
// one, or "off". It is a flag's value.
type GRPCPort struct {
	Port uint16
	Off  bool
	// Asked says that somebody set it: when it is taken the server does not start.
	Asked bool
}

// String is what the flag takes.
func (p *GRPCPort) String() string {
	if p.Off {
		return grpcOff
	}
	return strconv.Itoa(int(p.Port))
}

// Set takes the text of the flag or of its variable.
func (p *GRPCPort) Set(text string) error {
	if text == grpcOff {
		*p = GRPCPort{Off: true, Asked: true}
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return errors.New("want a whole number from 0 to 65535, or " + grpcOff)
	}
	*p = GRPCPort{Port: uint16(n), Asked: true}
	return nil
}

// Type names the values in the help.
func (p *GRPCPort) Type() string { return "port" }

// listenGRPC opens the listeners of the gRPC door, none when it is off. A port that nobody asked for
// may be taken: a second server on the machine is common, and its HTTP door is worth having.
func listenGRPC(ctx context.Context, c Config, logger zerolog.Logger) ([]net.Listener, error) {
	if c.GRPCPort.Off {
		return nil, nil
	}
	listeners, err := listen(ctx, c.Host, c.GRPCPort.Port)
	switch {
	case err == nil:
		return listeners, nil
	case c.GRPCPort.Asked || c.GRPCPortFile != "" || c.GRPCOnly:
		return nil, explainListen(c.Host, c.GRPCPort.Port, c.grpcFlag(), err)
	}
	logger.Warn().Err(explainListen(c.Host, c.GRPCPort.Port, c.grpcFlag(), err)).
		Msg("no gRPC: --grpc-port " + grpcOff + " says that it is not wanted")
	return nil, nil
}

// grpcFlag is the flag of the gRPC door's port.
func (c Config) grpcFlag() string {
	if c.GRPCOnly {
		return "--port"
	}
	return "--grpc-port"
}

// newGRPC makes the gRPC door, nil where nothing listens for it.
func newGRPC(c Config, db *engine.DB, d *door, listeners []net.Listener, logger zerolog.Logger) *grpcapi.Server {
	if len(listeners) == 0 {
		return nil
	}
	opts := grpcapi.Options{
		Logger: logger,
		Access: dynamowire.Access{
			Region: c.Region, Account: c.Account, StatementAccess: statementAccess, Policies: db, Peer: grpcapi.Peer,
		},
		GRPC: grpcapi.LimitOptions(),
	}
	if logger.GetLevel() <= zerolog.DebugLevel { // it takes time at every call
		opts.GRPC = append(opts.GRPC, grpcapi.Observe(time.Now, grpcapi.LogCalls(logger))...)
	}
	security := insecure.NewCredentials()
	if config := d.grpcTLS(); config != nil {
		security = credentials.NewTLS(config)
	}
	opts.GRPC = append(opts.GRPC, grpcapi.NewMessages(0, time.Now).Option(security))
	if d.verifier != nil {
		auth := grpcapi.NewAuth(d.verifier, c.TLSClientCA != "", time.Now)
		opts.Authenticate, opts.GRPC = auth.Authenticate, append(opts.GRPC, auth.Options()...)
	}
	return grpcapi.NewServer(db, opts)
}

// grpcTLS is how the gRPC door speaks TLS, nil for plain text. Certificate and authorities may change
// while it runs.
func (d *door) grpcTLS() *tls.Config {
	if d.c.TLSCert == "" {
		return nil
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return d.cert.Load(), nil
		},
	}
	if d.c.TLSClientCA == "" {
		return config
	}
	config.NextProtos = []string{"h2"} // of a configuration made for a client nobody else says so
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own := config.Clone()
		own.GetConfigForClient = nil
		own.ClientCAs, own.ClientAuth = d.clientCAs.Load(), tls.VerifyClientCertIfGiven
		return own, nil
	}
	return config
}

// stopGRPC finishes running calls until the context ends, then cuts them off; it says whether it had to.
func stopGRPC(ctx context.Context, server *grpcapi.Server) (cut bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.GracefulStop()
	}()
	select {
	case <-done:
		return false
	case <-ctx.Done():
		server.Stop()
		<-done
		return true
	}
}
