package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/crossref"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
)

// ErrInUse: Verify and Salvage found the file open for writing, here or elsewhere.
var ErrInUse = lsm.ErrInUse

// VerifyOptions direct a verification. The zero value checks everything.
type VerifyOptions struct {
	// EncryptionKey opens an encrypted file.
	EncryptionKey []byte
	// Quick checks superblocks, manifest, log, and of tables all but their data; nothing that needs
	// items.
	Quick bool
	// FaultsMax bounds the list of faults; 0 means 1,000. All are counted.
	FaultsMax int
	// Clock tells which items ended so long ago that they stay without a row that says when they end;
	// default time.Now.
	Clock func() time.Time
	// Progress, if not nil, is called now and then, by one goroutine at a time.
	Progress func(VerifyProgress)
}

// VerifyProgress is how far a verification came.
type VerifyProgress struct {
	// Step is what is being looked at: "file", or the name of a table of items.
	Step string
	// Done of Total: bytes of the file, or about so many keys of a table.
	Done, Total int64
}

// VerifyFault is one thing that is wrong.
type VerifyFault struct {
	// Severity is "error" where something is lost, wrong, or cannot be believed, and "warning" where
	// nothing is lost and nothing wrong is read.
	Severity string `json:"severity"`
	// Region is where: "superblock", "manifest", "wal", "spill", "table" or "space" of the file, or among
	// what is stored in it "catalog", "items", "index", "expiry", "collections", "stream", "tokens", "replication",
	// "keys" that belong to nothing, or "storage".
	Region string `json:"region"`
	// Part of the region, such as "data block" or "footer".
	Part string `json:"part,omitempty"`
	// Offset in the file and Length in bytes; Offset is -1 for what has no one place there, Length 0
	// where it is not known.
	Offset int64 `json:"offset"`
	Length int64 `json:"length,omitempty"`
	// Table is the table of the file, with its stripe and level; nil for none.
	Table *VerifyTable `json:"table,omitempty"`
	// Name of the table of items, and Index, of what is stored.
	Name  string `json:"name,omitempty"`
	Index string `json:"index,omitempty"`
	// Key in the store, in hexadecimal.
	Key string `json:"key,omitempty"`
	// What is wrong, in words.
	What string `json:"what"`
	// Lost keys, in hexadecimal, are from First to Last, both included: they cannot be read.
	First string `json:"first,omitempty"`
	Last  string `json:"last,omitempty"`
}

// VerifyTable names a table of the file.
type VerifyTable struct {
	Number string `json:"number"`
	Stripe int    `json:"stripe"`
	Level  int    `json:"level"`
}

// String is one line for people.
func (f VerifyFault) String() string {
	s := f.Severity + ": " + f.Region
	if f.Offset >= 0 {
		s += fmt.Sprintf(" at offset %d", f.Offset)
	}
	if f.Length > 0 {
		s += fmt.Sprintf(" (%d bytes)", f.Length)
	}
	if t := f.Table; t != nil {
		s += fmt.Sprintf(", table %s of stripe %d, level %d", t.Number, t.Stripe, t.Level)
	}
	if f.Part != "" {
		s += ", " + f.Part
	}
	if f.Name != "" {
		s += " of " + f.Name
	}
	if f.Index != "" {
		s += ", index " + f.Index
	}
	s += ": " + f.What
	if f.Key != "" {
		s += ": key " + f.Key
	}
	return s
}

// VerifyCounts is how much was looked at.
type VerifyCounts struct {
	Superblocks    int64 `json:"superblocks"`
	ManifestGroups int64 `json:"manifestGroups"`
	LogGroups      int64 `json:"logGroups"`
	LogFrames      int64 `json:"logFrames"`
	Spills         int64 `json:"spills"`
	Tables         int64 `json:"tables"`
	Blocks         int64 `json:"blocks"`
	// Entries are versions in tables, tombstones included.
	Entries int64 `json:"entries"`

	CatalogRows   int64 `json:"catalogRows"`
	ItemTables    int64 `json:"itemTables"`
	Items         int64 `json:"items"`
	IndexEntries  int64 `json:"indexEntries"`
	ExpiryRows    int64 `json:"expiryRows"`
	Collections   int64 `json:"collections"`
	StreamRecords int64 `json:"streamRecords"`
	// HistoryRows are those of change logs, BackupItems those of backups of tables.
	HistoryRows int64 `json:"historyRows"`
	BackupItems int64 `json:"backupItems"`
	// Stamps are those of the items of tables with replicas.
	Stamps int64 `json:"stamps"`
	Tokens int64 `json:"tokens"`
	// Skipped references could not be followed, since one end of them cannot be read.
	Skipped int64 `json:"skipped"`
}

// VerifyBytes is how much was read.
type VerifyBytes struct {
	File    int64 `json:"file"`
	Checked int64 `json:"checked"`
	// Free is what nobody owns.
	Free int64 `json:"free"`
}

// VerifyReport says what a verification saw.
type VerifyReport struct {
	// OK: there is no fault that is an error, and everything that was asked for was checked.
	OK bool `json:"ok"`
	// Errors and Warnings count all faults; Faults lists the first ones, by their offset.
	Errors   int64         `json:"errors"`
	Warnings int64         `json:"warnings"`
	Faults   []VerifyFault `json:"faults"`
	// Unchecked says what could not be looked at, and why.
	Unchecked []string     `json:"unchecked"`
	Counts    VerifyCounts `json:"counts"`
	Bytes     VerifyBytes  `json:"bytes"`
	// Database is the id of the database, in hexadecimal. Clean says whether it was closed in order.
	Database string `json:"database,omitempty"`
	Clean    bool   `json:"clean"`
}

