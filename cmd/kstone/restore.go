package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/archives"
	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine"
)

// restoreCommand is one restore.
type restoreCommand struct {
	archive, timeline, toTime string
	toLSN                     uint64
	force, quiet              bool
	key                       filekey.Source
}

func newRestore() *cobra.Command {
	var r restoreCommand
	cmd := &cobra.Command{
		Use:   "restore {BASE [INCREMENTAL...] | --archive ARCHIVE} DB",
		Short: "Make the database DB of backups, or of an archive",
		Long: `Make the database DB of backups, or of an archive.

BASE is a full backup, the others are incremental ones in the order in which they were made. Every byte of
them is verified. DB is the state of the last one. Backups that do not belong together, damaged ones and
those that were opened for writing since are refused, and nothing is left of DB then. Encrypted ones need
the key of one of them; it is that of DB afterwards.

ARCHIVE is what kstone serve --archive has written: a folder, or s3://BUCKET/PREFIX. DB is the
newest state in it, or with --to-time the one of that moment: nothing that was written later is in it, and all
that was answered up to about a second before. --to-lsn names the last batch exactly. An archive of several
databases, or of several histories of one, needs --timeline: kstone archive list shows them. If a piece is
missing on the way, the restore says which one and ends. The key is the one that the database had when the
base backup before that moment was made. The archive is only read.
` + exitHelp,
		Example: `  kstone restore monday.keystone tuesday.backup wednesday.backup my.keystone
  kstone restore --archive /backups/my --to-time 2026-03-01T12:30:05Z my.keystone`,
		Args: func(_ *cobra.Command, args []string) error {
			if r.archive == "" && len(args) < 2 || r.archive != "" && len(args) != 1 {
				return errors.New("want kstone restore BASE [INCREMENTAL...] DB, or kstone restore --archive ARCHIVE DB: " +
					"see kstone restore --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			last := len(args) - 1
			if err := onlyFile(args[last]); err != nil {
				return err
			}
			return r.run(ctx, args[:last], args[last], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	r.key.AddFlags(f)
	f.StringVar(&r.archive, "archive", "", archives.Help)
	f.StringVar(&r.toTime, "to-time", "", "restore the state of this time, such as 2026-03-01T12:30:05Z, or\n"+
		"2026-03-01T12:30:05 in the time zone of this machine")
	f.Uint64Var(&r.toLSN, "to-lsn", 0, "restore up to this batch")
	f.StringVar(&r.timeline, "timeline", "", "history to restore, in hexadecimal, or the beginning of it")
	f.BoolVar(&r.force, "force", false, "replace DB if it is there")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "print nothing when all goes well")
	return cmd
}

func (r *restoreCommand) run(ctx context.Context, backups []string, path string, stdout, stderr io.Writer) error {
	to, err := r.point()
	if err != nil {
		return usage(err)
	}
	key, err := r.key.Key(ctx, stderr)
	defer clear(key)
	if err != nil {
		return err
	}
	p := progressOn(stderr)
	opts := engine.RestoreOptions{EncryptionKey: key, Overwrite: r.force, Progress: p.show}
	if r.archive != "" {
		return r.fromArchive(ctx, path, to, opts, p, stdout)
	}
	info, err := engine.RestoreBackups(ctx, path, backups, opts)
	p.end()
	if err != nil {
		return explainCopy(ctx, path, err)
	}
	return tellCopy(stdout, "restored", path, r.quiet, info)
}

// timeForms are those of --to-time and --before; the last ones are of the local zone.
var timeForms = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04"}

// point is what the flags of an archive say.
func (r *restoreCommand) point() (engine.PointInTime, error) {
	to := engine.PointInTime{Timeline: r.timeline, LSN: r.toLSN}
	if r.archive == "" && (r.toTime != "" || r.toLSN != 0 || r.timeline != "") {
		return to, errors.New("--to-time, --to-lsn and --timeline are for --archive")
	}
	if r.toTime != "" && r.toLSN != 0 {
		return to, errors.New("--to-time and --to-lsn exclude each other: leave one out")
	}
	if r.toTime == "" {
		return to, nil
	}
	var err error
	to.Time, err = parseTime("--to-time", r.toTime)
	return to, err
}

// parseTime is the time that a flag says.
func parseTime(flag, text string) (time.Time, error) {
	for _, form := range timeForms {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: want a time such as 2026-03-01T12:30:05Z", flag, text)
}

func (r *restoreCommand) fromArchive(
	ctx context.Context, path string, to engine.PointInTime, opts engine.RestoreOptions, p *progress, stdout io.Writer,
) error {
	from, err := archives.Open(ctx, r.archive, true)
	if err != nil {
		return err
	}
	out, err := engine.RestoreArchive(ctx, path, from, to, opts)
	p.end()
	if err != nil {
		return explainCopy(ctx, path, err)
	}
	if r.quiet {
		return nil
	}
	_, err = fmt.Fprintf(stdout, "restored %s: up to LSN %d of timeline %s, and at least to %s\n",
		path, out.LSN, out.Origin, out.Time.UTC().Format(time.RFC3339Nano))
	return err
}
