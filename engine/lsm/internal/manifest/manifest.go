// Package manifest is the format of the manifest's records, and the state that they add up to.
//
// The manifest is a log (package log). Each frame is one record, and a record is one atomic edit:
//
//	record = field*
//	field  = tag 1 · length uvarint · body
//
// Numbers in bodies are uvarints, bytes are preceded by their length.
//
//	tag 1 segment add   num · offset · length of a log segment
//	tag 2 segment drop  num
//	tag 3 tail          lsn · group seq · segment num · offset in it · digest 8 · epoch
//	tag 4 table add     stripe · level · offset · table length · num · smallest · largest ·
//	                    min lsn · max lsn · entries · tombstones · digest 8
//	tag 5 table drop    stripe · level · num
//	tag 6 dead add      start · 1 end or 0 (no end)
//	tag 7 dead drop     start · 1 end or 0
//	tag 8 next          offset · length of the manifest's next extent; alone in its group
//	tag 9 snapshot end  the records before it are a whole snapshot
//
// A tag that is not known is corruption: a new one needs a new format version. Bounds of tables
// are at most 64 bytes, rounded outwards, so that a record stays small whatever the keys are.
package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

// Tags of fields. On disk: never renumber.
const (
	tagSegmentAdd  = 1
	tagSegmentDrop = 2
	tagTail        = 3
	tagTableAdd    = 4
	tagTableDrop   = 5
	tagDeadAdd     = 6
	tagDeadDrop    = 7
	tagNext        = 8
	tagSnapshotEnd = 9
)

const (
	// LevelCount of a stripe: level 0 holds flushed tables that overlap, the others are sorted.
	LevelCount = 7
	// BoundMaxBytes is the longest bound of a table.
	BoundMaxBytes = 64
	// RecordTargetBytes is where a snapshot begins its next record.
	RecordTargetBytes = 256 << 10
)

// Segment of the write-ahead log.
type Segment struct {
	Num    base.ObjectNum
	Extent log.Extent
}

// Tail is the place from which the write-ahead log is needed.
type Tail struct {
	// LSN of the first frame that is needed.
	LSN base.LSN
	// Seq of the group that holds it or would hold it; Segment and Offset are where that group
	// begins or would begin; Offset may be the segment's length.
	Seq     log.Seq
	Segment base.ObjectNum
	Offset  int64
	// Digest and Epoch of the group before.
	Digest uint64
	Epoch  base.Epoch
}

// Table is one table and its place.
type Table struct {
	Stripe uint8
	Level  uint8
	Offset int64 // in the file; Meta.Length bytes long
	Meta   table.Meta
}

// TableRef names a table.
type TableRef struct {
	Stripe uint8
	Level  uint8
	Num    base.ObjectNum
}

// Edit is one record.
type Edit struct {
	SegmentAdd  []Segment
	SegmentDrop []base.ObjectNum
	Tail        *Tail
	TableDrop   []TableRef
	TableAdd    []Table
	DeadAdd     []storage.Range
	DeadDrop    []storage.Range
	Next        *log.Extent
	SnapshotEnd bool
}

// ShortenSmallest returns a lower bound of at most BoundMaxBytes.
func ShortenSmallest(key []byte) []byte { return bytes.Clone(key[:min(len(key), BoundMaxBytes)]) }

// ShortenLargest returns an upper bound of at most BoundMaxBytes, or the key itself when there is
// none that short.
func ShortenLargest(key []byte) []byte {
	if len(key) <= BoundMaxBytes {
		return bytes.Clone(key)
	}
	for i := BoundMaxBytes - 1; i >= 0; i-- {
		if key[i] != 0xff {
			b := bytes.Clone(key[:i+1])
			b[i]++
			return b
		}
	}
	return bytes.Clone(key)
}

// writer appends fields.
type writer struct {
	dst  []byte
	body []byte
}

func (w *writer) num(values ...uint64) {
	for _, v := range values {
		w.body = binary.AppendUvarint(w.body, v)
	}
}

func (w *writer) bytes(b []byte) {
	w.num(uint64(len(b)))
	w.body = append(w.body, b...)
}

func (w *writer) field(tag byte) {
	w.dst = append(w.dst, tag)
	w.dst = binary.AppendUvarint(w.dst, uint64(len(w.body)))
	w.dst = append(w.dst, w.body...)
	w.body = w.body[:0]
}

func (w *writer) rangeField(tag byte, r storage.Range) {
	w.bytes(r.Start)
	if r.End == nil {
		w.num(0)
	} else {
		w.num(1)
		w.bytes(r.End)
	}
	w.field(tag)
}

