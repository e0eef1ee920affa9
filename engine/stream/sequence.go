package stream

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/storage"
)

// Position is a place in a stream: that of a record, or one between records.
type Position struct {
	Seq  storage.Seq
	Part uint16
}

// Less orders positions.
func (p Position) Less(q Position) bool {
	return p.Seq < q.Seq || p.Seq == q.Seq && p.Part < q.Part
}

func (p Position) compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Seq, q.Seq), cmp.Compare(p.Part, q.Part))
}

// Next is the place behind the record at p.
func (p Position) Next() Position {
	if p.Part == partMax {
		return Position{Seq: p.Seq + 1}
	}
	return Position{Seq: p.Seq, Part: p.Part + 1}
}

// Prev is the place before p: whatever lies behind it is not before p. There is none before the zero
// position.
func (p Position) Prev() Position {
	switch {
	case p.Part > 0:
		return Position{Seq: p.Seq, Part: p.Part - 1}
	case p.Seq > 0:
		return Position{Seq: p.Seq - 1, Part: partMax}
	}
	return p
}

// A sequence number is a decimal of 25 digits: 1, the Seq in 20 digits, the part in 4. So they
// compare as numbers and as texts.
const (
	seqDigits      = 20
	partDigits     = 4
	SequenceDigits = 1 + seqDigits + partDigits
	sequenceLead   = "1"
	sequenceZeros  = "00000000000000000000"
	partMax        = 9999
	decimal        = 10
)

// String is the sequence number.
func (p Position) String() string { return string(p.AppendNumber(nil)) }

// AppendNumber appends the sequence number, SequenceDigits bytes.
func (p Position) AppendNumber(dst []byte) []byte {
	dst = appendDigits(append(dst, sequenceLead...), uint64(p.Seq), seqDigits)
	return appendDigits(dst, uint64(p.Part), partDigits)
}

// appendDigits appends a number with leading zeros.
func appendDigits(dst []byte, n uint64, digits int) []byte {
	start := len(dst)
	dst = append(dst, sequenceZeros[:digits]...)
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] += byte(n % decimal)
		n /= decimal
	}
	return dst
}

// ParsePosition reads a sequence number; false for what is none.
func ParsePosition(s string) (Position, bool) {
	digits, ok := strings.CutPrefix(s, sequenceLead)
	if !ok || len(s) != SequenceDigits {
		return Position{}, false
	}
	seq, err := strconv.ParseUint(digits[:seqDigits], 10, 64)
	if err != nil {
		return Position{}, false
	}
	part, err := strconv.ParseUint(digits[seqDigits:], 10, 16)
	return Position{Seq: storage.Seq(seq), Part: uint16(part)}, err == nil
}

const (
	// eventIDBytes is half the number of hex digits of an event id.
	eventIDBytes = 16
	// EventIDDigits is how long an event id is.
	EventIDDigits = 2 * eventIDBytes
)

// AppendEventID appends a record's id: the same whenever it is read, and another one for each record.
// The room behind dst serves as scratch: as much as EventIDRoom says saves an allocation.
func AppendEventID(dst []byte, arn string, at Position) []byte {
	text := appendPosition(append(dst, arn...), at)
	sum := sha256.Sum256(text[len(dst):])
	return hex.AppendEncode(text[:len(dst)], sum[:eventIDBytes])
}

// EventIDRoom is how many bytes AppendEventID writes at most.
func EventIDRoom(arn string) int { return max(EventIDDigits, len(arn)+seqBytes+partBytes) }
