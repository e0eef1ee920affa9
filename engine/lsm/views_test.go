package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// bankAccounts have bankTotal together, whoever looks when. One that has nothing is not there.
	bankAccounts, bankTotal = 120, 12_000
	// bankRounds are what each who looks does.
	bankRounds, bankRoundsNight = 5, 400
	bankSpace                   = 1
)

// bank is a database in which writers move money between accounts while everything goes on that the
// background of a database does, some of it oftener.
type bank struct {
	t    *testing.T
	db   *DB
	fs   *vfs.MemFS
	stop context.Context //nolint:containedctx // ends the writers and the background
	// dropped is the last space that was dropped.
	dropped int
}

func accountKey(i int) []byte { return []byte(crashKey(bankSpace, byte(i%4*60), i)) }

func balance(v []byte) int {
	digits, _, _ := bytes.Cut(v, []byte{0})
	n, _ := strconv.Atoi(string(digits))
	return n
}

func account(n, pad int) []byte {
	return append(strconv.AppendInt(nil, int64(n), 10), make([]byte, 1+pad)...)
}

// TestTheSumInEveryView is the same: in snapshots, forks and their forks, full and incremental backups, which
// verify, and saved files, beside flushes, compactions, moves to the front of the file and dropped ranges.
func TestTheSumInEveryView(t *testing.T) {
	rounds := bankRounds
	if os.Getenv("KSTONE_NIGHT") != "" {
		rounds = bankRoundsNight
	}
	fsys := vfs.NewMemFS(1)
	b := &bank{t: t, fs: fsys, dropped: bankSpace, db: manualDB(t, fsys, func(o *Options) { o.SegmentBytes, o.LogBytes = 64<<10, 128<<10 })}
	var batch storage.Batch
	for i := range bankAccounts {
		batch.Put(accountKey(i), account(bankTotal/bankAccounts, 300))
	}
	require.NoError(t, b.db.Apply(t.Context(), &batch, storage.UpdateOptions{}))
	stop, cancel := context.WithCancel(t.Context())
	b.stop = stop
	var background, viewers sync.WaitGroup
	for seed := range uint64(2) {
		background.Go(func() {
			near := 0
			b.until(seed, func(rng *rand.Rand) error {
				if rng.IntN(20) == 0 { // so that most tables hold few of the accounts
					near = rng.IntN(bankAccounts)
				}
				return transfer(b.db, rng, near)
			})
		})
		background.Go(func() { b.until(10+seed, b.compact) })
	}
	background.Go(func() { b.until(20, b.flush) })
	background.Go(func() { b.until(30, b.drop) })
	for seed, look := range []func(rng *rand.Rand, i int) error{b.snapshot, b.fork, b.backup, b.save} {
		viewers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(seed), 40))
			for i := range rounds {
				if !assert.NoError(t, look(rng, i)) {
					return
				}
			}
		})
	}
	viewers.Wait()
	cancel()
	background.Wait()
	require.NoError(t, sumOf(b.db))
	require.NoError(t, b.db.Close())
	report, err := Verify(t.Context(), "dir/db", VerifyOptions{FS: fsys})
	require.NoError(t, err)
	require.Empty(t, report.Faults)
}

func (b *bank) until(seed uint64, do func(*rand.Rand) error) {
	rng := rand.New(rand.NewPCG(seed, 50))
	for b.stop.Err() == nil {
		if err := do(rng); !assert.True(b.t, err == nil || errors.Is(err, context.Canceled), "%v", err) {
			return
		}
	}
}

// transfer moves money between two of 16 accounts.
func transfer(db *DB, rng *rand.Rand, near int) error {
	from, to, pad := (near+rng.IntN(16))%bankAccounts, (near+rng.IntN(16))%bankAccounts, rng.IntN(600)
	if from == to {
		return nil
	}
	part := rng.IntN(3)
	named := []storage.Named{{Key: accountKey(from)}, {Key: accountKey(to)}}
	return db.Update(context.Background(), named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		has, gets := balance(tx.Value(0).Data), balance(tx.Value(1).Data)
		amount := has * part / 2
		if amount == 0 {
			return nil
		}
		if has == amount {
			tx.Delete(named[0].Key)
		} else {
			tx.Put(named[0].Key, account(has-amount, pad))
		}
		tx.Put(named[1].Key, account(gets+amount, pad))
		return nil
	})
}

func (b *bank) compact(rng *rand.Rand) error {
	switch rng.IntN(10) {
	case 0:
		return b.db.retireDead()
	case 1, 2, 3:
		_, err := b.db.compactOnce(b.stop, rng.IntN(2) == 0)
		return err
	}
	return b.move(rng)
}

// move takes a table down unwritten wherever that is allowed, so that there are tables on all levels.
func (b *bank) move(rng *rand.Rand) error {
	runtime.Gosched()
	c := &compaction{span: span{stripe: rng.IntN(4) * 60}}
	s := &b.db.stripes[c.stripe]
	s.mu.RLock()
	c.version = s.tables.acquire()
	s.mu.RUnlock()
	v, from := c.version, rng.IntN(levelLast)
	if n := len(v.levels[from]); n > 0 {
		c.to = from + 1
		if from > 0 {
			c.add(v.levels[from][rng.IntN(n)], from)
		} else {
			c.add(v.levels[0][n-1], 0)
			c.expand(v.levels[0], 0)
			c.to = 1 + rng.IntN(max(v.topLevel(), 1))
		}
		c.expand(v.levels[c.to], c.to)
	}
	if len(c.inputs) != 1 || !b.db.claimCurrent(c) {
		b.db.release(v)
		return nil
	}
	c.move = true
	return b.db.runCompaction(b.stop, c)
}