// Append appends the record of the edit.
func (e *Edit) Append(dst []byte) []byte {
	w := &writer{dst: dst}
	for _, s := range e.SegmentAdd {
		w.num(uint64(s.Num), uint64(s.Extent.Offset), uint64(s.Extent.Length))
		w.field(tagSegmentAdd)
	}
	for _, n := range e.SegmentDrop {
		w.num(uint64(n))
		w.field(tagSegmentDrop)
	}
	if t := e.Tail; t != nil {
		w.num(uint64(t.LSN), uint64(t.Seq), uint64(t.Segment), uint64(t.Offset))
		w.body = binary.LittleEndian.AppendUint64(w.body, t.Digest)
		w.num(uint64(t.Epoch))
		w.field(tagTail)
	}
	for _, r := range e.TableDrop {
		w.num(uint64(r.Stripe), uint64(r.Level), uint64(r.Num))
		w.field(tagTableDrop)
	}
	for _, t := range e.TableAdd {
		m := t.Meta
		w.num(uint64(t.Stripe), uint64(t.Level), uint64(t.Offset), uint64(m.Length), uint64(m.Num))
		w.bytes(m.Smallest)
		w.bytes(m.Largest)
		w.num(uint64(m.MinLSN), uint64(m.MaxLSN), uint64(m.Entries), uint64(m.Tombstones))
		w.body = binary.LittleEndian.AppendUint64(w.body, m.Digest)
		w.field(tagTableAdd)
	}
	for _, r := range e.DeadAdd {
		w.rangeField(tagDeadAdd, r)
	}
	for _, r := range e.DeadDrop {
		w.rangeField(tagDeadDrop, r)
	}
	if n := e.Next; n != nil {
		w.num(uint64(n.Offset), uint64(n.Length))
		w.field(tagNext)
	}
	if e.SnapshotEnd {
		w.field(tagSnapshotEnd)
	}
	return w.dst
}

var errRecord = errors.New("manifest: record does not parse")

// reader takes a body apart; after the first fault all it returns is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) num() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) offset() int64 {
	v := r.num()
	if v > 1<<62 {
		r.bad = true
		return 0
	}
	return int64(v)
}

func (r *reader) below(limit uint64) uint8 {
	v := r.num()
	if v >= limit {
		r.bad = true
		return 0
	}
	return uint8(v)
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := bytes.Clone(r.b[:n:n])
	r.b = r.b[n:]
	return b
}

func (r *reader) bytes() []byte { return r.take(r.num()) }

func (r *reader) fixed64() uint64 {
	b := r.take(8)
	if len(b) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *reader) extent() log.Extent {
	return log.Extent{Offset: r.offset(), Length: r.offset()}
}

func (r *reader) keyRange() storage.Range {
	out := storage.Range{Start: r.bytes()}
	if r.below(2) == 1 {
		if out.End = r.bytes(); out.End == nil {
			out.End = []byte{}
		}
	}
	return out
}

func (r *reader) tail() *Tail {
	return &Tail{
		LSN: base.LSN(r.num()), Seq: log.Seq(r.num()), Segment: base.ObjectNum(r.num()),
		Offset: r.offset(), Digest: r.fixed64(), Epoch: base.Epoch(r.num()),
	}
}

func (r *reader) table() Table {
	t := Table{
		Stripe: r.below(base.StripeCount), Level: r.below(LevelCount), Offset: r.offset(),
	}
	t.Meta = table.Meta{
		Length: r.offset(), Num: base.ObjectNum(r.num()), Smallest: r.bytes(), Largest: r.bytes(),
		MinLSN: base.LSN(r.num()), MaxLSN: base.LSN(r.num()),
		Entries: r.offset(), Tombstones: r.offset(), Digest: r.fixed64(),
	}
	return t
}

// Decode parses a record.
func Decode(record []byte) (Edit, error) {
	var e Edit
	all := &reader{b: record}
	for len(all.b) > 0 {
		tag := all.b[0]
		all.b = all.b[1:]
		body := &reader{b: all.bytes()}
		if all.bad {
			return Edit{}, errRecord
		}
		if err := e.decodeField(tag, body); err != nil {
			return Edit{}, err
		}
		if body.bad || len(body.b) > 0 {
			return Edit{}, fmt.Errorf("%w: field %d", errRecord, tag)
		}
	}
	return e, nil
}