// Verify checks a database file: every byte that has a checksum, and every cross-reference, from the
// owners of its extents to the entries of indexes. It writes
// nothing, goes beside readers but not beside a writer (ErrInUse), needs little memory however large
// the file is, but for graphs of vectors, of which one at a time is in memory, and goes on behind what is
// damaged, so that the report lists all that is wrong. The
// error says that the file could not be opened or is no database, or is the context's; faults are
// in the report alone.
func Verify(ctx context.Context, path string, opts VerifyOptions) (VerifyReport, error) {
	low := lsm.VerifyOptions{EncryptionKey: opts.EncryptionKey, FaultsMax: opts.FaultsMax, Quick: opts.Quick}
	if opts.Progress != nil {
		low.Progress = func(p lsm.VerifyProgress) {
			opts.Progress(VerifyProgress{Step: "file", Done: p.Done, Total: p.Total})
		}
	}
	file, err := lsm.Verify(ctx, path, low)
	if err != nil {
		return VerifyReport{}, err
	}
	report := fileReport(&file)
	if !opts.Quick {
		err = report.crossref(ctx, path, opts, file.Lost)
	}
	report.OK = report.Errors == 0 && len(report.Unchecked) == 0
	return report, err
}

// crossref checks what is stored in a file.
func (r *VerifyReport) crossref(ctx context.Context, path string, opts VerifyOptions, lost []storage.Range) error {
	store, err := lsm.Open(path, lsm.Options{ReadOnly: true, EncryptionKey: opts.EncryptionKey})
	if err != nil {
		r.Unchecked = append(r.Unchecked, "what is stored in the file, which cannot be opened: "+err.Error())
		return ctx.Err()
	}
	c := opts.crossref()
	c.Lost = lost
	got, err := crossref.Check(ctx, store, c)
	if err = errors.Join(err, store.Close()); err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	r.add(&got)
	return nil
}

// crossref are the options of the check of what is stored.
func (o VerifyOptions) crossref() crossref.Options {
	if o.Clock == nil {
		o.Clock = time.Now //nolint:clock // as in Options
	}
	c := crossref.Options{FaultsMax: o.FaultsMax, Now: o.Clock(), Kept: keptCount}
	if o.Progress != nil {
		c.Progress = func(step string, done, total int64) { o.Progress(VerifyProgress{step, done, total}) }
	}
	return c
}

// keptCount reads the row of a count.
func keptCount(row []byte) (*crossref.Kept, error) {
	c, err := decodeTally(row)
	if err != nil || c.Last == nil {
		return nil, err
	}
	return &crossref.Kept{
		Items: c.Last.Items, Size: c.Last.Size, Bytes: c.Last.Bytes, Settled: c.Last.Settled,
		End: storage.Stats{Keys: c.Last.End.Keys, Bytes: c.Last.End.Bytes},
	}, nil
}

// add takes in what was found among what is stored.
func (r *VerifyReport) add(c *crossref.Report) {
	r.Errors += c.Errors
	r.Warnings += c.Warnings
	r.Unchecked = append(r.Unchecked, c.Unchecked...)
	n, from := &r.Counts, &c.Counts
	n.CatalogRows, n.ItemTables, n.Items, n.IndexEntries = from.CatalogRows, from.Tables, from.Items, from.IndexEntries
	n.ExpiryRows, n.Collections, n.StreamRecords, n.Tokens = from.ExpiryRows, from.Collections, from.StreamRecords, from.Tokens
	n.HistoryRows, n.BackupItems, n.Stamps = from.HistoryRows, from.BackupItems, from.Stamps
	n.Skipped = c.Skipped
	for i := range c.Faults {
		f := &c.Faults[i]
		v := VerifyFault{
			Severity: "error", Region: f.Region, Offset: -1, Name: f.Table, Index: f.Index, What: f.What,
			Key: hex.EncodeToString(f.Key),
		}
		if f.Warning {
			v.Severity = "warning"
		}
		r.Faults = append(r.Faults, v)
	}
}

// fileReport is the report of the storage level.
func fileReport(r *lsm.VerifyReport) VerifyReport {
	out := VerifyReport{
		Errors: r.Errors, Warnings: r.Warnings, Faults: []VerifyFault{}, Unchecked: append([]string{}, r.Unchecked...),
		Counts: VerifyCounts{
			Superblocks: r.Counts.Superblocks, ManifestGroups: r.Counts.ManifestGroups, LogGroups: r.Counts.LogGroups,
			LogFrames: r.Counts.LogFrames, Spills: r.Counts.Spills, Tables: r.Counts.Tables, Blocks: r.Counts.Blocks,
			Entries: r.Counts.Entries,
		},
		Bytes: VerifyBytes{File: r.FileBytes, Checked: r.CheckedBytes, Free: r.FreeBytes},
	}
	if s := r.Super; s != nil {
		out.Database, out.Clean = hex.EncodeToString(s.Database[:]), s.Clean != nil
	}
	for i := range r.Faults {
		f := &r.Faults[i]
		v := VerifyFault{
			Severity: string(f.Severity), Region: f.Region, Part: f.Part, Offset: f.Offset, Length: f.Length,
			What: f.What, First: hex.EncodeToString(f.First), Last: hex.EncodeToString(f.Last),
		}
		if f.Object != "" {
			v.Table = &VerifyTable{Number: f.Object, Stripe: f.Stripe, Level: f.Level}
		}
		out.Faults = append(out.Faults, v)
	}
	return out
}
