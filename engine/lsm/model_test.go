package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// The model test runs random programs against the database and a plain map, which must agree at every
// step. A seed decides everything: options of each open, operations, keys, values, crashes. Nothing runs
// beside the program: it makes the passes and compactions itself, at any moment.

const (
	modelSeedsShort, modelSeeds, modelSeedsNight = 2, 12, 200
	modelSteps, modelStepsNight                  = 500, 1500
	// modelFamilyMax bounds the forks of a program.
	modelFamilyMax = 3
)

// modelSeedVariable runs one seed, with the steps of the night.
const modelSeedVariable = "KSTONE_MODEL_SEED"

func TestModelUnderManyOptions(t *testing.T) {
	seeds, steps := modelSeeds, modelSteps
	switch {
	case testing.Short():
		seeds = modelSeedsShort
	case os.Getenv("KSTONE_NIGHT") != "":
		seeds, steps = modelSeedsNight, modelStepsNight
	}
	if one := os.Getenv(modelSeedVariable); one != "" {
		seed, err := strconv.ParseUint(one, 10, 64)
		require.NoError(t, err)
		runModel(t, seed, modelStepsNight)
		return
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { runModel(t, seed, steps) })
	}
}

// model is a running program.
type model struct {
	t    *testing.T
	r    *rand.Rand
	fs   *vfs.MemFS
	opts Options // those that stay: encryption, sync mode
	now  Options // of this open
	keys []string
	// alive are spaces that are not dropped; space numbers are never used again.
	alive []byte
	next  byte
	root  *modelled
	forks []*modelled
	arch  *modelArchive // nil without one
	step  int
	log   []string // what the last steps were
}

// modelled is a database, what it should hold, and open snapshots with what they should.
type modelled struct {
	db    *DB
	want  map[string]string
	snaps []modelSnapshot
}

type modelSnapshot struct {
	snap storage.Snapshot
	want map[string]string
}

func runModel(t *testing.T, seed uint64, steps int) {
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 77)), fs: vfs.NewMemFS(seed), next: 1}
	defer func() {
		if t.Failed() {
			t.Logf("%s=%d; options %+v; the last steps: %s", modelSeedVariable, seed, describeOptions(m.now),
				strings.Join(m.log, ", "))
		}
	}()
	if m.r.IntN(3) == 0 {
		m.opts.EncryptionKey = ownersKey
	}
	m.opts.Sync = SyncMode(m.r.IntN(3))
	if seed%2 == 1 {
		m.attachArchive()
	}
	for range 3 {
		m.newSpace()
	}
	m.root = &modelled{want: map[string]string{}}
	m.open()
	for m.step = range steps {
		m.doStep()
	}
	m.restart(true)
	m.checkAll(m.root)
	for len(m.forks) > 0 {
		m.dropFork(0)
	}
	for range 4 {
		m.restorePoint()
	}
	require.NoError(t, m.root.db.Close())
	m.verify("db")
}

// describeOptions leaves out what has no text.
func describeOptions(o Options) string {
	return fmt.Sprintf("log %d, memtable %d, block %d, cache %d, resident %d, compression %v, sync %v, encrypted %v, archive %v",
		o.LogBytes, o.MemtableBytes, o.BlockBytes, o.CacheBytes, o.ResidentBytes, o.Compression, o.Sync,
		o.EncryptionKey != nil, o.Archive != nil)
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf("%d ", m.step)+fmt.Sprintf(format, args...))
	if len(m.log) > 12 {
		m.log = m.log[1:]
	}
}

// newSpace adds keys: of many stripes and few, one a prefix of another, equal in their first 64 bytes
// and longer than the bounds of tables are, short and long ones.
func (m *model) newSpace() {
	space := m.next
	m.next++
	m.alive = append(m.alive, space)
	long := strings.Repeat("long", 20)
	for i := range 60 {
		stripe := byte(m.r.IntN(256))
		if i%2 == 0 {
			stripe = byte(i % 4 * 60)
		}
		k := testKey(stripe, fmt.Sprintf("%s%d", []string{"", "k", long, "k0"}[m.r.IntN(4)], m.r.IntN(200)))
		k[7] = space
		if m.r.IntN(20) == 0 {
			k = append(k, make([]byte, m.r.IntN(3000))...)
		}
		m.keys = append(m.keys, string(k))
	}
	m.keys = append(m.keys, string([]byte{0, 0, 0, 0, 0, 0, 0, space}), string([]byte{0, 0, 0, 0, 0, 0, 0, space, 0, 0, 0, 0, 9}))
}

// key of a space that is alive.
func (m *model) key() string {
	for {
		if k := m.keys[m.r.IntN(len(m.keys))]; slices.Contains(m.alive, k[7]) {
			return k
		}
	}
}

