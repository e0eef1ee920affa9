package table

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Codec of a block. On disk: never renumber.
type Codec uint8

const (
	// CodecRaw stores the bytes as they are.
	CodecRaw Codec = 0
	// CodecS2 is a block of s2.
	CodecS2 Codec = 1
	// CodecZstd is one frame of zstd that says how long its content is.
	CodecZstd Codec = 2
)

// Compression says how a writer stores blocks. Whatever it says, a block that does not shrink by an
// eighth stays raw.
type Compression uint8

const (
	// CompressS2 is quick in both directions.
	CompressS2 Compression = iota
	// CompressZstd makes data blocks about a third smaller than s2 does, at several times its cost:
	// for blocks of 16 KiB and more. Index and properties, which stay in memory, keep s2.
	CompressZstd
	// CompressNone stores everything as it is.
	CompressNone
)

// shrinkShare: a block must lose at least 1/shrinkShare of its bytes to be worth decoding.
const shrinkShare = 8

// compress returns what is to be stored for a block, and how: in scratch, or in a new slice where
// that is too small.
func compress(scratch, raw []byte, how Compression) (stored []byte, codec Codec) {
	switch how {
	case CompressS2:
		if n := s2.MaxEncodedLen(len(raw)); n > cap(scratch) {
			scratch = make([]byte, n)
		}
		stored, codec = s2.Encode(scratch[:cap(scratch)], raw), CodecS2
	case CompressZstd:
		e := zstdEncoders.Get().(*zstd.Encoder)
		stored, codec = e.EncodeAll(raw, scratch[:0]), CodecZstd
		zstdEncoders.Put(e)
	case CompressNone:
	}
	if codec == CodecRaw || len(stored) > len(raw)-len(raw)/shrinkShare {
		return append(scratch[:0], raw...), CodecRaw
	}
	return stored, codec
}

var errImpossibleLength = errors.New("block of impossible length")

// decompress returns the bytes of a stored block, at most rawMax of them: in dst where that has room,
// in a new slice otherwise, never in payload.
func decompress(dst, payload []byte, codec Codec, rawMax int) ([]byte, error) {
	switch codec {
	case CodecRaw:
		return append(roomFor(dst, len(payload))[:0], payload...), nil
	case CodecS2:
		n, err := s2.DecodedLen(payload)
		if err != nil || n > rawMax {
			return nil, fmt.Errorf("s2 %w", errImpossibleLength)
		}
		raw, err := s2.Decode(roomFor(dst, n), payload)
		if err != nil {
			return nil, fmt.Errorf("s2: %w", err)
		}
		return raw, nil
	case CodecZstd:
		return decompressZstd(dst, payload, rawMax)
	}
	return nil, fmt.Errorf("unknown codec %d", codec)
}

// roomFor returns n bytes, in dst if it has room.
func roomFor(dst []byte, n int) []byte {
	if n <= cap(dst) {
		return dst[:n]
	}
	return make([]byte, n)
}

// zstdSlackBytes behind the content let the decoder copy in large steps.
const zstdSlackBytes = 16

// decompressZstd takes only what compress makes: a frame of known length. Nothing that the payload
// says makes it use more memory than rawMax.
func decompressZstd(dst, payload []byte, rawMax int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(payload); err != nil {
		return nil, fmt.Errorf("zstd header: %w", err)
	}
	if h.Skippable || !h.HasFCS || h.FrameContentSize > uint64(rawMax) {
		return nil, fmt.Errorf("zstd %w", errImpossibleLength)
	}
	n := int(h.FrameContentSize)
	d := zstdDecoders.Get().(*zstd.Decoder)
	defer zstdDecoders.Put(d)
	raw, err := d.DecodeAll(payload, roomFor(dst, n+zstdSlackBytes)[:0])
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	if len(raw) != n {
		return nil, fmt.Errorf("zstd %w", errImpossibleLength)
	}
	return raw, nil
}

// zstdWindowBytes is how far back matches reach: the largest block that is filled, and less than an
// encoder would keep otherwise.
const zstdWindowBytes = 64 << 10

// The pools keep some hundred KiB for each goroutine that compresses or decompresses at once; what
// they hold has no goroutines of its own.
var (
	zstdEncoders = sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithWindowSize(zstdWindowBytes),
			zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // one of the options is wrong
		}
		return e
	}}
	zstdDecoders = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(sectionRawMaxBytes),
			zstd.WithDecodeAllCapLimit(true), zstd.IgnoreChecksum(true))
		if err != nil {
			panic(err) // one of the options is wrong
		}
		return d
	}}
)
