package dynamowire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// Texts of wire-facts §1.8.
const (
	msgBothSignatures = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' " +
		"as HTTP header."
	msgNoToken        = "Request is missing Authentication Token"
	msgHeaderRequires = "Authorization header requires '%' parameter. "
	msgHeaderDate     = "Authorization header requires existence of either a 'X-Amz-Date' or a " +
		"'Date' header. "
	msgHeaderEnd   = "Authorization="
	msgQueryMust   = "AWS query-string parameters must include '%'. "
	msgQueryEnd    = "Re-examine the query-string parameters."
	msgPlaceholder = "%"
)

const (
	headerAuthorization = "Authorization"
	headerAmzDate       = "X-Amz-Date"
	headerDate          = "Date"
	authPrefix          = "AWS4-"
	queryAlgorithm      = "X-Amz-Algorithm"
)

// authenticate makes checks 1, 2 and 4 of wire-facts §1.8: that there is a signature of the right
// form. Whose it is and whether it is right is not looked at.
func authenticate(header http.Header, rawQuery string) error {
	auth := ""
	if v := header[headerAuthorization]; len(v) > 0 {
		auth = strings.TrimSpace(v[0])
	}
	query := strings.Contains(rawQuery, queryAlgorithm)
	switch {
	case auth != "" && query:
		return api.Errorf(api.InvalidSignature, msgBothSignatures)
	case query:
		return checkQuery(rawQuery)
	case !strings.HasPrefix(auth, authPrefix):
		return api.Errorf(api.MissingAuthenticationToken, msgNoToken)
	}
	return checkHeader(header, auth)
}

// checkHeader lists the parameters that are missing from the header.
func checkHeader(header http.Header, auth string) error {
	var missing strings.Builder
	for _, name := range [...]string{"Credential", "Signature", "SignedHeaders"} {
		if !strings.Contains(auth, name+"=") {
			missing.WriteString(strings.Replace(msgHeaderRequires, msgPlaceholder, name, 1))
		}
	}
	if header[headerAmzDate] == nil && header[headerDate] == nil {
		missing.WriteString(msgHeaderDate)
	}
	if missing.String() == "" {
		return nil
	}
	return api.Errorf(api.IncompleteSignature, "%s", missing.String()+msgHeaderEnd+auth)
}

// checkQuery lists the parameters that are missing from the query string.
func checkQuery(rawQuery string) error {
	// A query that does not parse lacks what could not be read.
	values, _ := url.ParseQuery(rawQuery)
	var missing strings.Builder
	for _, name := range [...]string{
		queryAlgorithm, "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", headerAmzDate,
	} {
		if values.Get(name) == "" {
			missing.WriteString(strings.Replace(msgQueryMust, msgPlaceholder, name, 1))
		}
	}
	if missing.String() == "" {
		return nil
	}
	return api.Errorf(api.IncompleteSignature, "%s", missing.String()+msgQueryEnd)
}
