// Package superblock is the format of the two blocks at the beginning of a database file, and the
// order in which they are changed.
//
// Each copy takes 4096 bytes, at offsets 0 and 4096. Integers are little-endian.
//
//	offset   0 magic             "kstnsupr"
//	         8 format version 4  1
//	        12 log alignment  4  bytes; groups begin at its multiples
//	        16 database id   16
//	        32 timeline id   16  new for each restored copy
//	        48 generation     8  grows with each switch
//	        56 epoch          4
//	        60 flags          4  bit 0: clean mark present, 1: origin present, 2: incremental backup
//	        64 manifest log   8  object number of the manifest
//	        72 manifest offset 8, length 8: its first extent
//	        88 clean mark: WAL epoch 4, manifest epoch 4, WAL seq 8, manifest seq 8
//	       112 wrapped data key: length 2, bytes up to 256; none in a plain file
//	       512 origin: timeline 16 · base 16 · lsn 8 · group seq 8 · digest 8 · epoch 4 · zero 4 ·
//	           time 8: a copy says of what, see Origin
//	       592 successor 16: the identity of the file that this one has replaced, or zeros
//	       608 place: length 2, bytes up to 1024: the path under which the file was last opened for writing
//	      4092 crc32c of bytes 0 to 4091
//
// A switch writes the copy that is not the newest valid one, then the other, each through the log's
// descriptor and so durable at return. Whatever only the old contents named is freed after both.
package superblock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

