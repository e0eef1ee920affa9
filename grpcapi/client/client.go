package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
)

// Client is a connection to a database and the calls to it. It is safe for concurrent use.
type Client struct {
	// Client has the calls; its Service is the database as an api.Service, and an api.Feeder too.
	*build.Client
	service *service
	conn    *grpc.ClientConn
}

// checkTarget refuses what people give who know the door of HTTP: gRPC would look up a host "http".
func checkTarget(target string) error {
	switch {
	case target == "":
		return errors.New("client: no target: give HOST:PORT, such as localhost:50051")
	case strings.HasPrefix(target, "http://"), strings.HasPrefix(target, "https://"):
		return fmt.Errorf("client: target %q is a URL: give HOST:PORT, such as localhost:50051, and Options.TLS for TLS", target)
	}
	return nil
}

// Dial returns a client of the server at a target, as gRPC names them: host:port in most cases. It does
// not wait for the server and fails for bad options only; the first call connects. Close it at the end.
func Dial(target string, opts Options) (*Client, error) {
	if err := checkTarget(target); err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	conn, err := grpc.NewClient(target, opts.dial()...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	s := newService(conn, opts)
	return &Client{Client: build.NewWith(s, build.Options{Wait: opts.Wait}), service: s, conn: conn}, nil
}

// Close ends the connection. Calls in progress fail.
func (c *Client) Close() error { return c.conn.Close() }

// Call runs any operation by the name that DynamoDB gives it, such as PutItem or GetRecords, with its
// JSON, and returns the JSON of the answer, which is empty for operations that answer nothing. It is made
// again like other calls, except that what it writes is looked at only for its name: writes are made
// again only when nothing was done.
func (c *Client) Call(ctx context.Context, operation string, body []byte) ([]byte, error) {
	return c.service.call(ctx, operation, body, api.RepeatOf(operation, nil))
}
