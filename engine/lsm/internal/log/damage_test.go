package log

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// image is the file's bytes, to be damaged.
func (r *rig) image() []byte {
	heap, err := r.fs.Open("db", vfs.OpenOptions{})
	require.NoError(r.t, err)
	size, err := heap.Size()
	require.NoError(r.t, err)
	raw := make([]byte, size)
	_, err = heap.ReadAt(raw, 0)
	require.NoError(r.t, err)
	return raw
}

// used says for each byte of the file whether a header or frame of the log owns it.
func (r *rig) used(raw []byte) []bool {
	used := make([]bool, len(raw))
	reader := NewReader(r.config(nil))
	for reader.Next() {
		h := reader.Header()
		n := HeaderBytes
		for i := range int(h.Count) {
			n += r.term().FrameBytes(len(reader.Payload(i)))
		}
		for i := range n {
			used[h.Position+int64(i)] = true
		}
	}
	require.NoError(r.t, reader.Err())
	return used
}

func damageRig(t *testing.T) (*rig, []string) {
	return toBeDamaged(newRig(t, 2))
}

func toBeDamaged(r *rig) (*rig, []string) {
	r.write(0, "alpha", "", "beta")
	r.write(1)
	r.write(2, strings.Repeat("gamma", 150))
	r.chain.MoveTo(r.segs[1])
	r.write(3, "delta")
	r.write(4)
	want, _ := r.mustRead()
	return r, want
}

func TestEveryFlippedBitOfACleanLogIsFound(t *testing.T) {
	r, want := damageRig(t)
	raw := r.image()
	used := r.used(raw)
	flips := 0
	for i := range raw {
		if !used[i] {
			continue
		}
		for bit := range 8 {
			raw[i] ^= 1 << bit
			cfg := r.config(&CleanMark{Epoch: 1, Seq: 5})
			cfg.File = bytes.NewReader(raw)
			_, _, err := read(cfg)
			c := requireCorrupt(t, err)
			require.Equal(t, "wal", c.Region)
			require.LessOrEqual(t, c.Offset, int64(i), "bit %d of byte %d", bit, i)
			raw[i] ^= 1 << bit
			flips++
		}
	}
	require.Greater(t, flips, 8*5*HeaderBytes)
	// Filler belongs to nobody: damage there changes nothing.
	for i := int(r.segs[0].Offset); i < len(raw); i += 7 {
		if used[i] {
			continue
		}
		raw[i] ^= 0x40
		cfg := r.config(&CleanMark{Epoch: 1, Seq: 5})
		cfg.File = bytes.NewReader(raw)
		got, _, err := read(cfg)
		require.NoError(t, err)
		require.Equal(t, want, got)
		raw[i] ^= 0x40
	}
}

func TestEveryFlippedBitBelowASyncedHeaderIsFound(t *testing.T) {
	// Without a clean mark, the last header names group 4 as synced: all before it is vouched for.
	r, want := damageRig(t)
	raw := r.image()
	used := r.used(raw)
	last := r.chain.Position().Offset - 512
	for i := range raw {
		if !used[i] {
			continue
		}
		raw[i] ^= 1 << (i % 8)
		cfg := r.config(nil)
		cfg.File = bytes.NewReader(raw)
		got, _, err := read(cfg)
		if int64(i) < last {
			requireCorrupt(t, err)
		} else {
			require.NoError(t, err, "the last group has no successor yet")
			require.Equal(t, want, got)
		}
		raw[i] ^= 1 << (i % 8)
	}
}

func TestOneDamagedSectorInEveryLogSectorOfACleanFile(t *testing.T) {
	r, _ := damageRig(t)
	raw := r.image()
	used := r.used(raw)
	for off := 0; off < len(raw); off += vfs.SectorBytes {
		if !used[off] {
			continue
		}
		for _, fill := range []byte{0, 0xff} {
			bad := bytes.Clone(raw)
			for i := range vfs.SectorBytes {
				bad[off+i] = fill
			}
			cfg := r.config(&CleanMark{Epoch: 1, Seq: 5})
			cfg.File = bytes.NewReader(bad)
			_, _, err := read(cfg)
			requireCorrupt(t, err)
		}
	}
}

func TestAMissingGroupIsCorruptOnlyWhenVouchedFor(t *testing.T) {
	for _, tc := range []struct {
		synced  Seq
		corrupt bool
	}{{1, false}, {2, true}, {3, true}} {
		t.Run(fmt.Sprint(tc.synced), func(t *testing.T) {
			r := newRig(t, 1)
			r.write(0, "a")
			s, _ := r.seal(1, "b")
			r.write(1, "c")
			r.write(tc.synced, "d")
			got, end, err := read(r.config(nil))
			if tc.corrupt {
				require.Equal(t, s.Offset, requireCorrupt(t, err).Offset)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{"a"}, got)
			require.True(t, end.Torn)
		})
	}
}

func TestTheVoucherMayStandInAnyLinkedExtent(t *testing.T) {
	r := newRig(t, 3)
	r.write(0, "a")
	s, _ := r.seal(1, "lost")
	r.chain.MoveTo(r.segs[2])
	r.write(1, "c")
	r.write(2, "d")
	_, _, err := read(r.config(nil))
	require.Equal(t, s.Offset, requireCorrupt(t, err).Offset)
}

