// Package input reads all records of all objects under a prefix, for imports and bulk puts, in an order that
// is the same each time: object by object in the order of their names. After every record there is a Cursor,
// with which reading goes on there, in another process too. A compressed object is read from its beginning
// again for that, but not when a store only broke off.
package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/transfer"
	"github.com/keystone-db/kstone/engine/transfer/compressed"
	"github.com/keystone-db/kstone/engine/transfer/csv"
	"github.com/keystone-db/kstone/engine/transfer/ion"
	"github.com/keystone-db/kstone/engine/transfer/jsonl"
)

// ObjectsMax is the most objects of one input (wire-facts §9).
const ObjectsMax = 50_000

// Faults of an input as a whole.
var (
	// ErrNoObjects: there is nothing under the prefix.
	ErrNoObjects = errors.New("input: no objects")
	// ErrTooMany: there are more than ObjectsMax objects.
	ErrTooMany = errors.New("input: too many objects")
)

// Spec says what is read.
type Spec struct {
	Prefix string
	// Format is DYNAMODB_JSON, ION or CSV; Compression GZIP, ZSTD, NONE or empty.
	Format, Compression string
	// CSV are the options of that format.
	CSV csv.Options
}

// Cursor is where reading goes on. The zero value is the beginning.
type Cursor struct {
	// Object is the one that is being read, empty between two; Version is its.
	Object  string `json:"object,omitempty"`
	Version string `json:"version,omitempty"`
	// Offset in its text and Item, the number of its next record, from 0.
	Offset int64 `json:"offset,omitempty"`
	Item   int64 `json:"item,omitempty"`
	// Header is that of a CSV object.
	Header []string `json:"header,omitempty"`
	// Done is the last object that was read to its end.
	Done string `json:"done,omitempty"`
	// Text is how many bytes of text were read of all objects, Read how many bytes of the objects.
	Text int64 `json:"text,omitempty"`
	Read int64 `json:"read,omitempty"`
}

// Input reads. It is not safe for concurrent use.
type Input struct {
	// life is the context of what is open: it outlives a call of Next.
	life  context.Context //nolint:containedctx // of the Input
	stop  context.CancelFunc
	store objects.Store
	spec  Spec
	list  []objects.Info
	total int64
	at    Cursor
	// text and read are Cursor.Text and Cursor.Read of the objects before the one that is open.
	text, read int64

	open   transfer.Reader
	closes []io.Closer
	body   *body
	object objects.Info
}

// Open lists what is there and begins at a cursor. The context is that of the whole Input, which must be closed.
func Open(ctx context.Context, store objects.Store, spec Spec, at Cursor) (*Input, error) {
	list, err := store.List(ctx, spec.Prefix, ObjectsMax+1)
	if err != nil {
		return nil, err
	}
	// What ends with a slash is how tools show folders, when it is empty.
	list = slices.DeleteFunc(list, func(o objects.Info) bool { return o.Size == 0 && strings.HasSuffix(o.Name, "/") })
	switch {
	case len(list) == 0:
		return nil, ErrNoObjects
	case len(list) > ObjectsMax:
		return nil, ErrTooMany
	}
	ctx, stop := context.WithCancel(ctx)
	in := &Input{life: ctx, stop: stop, store: store, spec: spec, list: list, at: at, text: at.Text - at.Offset}
	for _, o := range list {
		in.total += o.Size
		if o.Name <= at.Done && at.Done != "" {
			in.read += o.Size
		}
	}
	return in, nil
}

// Total is the size of all objects in bytes.
func (in *Input) Total() int64 { return in.total }

// Cursor is where Next goes on.
func (in *Input) Cursor() Cursor { return in.at }

