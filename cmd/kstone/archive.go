package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/archives"
	"github.com/keystone-db/kstone/engine"
)

const archiveHelp = `ARCHIVE is what kstone serve --archive has written: a folder, or s3://BUCKET/PREFIX, with access as AWS tools
find it and another service than AWS by AWS_ENDPOINT_URL_S3. The server may go on writing to it meanwhile.

The exit code is 0 if all went well, 1 after a failure, and 2 if the command line is wrong.`

func newArchive() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "archive",
		Short: "Look into an archive of the log, and thin it out",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q: want kstone archive list or kstone archive prune", args[0])
			}
			return errors.New("want kstone archive list or kstone archive prune: see kstone archive --help")
		},
		Run: func(*cobra.Command, []string) {},
	}
	cmd.AddCommand(newArchiveList(), newArchivePrune())
	return cmd
}

// oneArchive demands one argument.
func oneArchive(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("want kstone archive %s ARCHIVE, a folder or s3://BUCKET/PREFIX: see kstone archive %s --help",
				name, name)
		}
		return nil
	}
}

func newArchiveList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list ARCHIVE",
		Short: "Print what an archive has: base backups, what can be restored, gaps, bytes",
		Long: `Print what an archive has: base backups, what can be restored, gaps, bytes.

Every history of a database that is in ARCHIVE is listed with its timeline, its base backups, and the times
and LSNs between which every moment can be restored (kstone restore --archive). Names and some small
objects are read, not the whole archive.

--json prints a list of timelines: timeline, bases (lsn, time, objects, bytes, broken), spans (fromLsn, toLsn,
from, to), log and unused (objects, bytes). Unused is what no restore needs; kstone archive prune deletes
what is older than the oldest base backup that it leaves.

` + archiveHelp,
		Example: "  kstone archive list /backups/my\n  kstone archive list s3://backups/my --json",
		Args:    oneArchive("list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			from, err := archives.OpenNamed(ctx, args[0])
			if err != nil {
				return err
			}
			list, err := engine.ListArchive(ctx, from)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return printJSON(out, list)
			}
			if len(list) == 0 {
				_, err := fmt.Fprintf(out, "%s has nothing of an archive\n", args[0])
				return err
			}
			for i := range list {
				if err := printTimeline(out, &list[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// timeText is as --to-time and --before take it.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func printTimeline(out io.Writer, t *engine.ArchiveTimeline) error {
	fmt.Fprintf(out, "timeline %s\n", t.Timeline)
	for _, b := range t.Bases {
		broken := ""
		if b.Broken != "" {
			broken = ", cannot be used: " + b.Broken
		}
		fmt.Fprintf(out, "  base backup of %s, LSN %d: %s%s\n", timeText(b.Time), b.LSN, size(b.Bytes), broken)
	}
	for i, s := range t.Spans {
		if i > 0 {
			fmt.Fprintf(out, "  gap\n")
		}
		fmt.Fprintf(out, "  can be restored: %s to %s, LSN %d to %d\n", timeText(s.From), timeText(s.To), s.FromLSN, s.ToLSN)
	}
	if len(t.Spans) == 0 {
		fmt.Fprintf(out, "  nothing can be restored: there is no base backup\n")
	}
	_, err := fmt.Fprintf(out, "  log: %s in %d objects; not needed: %s in %d objects\n", size(t.Log.Bytes), t.Log.Objects,
		size(t.Unused.Bytes), t.Unused.Objects)
	return err
}

// pruneCommand is one thinning.
type pruneCommand struct {
	before        string
	opts          engine.PruneOptions
	asJSON, quiet bool
}

func newArchivePrune() *cobra.Command {
	var p pruneCommand
	cmd := &cobra.Command{
		Use:   "prune ARCHIVE --before TIME",
		Short: "Delete from an archive what restoring TIME and later does not need",
		Long: `Delete from an archive what restoring TIME and later does not need.

Of every history the newest base backup that is not later than TIME stays, with all that follows: every
moment from TIME on can be restored as before. Older base backups and the log before that one are deleted.
The last base backup always stays. The one that becomes the oldest is read and verified before anything
goes. When the command is interrupted or killed the archive is whole, and begins somewhat later than before;
the same command again ends the work. A history that is not wanted at all is a folder of ARCHIVE of that
name (kstone archive list), to be deleted as a whole once no server writes to it.

--json prints a list of timelines: timeline, oldest (the base backup that is the oldest now), bases, objects
and bytes (what was deleted).

` + archiveHelp,
		Example: "  kstone archive prune /backups/my --before 2026-03-01T00:00:00Z --dry-run\n" +
			"  kstone archive prune s3://backups/my --before \"$(date -u -d '30 days ago' +%Y-%m-%dT%H:%M:%SZ)\"",
		Args: oneArchive("prune"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			return p.run(ctx, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.before, "before", "", "oldest time that is to be restored afterwards, such as 2026-03-01T12:30:05Z, or\n"+
		"2026-03-01T12:30:05 in the time zone of this machine")
	f.StringVar(&p.opts.Timeline, "timeline", "", "only this history, in hexadecimal, or the beginning of it")
	f.BoolVar(&p.opts.DryRun, "dry-run", false, "delete nothing, and say what would be deleted")
	f.BoolVar(&p.opts.NoCheck, "no-check", false, "do not read the base backup that becomes the oldest")
	f.BoolVar(&p.asJSON, "json", false, "print JSON")
	f.BoolVarP(&p.quiet, "quiet", "q", false, "print nothing when all goes well")
	return cmd
}

func (p *pruneCommand) run(ctx context.Context, name string, stdout, stderr io.Writer) (err error) {
	if p.before == "" {
		return usage(errors.New("--before is missing: give the oldest time that is to be restored afterwards"))
	}
	if p.opts.Before, err = parseTime("--before", p.before); err != nil {
		return usage(err)
	}
	from, err := archives.OpenNamed(ctx, name)
	if err != nil {
		return err
	}
	bar := progressOn(stderr)
	p.opts.Progress = bar.show
	list, err := engine.PruneArchive(ctx, from, p.opts)
	bar.end()
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: the archive is whole; the same command again ends the work")
	case err != nil:
		return err
	case p.quiet:
		return nil
	case p.asJSON:
		return printJSON(stdout, list)
	}
	return p.tell(stdout, list)
}

func (p *pruneCommand) tell(out io.Writer, list []engine.Pruned) error {
	verb := "deleted"
	if p.opts.DryRun {
		verb = "would delete"
	}
	for _, t := range list {
		oldest := "there is no base backup"
		if t.Oldest != nil {
			oldest = "it begins with the base backup of " + timeText(t.Oldest.Time)
		}
		_, err := fmt.Fprintf(out, "timeline %s: %s %d base backups, %d objects, %s; %s\n", t.Timeline, verb, t.Bases,
			t.Objects, size(t.Bytes), oldest)
		if err != nil {
			return err
		}
	}
	return nil
}
