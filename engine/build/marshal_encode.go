package build

import (
	"reflect"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/attr"
)

// hopsMax bounds the pointers between a value and what it is: a type can point to itself for ever.
const hopsMax = 1000

// encoder maps one value. Values go straight into the binary form; a name waits in pending until it
// is known that a value follows.
type encoder struct {
	opts    MarshalOptions
	plans   *plans
	enc     attr.Encoder
	pending []byte // name of the entry to come; empty: none
	checked bool   // pending is known to be fit for a name
	scratch []byte // memory for what enc copies
	name    []byte // memory for map keys
	floats  []float32
	sub     *encoder // for members of sets, which must be looked at before they are written
	hops    int
}

// Encoders keep their memory, and nothing else, from one use to the next.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// scratchMaxBytes is the most memory that an encoder keeps.
const scratchMaxBytes = 1 << 20

func newEncoder(o *MarshalOptions) *encoder {
	e := encoders.Get().(*encoder)
	e.opts = *o
	e.plans = plansFor(o.TagKey)
	return e
}

// free gives the encoder back; what it returned was copied.
func (e *encoder) free() {
	if cap(e.scratch)+cap(e.floats)+e.enc.Len() > scratchMaxBytes {
		return
	}
	for used := e; used != nil; used = used.sub {
		used.opts, used.hops = MarshalOptions{}, 0
	}
	encoders.Put(e)
}

// run maps v at a depth: 0 for an item, 1 for a value. nil means no value.
func (e *encoder) run(v any, depth int) ([]byte, error) {
	e.enc.Reset(e.enc.Bytes()[:0])
	e.pending = nil
	wrote, err := e.top(v, depth)
	if err != nil || !wrote {
		return nil, err
	}
	return append(make([]byte, 0, e.enc.Len()), e.enc.Bytes()...), nil
}

func (e *encoder) top(v any, depth int) (bool, error) {
	if v == nil {
		return e.null(depth)
	}
	rv := reflect.ValueOf(v)
	return e.encode(e.plans.of(rv.Type()), rv, 0, depth)
}

// encode writes v with the options o, or reports that it has no value. depth is that of the value,
// 0 for an item.
func (e *encoder) encode(p *plan, v reflect.Value, o options, depth int) (wrote bool, err error) {
	if isZero(p.kind, v) && (o.has(omitEmpty|nullEmpty) || nullable(p.kind)) {
		return e.nilValue(p, o, depth)
	}
	switch p.kind {
	case reflect.Interface:
		v = v.Elem()
		return e.held(e.plans.of(v.Type()), v, o, depth)
	case reflect.Pointer:
		return e.held(p.elem, v.Elem(), o, depth)
	}
	return e.held(p, v, o, depth)
}

// held writes a value that is not nil and of which one pointer or interface is already gone.
func (e *encoder) held(p *plan, v reflect.Value, o options, depth int) (wrote bool, err error) {
	if done, wrote, err := e.byMethods(p, v, o, depth); done || err != nil {
		return wrote, err
	}
	switch p.form {
	case formKind:
	case formValue:
		return e.raw(attr.Value(v.Bytes()), p, depth)
	case formItem:
		return e.rawItem(attr.Item(v.Bytes()), p, depth)
	case formTime:
		return e.time(p, v, o, depth)
	case formAnyMap:
		if v.CanInterface() {
			return e.anyMap(p, v.Interface().(map[string]any), o, depth)
		}
	case formAnyList:
		if o&(asStringSet|asNumberSet|asBinarySet|asVector) == 0 && v.CanInterface() {
			return e.anyList(p, v.Interface().([]any), o, depth)
		}
	case formNumber:
		return e.number(p, append(e.scratch[:0], v.String()...), o, depth)
	}
	switch p.kind {
	case reflect.Struct:
		return e.structure(p, v, depth)
	case reflect.Map:
		return e.mapping(p, v, o, depth)
	case reflect.Slice, reflect.Array:
		return e.slice(p, v, o, depth)
	case reflect.Pointer:
		if v.IsNil() {
			if o.has(omitEmpty) && o.has(omitEmptyElem) {
				return false, nil
			}
			return e.null(depth)
		}
		if e.hops++; e.hops > hopsMax {
			return false, &MarshalError{Type: p.typ, Reason: reasonCycle}
		}
		defer func() { e.hops-- }()
		return e.encode(p.elem, v.Elem(), o, depth)
	}
	return e.scalar(p, v, o, depth)
}

// nilValue writes, or leaves out, a value that omitempty and nullempty apply to or that is nil.
func (e *encoder) nilValue(p *plan, o options, depth int) (bool, error) {
	switch {
	case o.has(omitEmpty) && o.has(nullEmpty):
		return false, &MarshalError{Type: p.typ, Reason: reasonTags}
	case o.has(omitEmpty):
		return false, nil
	}
	return e.null(depth)
}

