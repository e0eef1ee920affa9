package codec

import (
	"bytes"
	"encoding/base64"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// classValue and classMap name the classes of attribute values in texts.
const (
	classValue = structurePackage + "AttributeValue"
	valueShape = "AttributeValue"
)

// Tails of places (api.BadValue).
const (
	membersValues = "ExpressionAttributeValues"
)

// place says where a value stands; its text is made only for bad values. The text is the parts
// that are not empty, joined by dots: head, index (when counted), sub, tail, key.
type place struct {
	head    string
	index   int
	counted bool
	sub     string
	tail    string
	key     string
}

func (p place) String() string {
	out := p.head
	part := func(s string) {
		if out != "" && s != "" {
			out += "."
		}
		out += s
	}
	if p.counted {
		part(strconv.Itoa(p.index))
	}
	part(p.sub)
	part(p.tail)
	part(p.key)
	return out
}

// report notes the fault of a place, nil for none. What an earlier member of the same name left is
// dropped: the last one wins.
func (d *Decoder) report(at place, bad *attr.ValueError) {
	if bad == nil && len(d.bad) == 0 {
		return
	}
	text := at.String()
	for i := range d.bad {
		if d.bad[i].Place == text {
			d.bad = append(d.bad[:i], d.bad[i+1:]...)
			break
		}
	}
	switch {
	case bad == nil:
	case len(d.bad) == badMax:
		d.mismatch(msgManyBad)
	default:
		d.bad = append(d.bad, api.BadValue{Place: text, Err: *bad})
	}
}

// structural counts an element that becomes a structure. False: there are too many.
func (d *Decoder) structural() bool {
	if d.made++; d.made > elementsMax {
		d.mismatch(msgManyElements)
		return false
	}
	return true
}

// item reads a map of attribute values as an item or key; nil for null.
func (d *Decoder) item(at place) attr.Item {
	if !d.mapping(classValue) {
		d.report(at, nil)
		return nil
	}
	return d.openItem(at)
}

// openItem reads an item whose brace is taken.
func (d *Decoder) openItem(at place) attr.Item {
	d.enc.BeginItem()
	bad := d.entries(1, 1)
	it := d.enc.EndItem()
	d.report(at, bad)
	return it
}

// entries reads the entries of an open map or item whose values have the depth.
func (d *Decoder) entries(depth, nameMin int) (bad *attr.ValueError) {
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		if bad == nil {
			bad = nameFault(key, nameMin)
		}
		d.enc.Name(key)
		if fault := d.value(depth, msgValueType); bad == nil {
			bad = fault
		}
	}
	return bad
}

func nameFault(name []byte, nameMin int) *attr.ValueError {
	switch {
	case len(name) > attr.NameMaxBytes:
		return &attr.ValueError{Kind: attr.NameTooLong}
	case len(name) < nameMin:
		return &attr.ValueError{Kind: attr.NameEmpty}
	}
	return nil
}

// standalone reads a value that stands by itself; nil when it is bad.
func (d *Decoder) standalone(at place, scalarText string) attr.Value {
	start := d.enc.Len()
	bad := d.value(1, scalarText)
	d.report(at, bad)
	if bad != nil || d.s.failed {
		return nil
	}
	return attr.Value(d.enc.From(start))
}

// field reads a value that is a member of a structure; null is absent there.
func (d *Decoder) field(at place) attr.Value {
	if d.s.Null() {
		return nil
	}
	return d.standalone(at, msgFieldType)
}

// fault collects the faults of one value: the first in the order of the service's checks, then
// those of nested values, then the number of types (wire-facts §4.1).
type fault struct {
	types  uint // bit set of the members
	own    *attr.ValueError
	number *attr.ValueError // the first of an NS, whatever its kind; it comes after empty sets
	nested *attr.ValueError
}

func (f *fault) add(bad *attr.ValueError) {
	if bad != nil && (f.own == nil || bad.Kind < f.own.Kind) {
		f.own = bad
	}
}

func (f *fault) first() *attr.ValueError {
	switch {
	case f.types == 0:
		return &attr.ValueError{Kind: attr.Empty}
	case f.number != nil && (f.own == nil || f.own.Kind > attr.EmptyBS):
		return f.number
	case f.own != nil:
		return f.own
	case f.nested != nil:
		return f.nested
	case bits.OnesCount(f.types) > 1:
		return &attr.ValueError{Kind: attr.MultiType}
	}
	return nil
}

// value reads an AttributeValue and writes exactly one value, a NULL for one that is bad. Scalars
// in its place give the text, which differs between fields and elements.
func (d *Decoder) value(depth int, scalarText string) *attr.ValueError {
	s := &d.s
	if depth > attr.DepthMax {
		s.Skip()
		d.enc.Null()
		return &attr.ValueError{Kind: attr.TooDeep}
	}
	var f fault
	start := d.enc.Len()
	first := true
	if s.Peek() == '{' && s.pos+6 < len(s.data) && d.quick(&f) {
		if s.at() == '}' { // nearly always
			s.pos++
			return f.own
		}
		first = false
		s.depth++
	} else if !d.object(scalarText, valueShape) {
		d.enc.Null()
		return &attr.ValueError{Kind: attr.Empty} // null: pinned by TestNulls
	}
	for key, ok := s.Key(first); ok; key, ok = s.Key(false) {
		t := typeOf(key)
		if t == 0 {
			s.Skip()
			continue
		}
		if s.Null() {
			continue
		}
		d.enc.Rewind(start)
		f.types |= 1 << t
		d.member(t, depth, &f)
	}
	bad := f.first()
	if bad != nil {
		d.enc.Rewind(start)
		d.enc.Null()
	}
	return bad
}

