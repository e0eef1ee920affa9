// Package policy reads resource-based policies, the JSON documents that say who may do what with a table
// or stream, and decides by them.
//
// It knows what such a document can say about this service: statements with Principal or NotPrincipal,
// Action or NotAction, Resource or NotResource, and conditions (condition.go). What it does not know it
// refuses when the document is put, so that no policy is kept whose meaning would be guessed.
package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// DocumentMaxBytes is the largest document, blanks counted.
const DocumentMaxBytes = 20 << 10

// Versions of the language.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Effects of a statement.
const (
	effectAllow = "Allow"
	effectDeny  = "Deny"
)

// actionPrefix is how every action of the service begins.
const actionPrefix = "dynamodb:"

// fault is what is wrong with a document, in the service's words: capitals and all.
type fault string

// Error makes it one.
func (f fault) Error() string { return string(f) }

// What the service says of documents.
const (
	errJSON       fault = "This policy contains invalid Json"
	errStatements fault = "Could not parse the policy: Statement is empty!"
	errSids       fault = "The Statement Ids in the policy are not unique"
	textAction          = "The following action names are invalid: %q"
	textMissing         = "Missing required field "
)

// Decision is what a policy says about a request.
type Decision uint8

const (
	// Silent: no statement is about the request.
	Silent Decision = iota
	// Allow: a statement allows the request and none denies it.
	Allow
	// Deny: a statement denies the request, whatever others say.
	Deny
)

// Request is what is asked.
type Request struct {
	// Principal is the ARN of who asks, such as arn:aws:iam::123456789012:user/ann.
	Principal string
	// Account is the number of the account of who asks.
	Account string
	// Action is the name of the right without the service's prefix, such as GetItem.
	Action string
	// Resource is the ARN of what it is asked for, a table, an index or a stream.
	Resource string
	// Keys are the values of condition keys by their names in lower case, such as aws:sourceip. A key
	// that is absent has no values.
	Keys map[string][]string
	// Unknown are condition keys whose values nobody can tell: a condition on one holds for what denies
	// and not for what allows.
	Unknown map[string]bool
}

// Policy is a parsed document. It is not changed and may be used by many requests at once.
type Policy struct{ statements []statement }

type statement struct {
	deny       bool
	principals matcher
	actions    matcher
	resources  matcher
	conditions []condition
}

// matcher holds patterns, of which one must match or, with not, none may.
type matcher struct {
	patterns []string
	not      bool
}

// document and its statements as they are written. Members that are lists may be a single string.
type document struct {
	Version   string
	Id        string //nolint:revive // the member's name
	Statement oneOrMore[rawStatement]
}

type rawStatement struct {
	Sid          string
	Effect       string
	Principal    *principals
	NotPrincipal *principals
	Action       oneOrMore[string]
	NotAction    oneOrMore[string]
	Resource     oneOrMore[string]
	NotResource  oneOrMore[string]
	Condition    map[string]map[string]oneOrMore[scalar]
}

// oneOrMore is a list, or one element without its brackets.
type oneOrMore[T any] []T

// UnmarshalJSON reads either form.
func (l *oneOrMore[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return strict(b, (*[]T)(l))
	}
	var one T
	if err := strict(b, &one); err != nil {
		return err
	}
	*l = oneOrMore[T]{one}
	return nil
}

// scalar is a string, a number or a truth value, as text.
type scalar string

// UnmarshalJSON reads any of the three.
func (s *scalar) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) == 0, b[0] == '{', b[0] == '[', bytes.Equal(b, []byte("null")):
		return fmt.Errorf("a value of a condition is no string, number or truth value: %.40s", b)
	case b[0] == '"':
		return json.Unmarshal(b, (*string)(s))
	}
	*s = scalar(b)
	return nil
}

// principals are "*", or lists by kind.
type principals struct{ patterns []string }

// kindAWS are accounts, users and roles. The others are services and identities that never call a
// database of this kind: they may be named and match nobody.
const kindAWS = "AWS"

