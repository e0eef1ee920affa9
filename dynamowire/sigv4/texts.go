package sigv4

// Texts of wire-facts §1.8.
const (
	msgBothSignatures = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' " +
		"as HTTP header."
	msgNoToken = "Request is missing Authentication Token"
	msgNoEqual = "'%s' not a valid key=value pair (missing equal-sign) in Authorization header: '%s'."

	msgHeaderRequires = "Authorization header requires '%' parameter. "
	msgHeaderDate     = "Authorization header requires existence of either a 'X-Amz-Date' or a " +
		"'Date' header. "
	msgHeaderEnd   = "Authorization="
	msgQueryMust   = "AWS query-string parameters must include '%'. "
	msgQueryEnd    = "Re-examine the query-string parameters."
	msgPlaceholder = "%"

	msgDateForm = "Date must be in ISO-8601 'basic format'. Got '%s'. " +
		"See http://en.wikipedia.org/wiki/ISO_8601"
	msgExpired = "Signature expired: %s is now earlier than %s (%s - 15 min.)"
	// msgNotYet is unsure (wire-facts §1.8 #6).
	msgNotYet         = "Signature not yet current: %s is still later than %s (%s + 15 min.)"
	msgMustSign       = "'%s' must be a 'SignedHeader' in the AWS Authorization."
	msgAlgorithm      = "Unsupported AWS 'algorithm': '%s' (only AWS4-HMAC-SHA256 for now). "
	msgCredentialForm = "Credential must have exactly 5 slash-delimited elements, e.g. " +
		"keyid/date/region/service/term, got '%s'"
	msgScopeRegion     = "Credential should be scoped to a valid region, not '%s'. "
	msgScopeService    = "Credential should be scoped to correct service: '%s'. "
	msgScopeTerminator = "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'. "
	msgScopeDate       = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date " +
		"from HTTP: '%s' != '%s', from '%s'."

	msgUnknownKey = "The security token included in the request is invalid."
	msgMismatch   = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	// msgBadToken has no full stop: DynamoDB does this (TestVerifyInOrder).
	msgBadToken = "The security token included in the request is invalid"
	// msgExpiredToken is unsure (wire-facts §1.8 #14).
	msgExpiredToken = "The security token included in the request is expired"
)
