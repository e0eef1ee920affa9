package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
)

func newInspect() *cobra.Command {
	var entries bool
	var source filekey.Source
	cmd := &cobra.Command{
		Use:   "inspect PATH [superblock | manifest | table NUM | block NUM@OFFSET | wal [FROM..TO]]",
		Short: "Print what stands in a database file, for those who look for a fault",
		Long: `Print what stands in a database file, as text: the superblocks, the records of the manifest, a table
with its parts and blocks, the entries of one block, or the groups of the write-ahead log with their
batches; without a second argument the superblocks, segments and tables. Numbers of tables and batches
are written as they are printed, such as 2.17; FROM or TO may be left out.

The file is never written to, may be damaged, and may be in use. What does not verify is on a line
that begins with "!", and the exit code is 5 then; it is 1 if the file cannot be opened, and 2 if the
command line is wrong. Of an encrypted file only superblocks and the heads of groups can be printed
without the key.`,
		Example: "  kstone inspect my.keystone\n  kstone inspect my.keystone table 2.17 --entries\n" +
			"  kstone inspect my.keystone wal 3.1..3.9",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("want kstone inspect PATH: see kstone inspect --help")
			}
			_, err := parseInspect(args[1:], entries)
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			look, err := parseInspect(args[1:], entries)
			if err != nil {
				return usage(err)
			}
			opts := lsm.InspectOptions{Describe: key.Describe}
			if opts.EncryptionKey, err = source.Key(cmd.Context(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			defer clear(opts.EncryptionKey)
			i, err := lsm.OpenInspector(args[0], cmd.OutOrStdout(), opts)
			if text := filekey.Explain(args[0], err); text != nil {
				return text
			}
			if err != nil {
				return fmt.Errorf("cannot %w", err)
			}
			if i.InUse() {
				fmt.Fprintln(cmd.ErrOrStderr(), "kstone: the file is in use: what is being written may look damaged")
			}
			look(i)
			err = i.Close()
			if errors.Is(err, storage.ErrCorrupt) {
				return errFaults
			}
			if text := filekey.Explain(args[0], err); text != nil {
				return text
			}
			return err
		},
	}
	source.AddFlags(cmd.Flags())
	cmd.Flags().BoolVar(&entries, "entries", false, "print all entries of the table, too")
	return cmd
}

// parseInspect says what is looked at.
func parseInspect(args []string, entries bool) (func(*lsm.Inspector), error) {
	what, rest := "", ""
	if len(args) > 0 {
		what = args[0]
	}
	if len(args) > 1 {
		rest = args[1]
	}
	wants := map[string][2]int{"": {0, 0}, "superblock": {1, 1}, "manifest": {1, 1}, "table": {2, 2}, "block": {2, 2}, "wal": {1, 2}}
	n, ok := wants[what]
	if !ok || len(args) < n[0] || len(args) > n[1] {
		return nil, fmt.Errorf("inspect %s: want superblock, manifest, table NUM, block NUM@OFFSET or wal [FROM..TO]",
			strings.Join(args, " "))
	}
	switch what {
	case "superblock":
		return (*lsm.Inspector).Superblocks, nil
	case "manifest":
		return (*lsm.Inspector).Manifest, nil
	case "table":
		num, err := lsm.ParseNumber(rest)
		return func(i *lsm.Inspector) { i.Table(num, entries) }, err
	case "block":
		return parseBlock(rest)
	case "wal":
		from, to, err := parseSpan(rest)
		return func(i *lsm.Inspector) { i.Log(from, to) }, err
	}
	return (*lsm.Inspector).Summary, nil
}

func parseBlock(text string) (func(*lsm.Inspector), error) {
	table, at, _ := strings.Cut(text, "@")
	num, err := lsm.ParseNumber(table)
	if err != nil {
		return nil, err
	}
	offset, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("block %q: want NUM@OFFSET such as 2.17@80", text)
	}
	return func(i *lsm.Inspector) { i.Block(num, offset) }, nil
}

// parseSpan reads FROM..TO, of which either may be left out, or one number.
func parseSpan(text string) (from, to uint64, err error) {
	to = math.MaxUint64
	if text == "" {
		return 0, to, nil
	}
	first, last, split := strings.Cut(text, "..")
	if !split {
		last = first
	}
	if first != "" {
		if from, err = lsm.ParseNumber(first); err != nil {
			return 0, 0, err
		}
	}
	if last != "" {
		to, err = lsm.ParseNumber(last)
	}
	return from, to, err
}
