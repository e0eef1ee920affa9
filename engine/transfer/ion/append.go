package ion

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

const (
	annotationSS = "$dynamodb_SS"
	annotationNS = "$dynamodb_NS"
	annotationBS = "$dynamodb_BS"
)

// AppendItem appends the line of an item, with its end.
func AppendItem(dst []byte, item attr.Item) []byte {
	return append(AppendStruct(append(dst, "$ion_1_0 {Item:"...), item), "}\n"...)
}

// AppendChange appends the line of a change, with its end. before and after are nil where there was no item
// or none is wanted. micros is the time of the last write in microseconds since 1970.
func AppendChange(dst []byte, micros int64, key, before, after attr.Item) []byte {
	dst = AppendStruct(append(dst, "$ion_1_0 {Record:{Keys:"...), key)
	dst = append(dst, ",Metadata:{WriteTimestampMicros:"...)
	dst = append(strconv.AppendInt(dst, micros, 10), ".}"...)
	if before != nil {
		dst = AppendStruct(append(dst, ",OldImage:"...), before)
	}
	if after != nil {
		dst = AppendStruct(append(dst, ",NewImage:"...), after)
	}
	return append(dst, "}}\n"...)
}

// AppendStruct appends an item as a struct.
func AppendStruct(dst []byte, item attr.Item) []byte { return appendEntries(dst, item.Read()) }

func appendEntries(dst []byte, r attr.Reader) []byte {
	dst = append(dst, '{')
	first := true
	for {
		name, v, ok := r.Next()
		if !ok {
			return append(dst, '}')
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendSymbol(dst, string(name)), ':')
		dst = AppendValue(dst, v)
	}
}

// AppendValue appends a value.
func AppendValue(dst []byte, v attr.Value) []byte {
	p := v.Payload()
	switch t := v.Type(); t {
	case attr.S:
		return appendQuoted(dst, '"', string(p))
	case attr.N, attr.Ts:
		return appendDecimal(dst, p)
	case attr.B:
		return appendBlob(dst, p)
	case attr.BOOL:
		return strconv.AppendBool(dst, v.Bool())
	case attr.L:
		dst = append(dst, '[')
		r := attr.ListReader(v)
		for first := true; r.Next(); first = false {
			if !first {
				dst = append(dst, ',')
			}
			dst = AppendValue(dst, r.Value())
		}
		return append(dst, ']')
	case attr.M:
		return appendEntries(dst, attr.MapReader(v))
	case attr.SS, attr.NS, attr.BS:
		return appendSet(dst, t, v)
	case attr.VecF32:
		return appendVector(dst, v)
	}
	return append(dst, "null"...)
}

func appendSet(dst []byte, t attr.Type, v attr.Value) []byte {
	note := annotationSS
	switch t {
	case attr.NS:
		note = annotationNS
	case attr.BS:
		note = annotationBS
	}
	dst = append(append(dst, note...), "::["...)
	r := attr.SetReader(v)
	for first := true; r.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		switch t {
		case attr.NS:
			dst = appendDecimal(dst, r.Bytes())
		case attr.BS:
			dst = appendBlob(dst, r.Bytes())
		default:
			dst = appendQuoted(dst, '"', string(r.Bytes()))
		}
	}
	return append(dst, ']')
}

// appendVector writes the shortest decimals that read back as the same numbers.
func appendVector(dst []byte, v attr.Value) []byte {
	dst = append(dst, '[')
	for i, f := range v.Float32s(nil) {
		if i > 0 {
			dst = append(dst, ',')
		}
		enc, err := number.Parse(nil, strconv.AppendFloat(nil, float64(f), 'g', -1, 32))
		if err != nil || math.IsNaN(float64(f)) { // an item has none that are no numbers
			enc = number.FromInt(nil, 0)
		}
		dst = appendDecimal(dst, enc)
	}
	return append(dst, ']')
}

func appendBlob(dst, p []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, "{{"...), p), "}}"...)
}

// appendDecimal writes a number as the service does: 103 is 103., 600 is 6d2, 12.5 is 12.5 and 0.05 is 5d-2.
func appendDecimal(dst, enc []byte) []byte {
	var room [number.TextMaxBytes]byte
	text := string(number.AppendText(room[:0], enc))
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		dst, text = append(dst, '-'), rest
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return append(dst, "0."...)
	}
	if fraction == "" {
		short := strings.TrimRight(digits, "0")
		if n := len(digits) - len(short); n > 0 {
			return strconv.AppendInt(append(append(dst, short...), 'd'), int64(n), 10)
		}
		return append(append(dst, digits...), '.')
	}
	if before := len(digits) - len(fraction); before > 0 {
		return append(append(append(dst, digits[:before]...), '.'), digits[before:]...)
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	return strconv.AppendInt(append(dst, "d-"...), int64(len(fraction)-len(digits)+1), 10)
}

// appendSymbol writes a name, in quotes where it would not be read as one without.
func appendSymbol(dst []byte, name string) []byte {
	if isIdentifier(name) {
		return append(dst, name...)
	}
	return appendQuoted(dst, '\'', name)
}

func isIdentifier(name string) bool {
	switch name {
	case "", "null", "true", "false", "nan":
		return false
	}
	if c := name[0]; c >= '0' && c <= '9' || c == '$' { // $10 would be a number of a symbol
		return false
	}
	for i := range len(name) {
		if !isWord(name[i]) {
			return false
		}
	}
	return true
}

func appendQuoted(dst []byte, quote byte, s string) []byte {
	dst = append(dst, quote)
	for i := range len(s) {
		c := s[i]
		switch {
		case c == quote || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, quote)
}
