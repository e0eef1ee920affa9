package dump

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// pointers is a tree of the parts of JSON pointers; a leaf is a value of a type of its own.
type pointers map[string]pointers

// parsePointers makes the tree of a list.
func parsePointers(list []string) (pointers, error) {
	if len(list) > PointersMax {
		return nil, fmt.Errorf("member Native has %d pointers: want at most %d", len(list), PointersMax)
	}
	root := pointers{}
	for _, p := range list {
		if !strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("member Native: %q: want a pointer that begins with /", p)
		}
		at := root
		for part := range strings.SplitSeq(p[1:], "/") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
			next := at[part]
			if next == nil {
				next = pointers{}
				at[part] = next
			}
			at = next
		}
	}
	return root, nil
}

// withNatives gives the values that the pointers name their own types.
func withNatives(it attr.Item, list []string) (attr.Item, error) {
	root, err := parsePointers(list)
	if err != nil {
		return nil, err
	}
	var e attr.Encoder
	e.Reset(make([]byte, 0, len(it)))
	e.BeginItem()
	if err := entries(&e, it.Read(), root); err != nil {
		return nil, err
	}
	return e.EndItem(), nil
}

// entries rewrites those of an open item or map.
func entries(e *attr.Encoder, r attr.Reader, at pointers) error {
	seen := 0
	for name, v, ok := r.Next(); ok; name, v, ok = r.Next() {
		e.Name(name)
		next := at[string(name)]
		if next == nil {
			e.Value(v)
			continue
		}
		seen++
		if err := native(e, v, next); err != nil {
			return fmt.Errorf("/%s%w", name, err)
		}
	}
	if seen < len(at) {
		return errNoValue
	}
	return nil
}

// pointerError is a pointer that does not fit the item.
type pointerError string

func (e pointerError) Error() string { return string(e) }

const (
	errNoValue  = pointerError(": Native names a value that is not there")
	errNoVector = pointerError(": Native names a value that is neither an L of N that float32s hold nor an N of milliseconds")
)

// native rewrites a value under a pointer.
func native(e *attr.Encoder, v attr.Value, at pointers) error {
	switch {
	case len(at) == 0:
		return leaf(e, v)
	case v.Type() == attr.M:
		e.BeginMap()
		if err := entries(e, attr.MapReader(v), at); err != nil {
			return err
		}
		e.EndMap()
		return nil
	case v.Type() == attr.L:
		return elements(e, v, at)
	}
	return errNoValue
}

func elements(e *attr.Encoder, v attr.Value, at pointers) error {
	e.BeginList()
	elems := attr.ListReader(v)
	seen := 0
	for i := 0; elems.Next(); i++ {
		next := at[strconv.Itoa(i)]
		if next == nil {
			e.Value(elems.Value())
			continue
		}
		seen++
		if err := native(e, elems.Value(), next); err != nil {
			return fmt.Errorf("/%d%w", i, err)
		}
	}
	if seen < len(at) {
		return errNoValue
	}
	e.EndList()
	return nil
}

// leaf makes a VecF32 of an L and a Ts of an N.
func leaf(e *attr.Encoder, v attr.Value) error {
	switch v.Type() {
	case attr.N:
		ms, ok := v.Millis()
		if !ok {
			return errNoVector
		}
		e.Append(attr.AppendTs(nil, ms))
		return nil
	case attr.L:
		vec := make([]float32, 0, v.Len())
		for elems := attr.ListReader(v); elems.Next(); {
			if elems.Value().Type() != attr.N {
				return errNoVector
			}
			f, err := strconv.ParseFloat(string(number.AppendText(nil, elems.Value().Payload())), 32)
			if err != nil {
				return errNoVector
			}
			vec = append(vec, float32(f))
		}
		out, ok := attr.AppendVecF32(nil, vec)
		if !ok {
			return errNoVector
		}
		e.Append(out)
		return nil
	}
	return errNoVector
}
