package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/cmd/internal/target"
	"github.com/keystone-db/kstone/engine"
)

// exitHelp ends the help of commands whose exit codes are the usual ones.
const exitHelp = `
The exit code is 0 if all went well, 1 after a failure, of which nothing is left, and 2 if the command line
is wrong.`

// backupCommand is one backup.
type backupCommand struct {
	base         string
	force, quiet bool
	noCheck      bool
	rate         int64
	key          filekey.Source
	from         target.Target
}

func newBackup() *cobra.Command {
	var b backupCommand
	cmd := &cobra.Command{
		Use:   "backup {DB | --endpoint URL} FILE",
		Short: "Copy a database into FILE",
		Long: `Copy a database into FILE.

FILE is a database of its own, the state of DB at one moment: kstone serve and all other commands take it
as it is. It is there as a whole, checked and on the disk, or not at all. Where the file system can share
blocks between files it does, so that the copy takes no time and no space.

With --incremental-from BASE, a backup of DB that nobody has opened for writing since, FILE holds only the
tables that BASE has not. kstone restore makes a database of BASE and FILE. The next incremental backup is
made from FILE.

A server has its database for itself: with --endpoint it is asked for the backup, which comes over the
connection while it serves. Where access keys are verified, that takes one that is not restricted. A
backup of an encrypted database has the key that DB has now.
` + exitHelp,
		Example: `  kstone backup my.keystone monday.keystone
  kstone backup --endpoint http://localhost:8000 monday.keystone
  kstone backup --incremental-from monday.keystone my.keystone tuesday.backup`,
		Args: func(_ *cobra.Command, args []string) error {
			want := 2
			if b.from.Endpoint != "" {
				want = 1
			}
			if len(args) != want {
				return errors.New("want kstone backup DB FILE, or kstone backup --endpoint URL FILE: see kstone backup --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			if err := onlyFile(args[len(args)-1]); err != nil {
				return err
			}
			if b.from.Endpoint != "" {
				return b.ask(ctx, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return b.run(ctx, args[0], args[1], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	b.key.AddFlags(f)
	f.StringVar(&b.from.Endpoint, "endpoint", "", "URL of a server, in place of DB")
	f.StringVar(&b.from.Region, "region", "", "region in the signature to --endpoint, as for other commands")
	f.StringVar(&b.from.Profile, "profile", "", "profile of ~/.aws with the keys for --endpoint, as for other commands")
	f.StringVar(&b.base, "incremental-from", "", "backup that the new one goes on from")
	f.BoolVar(&b.force, "force", false, "replace FILE if it is there")
	f.Int64Var(&b.rate, "rate", 0, "most bytes a second; 0 for no bound")
	f.BoolVar(&b.noCheck, "no-check", false, "do not read the copy back to verify it")
	f.BoolVarP(&b.quiet, "quiet", "q", false, "print nothing when all goes well")
	return cmd
}

// interruptible is a context that SIGINT and SIGTERM end, so that nothing half done is left.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

func (b *backupCommand) run(ctx context.Context, path, file string, stdout, stderr io.Writer) (err error) {
	if b.rate < 0 {
		return usage(fmt.Errorf("--rate %d: want no negative one", b.rate))
	}
	key, err := b.key.Key(ctx, stderr)
	defer clear(key)
	if err != nil {
		return err
	}
	svc, err := target.Target{Path: path, ReadOnly: true, Key: key}.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, svc.Close()) }()
	p := progressOn(stderr)
	info, err := svc.(*engine.DB).Backup(ctx, file, engine.BackupOptions{
		Base: b.base, Overwrite: b.force, BytesPerSecond: b.rate, NoCheck: b.noCheck, Progress: p.show,
	})
	p.end()
	if err != nil {
		return explainCopy(ctx, file, err)
	}
	return tellCopy(stdout, "backup", file, b.quiet, info)
}

// ask has the backup come from a server.
func (b *backupCommand) ask(ctx context.Context, file string, stdout, stderr io.Writer) error {
	switch {
	case b.rate < 0:
		return usage(fmt.Errorf("--rate %d: want no negative one", b.rate))
	case b.base != "" || b.key.Flagged() || b.noCheck:
		return usage(errors.New("--incremental-from, --no-check and encryption keys are for a file: leave them or --endpoint out"))
	}
	stream, err := b.from.Backup(ctx, b.rate)
	if err != nil {
		return explainCopy(ctx, file, err)
	}
	defer stream.Close()
	p := progressOn(stderr)
	info, err := engine.ReceiveBackup(ctx, file, stream, engine.RestoreOptions{Overwrite: b.force, Progress: p.show})
	p.end()
	if err != nil {
		return explainCopy(ctx, file, err)
	}
	return tellCopy(stdout, "backup", file, b.quiet, info)
}

// explainCopy tells what to do about a backup or restored copy at path that failed.
func explainCopy(ctx context.Context, path string, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing is left of the copy")
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%w: choose another name, or give --force to replace it", err)
	case errors.Is(err, engine.ErrLocked):
		return explainLocked(path, err)
	case errors.Is(err, engine.ErrKeyNeeded), errors.Is(err, engine.ErrWrongKey), errors.Is(err, engine.ErrNotEncrypted):
		return fmt.Errorf("%w: see the flags --encryption-key-…", err)
	}
	return err
}

// explainLocked says of a file that somebody has open which one it is: the one to be replaced at path, or one
// that is read.
func explainLocked(path string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok && at.Path != path {
		return fmt.Errorf("%s is in use by another kstone that writes it: stop that one first", at.Path)
	}
	return fmt.Errorf("%s is in use by another kstone: stop that one, or choose another name", path)
}

// onlyFile refuses a device, pipe or folder, in whose place --force would put a file.
func onlyFile(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and is no file: choose another name", path)
	}
	return nil
}

// tellCopy prints what was made.
func tellCopy(out io.Writer, what, file string, quiet bool, info engine.CopyInfo) error {
	if quiet {
		return nil
	}
	_, err := fmt.Fprintf(out, "%s %s: %d tables, %d bytes of them in it, up to LSN %d of timeline %s\n",
		what, file, info.Tables, info.Bytes, info.LSN, info.Origin)
	return err
}

// progress is one line on a terminal.
type progress struct {
	out   io.Writer // nil shows nothing
	shown int64     // per cent, or MiB of an unknown total
}

func progressOn(stderr io.Writer) *progress {
	p := &progress{shown: -1}
	if _, terminal := terminalWidth(stderr); terminal {
		p.out = stderr
	}
	return p
}

const perCent = 100

func (p *progress) show(done, total int64) {
	if total == 0 {
		if at := done >> 20; p.out != nil && at != p.shown {
			p.shown = at
			fmt.Fprintf(p.out, "\r%d MiB", at)
		}
		return
	}
	if part := done * perCent / max(total, 1); p.out != nil && part != p.shown {
		p.shown = part
		fmt.Fprintf(p.out, "\r%3d %% of %d bytes", part, total)
	}
}

// end clears the line.
func (p *progress) end() {
	if p.out != nil && p.shown >= 0 {
		fmt.Fprint(p.out, "\r\033[K")
	}
}
