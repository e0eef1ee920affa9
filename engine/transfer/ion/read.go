package ion

import (
	"bufio"
	"bytes"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/transfer"
)

const (
	bufferBytes = 256 << 10
	// nestingMax bounds what is read of values that are too deep anyway.
	nestingMax = 128
	// digitsMax bounds the digits of integers that are not decimal.
	digitsMax = 1 << 10

	versionMarker = "$ion_1_0"
	symbolTable   = "$ion_symbol_table"
	placeItem     = "Item"
	placeValues   = "ExpressionAttributeValues."
)

// Texts of what is wrong with one record; unsure: the service's own are not known.
const (
	msgNoStruct   = "the record is no Ion struct"
	msgNoItem     = "the record has no field Item"
	msgKind       = "an Ion %s is no value of an item"
	msgAnnotation = "an Ion value with the annotation %s is no value of an item"
	msgMember     = "a member of a set is no Ion %s"
	msgField      = "the field %s is no Ion %s"
)

// Reader implements transfer.Reader.
type Reader struct {
	s       scanner
	enc     attr.Encoder
	record  transfer.Record
	nesting int
	// fault is what is wrong with the record, bad with the value of the place.
	fault error
	bad   *attr.ValueError
}

// NewReader reads records from what starts at an offset of the text, which must not be within a record.
func NewReader(in io.Reader, offset int64) *Reader {
	return &Reader{s: scanner{in: bufio.NewReaderSize(in, bufferBytes), offset: offset}}
}

// Offset implements transfer.Reader.
func (r *Reader) Offset() int64 { return r.s.offset }

// Next implements transfer.Reader.
func (r *Reader) Next() (*transfer.Record, error) {
	s := &r.s
	for s.err == nil {
		s.end = s.offset + transfer.RecordMaxBytes
		c := s.blanks()
		if s.err != nil {
			break
		}
		if c == 0 {
			if len(s.peek(1)) == 0 && s.err == nil {
				return nil, io.EOF
			}
			s.unexpected(s.next())
			break
		}
		r.record, r.fault, r.bad = transfer.Record{}, nil, nil
		r.enc.Reset(nil)
		marker := r.top()
		switch {
		case s.err != nil || marker:
		case r.fault != nil:
			return nil, r.fault
		case r.record.Item == nil && len(r.record.Bad) == 0:
			return nil, transfer.Faultf(msgNoItem)
		default:
			return &r.record, nil
		}
	}
	return nil, s.err
}

// flawed notes the first fault of the record.
func (r *Reader) flawed(format string, args ...any) {
	if r.fault == nil {
		r.fault = transfer.Faultf(format, args...)
	}
}

// top reads a value between the others, and says whether it was a version marker.
func (r *Reader) top() (marker bool) {
	s := &r.s
	notes, word := r.annotations()
	switch {
	case s.err != nil:
	case len(notes) == 0 && word == versionMarker:
		return true
	case slices.Contains(notes, symbolTable):
		s.err = transfer.Brokenf(msgSymbols)
	case word == "" && s.blanks() == '{' && !s.at("{{"):
		r.structure(r.member)
	default:
		r.flawed(msgNoStruct)
		r.valueOf(notes, word, 1)
	}
	return false
}

// member reads a field of a record.
func (r *Reader) member(name string) {
	s, rec := &r.s, &r.record
	switch name {
	case placeItem:
		r.bad = nil
		if s.blanks() != '{' || s.at("{{") {
			r.flawed(msgField, name, "struct")
			r.value(1)
			return
		}
		r.enc.BeginItem()
		r.structure(func(name string) { r.named(name, 1, 1) })
		rec.Item = r.enc.EndItem()
		r.report(placeItem)
	case "ConditionExpression":
		if text, ok := r.string(name); ok {
			rec.Condition = api.Some(text)
		}
	case "ExpressionAttributeNames":
		r.entries(name, func(key string) {
			if text, ok := r.string(name); ok {
				rec.Names = append(rec.Names, api.Name{Placeholder: key, Name: text})
			}
		})
		slices.SortFunc(rec.Names, func(a, b api.Name) int { return strings.Compare(a.Placeholder, b.Placeholder) })
	case "ExpressionAttributeValues":
		r.entries(name, func(key string) {
			r.bad = nil
			v := api.NamedValue{Placeholder: key}
			start := r.enc.Len()
			if r.value(1); r.bad == nil {
				v.Value = attr.Value(r.enc.From(start))
			}
			r.report(placeValues + key)
			rec.Values = append(rec.Values, v)
		})
		slices.SortFunc(rec.Values, func(a, b api.NamedValue) int { return strings.Compare(a.Placeholder, b.Placeholder) })
	default:
		r.ignored()
	}
}

