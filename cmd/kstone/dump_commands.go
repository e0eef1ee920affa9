package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/dynamowire/dump"
)

// standardName stands for stdin or stdout.
const standardName = "-"

func newDump() *cobra.Command {
	var opts dump.WriteOptions
	cmd := newData(dataCommand{
		use: "dump [FILE]", most: 1, reads: true, noRows: true, noItems: true,
		short: "Write tables and items as text, one JSON line an item",
		long: `The text goes to FILE, or to stdout if that is left out or "-". FILE appears when it is whole; one that ends
in .gz or .zst is compressed. The first line has the version of the form, then come the definitions of
the tables with indexes, time to live, streams and tags, then their items in DynamoDB JSON, in the order
of a scan. Two databases of equal content give the same bytes. kstone load reads it.

A file that a server uses is not to be opened: a dump with --endpoint reads that server table by table,
and has what is written meanwhile in part. kstone backup makes a file of one moment that can be dumped.
Encryption keys are never in a dump, and what it has is not encrypted.`,
		example: "  kstone dump my.keystone my.jsonl.zst\n  kstone dump my.keystone | kstone load other.keystone",
		run: func(s *session, args []string) error {
			name := standardName
			if len(args) > 0 {
				name = args[0]
			}
			return runDump(s, name, opts)
		},
	})
	cmd.Flags().StringSliceVar(&opts.Tables, "tables", nil, "only these tables, by their names with commas between them")
	return cmd
}

func runDump(s *session, name string, opts dump.WriteOptions) error {
	if name == standardName {
		_, err := dump.Write(s.ctx(), s, s.cmd.OutOrStdout(), opts)
		return err
	}
	counts, err := dumpFile(s, name, opts)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.cmd.OutOrStdout(), "%s\n", countsText(counts))
	return err
}

// dumpFile makes the file in one step. What is there and no file, such as a device or a pipe, is written
// to: a rename would put a file in its place.
func dumpFile(s *session, name string, opts dump.WriteOptions) (dump.Counts, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return dump.Counts{}, fmt.Errorf("cannot write %s: %w", name, err)
		}
		return writeDump(s, f, name, opts)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return dump.Counts{}, fmt.Errorf("cannot write %s: %w", name, err)
	}
	counts, err := writeDump(s, f, name, opts)
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return counts, errors.Join(err, os.Remove(f.Name()))
	}
	return counts, nil
}

// writeDump writes to a file, makes it durable and closes it.
func writeDump(s *session, f *os.File, name string, opts dump.WriteOptions) (dump.Counts, error) {
	var counts dump.Counts
	w, err := dump.Compressed(name, f)
	if err == nil {
		counts, err = dump.Write(s.ctx(), s, w, opts)
		err = errors.Join(err, w.Close())
	}
	if err == nil {
		if info, e := f.Stat(); e == nil && info.Mode().IsRegular() { // a pipe has nothing to sync
			err = f.Sync()
		}
	}
	return counts, errors.Join(err, f.Close())
}

func countsText(c dump.Counts) string {
	many := func(n int64, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	return many(c.Tables, "table") + ", " + many(c.Items, "item")
}

func newLoad() *cobra.Command {
	var opts dump.LoadOptions
	var keepGoing bool
	cmd := newData(dataCommand{
		use: "load [FILE]", most: 1, makes: true, noRows: true, noItems: true,
		short: "Make tables and items from the text of kstone dump",
		long: `The text comes from FILE, or from stdin if that is left out or "-"; gzip and zstd are known by their first
bytes. The database is made if there is none. A table of the dump that is there already is refused
before anything is written, unless --beside is given: then items are put beside what it has, and over
items of the same key, which is how to take up a load that was cut off.

A text of items alone, {"Item":{…}} a line as the service exports them to S3, goes into the table of
--table. At the first line that cannot be loaded the load ends with its number: what comes before is in,
nothing of it and nothing behind it is, unless the message says up to where. With --keep-going such lines are told on stderr and left out, and the exit code is 1.`,
		example: "  kstone load new.keystone my.jsonl.zst\n  kstone load my.keystone export.json.gz --table orders",
		run: func(s *session, args []string) error {
			name := standardName
			if len(args) > 0 {
				name = args[0]
			}
			return runLoad(s, name, opts, keepGoing)
		},
	})
	f := cmd.Flags()
	f.StringVar(&opts.Table, "table", "", "table for a text of items alone; it must be there")
	f.BoolVar(&opts.Beside, "beside", false, "load into tables that are there, beside and over what they have")
	f.BoolVar(&keepGoing, "keep-going", false, "leave out lines that cannot be loaded")
	return cmd
}

func runLoad(s *session, name string, opts dump.LoadOptions, keepGoing bool) error {
	in, err := openText(s, name)
	if err != nil {
		return err
	}
	defer in.Close()
	text, err := dump.Decompressed(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer text.Close()
	bad := 0
	if keepGoing {
		opts.Bad = func(line int64, err error) {
			bad++
			fmt.Fprintf(s.cmd.ErrOrStderr(), "kstone: line %d: %s\n", line, oneLine(err))
		}
	}
	opts.Wait = waitABit
	counts, err := dump.Load(s.ctx(), s, text, opts)
	s.keep = counts.Tables > 0 || counts.Items > 0
	switch {
	case errors.Is(err, dump.ErrExists):
		return fmt.Errorf("%w: load into another database, or give --beside", err)
	case err != nil && s.keep:
		return fmt.Errorf("%w (%s are loaded: --beside takes the load up again)", err, countsText(counts))
	case err != nil:
		return err
	}
	if _, err := fmt.Fprintf(s.cmd.OutOrStdout(), "%s\n", countsText(counts)); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("lines that were not loaded: %d", bad)
	}
	return nil
}

func openText(s *session, name string) (io.ReadCloser, error) {
	if name == standardName {
		return io.NopCloser(s.cmd.InOrStdin()), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// waitABit is between two looks at a table of a server.
func waitABit(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(activePoll):
		return nil
	}
}
