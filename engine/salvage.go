package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/keystone-db/kstone/engine/crossref"
	"github.com/keystone-db/kstone/engine/lsm"
)

// SalvageOptions direct a salvage.
type SalvageOptions struct {
	// EncryptionKey opens an encrypted file; the new one is encrypted with it, too.
	EncryptionKey []byte
	// LossesMax bounds the lists of losses and repairs; 0 means 1,000 each. All are counted.
	LossesMax int
	// Clock is that of VerifyOptions.
	Clock func() time.Time
	// Progress, if not nil, is called now and then, by one goroutine at a time.
	Progress func(VerifyProgress)
}

// SalvageLoss is a part of the file that could not be read, or had to be guessed.
type SalvageLoss struct {
	// Region is "superblock", "manifest", "wal", "spill" or "table", Part of it such as "data block".
	Region string `json:"region"`
	Part   string `json:"part,omitempty"`
	// Offset in the file, -1 where there is no one place, and Length in bytes, 0 where it is not known.
	Offset int64 `json:"offset"`
	Length int64 `json:"length,omitempty"`
	// Table is the number of the table of the file.
	Table string `json:"table,omitempty"`
	What  string `json:"what"`
	// Keys from First to Last, both included, in hexadecimal, may be missing, or be as they were before.
	First string `json:"first,omitempty"`
	Last  string `json:"last,omitempty"`
}

// String is one line for people.
func (l SalvageLoss) String() string {
	s := l.Region
	if l.Offset >= 0 {
		s += fmt.Sprintf(" at offset %d", l.Offset)
	}
	if l.Length > 0 {
		s += fmt.Sprintf(" (%d bytes)", l.Length)
	}
	if l.Table != "" {
		s += ", table " + l.Table
	}
	if l.Part != "" {
		s += ", " + l.Part
	}
	s += ": " + l.What
	if l.First != "" {
		s += fmt.Sprintf("; keys from %s to %s may be missing or old", l.First, l.Last)
	}
	return s
}

// SalvageReport says what a salvage found.
type SalvageReport struct {
	// Losses lists what could not be read; LossCount counts all.
	Losses    []SalvageLoss `json:"losses"`
	LossCount int64         `json:"lossCount"`
	// Repairs lists what was put right in the new file because of that: what follows from items, such as
	// entries of indexes, and what made no sense alone. RepairCount counts all.
	Repairs     []VerifyFault `json:"repairs"`
	RepairCount int64         `json:"repairCount"`
	// Keys that were copied, with their values Bytes long, before the repairs.
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"`
	// Items and Tables that the new file has.
	Tables int64 `json:"tables"`
	Items  int64 `json:"items"`
	// Verified is the verification of the new file.
	Verified VerifyReport `json:"verified"`
}

// repairRounds bounds how often the new file is gone through: what a repair removes may have been what
// something else referred to.
const repairRounds = 4

// Salvage copies whatever can be read of a damaged database file into a new one, and lists what could not.
// The damaged file is only read, and may be without its superblocks, manifest, parts of its log or of
// its tables; path must not exist. In the new file what follows from items is made anew from them, and
// it passes Verify. A table whose definition is lost is called recovered- and its id, and has the key
// that its items have and no indexes. Where the manifest is damaged, items that were deleted lately may be there again.
// An error leaves no new file.
func Salvage(ctx context.Context, damaged, path string, opts SalvageOptions) (SalvageReport, error) {
	low := lsm.SalvageOptions{EncryptionKey: opts.EncryptionKey, LossesMax: opts.LossesMax}
	if opts.Progress != nil {
		low.Progress = func(step string, done, total int64) { opts.Progress(VerifyProgress{step, done, total}) }
	}
	found, err := lsm.Salvage(ctx, damaged, path, low)
	if err != nil {
		return SalvageReport{}, err
	}
	r := SalvageReport{
		Losses: []SalvageLoss{}, LossCount: found.LossCount, Repairs: []VerifyFault{}, Keys: found.Keys, Bytes: found.Bytes,
	}
	for _, l := range found.Losses {
		r.Losses = append(r.Losses, SalvageLoss{
			Region: l.Region, Part: l.Part, Offset: l.Offset, Length: l.Length, Table: l.Object, What: l.What,
			First: hex.EncodeToString(l.First), Last: hex.EncodeToString(l.Last),
		})
	}
	if err := r.mend(ctx, path, opts); err != nil {
		return SalvageReport{}, errors.Join(fmt.Errorf("salvage %s: %w", damaged, err), os.Remove(path))
	}
	return r, nil
}

// mend makes the new file right, and checks it.
func (r *SalvageReport) mend(ctx context.Context, path string, opts SalvageOptions) error {
	check := VerifyOptions{
		EncryptionKey: opts.EncryptionKey, FaultsMax: opts.LossesMax, Clock: opts.Clock, Progress: opts.Progress,
	}
	for range repairRounds {
		repairs, err := r.repair(ctx, path, check)
		if err != nil {
			return err
		}
		if repairs == 0 {
			break
		}
	}
	var err error
	r.Verified, err = Verify(ctx, path, check)
	r.Tables, r.Items = r.Verified.Counts.ItemTables, r.Verified.Counts.Items
	return err
}

// repair goes through the new file once and returns how much was wrong.
func (r *SalvageReport) repair(ctx context.Context, path string, opts VerifyOptions) (int64, error) {
	store, err := lsm.Open(path, lsm.Options{EncryptionKey: opts.EncryptionKey, ScrubRate: -1})
	if err != nil {
		return 0, err
	}
	c := opts.crossref()
	c.Repair = true
	got, err := crossref.Check(ctx, store, c)
	if err = errors.Join(err, store.Close()); err != nil {
		return 0, err
	}
	var as VerifyReport
	as.add(&got)
	most := opts.FaultsMax
	if most == 0 {
		most = repairsMaxDefault
	}
	for _, f := range as.Faults {
		if f.Severity == "error" && len(r.Repairs) < most {
			r.Repairs = append(r.Repairs, f)
		}
	}
	r.RepairCount += got.Errors
	return got.Errors, nil
}

// repairsMaxDefault is SalvageOptions.LossesMax for the list of repairs.
const repairsMaxDefault = 1000