func (e *Edit) decodeField(tag byte, r *reader) error {
	switch tag {
	case tagSegmentAdd:
		e.SegmentAdd = append(e.SegmentAdd, Segment{Num: base.ObjectNum(r.num()), Extent: r.extent()})
	case tagSegmentDrop:
		e.SegmentDrop = append(e.SegmentDrop, base.ObjectNum(r.num()))
	case tagTail:
		e.Tail = r.tail()
	case tagTableAdd:
		e.TableAdd = append(e.TableAdd, r.table())
	case tagTableDrop:
		e.TableDrop = append(e.TableDrop, TableRef{
			Stripe: r.below(base.StripeCount), Level: r.below(LevelCount), Num: base.ObjectNum(r.num()),
		})
	case tagDeadAdd:
		e.DeadAdd = append(e.DeadAdd, r.keyRange())
	case tagDeadDrop:
		e.DeadDrop = append(e.DeadDrop, r.keyRange())
	case tagNext:
		x := r.extent()
		e.Next = &x
	case tagSnapshotEnd:
		e.SnapshotEnd = true
	default:
		return fmt.Errorf("%w: unknown field %d", errRecord, tag)
	}
	return nil
}

// State is what all records of a manifest add up to.
type State struct {
	Segments map[base.ObjectNum]log.Extent
	Tail     Tail
	Tables   map[base.ObjectNum]Table
	Dead     []storage.Range
	// Whole: a snapshot end was seen.
	Whole bool
}

// NewState is empty.
func NewState() *State {
	return &State{
		Segments: map[base.ObjectNum]log.Extent{}, Tables: map[base.ObjectNum]Table{},
	}
}

func sameRange(a, b storage.Range) bool {
	return bytes.Equal(a.Start, b.Start) && bytes.Equal(a.End, b.End) && (a.End == nil) == (b.End == nil)
}

// Apply adds an edit. An edit that contradicts the state is an error and leaves it half changed.
func (s *State) Apply(e *Edit) error {
	for _, seg := range e.SegmentAdd {
		if _, ok := s.Segments[seg.Num]; ok {
			return fmt.Errorf("manifest: segment %v added twice", seg.Num)
		}
		s.Segments[seg.Num] = seg.Extent
	}
	for _, n := range e.SegmentDrop {
		if _, ok := s.Segments[n]; !ok {
			return fmt.Errorf("manifest: segment %v dropped but not there", n)
		}
		delete(s.Segments, n)
	}
	if e.Tail != nil {
		s.Tail = *e.Tail
	}
	for _, r := range e.TableDrop {
		t, ok := s.Tables[r.Num]
		if !ok || t.Stripe != r.Stripe || t.Level != r.Level {
			return fmt.Errorf("manifest: table %v dropped but not there", r.Num)
		}
		delete(s.Tables, r.Num)
	}
	for _, t := range e.TableAdd {
		if _, ok := s.Tables[t.Meta.Num]; ok {
			return fmt.Errorf("manifest: table %v added twice", t.Meta.Num)
		}
		s.Tables[t.Meta.Num] = t
	}
	for _, r := range e.DeadDrop {
		s.Dead = slices.DeleteFunc(s.Dead, func(d storage.Range) bool { return sameRange(d, r) })
	}
	for _, r := range e.DeadAdd {
		if !slices.ContainsFunc(s.Dead, func(d storage.Range) bool { return sameRange(d, r) }) {
			s.Dead = append(s.Dead, r)
		}
	}
	s.Whole = s.Whole || e.SnapshotEnd
	return nil
}

// Snapshot returns the records that add up to the state, each of about RecordTargetBytes, the last
// one with the snapshot's end.
func (s *State) Snapshot() [][]byte {
	tail := s.Tail
	first := Edit{Tail: &tail}
	for _, n := range sortedKeys(s.Segments) {
		first.SegmentAdd = append(first.SegmentAdd, Segment{Num: n, Extent: s.Segments[n]})
	}
	var records [][]byte
	record := first.Append(nil)
	add := func(one Edit) {
		if len(record) >= RecordTargetBytes {
			records = append(records, record)
			record = nil
		}
		record = one.Append(record)
	}
	for _, r := range s.Dead {
		add(Edit{DeadAdd: []storage.Range{r}})
	}
	for _, n := range sortedKeys(s.Tables) {
		add(Edit{TableAdd: []Table{s.Tables[n]}})
	}
	end := Edit{SnapshotEnd: true}
	return append(records, end.Append(record))
}

func sortedKeys[V any](m map[base.ObjectNum]V) []base.ObjectNum {
	keys := make([]base.ObjectNum, 0, len(m))
	for n := range m {
		keys = append(keys, n)
	}
	slices.Sort(keys)
	return keys
}
