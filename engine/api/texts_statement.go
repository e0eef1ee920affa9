package api

// PartiQL (wire-facts §6.15); the texts of the language itself stand in package partiql.
const (
	// MsgDuplicateItem is DuplicateItem, also as a cancellation reason.
	MsgDuplicateItem = "Duplicate primary key exists in table"
	// MsgNextToken is a NextToken that no page of this statement gave; unsure: only that it is refused
	// can be taken for granted.
	MsgNextToken = "Given NextToken is invalid"
	// MsgStatementsMixed is a transaction or batch of reads and writes; unsure: only the refusal is
	// known.
	MsgStatementsMixed = "Reads and writes cannot be mixed in one request: all statements must be " +
		"SELECT, or none"
)