// ignored reads a field that does not matter, whatever is wrong with it.
func (r *Reader) ignored() {
	fault := r.fault
	r.value(1)
	r.fault, r.bad = fault, nil
}

func (r *Reader) report(place string) {
	if r.bad != nil {
		r.record.Bad = append(r.record.Bad, api.BadValue{Place: place, Err: *r.bad})
	}
}

// entries reads a struct of a record's own.
func (r *Reader) entries(name string, entry func(key string)) {
	if r.s.blanks() != '{' || r.s.at("{{") {
		r.flawed(msgField, name, "struct")
		r.value(1)
		return
	}
	seen := map[string]bool{}
	r.structure(func(key string) {
		if seen[key] {
			r.ignored()
			return
		}
		seen[key] = true
		entry(key)
	})
}

// string reads a string of a record's own.
func (r *Reader) string(name string) (string, bool) {
	if c := r.s.blanks(); c != '"' && !r.s.at(longQuotes) {
		r.flawed(msgField, name, "string")
		r.value(1)
		return "", false
	}
	return string(r.s.text(r.s.peek(1)[0])), r.s.err == nil
}

// structure reads a struct whose brace is next; field takes the value of each.
func (r *Reader) structure(field func(name string)) {
	s := &r.s
	s.next()
	for first := true; s.err == nil; first = false {
		c := s.blanks()
		if c == '}' {
			s.next()
			return
		}
		if !first {
			if c != ',' {
				s.unexpected(s.next())
				return
			}
			s.next()
			if c = s.blanks(); c == '}' {
				continue
			}
		}
		name, ok := r.fieldName(c)
		if !ok {
			return
		}
		if c := s.blanks(); c != ':' {
			s.unexpected(s.next())
			return
		}
		s.next()
		field(name)
	}
}

func (r *Reader) fieldName(c byte) (string, bool) {
	s := &r.s
	var name string
	switch {
	case c == '"' || c == '\'':
		name = string(s.text(c))
	case isWord(c) && (c < '0' || c > '9'):
		name = string(s.word(isWord))
	default:
		s.unexpected(s.next())
	}
	return name, s.err == nil
}

// named reads the value of an attribute.
func (r *Reader) named(name string, depth, nameMin int) {
	switch {
	case len(name) > attr.NameMaxBytes:
		r.broken(attr.NameTooLong)
	case len(name) < nameMin:
		r.broken(attr.NameEmpty)
	}
	r.enc.Name([]byte(name))
	r.value(depth)
}

func (r *Reader) broken(kind attr.ErrorKind) { r.worse(&attr.ValueError{Kind: kind}) }

func (r *Reader) worse(bad *attr.ValueError) {
	if r.bad == nil {
		r.bad = bad
	}
}

// annotations reads the annotations of a value. word is the value itself when it is a word and not a quoted
// symbol; otherwise it is empty and the value is next.
func (r *Reader) annotations() (notes []string, word string) {
	s := &r.s
	for s.err == nil {
		c := s.blanks()
		var name string
		switch {
		case c == '\'' && !s.at(longQuotes):
			name = string(s.text(c))
			if s.blanks(); !s.at("::") {
				r.flawed(msgKind, "symbol")
				return notes, "null" // stands for it
			}
		case isWord(c) && (c < '0' || c > '9'):
			name = string(s.word(isWord))
			if s.blanks(); !s.at("::") {
				return notes, name
			}
		default:
			return notes, ""
		}
		s.skip(len("::"))
		if len(notes) < 2 { // more than one is as bad as any number
			notes = append(notes, name)
		}
	}
	return notes, ""
}

// value reads any value and writes exactly one, a NULL for one that is bad.
func (r *Reader) value(depth int) {
	notes, word := r.annotations()
	r.valueOf(notes, word, depth)
}

func (r *Reader) valueOf(notes []string, word string, depth int) {
	s := &r.s
	if r.nesting++; r.nesting > nestingMax {
		r.s.unexpected('{')
	}
	defer func() { r.nesting-- }()
	if s.err != nil {
		r.enc.Null()
		return
	}
	if depth > attr.DepthMax {
		r.broken(attr.TooDeep)
	}
	if word != "" {
		r.word(word)
		return
	}
	c := s.blanks()
	if set, ok := setOf(notes); ok && c == '[' {
		r.set(set)
		return
	}
	if len(notes) > 0 {
		r.flawed(msgAnnotation, notes[0])
	}
	switch {
	case c == '"' || c == '\'':
		r.enc.String(s.text(c))
	case s.at("{{"):
		r.blob()
	case c == '{':
		r.enc.BeginMap()
		r.structure(func(name string) { r.named(name, depth+1, 0) })
		r.enc.EndMap()
	case c == '[':
		r.enc.BeginList()
		r.list(func() { r.value(depth + 1) })
		r.enc.EndList()
	case c == '(':
		s.err = transfer.Brokenf(msgExpression)
		r.enc.Null()
	case c >= '0' && c <= '9' || c == '-' || c == '+':
		r.number(s.word(isNumber))
	default:
		s.unexpected(s.next())
		r.enc.Null()
	}
}