func (m *model) value() string {
	n := m.r.IntN(300)
	switch m.r.IntN(40) {
	case 0:
		n = m.r.IntN(60_000)
	case 1:
		n = m.r.IntN(300_000)
	case 2:
		n = 0
	}
	if n > 0 && m.r.IntN(2) == 0 {
		return randomValue(m.r, n)
	}
	return strings.Repeat(fmt.Sprint(m.step, "."), n/2+1)[:n]
}

// open opens the file with options of its own.
func (m *model) open() {
	o := m.opts
	o.FS, o.manual = m.fs, true
	o.Rand = &seededReader{rng: rand.New(rand.NewPCG(m.r.Uint64(), 3))}
	one := func(list ...int64) int64 { return list[m.r.IntN(len(list))] }
	o.LogBytes = one(LogBytesMin, 96<<10, 256<<10, 1<<20, 4<<20)
	o.MemtableBytes = one(memtableBytesMin, 64<<10, 256<<10, 1<<20)
	o.CacheBytes, o.ResidentBytes = one(cacheBytesMin, 1<<20), one(cacheBytesMin, 1<<20)
	o.BlockBytes = int(one(64, 512, 8<<10, 32<<10))
	o.Compression = Compression(m.r.IntN(3))
	if m.r.IntN(2) == 0 {
		o.manifestSwitch = 16 << 10
	}
	if m.r.IntN(3) == 0 {
		o.counterMax = 200
	}
	m.now = o
	db, err := Open("db", o)
	require.NoError(m.t, err)
	m.root.db = db
	m.archiveOpened()
}

// tend does what the flusher would, so that writers find room.
func (m *model) tend() {
	require.NoError(m.t, m.root.db.tend())
	m.archived()
}

// someone is the file's database, or one of its forks.
func (m *model) someone() *modelled {
	if n := len(m.forks); n > 0 && m.r.IntN(4) == 0 {
		return m.forks[m.r.IntN(n)]
	}
	return m.root
}

func (m *model) doStep() {
	d := m.someone()
	switch op := m.r.IntN(200); {
	case op < 130:
		m.write(d)
	case op < 160:
		m.read(d)
	case op < 170:
		m.scan(d)
	case op < 178:
		m.snapshot(d)
	case op < 195:
		m.work()
	default:
		m.rare()
	}
}

// work is that of the background.
func (m *model) work() {
	db, ctx := m.root.db, context.Background()
	var err error
	switch m.r.IntN(6) {
	case 0:
		m.note("pass")
		err = db.pass(passKind(m.r.IntN(int(passAll) + 1)))
	case 1:
		m.note("checkpoint")
		err = db.checkpoint()
	case 2, 3:
		m.note("compact once")
		_, err = db.compactOnce(ctx, m.r.IntN(2) == 0)
	case 4:
		m.note("compact all")
		err = errors.Join(db.compactAll(ctx), db.retireDead())
	case 5:
		m.note("tick")
		db.tick(ageEveryTicks, newQuiet())
	}
	require.NoError(m.t, err)
	m.tend()
}

// rare things happen a few times in a program.
func (m *model) rare() {
	switch m.r.IntN(9) {
	case 0, 1:
		m.restart(m.r.IntN(2) == 0)
		if m.r.IntN(3) == 0 {
			m.checkAll(m.root)
		}
	case 2, 3:
		m.fork()
	case 4:
		m.dropSpace()
	case 5:
		m.copies()
	case 6:
		m.readOnly()
	case 7:
		m.checkAll(m.someone())
	case 8:
		m.restorePoint()
	}
}

// write makes an update of one or several keys, with reads of what it names.
func (m *model) write(d *modelled) {
	ctx := context.Background()
	puts, deletes := map[string]string{}, map[string]bool{}
	n := 1
	if m.r.IntN(4) == 0 {
		n = 1 + m.r.IntN(6)
	}
	for range n {
		k := m.key()
		delete(puts, k)
		delete(deletes, k)
		if m.r.IntN(3) == 0 {
			deletes[k] = true
		} else {
			puts[k] = m.value()
		}
	}
	all := slices.Sorted(maps.Keys(puts))
	all = append(all, slices.Sorted(maps.Keys(deletes))...)
	m.note("write %d keys, %d puts", len(all), len(puts))
	var err error
	if m.r.IntN(2) == 0 {
		var b storage.Batch
		for _, k := range all {
			if deletes[k] {
				b.Delete([]byte(k))
			} else {
				b.Put([]byte(k), []byte(puts[k]))
			}
		}
		err = d.db.Apply(ctx, &b, storage.UpdateOptions{})
	} else if err = m.update(d, all, puts, deletes); errors.Is(err, errInjected) {
		return // nothing is written
	}
	require.NoError(m.t, err)
	maps.Copy(d.want, puts)
	for k := range deletes {
		delete(d.want, k)
	}
	m.tend()
}

