package pbapi

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Codec reads and writes one message as one struct. It is immutable.
type Codec struct {
	fields   []field // by number
	byNumber []int8  // index in fields of the numbers below its length, or -1
	bad      int     // index of the struct's member Bad, or -1
	maps     uint64  // bit set of the fields that are maps, by index
}

// field is a field of a message and the member of the struct that goes with it.
type field struct {
	name   string
	num    protowire.Number
	wire   protowire.Type
	packed protowire.Type // what a repeated scalar is written as besides wire; 0 for none
	index  int            // of the member; -1 for a flag
	place  string         // what the member adds to the place of a value in it
	// placeless members add nothing to the place of the values in them, as api.BadValue has it for those
	// of legacy conditions, whose places end at the attribute's name.
	placeless bool
	once      bool // holds an item or a value and may come once
	kind      kind
}

// kind reads and writes the members of one type.
type kind interface {
	// read puts a field into the member, or adds it to the member.
	read(d *Decoder, f *field, v reflect.Value, w wireField)
	// append writes the member, nothing where it is absent.
	append(e *Encoder, dst []byte, f *field, v reflect.Value) []byte
}

// mapping is the kind of a map.
type mapping interface {
	kind
	// finish sorts the entries by key and keeps the last of each, and says whether one came twice.
	finish(v reflect.Value) (twice bool)
}

// Fields without a member.
const (
	flagJSON    = "dynamodb_json"
	flagOnePage = "one_page"
)

const (
	millisSuffix = "_ms"
	badMember    = "Bad"
	fieldsMax    = 64 // of one message: a bit for each
)

// New makes the Codec of a message for the type of a struct, whose zero value is given. Both are fixed
// when the program is written, so what does not fit is a bug and panics; TestEverythingIsMapped makes
// all that there are.
func New(message protoreflect.MessageDescriptor, zero any) *Codec {
	return build(message, reflect.TypeOf(zero))
}

func build(message protoreflect.MessageDescriptor, t reflect.Type) *Codec {
	c := &Codec{bad: -1}
	free := map[string]int{}
	for i := range t.NumField() {
		if t.Field(i).Name == badMember {
			c.bad = i
			continue
		}
		free[strings.ToLower(t.Field(i).Name)] = i
	}
	all := message.Fields()
	for i := range all.Len() {
		c.fields = append(c.fields, buildField(all.Get(i), t, free))
	}
	if len(free) > 0 || len(c.fields) > fieldsMax {
		panic(fmt.Sprintf("pbapi: %s has no fields for %v of %s", message.FullName(), free, t))
	}
	slices.SortFunc(c.fields, func(a, b field) int { return int(a.num - b.num) })
	for i := range c.fields {
		for len(c.byNumber) <= int(c.fields[i].num) {
			c.byNumber = append(c.byNumber, -1)
		}
		c.byNumber[c.fields[i].num] = int8(i)
		if _, ok := c.fields[i].kind.(mapping); ok {
			c.maps |= 1 << i
		}
	}
	return c
}

// find is the index of a field, or -1.
func (c *Codec) find(num protowire.Number) int {
	if int(num) >= len(c.byNumber) {
		return -1
	}
	return int(c.byNumber[num])
}

// buildField finds the member of a field and takes it from the free ones.
func buildField(fd protoreflect.FieldDescriptor, t reflect.Type, free map[string]int) field {
	f := field{name: string(fd.Name()), num: fd.Number(), wire: wireType(fd), index: -1}
	if f.name == flagJSON || f.name == flagOnePage {
		f.kind = flagKind{}
		return f
	}
	letters := strings.ReplaceAll(strings.TrimSuffix(f.name, millisSuffix), "_", "")
	index, ok := free[letters]
	if !ok {
		panic(fmt.Sprintf("pbapi: %s has no member for %s", t, fd.FullName()))
	}
	delete(free, letters)
	f.index = index
	switch t {
	case reflect.TypeFor[api.ExpectedAttributeValue](), reflect.TypeFor[api.Condition](),
		reflect.TypeFor[api.AttributeValueUpdate]():
		f.placeless = true
	default:
		f.place = t.Field(index).Name
	}
	member := t.Field(index).Type
	f.once = !fd.IsList() && (member == reflect.TypeFor[attr.Item]() || member == reflect.TypeFor[attr.Value]())
	f.kind = kindOf(fd, member)
	if _, ok := f.kind.(floatList); ok {
		f.packed = protowire.BytesType
	}
	return f
}

// wireType is how a field is written.
func wireType(fd protoreflect.FieldDescriptor) protowire.Type {
	switch fd.Kind() {
	case protoreflect.BoolKind, protoreflect.Int64Kind:
		return protowire.VarintType
	case protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	}
	panic("pbapi: no codec for the kind of " + fd.FullName())
}

// kindOf is the kind of a member of a type.
func kindOf(fd protoreflect.FieldDescriptor, t reflect.Type) kind {
	if k := scalarKind(fd, t); k != nil {
		return k
	}
	switch t {
	case reflect.TypeFor[attr.Item]():
		return itemKind{}
	case reflect.TypeFor[attr.Value]():
		return valueKind{}
	case reflect.TypeFor[[]attr.Item]():
		return itemList{}
	case reflect.TypeFor[[]attr.Value]():
		return valueList{}
	case reflect.TypeFor[[]api.Name]():
		return nameMap{}
	case reflect.TypeFor[[]api.NamedValue]():
		return valueMap{}
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return structKind{build(fd.Message(), t.Elem())}
	case fd.IsMap():
		return buildMap(fd.MapValue(), t)
	case t.Kind() == reflect.Slice:
		return structList{build(fd.Message(), t.Elem())}
	case t.Kind() == reflect.Struct:
		return valueStruct{build(fd.Message(), t)}
	}
	panic(fmt.Sprintf("pbapi: no codec for %s as %s", fd.FullName(), t))
}

// buildMap is the kind of a map whose entries are structs of a Key and a Value.
func buildMap(value protoreflect.FieldDescriptor, t reflect.Type) kind {
	member := t.Elem().Field(1).Type
	if member.Kind() == reflect.Slice { // protobuf has no maps to lists: a message stands in between
		inner := value.Message().Fields().Get(0)
		return structMap{list: &field{num: inner.Number(), wire: wireType(inner), kind: kindOf(inner, member)}}
	}
	return structMap{codec: build(value.Message(), member)}
}

func scalarKind(fd protoreflect.FieldDescriptor, t reflect.Type) kind {
	switch t {
	case reflect.TypeFor[api.Opt[string]]():
		return optString{}
	case reflect.TypeFor[api.Opt[bool]]():
		return optBool{}
	case reflect.TypeFor[api.Opt[int64]]():
		return optInt{}
	case reflect.TypeFor[api.Opt[float64]]():
		return optFloat{}
	case reflect.TypeFor[api.Opt[time.Time]]():
		if strings.HasSuffix(string(fd.Name()), millisSuffix) {
			return optTime{}
		}
	case reflect.TypeFor[[]string]():
		return textList{}
	case reflect.TypeFor[[]float64]():
		return floatList{}
	}
	if t.Kind() == reflect.String {
		return text{}
	}
	if t == reflect.TypeFor[[]byte]() {
		return blob{}
	}
	return nil
}
