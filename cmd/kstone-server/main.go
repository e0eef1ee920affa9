// Command kstone-server serves a database over gRPC with the command line of the original:
//
//	kstone-server --db-path PATH --port 50051 --host 127.0.0.1
//
// It is `kstone serve` without the HTTP door. What is not a flag here has the default that it has there.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/flags"
	"github.com/keystone-db/kstone/cmd/internal/serve"
)

// version is set by the linker: -X main.version=….
var version string

// exitFailed is the exit code of every failure.
const exitFailed = 1

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code. A failure is one line on stderr.
func run(args []string, stdout, stderr io.Writer) int {
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.Execute(); err != nil {
		fmt.Fprintf(stderr, "kstone-server: %s\n", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
		return exitFailed
	}
	return 0
}

func newCommand() *cobra.Command {
	c := serve.Defaults()
	c.GRPCOnly, c.GRPCPort.Port, c.Version = true, serve.GRPCPortDefault, serve.Version(version)
	var port uint16
	cmd := &cobra.Command{
		Use:           "kstone-server",
		Short:         "Serve a database over gRPC",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       c.Version,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Path == "" {
				return errors.New("--db-path is missing: give the database file, which is created when absent")
			}
			c.GRPCPort.Port = port
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends the process at once
			return serve.Run(ctx, c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.SetFlagErrorFunc(flags.Error)
	f := cmd.Flags()
	f.StringVarP(&c.Path, "db-path", "d", "", "database file, created when absent")
	f.Uint16VarP(&port, "port", "p", serve.GRPCPortDefault, "port to listen on; 0 picks a free one")
	f.StringVar(&c.Host, "host", "127.0.0.1", "address to listen on; localhost is 127.0.0.1 and ::1")
	f.StringVar(&c.GRPCPortFile, "port-file", "", "write the port to this file once the server listens")
	c.Key.AddFlags(f)
	f.BoolVar(&c.NoAuth, "no-auth", false, "serve everybody on other machines too")
	f.StringVar(&c.Credentials, "credentials", "", "file of access keys, one of which clients must have")
	f.StringVar(&c.TLSCert, "tls-cert", "", "serve TLS with this certificate in PEM form")
	f.StringVar(&c.TLSKey, "tls-key", "", "key of --tls-cert, in PEM form")
	f.StringVar(&c.TLSClientCA, "tls-client-ca", "", "take certificates of clients that these authorities signed")
	return cmd
}
