package api

// Contributor insights (wire-facts §6.22).
const (
	// MsgInsightsIndex is ResourceNotFound of an index that is none or a local one; index; unsure: only the
	// error is known.
	MsgInsightsIndex = "Requested resource not found: Index: %s not found"
	// MsgInsightsToken is a NextToken that no answer held; unsure.
	MsgInsightsToken = "Invalid NextToken"
)
