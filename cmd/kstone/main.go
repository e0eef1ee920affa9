// Command kstone is the database server, the commands on its data and its small tools.
//
//	kstone serve      start the server
//	kstone create     make a database file
//	kstone put, get, delete, update    write, read and change an item
//	kstone scan       print the items of a table
//	kstone query, sql run statements of PartiQL
//	kstone tables, describe            what tables there are
//	kstone backup, restore    copy a database while it is in use, and make one of copies
//	kstone archive    look into an archive of the log, and thin it out
//	kstone verify     check a database file for damage
//	kstone salvage    copy what can be read of a damaged file into a new one
//	kstone rekey      change the encryption key of a database file
//	kstone dump, load         all tables and items as text, and back
//	kstone stats, inspect     print figures of a database, and what stands in its file
//	kstone health     ask a running server whether it is well, for container health checks
//	kstone version    print the version
//
// The flags that users of local substitutes type from memory (-port, -inMemory, -dbPath, …) work
// too, with or without a sub-command; see localflags.go.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/flags"
	"github.com/keystone-db/kstone/cmd/internal/serve"
)

// version is set by the linker: -X main.version=….
var version string

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit code. A failure is one line on stderr.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetOut(stdout)
	root.SetErr(stderr)
	args, ignored := translateLocalFlags(args)
	root.SetArgs(args)
	if len(ignored) > 0 {
		fmt.Fprintf(stderr, "kstone: ignored, they mean nothing here: %s\n", strings.Join(ignored, " "))
	}
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	if err := root.Execute(); err != nil {
		fmt.Fprintf(stderr, "kstone: %s\n", oneLine(err))
		if !started {
			return exitUsage // flags, arguments or the command's name
		}
		return exitCode(err)
	}
	return 0
}

// oneLine keeps a joined error, and what cobra suggests, on one line.
func oneLine(err error) string {
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		switch text := b.String(); {
		case line == "" || text == "":
		case strings.HasSuffix(text, "?"):
			b.WriteString(" ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "kstone",
		Short: "A DynamoDB-compatible database in one file",
		Example: `  kstone create my.keystone
  kstone put my.keystone alice '{"name":"Alice","age":30}'
  kstone get my.keystone alice
  kstone query my.keystone "SELECT * FROM items WHERE pk = 'alice'"
  kstone serve --db my.keystone`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       versionText(),
	}
	root.SetFlagErrorFunc(flags.Error)
	root.AddCommand(newServe(), newHealth(), newVersion(), newCreate(), newPut(), newGet(), newDelete(),
		newUpdate(), newScan(), newQuery(), newSQL(), newTables(), newDescribe(), newBackup(), newRestore(),
		newVerify(), newSalvage(), newArchive())
	root.AddCommand(newStats(), newInspect(), newDump(), newLoad(), newRekey())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "kstone %s %s %s/%s\n",
				versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// versionText is the version that is told.
func versionText() string { return serve.Version(version) }
