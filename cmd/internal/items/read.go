package items

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Form is a form of JSON.
type Form int

// The forms.
const (
	// Auto reads by shape and writes plain JSON.
	Auto Form = iota
	// Plain is plain JSON.
	Plain
	// DynamoDB is DynamoDB JSON.
	DynamoDB
)

// Names of the forms, as flags give them.
const (
	nameAuto     = "auto"
	namePlain    = "plain"
	nameDynamoDB = "dynamodb"
)

// FormNames are the names that ParseForm takes.
func FormNames() []string { return []string{nameAuto, namePlain, nameDynamoDB} }

// ParseForm gives the form of a name.
func ParseForm(name string) (Form, error) {
	switch name {
	case nameAuto:
		return Auto, nil
	case namePlain:
		return Plain, nil
	case nameDynamoDB:
		return DynamoDB, nil
	}
	return Auto, fmt.Errorf("%q: want %s, %s or %s", name, nameAuto, namePlain, nameDynamoDB)
}

// Hints end the message where the form may have been mistaken.
const (
	hintShape = "; it has the shape of DynamoDB JSON: give --json plain if it is plain JSON"
)

// errNotUTF8 is a text of another encoding, such as Latin-1.
var errNotUTF8 = errors.New("not UTF-8")

var errNoObject = errors.New(`want a JSON object, such as {"name":"x"}`)

// Read reads an item from the text of one JSON object. The item is memory of its own.
func Read(text []byte, form Form) (attr.Item, error) {
	if err := checkObject(text); err != nil {
		return nil, err
	}
	switch form {
	case Plain:
		return readPlain(text)
	case DynamoDB:
		return readDynamoDB(text)
	case Auto:
	}
	if !looksTyped(text) {
		return readPlain(text)
	}
	it, err := readDynamoDB(text)
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, hintShape)
	}
	return it, nil
}

// checkObject wants one JSON object and nothing else, and says where a text stops being JSON.
func checkObject(text []byte) error {
	if err := checkJSON(text); err != nil {
		return err
	}
	var s codec.Scanner
	s.Reset(text)
	if s.Peek() != '{' {
		return errNoObject
	}
	return nil
}

// checkJSON wants one JSON text.
func checkJSON(text []byte) error {
	if !utf8.Valid(text) {
		return errNotUTF8 // JSON parsers put another character there
	}
	var raw json.RawMessage
	err := json.Unmarshal(text, &raw)
	if err == nil {
		return nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("no JSON: %w, after %d bytes", err, syntax.Offset)
	}
	return fmt.Errorf("no JSON: %w", err)
}

// readDynamoDB reads an object of DynamoDB JSON as the service does.
func readDynamoDB(text []byte) (attr.Item, error) {
	const head = `{"Item":`
	body := make([]byte, 0, len(head)+len(text)+1)
	body = append(append(append(body, head...), text...), '}')
	in, err := new(codec.Decoder).PutItem(body)
	if err != nil {
		return nil, fmt.Errorf("no DynamoDB JSON: %w", messageOf(err))
	}
	if len(in.Bad) > 0 {
		return nil, errors.New(in.Bad[0].Err.Message())
	}
	return in.Item, nil
}

// messageOf leaves out the code, which stands for a fault of a request.
func messageOf(err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Message != "" {
		return errors.New(e.Message)
	}
	return err
}

// looksTyped says whether an object has the shape of DynamoDB JSON.
func looksTyped(text []byte) bool {
	var s codec.Scanner
	s.Reset(text)
	if !s.Object() {
		return false
	}
	any := false
	for _, ok := s.Key(true); ok; _, ok = s.Key(false) {
		if !oneTypedMember(&s) {
			return false
		}
		any = true
	}
	return any && !s.Failed()
}

// oneTypedMember takes a value and says whether it is an object of one member with the name of a
// type.
func oneTypedMember(s *codec.Scanner) bool {
	if s.Peek() != '{' || !s.Object() {
		return false
	}
	name, ok := s.Key(true)
	if !ok || !isTypeName(string(name)) || !s.Skip() {
		return false
	}
	_, more := s.Key(false)
	return !more && !s.Failed()
}

// isTypeName is true of the members of an AttributeValue.
func isTypeName(name string) bool {
	switch name {
	case "S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS":
		return true
	}
	return false
}

// ReadList reads the values of a JSON list. Each is plain, or all are DynamoDB JSON: Auto goes by the
// shape as Read does. The values are memory of their own.
func ReadList(text []byte, form Form) ([]attr.Value, error) {
	if err := checkJSON(text); err != nil {
		return nil, err
	}
	var s codec.Scanner
	s.Reset(text)
	if s.Peek() != '[' {
		return nil, errors.New(`want a JSON list, such as ["x",1]`)
	}
	typed := form == DynamoDB
	if form == Auto {
		typed = listLooksTyped(&s)
	}
	if !typed {
		return readPlainList(text)
	}
	out, err := readDynamoDBList(text)
	if err != nil && form == Auto {
		return nil, fmt.Errorf("%w%s", err, hintShape)
	}
	return out, err
}

// listLooksTyped says whether a list has the shape of DynamoDB JSON.
func listLooksTyped(s *codec.Scanner) bool {
	s.Array()
	any := false
	for more := s.Elem(true); more; more = s.Elem(false) {
		if !oneTypedMember(s) {
			return false
		}
		any = true
	}
	return any && !s.Failed()
}

// readDynamoDBList reads values as the service does.
func readDynamoDBList(text []byte) ([]attr.Value, error) {
	const head = `{"Parameters":`
	body := append(append([]byte(head), text...), '}')
	in, err := new(codec.Decoder).ExecuteStatement(body)
	if err != nil {
		return nil, fmt.Errorf("no DynamoDB JSON: %w", messageOf(err))
	}
	if len(in.Bad) > 0 {
		return nil, errors.New(in.Bad[0].Err.Message())
	}
	return in.Parameters, nil
}