// update names the keys, checks what it sees of them and writes, or ends with an error.
func (m *model) update(d *modelled, all []string, puts map[string]string, deletes map[string]bool) error {
	var named []storage.Named
	for _, k := range all {
		named = append(named, storage.Named{Key: []byte(k)})
	}
	fails := m.r.IntN(8) == 0
	return d.db.Update(context.Background(), named, storage.UpdateOptions{Multi: len(all) > 1}, func(tx storage.Tx) error {
		for i, k := range all {
			m.same(d.want, k, tx.Value(i))
			if deletes[k] {
				tx.Delete([]byte(k))
			} else {
				tx.Put([]byte(k), []byte(puts[k]))
			}
		}
		if fails {
			return errInjected
		}
		return nil
	})
}

func (m *model) same(want map[string]string, k string, got storage.Value) {
	v, ok := want[k]
	if ok != got.Present || v != string(got.Data) {
		m.t.Fatalf("key %x: present %v, %q; want %v, %q", k, got.Present, shorten(string(got.Data), 40), ok, shorten(v, 40))
	}
}

func (m *model) read(d *modelled) {
	ctx := context.Background()
	k := m.key()
	got, err := d.db.Get(ctx, []byte(k))
	require.NoError(m.t, err)
	m.same(d.want, k, got)
	if len(d.snaps) == 0 {
		return
	}
	s := d.snaps[m.r.IntN(len(d.snaps))]
	keys := [][]byte{[]byte(k), []byte(m.key())}
	values, err := s.snap.GetMany(ctx, keys)
	require.NoError(m.t, err)
	for i := range keys {
		m.same(s.want, string(keys[i]), values[i])
	}
}

// scan walks a range, forth or back, up to a limit.
func (m *model) scan(d *modelled) {
	m.note("scan")
	want, ctx := d.want, context.Background()
	var snap storage.Snapshot
	if n := len(d.snaps); n > 0 && m.r.IntN(2) == 0 {
		s := d.snaps[m.r.IntN(n)]
		snap, want = s.snap, s.want
	} else {
		var err error
		snap, err = d.db.Snapshot(ctx, storage.SnapshotOptions{})
		require.NoError(m.t, err)
		defer snap.Close()
	}
	from, to := m.key(), m.key()
	if from > to {
		from, to = to, from
	}
	r := storage.Range{Start: []byte(from), End: []byte(to)}
	switch m.r.IntN(4) {
	case 0: // the keys of one partition
		prefix := storage.FilterPrefix([]byte(from))
		r = storage.Range{Start: prefix, End: append(bytes.Clone(prefix), 0xff, 0xff)}
	case 1:
		r.End = nil
	}
	m.walk(snap, want, r, m.r.IntN(2) == 0, 1+m.r.IntN(60))
}

func (m *model) walk(snap storage.Snapshot, want map[string]string, r storage.Range, reverse bool, limit int) {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(k string) bool { return !r.Contains([]byte(k)) })
	if reverse {
		slices.Reverse(keys)
	}
	it, err := snap.Iter(context.Background(), r, storage.IterOptions{Reverse: reverse, LimitHint: limit})
	require.NoError(m.t, err)
	defer it.Close()
	for i := range limit {
		if !it.Next() {
			require.NoError(m.t, it.Err())
			require.Len(m.t, keys, i, "the range ends too early")
			return
		}
		if i == len(keys) {
			m.t.Fatalf("key %x behind all", it.Key())
		}
		if keys[i] != string(it.Key()) {
			m.t.Fatalf("key %x, want %x", it.Key(), keys[i])
		}
		m.same(want, keys[i], storage.Value{Data: it.Value(), Present: true})
	}
}

// snapshot opens or closes one.
func (m *model) snapshot(d *modelled) {
	if n := len(d.snaps); n > 2 || n > 0 && m.r.IntN(2) == 0 {
		i := m.r.IntN(n)
		d.snaps[i].snap.Close()
		d.snaps = slices.Delete(d.snaps, i, i+1)
		return
	}
	s, err := d.db.Snapshot(context.Background(), storage.SnapshotOptions{Owner: "model"})
	require.NoError(m.t, err)
	d.snaps = append(d.snaps, modelSnapshot{s, maps.Clone(d.want)})
}

func (d *modelled) closeSnapshots() {
	for _, s := range d.snaps {
		s.snap.Close()
	}
	d.snaps = nil
}

