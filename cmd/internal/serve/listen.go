package serve

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
)

// freePortTries bounds the search for a port that is free on 127.0.0.1 and on ::1.
const freePortTries = 20

// listen opens the listeners of host and port: two for localhost where there is IPv6. They share
// one port, also when the port is 0.
func listen(ctx context.Context, host string, port uint16) ([]net.Listener, error) {
	if host != HostDefault {
		l, err := listenOne(ctx, host, int(port))
		if err != nil {
			return nil, err
		}
		return []net.Listener{l}, nil
	}
	var err error
	for range freePortTries {
		var both []net.Listener
		both, err = listenLocal(ctx, port)
		if err == nil || port != 0 {
			return both, err
		}
	}
	return nil, err
}

func listenLocal(ctx context.Context, port uint16) ([]net.Listener, error) {
	v4, err := listenOne(ctx, "127.0.0.1", int(port))
	if err != nil {
		return nil, err
	}
	v6, err := listenOne(ctx, "::1", portOf(v4))
	if err == nil {
		return []net.Listener{v4, v6}, nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, errors.Join(err, v4.Close())
	}
	return []net.Listener{v4}, nil // a machine without IPv6
}

func listenOne(ctx context.Context, host string, port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

func portOf(l net.Listener) int {
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		return addr.Port
	}
	return 0
}
