// Package jsonl reads and writes DynamoDB JSON lines: one {"Item":{…}} a line, and of an incremental export
// one object a line that has the key and the item before and after a change.
package jsonl

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/transfer"
)

// bufferBytes is how much is read at once.
const bufferBytes = 256 << 10

// Texts of what is wrong with a line; unsure: the service's own are not known.
const (
	msgNoItem  = "the line has no member Item"
	msgNotUTF8 = "the line is not valid UTF-8"
	msgNoJSON  = "the line is no JSON object"
	msgTooLong = "a line is longer than %d bytes"
)

// Reader implements transfer.Reader. Members of a line that it does not know are left out, blank lines too.
type Reader struct {
	in     *bufio.Reader
	long   []byte
	offset int64
	dec    codec.Decoder
	record transfer.Record
}

// NewReader reads lines from what starts at an offset of the text, which must be the beginning of a line.
func NewReader(in io.Reader, offset int64) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, bufferBytes), offset: offset}
}

// Offset implements transfer.Reader.
func (r *Reader) Offset() int64 { return r.offset }

// Next implements transfer.Reader.
func (r *Reader) Next() (*transfer.Record, error) {
	for {
		line, err := r.line()
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return r.decode(line)
		}
	}
}

// line returns a line, with its end; it is valid until the next one.
func (r *Reader) line() ([]byte, error) {
	r.long = r.long[:0]
	for {
		piece, err := r.in.ReadSlice('\n')
		r.offset += int64(len(piece))
		switch whole := len(r.long) + len(piece); {
		case whole > transfer.RecordMaxBytes:
			return nil, transfer.Brokenf(msgTooLong, transfer.RecordMaxBytes)
		case errors.Is(err, bufio.ErrBufferFull):
			r.long = append(r.long, piece...)
			continue
		case errors.Is(err, io.EOF) && whole == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		}
		if len(r.long) == 0 {
			return piece, nil
		}
		r.long = append(r.long, piece...)
		return r.long, nil
	}
}

// decode reads a line, which is a PutItem without the table.
func (r *Reader) decode(line []byte) (*transfer.Record, error) {
	if !utf8.Valid(line) {
		return nil, transfer.Faultf(msgNotUTF8)
	}
	in, err := r.dec.PutItem(line)
	if err != nil {
		if e, ok := errors.AsType[*api.Error](err); ok && e.Message != "" {
			return nil, transfer.Faultf("%s", e.Message)
		}
		return nil, transfer.Faultf(msgNoJSON)
	}
	if in.Item == nil && len(in.Bad) == 0 {
		return nil, transfer.Faultf(msgNoItem)
	}
	r.record = transfer.Record{
		Item: in.Item, Condition: in.ConditionExpression,
		Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues, Bad: in.Bad,
	}
	return &r.record, nil
}

// AppendItem appends the line of an item, with its end.
func AppendItem(dst []byte, item attr.Item) []byte {
	dst = codec.AppendItem(append(dst, `{"Item":`...), item)
	return append(dst, "}\n"...)
}

// AppendChange appends the line of a change, with its end. before and after are nil where there was no item
// or none is wanted. micros is the time of the last write in microseconds since 1970.
func AppendChange(dst []byte, micros int64, key, before, after attr.Item) []byte {
	dst = append(dst, `{"Metadata":{"WriteTimestampMicros":"`...)
	dst = append(strconv.AppendInt(dst, micros, 10), `"},"Keys":`...)
	dst = codec.AppendItem(dst, key)
	if before != nil {
		dst = codec.AppendItem(append(dst, `,"OldImage":`...), before)
	}
	if after != nil {
		dst = codec.AppendItem(append(dst, `,"NewImage":`...), after)
	}
	return append(dst, "}\n"...)
}