func (m *model) fork() {
	if len(m.forks) == modelFamilyMax {
		m.dropFork(m.r.IntN(len(m.forks)))
		return
	}
	m.note("fork")
	of := m.someone()
	db, err := of.db.Fork()
	require.NoError(m.t, err)
	m.forks = append(m.forks, &modelled{db: db, want: maps.Clone(of.want)})
}

func (m *model) dropFork(i int) {
	f := m.forks[i]
	m.checkAll(f)
	f.closeSnapshots()
	require.NoError(m.t, f.db.Close())
	m.forks = slices.Delete(m.forks, i, i+1)
}

// restart closes the file and opens it again, or loses the power: then the forks, which are in memory,
// are gone.
func (m *model) restart(clean bool) {
	m.note("restart, clean %v", clean)
	m.root.closeSnapshots()
	for len(m.forks) > 0 {
		m.dropFork(0)
	}
	if clean {
		require.NoError(m.t, m.root.db.Close())
	} else {
		policy := vfs.CrashLoseAll
		if m.opts.Sync != SyncAlways {
			policy = vfs.CrashKill
		}
		after := m.fs.CrashClone(policy, m.r.Uint64())
		_ = m.root.db.Close()
		m.fs = after
	}
	m.open()
}

// dropSpace drops all keys of a space, for good, and begins a new one.
func (m *model) dropSpace() {
	if len(m.forks) > 0 { // their spaces would be other ones
		return
	}
	space := m.alive[m.r.IntN(len(m.alive))]
	m.note("drop space %d", space)
	m.root.closeSnapshots() // the caller promises not to read there again
	require.NoError(m.t, m.root.db.DropRange(context.Background(), spaceRange(space)))
	m.alive = slices.DeleteFunc(m.alive, func(s byte) bool { return s == space })
	maps.DeleteFunc(m.root.want, func(k, _ string) bool { return k[7] == space })
	m.newSpace()
	m.tend()
}

// copies makes a backup of the file or saves a database, and wants the copy to hold what it held.
func (m *model) copies() {
	d, ctx := m.someone(), context.Background()
	if d == m.root && m.r.IntN(2) == 0 {
		m.note("backup")
		_, err := d.db.Backup(ctx, "copy", BackupOptions{Overwrite: true})
		require.NoError(m.t, err)
	} else {
		m.note("save")
		require.NoError(m.t, d.db.Save(ctx, "copy", SaveOptions{EncryptionKey: m.opts.EncryptionKey}))
	}
	m.verify("copy")
	o := m.copyOptions()
	o.ReadOnly = m.r.IntN(2) == 0
	db, err := Open("copy", o)
	require.NoError(m.t, err)
	m.checkAll(&modelled{db: db, want: d.want})
	require.NoError(m.t, db.Close())
}

// verify wants no fault in a file that is closed.
func (m *model) verify(path string) {
	report, err := Verify(context.Background(), path, VerifyOptions{FS: m.fs, EncryptionKey: m.opts.EncryptionKey})
	require.NoError(m.t, err)
	require.Zero(m.t, report.Errors, "%s: %v", path, report.Faults)
	require.Empty(m.t, report.Unchecked)
}

// readOnly looks at the file as a crash would have left it, without changing it.
func (m *model) readOnly() {
	m.note("read only")
	policy := vfs.CrashLoseAll
	if m.opts.Sync != SyncAlways {
		policy = vfs.CrashKill
	}
	o := m.copyOptions()
	o.FS, o.ReadOnly = m.fs.CrashClone(policy, m.r.Uint64()), true
	db, err := Open("db", o)
	require.NoError(m.t, err)
	m.checkAll(&modelled{db: db, want: m.root.want})
	require.NoError(m.t, db.Close())
}

// checkAll compares everything, both ways, with the figures too.
func (m *model) checkAll(d *modelled) {
	ctx := context.Background()
	snap, err := d.db.Snapshot(ctx, storage.SnapshotOptions{})
	require.NoError(m.t, err)
	defer snap.Close()
	for _, reverse := range []bool{false, true} {
		m.walk(snap, d.want, storage.Range{}, reverse, len(d.want)+1)
	}
	for _, space := range m.alive {
		n := int64(0)
		for k := range d.want {
			if k[7] == space {
				n++
			}
		}
		s, err := d.db.estimate(ctx, spaceRange(space))
		require.NoError(m.t, err)
		if s.Exact {
			require.Equal(m.t, n, s.Keys, "exact figures of space %d", space)
		}
	}
	if st := d.db.Metrics(); !st.InMemory {
		require.Equal(m.t, st.FileBytes, regions(st))
	}
}
