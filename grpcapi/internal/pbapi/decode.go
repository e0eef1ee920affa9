package pbapi

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/internal/pbitem"
)

// Flags are the fields of requests that steer the door.
type Flags struct {
	DynamodbJSON bool // items of the answer come as DynamoDB JSON
	OnePage      bool // streams end after a page
}

// Decoder reads messages. The strings and items of a message lie in one piece of memory that is made
// for it and never reused. A Decoder serves one message at a time and is made for reuse.
type Decoder struct {
	Flags Flags
	enc   attr.Encoder
	r     pbitem.Reader
	bad   []api.BadValue
	path  []step
	json  codec.Decoder
	// elements is how many elements of lists and maps there were, items how many items of lists.
	elements, items int
}

// Limits of a message. Nothing that the database takes or answers comes near them.
const (
	elementsMax = 100_000   // elements of lists and maps, items aside
	itemsMax    = 1_000_000 // items of all lists
	badMax      = 1000      // values that are bad
)

var (
	errManyElements = fmt.Errorf("the message has more than %d elements in lists and maps", elementsMax)
	errManyItems    = fmt.Errorf("the message has more than %d items in lists", itemsMax)
	errManyBad      = fmt.Errorf("the message has more than %d invalid values", badMax)
)

// step is a part of the place of a value: a member or key, or an index. A step without either does not
// appear.
type step struct {
	name    string
	index   int
	counted bool
}

// Decode reads a message into the struct that out points to, which is the zero struct. The error is a
// *api.Error of code Serialization. Bad values are noted in the struct's member Bad, and an error in
// structs without it.
func (d *Decoder) Decode(c *Codec, message []byte, out any) error {
	d.Flags = Flags{}
	d.enc.Reset(make([]byte, 0, len(message)))
	d.r.Enc, d.r.Err = &d.enc, nil
	d.bad, d.path, d.elements, d.items = nil, d.path[:0], 0, 0
	v := reflect.ValueOf(out).Elem()
	d.message(c, message, v)
	if d.r.Err != nil {
		return serialization(d.r.Err)
	}
	switch {
	case len(d.bad) == 0:
	case c.bad < 0: // an answer: nobody would look at it
		return api.Errorf(api.Serialization, "%s: %s", d.bad[0].Place, d.bad[0].Err.Message())
	default:
		v.Field(c.bad).Set(reflect.ValueOf(d.bad))
	}
	return nil
}

// Release drops what the last message left behind, so that an idle Decoder holds no items.
func (d *Decoder) Release() {
	d.enc.Reset(nil)
	d.bad = nil
	d.json.Release()
}

// serialization is the error of a message that cannot be read.
func serialization(err error) error {
	if e, ok := err.(*api.Error); ok { //nolint:errorlint // made here, never wrapped
		return e
	}
	return api.Errorf(api.Serialization, "%s", err.Error())
}

func (d *Decoder) fail(err error) {
	if d.r.Err == nil {
		d.r.Err = err
	}
}

// message reads the fields of a message into a struct.
func (d *Decoder) message(c *Codec, p []byte, v reflect.Value) {
	seen := uint64(0) // by index
	for len(p) > 0 && d.r.Err == nil {
		f, rest, err := pbitem.Next(p)
		if err != nil {
			d.fail(err)
			return
		}
		p = rest
		at := c.find(f.Number)
		if at < 0 {
			continue
		}
		field := &c.fields[at]
		if f.Type != field.wire && (field.packed == 0 || f.Type != field.packed) {
			continue // as protobuf does
		}
		if field.once && seen&(1<<at) != 0 {
			d.fail(pbitem.ErrTwice)
			return
		}
		seen |= 1 << at
		if field.index < 0 {
			d.flag(field.name, f.Bits != 0)
			continue
		}
		d.path = append(d.path, step{name: field.place})
		field.kind.read(d, field, v.Field(field.index), f)
		d.path = d.path[:len(d.path)-1]
	}
	for seen &= c.maps; seen != 0; seen &= seen - 1 {
		field := &c.fields[bits.TrailingZeros64(seen)]
		twice := field.kind.(mapping).finish(v.Field(field.index))
		if twice && len(d.bad) > 0 { // whose values were bad cannot be told any more
			d.fail(pbitem.ErrTwice)
		}
	}
}

func (d *Decoder) flag(name string, on bool) {
	switch name {
	case flagJSON:
		d.Flags.DynamodbJSON = on
	case flagOnePage:
		d.Flags.OnePage = on
	}
}

// keep copies text into the message's memory.
func (d *Decoder) keep(p []byte) string {
	if !utf8.Valid(p) {
		d.fail(pbitem.ErrUTF8)
	}
	if len(p) == 0 {
		return ""
	}
	at := d.enc.Len()
	d.enc.Append(p)
	kept := d.enc.From(at)
	// Nobody writes to this part of the memory again: the encoder only appends.
	return unsafe.String(unsafe.SliceData(kept), len(kept))
}

// item reads an Item.
func (d *Decoder) item(p []byte) attr.Item {
	it, json, bad := d.r.Item(p)
	if json != nil {
		var err error
		if it, bad, err = d.json.Item(json); err != nil {
			d.fail(err)
			return nil
		}
	}
	d.report(bad)
	return it
}

// value reads a Value.
func (d *Decoder) value(p []byte) attr.Value {
	v, bad := d.r.Value(p)
	d.report(bad)
	return v
}

// report notes that the value at the present place is bad; the first of a place stays.
func (d *Decoder) report(bad *attr.ValueError) {
	if bad == nil || d.r.Err != nil {
		return
	}
	if len(d.bad) >= badMax {
		d.fail(errManyBad)
		return
	}
	place := d.place()
	if !slices.ContainsFunc(d.bad, func(b api.BadValue) bool { return b.Place == place }) {
		d.bad = append(d.bad, api.BadValue{Place: place, Err: *bad})
	}
}

// place is the present place as api.BadValue writes it.
func (d *Decoder) place() string {
	var out []string
	for _, s := range d.path {
		switch {
		case s.counted:
			out = append(out, strconv.Itoa(s.index))
		case s.name != "":
			out = append(out, s.name)
		}
	}
	return strings.Join(out, ".")
}

// element goes into an element of a list. Members without a place have none for their elements either.
func (d *Decoder) element(index int, f *field) {
	d.count()
	d.path = append(d.path, step{index: index, counted: !f.placeless})
}

// entry goes into an entry of a map.
func (d *Decoder) entry(key string) {
	d.count()
	d.path = append(d.path, step{name: key})
}

// leave leaves an element or an entry.
func (d *Decoder) leave() { d.path = d.path[:len(d.path)-1] }

// count counts an element of any list or map that is no item: some take far more memory than bytes.
func (d *Decoder) count() {
	if d.elements++; d.elements > elementsMax {
		d.fail(errManyElements)
	}
}
