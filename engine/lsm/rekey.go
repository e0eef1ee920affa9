package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// RekeyOptions of Rekey and Reencrypt. Keys are EncryptionKeyBytes random bytes, and not kept.
type RekeyOptions struct {
	// FS and Rand as in Options.
	FS   vfs.FS
	Rand io.Reader
	// Key opens the file now, NewKey afterwards. Nil, which Reencrypt alone takes, is for a file that is
	// not encrypted.
	Key, NewKey []byte
	// Progress, if not nil, is told by Reencrypt after each table how many bytes are done of how many.
	Progress func(done, total int64)
}

var (
	errPlainToPlain = errors.New("neither a key nor a new key: the file stays as it is")
	errNewKey       = errors.New("no new key")
	errChanged      = errors.New("somebody has written to the file meanwhile: it is left as it is")
)

// prepare fills in defaults and looks at both keys.
func (o RekeyOptions) prepare() (RekeyOptions, error) {
	d := Options{FS: o.FS, Rand: o.Rand}.withDefaults()
	o.FS, o.Rand = d.FS, d.Rand
	return o, errors.Join(Options{EncryptionKey: o.Key}.checkKey(), Options{EncryptionKey: o.NewKey}.checkKey())
}

// Rekey makes NewKey the key that opens an encrypted file, which nobody may have open. Only the wrapping
// of the file's own key is replaced, in both copies of the superblock: no data is written again, and a
// backup stays one. At any crash either key opens the file, and a second try with the same keys completes
// the first. Whoever has a copy of the file from before can still open it with the old key; and who had
// the old key may know the file's own one, which only Reencrypt replaces.
func Rekey(path string, opts RekeyOptions) error {
	opts, err := opts.prepare()
	if err == nil && opts.NewKey == nil {
		err = errNewKey
	}
	if err == nil {
		err = rekey(path, opts)
	}
	if err != nil {
		return fmt.Errorf("rekey %s: %w", path, err)
	}
	return nil
}

func rekey(path string, opts RekeyOptions) (err error) {
	lock, err := opts.FS.Lock(path, vfs.LockExclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	f, err := opts.FS.Open(path, vfs.OpenOptions{Role: vfs.Log, AlignMax: vfs.AlignMaxBytes})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	copies, err := superblock.Read(f)
	if err != nil {
		return err
	}
	s := copies.Newest
	err = s.Unlock(opts.Key)
	if errors.Is(err, ErrWrongKey) && s.Unlock(opts.NewKey) == nil {
		err = nil // an earlier try came as far as this
	}
	if err != nil {
		return err
	}
	if !s.Encrypted() {
		return ErrNotEncrypted
	}
	defer s.Keys.Clear()
	if err := s.Wrap(opts.NewKey, opts.Rand); err != nil {
		return err
	}
	// The generation stays: of two copies that differ in nothing but the wrapping either is the truth.
	return superblock.Write(f, &s, copies.At)
}

// Reencrypt writes the whole database anew under a file key that nobody has seen, and puts it in the place
// of the file, which nobody may have open: at any crash the old file or the new one is there, as a whole.
// It also encrypts a file that is not encrypted (Key is nil), and decrypts one (NewKey is nil). It needs
// space for a second copy, and the blocks of the old one stay readable on the disk until the system uses
// them again. The database goes on with a timeline of its own, so that backups begin with a full one.
func Reencrypt(ctx context.Context, path string, opts RekeyOptions) error {
	opts, err := opts.prepare()
	if err == nil && opts.Key == nil && opts.NewKey == nil {
		err = errPlainToPlain
	}
	if err == nil {
		err = reencrypt(ctx, path, opts)
	}
	if err != nil {
		return fmt.Errorf("encrypt %s: %w", path, err)
	}
	return nil
}

func reencrypt(ctx context.Context, path string, opts RekeyOptions) error {
	place, err := newfile.Open(opts.FS, path, true)
	if err != nil {
		return err
	}
	db, err := Open(path, Options{
		FS: opts.FS, Rand: opts.Rand, EncryptionKey: opts.Key, ReadOnly: true, CacheBytes: cacheBytesMin,
	})
	if err == nil {
		err = errors.Join(db.rewriteAll(ctx, place, opts), db.Close())
	}
	if err != nil {
		place.Abandon()
		return err
	}
	was := encoded(db.super)
	place.Last = func() error {
		if now, err := readSuper(opts.FS, path); err != nil || !bytes.Equal(encoded(now), was) {
			return errors.Join(errChanged, err)
		}
		return nil
	}
	return place.Commit()
}

func encoded(s superblock.Superblock) []byte {
	b := make([]byte, superblock.CopyBytes)
	s.Encode(b)
	return b
}

// rewriteAll writes a database that is open read-only under new keys.
func (db *DB) rewriteAll(ctx context.Context, place *newfile.Place, opts RekeyOptions) error {
	align, err := place.Align()
	if err != nil {
		return err
	}
	v := db.view("encryption")
	defer v.close()
	s := superblock.Superblock{Database: db.ident}
	if err := s.Lock(opts.NewKey, opts.Rand); err != nil {
		return err
	}
	defer s.Keys.Clear()
	f, err := newfile.New(place.File(), newfile.Options{
		Database: db.ident, WrappedKey: s.WrappedKey, Keys: s.Keys, Epoch: v.super.Epoch,
		Origin: &superblock.Origin{
			Timeline: v.super.Timeline, LSN: v.lsn, Seq: v.next.Seq, Digest: v.next.Digest, Epoch: v.next.Epoch,
		},
		Successor: v.super.Identity(),
		Align:     align, SegmentBytes: db.opts.SegmentBytes, NextObject: db.copyNumbers(v.super.Epoch),
		TableOptions: db.opts.blocks, Rand: opts.Rand,
	})
	if err != nil {
		return err
	}
	if err := v.rewriteTables(ctx, f, opts.Progress); err != nil {
		return err
	}
	if err := v.writeMemtables(ctx, f); err != nil {
		return err
	}
	return errors.Join(f.Dead(v.dead), f.Finish(ctx, v.lsn))
}

// rewriteTables writes all versions of all tables into tables of the same levels.
func (v *copyView) rewriteTables(ctx context.Context, f *newfile.File, progress func(done, total int64)) error {
	var done, total int64
	var tables []*liveTable
	for i := range v.stripes {
		for _, level := range v.stripes[i].tables.levels {
			for _, t := range level {
				tables = append(tables, t)
				total += t.Meta.Length
			}
		}
	}
	for _, t := range tables {
		if err := f.Begin(ctx, t.Stripe, t.Level); err != nil {
			return err
		}
		if err := rewriteTable(ctx, f, t); err != nil {
			return err
		}
		t.reader.Forget()
		if done += t.Meta.Length; progress != nil {
			progress(done, total)
		}
	}
	return nil
}

func rewriteTable(ctx context.Context, f *newfile.File, t *liveTable) error {
	it := t.reader.NewIterWith(table.IterOptions{NoFill: true})
	var last []byte
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%compactCtxEvery == 0 && ctx.Err() != nil {
			return errors.Join(ctx.Err(), it.Close())
		}
		newKey := n == 1 || !bytes.Equal(last, it.Key())
		if newKey {
			last = append(last[:0], it.Key()...)
		}
		e := base.Entry{Key: it.Key(), LSN: it.LSN(), Kind: it.Kind(), Value: it.Value()}
		if err := f.Add(ctx, e, newKey); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Err(), it.Close())
}
