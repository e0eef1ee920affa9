package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Condition keys that requests here have, in lower case. Documents with others are refused: a condition
// that is never met would let in, or keep out, whom it should not.
const (
	KeyPrincipalArn     = "aws:principalarn"
	KeyPrincipalAccount = "aws:principalaccount"
	KeyPrincipalType    = "aws:principaltype"
	KeyUserName         = "aws:username"
	KeyCurrentTime      = "aws:currenttime"
	KeyEpochTime        = "aws:epochtime"
	KeySourceIP         = "aws:sourceip"
	KeySecureTransport  = "aws:securetransport"
	KeyLeadingKeys      = "dynamodb:leadingkeys"
	KeySelect           = "dynamodb:select"
	KeyReturnValues     = "dynamodb:returnvalues"
	KeyReturnCapacity   = "dynamodb:returnconsumedcapacity"
	// KeyAttributes are the top-level attributes that a request names.
	KeyAttributes = "dynamodb:attributes"
	// KeyEnclosingOperation is the transaction that a right is part of.
	KeyEnclosingOperation = "dynamodb:enclosingoperation"
	// KeyFullTableScan says whether a statement of PartiQL reads a whole table or index.
	KeyFullTableScan = "dynamodb:fulltablescan"
)

func isKey(name string) bool {
	switch name {
	case KeyPrincipalArn, KeyPrincipalAccount, KeyPrincipalType, KeyUserName, KeyCurrentTime, KeyEpochTime, KeySourceIP,
		KeySecureTransport, KeyLeadingKeys, KeySelect, KeyReturnValues, KeyReturnCapacity,
		KeyAttributes, KeyEnclosingOperation, KeyFullTableScan:
		return true
	}
	return false
}

// condition is one test of one key.
type condition struct {
	key    string
	values []string
	test   func(value, have string) bool
	// not: the test must hold for none of the values.
	not bool
	// ifExists: a key that is absent is no obstacle.
	ifExists bool
	// null asks whether the key is absent; test is nil then.
	null bool
	// of says how a key with several values is taken.
	of quantifier
}

type quantifier uint8

const (
	ofOne quantifier = iota
	ofAll
	ofAny
)

// Parts of an operator's name.
const (
	prefixAll      = "ForAllValues:"
	prefixAny      = "ForAnyValue:"
	suffixIfExists = "IfExists"
	operatorNull   = "Null"
)

// operator is one of the language's, and its opposite where it has one.
type operator struct {
	test func(value, have string) bool
	not  bool
	// valid says whether a value can be compared; nil for any.
	valid func(value string) bool
}

// operatorOf finds an operator by its name.
func operatorOf(name string) (operator, bool) {
	equal := func(v, h string) bool { return v == h }
	switch name {
	case "StringEquals":
		return operator{test: equal}, true
	case "StringNotEquals":
		return operator{test: equal, not: true}, true
	case "StringEqualsIgnoreCase":
		return operator{test: strings.EqualFold}, true
	case "StringNotEqualsIgnoreCase":
		return operator{test: strings.EqualFold, not: true}, true
	case "StringLike", "ArnLike", "ArnEquals":
		return operator{test: Like}, true
	case "StringNotLike", "ArnNotLike", "ArnNotEquals":
		return operator{test: Like, not: true}, true
	case "Bool":
		return operator{test: strings.EqualFold, valid: func(v string) bool {
			return strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
		}}, true
	case "IpAddress":
		return operator{test: inNetwork, valid: isNetwork}, true
	case "NotIpAddress":
		return operator{test: inNetwork, valid: isNetwork, not: true}, true
	}
	if kind, ok := strings.CutPrefix(name, "Numeric"); ok {
		return ordered(kind, numberOf)
	}
	if kind, ok := strings.CutPrefix(name, "Date"); ok {
		return ordered(kind, secondsOf)
	}
	return operator{}, false
}

