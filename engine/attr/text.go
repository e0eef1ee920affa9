package attr

import (
	"encoding/base64"
	"strconv"

	"github.com/keystone-db/kstone/engine/number"
)

// Texts of what has no DynamoDB JSON.
const (
	textAbsent    = "absent"
	textMalformed = "malformed"
)

// String is the value as DynamoDB JSON, with VecF32 and Ts as further types: {"S":"x"}. It is for logs
// and failing tests; absent and malformed values have a text, too.
func (v Value) String() string {
	switch {
	case v == nil:
		return textAbsent
	case CheckValue(v) != nil:
		return textMalformed
	}
	return string(appendValueText(nil, v))
}

// Scalar is the content of an S, N or B as a string, as DynamoDB JSON has it between the quotes; a Ts is
// written as the N that it is on the wire. It is empty for every other type.
func (v Value) Scalar() string {
	switch v.Type() {
	case S:
		return v.Text()
	case N, Ts:
		return string(number.AppendText(nil, v.Payload()))
	case B:
		return base64.StdEncoding.EncodeToString(v.Payload())
	}
	return ""
}

// String is the item as DynamoDB JSON, like Value.String: {"pk":{"S":"x"}}.
func (it Item) String() string {
	switch {
	case it == nil:
		return textAbsent
	case CheckItem(it) != nil:
		return textMalformed
	}
	return string(appendEntriesText(nil, it.Read()))
}

func appendEntriesText(dst []byte, r Reader) []byte {
	dst = append(dst, '{')
	for first := true; ; first = false {
		name, v, ok := r.Next()
		if !ok {
			return append(dst, '}')
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = append(strconv.AppendQuote(dst, string(name)), ':')
		dst = appendValueText(dst, v)
	}
}

func appendValueText(dst []byte, v Value) []byte {
	dst = append(append(append(dst, `{"`...), v.Type().String()...), `":`...)
	switch v.Type() {
	case S:
		dst = strconv.AppendQuote(dst, v.Text())
	case N:
		dst = append(number.AppendText(append(dst, '"'), v.Payload()), '"')
	case Ts:
		dst = number.AppendText(dst, v.Payload())
	case B:
		dst = appendBase64Text(dst, v.Payload())
	case BOOL:
		dst = strconv.AppendBool(dst, v.Bool())
	case NULL:
		dst = append(dst, "true"...)
	case M:
		dst = appendEntriesText(dst, MapReader(v))
	case L:
		elems := ListReader(v)
		dst = appendElementsText(dst, &elems, func(dst []byte) []byte { return appendValueText(dst, elems.Value()) })
	case SS:
		elems := SetReader(v)
		dst = appendElementsText(dst, &elems, func(dst []byte) []byte { return strconv.AppendQuote(dst, string(elems.Bytes())) })
	case NS:
		elems := SetReader(v)
		dst = appendElementsText(dst, &elems, func(dst []byte) []byte {
			return append(number.AppendText(append(dst, '"'), elems.Bytes()), '"')
		})
	case BS:
		elems := SetReader(v)
		dst = appendElementsText(dst, &elems, func(dst []byte) []byte { return appendBase64Text(dst, elems.Bytes()) })
	case VecF32:
		dst = append(dst, '[')
		for i, f := range v.Float32s(nil) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendFloat(dst, float64(f), 'g', -1, 32)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendElementsText appends the elements in brackets; each appends the present one.
func appendElementsText(dst []byte, elems *Elems, each func([]byte) []byte) []byte {
	dst = append(dst, '[')
	for first := true; elems.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		dst = each(dst)
	}
	return append(dst, ']')
}

func appendBase64Text(dst, p []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), p), '"')
}
