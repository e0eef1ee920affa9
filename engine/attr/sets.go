package attr

import (
	"bytes"
	"encoding/binary"
)

// SetHas reports whether an S, N (or Ts) or B value is a member of an SS, NS
// or BS; false when the types do not fit.
func SetHas(set, elem Value) bool {
	if !memberType(set.Type(), elem.Type()) {
		return false
	}
	want := elem.Payload()
	for r := SetReader(set); r.Next(); {
		switch bytes.Compare(r.Bytes(), want) {
		case 0:
			return true
		case 1:
			return false // sorted
		}
	}
	return false
}

func memberType(set, elem Type) bool {
	switch set {
	case SS:
		return elem == S
	case NS:
		return isNumber(elem)
	case BS:
		return elem == B
	}
	return false
}

// SetUnion gives the set of the members of both, which must be sets of one
// type; otherwise nil.
func SetUnion(a, b Value) Value {
	return combine(a, b, func(inA, inB bool) bool { return inA || inB })
}

// SetDiff gives the set of the members of a that are not in b; nil when none
// is left or the two are not sets of one type.
func SetDiff(a, b Value) Value {
	return combine(a, b, func(inA, inB bool) bool { return inA && !inB })
}

// combine merges two sorted sets, keeping the members that keep wants.
func combine(a, b Value, keep func(inA, inB bool) bool) Value {
	t := a.Type()
	if t != b.Type() || t != SS && t != NS && t != BS {
		return nil
	}
	ra, rb := SetReader(a), SetReader(b)
	payload := make([]byte, 0, len(a)+len(b))
	empty := false
	put := func(member []byte, inA, inB bool) {
		switch {
		case !keep(inA, inB):
		case len(member) == 0:
			empty = true
		default:
			payload = binary.AppendUvarint(payload, uint64(len(member)))
			payload = append(payload, member...)
		}
	}
	oka, okb := ra.Next(), rb.Next()
	for oka || okb {
		order := -1
		switch {
		case !oka:
			order = 1
		case okb:
			order = bytes.Compare(ra.Bytes(), rb.Bytes())
		}
		if order <= 0 {
			put(ra.Bytes(), true, order == 0)
			oka = ra.Next()
		} else {
			put(rb.Bytes(), false, true)
		}
		if order >= 0 {
			okb = rb.Next()
		}
	}
	if empty {
		t = withEmpty(t)
	} else if len(payload) == 0 {
		return nil
	}
	out := make(Value, 0, headLen(len(payload))+len(payload))
	return append(AppendHead(out, t, len(payload)), payload...)
}