func TestForeignHeadersVouchForNothing(t *testing.T) {
	for name, change := range map[string]func(h *Header){
		"another log":        func(h *Header) { h.Ident.Log = 99 },
		"another database":   func(h *Header) { h.Ident.Database[3]++ },
		"another place":      func(h *Header) { h.Position += 512 },
		"an epoch to come":   func(h *Header) { h.Epoch = 2 },
		"beyond its extent":  func(h *Header) { h.Length = testSegment },
		"nothing is changed": func(*Header) {},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1)
			r.write(0, "a")
			s, _ := r.seal(9, "stray")
			h, ok := decodeHeader(s.Bytes)
			require.True(t, ok)
			h.Position += 1024
			change(&h)
			h.encode(s.Bytes)
			s.Offset += 1024
			r.put(s, nil)
			_, _, err := read(r.config(nil))
			if name == "nothing is changed" {
				requireCorrupt(t, err)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestCleanMark(t *testing.T) {
	r := newRig(t, 1)
	r.write(0, "a")
	r.write(1, "b")
	for _, tc := range []struct {
		mark    CleanMark
		corrupt bool
	}{
		{CleanMark{1, 2}, false}, {CleanMark{1, 3}, true}, {CleanMark{2, 2}, true},
	} {
		_, _, err := read(r.config(&tc.mark))
		if tc.corrupt {
			requireCorrupt(t, err)
		} else {
			require.NoError(t, err)
		}
	}
	// At a tail behind the last group nothing is read, and the epoch before it is not known.
	cfg := r.config(&CleanMark{1, 2})
	cfg.Start = r.chain.Position()
	cfg.Start.Epoch = 0
	got, end, err := read(cfg)
	require.NoError(t, err)
	require.Empty(t, got)
	require.Equal(t, Seq(3), end.Position.Seq)
}

func TestTruncatedFileIsCorrupt(t *testing.T) {
	r, _ := damageRig(t)
	raw := r.image()
	for _, size := range []int64{r.segs[0].Offset + 100, r.segs[1].Offset - 1, int64(len(raw)) - 1} {
		cfg := r.config(nil)
		cfg.File = bytes.NewReader(raw[:size])
		_, _, err := read(cfg)
		requireCorrupt(t, err)
	}
}

type failingReader struct{ io.ReaderAt }

func (failingReader) ReadAt([]byte, int64) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReadErrorsAreNotCorruption(t *testing.T) {
	r, _ := damageRig(t)
	cfg := r.config(nil)
	cfg.File = failingReader{}
	_, _, err := read(cfg)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	var c *base.CorruptError
	require.NotErrorAs(t, err, &c)
}

func FuzzReader(f *testing.F) {
	f.Add(uint16(0), []byte{1}, uint8(0))
	f.Add(uint16(96), []byte{0xff, 0xff, 0xff, 0x7f}, uint8(1))
	f.Add(uint16(36), []byte{0xff, 0xff, 0xff, 0xff}, uint8(3))
	f.Add(uint16(130), []byte{1}, uint8(4))
	f.Fuzz(func(t *testing.T, at uint16, patch []byte, fix uint8) {
		r, want := toBeDamaged(newRigWith(t, 2, fix&4 != 0))
		raw := r.image()
		off := int(r.segs[0].Offset) + int(at)%(2*testSegment)
		n := copy(raw[off:], patch)
		if fix&1 != 0 {
			// Let the damage stand below a good checksum, so that it gets further.
			begin := off &^ (vfs.SectorBytes - 1)
			if h := raw[begin : begin+vfs.SectorBytes]; string(h[:8]) == magic {
				putCRC(h)
			}
		}
		cfg := r.config(nil)
		if fix&2 != 0 {
			cfg.Clean = &CleanMark{Epoch: 1, Seq: 5}
		}
		cfg.File = bytes.NewReader(raw)
		got, _, err := read(cfg)
		if err == nil && fix&3 == 2 && n > 0 {
			require.Equal(t, want, got, "damage below a clean mark is found or is filler")
		}
	})
}

// putCRC makes the header's checksum right.
func putCRC(raw []byte) {
	binary.LittleEndian.PutUint32(raw[offCRC:], crc32.Checksum(raw[:offCRC], castagnoli))
}

func FuzzHeader(f *testing.F) {
	seed := make([]byte, HeaderBytes)
	(&Header{Ident: testIdent, Epoch: 3, Count: 2, Seq: 4, Length: 1024}).encode(seed)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := make([]byte, HeaderBytes)
		copy(c, raw)
		copy(c, magic)
		putCRC(c)
		h, ok := decodeHeader(c)
		if !ok {
			return
		}
		out := make([]byte, HeaderBytes)
		h.encode(out)
		require.Equal(t, c, out)
	})
}

func FuzzFrames(f *testing.F) {
	term := new(Term)
	f.Add(term.AppendFrame(term.AppendFrame(make([]byte, HeaderBytes), 7, []byte("a")), 8, nil), uint32(2))
	f.Fuzz(func(t *testing.T, raw []byte, count uint32) {
		if len(raw) < HeaderBytes {
			return
		}
		var fr frames
		h := Header{Count: min(count, FrameCountMax), FirstLSN: 7}
		if fr.parse(&h, raw) {
			out := make([]byte, HeaderBytes)
			for i, p := range fr.payloads {
				out = term.AppendFrame(out, 7+base.LSN(i), p)
			}
			require.Equal(t, raw[HeaderBytes:len(out)], out[HeaderBytes:])
		}
	})
}
