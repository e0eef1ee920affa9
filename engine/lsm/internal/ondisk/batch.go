package ondisk

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/storage"
)

// A frame's payload is a batch:
//
//	payload = kind 1 · body
//	kind 1 (inline)   body = op*
//	kind 3 (mark)     body = milliseconds since 1970 8
//	kind 4 (drop)     body = length uvarint · start · 0 | 1 · length uvarint · end
//	kind 2 (spilled)  body = length 8 · digest 8 · count uvarint · (offset uvarint · length uvarint)*
//	op = op kind 1 · key length uvarint · key [· value length uvarint · value]
//
// Op kind 1 is a put, 2 a delete without a value. A spilled batch keeps its op* in heap extents.
const (
	PayloadInline  = 1
	PayloadSpilled = 2
	// PayloadMark and PayloadDrop change nothing in a replay: an archive of the log needs them.
	PayloadMark = 3
	PayloadDrop = 4
)

const (
	// UpdateMaxBytes is the largest encoded batch.
	UpdateMaxBytes = 256 << 20
	// SpillExtentBytes is how much of a spill goes into one extent at most.
	SpillExtentBytes = 16 << 20
	// spillExtentsMax bounds the list in a frame.
	spillExtentsMax = UpdateMaxBytes/SpillExtentBytes + 8
	// SpillMagic begins a spill.
	SpillMagic = "kstnspl\x01"
	// SpillHeadBytes precede the batch: magic 8, object number 8, database id 16, and the salt of the
	// spill's key, 32 bytes, zero in a plain file.
	SpillHeadBytes = 64
)

var (
	errBatch   = errors.New("batch does not parse")
	errSpill   = errors.New("spill reference does not parse")
	errEmpty   = errors.New("empty frame")
	errPayload = errors.New("unknown kind of batch")
)

func cutBytes(b []byte) (head, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n) : w+int(n)], b[w+int(n):], true
}

// EachOp calls fn for every op; key and value alias b.
func EachOp(b []byte, fn func(kind base.Kind, key, value []byte)) error {
	for len(b) > 0 {
		kind := base.Kind(b[0])
		if kind != base.KindPut && kind != base.KindTombstone {
			return errBatch
		}
		key, rest, ok := cutBytes(b[1:])
		if !ok || len(key) > storage.KeyMaxBytes {
			return errBatch
		}
		var value []byte
		if kind == base.KindPut {
			if value, rest, ok = cutBytes(rest); !ok {
				return errBatch
			}
		}
		fn(kind, key, value)
		b = rest
	}
	return nil
}

// Ops returns the op* of a frame's payload, read from file where they are spilled. offset is that of
// the frame's group, for errors, which are *base.CorruptError. keys are those of the superblock.
func Ops(file io.ReaderAt, keys *crypt.Keys, payload []byte, offset int64) ([]byte, error) {
	corrupt := func(err error) error {
		return &base.CorruptError{Region: "wal", Offset: offset, Reason: err.Error()}
	}
	if len(payload) == 0 {
		return nil, corrupt(errEmpty)
	}
	switch payload[0] {
	case PayloadInline:
		return payload[1:], nil
	case PayloadMark, PayloadDrop:
		return nil, nil
	case PayloadSpilled:
		s, err := ParseSpill(payload[1:])
		if err != nil {
			return nil, corrupt(err)
		}
		return s.Read(file, keys)
	}
	return nil, corrupt(errPayload)
}

// Spill is a large batch in heap extents. It belongs to its writer until the frame that names it
// is in a group, then to the log until the durable tail has passed it.
type Spill struct {
	LSN     base.LSN
	Length  int64 // with the head
	Digest  uint64
	Extents []log.Extent
}

// Append appends the payload of a frame that refers to the spill.
func (s *Spill) Append(dst []byte) []byte {
	dst = append(dst, PayloadSpilled)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.Length))
	dst = binary.LittleEndian.AppendUint64(dst, s.Digest)
	dst = binary.AppendUvarint(dst, uint64(len(s.Extents)))
	for _, e := range s.Extents {
		dst = binary.AppendUvarint(dst, uint64(e.Offset))
		dst = binary.AppendUvarint(dst, uint64(e.Length))
	}
	return dst
}

// ParseSpill reads what Append wrote, without the kind.
func ParseSpill(b []byte) (*Spill, error) {
	if len(b) < 16 {
		return nil, errSpill
	}
	s := &Spill{
		Length: int64(binary.LittleEndian.Uint64(b)), Digest: binary.LittleEndian.Uint64(b[8:]),
	}
	b = b[16:]
	next := func() int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<62 {
			b = nil
			return -1
		}
		b = b[n:]
		return int64(v)
	}
	count := next()
	if count < 1 || count > spillExtentsMax {
		return nil, errSpill
	}
	var room int64
	for range count {
		e := log.Extent{Offset: next(), Length: next()}
		if e.Offset < 0 || e.Length <= 0 || e.Length > UpdateMaxBytes+SpillExtentBytes {
			return nil, errSpill
		}
		room += e.Length
		s.Extents = append(s.Extents, e)
	}
	if len(b) != 0 || s.Length < SpillHeadBytes || s.Length > min(room, SpillHeadBytes+UpdateMaxBytes+crypt.TagBytes) {
		return nil, errSpill
	}
	return s, nil
}

// Read reads a batch back. A spill is synced before its frame is written, so that one that does not
// verify is corruption.
func (s *Spill) Read(file io.ReaderAt, keys *crypt.Keys) ([]byte, error) {
	data := make([]byte, 0, s.Length)
	for _, e := range s.Extents {
		piece := make([]byte, min(e.Length, s.Length-int64(len(data))))
		if _, err := file.ReadAt(piece, e.Offset); err != nil {
			return nil, &base.CorruptError{Region: "spill", Offset: e.Offset, Reason: err.Error()}
		}
		data = append(data, piece...)
	}
	if int64(len(data)) != s.Length || xxhash.Sum64(data) != s.Digest ||
		string(data[:len(SpillMagic)]) != SpillMagic {
		return nil, &base.CorruptError{
			Region: "spill", Offset: s.Extents[0].Offset, Reason: "digest does not match",
		}
	}
	sealer, err := SpillSealer(keys, data)
	if err != nil {
		return nil, err
	}
	if sealer == nil {
		return data[SpillHeadBytes:], nil
	}
	sealed := data[SpillHeadBytes:]
	ops, err := sealer.Open(sealed[:0], sealed, 0, 0)
	if err != nil {
		return nil, &base.CorruptError{Region: "spill", Offset: s.Extents[0].Offset, Reason: err.Error()}
	}
	return ops, nil
}

// SpillSealer is the cipher of the spill that begins with head; nil without keys.
func SpillSealer(keys *crypt.Keys, head []byte) (*crypt.Sealer, error) {
	salt := head[SpillHeadBytes-crypt.SaltBytes : SpillHeadBytes]
	return keys.Sealer(crypt.Spill, salt, binary.LittleEndian.Uint64(head[len(SpillMagic):]))
}