func setOf(notes []string) (attr.Type, bool) {
	if len(notes) != 1 {
		return 0, false
	}
	switch notes[0] {
	case annotationSS:
		return attr.SS, true
	case annotationNS:
		return attr.NS, true
	case annotationBS:
		return attr.BS, true
	}
	return 0, false
}

// word reads a value that is a word.
func (r *Reader) word(word string) {
	switch word {
	case "true", "false":
		r.enc.Bool(word == "true")
		return
	case "null":
		if r.s.at(".") { // null.string and the like
			r.s.next()
			r.s.word(isWord)
		}
	case "nan":
		r.flawed(msgKind, "float")
	default:
		r.flawed(msgKind, "symbol")
	}
	r.enc.Null()
}

func (r *Reader) blob() {
	data, clob := r.s.blob()
	if clob {
		r.flawed(msgKind, "clob")
		r.enc.Null()
		return
	}
	r.enc.Binary(data)
}

// list reads a list whose bracket is next.
func (r *Reader) list(element func()) {
	s := &r.s
	s.next()
	for first := true; s.err == nil; first = false {
		c := s.blanks()
		if c == ']' {
			s.next()
			return
		}
		if !first {
			if c != ',' {
				s.unexpected(s.next())
				return
			}
			s.next()
			if s.blanks() == ']' {
				continue
			}
		}
		element()
	}
}

// timestamp is how one begins; other numbers with a letter T or a sign in the middle are faults.
var timestamp = regexp.MustCompile(`^[0-9]{4}(T|-[0-9]{2})`)

// decimal turns the text of a number into one that attr takes; kind says what it is.
func decimal(text []byte) (plain []byte, kind string) {
	text = bytes.ReplaceAll(bytes.Clone(text), []byte{'_'}, nil)
	unsigned := bytes.TrimPrefix(text, []byte{'-'})
	prefix := ""
	if len(unsigned) > 2 && unsigned[0] == '0' {
		prefix = strings.ToLower(string(unsigned[:2]))
	}
	switch {
	case prefix == "0x" || prefix == "0b":
		n, ok := new(big.Int).SetString(string(text), 0)
		if !ok || len(text) > digitsMax {
			return nil, "syntax"
		}
		return []byte(n.String()), ""
	case timestamp.Match(text):
		return nil, "timestamp"
	case string(unsigned) == "inf" || string(unsigned) == "+inf" || bytes.ContainsAny(text, "eE"):
		return nil, "float"
	}
	text = bytes.Replace(bytes.ToLower(text), []byte{'d'}, []byte{'e'}, 1)
	// The point may stand at the end, which is not so in DynamoDB's numbers.
	text = bytes.Replace(text, []byte(".e"), []byte{'e'}, 1)
	text = bytes.TrimSuffix(text, []byte{'.'})
	return text, ""
}

func (r *Reader) number(text []byte) {
	plain, kind := decimal(text)
	switch kind {
	case "":
		if bad := r.enc.Number(plain); bad != nil {
			r.worse(bad)
		}
		return
	case "syntax":
		r.broken(attr.NotNumber)
	default:
		r.flawed(msgKind, kind)
	}
	r.enc.Null()
}

// set reads a list that is a set.
func (r *Reader) set(t attr.Type) {
	r.enc.BeginSet(t)
	r.list(func() { r.setMember(t) })
	if bad := r.enc.EndSet(); bad != nil {
		r.worse(bad)
	}
}

func (r *Reader) setMember(t attr.Type) {
	s := &r.s
	c := s.blanks()
	switch {
	case t == attr.SS && (c == '"' || s.at(longQuotes)):
		r.enc.Member(s.text(c))
	case t == attr.BS && s.at("{{"):
		if data, clob := s.blob(); !clob {
			r.enc.Member(data)
			return
		}
		r.flawed(msgMember, "blob")
	case t == attr.NS && (c >= '0' && c <= '9' || c == '-'):
		plain, kind := decimal(s.word(isNumber))
		if kind != "" {
			r.flawed(msgMember, "decimal")
			return
		}
		if bad := r.enc.NumberMember(plain); bad != nil {
			r.worse(bad)
		}
	default:
		r.flawed(msgMember, map[attr.Type]string{attr.SS: "string", attr.NS: "decimal", attr.BS: "blob"}[t])
		// Into a buffer of its own: the set is open.
		enc := r.enc
		r.enc = attr.Encoder{}
		r.enc.Reset(nil)
		r.value(attr.DepthMax)
		r.enc = enc
	}
}