// isZero says whether omitempty and nullempty apply: not for structs, and for arrays only when they
// have no elements.
func isZero(kind reflect.Kind, v reflect.Value) bool {
	switch kind {
	case reflect.Array:
		return v.Len() == 0
	case reflect.String:
		return v.Len() == 0
	case reflect.Bool:
		return !v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int() == 0
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return v.Uint() == 0
	case reflect.Float32, reflect.Float64:
		return v.Float() == 0
	}
	return nullable(kind) && v.IsNil()
}

// nullable says whether a nil of the kind is a NULL.
func nullable(kind reflect.Kind) bool {
	switch kind {
	case reflect.Map, reflect.Slice, reflect.Interface, reflect.Pointer:
		return true
	}
	return false
}

// begin writes what comes before every value.
func (e *encoder) begin(p *plan, depth int) error {
	if depth == 0 && p.kind != reflect.Struct && p.kind != reflect.Map || p.form == formTime && depth == 0 {
		return &MarshalError{Type: p.typ, Reason: reasonNoItem}
	}
	if depth > attr.DepthMax {
		return &MarshalError{Type: p.typ, Err: &attr.ValueError{Kind: attr.TooDeep}}
	}
	return e.writeName()
}

// writeName writes the name that waits, if one does.
func (e *encoder) writeName() error {
	if len(e.pending) == 0 {
		return nil
	}
	if !e.checked {
		if err := checkName(e.pending); err != nil {
			return &MarshalError{Err: err}
		}
	}
	e.enc.Name(e.pending)
	e.pending = nil
	return nil
}

// checkName says what is wrong with the name of an attribute.
func checkName(name []byte) error {
	switch {
	case len(name) > attr.NameMaxBytes:
		return &attr.ValueError{Kind: attr.NameTooLong}
	case !utf8.Valid(name):
		return errNameNotUTF8
	}
	return nil
}

func (e *encoder) null(depth int) (bool, error) {
	if depth == 0 {
		return false, nil // Marshal says so
	}
	if depth > attr.DepthMax {
		return false, &MarshalError{Err: &attr.ValueError{Kind: attr.TooDeep}}
	}
	if err := e.writeName(); err != nil {
		return false, err
	}
	e.enc.Null()
	return true, nil
}

// byMethods maps by a method of the value or of its address, if it has one that gives a value.
func (e *encoder) byMethods(p *plan, v reflect.Value, o options, depth int) (done, wrote bool, err error) {
	m := p.value
	if p.named && p.addr != 0 && v.CanAddr() {
		m = p.addr
	}
	wanted := marshaler
	if e.opts.UseEncodingMarshalers {
		wanted |= textMarshaler | binaryMarshaler
	}
	if m &= wanted; m == 0 || !v.CanInterface() || isOrphan(p, v, m) {
		return false, false, nil
	}
	if p.named && p.addr != 0 && v.CanAddr() {
		v = v.Addr()
	}
	var out attr.Value
	switch i := v.Interface(); {
	case m.has(marshaler):
		out, err = i.(Marshaler).MarshalValue()
	case m.has(textMarshaler):
		var text []byte
		if text, err = textOf(i); err == nil && !utf8.Valid(text) {
			err = ErrNotUTF8
		}
		out = attr.AppendString(nil, string(text))
	default:
		var b []byte
		b, err = binaryOf(i)
		out = attr.Binary(b)
	}
	if err != nil {
		return true, false, &MarshalError{Type: p.typ, Err: err}
	}
	if e.opts.OmitNullAttributeValues && o.has(omitEmpty) && out.Type() == attr.NULL {
		return true, false, nil
	}
	if out == nil {
		return false, false, nil
	}
	wrote, err = e.raw(out, p, depth)
	return true, wrote, err
}

// isOrphan says whether v is a nil pointer whose methods are those of the value that is not there:
// calling one would panic.
func isOrphan(p *plan, v reflect.Value, m methods) bool {
	return p.kind == reflect.Pointer && v.IsNil() && p.elem.value&m != 0
}

// raw writes a value that others encoded.
func (e *encoder) raw(out attr.Value, p *plan, depth int) (bool, error) {
	if err := attr.CheckValue(out); err != nil {
		return false, &MarshalError{Type: p.typ, Err: err}
	}
	if depth == 0 {
		if out.Type() != attr.M {
			return false, &MarshalError{Type: p.typ, Reason: reasonNoItem}
		}
		return e.rawItem(out.MapItem(), p, depth)
	}
	if depth+attr.ValueDepth(out)-1 > attr.DepthMax {
		return false, &MarshalError{Type: p.typ, Err: &attr.ValueError{Kind: attr.TooDeep}}
	}
	if err := e.writeName(); err != nil {
		return false, err
	}
	e.enc.Value(out)
	return true, nil
}

// rawItem writes an item that others encoded.
func (e *encoder) rawItem(it attr.Item, p *plan, depth int) (bool, error) {
	if depth > 0 {
		return e.raw(attr.Map(it), p, depth)
	}
	if err := attr.CheckItem(it); err != nil {
		return false, &MarshalError{Type: p.typ, Err: err}
	}
	e.enc.Append(it)
	return true, nil
}