const (
	// CopyBytes is the size of one copy.
	CopyBytes = 4096
	// AreaBytes is what both copies take; the heap begins behind it.
	AreaBytes = 2 * CopyBytes
	// FormatVersion that this program writes and the newest that it reads.
	FormatVersion = 1
	// WrappedKeyMaxBytes bounds the room of the wrapped data key.
	WrappedKeyMaxBytes = 256
	// PlaceMaxBytes bounds the room of the place.
	PlaceMaxBytes = 1024

	magic           = "kstnsupr"
	flagClean       = 1
	flagOrigin      = 2
	flagIncremental = 4
	crcAt           = CopyBytes - 4
	keyAt           = 112
	originAt        = 512
	successorAt     = 592
	placeAt         = 608
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Errors of Read beside corruption.
var (
	// ErrInterrupted: the file's creation did not come to its end.
	ErrInterrupted = errors.New("this file has no superblock: if its creation was interrupted, it holds no data, " +
		"delete it and open again; if it has served, restore a copy, or see what kstone salvage finds in it")
	// ErrForeign: the file is something else.
	ErrForeign = errors.New("this is not a kstone database file")
	// ErrNewer: a newer program wrote the file.
	ErrNewer = errors.New("this file has a newer format: use a newer kstone")
	// ErrIncremental: what the file holds is only what its base has not. Read leaves it to its caller to
	// refuse such a file.
	ErrIncremental = errors.New("this is an incremental backup: kstone restore makes a database of it and its base")
)

// Clean names the last groups of both logs at a clean shutdown.
type Clean struct {
	WAL, Manifest log.CleanMark
}

// Origin says what a copy is a copy of: the state of a timeline at an LSN. A database that began empty has
// none.
type Origin struct {
	// Timeline that was copied.
	Timeline [16]byte
	// Base is the timeline of the backup that an incremental one needs, else zero.
	Base [16]byte
	// LSN is the last one in the copy. Seq is that of the group of the timeline's log that holds the next
	// frame, or of one before it; Digest and Epoch are those of the group before Seq.
	LSN    base.LSN
	Seq    log.Seq
	Digest uint64
	Epoch  base.Epoch
	// Millis is when the copy was made, in milliseconds since 1970; 0 if nobody knew.
	Millis int64
}

// Incremental says whether the file needs its base.
func (o *Origin) Incremental() bool { return o != nil && o.Base != [16]byte{} }

// Superblock is the contents of one copy.
type Superblock struct {
	Align      int // of log groups, in bytes
	Database   log.DatabaseID
	Timeline   [16]byte
	Generation uint64
	Epoch      base.Epoch
	// ManifestLog is the log id of the manifest, ManifestFirst its first extent.
	ManifestLog   base.ObjectNum
	ManifestFirst log.Extent
	// Clean is nil while the database is open or after a crash.
	Clean *Clean
	// WrappedKey is nil in a database that is not encrypted.
	WrappedKey []byte
	// Keys are not on disk: Unlock sets them. Nil in a database that is not encrypted.
	Keys *crypt.Keys
	// Origin is nil for a database that began empty.
	Origin *Origin
	// Successor is the identity of the file that this one was put in the place of. It is zero for every other
	// one, whose identity is its timeline.
	Successor [16]byte
	// Place is the path under which the file was last opened for writing; empty if none is known, it is longer
	// than PlaceMaxBytes or the file is encrypted.
	Place string
}

// Identity tells the database from its copies, whatever is put in the place of its file.
func (s *Superblock) Identity() [16]byte {
	if s.Successor != [16]byte{} {
		return s.Successor
	}
	return s.Timeline
}

// Encode writes one copy into dst, CopyBytes long.
func (s *Superblock) Encode(dst []byte) {
	clear(dst[:CopyBytes])
	le := binary.LittleEndian
	copy(dst, magic)
	le.PutUint32(dst[8:], FormatVersion)
	le.PutUint32(dst[12:], uint32(s.Align))
	copy(dst[16:], s.Database[:])
	copy(dst[32:], s.Timeline[:])
	le.PutUint64(dst[48:], s.Generation)
	le.PutUint32(dst[56:], uint32(s.Epoch))
	le.PutUint64(dst[64:], uint64(s.ManifestLog))
	le.PutUint64(dst[72:], uint64(s.ManifestFirst.Offset))
	le.PutUint64(dst[80:], uint64(s.ManifestFirst.Length))
	if s.Clean != nil {
		le.PutUint32(dst[60:], flagClean)
		le.PutUint32(dst[88:], uint32(s.Clean.WAL.Epoch))
		le.PutUint32(dst[92:], uint32(s.Clean.Manifest.Epoch))
		le.PutUint64(dst[96:], uint64(s.Clean.WAL.Seq))
		le.PutUint64(dst[104:], uint64(s.Clean.Manifest.Seq))
	}
	key := s.WrappedKey[:min(len(s.WrappedKey), WrappedKeyMaxBytes)]
	le.PutUint16(dst[keyAt:], uint16(len(key)))
	copy(dst[keyAt+2:], key)
	s.encodeOrigin(dst)
	copy(dst[successorAt:], s.Successor[:])
	if len(s.Place) <= PlaceMaxBytes {
		le.PutUint16(dst[placeAt:], uint16(len(s.Place)))
		copy(dst[placeAt+2:], s.Place)
	}
	le.PutUint32(dst[crcAt:], crc32.Checksum(dst[:crcAt], castagnoli))
}

func (s *Superblock) encodeOrigin(dst []byte) {
	o := s.Origin
	if o == nil {
		return
	}
	le := binary.LittleEndian
	flags := le.Uint32(dst[60:]) | flagOrigin
	if o.Incremental() {
		flags |= flagIncremental
	}
	le.PutUint32(dst[60:], flags)
	b := dst[originAt:]
	copy(b, o.Timeline[:])
	copy(b[16:], o.Base[:])
	le.PutUint64(b[32:], uint64(o.LSN))
	le.PutUint64(b[40:], uint64(o.Seq))
	le.PutUint64(b[48:], o.Digest)
	le.PutUint32(b[56:], uint32(o.Epoch))
	le.PutUint64(b[64:], uint64(o.Millis))
}

func decodeOrigin(src []byte) *Origin {
	le := binary.LittleEndian
	if le.Uint32(src[60:])&flagOrigin == 0 {
		return nil
	}
	b := src[originAt:]
	o := &Origin{
		LSN: base.LSN(le.Uint64(b[32:])), Seq: log.Seq(le.Uint64(b[40:])), Digest: le.Uint64(b[48:]),
		Epoch: base.Epoch(le.Uint32(b[56:])), Millis: int64(le.Uint64(b[64:])),
	}
	copy(o.Timeline[:], b)
	copy(o.Base[:], b[16:])
	return o
}

// errInvalid: this copy does not verify.
var errInvalid = errors.New("copy does not verify")

// decode reads one copy.
func decode(src []byte) (Superblock, error) {
	le := binary.LittleEndian
	if string(src[:8]) != magic || le.Uint32(src[crcAt:]) != crc32.Checksum(src[:crcAt], castagnoli) {
		return Superblock{}, errInvalid
	}
	if v := le.Uint32(src[8:]); v > FormatVersion {
		return Superblock{}, fmt.Errorf("%w (format %d, this program knows %d)", ErrNewer, v, FormatVersion)
	}
	s := Superblock{
		Align:         int(le.Uint32(src[12:])),
		Generation:    le.Uint64(src[48:]),
		Epoch:         base.Epoch(le.Uint32(src[56:])),
		ManifestLog:   base.ObjectNum(le.Uint64(src[64:])),
		ManifestFirst: log.Extent{Offset: int64(le.Uint64(src[72:])), Length: int64(le.Uint64(src[80:]))},
	}
	copy(s.Database[:], src[16:])
	copy(s.Timeline[:], src[32:])
	if le.Uint32(src[60:])&flagClean != 0 {
		s.Clean = &Clean{
			WAL:      log.CleanMark{Epoch: base.Epoch(le.Uint32(src[88:])), Seq: log.Seq(le.Uint64(src[96:]))},
			Manifest: log.CleanMark{Epoch: base.Epoch(le.Uint32(src[92:])), Seq: log.Seq(le.Uint64(src[104:]))},
		}
	}
	if n := int(le.Uint16(src[keyAt:])); n > 0 && n <= WrappedKeyMaxBytes {
		s.WrappedKey = bytes.Clone(src[keyAt+2 : keyAt+2+n])
	}
	s.Origin = decodeOrigin(src)
	copy(s.Successor[:], src[successorAt:])
	if n := int(le.Uint16(src[placeAt:])); n <= PlaceMaxBytes {
		s.Place = string(src[placeAt+2 : placeAt+2+n])
	}
	return s, s.check()
}

// check refuses numbers that no program writes.
func (s *Superblock) check() error {
	a := s.Align
	if a < vfs.SectorBytes || a > vfs.AlignMaxBytes || a&(a-1) != 0 {
		return errInvalid
	}
	e := s.ManifestFirst
	if s.Epoch > base.EpochMax || e.Offset < AreaBytes || e.Length <= 0 ||
		e.Offset%vfs.AlignMaxBytes != 0 || e.Length%vfs.AlignMaxBytes != 0 || e.End() < e.Offset {
		return errInvalid
	}
	return nil
}

// Copies is what stands in a file.
type Copies struct {
	// Newest valid contents: the truth.
	Newest Superblock
	// At is the copy that holds it, 0 or 1.
	At int
	// Same: the other copy holds the same bytes.
	Same bool
}

// Read reads both copies. src is read at multiples of CopyBytes.
func Read(src io.ReaderAt) (Copies, error) {
	buf := vfs.AlignedBuffer(AreaBytes)
	n, err := src.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Copies{}, fmt.Errorf("read superblocks: %w", err)
	}
	if n < AreaBytes {
		if isZero(buf[:n]) || bytes.HasPrefix(buf[:n], []byte(magic)) {
			return Copies{}, ErrInterrupted
		}
		return Copies{}, ErrForeign
	}
	one, errOne := decode(buf[:CopyBytes])
	two, errTwo := decode(buf[CopyBytes:])
	for _, err := range []error{errOne, errTwo} {
		if errors.Is(err, ErrNewer) {
			return Copies{}, err
		}
	}
	switch {
	case errOne != nil && errTwo != nil:
		return Copies{}, neither(src, buf)
	case errTwo != nil || (errOne == nil && one.Generation >= two.Generation):
		return Copies{Newest: one, Same: bytes.Equal(buf[:CopyBytes], buf[CopyBytes:])}, nil
	default:
		return Copies{Newest: two, At: 1}, nil
	}
}