func (b *bank) flush(rng *rand.Rand) error {
	kinds := []passKind{passBudget, passTail, passLog, passAll, passPart}
	if err := b.db.pass(kinds[rng.IntN(len(kinds))]); err != nil {
		return err
	}
	if rng.IntN(4) == 0 {
		moves := int64(1 << 20)
		if _, err := b.db.rest(&moves); err != nil {
			return err
		}
	}
	return errors.Join(b.db.tendRing(), b.db.heap.tidy(2, 4096))
}

func (b *bank) drop(rng *rand.Rand) error {
	if b.dropped == math.MaxUint8-1 { // a space is not used again
		<-b.stop.Done()
		return nil
	}
	b.dropped++
	space := byte(b.dropped)
	var batch storage.Batch
	for range 20 {
		batch.Put([]byte(crashKey(space, byte(rng.IntN(4)*60), rng.IntN(100))), account(1, 300))
	}
	err := b.db.Apply(context.Background(), &batch, storage.UpdateOptions{})
	return errors.Join(err, b.db.DropRange(context.Background(), spaceRange(space)))
}

// sumOf looks at all accounts in one view, in several ways.
func sumOf(db *DB) error {
	ctx := context.Background()
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
	if err != nil {
		return err
	}
	defer snap.Close()
	for _, reverse := range []bool{false, true} {
		it, err := snap.Iter(ctx, spaceRange(bankSpace), storage.IterOptions{Reverse: reverse})
		if err != nil {
			return err
		}
		sum := 0
		for it.Next() {
			sum += balance(it.Value())
		}
		it.Close()
		if err := it.Err(); err != nil || sum != bankTotal {
			return fmt.Errorf("a scan (reverse %v) finds %d: %w", reverse, sum, err)
		}
	}
	keys := make([][]byte, 0, bankAccounts)
	for i := range bankAccounts {
		keys = append(keys, accountKey(i))
	}
	values, err := snap.GetMany(ctx, keys)
	sum := 0
	for _, v := range values {
		sum += balance(v.Data)
	}
	if err != nil || sum != bankTotal {
		return fmt.Errorf("gets find %d: %w", sum, err)
	}
	return nil
}

func (b *bank) snapshot(*rand.Rand, int) error { return sumOf(b.db) }

func (b *bank) fork(rng *rand.Rand, _ int) error {
	f, err := b.db.Fork()
	if err != nil {
		return err
	}
	err = sumOf(f)
	for range 20 {
		err = errors.Join(err, transfer(f, rng, rng.IntN(bankAccounts)))
	}
	child, forkErr := f.Fork()
	if err = errors.Join(err, forkErr, sumOf(f), f.Close()); err != nil {
		return err
	}
	return errors.Join(sumOf(child), child.Close())
}

// backup makes a full backup and one that builds on it. Much happens before its view is copied.
func (b *bank) backup(rng *rand.Rand, i int) error {
	full, next, restored := fmt.Sprint("dir/full", i), fmt.Sprint("dir/next", i), fmt.Sprint("dir/restored", i)
	err := b.backupLate(rng, full)
	if err == nil {
		_, err = b.db.Backup(b.t.Context(), next, BackupOptions{Base: full})
	}
	if err == nil {
		_, err = RestoreBackups(b.t.Context(), restored, []string{full, next}, RestoreOptions{FS: b.fs})
	}
	return errors.Join(err, b.whole(full), b.whole(restored))
}

func (b *bank) backupLate(rng *rand.Rand, path string) error {
	v := b.db.view("backup")
	defer v.close()
	for range 30 {
		if err := b.compact(rng); err != nil {
			return err
		}
	}
	place, err := newfile.Open(b.fs, path, false)
	if err != nil {
		return err
	}
	align, err := place.Align()
	if err == nil {
		_, err = b.db.writeCopy(b.t.Context(), place.File(), align, v, nil, BackupOptions{})
	}
	return errors.Join(err, place.Commit())
}

func (b *bank) save(_ *rand.Rand, i int) error {
	path := fmt.Sprint("dir/saved", i)
	if err := b.db.Save(b.t.Context(), path, SaveOptions{}); err != nil {
		return err
	}
	return b.whole(path)
}

// whole says whether a copy verifies, and has the sum.
func (b *bank) whole(path string) error {
	report, err := Verify(b.t.Context(), path, VerifyOptions{FS: b.fs})
	if err != nil || len(report.Faults) > 0 {
		return fmt.Errorf("%s: %v: %w", path, report.Faults, err)
	}
	o := faultOptions(b.fs)
	o.manual, o.ReadOnly = true, true
	db, err := Open(path, o)
	if err != nil {
		return err
	}
	return errors.Join(sumOf(db), db.Close())
}
