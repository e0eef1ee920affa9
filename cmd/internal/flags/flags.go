// Package flags is what the programs have in common about their flags: values from the environment, and the
// words for values that do not fit.
package flags

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// EnvironmentName is the variable of a flag: KSTONE_SYNC_INTERVAL for --sync-interval.
func EnvironmentName(flag string) string {
	return "KSTONE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// ApplyEnvironment sets the flags that the command line left alone from their variables, which an
// empty value unsets. Precedence: flag, environment, default.
func ApplyEnvironment(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		value := os.Getenv(EnvironmentName(f.Name))
		if f.Changed || value == "" || err != nil {
			return
		}
		if e := f.Value.Set(value); e != nil {
			err = fmt.Errorf("environment variable %s=%q: %s", EnvironmentName(f.Name), value, wanted(f, e))
		}
	})
	return err
}

// Error words the refusal of a flag's value as those of the flags that are parsed here, and tells
// what to do about arguments such as -12 and -dash.
func Error(_ *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && e.GetSpecifiedShortnames() != "" {
		return fmt.Errorf(`%w: put "--" before arguments that begin with a dash`, err)
	}
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	f := invalid.GetFlag()
	return fmt.Errorf("--%s %q: %s", f.Name, invalid.GetValue(), wanted(f, invalid.Unwrap()))
}

// wanted says what a flag takes; err is what its parser says, which names functions of Go.
func wanted(f *pflag.Flag, err error) string {
	switch f.Value.Type() {
	case "uint16":
		return "want a whole number from 0 to 65535"
	case "int", "int64":
		return "want a whole number"
	case "duration":
		return "want a duration such as 100ms"
	case "bool":
		return "want true or false"
	default:
		return err.Error()
	}
}
