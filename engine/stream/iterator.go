package stream

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/keystone-db/kstone/engine/storage"
)

// Iterator is a reader's place in a shard. Its text is the stream's ARN, "|1|" and base64 of
//
//	| made at 8B, ms | seq 8B | part 2B | shard id | CRC-32 of the ARN and all before 4B |
//
// Seq 0 stands for the oldest record that there is.
type Iterator struct {
	ARN    string
	Shard  string
	At     Position
	MadeMs int64
}

const (
	iteratorMark    = "|1|"
	iteratorHead    = 8 + seqBytes + partBytes
	iteratorSumSize = 4
)

// Horizon says whether the iterator begins with the oldest record that there is.
func (it *Iterator) Horizon() bool { return it.At == Position{} }

// String is the iterator as clients keep it.
func (it *Iterator) String() string {
	b := append(make([]byte, 0, len(it.ARN)+iteratorHead+len(it.Shard)+iteratorSumSize), it.ARN...)
	b = binary.BigEndian.AppendUint64(b, uint64(it.MadeMs))
	b = append(appendPosition(b, it.At), it.Shard...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	code := b[len(it.ARN):]
	text := make([]byte, 0, len(it.ARN)+len(iteratorMark)+base64.StdEncoding.EncodedLen(len(code)))
	text = append(append(text, it.ARN...), iteratorMark...)
	return string(base64.StdEncoding.AppendEncode(text, code))
}

// ParseIterator reads the text of an iterator; false for what is none.
func ParseIterator(s string) (Iterator, bool) {
	arn, code, ok := strings.Cut(s, iteratorMark)
	if !ok {
		return Iterator{}, false
	}
	b, err := base64.StdEncoding.DecodeString(code)
	if err != nil || len(b) < iteratorHead+iteratorSumSize {
		return Iterator{}, false
	}
	body := b[:len(b)-iteratorSumSize]
	it := Iterator{
		ARN: arn, MadeMs: int64(binary.BigEndian.Uint64(body)),
		At: Position{
			Seq:  storage.Seq(binary.BigEndian.Uint64(body[8:])),
			Part: binary.BigEndian.Uint16(body[8+seqBytes:]),
		},
		Shard: string(body[iteratorHead:]),
	}
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(arn)), crc32.IEEETable, body)
	return it, sum == binary.BigEndian.Uint32(b[len(body):])
}
