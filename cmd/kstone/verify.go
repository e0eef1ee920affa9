package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine"
)

// exitFaults: the file was checked, and something in it is wrong.
const exitFaults = 5

// errFaults ends verify when there are faults, errUnchecked when none was found and not everything was
// looked at, such as the tables that an incremental backup leaves to its base.
var (
	errFaults    = errors.New("the file has faults")
	errUnchecked = errors.New("no fault was found, and not everything could be checked")
)

const verifyHelp = `Every byte of the file that has a checksum is read and checked, and every cross-reference: which part
of the file belongs to whom, the order of keys, filters, counts; then each index entry against its
item and each item against its entries, expiry, streams, request tokens, and the counts of items that are
kept against the items. Nothing is written. The file may be open for reading meanwhile, not for writing: a
server checks its own file in the background (kstone serve --scrub-rate).

--json prints one object: ok, errors, warnings, faults (severity, region, part, offset, length, table, name,
index, key, what, first and last key that are lost), unchecked (what could not be looked at), counts, bytes,
durationMs.

The exit code is 0 if there is no error and everything was checked, else 5, 1 if the file cannot be opened
or read as a database, and 2 if the command line is wrong. Warnings, such as a copy of the superblock that
a crash cut short, do not count. What of a damaged file can be read goes into a new one by kstone salvage.`

func newVerify() *cobra.Command {
	var opts engine.VerifyOptions
	var look examination
	cmd := &cobra.Command{
		Use:     "verify PATH",
		Short:   "Check a database file for damage",
		Long:    "Check a database file for damage.\n\n" + verifyHelp,
		Example: "  kstone verify my.keystone\n  kstone verify my.keystone --json",
		Args:    onePath("verify"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			end, err := look.begin(ctx, cmd, &opts.Progress, &opts.EncryptionKey)
			if err != nil {
				return err
			}
			defer end()
			begin := time.Now()
			report, err := engine.Verify(ctx, args[0], opts)
			if err != nil {
				return closedError(args[0], err)
			}
			if err := printReport(cmd.OutOrStdout(), args[0], &report, look.asJSON, time.Since(begin)); err != nil {
				return err
			}
			switch {
			case report.Errors > 0:
				return errFaults
			case !report.OK:
				return errUnchecked
			}
			return nil
		},
	}
	f := cmd.Flags()
	look.addFlags(f)
	f.BoolVar(&opts.Quick, "quick", false, "leave the data out: superblocks, manifest, log, and how tables begin and end")
	return cmd
}

// examination is what the commands that read a whole closed file have in common.
type examination struct {
	asJSON, progress bool
	key              filekey.Source
}

func (e *examination) addFlags(f *pflag.FlagSet) {
	e.key.AddFlags(f)
	f.BoolVar(&e.asJSON, "json", false, "print the report as JSON")
	f.BoolVar(&e.progress, "progress", false, "say on stderr how far it is, though that is no terminal")
}

// begin fetches the key and shows the progress, as far as that is wanted; end clears both away.
func (e *examination) begin(
	ctx context.Context, cmd *cobra.Command, progress *func(engine.VerifyProgress), key *[]byte,
) (end func(), err error) {
	if *key, err = e.key.Key(ctx, cmd.ErrOrStderr()); err != nil {
		return nil, err
	}
	bar := newProgress(cmd.ErrOrStderr(), e.progress)
	if bar != nil {
		*progress = func(p engine.VerifyProgress) { bar.show(p.Step, p.Done, p.Total) }
	}
	return func() {
		clear(*key)
		if bar != nil {
			bar.end()
		}
	}, nil
}

// onePath demands one argument.
func onePath(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("want kstone %s PATH, one database file: see kstone %s --help", name, name)
		}
		return nil
	}
}

// closedError says what to do about a file that cannot be looked at.
func closedError(path string, err error) error {
	if text := filekey.Explain(path, err); text != nil {
		return text
	}
	switch {
	case errors.Is(err, engine.ErrInUse):
		return fmt.Errorf("%s is in use by another kstone that writes it: stop that one first; a server checks its own "+
			"file while it runs (--scrub-rate)", path)
	case errors.Is(err, engine.ErrForeign):
		return fmt.Errorf("%s is no database of kstone, or both copies of its superblock are damaged: then "+
			"kstone salvage may find what is in it", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot read %s (%w): allow this user to", path, err)
	}
	return err
}

// jsonReport is the report as it is printed, with how long it took.
type jsonReport struct {
	Path string `json:"path"`
	*engine.VerifyReport
	DurationMs int64 `json:"durationMs"`
}

func printReport(out io.Writer, path string, r *engine.VerifyReport, asJSON bool, took time.Duration) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(jsonReport{path, r, took.Milliseconds()})
	}
	for _, f := range r.Faults {
		fmt.Fprintln(out, f)
	}
	if more := r.Errors + r.Warnings - int64(len(r.Faults)); more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
	for _, u := range r.Unchecked {
		fmt.Fprintln(out, "not checked:", u)
	}
	c := &r.Counts
	fmt.Fprintf(out, "file: %d tables, %d blocks, %d entries; %d groups of the log, %d of the manifest; %d of %d bytes read\n",
		c.Tables, c.Blocks, c.Entries, c.LogGroups, c.ManifestGroups, r.Bytes.Checked, r.Bytes.File)
	fmt.Fprintf(out, "stored: %d tables, %d items, %d index entries, %d stream records, %d tokens\n",
		c.ItemTables, c.Items, c.IndexEntries, c.StreamRecords, c.Tokens)
	if c.HistoryRows+c.BackupItems > 0 {
		fmt.Fprintf(out, "kept: %d rows of change logs, %d items of backups\n", c.HistoryRows, c.BackupItems)
	}
	_, err := fmt.Fprintf(out, "%s: %d errors, %d warnings, in %v\n", path, r.Errors, r.Warnings, took.Round(time.Millisecond))
	return err
}
