package expr

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/attr"
)

// call evaluates a boolean function.
func (c *Condition) call(n *Call, item attr.Item) bool {
	v := c.value(n.Args[0], item)
	switch n.Fn {
	case FnAttributeExists:
		return v != nil
	case FnAttributeNotExists:
		return v == nil
	}
	if v == nil || len(n.Args) < 2 {
		return false
	}
	x := c.value(n.Args[1], item)
	if x == nil {
		return false
	}
	switch n.Fn {
	case FnAttributeType:
		return x.Type() == attr.S && string(x.Payload()) == wireType(v).String()
	case FnBeginsWith:
		return hasPrefixes(v.Type()) && v.Type() == x.Type() &&
			bytes.HasPrefix(v.Payload(), x.Payload())
	case FnContains:
		return contains(v, x)
	default:
		return false
	}
}

// contains tells whether x is a part of v: a substring, a run of bytes, a member of a set, an
// element of a list. An empty string is in every string (unsure).
func contains(v, x attr.Value) bool {
	switch v.Type() {
	case attr.S, attr.B:
		return v.Type() == x.Type() && bytes.Contains(v.Payload(), x.Payload())
	case attr.SS:
		return x.Type() == attr.S && hasMember(v, x.Payload())
	case attr.NS:
		return wireType(x) == attr.N && hasMember(v, x.Payload())
	case attr.BS:
		return x.Type() == attr.B && hasMember(v, x.Payload())
	case attr.L:
		for r := attr.ListReader(v); r.Next(); {
			if attr.Equal(r.Value(), x) {
				return true
			}
		}
	case attr.VecF32:
		return vectorContains(v.Payload(), x)
	}
	return false
}

// vectorContains tells whether a number is among the elements of a VecF32.
func vectorContains(vec []byte, x attr.Value) bool {
	var buf [24]byte // a number value
	for ; len(vec) >= 4; vec = vec[4:] {
		// Compare, unlike Equal, lets buf stay on the stack.
		if c, ok := attr.Compare(appendFloat32(buf[:0], vec), x); ok && c == 0 {
			return true
		}
	}
	return false
}

// hasMember tells whether a set has a member with these bytes.
func hasMember(set attr.Value, member []byte) bool {
	for r := attr.SetReader(set); r.Next(); {
		if bytes.Equal(r.Bytes(), member) {
			return true
		}
	}
	return false
}
