package log

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

var (
	testIdent = Ident{Log: WAL, Database: DatabaseID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}
	testSalt  = Salt{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}
)

const testSegment = 16 << 10

// rig is a log on a memory file, written by hand.
type rig struct {
	t     *testing.T
	fs    *vfs.MemFS
	file  vfs.File
	segs  []Extent
	chain *Chain
	lsn   base.LSN
	epoch base.Epoch
	keys  *crypt.Keys
}

func newRig(t *testing.T, segments int) *rig {
	return newRigWith(t, segments, strings.HasPrefix(t.Name(), "TestSealed/"))
}

func newRigWith(t *testing.T, segments int, sealed bool) *rig {
	r := &rig{t: t, fs: vfs.NewMemFS(1), epoch: 1, lsn: base.MakeLSN(1, 1)}
	f, err := r.fs.Open("db", vfs.OpenOptions{Role: vfs.Log, Create: true})
	require.NoError(t, err)
	if sealed {
		r.keys, err = crypt.New(testIdent.Database, strings.NewReader("a data key for tests of 32 bytes"))
		require.NoError(t, err)
	}
	r.file = f
	for i := range segments {
		e := Extent{Offset: 8192 + int64(i)*testSegment, Length: testSegment}
		require.NoError(t, Prepare(f, e))
		r.segs = append(r.segs, e)
	}
	r.chain = r.newChain(Start(r.segs[0]))
	return r
}

func (r *rig) newChain(at Position) *Chain {
	return NewChain(vfs.SectorBytes, at)
}

func (r *rig) term() *Term {
	term, err := NewTerm(testIdent, r.epoch, testSalt, r.keys)
	require.NoError(r.t, err)
	return term
}

// seal makes a group without writing it.
func (r *rig) seal(synced Seq, payloads ...string) (Sealed, *Group) {
	var g Group
	first := r.lsn
	for _, p := range payloads {
		g.Add(r.term().AppendFrame(nil, r.lsn, []byte(p)))
		r.lsn++
	}
	return r.chain.Seal(&g, r.term(), first, synced), &g
}

// write appends a group whole.
func (r *rig) write(synced Seq, payloads ...string) Sealed {
	s, _ := r.seal(synced, payloads...)
	r.put(s, nil)
	return s
}

// put writes the sectors of a group that keep admits; nil admits all.
func (r *rig) put(s Sealed, keep func(sector int) bool) {
	for i := 0; i < len(s.Bytes); i += vfs.SectorBytes {
		if keep == nil || keep(i/vfs.SectorBytes) {
			buf := vfs.AlignedBuffer(vfs.SectorBytes)
			copy(buf, s.Bytes[i:])
			_, err := r.file.WriteAt(buf, s.Offset+int64(i))
			require.NoError(r.t, err)
		}
	}
}

func (r *rig) config(clean *CleanMark) ReaderConfig {
	return ReaderConfig{
		File: r.file, Ident: testIdent, EpochMax: r.epoch, Start: Start(r.segs[0]),
		Linked: r.segs[1:], Clean: clean, Region: "wal", Keys: r.keys,
	}
}

// read returns every payload in order, with its seq.
func read(cfg ReaderConfig) ([]string, End, error) {
	var got []string
	r := NewReader(cfg)
	for r.Next() {
		for i := range int(r.Header().Count) {
			got = append(got, string(r.Payload(i)))
		}
	}
	return got, r.End(), r.Err()
}

func (r *rig) mustRead() ([]string, End) {
	r.t.Helper()
	got, end, err := read(r.config(nil))
	require.NoError(r.t, err)
	return got, end
}

// reopen continues the log in a new epoch from its end.
func (r *rig) reopen() []string {
	r.t.Helper()
	got, end := r.mustRead()
	r.epoch++
	r.lsn = base.MakeLSN(r.epoch, 1)
	r.chain = r.newChain(end.Position)
	return got
}

func requireCorrupt(t *testing.T, err error) *base.CorruptError {
	t.Helper()
	require.ErrorIs(t, err, storage.ErrCorrupt)
	var c *base.CorruptError
	require.True(t, errors.As(err, &c))
	return c
}

