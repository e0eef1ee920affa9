package stream

import (
	"bytes"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
)

// Checker goes over the keys of one stream, in their order, and says what is wrong with its records.
type Checker struct {
	stream *schema.Stream
	last   uint64
	fault  func(keys [][]byte, what string)
	// Records that were seen.
	Records int64

	open []byte // keys of the record at hand begin with it
	keys [][]byte
	rec  *Record
	ev   event
	what string
}

// NewChecker checks a stream whose records have Seqs up to last. fault is given all keys of the record
// that something is wrong with.
func NewChecker(s *schema.Stream, last uint64, fault func(keys [][]byte, what string)) *Checker {
	return &Checker{stream: s, last: last, fault: fault}
}

// Add takes the next key and its value, which it copies what it needs of.
func (c *Checker) Add(k, value []byte) {
	at, kind, err := decodeKey(k)
	if err != nil {
		c.End()
		c.fault([][]byte{bytes.Clone(k)}, "a key that is none of a record")
		return
	}
	if !bytes.Equal(k[:len(k)-1], c.open) {
		c.End()
		c.open = bytes.Clone(k[:len(k)-1])
	}
	c.keys = append(c.keys, bytes.Clone(k))
	switch kind {
	case kindRecord:
		c.record(k, at, value)
	case kindNewImage, kindOldImage:
		c.image(kind, value)
	default:
		c.wrong("unknown kind %d", kind)
	}
}

// wrong keeps the first fault of a record.
func (c *Checker) wrong(format string, args ...any) {
	if c.what == "" {
		c.what = fmt.Sprintf(format, args...)
	}
}

func (c *Checker) record(k []byte, at Position, value []byte) {
	r, err := decode(at, bytes.Clone(value))
	if err != nil {
		c.wrong("its record cannot be read")
		return
	}
	c.rec, c.ev = &r, event(value[1])
	if c.ev < eventInsert || c.ev > eventRemove {
		c.wrong("unknown event %d", c.ev)
	}
	if uint64(at.Seq) > c.last {
		c.wrong("its sequence number was not given out yet")
	}
	if attr.CheckItem(r.Keys) != nil {
		c.wrong("its keys are malformed")
		return
	}
	item, ok := key.AppendItem(nil, &schema.Table{Key: c.stream.Key}, r.Keys)
	if !ok {
		c.wrong("its keys are not those of the table")
		return
	}
	from, _ := key.SegmentBounds(uint64(schema.SlotOf(key.HashOf(item), c.stream.Slots)), uint64(c.stream.Slots))
	if uint64(key.HashOf(k)) != from {
		c.wrong("it stands in the shard of other items")
	}
}

func (c *Checker) image(kind kind, value []byte) {
	if c.rec == nil {
		return // said at the end
	}
	if attr.CheckItem(value) != nil {
		c.wrong("an image is malformed")
		return
	}
	if !bytes.Equal(keysOf(&c.stream.Key, attr.Item(value)), c.rec.Keys) {
		c.wrong("an image is of another item")
	}
	if kind == kindNewImage {
		c.rec.New = attr.Item{}
	} else {
		c.rec.Old = attr.Item{}
	}
}

// End finishes the last record.
func (c *Checker) End() {
	if c.open == nil {
		return
	}
	switch v := c.stream.View; {
	case c.rec == nil:
		c.wrong("an image without its record")
	case (c.rec.New != nil) != (c.ev != eventRemove && (v == ViewNew || v == ViewBoth)):
		c.wrong("the new image is missing, or there is one too many")
	case (c.rec.Old != nil) != (c.ev != eventInsert && (v == ViewOld || v == ViewBoth)):
		c.wrong("the old image is missing, or there is one too many")
	}
	c.Records++
	if c.what != "" {
		c.fault(c.keys, c.what)
	}
	c.open, c.keys, c.rec, c.what = nil, nil, nil, ""
}
