package codec

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
)

// AppendSlow appends the JSON body of an answer of any operation; out is a pointer to the operation's
// output struct, such as *api.CreateTableOutput. For hot operations there are faster functions. Absent members are left out,
// timestamps are seconds since 1970 with milliseconds as fraction, doubles keep a fraction.
func AppendSlow(dst []byte, operation string, out any) []byte {
	op, ok := slowOperation(operation)
	if !ok {
		return append(dst, "{}"...)
	}
	return appendSlowStructure(dst, reflect.ValueOf(out).Elem(), op.output)
}

func appendSlowStructure(dst []byte, v reflect.Value, s *slowShape) []byte {
	dst = append(dst, '{')
	first := true
	for i := range s.members {
		m := &s.members[i]
		f, ok := slowPresent(v.Field(i), m.shape)
		if !ok {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = append(append(dst, m.name...), `":`...)
		dst = appendSlow(dst, f, m.shape)
	}
	return append(dst, '}')
}

// slowPresent returns the value that a member holds, and whether it holds one.
func slowPresent(f reflect.Value, s *slowShape) (reflect.Value, bool) {
	switch s.kind {
	case slowStructure:
		if f.IsNil() {
			return f, false
		}
		return f.Elem(), true
	case slowList, slowMap, slowItem, slowNames, slowValues, slowValue, slowBlob:
		return f, !f.IsNil()
	}
	return f.Field(0), f.Field(1).Bool()
}

func appendSlow(dst []byte, v reflect.Value, s *slowShape) []byte {
	switch s.kind {
	case slowStructure:
		return appendSlowStructure(dst, v, s)
	case slowList:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendSlow(dst, v.Index(i), s.of)
		}
		return append(dst, ']')
	case slowMap, slowNames, slowValues:
		dst = append(dst, '{')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendJSONString(dst, v.Index(i).Field(0).String()), ':')
			dst = appendSlow(dst, v.Index(i).Field(1), s.of)
		}
		return append(dst, '}')
	case slowItem:
		return AppendItem(dst, attr.Item(v.Bytes()))
	case slowValue:
		if v.IsNil() {
			return append(dst, "null"...)
		}
		return AppendValue(dst, attr.Value(v.Bytes()))
	case slowBlob:
		dst = append(dst, '"')
		return append(base64.StdEncoding.AppendEncode(dst, v.Bytes()), '"')
	}
	return appendSlowScalar(dst, v, s)
}

func appendSlowScalar(dst []byte, v reflect.Value, s *slowShape) []byte {
	switch s.kind {
	case slowString:
		return AppendJSONString(dst, v.String())
	case slowInteger, slowLong:
		return strconv.AppendInt(dst, v.Int(), 10)
	case slowBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case slowDouble:
		return AppendJSONFloat(dst, v.Float())
	}
	t, _ := v.Interface().(time.Time)
	return appendTime(dst, t)
}