func TestFormatVector(t *testing.T) {
	r := newRig(t, 1)
	s, _ := r.seal(0, "ab")
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, vector, ok := strings.Cut(string(doc), "in TestFormatVector:\n//\n")
	require.True(t, ok, "the vector stands in the package doc")
	var shown strings.Builder
	for line := range strings.Lines(vector) {
		if text, ok := strings.CutPrefix(line, "//\t"); ok {
			shown.WriteString(strings.NewReplacer(" ", "", "\n", "").Replace(text))
		}
	}
	used := HeaderBytes + r.term().FrameBytes(2)
	require.Equal(t, shown.String(), hex.EncodeToString(s.Bytes[:used]))
	require.Equal(t, make([]byte, vfs.SectorBytes-used), s.Bytes[used:], "filler")

	h, ok := decodeHeader(s.Bytes)
	require.True(t, ok)
	require.Equal(t, Header{
		Ident: testIdent, Epoch: 1, Count: 1, Salt: testSalt, Seq: 1, Position: 8192,
		FirstLSN: base.MakeLSN(1, 1), Length: 512,
	}, h)
}

func TestRoundTripOverSegments(t *testing.T) {
	for _, align := range []int{512, 1024, 4096} {
		t.Run(fmt.Sprint(align), func(t *testing.T) {
			r := newRig(t, 3)
			r.chain = NewChain(align, Start(r.segs[0]))
			var want []string
			seg := 0
			for i := 0; ; i++ {
				p := strings.Repeat(string(rune('a'+i%26)), i*37%1500)
				pos := r.chain.Position()
				if !FitsWAL(pos.Extent, pos.Offset, r.term().FrameBytes(len(p)), align) {
					if seg++; seg == len(r.segs) {
						break
					}
					r.chain.MoveTo(r.segs[seg])
				}
				s := r.write(Seq(i), p)
				require.Zero(t, s.Offset%int64(align))
				want = append(want, p)
			}
			got, end := r.mustRead()
			require.Equal(t, want, got)
			require.Equal(t, r.chain.Position(), end.Position)
			require.Equal(t, r.lsn-1, end.LastLSN)
			require.False(t, end.Torn)
			require.Len(t, end.Unsynced, 1, "only the last group has nobody who names it")
		})
	}
}

func TestUntilReadsTheSameGroupsAgain(t *testing.T) {
	r := newRig(t, 1)
	r.write(0, "a")
	r.write(1, "b", "c")
	r.write(2, "d")
	cfg := r.config(nil)
	cfg.Until = 2
	got, end, err := read(cfg)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, got)
	require.Equal(t, Seq(3), end.Position.Seq)
}

func TestEmptyLog(t *testing.T) {
	r := newRig(t, 2)
	got, end := r.mustRead()
	require.Empty(t, got)
	require.Equal(t, Start(r.segs[0]), end.Position)
	require.False(t, end.Torn)
}

func TestDropEverySubsetOfTheLastGroup(t *testing.T) {
	long := strings.Repeat("x", 6*vfs.SectorBytes)
	for mask := range 1 << 7 {
		r := newRig(t, 1)
		r.write(0, "a")
		r.write(1, "b")
		s, _ := r.seal(2, long)
		require.Len(t, s.Bytes, 7*vfs.SectorBytes)
		r.put(s, func(i int) bool { return mask&(1<<i) != 0 })
		got, end := r.mustRead()
		if mask == 1<<7-1 {
			require.Equal(t, []string{"a", "b", long}, got)
			continue
		}
		require.Equal(t, []string{"a", "b"}, got, "mask %b", mask)
		require.Equal(t, Seq(3), end.Position.Seq)
		require.Equal(t, mask&1 != 0, end.Torn, "mask %b", mask)
		require.Equal(t, []Extent{{8192 + 512, 512}}, end.Unsynced)
	}
}

func TestDropEverySubsetOfSeveralUnsyncedGroups(t *testing.T) {
	// Four groups after the last sync, of one to three sectors each.
	payloads := []string{"b", strings.Repeat("c", 600), "d", strings.Repeat("e", 1200)}
	const sectors = 1 + 2 + 1 + 3
	for mask := range 1 << sectors {
		r := newRig(t, 1)
		r.write(0, "a")
		bit, whole, gap := 0, []string{"a"}, false
		for _, p := range payloads {
			s, _ := r.seal(1, p)
			n := len(s.Bytes) / vfs.SectorBytes
			part := mask >> bit & (1<<n - 1)
			r.put(s, func(i int) bool { return part&(1<<i) != 0 })
			if gap = gap || part != 1<<n-1; !gap {
				whole = append(whole, p)
			}
			bit += n
		}
		got, _ := r.mustRead()
		require.Equal(t, whole, got, "mask %b", mask)

		// The next open continues there and what follows stays cut, whatever survived behind.
		r.reopen()
		r.write(Seq(len(whole)), "new")
		got, _ = r.mustRead()
		require.Equal(t, append(whole, "new"), got, "mask %b", mask)
	}
}

