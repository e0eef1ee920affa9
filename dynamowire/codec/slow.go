package codec

import (
	"reflect"
	"sort"
	"strconv"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// The slow codec knows all operations. It walks generated tables of shapes and fills structs by
// reflection. Servers use it for all but the hot operations, which are rare, so that clarity wins over
// speed; clients use it for all. Scalars, values and texts are those of Decoder.

// badField is the field of requests that holds their bad values.
const badField = "Bad"

// slowKind is the kind of a shape.
type slowKind uint8

const (
	slowStructure slowKind = iota + 1
	slowList
	slowMap    // a slice of entries with Key and Value
	slowItem   // attr.Item
	slowNames  // []api.Name
	slowValues // []api.NamedValue
	slowValue  // attr.Value
	slowString
	slowInteger
	slowLong
	slowDouble
	slowBoolean
	slowTimestamp
	slowBlob
)

// slowShape is a type of the contract. The tables are generated; nothing changes them.
type slowShape struct {
	kind    slowKind
	name    string // of a structure
	of      *slowShape
	members []slowMember // in the order of the fields of the Go struct
}

// slowMember is a member of a structure, spelled as on the wire.
type slowMember struct {
	name  string
	shape *slowShape
}

// slowOp is what the slow codec knows of an operation.
type slowOp struct {
	in     reflect.Type // of the request
	input  *slowShape
	output *slowShape
}

// DecodeSlow reads the body of a request of any operation into a new request struct (a pointer, such as
// *api.CreateTableInput). Hot operations are for Decoder, which is faster and gives the same, but for bad
// values in the legacy parameters: their places here, such as Expected.a.Value, are not where the engine
// looks for them (Expected.a). Unknown members are ignored, null counts as absent, the last of several
// members of one name wins. The error is a *api.Error: Serialization
// for a body that is no JSON object (without text) or holds a wrong JSON type (wire-facts §2), and
// UnknownOperation.
func DecodeSlow(operation string, body []byte) (any, error) {
	op, ok := slowOperation(operation)
	if !ok {
		return nil, api.Errorf(api.UnknownOperation, "")
	}
	return decodeSlow(op, body)
}

// decodeSlow reads the body into the operation's request.
func decodeSlow(op slowOp, body []byte) (any, error) {
	var d slowDecoder
	d.begin(body)
	if d.s.Peek() != '{' {
		return nil, api.Errorf(api.Serialization, "")
	}
	d.s.Object()
	in := reflect.New(op.in)
	v := in.Elem()
	d.structure(v, op.input, "")
	if err := d.finish(body); err != nil {
		return nil, err
	}
	if bad := v.FieldByName(badField); bad.IsValid() && d.faults() != nil {
		bad.Set(reflect.ValueOf(d.faults()))
	}
	return in.Interface(), nil
}

// slowDecoder fills a request along its shapes. After a fault all methods of Decoder report that
// nothing is left, so that the loops here end.
type slowDecoder struct{ Decoder }

// structure reads the members of a structure whose brace is taken.
func (d *slowDecoder) structure(v reflect.Value, s *slowShape, path string) {
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		i := slowMemberIndex(s, key)
		if i < 0 {
			d.s.Skip()
			continue
		}
		m := &s.members[i]
		at := slowPath(path, m.name)
		v.Field(i).SetZero()
		d.forget(at)
		d.member(v.Field(i), m.shape, at)
	}
}

func slowMemberIndex(s *slowShape, name []byte) int {
	for i := range s.members {
		if s.members[i].name == string(name) {
			return i
		}
	}
	return -1
}

func slowPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// member reads a member of a structure: an Opt, a pointer to a structure, a slice or bytes.
func (d *slowDecoder) member(f reflect.Value, s *slowShape, path string) {
	switch s.kind {
	case slowStructure:
		if d.object(msgFieldType, s.name) {
			f.Set(reflect.New(f.Type().Elem()))
			d.structure(f.Elem(), s, path)
		}
	case slowList, slowMap, slowNames, slowValues, slowItem, slowValue, slowBlob:
		d.element(f, s, path)
	default:
		f.Field(1).SetBool(d.scalar(f.Field(0), s))
	}
}