// quick reads {"S":"…" and {"N":"…" written without blanks, up to the closing brace.
func (d *Decoder) quick(f *fault) bool {
	p := d.s.data[d.s.pos : d.s.pos+6]
	if p[1] != '"' || p[3] != '"' || p[4] != ':' || p[5] != '"' || p[2] != 'S' && p[2] != 'N' {
		return false
	}
	letter := p[2]
	d.s.pos += 5
	text, ok := d.s.String()
	switch {
	case letter == 'S':
		f.types = 1 << attr.S
		if ok {
			d.enc.String(text)
		}
	default:
		f.types = 1 << attr.N
		if ok {
			f.own = d.enc.Number(text)
		}
	}
	return true
}

// typeOf is the type that a member of an AttributeValue names, 0 for none.
func typeOf(key []byte) attr.Type {
	switch string(key) {
	case "S":
		return attr.S
	case "N":
		return attr.N
	case "B":
		return attr.B
	case "BOOL":
		return attr.BOOL
	case "NULL":
		return attr.NULL
	case "L":
		return attr.L
	case "M":
		return attr.M
	case "SS":
		return attr.SS
	case "NS":
		return attr.NS
	case "BS":
		return attr.BS
	}
	return 0
}

// member reads the content of one type member, which is not null.
func (d *Decoder) member(t attr.Type, depth int, f *fault) {
	switch t {
	case attr.S:
		if text, ok := d.text(); ok {
			d.enc.String(text)
		}
	case attr.N:
		if text, ok := d.text(); ok {
			f.add(d.enc.Number(text))
		}
	case attr.B:
		if b, ok := d.blob(); ok {
			d.enc.Binary(b)
		}
	case attr.BOOL, attr.NULL:
		d.boolMember(t, f)
	case attr.L:
		d.listMember(depth, f)
	case attr.M:
		if !d.mapping(classValue) {
			return
		}
		d.enc.BeginMap()
		if bad := d.entries(depth+1, 0); bad != nil && f.nested == nil {
			f.nested = bad
		}
		d.enc.EndMap()
	default:
		d.setMember(t, f)
	}
}

func (d *Decoder) boolMember(t attr.Type, f *fault) {
	var v api.Opt[bool]
	d.boolean(&v)
	switch {
	case !v.Set:
	case t == attr.BOOL:
		d.enc.Bool(v.Value)
	default:
		d.enc.Null()
		if !v.Value {
			f.add(&attr.ValueError{Kind: attr.NullFalse})
		}
	}
}

func (d *Decoder) listMember(depth int, f *fault) {
	if !d.list() {
		return
	}
	d.enc.BeginList()
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		if bad := d.value(depth+1, msgValueType); bad != nil && f.nested == nil {
			f.nested = bad
		}
	}
	d.enc.EndList()
}

// setMember reads SS, NS or BS; nulls in it are left out.
func (d *Decoder) setMember(t attr.Type, f *fault) {
	if !d.list() {
		return
	}
	d.enc.BeginSet(t)
	members := 0
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		if d.s.Null() {
			continue
		}
		members++
		d.setElement(t, f)
	}
	bad := d.enc.EndSet()
	if bad != nil && bad.Kind <= attr.EmptyBS && members > 0 {
		bad = nil // all its numbers were bad: not an empty set
	}
	f.add(bad)
}

func (d *Decoder) setElement(t attr.Type, f *fault) {
	if t == attr.BS {
		if b, ok := d.blob(); ok {
			d.enc.Member(b)
		}
		return
	}
	text, ok := d.text()
	switch {
	case !ok:
	case t == attr.SS:
		d.enc.Member(text)
	default:
		if bad := d.enc.NumberMember(text); bad != nil && f.number == nil {
			f.number = bad
		}
	}
}

// blob reads base64 with padding; the result is valid until the next one.
func (d *Decoder) blob() ([]byte, bool) {
	switch c := d.s.Peek(); c {
	case '"':
	case '[':
		d.mismatch(msgUnrecognizedClass + classBytes)
		return nil, false
	case '{':
		d.mismatch(msgStructureStart)
		return nil, false
	default:
		d.scalarMismatch(msgBase64Only)
		return nil, false
	}
	text, ok := d.s.String()
	if !ok {
		return nil, false
	}
	b, err := strictBase64.AppendDecode(d.b64[:0], text)
	if err != nil || len(b)+base64Padding(text) != len(text)/base64Group*base64GroupBytes ||
		len(text)%base64Group != 0 {
		d.mismatch(base64Fault(text))
		return nil, false
	}
	d.b64 = b
	return b, true
}

// Base64 as the service takes it: bits beyond the last byte are zero, and line ends, which the
// decoder of the library skips, are no part of it (they make the result too short).
var strictBase64 = base64.StdEncoding.Strict()

const (
	base64Group      = 4 // characters that make
	base64GroupBytes = 3 // bytes
	base64Alphabet   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	base64Pad        = "="
)

// base64Padding counts the pad characters at the end.
func base64Padding(text []byte) int { return len(text) - len(bytes.TrimRight(text, base64Pad)) }

// base64Fault is the text for base64 that does not decode. DynamoDB does this: the length counts
// UTF-16 code units (TestMismatches).
func base64Fault(text []byte) string {
	if n := len(utf16.Encode([]rune(string(text)))); n%base64Group != 0 {
		return msgBase64Length + strconv.Itoa(n)
	}
	bad := bytes.TrimLeft(bytes.TrimRight(text, base64Pad), base64Alphabet)
	if len(bad) == 0 {
		return msgBase64Last
	}
	c, _ := utf8.DecodeRune(bad)
	return msgBase64Character + string(c) + "'"
}
