package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const table = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"

func parse(t *testing.T, statements string) *Policy {
	t.Helper()
	p, err := Parse(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)
	require.NoError(t, err)
	return p
}

func ask(action, resource, user string, keys map[string][]string) *Request {
	return &Request{Principal: "arn:aws:iam::123456789012:user/" + user, Account: "123456789012", Action: action,
		Resource: table + resource, Keys: keys}
}

// TestDecide: who, what and where; a denial wins over every permission.
func TestDecide(t *testing.T) {
	p := parse(t, `
	{"Sid":"a","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"dynamodb:*Item","Resource":"`+table+`"},
	{"Effect":"Allow","Principal":{"AWS":["123456789012"]},"Action":["dynamodb:Query","dynamodb:Scan"],"Resource":["`+table+`","`+table+`/index/*"]},
	{"Effect":"Deny","Principal":"*","NotAction":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query"],"Resource":"*"},
	{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"dynamodb:Query","NotResource":"`+table+`"}`)
	for _, c := range []struct {
		action, resource, user string
		want                   Decision
	}{
		{"GetItem", "", "ann", Allow},
		{"GetItem", "/index/x", "ann", Silent},
		{"GetItem", "", "bob", Silent},
		{"DeleteItem", "", "ann", Deny},
		{"Query", "/index/x", "ann", Allow},
		{"Query", "", "bob", Allow},
		{"Query", "/index/x", "bob", Deny},
		{"Scan", "", "bob", Deny},
	} {
		require.Equal(t, c.want, p.Decide(ask(c.action, c.resource, c.user, nil)), "%+v", c)
	}
}

