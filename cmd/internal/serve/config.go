// Package serve runs the server of kstone: it opens the database, listens, says where, and on a
// cancelled context finishes what runs and closes the database.
package serve

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/engine"
)

// Defaults of Config, for the flags.
const (
	HostDefault = "localhost"
	PortDefault = 8000
)

// accountDigits is the length of an account number.
const accountDigits = 12

// Config says what to serve, and where. The command line fills it in.
type Config struct {
	// Path is the database file; unused with InMemory.
	Path     string
	InMemory bool
	// Host is an address or a name. "localhost" stands for 127.0.0.1 and, where there is one, ::1.
	Host string
	// Port 0 picks a free one.
	Port uint16
	// PortFile, when not empty, gets the port in decimal once the server listens.
	PortFile string
	// Sync and SyncInterval say when a write is acknowledged.
	Sync         engine.SyncMode
	SyncInterval time.Duration
	// Region and Account go into ARNs.
	Region, Account string
	// NoAuth allows to listen on addresses that other machines reach.
	NoAuth bool
	// TableDelay is how long tables stay CREATING and DELETING.
	TableDelay time.Duration
	// ClassicErrors gives the error texts from before 2026.
	ClassicErrors bool
	LogLevel      zerolog.Level
	// Version is what the start output names.
	Version string
}

// check reports every fault of the configuration at once.
func (c Config) check() error {
	var errs []error
	if !c.NoAuth && !isLoopback(c.Host) {
		errs = append(errs, fmt.Errorf("host %q can be reached from other machines and signatures are "+
			"not verified yet: add --no-auth if you mean it, or listen on localhost", c.Host))
	}
	if len(c.Account) != accountDigits || !allDigits(c.Account) {
		errs = append(errs, fmt.Errorf("--account %q: want %d digits", c.Account, accountDigits))
	}
	if c.Region == "" {
		errs = append(errs, errors.New("--region is empty: give one such as us-east-1"))
	}
	if c.TableDelay < 0 || c.SyncInterval <= 0 {
		errs = append(errs, errors.New("--table-delay and --sync-interval: want a positive duration such as 100ms"))
	}
	if !c.InMemory && c.Path == "" {
		errs = append(errs, errors.New("--db is empty: give a file, or --in-memory"))
	}
	return errors.Join(errs...)
}

func allDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// isLoopback is true of addresses that only this machine reaches. A name other than localhost
// counts as an outside one: what it resolves to may change.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == HostDefault || ip != nil && ip.IsLoopback()
}