// UnmarshalJSON reads either form.
func (p *principals) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var all string
		if err := json.Unmarshal(b, &all); err != nil {
			return err
		}
		if all != "*" {
			return fmt.Errorf("invalid principal %q", all)
		}
		p.patterns = []string{all}
		return nil
	}
	var kinds map[string]oneOrMore[string]
	if err := strict(b, &kinds); err != nil {
		return err
	}
	for kind, list := range kinds {
		switch kind {
		case kindAWS:
			p.patterns = append(p.patterns, list...)
		case "Service", "Federated", "CanonicalUser":
		default:
			return fmt.Errorf("invalid kind of principal %q", kind)
		}
	}
	return nil
}

// strict decodes one value, refuses unknown members and everything behind the value.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return inWords(err)
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // Token returns it as it is
		return fmt.Errorf("something follows the document")
	}
	return nil
}

// inWords says what package json says, without its types.
func inWords(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("invalid %s: its type is %s", cmp.Or(wrong.Field, "document"), wrong.Value)
	}
	if text, ok := strings.CutPrefix(err.Error(), "json: "); ok {
		return errors.New(text)
	}
	return err
}

// Parse reads a document of any length. The error is ErrPrincipal or says in words what is wrong, in those of the service
// where they are known.
func Parse(text string) (*Policy, error) {
	if !json.Valid([]byte(text)) {
		return nil, errJSON
	}
	if err := strictOnce([]byte(text)); err != nil {
		return nil, err
	}
	var doc document
	if err := strict([]byte(text), &doc); err != nil {
		return nil, err
	}
	if doc.Version != "" && doc.Version != version2008 && doc.Version != version2012 {
		return nil, fmt.Errorf("invalid Version %q", doc.Version)
	}
	if len(doc.Statement) == 0 {
		return nil, errStatements
	}
	p := &Policy{statements: make([]statement, len(doc.Statement))}
	sids := map[string]bool{}
	for i := range doc.Statement {
		raw := &doc.Statement[i]
		if raw.Sid != "" && sids[raw.Sid] {
			return nil, errSids
		}
		sids[raw.Sid] = true
		if err := p.statements[i].from(raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// strictOnce refuses documents that name a member twice, of which one would be lost.
func strictOnce(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	var open []map[string]bool // of each object that is open its names; nil for a list
	name := false
	for {
		t, err := d.Token()
		if err == io.EOF { //nolint:errorlint // Token returns it as it is
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
			name = true
		case string:
			if n := len(open); n > 0 && open[n-1] != nil && name {
				if open[n-1][t] {
					return fmt.Errorf("the member %q is there twice", t)
				}
				open[n-1][t] = true
				name = false
				continue
			}
			name = true
		default:
			name = true
		}
	}
}

func (s *statement) from(raw *rawStatement) (err error) {
	switch raw.Effect {
	case effectAllow:
	case effectDeny:
		s.deny = true
	default:
		return fmt.Errorf("invalid Effect %q", raw.Effect)
	}
	if s.principals, err = principalsOf(raw); err != nil {
		return err
	}
	if s.actions, err = one("Action", raw.Action, raw.NotAction); err != nil {
		return err
	}
	for i, a := range s.actions.patterns {
		a = strings.ToLower(a)
		if a != "*" && !strings.HasPrefix(a, actionPrefix) {
			return fault(fmt.Sprintf(textAction, s.actions.patterns[i]))
		}
		s.actions.patterns[i] = a
	}
	if s.resources, err = one("Resource", raw.Resource, raw.NotResource); err != nil {
		return err
	}
	for _, r := range s.resources.patterns {
		if r != "*" && !strings.HasPrefix(r, "arn:") {
			return fmt.Errorf("invalid Resource %q", r)
		}
	}
	s.conditions, err = conditionsOf(raw.Condition)
	return err
}

// ErrPrincipal is a principal that is no account and no ARN.
var ErrPrincipal = errors.New("policy: invalid principal")

// principalsOf refuses principals that are no account and no ARN. An account, by its number or as :root,
// stands for everybody in it.
func principalsOf(raw *rawStatement) (matcher, error) {
	var yes, no []string
	if raw.Principal != nil {
		yes = raw.Principal.patterns
	}
	if raw.NotPrincipal != nil {
		no = raw.NotPrincipal.patterns
	}
	switch {
	case raw.Principal == nil && raw.NotPrincipal == nil:
		return matcher{}, fault(textMissing + "Principal")
	case raw.Principal != nil && raw.NotPrincipal != nil:
		return matcher{}, fmt.Errorf("a statement has either Principal or NotPrincipal")
	}
	m := matcher{patterns: append(yes, no...), not: raw.NotPrincipal != nil}
	for _, p := range m.patterns {
		if p != "*" && !isAccount(p) && !strings.HasPrefix(p, "arn:aws:iam::") && !strings.HasPrefix(p, "arn:aws:sts::") {
			return m, ErrPrincipal
		}
	}
	return m, nil
}

// accountDigits is the length of an account's number.
const accountDigits = 12

func isAccount(s string) bool {
	return len(s) == accountDigits && strings.Trim(s, "0123456789") == ""
}

// one takes the member that is there, of two of which exactly one must be.
func one(name string, yes, no oneOrMore[string]) (matcher, error) {
	if (len(yes) == 0) == (len(no) == 0) {
		if len(yes) == 0 {
			return matcher{}, fault(textMissing + name)
		}
		return matcher{}, fmt.Errorf("a statement has either %s or Not%s", name, name)
	}
	return matcher{patterns: append(yes, no...), not: len(no) > 0}, nil
}

// Decide says what the policy makes of a request.
func (p *Policy) Decide(r *Request) Decision {
	out := Silent
	for i := range p.statements {
		s := &p.statements[i]
		if !s.about(r) {
			continue
		}
		if s.deny {
			return Deny
		}
		out = Allow
	}
	return out
}

// Asks says whether a condition of the policy is about a key.
func (p *Policy) Asks(key string) bool {
	for i := range p.statements {
		if slices.ContainsFunc(p.statements[i].conditions, func(c condition) bool { return c.key == key }) {
			return true
		}
	}
	return false
}

// narrowing are the condition keys that make an Allow for everybody one for some.
var narrowing = []string{KeyPrincipalArn, KeyPrincipalAccount, KeySourceIP, KeyUserName}

// Unbounded says whether a statement allows something to everybody: the service takes no such policy, unless a
// condition names, without wildcards, who.
func (p *Policy) Unbounded() bool {
	return slices.ContainsFunc(p.statements, func(s statement) bool {
		return !s.deny && !s.principals.not && slices.Contains(s.principals.patterns, "*") &&
			!slices.ContainsFunc(s.conditions, func(c condition) bool {
				return slices.Contains(narrowing, c.key) && !c.not && !c.null && !c.ifExists &&
					!slices.ContainsFunc(c.values, func(v string) bool { return strings.ContainsAny(v, "*?") })
			})
	})
}

func (s *statement) about(r *Request) bool {
	action := actionPrefix + strings.ToLower(r.Action)
	if !s.principals.match(func(p string) bool { return isPrincipal(p, r) }) ||
		!s.actions.match(func(p string) bool { return Like(p, action) }) ||
		!s.resources.match(func(p string) bool { return Like(p, r.Resource) }) {
		return false
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		if r.Unknown[c.key] {
			if !s.deny {
				return false
			}
			continue
		}
		if !c.holds(r) {
			return false
		}
	}
	return true
}

func (m *matcher) match(is func(pattern string) bool) bool {
	if slices.ContainsFunc(m.patterns, is) {
		return !m.not
	}
	return m.not
}

func isPrincipal(p string, r *Request) bool {
	return p == "*" || p == r.Account || p == r.Principal || p == "arn:aws:iam::"+r.Account+":root"
}

// Like says whether text fits a pattern in which '*' stands for any text and '?' for any one character.
func Like(pattern, text string) bool {
	star, from := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
