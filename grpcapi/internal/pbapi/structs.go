package pbapi

import (
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/internal/pbitem"
)

// itemKind is an item or a key.
type itemKind struct{}

func (itemKind) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	*member[attr.Item](v) = d.item(w.Bytes)
}

func (itemKind) append(e *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if it := *member[attr.Item](v); it != nil {
		dst = e.item(f.tag(dst), it)
	}
	return dst
}

// valueKind is a value.
type valueKind struct{}

func (valueKind) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	*member[attr.Value](v) = d.value(w.Bytes)
}

func (valueKind) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if x := *member[attr.Value](v); x != nil {
		dst = pbitem.AppendValueField(dst, f.num, x)
	}
	return dst
}

// itemList is a list of items.
type itemList struct{}

func (itemList) read(d *Decoder, f *field, v reflect.Value, w wireField) {
	p := member[[]attr.Item](v)
	if d.items++; d.items > itemsMax {
		d.fail(errManyItems)
		return
	}
	d.path = append(d.path, step{index: len(*p), counted: true})
	*p = append(*p, d.item(w.Bytes))
	d.leave()
}

func (itemList) append(e *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	for _, it := range *member[[]attr.Item](v) {
		dst = e.item(f.tag(dst), it)
	}
	return dst
}

// valueList is a list of values.
type valueList struct{}

func (valueList) read(d *Decoder, f *field, v reflect.Value, w wireField) {
	p := member[[]attr.Value](v)
	d.element(len(*p), f)
	*p = append(*p, d.value(w.Bytes))
	d.leave()
}

func (valueList) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	for _, x := range *member[[]attr.Value](v) {
		dst = pbitem.AppendValueField(dst, f.num, x)
	}
	return dst
}

// nameMap is ExpressionAttributeNames.
type nameMap struct{}

func (nameMap) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	key, name := d.r.KeyText(w.Bytes)
	p := member[[]api.Name](v)
	entry := api.Name{Placeholder: d.keep(key), Name: d.keep(name)}
	*p = append(*p, entry)
	d.count()
}

func (nameMap) finish(v reflect.Value) bool {
	return sortUnique(member[[]api.Name](v), func(e *api.Name) string { return e.Placeholder })
}

func (nameMap) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	for _, n := range *member[[]api.Name](v) {
		dst = protowire.AppendVarint(f.tag(dst), uint64(textLen(n.Placeholder)+textLen(n.Name)))
		dst = protowire.AppendString(append(dst, keyTag), n.Placeholder)
		dst = protowire.AppendString(append(dst, valueTag), n.Name)
	}
	return dst
}

// Heads of the fields of a map's entry.
const (
	keyTag   = 1<<3 | byte(protowire.BytesType)
	valueTag = 2<<3 | byte(protowire.BytesType)
)

// textLen is the length of a field with a number below 16.
func textLen(s string) int { return 1 + protowire.SizeBytes(len(s)) }

// valueMap is ExpressionAttributeValues.
type valueMap struct{}

func (valueMap) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	key, value := d.r.KeyValue(w.Bytes)
	p := member[[]api.NamedValue](v)
	entry := api.NamedValue{Placeholder: d.keep(key)}
	d.entry(entry.Placeholder)
	entry.Value = d.value(value)
	d.leave()
	*p = append(*p, entry)
}

func (valueMap) finish(v reflect.Value) bool {
	return sortUnique(member[[]api.NamedValue](v), func(e *api.NamedValue) string { return e.Placeholder })
}

func (valueMap) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	for _, n := range *member[[]api.NamedValue](v) {
		var m pbitem.Mark
		dst, m = pbitem.Open(f.tag(dst), len(n.Placeholder)+len(n.Value))
		dst = protowire.AppendString(append(dst, keyTag), n.Placeholder)
		dst = pbitem.Close(pbitem.AppendValueField(dst, 2, n.Value), m)
	}
	return dst
}