// neither explains why no copy holds.
func neither(src io.ReaderAt, buf []byte) error {
	first, second := buf[:CopyBytes], buf[CopyBytes:]
	switch {
	case isZero(second) && (isZero(first) || bytes.HasPrefix(first, []byte(magic))):
		// Creation writes the first copy last of all but one, so nothing was ever answered, unless the
		// log has begun, for which creation leaves zeros right behind the copies.
		behind := vfs.AlignedBuffer(CopyBytes)
		n, err := src.ReadAt(behind, AreaBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read behind the superblocks: %w", err)
		}
		if isZero(behind[:n]) {
			return ErrInterrupted
		}
	case !bytes.HasPrefix(first, []byte(magic)) && !bytes.HasPrefix(second, []byte(magic)):
		return ErrForeign
	}
	return &base.CorruptError{Region: "superblock", Offset: 0, Reason: "no copy verifies"}
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Write makes s the contents of both copies: first of the one that is not at, the newest valid
// copy, then of the other. dst is durable at the return of each write. After an error at most one
// copy may be damaged; the caller poisons and does not try again.
func Write(dst io.WriterAt, s *Superblock, at int) error {
	buf := vfs.AlignedBuffer(CopyBytes)
	s.Encode(buf)
	if bug.Enabled(bug.SuperblocksTogether) {
		both := vfs.AlignedBuffer(AreaBytes)
		copy(both[copy(both, buf):], buf)
		_, err := dst.WriteAt(both, 0)
		return err
	}
	for _, copyAt := range [2]int{1 - at, at} {
		if _, err := dst.WriteAt(buf, int64(copyAt)*CopyBytes); err != nil {
			return fmt.Errorf("write superblock %d: %w", copyAt, err)
		}
	}
	return nil
}
