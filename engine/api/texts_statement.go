package api

// PartiQL (wire-facts §6.15); the texts of the language itself stand in package partiql.
const (
	// MsgDuplicateItem is DuplicateItem, also as a cancellation reason.
	MsgDuplicateItem = "Duplicate primary key exists in table"
	// MsgNextToken is a NextToken that cannot be read, MsgNextTokenOther one of another statement. These and the next two
	// were measured by others in 2026 (floci, dynoxide).
	MsgNextToken      = "Invalid NextToken"
	MsgNextTokenOther = "NextToken does not match request"
	// MsgBatchMixed and MsgTransactionMixed are a batch and a transaction of reads and writes.
	MsgBatchMixed       = "Read and write requests together in the same batch is not supported."
	MsgTransactionMixed = "ExecuteTransaction API does not support both read and write operations in the same request."
)
