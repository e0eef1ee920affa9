package items

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// plainReader reads plain JSON into the binary form in one pass.
type plainReader struct {
	s   codec.Scanner
	enc attr.Encoder
}

// readPlain reads an object that is known to be JSON.
func readPlain(text []byte) (attr.Item, error) {
	var r plainReader
	r.s.Reset(text)
	r.enc.Reset(make([]byte, 0, len(text))) // not nil, which is an absent item
	r.s.Object()
	r.enc.BeginItem()
	if err := r.entries(1); err != nil {
		return nil, err
	}
	if r.s.Failed() {
		return nil, errNoObject // JSON of Go and not of the service
	}
	return r.enc.EndItem(), nil
}

// entries reads the entries of an open object whose values have the depth.
func (r *plainReader) entries(depth int) error {
	for name, ok := r.s.Key(true); ok; name, ok = r.s.Key(false) {
		switch {
		case len(name) > attr.NameMaxBytes:
			return &attr.ValueError{Kind: attr.NameTooLong}
		case len(name) == 0 && depth == 1:
			return &attr.ValueError{Kind: attr.NameEmpty}
		}
		// The name is gone once the next string is read.
		path := string(name)
		r.enc.Name(name)
		if err := r.value(depth); err != nil {
			return within(path, err)
		}
	}
	return nil
}

// value reads one value.
func (r *plainReader) value(depth int) error {
	if depth > attr.DepthMax {
		return &attr.ValueError{Kind: attr.TooDeep}
	}
	switch r.s.Peek() {
	case '{':
		r.s.Object()
		r.enc.BeginMap()
		if err := r.entries(depth + 1); err != nil {
			return err
		}
		r.enc.EndMap()
	case '[':
		return r.list(depth)
	case '"':
		text, _ := r.s.String()
		r.enc.String(text)
	case 't', 'f':
		v, _ := r.s.Bool()
		r.enc.Bool(v)
	case 'n':
		r.s.Null()
		r.enc.Null()
	default:
		text, _ := r.s.Number()
		if bad := r.enc.Number(text); bad != nil {
			return bad
		}
	}
	return nil
}

func (r *plainReader) list(depth int) error {
	r.s.Array()
	r.enc.BeginList()
	i := 0
	for more := r.s.Elem(true); more; more = r.s.Elem(false) {
		if err := r.value(depth + 1); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
		i++
	}
	r.enc.EndList()
	return nil
}

// pathError is a fault with the place of its value.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return fmt.Sprintf("%s: %v", e.path, e.err) }
func (e *pathError) Unwrap() error { return e.err }

// within puts a name or an index before the place of a fault.
func within(step string, err error) error {
	inner, ok := errors.AsType[*pathError](err)
	switch {
	case !ok:
		return &pathError{path: step, err: err}
	case inner.path[0] != '[':
		step += "."
	}
	return &pathError{path: step + inner.path, err: inner.err}
}

// AppendPlain appends an item as a plain JSON object on one line.
func AppendPlain(dst []byte, it attr.Item) []byte { return appendPlainEntries(dst, it.Read()) }

func appendPlainEntries(dst []byte, r attr.Reader) []byte {
	dst = append(dst, '{')
	first := true
	for name, v, ok := r.Next(); ok; name, v, ok = r.Next() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = codec.AppendJSONString(dst, string(name))
		dst = append(dst, ':')
		dst = AppendPlainValue(dst, v)
	}
	return append(dst, '}')
}

// AppendPlainValue appends a value as plain JSON; an absent one as null.
func AppendPlainValue(dst []byte, v attr.Value) []byte {
	switch v.Type() {
	case attr.S:
		return codec.AppendJSONString(dst, v.Text())
	case attr.N, attr.Ts:
		return number.AppendText(dst, v.Payload())
	case attr.B:
		return appendBase64(dst, v.Payload())
	case attr.BOOL:
		return strconv.AppendBool(dst, v.Bool())
	case attr.M:
		return appendPlainEntries(dst, attr.MapReader(v))
	case attr.L, attr.SS, attr.NS, attr.BS:
		return appendPlainElements(dst, v)
	case attr.VecF32:
		return appendPlainVector(dst, v)
	case attr.NULL:
	}
	return append(dst, "null"...)
}

func appendPlainElements(dst []byte, v attr.Value) []byte {
	elems := attr.SetReader(v)
	if v.Type() == attr.L {
		elems = attr.ListReader(v)
	}
	dst = append(dst, '[')
	for first := true; elems.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		switch v.Type() {
		case attr.SS:
			dst = codec.AppendJSONString(dst, string(elems.Bytes()))
		case attr.NS:
			dst = number.AppendText(dst, elems.Bytes())
		case attr.BS:
			dst = appendBase64(dst, elems.Bytes())
		default:
			dst = AppendPlainValue(dst, elems.Value())
		}
	}
	return append(dst, ']')
}

func appendPlainVector(dst []byte, v attr.Value) []byte {
	dst = append(dst, '[')
	for i, f := range v.Float32s(nil) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(f), 'g', -1, 32)
	}
	return append(dst, ']')
}

func appendBase64(dst, p []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, p)
	return append(dst, '"')
}

// readPlainList reads a list that is known to be JSON.
func readPlainList(text []byte) ([]attr.Value, error) {
	var r plainReader
	r.s.Reset(text)
	r.enc.Reset(nil)
	if err := r.value(0); err != nil { // its elements have depth 1
		return nil, err
	}
	if r.s.Failed() {
		return nil, errNoObject
	}
	var out []attr.Value
	for elems := attr.ListReader(attr.Value(r.enc.Bytes())); elems.Next(); {
		out = append(out, elems.Value())
	}
	return out, nil
}