// structure writes the fields of a struct, in the order of their names, as the encoder likes them.
func (e *encoder) structure(p *plan, v reflect.Value, depth int) (bool, error) {
	if err := e.open(p, depth); err != nil {
		return false, err
	}
	for _, f := range p.sorted {
		fv, ok := fieldValue(v, f.index)
		if !ok {
			continue
		}
		e.pending, e.checked = f.bytes, f.fit
		if _, err := e.encode(f.plan, fv, f.opts, depth+1); err != nil {
			return false, inside(err, "."+f.name)
		}
	}
	e.close(depth)
	return true, nil
}

// fieldValue finds a field of v; ok is false when it lies in an embedded pointer that is nil.
func fieldValue(v reflect.Value, index []int) (fv reflect.Value, ok bool) {
	if len(index) == 1 {
		return v.Field(index[0]), true
	}
	for i, x := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, true
}

// open begins an M, or the item.
func (e *encoder) open(p *plan, depth int) error {
	if err := e.begin(p, depth); err != nil {
		return err
	}
	if depth == 0 {
		e.enc.BeginItem()
	} else {
		e.enc.BeginMap()
	}
	return nil
}

func (e *encoder) close(depth int) {
	e.pending = nil
	if depth == 0 {
		e.enc.EndItem()
	} else {
		e.enc.EndMap()
	}
}

// time writes a time.
func (e *encoder) time(p *plan, v reflect.Value, o options, depth int) (bool, error) {
	t := timeOf(v)
	if e.opts.OmitEmptyTime && o.has(omitEmpty) && t.IsZero() {
		return false, nil
	}
	switch {
	case o.has(asTs):
		ms, err := millis(t)
		if err != nil {
			return false, err
		}
		e.scratch = attr.AppendTs(e.scratch[:0], ms)
		return e.encoded(p, depth)
	case o.has(asUnixTime):
		e.scratch = attr.AppendInt(e.scratch[:0], t.Unix())
		return e.encoded(p, depth)
	case e.opts.EncodeTime == nil:
		e.scratch = t.AppendFormat(e.scratch[:0], time.RFC3339Nano)
		return e.str(p, e.scratch, depth)
	}
	out, err := e.opts.EncodeTime(t)
	if err != nil {
		return false, &MarshalError{Type: p.typ, Err: err}
	}
	if out == nil {
		return false, nil
	}
	return e.raw(out, p, depth)
}

// timeOf reads a time.Time, or a type made from it, without allocating where it can.
func timeOf(v reflect.Value) time.Time {
	if v.CanAddr() && v.CanInterface() {
		return *v.Addr().Convert(reflect.TypeFor[*time.Time]()).Interface().(*time.Time)
	}
	return v.Convert(reflect.TypeFor[time.Time]()).Interface().(time.Time)
}

// encoded writes the value in e.scratch.
func (e *encoder) encoded(p *plan, depth int) (bool, error) {
	if err := e.begin(p, depth); err != nil {
		return false, err
	}
	e.enc.Value(e.scratch)
	return true, nil
}

// str writes an S.
func (e *encoder) str(p *plan, text []byte, depth int) (bool, error) {
	if !utf8.Valid(text) {
		return false, &MarshalError{Type: p.typ, Err: ErrNotUTF8}
	}
	if err := e.begin(p, depth); err != nil {
		return false, err
	}
	e.enc.String(text)
	return true, nil
}

// number writes an N from its text, which lies in e.scratch.
func (e *encoder) number(p *plan, text []byte, o options, depth int) (bool, error) {
	e.scratch = text
	if o.has(asString) {
		return e.str(p, text, depth)
	}
	if err := e.begin(p, depth); err != nil {
		return false, err
	}
	if err := e.enc.Number(text); err != nil {
		return false, &MarshalError{Type: p.typ, Err: err}
	}
	return true, nil
}

// scalar writes what is neither a container nor a pointer.
func (e *encoder) scalar(p *plan, v reflect.Value, o options, depth int) (bool, error) {
	buf := e.scratch[:0]
	switch p.kind {
	case reflect.Bool:
		if err := e.begin(p, depth); err != nil {
			return false, err
		}
		e.enc.Bool(v.Bool())
		return true, nil
	case reflect.String:
		e.scratch = append(buf, v.String()...)
		return e.str(p, e.scratch, depth)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if o.has(asString) {
			return e.number(p, strconv.AppendInt(buf, v.Int(), 10), o, depth)
		}
		e.scratch = attr.AppendInt(buf, v.Int())
		return e.encoded(p, depth)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return e.number(p, strconv.AppendUint(buf, v.Uint(), 10), o, depth)
	case reflect.Float32:
		return e.number(p, strconv.AppendFloat(buf, v.Float(), 'f', -1, 32), o, depth)
	case reflect.Float64:
		return e.number(p, strconv.AppendFloat(buf, v.Float(), 'f', -1, 64), o, depth)
	}
	return false, nil // chan, func, complex, uintptr, or an interface behind a pointer
}

// inside puts the way to a part in front of the path of an error.
func inside(err error, step string) error {
	if e, ok := err.(*MarshalError); ok { //nolint:errorlint // one of a method of the value keeps its own path
		e.Path = step + e.Path
		return e
	}
	return &MarshalError{Path: step, Err: err}
}