// element reads a list element, a map value, or a member that Go holds without an Opt; null leaves
// it zero.
func (d *slowDecoder) element(v reflect.Value, s *slowShape, path string) {
	switch s.kind {
	case slowStructure:
		if d.object(msgValueType, s.name) {
			d.structure(v, s, path)
		}
	case slowList:
		d.elements(v, s, path)
	case slowMap, slowNames, slowValues:
		d.entriesOf(v, s, path)
	case slowItem:
		v.SetBytes(d.item(place{head: path}))
	case slowValue:
		if !d.s.Null() {
			v.SetBytes(d.standalone(place{head: path}, msgValueType))
		}
	case slowBlob:
		if d.s.Null() {
			return
		}
		if b, ok := d.blob(); ok {
			v.SetBytes(append([]byte{}, b...))
		}
	default:
		d.scalar(v, s)
	}
}

func (d *slowDecoder) elements(v reflect.Value, s *slowShape, path string) {
	if !d.list() {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	i := 0
	for ok := d.s.Elem(true); ok && d.structural(); ok = d.s.Elem(false) {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.element(elem, s.of, slowPath(path, strconv.Itoa(i)))
		v.Set(reflect.Append(v, elem))
		i++
	}
}

// entriesOf reads the entries of a map, sorts them by key and keeps the last of each key.
func (d *slowDecoder) entriesOf(v reflect.Value, s *slowShape, path string) {
	if !d.mapping(slowValueClass(s)) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for key, ok := d.s.Key(true); ok && d.structural(); key, ok = d.s.Key(false) {
		entry := reflect.New(v.Type().Elem()).Elem()
		name := string(key)
		entry.Field(0).SetString(name)
		d.element(entry.Field(1), s.of, slowPath(path, name))
		v.Set(reflect.Append(v, entry))
	}
	sortEntries(v)
}

// slowValueClass is the class of a map's values in the text about an array in its place.
func slowValueClass(s *slowShape) string {
	switch {
	case s.kind == slowValues:
		return classValue
	case s.kind == slowMap && s.of.kind == slowStructure:
		return structurePackage + s.of.name
	}
	return classString
}

func sortEntries(v reflect.Value) {
	key := func(i int) string { return v.Index(i).Field(0).String() }
	sort.Stable(&entrySort{v.Len(), key, reflect.Swapper(v.Interface())})
	n := 0
	for i := range v.Len() {
		if n > 0 && key(n-1) == key(i) {
			n--
		}
		v.Index(n).Set(v.Index(i))
		n++
	}
	v.SetLen(n)
}

// entrySort sorts a slice that only reflection knows.
type entrySort struct {
	n    int
	key  func(int) string
	swap func(i, j int)
}

func (s *entrySort) Len() int           { return s.n }
func (s *entrySort) Less(i, j int) bool { return s.key(i) < s.key(j) }
func (s *entrySort) Swap(i, j int)      { s.swap(i, j) }

// scalar reads a scalar; false for null and wrong types.
func (d *slowDecoder) scalar(v reflect.Value, s *slowShape) bool {
	if d.s.Null() {
		return false
	}
	switch s.kind {
	case slowString:
		b, ok := d.text()
		v.SetString(string(b))
		return ok
	case slowBoolean:
		var o api.Opt[bool]
		d.boolean(&o)
		v.SetBool(o.Value)
		return o.Set
	}
	if c := d.s.Peek(); c != '-' && c-'0' > 9 {
		d.convert(slowClass(s.kind))
		return false
	}
	text, ok := d.s.Number()
	if ok {
		slowNumber(v, s, string(text))
	}
	return ok
}

// slowClass is the class of a number in texts.
func slowClass(k slowKind) string {
	switch k {
	case slowLong:
		return "Long"
	case slowDouble:
		return "Double"
	case slowTimestamp:
		return "Date" // unsure: the sheet has no row for timestamps
	}
	return "Integer"
}

// slowNumber fills a number or timestamp from its text, which is a JSON number.
func slowNumber(v reflect.Value, s *slowShape, text string) {
	switch s.kind {
	case slowDouble, slowTimestamp:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil { // out of range: a fault of no member of the contract, so any number will do
			f = 0
		}
		if s.kind == slowDouble {
			v.SetFloat(f)
			return
		}
		v.Set(reflect.ValueOf(slowTime(f)))
	default:
		v.SetInt(whole(text))
	}
}

// Timestamps.
const (
	// timestampMaxSeconds bounds timestamps on both sides: about the years -30000 to 34000, whose
	// milliseconds float64 holds exactly.
	timestampMaxSeconds = 1e12
	millisPerSecond     = 1000
)

// slowTime turns seconds since 1970 into a time of millisecond precision.
func slowTime(f float64) time.Time {
	f = max(-timestampMaxSeconds, min(timestampMaxSeconds, f))
	half := 0.5
	if f < 0 {
		half = -half
	}
	return time.UnixMilli(int64(f*millisPerSecond + half)).UTC()
}
