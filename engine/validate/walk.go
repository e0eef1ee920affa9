package validate

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/keystone-db/kstone/engine/api"
)

// constraintErrorsMax is how many constraint errors one text can hold.
const constraintErrorsMax = 10

// Constraints checks a request of an operation against the constraints of the service's model
// (wire-facts §3): missing members, lengths, ranges, enums and patterns. All faults, at most
// constraintErrorsMax, make one ValidationException. It reads in by reflection: hot operations look
// at their members first and come here only to compose the text.
func Constraints(operation string, in any) error { return constraints(operation, in, Options{}) }

func constraints(operation string, in any, opt Options) error {
	s := inputShape(operation)
	if s == nil {
		return api.Errorf(api.UnknownOperation, api.MsgNotBuilt, operation)
	}
	v := reflect.ValueOf(in).Elem()
	w := &walker{classic: opt.ClassicErrors}
	if bad := v.FieldByName("Bad"); bad.IsValid() {
		w.bad = bad.Interface().([]api.BadValue)
	}
	w.structure(v, s, "")
	return w.err()
}

// walker collects constraint errors in the order in which the service walks the members.
type walker struct {
	errs []string
	// bad are values that are there though their member may be nil.
	bad []api.BadValue
	// classic leaves the bare forms of 2026 off.
	classic bool
}

func (w *walker) full() bool { return len(w.errs) >= constraintErrorsMax }

func (w *walker) err() error {
	switch n := len(w.errs); n {
	case 0:
		return nil
	case 1:
		return &api.Error{Code: api.Validation, Message: api.PrefixEnvelope + w.errs[0]}
	default:
		return &api.Error{
			Code: api.Validation,
			Message: fmt.Sprintf(api.MsgConstraints, n) +
				strings.Join(w.errs, api.ConstraintsJoin),
		}
	}
}

// fail adds an error about the value at a path.
func (w *walker) fail(v reflect.Value, s *shape, path, constraint string) {
	switch {
	case w.full():
	case s.bare && !w.classic:
		w.errs = append(w.errs, fmt.Sprintf(api.MsgConstraintBare, strings.ToUpper(path[:1])+path[1:], constraint))
	default:
		w.errs = append(w.errs, fmt.Sprintf(api.MsgConstraint,
			"'"+string(appendJava(nil, v, s))+"'", path, constraint))
	}
}

func (w *walker) missing(path string) {
	if !w.full() {
		w.errs = append(w.errs, fmt.Sprintf(api.MsgConstraint, "null", path, api.ConstraintRequired))
	}
}

func (w *walker) structure(v reflect.Value, s *shape, path string) {
	for i := range s.members {
		if w.full() {
			return
		}
		at := s.at(i)
		m := &s.members[at]
		p := m.name
		if path != "" {
			p = path + "." + p
		}
		f, ok := present(v.Field(at), m.shape)
		switch {
		case ok:
			w.value(f, m.shape, p)
		case m.required && !w.isBad(p):
			w.missing(p)
		}
	}
}

// isBad says whether the path of a constraint error leads to the place of a bad value:
// transactItems.1.member.put.item is TransactItems.0.Put.Item.
func (w *walker) isBad(path string) bool {
	if len(w.bad) == 0 {
		return false
	}
	var place []string
	tokens := strings.Split(path, ".")
	for i, t := range tokens {
		if t == "member" {
			continue
		}
		if n, err := strconv.Atoi(t); err == nil && i+1 < len(tokens) && tokens[i+1] == "member" {
			t = strconv.Itoa(n - 1)
		}
		place = append(place, t)
	}
	joined := strings.Join(place, ".")
	for i := range w.bad {
		if strings.EqualFold(w.bad[i].Place, joined) {
			return true
		}
	}
	return false
}

// present returns the value that a member holds, and whether it holds one.
func present(f reflect.Value, s *shape) (reflect.Value, bool) {
	switch s.kind {
	case kindStructure:
		if f.IsNil() {
			return f, false
		}
		return f.Elem(), true
	case kindList, kindMap, kindItem, kindNames, kindValues, kindValue, kindBlob:
		return f, !f.IsNil()
	}
	return f.Field(0), f.Field(1).Bool() // an Opt: Value, Set
}

// value checks a value that is there: pattern, least and most length, then its children.
func (w *walker) value(v reflect.Value, s *shape, path string) {
	switch s.kind {
	case kindStructure:
		w.structure(v, s, path)
	case kindList:
		w.list(v, s, path)
	case kindMap, kindNames:
		w.mapping(v, s, path)
	case kindString:
		for _, c := range stringFaults(v.String(), s) {
			w.fail(v, s, path, c)
		}
	case kindInteger, kindLong:
		w.integer(v, s, path)
	}
}

func (w *walker) integer(v reflect.Value, s *shape, path string) {
	n := v.Int()
	if s.min.Set && n < s.min.Value {
		w.fail(v, s, path, fmt.Sprintf(api.ConstraintValueMin, s.min.Value))
	}
	if s.max.Set && n > s.max.Value {
		w.fail(v, s, path, fmt.Sprintf(api.ConstraintValueMax, s.max.Value))
	}
}

