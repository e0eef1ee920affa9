package codec

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

const hexDigits = "0123456789abcdef"

// AppendJSONString appends s as a JSON string. Items and texts are valid UTF-8; other bytes pass
// as they are.
func AppendJSONString(dst []byte, s string) []byte {
	// The bytes are only read, and only during the call.
	return appendBytes(dst, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// appendBytes is AppendJSONString for bytes.
func appendBytes(dst, s []byte) []byte {
	return append(appendText(append(dst, '"'), s), '"')
}

// appendText appends what stands between the quotes.
func appendText(dst, s []byte) []byte {
	if plain(s) { // nearly always
		return append(dst, s...)
	}
	start := 0
	for i, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, s[start:i]...), c)
			start = i + 1
		}
	}
	return append(dst, s[start:]...)
}

// plain says that no byte needs an escape. Words that overlap save a loop over the last bytes.
func plain(s []byte) bool {
	n := len(s)
	switch {
	case n >= 8:
		marks := special(binary.LittleEndian.Uint64(s[n-8:]))
		for ; len(s) > 16; s = s[16:] {
			marks |= special(binary.LittleEndian.Uint64(s)) | special(binary.LittleEndian.Uint64(s[8:]))
		}
		if len(s) > 8 {
			marks |= special(binary.LittleEndian.Uint64(s))
		}
		return marks == 0
	case n >= 4:
		return special(uint64(binary.LittleEndian.Uint32(s))|uint64(binary.LittleEndian.Uint32(s[n-4:]))<<32) == 0
	}
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendJSONFloat appends a number with at least one digit of fraction, as the service writes
// capacities: 0.5, 1.0.
func AppendJSONFloat(dst []byte, f float64) []byte {
	if f == math.Trunc(f) {
		return strconv.AppendFloat(dst, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// AppendItem appends an item as the JSON object that AttributeMap is on the wire.
func AppendItem(dst []byte, it attr.Item) []byte { return appendEntries(dst, it.Read()) }

func appendEntries(dst []byte, r attr.Reader) []byte {
	name, v, ok := r.Next()
	if !ok {
		return append(dst, "{}"...)
	}
	dst = append(dst, `{"`...)
	for {
		dst = append(appendText(dst, name), `":`...)
		dst = AppendValue(dst, v)
		if name, v, ok = r.Next(); !ok {
			return append(dst, '}')
		}
		dst = append(dst, `,"`...)
	}
}

// AppendValue appends an AttributeValue. A VecF32 is written as an L of N and a Ts as an N, since
// clients know no such types; a value that is absent as {}.
func AppendValue(dst []byte, v attr.Value) []byte {
	p := v.Payload()
	switch t := v.Type(); t {
	case attr.S:
		return append(appendText(append(dst, `{"S":"`...), p), `"}`...)
	case attr.N, attr.Ts:
		return append(number.AppendText(append(dst, `{"N":"`...), p), `"}`...)
	case attr.B:
		return append(appendBase64(append(dst, `{"B":`...), p), '}')
	case attr.BOOL:
		if v.Bool() {
			return append(dst, `{"BOOL":true}`...)
		}
		return append(dst, `{"BOOL":false}`...)
	case attr.NULL:
		return append(dst, `{"NULL":true}`...)
	case attr.L:
		return appendList(dst, v)
	case attr.M:
		return append(appendEntries(append(dst, `{"M":`...), attr.MapReader(v)), '}')
	case attr.SS, attr.NS, attr.BS:
		return appendSet(dst, t, v)
	case attr.VecF32:
		return appendVector(dst, p)
	}
	return append(dst, "{}"...)
}

func appendBase64(dst, p []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), p), '"')
}

func appendList(dst []byte, v attr.Value) []byte {
	dst = append(dst, `{"L":[`...)
	r := attr.ListReader(v)
	for first := true; r.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		dst = AppendValue(dst, r.Value())
	}
	return append(dst, "]}"...)
}

func appendSet(dst []byte, t attr.Type, v attr.Value) []byte {
	dst = append(append(append(dst, `{"`...), t.String()...), `":[`...)
	r := attr.SetReader(v)
	for first := true; r.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		switch t {
		case attr.NS:
			dst = append(number.AppendText(append(dst, '"'), r.Bytes()), '"')
		case attr.BS:
			dst = appendBase64(dst, r.Bytes())
		default:
			dst = appendBytes(dst, r.Bytes())
		}
	}
	return append(dst, "]}"...)
}

// appendVector writes each element as the shortest decimal that reads back as the same float32.
func appendVector(dst, p []byte) []byte {
	dst = append(dst, `{"L":[`...)
	for first := true; len(p) >= 4; first = false {
		if !first {
			dst = append(dst, ',')
		}
		f := math.Float32frombits(binary.LittleEndian.Uint32(p))
		dst = append(dst, `{"N":"`...)
		dst = strconv.AppendFloat(dst, float64(f), 'f', -1, 32)
		dst = append(dst, `"}`...)
		p = p[4:]
	}
	return append(dst, "]}"...)
}

// object writes the members of a JSON object, those that are there.
type object struct {
	dst   []byte
	comma bool
}

func openObject(dst []byte) object { return object{dst: append(dst, '{')} }

func (o *object) close() []byte { return append(o.dst, '}') }

// name begins a member, whose value must be appended to dst next.
func (o *object) name(name string) {
	if o.comma {
		o.dst = append(o.dst, ',')
	}
	o.comma = true
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

// key is name for a name that may need escapes.
func (o *object) key(key string) {
	if o.comma {
		o.dst = append(o.dst, ',')
	}
	o.comma = true
	o.dst = append(AppendJSONString(o.dst, key), ':')
}

func (o *object) str(name string, v api.Opt[string]) {
	if v.Set {
		o.name(name)
		o.dst = AppendJSONString(o.dst, v.Value)
	}
}

func (o *object) integer(name string, v api.Opt[int64]) {
	if v.Set {
		o.name(name)
		o.dst = strconv.AppendInt(o.dst, v.Value, 10)
	}
}

func (o *object) boolean(name string, v api.Opt[bool]) {
	if v.Set {
		o.name(name)
		o.dst = strconv.AppendBool(o.dst, v.Value)
	}
}

func (o *object) float(name string, v api.Opt[float64]) {
	if v.Set {
		o.name(name)
		o.dst = AppendJSONFloat(o.dst, v.Value)
	}
}

func (o *object) item(name string, it attr.Item) {
	if it != nil {
		o.name(name)
		o.dst = AppendItem(o.dst, it)
	}
}

// items writes a list of items that is there.
func (o *object) items(name string, items []attr.Item) {
	if items != nil {
		o.name(name)
		o.dst = appendAll(o.dst, items, func(dst []byte, it *attr.Item) []byte {
			return AppendItem(dst, *it)
		})
	}
}

func (o *object) strings(name string, list []string) {
	if list != nil {
		o.name(name)
		o.dst = appendAll(o.dst, list, func(dst []byte, s *string) []byte {
			return AppendJSONString(dst, *s)
		})
	}
}

// appendAll writes a JSON array.
func appendAll[T any](dst []byte, list []T, one func([]byte, *T) []byte) []byte {
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, &list[i])
	}
	return append(dst, ']')
}