// TestConditions: each operator on a value that it takes and one that it does not.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		condition string
		have      []string
		want      bool
	}{
		{`"StringEquals":{"aws:username":"a"}`, []string{"a"}, true},
		{`"StringEquals":{"aws:username":["b","a"]}`, []string{"a"}, true},
		{`"StringEquals":{"aws:username":"a"}`, []string{"A"}, false},
		{`"StringEquals":{"aws:username":"a"}`, nil, false},
		{`"StringEqualsIfExists":{"aws:username":"a"}`, nil, true},
		{`"StringNotEquals":{"aws:username":["a","b"]}`, []string{"b"}, false},
		{`"StringNotEquals":{"aws:username":["a","b"]}`, []string{"c"}, true},
		{`"StringNotEquals":{"aws:username":"a"}`, nil, true},
		{`"StringEqualsIgnoreCase":{"aws:username":"a"}`, []string{"A"}, true},
		{`"StringNotEqualsIgnoreCase":{"aws:username":"a"}`, []string{"A"}, false},
		{`"StringLike":{"aws:username":"a*c?"}`, []string{"abbcd"}, true},
		{`"StringNotLike":{"aws:username":"a*"}`, []string{"abbcd"}, false},
		{`"ArnLike":{"aws:username":"arn:aws:iam::*:role/r"}`, []string{"arn:aws:iam::1:role/r"}, true},
		{`"Bool":{"aws:username":true}`, []string{"true"}, true},
		{`"Bool":{"aws:username":"false"}`, []string{"true"}, false},
		{`"Null":{"aws:username":"true"}`, nil, true},
		{`"Null":{"aws:username":"false"}`, nil, false},
		{`"IpAddress":{"aws:username":"10.0.0.0/8"}`, []string{"10.1.2.3"}, true},
		{`"IpAddress":{"aws:username":["192.168.1.1","::1"]}`, []string{"::ffff:192.168.1.1"}, true},
		{`"NotIpAddress":{"aws:username":"10.0.0.0/8"}`, []string{"10.1.2.3"}, false},
		{`"NumericLessThan":{"aws:username":5}`, []string{"4.5"}, true},
		{`"NumericLessThan":{"aws:username":5}`, []string{"word"}, false},
		{`"NumericNotEquals":{"aws:username":"5"}`, []string{"5"}, false},
		{`"NumericGreaterThanEquals":{"aws:username":5}`, []string{"5"}, true},
		{`"DateGreaterThan":{"aws:username":"2026-01-01T00:00:00Z"}`, []string{"2026-06-01T00:00:00Z"}, true},
		{`"DateLessThanEquals":{"aws:username":1}`, []string{"1970-01-01T00:00:02Z"}, false},
		{`"ForAllValues:StringEquals":{"aws:username":["a","b"]}`, []string{"a", "b", "a"}, true},
		{`"ForAllValues:StringEquals":{"aws:username":["a","b"]}`, []string{"a", "c"}, false},
		{`"ForAllValues:StringEquals":{"aws:username":["a","b"]}`, nil, true},
		{`"ForAnyValue:StringLike":{"aws:username":"a*"}`, []string{"b", "ab"}, true},
		{`"ForAnyValue:StringLike":{"aws:username":"a*"}`, []string{"b"}, false},
		{`"ForAnyValue:StringLike":{"aws:username":"a*"}`, nil, false},
		{`"StringEquals":{"aws:username":"a"},"StringLike":{"aws:username":"b"}`, []string{"a"}, false},
	} {
		p := parse(t, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{`+c.condition+`}}`)
		got := p.Decide(ask("GetItem", "", "ann", map[string][]string{KeyUserName: c.have})) == Allow
		require.Equal(t, c.want, got, "%s on %q", c.condition, c.have)
	}
}

// TestUnknownKeys: what nobody can tell denies and does not allow.
func TestUnknownKeys(t *testing.T) {
	const rest = `"Principal":"*","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":"a"}}}`
	r := ask("PartiQLSelect", "", "ann", nil)
	r.Unknown = map[string]bool{KeyLeadingKeys: true}
	require.Equal(t, Silent, parse(t, `{"Effect":"Allow",`+rest).Decide(r))
	require.Equal(t, Deny, parse(t, `{"Effect":"Deny",`+rest).Decide(r))
}

// TestParseRefuses: a document whose meaning is not plain is not taken, and the error says where.
func TestParseRefuses(t *testing.T) {
	const good = `"Effect":"Allow","Principal":"*","Action":"dynamodb:GetItem","Resource":"*"`
	for text, want := range map[string]string{
		``:                                   "This policy contains invalid Json",
		`[]`:                                 "invalid document: its type is array",
		`{"Statement":[]}`:                   "Could not parse the policy: Statement is empty!",
		`{"Statement":{` + good + `}} {}`:    "This policy contains invalid Json",
		`{"Statement":{` + good + `},"X":1}`: "unknown field",
		`{"Version":"2020","Statement":{` + good + `}}`:                                         "invalid Version",
		`{"Statement":{` + good + `,"Effect":"Deny"}}`:                                          `"Effect" is there twice`,
		`{"Statement":[{"Sid":"a",` + good + `},{"Sid":"a",` + good + `}]}`:                     "The Statement Ids in the policy are not unique",
		`{"Statement":{"Effect":"Maybe","Principal":"*","Action":"*","Resource":"*"}}`:          "invalid Effect",
		`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`:                           "Missing required field Principal",
		`{"Statement":{"Effect":"Deny","Principal":"ann","Action":"*","Resource":"*"}}`:         "invalid principal",
		`{"Statement":{"Effect":"Deny","Principal":{"AWS":"ann"},"Action":"*","Resource":"*"}}`: "invalid principal",
		`{"Statement":{"Effect":"Deny","Principal":{"X":"ann"},"Action":"*","Resource":"*"}}`:   "invalid kind",
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:Get","Resource":"*"}}`:      `The following action names are invalid: "s3:Get"`,
		`{"Statement":{"Effect":"Deny","Principal":"*","Resource":"*"}}`:                        "Missing required field Action",
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}`:                          "Missing required field Resource",
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"else"}}`:        "invalid Resource",
		`{"Statement":{` + good + `,"Condition":{"Magic":{"aws:UserName":"v"}}}}`:               "invalid condition operator",
		`{"Statement":{` + good + `,"Condition":{"Bool":{"aws:UserName":"v"}}}}`:                "invalid value",
		`{"Statement":{` + good + `,"Condition":{"Bool":{"aws:UserName":[]}}}}`:                 "no value",
		`{"Statement":{` + good + `,"Condition":{"Bool":{"aws:UserName":{}}}}}`:                 "no string",
		`{"Statement":{` + good + `,"Condition":{"IpAddress":{"aws:UserName":"10.0.0.300"}}}}`:  "invalid value",
		`{"Statement":{` + good + `,"Condition":{"Bool":{"dynamodb:Magic":"x"}}}}`:              "not supported",
		`{"Statement":{` + good + `,"Condition":{"NumericNear":{"aws:UserName":1}}}}`:           "invalid condition operator",
		`{"Statement":{` + good + `,"NotAction":"*"}}`:                                          "either Action",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, text)
	}
}

// FuzzParse: whatever the document, there is an answer and no panic.
func FuzzParse(f *testing.F) {
	f.Add(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:UserName":true}}}}`)
	f.Add(`{"Version":"2012-10-17","Statement":[{"Sid":"1","Effect":"Deny","NotPrincipal":{"AWS":["123456789012"]},"NotAction":"dynamodb:*","NotResource":"*"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil {
			p.Decide(ask("GetItem", "", "ann", nil))
		}
	})
}

// TestUnbounded: an Allow for everybody is for some only by a condition that names them.
func TestUnbounded(t *testing.T) {
	for statement, want := range map[string]bool{
		`"Effect":"Allow","Principal":"*"`:                                                           true,
		`"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/a","*"]}`:              true,
		`"Effect":"Allow","Principal":{"AWS":"123456789012"}`:                                        false,
		`"Effect":"Deny","Principal":"*"`:                                                            false,
		`"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`:   false,
		`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:*"}}`:   true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringNotEquals":{"aws:UserName":"a"}}`:      true,
		`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"dynamodb:LeadingKeys":"a"}}`: true,
	} {
		require.Equal(t, want, parse(t, `{`+statement+`,"Action":"*","Resource":"*"}`).Unbounded(), statement)
	}
	require.True(t, parse(t, `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Null":{"aws:SourceIp":"true"}}}`).Asks(KeySourceIP))
}
