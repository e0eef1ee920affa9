// Package kinesis makes the records that a table writes to a Kinesis data stream, and says what takes them.
//
// A record is a JSON object as the service writes it, with the members in its order; it has no sequence
// number. The precision is told with the microseconds only (wire-facts §6.21, and records that were seen).
package kinesis

import (
	"context"
	"crypto/md5" //nolint:gosec // spreads records over shards, as the service does
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/attr"
)

var (
	// ErrNoStream: there is no such data stream, or no right to use it.
	ErrNoStream = errors.New("kinesis: no such data stream")
	// ErrNotActive: the data stream takes no records now.
	ErrNotActive = errors.New("kinesis: the data stream is not active")
)

// Refused says that a data stream will never take some records, which are left out.
type Refused struct {
	// Records are their places among those that were put.
	Records []int
	// Err is the reason for the last of them.
	Err error
}

// Error implements error.
func (r *Refused) Error() string {
	return fmt.Sprintf("kinesis: %d records are refused for good: %v", len(r.Records), r.Err)
}

// Unwrap returns the reason.
func (r *Refused) Unwrap() error { return r.Err }

// Record is one record of a data stream.
type Record struct {
	// PartitionKey is the same for all records of an item, and tells those of others apart as good as surely.
	PartitionKey string
	// Data is a JSON object.
	Data []byte
}

// Sink takes records for data streams, which are named by their ARNs. It is safe for concurrent use.
type Sink interface {
	// Check says whether a data stream takes records: ErrNoStream, ErrNotActive, or any other error when that
	// cannot be found out now.
	Check(ctx context.Context, streamARN string) error
	// Put appends records, those with the same partition key in their order. When it returns without an error
	// all are there to stay. After an error any of them may be, and all come again: one with the same
	// partition key must not come before it has, so what follows an error begins with what failed. A *Refused
	// is no such error: all others are there to stay.
	Put(ctx context.Context, streamARN string, records []Record) error
}

// Change is what a record tells.
type Change struct {
	Region, Table, EventID, Event string
	Expired                       bool
	// TimeMs is in milliseconds since 1970, Micros the microseconds of it.
	TimeMs         int64
	Micros         uint16
	Keys, New, Old attr.Item
	SizeBytes      int
	// Microseconds tells the time in them.
	Microseconds bool
}

// microsPerMilli is how many microseconds a millisecond has.
const microsPerMilli = 1000

// Append appends the JSON of a change.
func (c *Change) Append(dst []byte) []byte {
	text := func(name, value string) {
		dst = append(append(append(dst, '"'), name...), `":`...)
		dst = append(codec.AppendJSONString(dst, value), ',')
	}
	dst = append(dst, '{')
	text("awsRegion", c.Region)
	text("eventID", c.EventID)
	text("eventName", c.Event)
	if c.Expired {
		dst = append(dst, `"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},`...)
	} else {
		dst = append(dst, `"userIdentity":null,`...)
	}
	text("recordFormat", "application/json")
	text("tableName", c.Table)
	at := c.TimeMs
	if c.Microseconds {
		at = at*microsPerMilli + int64(c.Micros)
	}
	dst = strconv.AppendInt(append(dst, `"dynamodb":{"ApproximateCreationDateTime":`...), at, 10)
	dst = codec.AppendItem(append(dst, `,"Keys":`...), c.Keys)
	if c.New != nil {
		dst = codec.AppendItem(append(dst, `,"NewImage":`...), c.New)
	}
	if c.Old != nil {
		dst = codec.AppendItem(append(dst, `,"OldImage":`...), c.Old)
	}
	dst = strconv.AppendInt(append(dst, `,"SizeBytes":`...), int64(c.SizeBytes), 10)
	if c.Microseconds {
		dst = append(dst, `,"ApproximateCreationDateTimePrecision":"MICROSECOND"`...)
	}
	return append(dst, `},"eventSource":"aws:dynamodb"}`...)
}

// PartitionKey is that of an item, given its key attributes: 32 hexadecimal digits.
func PartitionKey(keys attr.Item) string {
	sum := md5.Sum(keys) //nolint:gosec // see the import
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// arnParts are those of "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME".
const (
	arnParts  = 6
	nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
)

// ParseARN returns the region and the name of a data stream; false for what is no ARN of one.
func ParseARN(arn string) (region, name string, ok bool) {
	parts := strings.SplitN(arn, ":", arnParts)
	if len(parts) != arnParts || parts[0] != "arn" || parts[2] != "kinesis" {
		return "", "", false
	}
	name, ok = strings.CutPrefix(parts[5], "stream/")
	return parts[3], name, ok && strings.Trim(name, ".") != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune(nameChars, r)
	})
}
