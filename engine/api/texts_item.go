package api

// Keys against the schema (wire-facts §4.1, §4.2).
const (
	// MsgKeyMismatch is a key with other attributes or types than the schema's.
	MsgKeyMismatch = "The provided key element does not match the schema"
	// MsgKeyMissing is an item without a key attribute; name.
	MsgKeyMissing = PrefixInvalid + "Missing the key %s in the item"
	// MsgKeyType is an item whose key attribute has another type; name, schema's type, actual type.
	MsgKeyType = PrefixInvalid + "Type mismatch for key %s expected: %s actual: %s"
	// MsgIndexKeyType is an index key attribute of another type; name, schema's type, actual type,
	// index.
	MsgIndexKeyType = PrefixInvalid +
		"Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s"
	// MsgHashKeySize is a partition key value that is too long. DynamoDB does leave out the blank
	// after "of": TestTextsGolden.
	MsgHashKeySize = PrefixInvalid +
		"Size of hashkey has exceeded the maximum size limit of2048 bytes"
	// MsgRangeKeySize is a sort key value that is too long.
	MsgRangeKeySize = PrefixInvalid +
		"Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
	// MsgKeyEmptyString is an empty string as a key value; name.
	MsgKeyEmptyString = PrefixNotValid +
		"The AttributeValue for a key attribute cannot contain an empty string value. Key: %s"
	// MsgKeyEmptyBinary is an empty binary as a key value; name.
	MsgKeyEmptyBinary = PrefixNotValid +
		"The AttributeValue for a key attribute cannot contain an empty binary value. Key: %s"
	// MsgIndexKeyEmptyString is an empty string in a put's index key; index, name.
	MsgIndexKeyEmptyString = PrefixNotValid +
		"A value specified for a secondary index key is not supported. The AttributeValue for a key " +
		"attribute cannot contain an empty string value. IndexName: %s, IndexKey: %s"
	// MsgIndexKeyEmptyBinary is an empty binary in a put's index key; index, name.
	MsgIndexKeyEmptyBinary = PrefixNotValid +
		"A value specified for a secondary index key is not supported. The AttributeValue for a key " +
		"attribute cannot contain an empty binary value. IndexName: %s, IndexKey: %s"
	// MsgUpdateIndexKeyEmptyString is an empty string that an update sets in an index key.
	MsgUpdateIndexKeyEmptyString = PrefixNotValid +
		"The update expression attempted to update a secondary index key to a value that is not " +
		"supported. The AttributeValue for a key attribute cannot contain an empty string value."
	// MsgUpdateIndexKeyEmptyBinary is an empty binary that an update sets in an index key.
	MsgUpdateIndexKeyEmptyBinary = PrefixNotValid +
		"The update expression attempted to update a secondary index key to a value that is not " +
		"supported. The AttributeValue for a key attribute cannot contain an empty binary value."
	// MsgKeyNotScalar is a path into a key attribute; name.
	MsgKeyNotScalar = "Key attributes must be scalars; list random access '[]' and map lookup '.' " +
		"are not allowed: Key: %s"
	// MsgIndexKeyNotScalar is a path into an index key attribute; name.
	MsgIndexKeyNotScalar = "Key attributes must be scalars; list random access '[]' and map lookup " +
		"'.' are not allowed: IndexKey: %s"
)

// Items (wire-facts §4.3, §5.9, §6.6–6.9, §6.13).
const (
	// MsgItemSize is an item to put that is too large.
	MsgItemSize = "Item size has exceeded the maximum allowed size"
	// MsgUpdateItemSize is the result of an update that is too large.
	MsgUpdateItemSize = "Item size to update has exceeded the maximum allowed size"
	// MsgReturnValues is ReturnValues that the operation does not offer (boto/boto3 issue 4339, of the service;
	// "Return values set to invalid value" is DynamoDB Local's: issue 4499).
	MsgReturnValues = "ReturnValues can only be ALL_OLD or NONE"
	// MsgUpdateKey is an update of a table key attribute; name.
	MsgUpdateKey = PrefixInvalid +
		"Cannot update attribute %s. This attribute is part of the key"
	// MsgUpdateIndexKeyType is an update that gives an index key another type, known only after
	// evaluation.
	MsgUpdateIndexKeyType = "The update expression attempted to update the secondary index key to " +
		"unsupported type"
	// MsgUpdateIndexKeySize is an update that makes an index key too long.
	MsgUpdateIndexKeySize = "The update expression attempted to update the secondary index key " +
		"beyond allowed size limits"
)

// Batches (wire-facts §6.12).
const (
	// MsgBatchGetCount is more than 100 keys over all tables.
	MsgBatchGetCount = "Too many items requested for the BatchGetItem call"
	// MsgBatchWriteCount is more than 25 requests over all tables.
	MsgBatchWriteCount = "Too many items requested for the BatchWriteItem call"
	// MsgBatchDuplicate is a key that a batch names twice.
	MsgBatchDuplicate = "Provided list of item keys contains duplicates"
	// MsgBatchEntry is a write request with neither or both members.
	MsgBatchEntry = "Supplied AttributeValue has more than one datatypes set, must contain exactly " +
		"one of the supported datatypes"
)

// Transactions (wire-facts §6.13, §6.14).
const (
	// MsgTransactEntry is an entry with none or several actions.
	MsgTransactEntry = "TransactItems can only contain one of Check, Put, Update or Delete"
	// MsgTransactDuplicate is two actions on one item.
	MsgTransactDuplicate = "Transaction request cannot include multiple operations on one item"
	// MsgTransactSize is a transaction over 4 MB; unsure: only the refusal is known.
	MsgTransactSize = "Collection of items in the transaction has exceeded the maximum allowed size " +
		"of 4194304 bytes"
	// MsgTransactCanceled begins the text of TransactionCanceled; codes of all actions joined with
	// ", ".
	MsgTransactCanceled = "Transaction cancelled, please refer cancellation reasons for specific " +
		"reasons [%s]"
	// MsgTransactRunning is TransactionInProgress.
	MsgTransactRunning = "Transaction from previous request is still in progress"
	// MsgTokenMismatch is IdempotentParameterMismatch; unsure: the text is the documentation's.
	MsgTokenMismatch = "DynamoDB rejected the request because you retried a request with a different " +
		"payload but with an idempotent token that was already used."
)

// Codes of cancellation reasons (wire-facts §6.13).
const (
	ReasonNone                    = "None"
	ReasonConditionalCheckFailed  = "ConditionalCheckFailed"
	ReasonItemCollectionSizeLimit = "ItemCollectionSizeLimitExceeded"
	ReasonTransactionConflict     = "TransactionConflict"
	ReasonProvisionedThroughput   = "ProvisionedThroughputExceeded"
	ReasonThrottlingError         = "ThrottlingError"
	ReasonValidationError         = "ValidationError"
	ReasonDuplicateItem           = "DuplicateItem"
)