// sortUnique sorts entries by key, keeps the last of each key and says whether one came twice.
func sortUnique[T any](p *[]T, key func(*T) string) (twice bool) {
	s := *p
	sorted := true
	for i := 1; i < len(s) && sorted; i++ {
		sorted = key(&s[i-1]) < key(&s[i])
	}
	if sorted {
		return false
	}
	slices.SortStableFunc(s, func(a, b T) int { return strings.Compare(key(&a), key(&b)) })
	n := 0
	for i := range s {
		if n > 0 && key(&s[n-1]) == key(&s[i]) {
			n--
			twice = true
		}
		s[n] = s[i]
		n++
	}
	*p = s[:n]
	return twice
}

// structKind is a message that may be absent.
type structKind struct{ codec *Codec }

func (k structKind) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	d.message(k.codec, w.Bytes, v.Elem())
}

func (k structKind) append(e *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if v.IsNil() {
		return dst
	}
	return e.sub(dst, f, k.codec, v.Elem())
}

// valueStruct is a message that is always there.
type valueStruct struct{ codec *Codec }

func (k valueStruct) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	d.message(k.codec, w.Bytes, v)
}

func (k valueStruct) append(e *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	return e.sub(dst, f, k.codec, v)
}

// structList is a list of messages.
type structList struct{ codec *Codec }

func (k structList) read(d *Decoder, f *field, v reflect.Value, w wireField) {
	n := v.Len()
	v.Grow(1)
	v.SetLen(n + 1)
	d.element(n, f)
	d.message(k.codec, w.Bytes, v.Index(n))
	d.leave()
}

func (k structList) append(e *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	for i := range v.Len() {
		dst = e.sub(dst, f, k.codec, v.Index(i))
	}
	return dst
}

// structMap is a map to messages, or to lists, which are wrapped into messages.
type structMap struct {
	codec *Codec // of the value; nil for a list
	list  *field // the field of the message that holds the list
}

func (k structMap) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	p, value := d.r.KeyValue(w.Bytes)
	if d.r.Err != nil {
		return
	}
	key := d.keep(p)
	n := v.Len()
	v.Grow(1)
	v.SetLen(n + 1)
	v.Index(n).Field(0).SetString(key)
	entry := v.Index(n).Field(1)
	d.entry(key)
	defer d.leave()
	if k.codec != nil {
		d.message(k.codec, value, entry)
		return
	}
	for len(value) > 0 && d.r.Err == nil {
		f, rest, err := pbitem.Next(value)
		if err != nil {
			d.fail(err)
			return
		}
		if value = rest; f.Number == k.list.num && f.Type == k.list.wire {
			k.list.kind.read(d, k.list, entry, f)
		}
	}
}

func (structMap) finish(v reflect.Value) (twice bool) {
	key := func(i int) string { return v.Index(i).Field(0).String() }
	sorted := true
	for i := 1; i < v.Len() && sorted; i++ {
		sorted = key(i-1) < key(i)
	}
	if sorted {
		return false
	}
	order := make([]int, v.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(key(a), key(b)) })
	out := reflect.MakeSlice(v.Type(), 0, len(order))
	for i, at := range order {
		if i+1 < len(order) && key(order[i+1]) == key(at) {
			twice = true
			continue
		}
		out = reflect.Append(out, v.Index(at))
	}
	v.Set(out)
	return twice
}

func (k structMap) append(e *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	for i := range v.Len() {
		key, value := v.Index(i).Field(0).String(), v.Index(i).Field(1)
		var entry, inner pbitem.Mark
		dst, entry = pbitem.Open(f.tag(dst), messageGuess)
		dst = protowire.AppendString(append(dst, keyTag), key)
		dst, inner = pbitem.Open(append(dst, valueTag), messageGuess)
		if k.codec != nil {
			dst = e.message(dst, k.codec, value)
		} else {
			dst = k.list.kind.append(e, dst, k.list, value)
		}
		dst = pbitem.Close(pbitem.Close(dst, inner), entry)
	}
	return dst
}