func TestTornReopenTornAgain(t *testing.T) {
	long := strings.Repeat("x", 1000)
	r := newRig(t, 2)
	r.write(0, "a")
	for range 5 {
		s, _ := r.seal(1, long)
		r.put(s, func(i int) bool { return i == 0 })
		require.Equal(t, []string{"a"}, r.reopen())
	}
	// The place is taken by a torn header; the next group does not fit behind the last one.
	s, _ := r.seal(1, long)
	r.put(s, func(i int) bool { return i != 1 })
	require.Equal(t, []string{"a"}, r.reopen())
	r.chain.MoveTo(r.segs[1])
	r.write(1, "moved")
	r.write(2, "on")
	require.Equal(t, []string{"a", "moved", "on"}, r.reopen())
}

func TestTheHighestEpochWinsOverAGroupThatWasCut(t *testing.T) {
	// A group counted as torn may reach the disk whole after all, when the sync that failed was
	// still under way. The open that cut it has continued elsewhere, and that is what was promised.
	r := newRig(t, 2)
	r.write(0, "a")
	late, _ := r.seal(1, "cut")
	require.Equal(t, []string{"a"}, r.reopen())
	r.chain.MoveTo(r.segs[1])
	r.write(1, "kept")
	r.put(late, nil)
	got, _ := r.mustRead()
	require.Equal(t, []string{"a", "kept"}, got)
}

func TestOldLapsAreNeverAccepted(t *testing.T) {
	// Two segments in turn: every group has the same shape as the one that stood in its place a lap
	// ago, and only its first sector reaches the disk.
	payload := func(i int) string { return fmt.Sprintf("%04d%s", i, strings.Repeat("p", 700)) }
	r := newRig(t, 2)
	tail, seg := Start(r.segs[0]), 0
	for i := 1; i <= 60; i++ {
		pos := r.chain.Position()
		if !FitsWAL(pos.Extent, pos.Offset, r.term().FrameBytes(len(payload(i))), vfs.SectorBytes) {
			tail = pos // a checkpoint covers everything before
			seg = 1 - seg
			r.chain.MoveTo(r.segs[seg])
		}
		s, _ := r.seal(Seq(i-1), payload(i))
		r.put(s, func(sector int) bool { return sector == 0 })
		cfg := r.config(nil)
		cfg.Start, cfg.Linked = tail, []Extent{r.segs[0], r.segs[1]}
		got, end, err := read(cfg)
		require.NoError(t, err)
		require.Equal(t, Seq(i), end.Position.Seq)
		require.NotContains(t, got, payload(i))
		r.put(s, nil)
		got, end, err = read(cfg)
		require.NoError(t, err)
		require.Equal(t, Seq(i+1), end.Position.Seq)
		require.Equal(t, payload(i), got[len(got)-1])
	}
}

