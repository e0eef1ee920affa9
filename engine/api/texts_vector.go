package api

// Indexes of vectors: definition (wire-facts §6.27).
const (
	// MsgVectorEmpty is an empty list of vector indexes; unsure.
	MsgVectorEmpty = PrefixInvalid + "List of VectorIndexes is empty"
	// MsgVectorCount is too many vector indexes; unsure: only the number is known.
	MsgVectorCount = PrefixInvalid + "Number of VectorIndexes exceeds per-table limit of 5"
	// MsgVectorBilling is a vector index on a provisioned table; unsure: only the refusal is known.
	MsgVectorBilling = PrefixInvalid + "VectorIndexes are only supported when BillingMode is " +
		"PAY_PER_REQUEST"
	// MsgVectorDimensions is Dimensions out of bounds; the number, index; unsure: only the bound is known.
	MsgVectorDimensions = PrefixInvalid + "Dimensions %d must be between 1 and 4096 for index: %s"
	// MsgVectorDimensionsDiffer is one vector attribute with two numbers of dimensions; attribute; unsure:
	// only the rule is known.
	MsgVectorDimensionsDiffer = PrefixInvalid + "All vector indexes on the same vector attribute must " +
		"have the same Dimensions. Attribute: %s"
	// MsgVectorKey is a vector attribute that is part of a key; attribute, index; unsure: only the refusal
	// is known.
	MsgVectorKey = PrefixInvalid + "Vector attribute can not be a key attribute: %s. IndexName: %s"
	// MsgSearchSchemaUndefined is an attribute of the search schema without a definition.
	MsgSearchSchemaUndefined = PrefixInvalid + "One element in SearchSchema is not defined in attribute " +
		"definitions"
	// MsgSearchSchemaHash is a second HASH element; index; unsure: only the number is known.
	MsgSearchSchemaHash = PrefixInvalid + "SearchSchema can contain at most 1 HASH element for index: %s"
	// MsgSearchSchemaFilters is too many INLINE_FILTER elements; index; unsure: only the number is known.
	MsgSearchSchemaFilters = PrefixInvalid + "SearchSchema can contain at most 18 INLINE_FILTER elements " +
		"for index: %s"
	// MsgSearchSchemaTwice is an attribute twice in the search schema; name; unsure.
	MsgSearchSchemaTwice = PrefixInvalid + "Duplicate attribute in SearchSchema: %s"
	// MsgVectorUpdateEmpty is an update of a vector index without an action; unsure.
	MsgVectorUpdateEmpty = PrefixInvalid + "One of VectorIndexUpdate.Create, VectorIndexUpdate.Delete " +
		"must not be null"
	// MsgVectorUpdateBoth is an update of a vector index with two actions; unsure.
	MsgVectorUpdateBoth = PrefixInvalid + "Only one of VectorIndexUpdate.Create, VectorIndexUpdate.Delete " +
		"may be given"
	// MsgVectorUpdateTwice is two updates of one vector index; index; unsure.
	MsgVectorUpdateTwice = PrefixInvalid + "Only one vector index update per index is allowed " +
		"simultaneously. Index: %s"
)

// Vectors of items (wire-facts §6.27).
const (
	// MsgVectorType is a vector attribute that is no list; attribute, actual type, index; unsure: only its
	// beginning is known.
	MsgVectorType = PrefixInvalid + "Invalid type for parameter %s, Expected: L, Actual: %s. IndexName: %s"
	// MsgVectorElement is an element of a vector that is no number; attribute, place, actual type, index;
	// unsure: only its beginning is known, and that it names the place.
	MsgVectorElement = PrefixInvalid + "Invalid type for parameter %s[%d], Expected: N, Actual: %s. " +
		"IndexName: %s"
	// MsgVectorSize is a vector of another length; attribute, dimensions, actual length, index.
	MsgVectorSize = PrefixInvalid + "Invalid size for parameter %s, Expected: %d, Actual: %d. IndexName: %s"
	// MsgVectorRange is an element that no 32-bit float can be; attribute, place, index; unsure: only the
	// refusal is known.
	MsgVectorRange = PrefixInvalid + "Invalid value for parameter %s[%d], Expected: 32-bit floating-point " +
		"number. IndexName: %s"
)

// SearchVectors (wire-facts §6.28).
const (
	// MsgTopK is TopK out of range.
	MsgTopK = "Provided TopK value is out of valid range"
	// MsgSearchHash is a search without the partition key that its index has.
	MsgSearchHash = "SearchConditionExpression must be provided when SearchSchema has a HASH key"
	// MsgSearchComparator is an operator that a partition key cannot have.
	MsgSearchComparator = "Invalid SearchConditionExpression: Invalid comparator used in SearchConditionExpression"
	// MsgSearchAttribute is a condition on an attribute that is not in the search schema; name; unsure:
	// only the rule is known.
	MsgSearchAttribute = "Invalid SearchConditionExpression: Attribute is not defined in SearchSchema: %s"
	// MsgSearchNested is a condition on a nested attribute; path; unsure: only the rule is known.
	MsgSearchNested = "Invalid SearchConditionExpression: Only top-level attributes are supported: %s"
	// MsgSearchHashOnce is a partition key with more than one condition; name; unsure: only the rule is
	// known.
	MsgSearchHashOnce = "Invalid SearchConditionExpression: HASH attribute must have exactly one equality " +
		"condition: %s"
	// MsgSearchHashType is a partition key of another type; name, schema's type, actual type; unsure.
	MsgSearchHashType = "Invalid SearchConditionExpression: Type mismatch for attribute %s. Expected: %s " +
		"Actual: %s"
	// MsgSearchValues is a search vector that holds something else than numbers; unsure.
	MsgSearchValues = "Search vector contains invalid values. All values in the search vector must be a " +
		"32-bit floating-point number attribute"
	// MsgSearchDimensions is a search vector of another length; its length, that of the index.
	MsgSearchDimensions = "Input search vector dimension %d does not match vector index dimension %d"
	// MsgVectorBackfilling is a search of an index that is being built; index.
	MsgVectorBackfilling = "Cannot search backfilling vector index: %s"
	// MsgIndexOperation is an operation on an index of another kind; operation. That of Query was seen;
	// unsure: the others.
	MsgIndexOperation = "%s operation not supported on this index type."
)
