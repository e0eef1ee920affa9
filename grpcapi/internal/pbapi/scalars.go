package pbapi

import (
	"math"
	"reflect"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/pbitem"
)

type wireField = pbitem.Field

// member is the member of a struct by its type: no allocation, and checked when the Codec was made.
func member[T any](v reflect.Value) *T {
	p, _ := reflect.TypeAssert[*T](v.Addr())
	return p
}

// optString is an optional string.
type optString struct{}

func (optString) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	*member[api.Opt[string]](v) = api.Some(d.keep(w.Bytes))
}

func (optString) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if p := member[api.Opt[string]](v); p.Set {
		dst = protowire.AppendString(f.tag(dst), p.Value)
	}
	return dst
}

// optBool is an optional bool.
type optBool struct{}

func (optBool) read(_ *Decoder, _ *field, v reflect.Value, w wireField) {
	*member[api.Opt[bool]](v) = api.Some(w.Bits != 0)
}

func (optBool) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if p := member[api.Opt[bool]](v); p.Set {
		dst = protowire.AppendVarint(f.tag(dst), protowire.EncodeBool(p.Value))
	}
	return dst
}

// optInt is an optional int64.
type optInt struct{}

func (optInt) read(_ *Decoder, _ *field, v reflect.Value, w wireField) {
	*member[api.Opt[int64]](v) = api.Some(int64(w.Bits))
}

func (optInt) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if p := member[api.Opt[int64]](v); p.Set {
		dst = protowire.AppendVarint(f.tag(dst), uint64(p.Value))
	}
	return dst
}

// optFloat is an optional double.
type optFloat struct{}

func (optFloat) read(_ *Decoder, _ *field, v reflect.Value, w wireField) {
	*member[api.Opt[float64]](v) = api.Some(math.Float64frombits(w.Bits))
}

func (optFloat) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if p := member[api.Opt[float64]](v); p.Set {
		dst = protowire.AppendFixed64(f.tag(dst), math.Float64bits(p.Value))
	}
	return dst
}

// optTime is an optional time, an int64 of milliseconds.
type optTime struct{}

func (optTime) read(_ *Decoder, _ *field, v reflect.Value, w wireField) {
	*member[api.Opt[time.Time]](v) = api.Some(time.UnixMilli(int64(w.Bits)).UTC())
}

func (optTime) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if p := member[api.Opt[time.Time]](v); p.Set {
		dst = protowire.AppendVarint(f.tag(dst), uint64(p.Value.UnixMilli()))
	}
	return dst
}

// text is a string that is empty when absent.
type text struct{}

func (text) read(d *Decoder, _ *field, v reflect.Value, w wireField) { v.SetString(d.keep(w.Bytes)) }

func (text) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if v.Len() > 0 {
		dst = protowire.AppendString(f.tag(dst), v.String())
	}
	return dst
}

// blob is bytes that are empty when absent. What is read aliases the message.
type blob struct{}

func (blob) read(_ *Decoder, _ *field, v reflect.Value, w wireField) { v.SetBytes(w.Bytes) }

func (blob) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	if v.Len() > 0 {
		dst = protowire.AppendBytes(f.tag(dst), v.Bytes())
	}
	return dst
}

// textList is a list of strings.
type textList struct{}

func (textList) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	d.count()
	p := member[[]string](v)
	*p = append(*p, d.keep(w.Bytes))
}

func (textList) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	for _, s := range *member[[]string](v) {
		dst = protowire.AppendString(f.tag(dst), s)
	}
	return dst
}

// floatList is a list of doubles, packed as protobuf does.
type floatList struct{}

func (floatList) read(d *Decoder, _ *field, v reflect.Value, w wireField) {
	p := member[[]float64](v)
	if w.Type != protowire.BytesType {
		*p = append(*p, math.Float64frombits(w.Bits))
		return
	}
	for rest := w.Bytes; len(rest) > 0; {
		bits, n := protowire.ConsumeFixed64(rest)
		if n < 0 {
			d.fail(pbitem.ErrMalformed)
			return
		}
		*p = append(*p, math.Float64frombits(bits))
		rest = rest[n:]
	}
}

func (floatList) append(_ *Encoder, dst []byte, f *field, v reflect.Value) []byte {
	list := *member[[]float64](v)
	if len(list) == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, f.num, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(8*len(list)))
	for _, x := range list {
		dst = protowire.AppendFixed64(dst, math.Float64bits(x))
	}
	return dst
}

// flagKind is a field of Flags.
type flagKind struct{}

func (flagKind) read(*Decoder, *field, reflect.Value, wireField) {}

func (flagKind) append(e *Encoder, dst []byte, f *field, _ reflect.Value) []byte {
	if f.name == flagJSON && e.Flags.DynamodbJSON || f.name == flagOnePage && e.Flags.OnePage {
		dst = protowire.AppendVarint(f.tag(dst), protowire.EncodeBool(true))
	}
	return dst
}
