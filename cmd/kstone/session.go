package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/cmd/internal/flags"
	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/cmd/internal/show"
	"github.com/keystone-db/kstone/cmd/internal/target"
	"github.com/keystone-db/kstone/engine/api"
)

// tableDefault is the table of a database that `create` made without a schema, and keyDefault its
// key: the one keyspace that databases of the older KeystoneDB had.
const (
	tableDefault = "items"
	keyDefault   = "pk"
)

// session is one command at work on a file or a server.
type session struct {
	api.Service
	cmd     *cobra.Command
	target  target.Target
	fileKey filekey.Source
	// output and form are the flags of those names; out and json what they say.
	output, form string
	out          show.Options
	// keep says that a file that the command has made is worth something, though it failed.
	keep bool
}

// dataCommand describes a command on data.
type dataCommand struct {
	// use is the name and the arguments behind PATH, of which there may be least to most; most < 0 is
	// no bound.
	use         string
	least, most int
	short, long string
	example     string // a line or several
	// noRows: nothing of rows is printed, and there is no --output; noItems: there are no items, nor --json.
	noRows, noItems bool
	// create makes a file where there is none, makes opens the one that is there or makes one; reads
	// opens it for reading.
	create, makes, reads bool
	run                  func(*session, []string) error
}

// dataHelp ends the help of every command on data; variables are those that stand for its flags.
const dataHelp = `
With --endpoint URL the command works on that server, and PATH is left out.
` + filekey.Help + `
%s in the environment stand for the flags of
those names; a flag wins.
The exit code is 0 if all went well, 1 after a failure, 2 if the command line is wrong, 3 if the item
or table is not there, and 4 if a condition was not met. A failure is one line on stderr.`

// flagNames are the flags of the command that are environment variables too. Not --endpoint, which decides
// what the first argument means, nor what belongs to one request.
func (d *dataCommand) flagNames() (names []string) {
	if !d.noRows {
		names = append(names, flagOutput)
	}
	if !d.noItems {
		names = append(names, flagJSON)
	}
	return append(names, "region", "profile")
}

func (d *dataCommand) help() string {
	var variables []string
	for _, name := range d.flagNames() {
		variables = append(variables, flags.EnvironmentName(name))
	}
	last := len(variables) - 1
	return fmt.Sprintf(dataHelp, strings.Join(variables[:last], ", ")+" and "+variables[last])
}

// Flags of what is printed.
const (
	flagOutput = "output"
	flagJSON   = "json"
)

