package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// environmentName is the variable of a flag: KSTONE_SYNC_INTERVAL for --sync-interval.
func environmentName(flag string) string {
	return "KSTONE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applyEnvironment sets the flags that the command line left alone from their variables, which an
// empty value unsets. Precedence: flag, environment, default.
func applyEnvironment(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		value := os.Getenv(environmentName(f.Name))
		if f.Changed || value == "" || err != nil {
			return
		}
		if e := f.Value.Set(value); e != nil {
			err = fmt.Errorf("environment variable %s=%q: %w", environmentName(f.Name), value, e)
		}
	})
	return err
}
