package archived

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

// Done is the last piece of a base backup.
const Done = "done"

// LogPrefix begins the names of a timeline's chunks.
func LogPrefix(timeline [16]byte) string { return hex.EncodeToString(timeline[:]) + "/log/" }

// LogFrom comes before the names of the chunks that begin with the group, and after those before them.
func LogFrom(timeline [16]byte, first log.Seq) string {
	return fmt.Sprintf("%s%016x", LogPrefix(timeline), uint64(first))
}

// BasePrefix begins the names of a timeline's base backups.
func BasePrefix(timeline [16]byte) string { return hex.EncodeToString(timeline[:]) + "/base/" }

// CoveredName is the object that says up to when the log that is there is all that there is.
func CoveredName(timeline [16]byte) string { return hex.EncodeToString(timeline[:]) + "/covered" }

const coveredBytes = 16

// Covered is what it holds: nothing but what ends before group next was written until the time, in
// milliseconds since 1970.
func Covered(next log.Seq, millis int64) []byte {
	le := binary.LittleEndian
	return le.AppendUint64(le.AppendUint64(nil, uint64(next)), uint64(millis))
}

// ParseCovered parses it; false for anything else.
func ParseCovered(b []byte) (next log.Seq, millis int64, ok bool) {
	if len(b) != coveredBytes {
		return 0, 0, false
	}
	return log.Seq(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:])), true
}

// Name of a chunk.
func (c *Chunk) Name() string {
	return fmt.Sprintf("%s%016x-%016x-%016x", LogPrefix(c.Timeline), uint64(c.Start.Seq), uint64(c.End.Seq-1),
		uint64(c.LastLSN))
}

// LogName is what the name of a chunk says.
type LogName struct {
	Name        string
	First, Last log.Seq
	LSN         base.LSN
}

// ParseLog parses the name of a chunk.
func ParseLog(name string) (LogName, bool) {
	n := LogName{Name: name}
	_, last, ok := strings.Cut(name, "/log/")
	if !ok {
		return n, false
	}
	_, err := fmt.Sscanf(last, "%016x-%016x-%016x", &n.First, &n.Last, &n.LSN)
	return n, err == nil && n.First <= n.Last
}

// Base is what the name of a base backup says.
type Base struct {
	Timeline [16]byte
	LSN      base.LSN
	Millis   int64
}

// Prefix begins the names of its pieces.
func (b Base) Prefix() string {
	return fmt.Sprintf("%s%016x-%013d/", BasePrefix(b.Timeline), uint64(b.LSN), b.Millis)
}

// Part is the name of a piece.
func (b Base) Part(i int) string { return fmt.Sprintf("%s%08d", b.Prefix(), i) }

// ParseDone parses the name of the last piece of a base backup; false for any other.
func ParseDone(name string) (b Base, ok bool) {
	timeline, rest, ok := strings.Cut(name, "/base/")
	if !ok {
		return b, false
	}
	id, err := hex.DecodeString(timeline)
	if err != nil || copy(b.Timeline[:], id) != len(b.Timeline) {
		return b, false
	}
	rest, ok = strings.CutSuffix(rest, "/"+Done)
	if !ok {
		return b, false
	}
	_, err = fmt.Sscanf(rest, "%016x-%013d", &b.LSN, &b.Millis)
	return b, err == nil
}