// newData makes the command. Its flags can be added to.
func newData(d dataCommand) *cobra.Command {
	s := new(session)
	name, args, _ := strings.Cut(d.use, " ")
	cmd := &cobra.Command{
		Use:     strings.TrimSpace(name + " PATH " + args),
		Short:   d.short,
		Long:    strings.TrimSpace(d.short+".\n\n"+d.long) + "\n" + d.help(),
		Example: d.example,
		Args: func(cmd *cobra.Command, given []string) error {
			n := len(given)
			if s.target.Endpoint == "" {
				n--
			}
			if n < d.least || d.most >= 0 && n > d.most {
				return fmt.Errorf("want kstone %s, with --endpoint URL in place of PATH or not: see kstone %s --help",
					cmd.Use, name)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s.cmd = cmd
			return s.run(d, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.target.Endpoint, "endpoint", "", "URL of a server, in place of PATH")
	f.StringVar(&s.target.Region, "region", "", "region in signatures to --endpoint (default AWS_REGION, else that of the\n"+
		"profile or endpoint)")
	f.StringVar(&s.target.Profile, "profile", "", "profile of ~/.aws with the keys for --endpoint (default AWS_ACCESS_KEY_ID and\n"+
		"AWS_SECRET_ACCESS_KEY, else AWS_PROFILE, else default; localhost needs none)")
	s.fileKey.AddFlags(f)
	s.form = items.FormNames()[0]
	if !d.noRows {
		f.StringVar(&s.output, flagOutput, "", "table, json, jsonl (a row a line) or compact (JSON without blanks)\n"+
			"(default table on a terminal, else json)")
	}
	if !d.noItems {
		f.StringVar(&s.form, flagJSON, s.form, "form of items: plain, dynamodb, or auto, which reads either by its\n"+
			"shape and writes plain JSON")
	}
	cmd.ValidArgsFunction = s.completeArguments(strings.Contains(d.use, "[TABLE]"))
	completeFlags(cmd)
	return cmd
}

// run opens the target, does the work and closes.
func (s *session) run(d dataCommand, args []string) (err error) {
	if err := s.settle(d.flagNames()); err != nil {
		return usage(err)
	}
	if s.target.Endpoint == "" {
		s.target.Path, args = args[0], args[1:]
	}
	s.target.ReadOnly = d.reads
	if err := s.getKey(s.ctx(), s.cmd.ErrOrStderr()); err != nil {
		return err
	}
	defer clear(s.target.Key)
	open := s.target.Open
	fresh := d.create
	if d.makes && s.target.Endpoint == "" {
		_, err := os.Lstat(s.target.Path)
		fresh = errors.Is(err, fs.ErrNotExist)
	}
	if fresh {
		open = s.target.Create
	}
	svc, err := open(s.ctx())
	if err != nil {
		return err
	}
	s.Service = svc
	err = s.target.Explain(s.ctx(), d.run(s, args))
	if e := svc.Close(); err == nil && e != nil {
		err = fmt.Errorf("closing %s: %w", s.target.Path, e)
	}
	if err != nil && fresh && !s.keep && s.target.Path != "" {
		// This command made the file, and not with the tables that were asked for.
		err = errors.Join(err, os.Remove(s.target.Path))
	}
	return err
}

// getKey gets the encryption key of the file.
func (s *session) getKey(ctx context.Context, stderr io.Writer) (err error) {
	if s.target.Endpoint == "" {
		s.target.Key, err = s.fileKey.Key(ctx, stderr)
		return err
	}
	if s.fileKey.Flagged() {
		return usage(errors.New("an encryption key is for a file: leave it or --endpoint out"))
	}
	return nil
}

// settle parses what flags and environment give as text; the flags of all commands on data are also
// environment variables.
func (s *session) settle(names []string) error {
	some := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, name := range names {
		some.AddFlag(s.cmd.Flags().Lookup(name))
	}
	if err := flags.ApplyEnvironment(some); err != nil {
		return err
	}
	var err error
	if s.out.Form, err = items.ParseForm(s.form); err != nil {
		return fmt.Errorf("--json %w", err)
	}
	width, terminal := terminalWidth(s.cmd.OutOrStdout())
	switch {
	case s.output != "":
		if s.out.Format, err = show.ParseFormat(s.output); err != nil {
			return fmt.Errorf("--output %w", err)
		}
	case terminal:
		s.out.Format = show.Table
	}
	s.out.Width = width
	return nil
}

// terminalWidth is the width of the terminal that is written to, if it is one.
func terminalWidth(out io.Writer) (width int, terminal bool) {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, true
	}
	return width, true
}

func (s *session) ctx() context.Context {
	if ctx := s.cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// describe asks for a table and lets its key come first in tables of output.
func (s *session) describe(table string) (*api.TableDescription, error) {
	out, err := s.DescribeTable(s.ctx(), &api.DescribeTableInput{TableName: api.Some(table)})
	if err != nil {
		return nil, inTable(table, err)
	}
	s.out.Keys = items.KeyNames(out.Table)
	return out.Table, nil
}

// inTable names the table where the service's text does not.
func inTable(table string, err error) error {
	if api.CodeOf(err) == api.ResourceNotFound {
		return fmt.Errorf("table %s: %w", table, err)
	}
	return err
}

// tableArgument is the TABLE of commands that take nothing else.
func tableArgument(args []string) string {
	if len(args) == 0 {
		return tableDefault
	}
	return args[0]
}

// keyHelp says how TABLE and KEY are told apart.
const keyHelp = `KEY is the partition key, or the partition key and the sort key as two arguments. TABLE can be left
out if it is "items" and there is no sort key: one argument is the key, two are table and key, three
are table, partition key and sort key. Each part has the type of the table's schema: text for S,
digits for N, base64 for B. Arguments that begin with a dash go behind "--".`

// keyPartsMax is the number of attributes of the longest key.
const keyPartsMax = 2

// keyArguments takes [TABLE] KEY from the front of the arguments, of which the last ones are others.
func keyArguments(args []string, others int) (table string, key, rest []string) {
	n := len(args) - others
	args, rest = args[:n], args[n:]
	if n == 1 {
		return tableDefault, args, rest
	}
	return args[0], args[1:], rest
}

// usageError is a fault of the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(err error) error { return &usageError{err} }

// errAbsent is the failure of get when there is no item.
var errAbsent = errors.New("there is no such item")

// Exit codes.
const (
	// exitFailed is the exit code of every failure that has none of its own.
	exitFailed = 1
	// exitUsage: the command line is wrong; nothing was done.
	exitUsage = 2
	// exitAbsent: the item or table is not there.
	exitAbsent = 3
	// exitCondition: a condition was not met, or PartiQL's INSERT found the item there.
	exitCondition = 4
)

// exitCode is that of a failure.
func exitCode(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	switch {
	case errors.Is(err, filekey.ErrSources):
		return exitUsage
	case errors.Is(err, errAbsent):
		return exitAbsent
	case errors.Is(err, errFaults), errors.Is(err, errUnchecked), errors.Is(err, errLosses):
		return exitFaults
	}
	switch api.CodeOf(err) {
	case api.ResourceNotFound, api.TableNotFound, api.IndexNotFound:
		return exitAbsent
	case api.ConditionalCheckFailed, api.DuplicateItem:
		return exitCondition
	default:
		return exitFailed
	}
}
