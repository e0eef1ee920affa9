package api

// Contributor insights (wire-facts §6.22).
const (
	// MsgInsightsIndex is ResourceNotFound of an index that is none or a local one; index, table.
	MsgInsightsIndex = "Requested resource not found: Index: %s not found for table: %s"
	// MsgInsightsState is a table or index that comes or goes; "TableStatus" or "IndexStatus".
	MsgInsightsState = "Table or Index is not in a valid state to update Key Access Insights: %s must be ACTIVE to enable " +
		"ContributorInsights."
	// MsgInsightsToken is a NextToken that no answer held; unsure.
	MsgInsightsToken = "Invalid NextToken"
)