// size checks the number of elements of a list or map.
func (w *walker) size(v reflect.Value, s *shape, path string) {
	n := int64(v.Len())
	if s.min.Set && n < s.min.Value {
		w.fail(v, s, path, fmt.Sprintf(api.ConstraintLengthMin, s.min.Value))
	}
	if !s.max.Set || n <= s.max.Value {
		return
	}
	c := fmt.Sprintf(api.ConstraintLengthMax, s.max.Value)
	switch {
	case !s.hideOverMax:
		w.fail(v, s, path, c)
	case !w.full():
		w.errs = append(w.errs, fmt.Sprintf(api.MsgConstraintBare, path, c))
	}
}

func (w *walker) list(v reflect.Value, s *shape, path string) {
	w.size(v, s, path)
	for i := range v.Len() {
		if w.full() {
			return
		}
		if constrained(s.of) {
			w.value(v.Index(i), s.of, path+"."+strconv.Itoa(i+1)+".member")
		}
	}
}

// constrained says whether elements of a shape can have faults.
func constrained(s *shape) bool {
	switch s.kind {
	case kindStructure, kindList, kindMap, kindNames:
		return true
	}
	return s.min.Set || s.max.Set || s.pattern != "" || s.enum != nil
}

// mapping checks the size of a map, then all its keys, then the sizes or texts of all its values,
// each giving one error about the whole map, and last the inside of the values.
func (w *walker) mapping(v reflect.Value, s *shape, path string) {
	w.size(v, s, path)
	if s.key != nil {
		for i := range v.Len() {
			if len(stringFaults(v.Index(i).Field(0).String(), s.key)) > 0 {
				w.fail(v, s, path, fmt.Sprintf(api.ConstraintMapKeys, allConstraints(s.key)))
				break
			}
		}
	}
	for i := range v.Len() {
		if !sizeFits(v.Index(i).Field(1), s.of) {
			w.fail(v, s, path, fmt.Sprintf(api.ConstraintMapValue, allConstraints(s.of)))
			break
		}
	}
	for i := range v.Len() {
		if w.full() {
			return
		}
		w.inside(v.Index(i).Field(1), s.of, path+"."+v.Index(i).Field(0).String()+".member")
	}
}

// inside checks what a map value holds, without its own size.
func (w *walker) inside(v reflect.Value, s *shape, path string) {
	switch s.kind {
	case kindStructure:
		w.structure(v, s, path)
	case kindList:
		for i := range v.Len() {
			w.value(v.Index(i), s.of, path+"."+strconv.Itoa(i+1)+".member")
		}
	}
}

// sizeFits says whether a map value obeys the constraints of its own shape.
func sizeFits(v reflect.Value, s *shape) bool {
	switch s.kind {
	case kindList:
		n := int64(v.Len())
		return (!s.min.Set || n >= s.min.Value) && (!s.max.Set || n <= s.max.Value)
	case kindString:
		return len(stringFaults(v.String(), s)) == 0
	}
	return true
}

// allConstraints lists what a map key or value must satisfy, in the service's order.
func allConstraints(s *shape) string {
	var c []string
	if s.max.Set {
		c = append(c, fmt.Sprintf(api.ConstraintLengthMax, s.max.Value))
	}
	if s.min.Set {
		c = append(c, fmt.Sprintf(api.ConstraintLengthMin, s.min.Value))
	}
	if s.pattern != "" {
		c = append(c, fmt.Sprintf(api.ConstraintPattern, s.pattern))
	}
	return strings.Join(c, ", ")
}

// stringFaults returns the constraints that a string breaks, nil for most strings.
func stringFaults(v string, s *shape) []string {
	var c []string
	if s.enum != nil && !contains(s.enum, v) {
		c = append(c, fmt.Sprintf(api.ConstraintEnum, strings.Join(s.enum, ", ")))
	}
	if s.pattern != "" && !matches(v, s) {
		c = append(c, fmt.Sprintf(api.ConstraintPattern, s.pattern))
	}
	if s.min.Set && javaLen(v) < s.min.Value {
		c = append(c, fmt.Sprintf(api.ConstraintLengthMin, s.min.Value))
	}
	if s.max.Set && javaLen(v) > s.max.Value {
		c = append(c, fmt.Sprintf(api.ConstraintLengthMax, s.max.Value))
	}
	return c
}

func contains(list []string, v string) bool {
	return slices.Contains(list, v)
}

// javaLen is the length of a string in the service's language: UTF-16 code units.
func javaLen(s string) int64 {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return int64(n)
}

// patternName is the pattern of table and index names, the one that most requests meet.
const patternName = "[a-zA-Z0-9_.-]+"

// matches says whether the whole string has the form of the shape's pattern.
func matches(v string, s *shape) bool {
	if s.pattern == patternName {
		return v != "" && nameChars(v)
	}
	re := s.re
	if re == "" {
		re = s.pattern
	}
	ok, err := regexp.MatchString(`\A(?:`+re+`)\z`, v)
	return ok && err == nil
}

// nameChars says whether a string holds nothing but the characters of table and index names.
func nameChars(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}