// Next returns the next record of all, io.EOF at the end. With a *transfer.RecordError one record is lost,
// with a *transfer.BrokenError or *compressed.Error the rest of its object; reading may go on. The place is
// the object and the number of the record in it.
func (in *Input) Next() (*transfer.Record, string, int64, error) {
	for {
		if in.open == nil {
			more, err := in.next()
			switch {
			case err != nil && lost(err):
				return nil, in.object.Name, in.skip(), err
			case err != nil:
				return nil, in.object.Name, 0, err
			case !more:
				return nil, "", 0, io.EOF
			}
		}
		rec, err := in.open.Next()
		_, single := errors.AsType[*transfer.RecordError](err)
		switch {
		case errors.Is(err, io.EOF):
			in.finish()
			continue
		case err == nil || single:
			n := in.at.Item
			in.note()
			return rec, in.object.Name, n, err
		case lost(err):
			return nil, in.object.Name, in.skip(), err
		}
		return nil, in.object.Name, in.at.Item, err
	}
}

// lost says whether an error ends an object, because of what it holds.
func lost(err error) bool {
	_, broken := errors.AsType[*transfer.BrokenError](err)
	_, packed := errors.AsType[*compressed.Error](err)
	return broken || packed
}

// Lost says whether an error of Next is about what an object holds: Next goes on behind it.
func Lost(err error) bool {
	_, single := errors.AsType[*transfer.RecordError](err)
	return single || lost(err)
}

// note moves the cursor behind the record that was read.
func (in *Input) note() {
	in.at.Item++
	in.at.Offset = in.open.Offset()
	in.at.Text = in.text + in.at.Offset
	in.at.Read = in.read + in.body.n
	if c, ok := in.open.(*csv.Reader); ok {
		in.at.Header = c.Header()
	}
}

// finish ends an object. All of it counts, also what was not read.
func (in *Input) finish() {
	if in.open != nil {
		in.text += in.open.Offset()
	}
	in.read += in.object.Size
	in.at = Cursor{Done: in.object.Name, Text: in.text, Read: in.read}
	in.closeObject()
}

// skip ends an object that is broken and returns the number of the record where that was.
func (in *Input) skip() int64 {
	n := in.at.Item
	in.finish()
	return n
}

// Interrupt ends a Next that waits for its store, and all later ones. It may be called concurrently.
func (in *Input) Interrupt() { in.stop() }

// Close ends the Input.
func (in *Input) Close() {
	in.closeObject()
	in.stop()
}

func (in *Input) closeObject() {
	for _, c := range slices.Backward(in.closes) {
		_ = c.Close() // only read from
	}
	in.open, in.closes = nil, nil
}

// next opens the object of the cursor, or the one behind the last that is done.
func (in *Input) next() (more bool, err error) {
	find := in.at.Object
	if find == "" {
		find = in.at.Done + "\x00"
		if in.at.Done == "" {
			find = ""
		}
	}
	i, there := slices.BinarySearchFunc(in.list, find, func(o objects.Info, name string) int { return strings.Compare(o.Name, name) })
	if in.at.Object != "" && (!there || in.list[i].Version != in.at.Version) {
		return false, fmt.Errorf("%w: %s", objects.ErrChanged, in.at.Object)
	}
	if i == len(in.list) {
		return false, nil
	}
	in.object = in.list[i]
	in.at.Object, in.at.Version = in.object.Name, in.object.Version
	from := in.at.Offset
	packed := in.spec.Compression != "" && in.spec.Compression != api.InputCompressionTypeNone
	if packed {
		from = 0
	}
	in.body = &body{life: in.life, store: in.store, object: in.object, n: from}
	in.closes = append(in.closes, in.body)
	if err := in.body.begin(); err != nil {
		return false, err
	}
	text, err := compressed.NewReader(in.spec.Compression, in.body)
	if err != nil {
		return false, err
	}
	in.closes = append(in.closes, text)
	if packed {
		if _, err := io.CopyN(io.Discard, text, in.at.Offset); err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: %s", objects.ErrChanged, in.object.Name)
			}
			return false, err
		}
	}
	in.open = in.reader(text)
	return true, nil
}

func (in *Input) reader(text io.Reader) transfer.Reader {
	switch in.spec.Format {
	case api.InputFormatIon:
		return ion.NewReader(text, in.at.Offset)
	case api.InputFormatCsv:
		return csv.NewReader(text, in.at.Offset, in.at.Header, in.spec.CSV)
	}
	return jsonl.NewReader(text, in.at.Offset)
}
