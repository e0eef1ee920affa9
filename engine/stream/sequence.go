package stream

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// Next is the place behind the record at p.
func (p Position) Next() Position {
	if p.Part == partMax {
		return Position{Seq: p.Seq + 1}
	}
	return Position{Seq: p.Seq, Part: p.Part + 1}
}

// A sequence number is a decimal of 25 digits: 1, the Seq in 20 digits, the part in 4. So they
// compare as numbers and as texts.
const (
	seqDigits      = 20
	partDigits     = 4
	sequenceDigits = 1 + seqDigits + partDigits
	sequenceLead   = "1"
	partMax        = 9999
)

// String is the sequence number.
func (p Position) String() string {
	return fmt.Sprintf("%s%0*d%0*d", sequenceLead, seqDigits, uint64(p.Seq), partDigits, p.Part)
}

// ParsePosition reads a sequence number; false for what is none.
func ParsePosition(s string) (Position, bool) {
	digits, ok := strings.CutPrefix(s, sequenceLead)
	if !ok || len(s) != sequenceDigits {
		return Position{}, false
	}
	seq, err := strconv.ParseUint(digits[:seqDigits], 10, 64)
	if err != nil {
		return Position{}, false
	}
	part, err := strconv.ParseUint(digits[seqDigits:], 10, 16)
	return Position{Seq: storage.Seq(seq), Part: uint16(part)}, err == nil
}

// eventIDBytes is half the number of hex digits of an event id.
const eventIDBytes = 16

// EventID is a record's id: the same whenever it is read, and another one for each record.
func EventID(arn string, at Position) string {
	sum := sha256.Sum256(appendPosition([]byte(arn), at))
	return hex.EncodeToString(sum[:eventIDBytes])
}
