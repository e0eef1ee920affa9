package attr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/number"
)

// CheckItem verifies untrusted bytes as an item: structure, types, order and
// uniqueness of names and set members, UTF-8, numbers, minimal lengths, names
// of 1 to NameMaxBytes bytes and nesting of at most DepthMax. What it accepts
// has exactly one binary form, the one given. It does not look at the item's
// size. Errors wrap ErrMalformed.
func CheckItem(p []byte) error { return checkEntries(p, 1, 1) }

// CheckValue verifies untrusted bytes as one value; see CheckItem.
func CheckValue(p []byte) error {
	rest, err := checkValue(p, 1)
	if err == nil && len(rest) > 0 {
		return malformed("bytes behind the value")
	}
	return err
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// cutMinimal is cutBytes for untrusted bytes: the length must be written in
// the shortest way.
func cutMinimal(p []byte) (head, rest []byte, err error) {
	head, rest, ok := cutBytes(p)
	if !ok {
		return nil, nil, malformed("length beyond the end")
	}
	if len(p)-len(rest)-len(head) != uvarintLen(uint64(len(head))) {
		return nil, nil, malformed("length not minimal")
	}
	return head, rest, nil
}

func checkEntries(p []byte, depth, nameMin int) error {
	var last []byte
	for first := true; len(p) > 0; first = false {
		name, rest, err := cutMinimal(p)
		switch {
		case err != nil:
			return err
		case len(name) < nameMin || len(name) > NameMaxBytes:
			return malformed("length of a name")
		case !utf8.Valid(name):
			return malformed("name not UTF-8")
		case !first && bytes.Compare(last, name) >= 0:
			return malformed("names not ascending")
		}
		last = name
		if p, err = checkValue(rest, depth); err != nil {
			return err
		}
	}
	return nil
}

// checkValue verifies the value at the head of p and gives what follows it.
func checkValue(p []byte, depth int) (rest []byte, err error) {
	if depth > DepthMax {
		return nil, malformed("nested too deep")
	}
	if len(p) == 0 {
		return nil, malformed("no value")
	}
	n := int(p[0] >> 4)
	payload := p[1:]
	if n == lenFollows {
		if payload, rest, err = cutMinimal(p[1:]); err != nil {
			return nil, err
		}
		if len(payload) <= inlineMax {
			return nil, malformed("length not minimal")
		}
	} else {
		if n > len(payload) {
			return nil, malformed("length beyond the end")
		}
		payload, rest = payload[:n], payload[n:]
	}
	return rest, checkPayload(Type(p[0]&typeMask), payload, depth)
}

func checkPayload(t Type, p []byte, depth int) error { //nolint:funlen // one flat switch
	switch t {
	case S:
		if !utf8.Valid(p) {
			return malformed("S not UTF-8")
		}
	case B:
	case N:
		return checkNumber(p)
	case BOOL:
		if len(p) != 1 || p[0] > 1 {
			return malformed("BOOL")
		}
	case NULL:
		if len(p) != 0 {
			return malformed("NULL")
		}
	case L:
		for len(p) > 0 {
			rest, err := checkValue(p, depth+1)
			if err != nil {
				return err
			}
			p = rest
		}
	case M:
		return checkEntries(p, depth+1, 0)
	case SS, NS, BS, ssEmpty, bsEmpty:
		return checkSet(t, p)
	case VecF32:
		if len(p) > 0 && depth >= DepthMax {
			return malformed("nested too deep")
		}
		return checkVec(p)
	case Ts:
		if err := checkNumber(p); err != nil {
			return err
		}
		if _, ok := number.Int(p); !ok {
			return malformed("Ts")
		}
	default:
		return malformed("unknown type")
	}
	return nil
}

func checkNumber(p []byte) error {
	if err := number.Valid(p); err != nil {
		return malformed(err.Error())
	}
	return nil
}

func checkSet(t Type, p []byte) error {
	if len(p) == 0 && t < ssEmpty {
		return malformed("empty set")
	}
	var last []byte
	for len(p) > 0 {
		elem, rest, err := cutMinimal(p)
		if err != nil {
			return err
		}
		if len(elem) == 0 || last != nil && bytes.Compare(last, elem) >= 0 {
			return malformed("set members not ascending")
		}
		switch t {
		case NS:
			if err := checkNumber(elem); err != nil {
				return err
			}
		case SS, ssEmpty:
			if !utf8.Valid(elem) {
				return malformed("SS not UTF-8")
			}
		}
		last, p = elem, rest
	}
	return nil
}

func checkVec(p []byte) error {
	if len(p)%4 != 0 {
		return malformed("length of VecF32")
	}
	const expMask, minusZero = 0x7f800000, 0x80000000
	for ; len(p) > 0; p = p[4:] {
		bits := binary.LittleEndian.Uint32(p)
		if bits&expMask == expMask || bits == minusZero {
			return malformed("element of VecF32")
		}
	}
	return nil
}

// ValueDepth is the nesting depth of a value, 1 for a scalar or a set. It goes
// no deeper than DepthMax+1, which stands for anything deeper.
func ValueDepth(v Value) int { return valueDepth(v, 1) }

// ItemDepth is the depth of the deepest attribute, 0 for an item without any.
func ItemDepth(it Item) int {
	deepest := 0
	for r := it.Read(); ; {
		_, v, ok := r.Next()
		if !ok {
			return deepest
		}
		deepest = max(deepest, ValueDepth(v))
	}
}

func valueDepth(v Value, depth int) int {
	deepest := depth
	if depth > DepthMax {
		return depth
	}
	switch v.Type() {
	case L:
		for r := ListReader(v); r.Next(); {
			deepest = max(deepest, valueDepth(r.Value(), depth+1))
		}
	case M:
		for r := MapReader(v); ; {
			_, e, ok := r.Next()
			if !ok {
				return deepest
			}
			deepest = max(deepest, valueDepth(e, depth+1))
		}
	case VecF32:
		if len(v.Payload()) > 0 {
			return depth + 1
		}
	}
	return deepest
}
