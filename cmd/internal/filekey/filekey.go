// Package filekey gets the key of an encrypted database file from where the user keeps it: a file, the
// environment, or a command that prints it, as the tools of key management services do. The key itself
// is never an argument of a program, so that no list of processes shows it.
package filekey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	"github.com/keystone-db/kstone/cmd/internal/flags"
	"github.com/keystone-db/kstone/engine"
)

// Flags of a key, behind the prefix of its name. The variable of flagKey holds the key itself; there is
// no such flag.
const (
	flagKey     = "encryption-key"
	flagFile    = flagKey + "-file"
	flagCommand = flagKey + "-command"
)

const (
	// textMaxBytes is more than any form of a key takes.
	textMaxBytes = 1 << 10
	// othersMask are the rights of a file's group and of everyone.
	othersMask fs.FileMode = 0o077
)

// ErrSources: a key was given from several places, which is a fault of the command line.
var ErrSources = errors.New("exclude each other: leave one out")

// Source says where one key comes from. The zero value is the key that opens a file.
type Source struct {
	// Prefix begins the names of flags and variables: "new-" for the key that rekey sets.
	Prefix string
	// File and Command are the flags of those names.
	File, Command string

	set *pflag.FlagSet
}

// Help is what the help of a command says about the flags of AddFlags.
const Help = `An encrypted file needs its key, 32 bytes, from one of --encryption-key-file, KSTONE_ENCRYPTION_KEY in
the environment (in hexadecimal or base64) and --encryption-key-command.`

// AddFlags adds the flags; their variables are read by Key.
func (s *Source) AddFlags(f *pflag.FlagSet) {
	s.set = f
	f.StringVar(&s.File, s.Prefix+flagFile, "", "file of the "+s.noun()+": 32 bytes as they are, in hexadecimal or in base64;\n"+
		s.variable(flagKey)+" is the key itself, in hexadecimal or base64")
	f.StringVar(&s.Command, s.Prefix+flagCommand, "", "program and arguments that print the "+s.noun()+"; no shell runs them:\n"+
		"words are divided by blanks, '…' and \"…\" hold one together")
}

func (s *Source) noun() string {
	return strings.ReplaceAll(s.Prefix, "-", " ") + "encryption key"
}

func (s *Source) variable(flag string) string { return flags.EnvironmentName(s.Prefix + flag) }

// origin is one place that a key may come from.
type origin struct {
	name  string // as the user knows it
	value string
	get   func(ctx context.Context, value string, stderr io.Writer) ([]byte, error)
}

// Given says whether there is a key to be had: by a flag, or by a variable.
func (s *Source) Given() bool { return len(s.origins()) > 0 }

// Flagged says whether the command line names a key.
func (s *Source) Flagged() bool {
	return s.set != nil && (s.set.Changed(s.Prefix+flagFile) || s.set.Changed(s.Prefix+flagCommand))
}

// origins are the places that are given. Flags win over the environment; an empty variable is none.
func (s *Source) origins() []origin {
	file := origin{"--" + s.Prefix + flagFile, s.File, readFile}
	command := origin{"--" + s.Prefix + flagCommand, s.Command, runCommand}
	key := origin{s.variable(flagKey), os.Getenv(s.variable(flagKey)), parseText}
	if !s.Flagged() {
		file.name, command.name = s.variable(flagFile), s.variable(flagCommand)
		file.value, command.value = os.Getenv(file.name), os.Getenv(command.name)
	} else {
		key.value = ""
	}
	var given []origin
	for _, o := range []origin{file, key, command} {
		if o.value != "" || strings.HasPrefix(o.name, "--") && s.set.Changed(o.name[len("--"):]) {
			given = append(given, o)
		}
	}
	return given
}

// Key gets the key, which is the caller's to clear; nil where none is given. A command may say something
// on stderr, and so does Key when others may read the file. No error shows any of the key.
func (s *Source) Key(ctx context.Context, stderr io.Writer) ([]byte, error) {
	given := s.origins()
	switch len(given) {
	case 0:
		return nil, nil
	case 1:
	default:
		var names []string
		for _, o := range given {
			names = append(names, o.name)
		}
		return nil, fmt.Errorf("%s %w", strings.Join(names, " and "), ErrSources)
	}
	o := given[0]
	key, err := o.get(ctx, o.value, stderr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	return key, nil
}

// readFile takes the key from a file or pipe.
func readFile(_ context.Context, path string, stderr io.Writer) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: give a file with the key", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Mode()&othersMask != 0 && runtime.GOOS != "windows" { // which has no such rights
		fmt.Fprintf(stderr, "kstone: other users may read the key in %s: chmod 600 it\n", path)
	}
	text := make([]byte, textMaxBytes) // what is longer is no key anyway
	defer clear(text)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	key, err := parse(text[:n])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// parseText takes the key from a variable.
func parseText(_ context.Context, value string, _ io.Writer) ([]byte, error) {
	text := []byte(value)
	defer clear(text)
	if len(text) == keyBytes {
		return nil, errText // raw bytes do not go through an environment unharmed
	}
	return parse(text)
}

// Explain says in one line why a file does not open with its key, and the remedy; nil if err is about
// something else.
func Explain(path string, err error) error {
	switch {
	case errors.Is(err, engine.ErrKeyNeeded):
		return fmt.Errorf("%s is encrypted: give its key with --%s FILE, %s or --%s COMMAND", path, flagFile,
			flags.EnvironmentName(flagKey), flagCommand)
	case errors.Is(err, engine.ErrWrongKey):
		return fmt.Errorf("%s is encrypted with another key: give that one", path)
	case errors.Is(err, engine.ErrNotEncrypted):
		return fmt.Errorf("%s is not encrypted: leave the key out", path)
	}
	return nil
}