// ordered is an operator that compares numbers or times.
func ordered(kind string, of func(string) (float64, bool)) (operator, bool) {
	is := map[string]func(v, h float64) bool{
		"Equals":            func(v, h float64) bool { return h == v },
		"NotEquals":         func(v, h float64) bool { return h == v },
		"LessThan":          func(v, h float64) bool { return h < v },
		"LessThanEquals":    func(v, h float64) bool { return h <= v },
		"GreaterThan":       func(v, h float64) bool { return h > v },
		"GreaterThanEquals": func(v, h float64) bool { return h >= v },
	}[kind]
	if is == nil {
		return operator{}, false
	}
	test := func(value, have string) bool {
		v, ok := of(value)
		h, known := of(have)
		return ok && known && is(v, h)
	}
	valid := func(value string) bool { _, ok := of(value); return ok }
	return operator{test: test, valid: valid, not: kind == "NotEquals"}, true
}

func numberOf(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// secondsOf reads a time of ISO 8601 or seconds since 1970.
func secondsOf(s string) (float64, bool) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return float64(t.UnixMilli()) / 1000, true //nolint:mnd // milliseconds
		}
	}
	return numberOf(s)
}

func networkOf(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func isNetwork(s string) bool { _, ok := networkOf(s); return ok }

func inNetwork(value, have string) bool {
	p, ok := networkOf(value)
	a, err := netip.ParseAddr(have)
	return ok && err == nil && p.Contains(a.Unmap())
}

// conditionsOf reads the conditions of a statement, all of which must hold.
func conditionsOf(raw map[string]map[string]oneOrMore[scalar]) ([]condition, error) {
	var out []condition
	for name, keys := range raw {
		for key, values := range keys {
			c, err := conditionOf(name, key, values)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func conditionOf(name, key string, values []scalar) (condition, error) {
	c := condition{key: strings.ToLower(key)}
	if !isKey(c.key) {
		return c, fmt.Errorf("condition key %q is not supported", key)
	}
	bare := name
	switch {
	case strings.HasPrefix(name, prefixAll):
		c.of, bare = ofAll, name[len(prefixAll):]
	case strings.HasPrefix(name, prefixAny):
		c.of, bare = ofAny, name[len(prefixAny):]
	}
	bare, c.ifExists = strings.CutSuffix(bare, suffixIfExists)
	for _, v := range values {
		c.values = append(c.values, string(v))
	}
	if len(c.values) == 0 {
		return c, fmt.Errorf("condition %s has no value for %s", name, key)
	}
	if bare == operatorNull {
		c.null = true
		if len(c.values) != 1 || c.values[0] != "true" && c.values[0] != "false" {
			return c, fmt.Errorf("condition %s wants true or false for %s", name, key)
		}
		return c, nil
	}
	op, ok := operatorOf(bare)
	if !ok {
		return c, fmt.Errorf("invalid condition operator %q", name)
	}
	for _, v := range c.values {
		if op.valid != nil && !op.valid(v) {
			return c, fmt.Errorf("condition %s: invalid value %q for %s", name, v, key)
		}
	}
	c.test, c.not = op.test, op.not
	return c, nil
}

// holds tests the condition on a request.
func (c *condition) holds(r *Request) bool {
	have := r.Keys[c.key]
	if c.null {
		return (len(have) == 0) == (c.values[0] == "true")
	}
	if len(have) == 0 {
		// What is absent equals nothing; of no values all pass.
		return c.ifExists || c.of == ofAll || c.not && c.of == ofOne
	}
	for _, h := range have {
		switch passes := c.one(h); {
		case passes && c.of == ofAny:
			return true
		case !passes && c.of != ofAny:
			return false
		}
	}
	return c.of != ofAny
}

// one tests one value that the request has.
func (c *condition) one(have string) bool {
	for _, v := range c.values {
		if c.test(v, have) {
			return !c.not
		}
	}
	return c.not
}
