package validate

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// appendJava prints a value of a request as constraint errors show it, the way a Java program
// prints its objects: lists [a, b], maps {k=v}, structures Type(member=value, other=null).
func appendJava(dst []byte, v reflect.Value, s *shape) []byte {
	switch s.kind {
	case kindStructure:
		return appendStructure(dst, v, s)
	case kindList:
		return appendElems(dst, '[', v.Len(), ']', func(dst []byte, i int) []byte {
			return appendJava(dst, v.Index(i), s.of)
		})
	case kindMap, kindNames:
		return appendElems(dst, '{', v.Len(), '}', func(dst []byte, i int) []byte {
			dst = append(append(dst, v.Index(i).Field(0).String()...), '=')
			return appendJava(dst, v.Index(i).Field(1), s.of)
		})
	case kindValues:
		return appendElems(dst, '{', v.Len(), '}', func(dst []byte, i int) []byte {
			dst = append(append(dst, v.Index(i).Field(0).String()...), '=')
			return appendAttr(dst, attr.Value(v.Index(i).Field(1).Bytes()))
		})
	case kindItem:
		return appendItem(dst, attr.Item(v.Bytes()))
	case kindValue:
		return appendAttr(dst, attr.Value(v.Bytes()))
	case kindString:
		return append(dst, v.String()...)
	case kindInteger, kindLong:
		return strconv.AppendInt(dst, v.Int(), 10)
	case kindDouble:
		return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64)
	case kindBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case kindTimestamp:
		return v.Interface().(time.Time).UTC().AppendFormat(dst, time.UnixDate)
	}
	return base64.StdEncoding.AppendEncode(dst, v.Bytes())
}

func appendElems(dst []byte, open byte, n int, end byte, elem func([]byte, int) []byte) []byte {
	dst = append(dst, open)
	for i := range n {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = elem(dst, i)
	}
	return append(dst, end)
}

func appendStructure(dst []byte, v reflect.Value, s *shape) []byte {
	dst = append(append(dst, s.name...), '(')
	for i := range s.members {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		m := &s.members[i]
		dst = append(append(dst, m.name...), '=')
		if f, ok := present(v.Field(i), m.shape); ok {
			dst = appendJava(dst, f, m.shape)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, ')')
}

func appendItem(dst []byte, it attr.Item) []byte {
	dst = append(dst, '{')
	r := it.Read()
	for first := true; ; first = false {
		name, v, ok := r.Next()
		if !ok {
			return append(dst, '}')
		}
		if !first {
			dst = append(dst, ", "...)
		}
		dst = append(append(dst, name...), '=')
		dst = appendAttr(dst, v)
	}
}

// attrMembers are the members of an attribute value in the model's order.
const attrMembers = "S N B SS NS BS M L NULL BOOL"

// appendAttr prints an attribute value as a structure with all but one member null.
func appendAttr(dst []byte, v attr.Value) []byte {
	dst = append(dst, "AttributeValue("...)
	typ := ""
	if len(v) > 0 {
		typ = v.Type().String()
	}
	for i, m := range strings.Fields(attrMembers) {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, m[0]|0x20)
		dst = append(append(dst, m[1:]...), '=')
		if m == typ {
			dst = appendAttrMember(dst, v)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, ')')
}

func appendAttrMember(dst []byte, v attr.Value) []byte {
	switch v.Type() {
	case attr.S:
		return append(dst, v.Payload()...)
	case attr.N:
		return number.AppendText(dst, v.Payload())
	case attr.B:
		return base64.StdEncoding.AppendEncode(dst, v.Payload())
	case attr.BOOL:
		return strconv.AppendBool(dst, v.Bool())
	case attr.M:
		return appendItem(dst, v.MapItem())
	case attr.L:
		dst = append(dst, '[')
		e := attr.ListReader(v)
		for first := true; e.Next(); first = false {
			if !first {
				dst = append(dst, ", "...)
			}
			dst = appendAttr(dst, e.Value())
		}
		return append(dst, ']')
	case attr.SS, attr.NS, attr.BS:
		return appendSet(dst, v)
	}
	return append(dst, "true"...)
}

func appendSet(dst []byte, v attr.Value) []byte {
	dst = append(dst, '[')
	e := attr.SetReader(v)
	for first := true; e.Next(); first = false {
		if !first {
			dst = append(dst, ", "...)
		}
		switch v.Type() {
		case attr.NS:
			dst = number.AppendText(dst, e.Bytes())
		case attr.BS:
			dst = base64.StdEncoding.AppendEncode(dst, e.Bytes())
		default:
			dst = append(dst, e.Bytes()...)
		}
	}
	return append(dst, ']')
}
