package validate

import (
	"strings"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Limits of placeholders (wire-facts §5.1 #9, §5.2, §9).
const (
	// placeholderMaxBytes is the longest placeholder with its sigil.
	placeholderMaxBytes = 255
	// substitutionMaxBytes bounds all names and values of a request together.
	substitutionMaxBytes = 2 << 20
)

// param is a parameter of a request: its name and whether it is there.
type param struct {
	name string
	set  bool
}

// mixed refuses expression parameters beside legacy ones (§5.1 #1).
func mixed(legacy, expressions []param) error {
	l, e := setParams(legacy), setParams(expressions)
	if l == "" || e == "" {
		return nil
	}
	return invalid(api.MsgMixed, l, e)
}

func setParams(params []param) string {
	var names []string
	for _, p := range params {
		if p.set {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, ", ")
}

// substitutes are the placeholders of one set of expressions.
type substitutes struct {
	names  []api.Name
	values []api.NamedValue
	bad    []api.BadValue
	// place is the place of the values in Bad: ExpressionAttributeValues with what leads there.
	place string
}

// needed refuses placeholders without expressions that could use them (§5.1 #2–3). takers are the
// operation's expression parameters that take values; they join in the text.
func (s *substitutes) needed(anyExpression, anyTaker bool, takers string) error {
	if s.names != nil && !anyExpression {
		return invalid(api.MsgNamesWithoutExpression)
	}
	if s.values == nil || anyTaker {
		return nil
	}
	verb := "is"
	if strings.Contains(takers, " and ") {
		verb = "are"
	}
	return invalid(api.MsgValuesWithoutExpression, takers, verb)
}

// check checks the placeholders themselves (§5.1 #4–9).
func (s *substitutes) check() error {
	if s.names == nil && s.values == nil {
		return nil
	}
	size := 0
	if s.names != nil && len(s.names) == 0 {
		return invalid(api.MsgNamesEmpty)
	}
	for i := range s.names {
		n := &s.names[i]
		if err := s.checkName(n); err != nil {
			return err
		}
		size += len(n.Placeholder) + len(n.Name)
	}
	if s.values != nil && len(s.values) == 0 {
		return invalid(api.MsgValuesEmpty)
	}
	for i := range s.values {
		v := &s.values[i]
		if err := checkValueKey(v.Placeholder); err != nil {
			return err
		}
		size += len(v.Placeholder) + len(v.Value)
	}
	if err := s.checkValues(); err != nil {
		return err
	}
	if size > substitutionMaxBytes {
		return invalid(api.MsgSubstitutionSize)
	}
	return nil
}

func (s *substitutes) checkName(n *api.Name) error {
	switch {
	case len(n.Placeholder) > placeholderMaxBytes:
		return invalid(api.MsgNamesKeyLong, n.Placeholder)
	case !isPlaceholder(n.Placeholder, '#'):
		return invalid(api.MsgNamesKey, n.Placeholder)
	case n.Name == "":
		return invalid(api.MsgNamesValueEmpty, n.Placeholder)
	case !utf8.ValidString(n.Name):
		// Only a Go program can come here: the doors bring UTF-8.
		return invalid(api.MsgNamesValueUTF8, n.Placeholder)
	}
	return nil
}

func checkValueKey(placeholder string) error {
	switch {
	case len(placeholder) > placeholderMaxBytes:
		return invalid(api.MsgValuesKeyLong, placeholder)
	case !isPlaceholder(placeholder, ':'):
		return invalid(api.MsgValuesKey, placeholder)
	}
	return nil
}

// checkValues reports the first bad value.
func (s *substitutes) checkValues() error {
	for i := range s.bad {
		key, ok := strings.CutPrefix(s.bad[i].Place, s.place)
		if ok && strings.HasPrefix(key, ".") {
			return invalid(api.MsgValuesValue, innerText(&s.bad[i].Err), key[1:])
		}
	}
	return nil
}

// isPlaceholder says whether s is the sigil and at least one letter, digit or underscore.
func isPlaceholder(s string, sigil byte) bool {
	if len(s) < 2 || s[0] != sigil {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}

// innerText is the text of a value's error inside another one: without an envelope of its own.
func innerText(e *attr.ValueError) string {
	return strings.TrimPrefix(e.Message(), api.PrefixEnvelope)
}

// badAt reports the bad value of a place, nil when it has none.
func badAt(bad []api.BadValue, place string) error {
	for i := range bad {
		if bad[i].Place == place {
			return invalid("%s", bad[i].Err.Message())
		}
	}
	return nil
}
