package main

import (
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/cmd/internal/show"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// statementFlags are those of query and sql.
type statementFlags struct {
	file, parameters string
	limit            int64
	consistent       bool
	readOnly         bool
}

// statementHelp ends the help of both.
const statementHelp = `A STATEMENT is an argument; each may hold several with ";" between them. Without one they are read from
--file or, if that is not given, from stdin. They run one after the other, and the first that fails
ends the command; those before it stay done. Rows are printed as they come, those of all statements
in one list: with table, in one table a statement.`

func newQuery() *cobra.Command {
	return newStatements(dataCommand{
		use: "query", reads: true,
		short: "Print the rows that SELECT statements of PartiQL find",
		long: `What is no SELECT (or EXPLAIN) is refused before anything runs: kstone sql runs everything.

` + statementHelp,
		example: `  kstone query my.keystone "SELECT * FROM items WHERE pk = 'alice'"`,
	}, statementFlags{readOnly: true})
}

func newSQL() *cobra.Command {
	return newStatements(dataCommand{
		use:   "sql",
		short: "Run statements of PartiQL",
		long:  "INSERT, UPDATE and DELETE print nothing but what they return with RETURNING.\n\n" + statementHelp,
		example: `  kstone sql my.keystone "INSERT INTO items VALUE {'pk':'alice','age':30}"
  kstone sql my.keystone "SELECT * FROM items WHERE pk = ?" --parameters '["alice"]'
  kstone sql my.keystone --file script.sql`,
	}, statementFlags{})
}

// newStatements completes the description of a command that runs statements.
func newStatements(d dataCommand, f statementFlags) *cobra.Command {
	d.use, d.most = d.use+" [STATEMENT]...", -1
	d.run = func(s *session, args []string) error { return runStatements(s, &f, args) }
	cmd := newData(d)
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", `read the statements from this file; "-" is stdin`)
	flags.StringVar(&f.parameters, "parameters", "", `values for the ? of a single statement: a JSON list such as '["alice",30]'`)
	flags.Int64Var(&f.limit, "limit", 0, "print at most so many rows of each statement; 0 is all")
	flags.BoolVar(&f.consistent, "consistent", false, "read what was written last (of a local file and a kstone server, every read does)")
	return cmd
}

// runStatements runs all statements of the command line.
func runStatements(s *session, f *statementFlags, args []string) error {
	if f.limit < 0 {
		return usage(fmt.Errorf("--limit %d: want no negative one", f.limit))
	}
	all, err := gatherStatements(s, f, args)
	if err != nil {
		return err
	}
	var parameters []attr.Value
	if f.parameters != "" {
		if len(all) != 1 {
			return usage(fmt.Errorf("--parameters: want one statement, not %d", len(all)))
		}
		body, err := s.readText(f.parameters)
		if err != nil {
			return fmt.Errorf("--parameters: %w", err)
		}
		if parameters, err = items.ReadList(body, s.out.Form); err != nil {
			return usage(fmt.Errorf("--parameters: %w", err))
		}
	}
	return executeAll(s, f, all, parameters)
}

// gatherStatements collects the statements of arguments, file or stdin.
func gatherStatements(s *session, f *statementFlags, args []string) ([]statement, error) {
	if f.file != "" && len(args) > 0 {
		return nil, usage(errors.New("a statement and --file exclude each other: leave one out"))
	}
	var all []statement
	for _, arg := range args {
		all = append(all, splitStatements(arg)...)
	}
	if len(args) == 0 {
		script, err := readScript(s, f.file)
		if err != nil {
			return nil, err
		}
		all = splitStatements(string(script))
	}
	if len(all) == 0 {
		return nil, usage(errors.New("there is no statement"))
	}
	for i, st := range all {
		if !utf8.ValidString(st.text) {
			return nil, usage(fmt.Errorf("statement %d is not UTF-8, and nothing was run", i+1))
		}
		if f.readOnly && !isRead(st.text) {
			return nil, usage(fmt.Errorf("statement %d is no SELECT, and nothing was run: kstone sql runs any statement", i+1))
		}
	}
	return all, nil
}

// readScript reads the file of statements; none and "-" mean stdin, unless a person sits there.
func readScript(s *session, file string) ([]byte, error) {
	if file != "" && file != "-" {
		return readFile(file)
	}
	in := s.cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && file == "" && term.IsTerminal(int(f.Fd())) {
		return nil, usage(errors.New("give a statement, or --file FILE"))
	}
	return readAll(in, "stdin")
}

// executeAll runs the statements in order.
func executeAll(s *session, f *statementFlags, all []statement, parameters []attr.Value) error {
	rows := show.NewRows(s.cmd.OutOrStdout(), s.out)
	reads := false
	for i, st := range all {
		before := rows.Count()
		if err := execute(s, f, st.text, parameters, rows); err != nil {
			if len(all) > 1 {
				err = fmt.Errorf("statement %d, line %d: %w", i+1, st.line, err)
			}
			return errors.Join(err, rows.Flush())
		}
		read := isRead(st.text) || rows.Count() > before
		reads = reads || read
		if s.out.Format == show.Table && read {
			if err := rows.Close(); err != nil {
				return err
			}
			rows = show.NewRows(s.cmd.OutOrStdout(), s.out)
		}
	}
	if !reads || s.out.Format == show.Table {
		return nil
	}
	return rows.Close()
}

// execute runs one statement, page by page.
func execute(s *session, f *statementFlags, text string, parameters []attr.Value, rows *show.Rows) error {
	in := &api.ExecuteStatementInput{
		Statement: api.Some(text), Parameters: parameters,
		ConsistentRead: api.Opt[bool]{Value: f.consistent, Set: f.consistent},
	}
	for left := f.limit; ; {
		out, err := s.ExecuteStatement(s.ctx(), in)
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			if err := rows.Add(it); err != nil {
				return err
			}
			if left--; left == 0 {
				return nil
			}
		}
		if !out.NextToken.Set {
			return nil
		}
		if err := rows.Flush(); err != nil {
			return err
		}
		in.NextToken = out.NextToken
	}
}