func TestTailAtTheEndOfASegment(t *testing.T) {
	r := newRig(t, 2)
	pos := r.chain.Position()
	full := int(pos.Extent.Length) - HeaderBytes - FrameHeadBytes - FrameTailBytes
	r.write(0, strings.Repeat("f", full))
	tail := r.chain.Position()
	require.Equal(t, tail.Extent.End(), tail.Offset)
	r.chain.MoveTo(r.segs[1])
	r.write(1, "next")
	cfg := r.config(nil)
	cfg.Start = tail
	got, _, err := read(cfg)
	require.NoError(t, err)
	require.Equal(t, []string{"next"}, got)

	cfg.Linked = nil
	got, _, err = read(cfg)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestLinkWhileReading(t *testing.T) {
	// The manifest learns of its next extent from a record of the group at hand.
	r := newRig(t, 3)
	r.write(0, "a")
	r.write(1, "next 1")
	r.chain.MoveTo(r.segs[1])
	r.write(2, "b", "next 2", "c")
	r.chain.MoveTo(r.segs[2])
	r.write(3, "d")
	cfg := r.config(nil)
	cfg.Linked = nil
	var got []string
	reader := NewReader(cfg)
	for reader.Next() {
		for i := range int(reader.Header().Count) {
			p := reader.Payload(i)
			var n int
			if _, err := fmt.Sscanf(string(p), "next %d", &n); err == nil {
				reader.Link(r.segs[n])
				reader.Link(r.segs[n])
			}
			got = append(got, string(p))
		}
	}
	require.NoError(t, reader.Err())
	require.Equal(t, []string{"a", "next 1", "b", "next 2", "c", "d"}, got)
}

func TestFits(t *testing.T) {
	e := Extent{Offset: 4096, Length: 8192}
	require.True(t, FitsWAL(e, 4096, 4096-HeaderBytes, 4096))
	require.False(t, FitsWAL(e, 4096, 4096-HeaderBytes+1, 4096))
	require.False(t, FitsManifest(e, 4096, 4096-HeaderBytes, 4096))
	require.True(t, FitsManifest(e, 4096, 8192-1024-HeaderBytes, 512))
	require.False(t, FitsManifest(e, 4096, 8192-1024-HeaderBytes+1, 512))
	require.Equal(t, int64(512), GroupBytes(NextRecordFrameBytes, 512))
}

func TestSealRefusesToLeaveItsExtent(t *testing.T) {
	r := newRig(t, 1)
	var g Group
	g.Add(r.term().AppendFrame(nil, r.lsn, make([]byte, testSegment)))
	require.Panics(t, func() { r.chain.Seal(&g, r.term(), r.lsn, 0) })
}

func TestRewriteWritesTheSameBytes(t *testing.T) {
	r := newRig(t, 1)
	r.write(0, "a")
	r.write(0, strings.Repeat("b", 900))
	r.write(0, "c")
	_, end := r.mustRead()
	require.Len(t, end.Unsynced, 1)
	require.Equal(t, Extent{8192, 4 * 512}, end.Unsynced[0])

	relaxed, err := r.fs.Open("db", vfs.OpenOptions{Role: vfs.RelaxedLog})
	require.NoError(t, err)
	before := make([]byte, 4*512)
	heap, err := r.fs.Open("db", vfs.OpenOptions{})
	require.NoError(t, err)
	_, err = heap.ReadAt(before, 8192)
	require.NoError(t, err)
	require.NoError(t, Rewrite(r.file, relaxed, end.Unsynced))
	after := make([]byte, 4*512)
	_, err = heap.ReadAt(after, 8192)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestFramesFilledBesideEachOtherMakeTheSameGroup as frames that are added one by one, whatever the
// buffer held before.
func TestFramesFilledBesideEachOtherMakeTheSameGroup(t *testing.T) {
	var payloads []string
	for i := range 40 {
		payloads = append(payloads, strings.Repeat(string(rune('a'+i)), i*7))
	}
	one := newRig(t, 1)
	want, _ := one.seal(0, payloads...)
	r := newRig(t, 1)
	var g Group
	for range 2 {
		g.Reset()
		g.Room(testSegment / 2)
		at := unsafe.SliceData(g.buf)
		var wg sync.WaitGroup
		for i, p := range payloads {
			term := r.term()
			frame := g.Reserve(term.FrameBytes(len(p)))
			wg.Go(func() {
				copy(term.Payload(frame), p)
				term.SealFrame(frame, r.lsn+base.LSN(i))
			})
		}
		wg.Wait()
		require.Same(t, at, unsafe.SliceData(g.buf))
		require.Equal(t, len(payloads), g.Count())
		chain := r.newChain(Start(r.segs[0]))
		require.Equal(t, want, chain.Seal(&g, r.term(), r.lsn, 0))
		require.Equal(t, one.chain.Position(), chain.Position(), "the digest, too")
	}
	require.Panics(t, func() { g.Reserve(cap(g.buf)) }, "what Room has not made")
}

func TestGroupReusesItsBuffer(t *testing.T) {
	r := newRig(t, 1)
	var g Group
	g.Add(r.term().AppendFrame(nil, 1, make([]byte, 3000)))
	g.Reset()
	require.Zero(t, g.Count())
	require.Zero(t, g.FrameBytes())
	g.Add(r.term().AppendFrame(nil, r.lsn, []byte("z")))
	require.Equal(t, r.term().FrameBytes(1), g.FrameBytes())
	s := r.chain.Seal(&g, r.term(), r.lsn, 0)
	require.Len(t, s.Bytes, 512, "the filler of a shorter group holds no old bytes")
	require.Equal(t, make([]byte, 512-HeaderBytes-r.term().FrameBytes(1)), s.Bytes[HeaderBytes+r.term().FrameBytes(1):])
	r.put(s, nil)
	got, _ := r.mustRead()
	require.Equal(t, []string{"z"}, got)
}
