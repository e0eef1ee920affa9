// Package csv reads the items of a text with separated values as an import does: the first line or a list
// names the attributes, those of keys have the type of the key, and all others are strings.
package csv

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/transfer"
)

// Texts of what is wrong; unsure: the service's own are not known.
const (
	msgColumns    = "the line has %d columns, the header %d"
	msgNotUTF8    = "the line is not valid UTF-8"
	msgBase64     = "the value of column %s is no base64"
	msgSyntax     = "%v"
	msgNoName     = "column %d of the header has no name"
	msgTwice      = "the header names column %s twice"
	msgTooLong    = "a line is longer than %d bytes"
	msgLongHeader = "the header is longer than %d bytes"
	placeOfItem   = "Item"
	byteOrder     = "\ufeff"
	delimDefault  = ','
)

// recordMaxBytes bounds a record: an item of 400 KB with every byte a quote, which is written twice, and room.
// A column takes many times its bytes in memory.
const recordMaxBytes = 2 << 20

// headerMaxBytes bounds the header: the names of an item count in its 400 KB.
const headerMaxBytes = 512 << 10

// Options say how a text is read.
type Options struct {
	// Delimiter stands between columns; empty is a comma.
	Delimiter string
	// Header names the columns; nil takes the first line.
	Header []string
	// Types has the types of key attributes.
	Types map[string]attr.Type
}

// Reader implements transfer.Reader.
type Reader struct {
	in     *csv.Reader
	room   *bounded
	opts   Options
	header []string
	base   int64
	enc    attr.Encoder
	record transfer.Record
}

// bounded ends a record that is too long. The records of the library have no bound.
type bounded struct {
	in   io.Reader
	left int
}

var errTooLong = transfer.Brokenf(msgTooLong, recordMaxBytes)

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// NewReader reads from what starts at an offset of the text. When that is not its beginning, header is what
// Header returned when it was read from there.
func NewReader(in io.Reader, offset int64, header []string, opts Options) *Reader {
	r := &Reader{room: &bounded{in: in}, opts: opts, base: offset}
	r.in = csv.NewReader(r.room)
	r.in.Comma = delimDefault
	if opts.Delimiter != "" {
		r.in.Comma, _ = utf8.DecodeRuneInString(opts.Delimiter)
	}
	r.in.ReuseRecord = true
	r.in.FieldsPerRecord = -1
	switch {
	case opts.Header != nil:
		r.header = opts.Header
	case offset > 0:
		r.header = header
	}
	return r
}

// Header names the columns; nil before the first line was read.
func (r *Reader) Header() []string { return r.header }

// Offset implements transfer.Reader.
func (r *Reader) Offset() int64 { return r.base + r.in.InputOffset() }

// read returns a line, which is valid until the next one.
func (r *Reader) read() ([]string, error) {
	r.room.left = recordMaxBytes
	fields, err := r.in.Read()
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		if inner, ok := errors.AsType[*transfer.BrokenError](e.Err); ok {
			return nil, inner
		}
		return nil, transfer.Faultf(msgSyntax, e.Err)
	}
	return fields, err
}

// Next implements transfer.Reader.
func (r *Reader) Next() (*transfer.Record, error) {
	if r.header == nil {
		if err := r.readHeader(); err != nil {
			return nil, err
		}
	}
	fields, err := r.read()
	if err != nil {
		return nil, err
	}
	if len(fields) != len(r.header) {
		return nil, transfer.Faultf(msgColumns, len(fields), len(r.header))
	}
	return r.item(fields)
}

// readHeader takes the first line. Without a good one nothing can be made of the object.
func (r *Reader) readHeader() error {
	fields, err := r.read()
	if e, ok := errors.AsType[*transfer.RecordError](err); ok {
		return transfer.Brokenf("%s", e.Message)
	}
	if err != nil {
		return err
	}
	fields[0] = strings.TrimPrefix(fields[0], byteOrder)
	seen := map[string]bool{}
	for i, name := range fields {
		switch {
		case !utf8.ValidString(name):
			return transfer.Brokenf(msgNotUTF8)
		case name == "":
			return transfer.Brokenf(msgNoName, i+1)
		case seen[name]:
			return transfer.Brokenf(msgTwice, name)
		}
		seen[name] = true
	}
	// Whoever reads on elsewhere keeps the header, as JSON in a row.
	if text, err := json.Marshal(fields); err != nil || len(text) > headerMaxBytes {
		return transfer.Brokenf(msgLongHeader, headerMaxBytes)
	}
	r.header = append([]string(nil), fields...)
	return nil
}

// item makes an item of a line. That an empty column is an empty string, and the base64 of a binary key, are
// unsure.
func (r *Reader) item(fields []string) (*transfer.Record, error) {
	r.record = transfer.Record{}
	r.enc.Reset(nil)
	r.enc.BeginItem()
	for i, text := range fields {
		if !utf8.ValidString(text) {
			return nil, transfer.Faultf(msgNotUTF8)
		}
		r.enc.Name([]byte(r.header[i]))
		var bad *attr.ValueError
		switch r.opts.Types[r.header[i]] {
		case attr.N:
			bad = r.enc.Number([]byte(text))
		case attr.B:
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, transfer.Faultf(msgBase64, r.header[i])
			}
			r.enc.Binary(b)
		default:
			r.enc.String([]byte(text))
		}
		if bad != nil && r.record.Bad == nil {
			r.record.Bad = []api.BadValue{{Place: placeOfItem, Err: *bad}}
		}
	}
	r.record.Item = r.enc.EndItem()
	return &r.record, nil
}

// Check says what is wrong with options that a client gave, nil for good ones.
func (o *Options) Check() error {
	seen := map[string]bool{}
	for _, name := range o.Header {
		if seen[name] {
			return fmt.Errorf(msgTwice, name)
		}
		seen[name] = true
	}
	return nil
}
