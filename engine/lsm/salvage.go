package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/salvage"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// SalvageOptions direct a salvage.
type SalvageOptions struct {
	// FS holds both files; nil is the operating system's. Only tests of this module can set it.
	FS vfs.FS
	// EncryptionKey opens an encrypted file, and the new one is encrypted with it.
	EncryptionKey []byte
	// Rand gives ids, salts and keys; nil is crypto/rand.
	Rand io.Reader
	// LossesMax bounds the list of losses; 0 means 1,000. All are counted.
	LossesMax int
	// Progress, if not nil, is called now and then with the step and how far it is, in bytes.
	Progress func(step string, done, total int64)
}

// SalvageLoss is something that could not be read, or had to be guessed.
type SalvageLoss = salvage.Loss

// SalvageReport says what a salvage found.
type SalvageReport struct {
	// Losses lists what was lost, in the order in which it was met; LossCount counts all.
	Losses    []SalvageLoss
	LossCount int64
	// Keys that were copied, with their values Bytes long.
	Keys, Bytes int64
	// Epoch that the new file begins in: above all numbers of the old one.
	Epoch uint32
}

// Salvage copies what can be read of a damaged file into a new one at path, which must not exist. The
// damaged file is only read. The new one is a database of its own id, with an own data key if it is
// encrypted. What follows from other keys, entries of indexes for instance, is copied as it is: it is
// for the caller to put it right. An error leaves no new file.
func Salvage(ctx context.Context, damaged, path string, opts SalvageOptions) (SalvageReport, error) {
	var r SalvageReport
	o := Options{FS: opts.FS, Rand: opts.Rand, EncryptionKey: opts.EncryptionKey}.withDefaults()
	defer clear(o.EncryptionKey)
	in, err := openClosed(o.FS, damaged)
	if err != nil {
		return r, fmt.Errorf("salvage %s: %w", damaged, err)
	}
	defer in.Close()
	heap, err := o.FS.Open(damaged, vfs.OpenOptions{Role: vfs.Heap, ReadOnly: true})
	if err != nil {
		return r, fmt.Errorf("salvage %s: %w", damaged, err)
	}
	defer heap.Close()
	place, err := newfile.Open(o.FS, path, false)
	if err != nil {
		return r, err
	}
	if err := r.copyInto(ctx, place, in, heap, &o, opts); err != nil {
		place.Abandon()
		return r, fmt.Errorf("salvage %s: %w", damaged, err)
	}
	return r, place.Commit()
}

// lossesMaxDefault is SalvageOptions.LossesMax.
const lossesMaxDefault = 1000

func (r *SalvageReport) copyInto(
	ctx context.Context, place *newfile.Place, in *closedFile, heap vfs.File, o *Options, opts SalvageOptions,
) error {
	most := opts.LossesMax
	if most == 0 {
		most = lossesMaxDefault
	}
	report := func(l SalvageLoss) {
		if r.LossCount++; len(r.Losses) < most {
			r.Losses = append(r.Losses, l)
		}
	}
	progress := func(step string, done, total int64) {
		if opts.Progress != nil {
			opts.Progress(step, done, total)
		}
	}
	src, err := salvage.Open(ctx, in.File, heap, in.size, o.EncryptionKey, report, func(done, total int64) {
		progress("looking", done, total)
	})
	if err != nil {
		return err
	}
	defer src.Clear()
	align, err := place.Align()
	if err != nil {
		return err
	}
	if src.Epoch >= base.EpochMax {
		return errEpochs
	}
	super := superblock.Superblock{}
	if _, err := io.ReadFull(o.Rand, super.Database[:]); err != nil {
		return fmt.Errorf("draw an id: %w", err)
	}
	if err := super.Lock(o.EncryptionKey, o.Rand); err != nil {
		return err
	}
	defer super.Keys.Clear()
	r.Epoch = uint32(src.Epoch)
	out, err := newfile.New(place.File(), newfile.Options{
		Database: super.Database, WrappedKey: super.WrappedKey, Keys: super.Keys, Epoch: src.Epoch, Align: align,
		SegmentBytes: o.SegmentBytes, NextObject: numbersFrom(src.Epoch, 0), TableOptions: o.blocks, Rand: o.Rand,
	})
	if err != nil {
		return err
	}
	var done, total int64
	for i := range base.StripeCount {
		total += src.Bytes(uint8(i))
	}
	for i := range base.StripeCount {
		err := out.Begin(ctx, uint8(i), manifest.LevelCount-1)
		if err == nil {
			err = src.Each(ctx, uint8(i), func(e base.Entry) error {
				r.Keys++
				r.Bytes += int64(len(e.Key) + len(e.Value))
				return out.Add(ctx, e, true)
			})
		}
		if err != nil {
			return err
		}
		done += src.Bytes(uint8(i))
		progress("copying", done, total)
	}
	return errors.Join(out.Finish(ctx, max(src.Last, base.MakeLSN(src.Epoch, 1))))
}
