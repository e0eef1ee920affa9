package sigv4

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

const (
	headerAuthorization = "Authorization"
	headerDate          = "Date"
	headerAmzDate       = "X-Amz-Date"
	headerToken         = "X-Amz-Security-Token"
	authPrefix          = "AWS4-"

	// The parameters, as the header names them; the query form puts queryPrefix before them.
	paramAlgorithm     = "Algorithm"
	paramCredential    = "Credential"
	paramSignature     = "Signature"
	paramSignedHeaders = "SignedHeaders"
	paramDate          = "Date"
	queryPrefix        = "X-Amz-"
)

// authorization is what a request says of its signature.
type authorization struct {
	algorithm, credential, signature, signedHeaders, date, token string
	// target is the operation where the query string names it as well.
	target string
}

// CheckForm makes checks 1, 2 and 4 of wire-facts §1.8, which need no credentials: that there is a
// signature of the right form. Whose it is and whether it is right is not looked at. It is the whole
// check of a server that accepts any credentials, so it neither splits nor copies a good header.
func CheckForm(header http.Header, rawQuery string) error {
	text, query, err := where(header, rawQuery)
	switch {
	case err != nil:
		return err
	case query:
		_, err = parseQuery(rawQuery)
		return err
	}
	a := authorization{date: dateOf(header)}
	if a.date != "" && strings.Contains(text, paramCredential+"=") && strings.Contains(text, paramSignature+"=") &&
		strings.Contains(text, paramSignedHeaders+"=") {
		return nil
	}
	for _, p := range a.params() {
		if strings.Contains(text, p.name+"=") {
			*p.value = text
		}
	}
	return a.missingInHeader(text)
}

// parse makes checks 1 to 4 of wire-facts §1.8.
func parse(header http.Header, rawQuery string) (authorization, error) {
	text, query, err := where(header, rawQuery)
	switch {
	case err != nil:
		return authorization{}, err
	case query:
		return parseQuery(rawQuery)
	}
	return parseHeader(header, text)
}

// where finds the signature: the text of the header, or that it is in the query string.
func where(header http.Header, rawQuery string) (text string, query bool, err error) {
	if v := header[headerAuthorization]; len(v) > 0 {
		text = strings.TrimSpace(v[0])
	}
	query = strings.Contains(rawQuery, queryPrefix+paramAlgorithm)
	switch {
	case text != "" && query:
		return "", false, api.Errorf(api.InvalidSignature, msgBothSignatures)
	case !query && !strings.HasPrefix(text, authPrefix):
		return "", false, api.Errorf(api.MissingAuthenticationToken, msgNoToken)
	}
	return text, query, nil
}

// param is a parameter of the header form.
type param struct {
	name  string
	value *string
}

// params lists the parameters of the header form, in the order in which missing ones are told.
func (a *authorization) params() [3]param {
	return [...]param{
		{paramCredential, &a.credential}, {paramSignature, &a.signature},
		{paramSignedHeaders, &a.signedHeaders},
	}
}

// parseHeader splits the header: pieces of key=value after the algorithm, between commas or blanks.
func parseHeader(header http.Header, text string) (authorization, error) {
	a := authorization{date: dateOf(header), token: header.Get(headerToken)}
	var rest string
	a.algorithm, rest, _ = strings.Cut(text, " ")
	for rest != "" {
		end := 0
		for end < len(rest) && rest[end] != ',' && rest[end] != ' ' {
			end++
		}
		piece := strings.TrimSpace(rest[:end])
		rest = rest[min(end+1, len(rest)):]
		if piece == "" {
			continue
		}
		name, value, ok := strings.Cut(piece, "=")
		if !ok {
			return a, api.Errorf(api.IncompleteSignature, msgNoEqual, piece, text)
		}
		switch name {
		case paramCredential:
			a.credential = value
		case paramSignature:
			a.signature = value
		case paramSignedHeaders:
			a.signedHeaders = value
		}
	}
	return a, a.missingInHeader(text)
}

// missingInHeader lists the parameters that the header lacks.
func (a *authorization) missingInHeader(text string) error {
	if a.credential != "" && a.signature != "" && a.signedHeaders != "" && a.date != "" {
		return nil
	}
	var missing strings.Builder
	for _, p := range a.params() {
		if *p.value == "" {
			missing.WriteString(strings.Replace(msgHeaderRequires, msgPlaceholder, p.name, 1))
		}
	}
	if a.date == "" {
		missing.WriteString(msgHeaderDate)
	}
	return api.Errorf(api.IncompleteSignature, "%s", missing.String()+msgHeaderEnd+text)
}

// dateOf is the date of the header form.
func dateOf(header http.Header) string {
	for _, name := range [...]string{headerAmzDate, headerDate} {
		if v := header[name]; len(v) > 0 && v[0] != "" {
			return v[0]
		}
	}
	return ""
}

// parseQuery reads the query form and lists the parameters that it lacks.
func parseQuery(rawQuery string) (authorization, error) {
	// A query that does not parse lacks what could not be read.
	values, _ := url.ParseQuery(rawQuery)
	a := authorization{token: values.Get(headerToken), target: values.Get(headerTarget)}
	var missing strings.Builder
	for _, p := range [...]param{
		{paramAlgorithm, &a.algorithm},
		{paramCredential, &a.credential},
		{paramSignature, &a.signature},
		{paramSignedHeaders, &a.signedHeaders},
		{paramDate, &a.date},
	} {
		name := queryPrefix + p.name
		if *p.value = values.Get(name); *p.value == "" {
			missing.WriteString(strings.Replace(msgQueryMust, msgPlaceholder, name, 1))
		}
	}
	if missing.Len() > 0 {
		return a, api.Errorf(api.IncompleteSignature, "%s", missing.String()+msgQueryEnd)
	}
	return a, nil
}
