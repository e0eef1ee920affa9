package codec

import (
	"bytes"
	"encoding/json"
	"reflect"
	"sort"

	"github.com/keystone-db/kstone/engine/api"
)

// The slow codec serves all operations but the ten hot ones. It walks generated tables of shapes
// and fills structs by reflection: these operations are rare, so clarity wins over speed.

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
	in     any // a new request
	input  *slowShape
	output *slowShape
}

// DecodeSlow reads the body of a request of any operation but the hot ones into a new request
// struct (a pointer, such as *api.CreateTableInput). Unknown members are ignored, null counts as
// absent, the last of several members of one name wins. The error is a *api.Error: Serialization
// for a body that is no JSON object (without text) or holds a wrong JSON type (wire-facts §2), and
// UnknownOperation.
func DecodeSlow(operation string, body []byte) (any, error) {
	op, ok := slowOperation(operation)
	if !ok {
		return nil, api.Errorf(api.UnknownOperation, "")
	}
	d := &slowDecoder{dec: json.NewDecoder(bytes.NewReader(body))}
	d.dec.UseNumber()
	if !json.Valid(body) {
		return nil, api.Errorf(api.Serialization, "")
	}
	tok, err := d.dec.Token()
	if err != nil || tok != json.Delim('{') {
		return nil, api.Errorf(api.Serialization, "")
	}
	v := reflect.ValueOf(op.in).Elem()
	if err := d.structure(v, op.input, ""); err != nil {
		return nil, err
	}
	if bad := v.FieldByName("Bad"); bad.IsValid() && d.bad != nil {
		bad.Set(reflect.ValueOf(d.bad))
	}
	return op.in, nil
}

// slowDecoder fills a request from the tokens of its body, which is known to be JSON.
type slowDecoder struct {
	dec *json.Decoder
	bad []api.BadValue
}

// slowMismatch is a JSON type that the model does not have there.
func slowMismatch(text string) error { return api.Errorf(api.Serialization, "%s", text) }

// structure reads members up to the closing brace; its opening one is read.
func (d *slowDecoder) structure(v reflect.Value, s *slowShape, place string) error {
	for d.dec.More() {
		name, err := d.name()
		if err != nil {
			return err
		}
		i := slowMemberIndex(s, name)
		if i < 0 {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		v.Field(i).SetZero()
		if err := d.member(v.Field(i), s.members[i].shape, slowPlace(place, name)); err != nil {
			return err
		}
	}
	return d.end()
}

func slowMemberIndex(s *slowShape, name string) int {
	for i := range s.members {
		if s.members[i].name == name {
			return i
		}
	}
	return -1
}

func slowPlace(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}

func (d *slowDecoder) name() (string, error) {
	tok, err := d.dec.Token()
	name, ok := tok.(string)
	if err != nil || !ok {
		return "", api.Errorf(api.Serialization, "")
	}
	return name, nil
}

func (d *slowDecoder) end() error {
	if _, err := d.dec.Token(); err != nil {
		return api.Errorf(api.Serialization, "")
	}
	return nil
}

func (d *slowDecoder) skip() error {
	var raw json.RawMessage
	if err := d.dec.Decode(&raw); err != nil {
		return api.Errorf(api.Serialization, "")
	}
	return nil
}

// member reads a member of a structure: an Opt, a pointer to a structure or a slice.
func (d *slowDecoder) member(f reflect.Value, s *slowShape, place string) error {
	switch s.kind {
	case slowItem, slowValue:
		return d.attribute(f, s, place)
	case slowStructure:
		tok, err := d.open('{', msgFieldType, msgUnrecognizedClass+structurePackage+s.name)
		if err != nil || tok == nil {
			return err
		}
		f.Set(reflect.New(f.Type().Elem()))
		return d.structure(f.Elem(), s, place)
	case slowList, slowMap, slowNames, slowValues:
		return d.collection(f, s, place)
	case slowBlob:
		tok, err := d.token()
		if err != nil || tok == nil {
			return err
		}
		return slowScalar(f, s, tok)
	}
	tok, err := d.token()
	if err != nil || tok == nil {
		return err
	}
	f.Field(1).SetBool(true)
	return slowScalar(f.Field(0), s, tok)
}

// element reads a list element or map value; null leaves it zero.
func (d *slowDecoder) element(v reflect.Value, s *slowShape, place string) error {
	switch s.kind {
	case slowItem, slowValue:
		return d.attribute(v, s, place)
	case slowStructure:
		tok, err := d.open('{', msgValueType, msgUnrecognizedClass+structurePackage+s.name)
		if err != nil || tok == nil {
			return err
		}
		return d.structure(v, s, place)
	case slowList, slowMap, slowNames, slowValues:
		return d.collection(v, s, place)
	}
	tok, err := d.token()
	if err != nil || tok == nil {
		return err
	}
	return slowScalar(v, s, tok)
}

// token reads the next token; nil for null.
func (d *slowDecoder) token() (json.Token, error) {
	tok, err := d.dec.Token()
	if err != nil {
		return nil, api.Errorf(api.Serialization, "")
	}
	return tok, nil
}

// open reads the opening delimiter that is wanted, or null. Scalars answer one text, the other
// delimiter the other text.
func (d *slowDecoder) open(want json.Delim, scalarText, otherText string) (json.Token, error) {
	tok, err := d.token()
	if err != nil || tok == nil {
		return nil, err
	}
	switch tok {
	case want:
		return tok, nil
	case json.Delim('{'), json.Delim('['):
		return nil, slowMismatch(otherText)
	}
	return nil, slowMismatch(scalarText)
}

func (d *slowDecoder) collection(f reflect.Value, s *slowShape, place string) error {
	if s.kind == slowList {
		tok, err := d.open('[', msgFieldType, msgStructureStart)
		if err != nil || tok == nil {
			return err
		}
		return d.list(f, s, place)
	}
	tok, err := d.open('{', msgFieldType, msgUnrecognizedMap+mapValueClass(s)+">")
	if err != nil || tok == nil {
		return err
	}
	return d.mapping(f, s, place)
}

func (d *slowDecoder) list(f reflect.Value, s *slowShape, place string) error {
	f.Set(reflect.MakeSlice(f.Type(), 0, 0))
	for i := 0; d.dec.More(); i++ {
		elem := reflect.New(f.Type().Elem()).Elem()
		if err := d.element(elem, s.of, slowPlaceIndex(place, i)); err != nil {
			return err
		}
		f.Set(reflect.Append(f, elem))
	}
	return d.end()
}

// mapping reads the entries of a map, sorts them by key and keeps the last of each key.
func (d *slowDecoder) mapping(f reflect.Value, s *slowShape, place string) error {
	f.Set(reflect.MakeSlice(f.Type(), 0, 0))
	for d.dec.More() {
		key, err := d.name()
		if err != nil {
			return err
		}
		entry := reflect.New(f.Type().Elem()).Elem()
		entry.Field(0).SetString(key)
		if err := d.element(entry.Field(1), s.of, slowPlace(place, key)); err != nil {
			return err
		}
		f.Set(reflect.Append(f, entry))
	}
	sortEntries(f)
	return d.end()
}

func sortEntries(f reflect.Value) {
	key := func(i int) string { return f.Index(i).Field(0).String() }
	sort.Stable(&entrySort{f.Len(), key, reflect.Swapper(f.Interface())})
	n := 0
	for i := range f.Len() {
		if n > 0 && key(n-1) == key(i) {
			n--
		}
		f.Index(n).Set(f.Index(i))
		n++
	}
	f.SetLen(n)
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
