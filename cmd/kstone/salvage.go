package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/engine"
)

const salvageHelp = `Whatever can be read of DAMAGED goes into NEW, which must not be there yet; DAMAGED is only read. It may
have lost superblocks, manifest, parts of its log, or blocks of its tables: what says where the others
are is looked for in the whole file then; superblocks of another file are told and left out. What follows
from items, such as entries of indexes, is made anew, and NEW is verified. A table whose definition is lost
is called recovered- and its id, and has the key that its items have and no indexes.

What could not be read is listed, with its place and the keys that may be missing or old because of it. Where
the manifest is damaged, items that were deleted lately may be there again. A backup is better than
a salvaged file: see kstone backup.

--json prints one object: losses and repairs (each with region, offset, what, first and last key), lossCount,
repairCount, keys, bytes, tables, items, verified (the report of kstone verify on NEW), durationMs.

The exit code is 0 if nothing was lost, 5 if NEW was made and something is missing, 1 if there is no NEW, and
2 if the command line is wrong.`

// errLosses ends salvage when something was lost.
var errLosses = errors.New("the new file was made, and something was lost")

func newSalvage() *cobra.Command {
	var opts engine.SalvageOptions
	var look examination
	cmd := &cobra.Command{
		Use:     "salvage DAMAGED NEW",
		Short:   "Copy what can be read of a damaged file into a new one",
		Long:    "Copy what can be read of a damaged file into a new one.\n\n" + salvageHelp,
		Example: "  kstone salvage damaged.keystone new.keystone",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("want kstone salvage DAMAGED NEW: see kstone salvage --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			end, err := look.begin(ctx, cmd, &opts.Progress, &opts.EncryptionKey)
			if err != nil {
				return err
			}
			defer end()
			begin := time.Now()
			r, err := engine.Salvage(ctx, args[0], args[1], opts)
			switch {
			case errors.Is(err, fs.ErrExist):
				return fmt.Errorf("%w: choose another name", err)
			case err != nil:
				return closedError(args[0], err)
			}
			if err := printSalvage(cmd.OutOrStdout(), args, &r, look.asJSON, time.Since(begin)); err != nil {
				return err
			}
			if r.LossCount+r.RepairCount > 0 || !r.Verified.OK {
				return errLosses
			}
			return nil
		},
	}
	look.addFlags(cmd.Flags())
	return cmd
}

// jsonSalvage is the report as it is printed, with how long it took.
type jsonSalvage struct {
	Damaged string `json:"damaged"`
	New     string `json:"new"`
	*engine.SalvageReport
	DurationMs int64 `json:"durationMs"`
}

func printSalvage(out io.Writer, args []string, r *engine.SalvageReport, asJSON bool, took time.Duration) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(jsonSalvage{args[0], args[1], r, took.Milliseconds()})
	}
	for _, l := range r.Losses {
		fmt.Fprintln(out, "lost:", l)
	}
	if more := r.LossCount - int64(len(r.Losses)); more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
	for _, f := range r.Repairs {
		fmt.Fprintln(out, "put right:", f)
	}
	if more := r.RepairCount - int64(len(r.Repairs)); more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
	for _, f := range r.Verified.Faults {
		fmt.Fprintln(out, "left:", f)
	}
	_, err := fmt.Fprintf(out, "%s: %d tables with %d items, in %v; %d places could not be read, %d references were put right\n",
		args[1], r.Tables, r.Items, took.Round(time.Millisecond), r.LossCount, r.RepairCount)
	return err
}
