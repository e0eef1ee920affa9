package api

// Texts of vector indexes. Those without a remark were measured in 2026 by others, who published them in the sources
// of two emulators (dynoxide, ExtendDB) to the letter.

const (
	// MsgVectorEmpty is an empty list of vector indexes.
	MsgVectorEmpty = PrefixInvalid + "List of VectorIndexes is empty"
	// MsgVectorCount is too many vector indexes.
	MsgVectorCount = PrefixInvalid + "VectorIndex count exceeds the per-table limit of 5"
	// MsgVectorBilling is a vector index on a provisioned table.
	MsgVectorBilling = PrefixInvalid + "Vector indexes are only supported for PAY_PER_REQUEST tables"
	// MsgVectorBillingSwitch is a switch to PROVISIONED of a table with vector indexes.
	MsgVectorBillingSwitch = PrefixInvalid + "Tables with vector indexes must be in PAY_PER_REQUEST mode"
	// MsgVectorDimensions is Dimensions above their bound.
	MsgVectorDimensions = PrefixInvalid + "Number of dimensions must be between 1 and 4096 inclusive."
	// MsgVectorDimensionsDiffer is one vector attribute with two numbers of dimensions; attribute.
	MsgVectorDimensionsDiffer = PrefixInvalid + "Conflicting attribute definition for '%s'. All VectorIndexes on the same " +
		"vector attribute must use the same dimensions."
	// MsgVectorDefined is a vector attribute that is defined as an attribute of keys; attribute.
	MsgVectorDefined = PrefixInvalid + "Conflicting attribute definition for '%s'. An attribute cannot be defined in " +
		"AttributeDefinitions when used as a VectorAttribute."
	// MsgSearchSchemaUndefined is an attribute of the search schema without a definition.
	MsgSearchSchemaUndefined = PrefixInvalid + "One element in SearchSchema is not defined in attribute " +
		"definitions"
	// MsgSearchSchemaHash is a second HASH element; number of them.
	MsgSearchSchemaHash = PrefixInvalid + "Value '%d' at 'SearchSchema' failed to satisfy constraint: Member must have " +
		"HASH count less than or equal to 1"
	// MsgSearchSchemaFilters is too many INLINE_FILTER elements; index; unsure: only the number is known.
	MsgSearchSchemaFilters = PrefixInvalid + "SearchSchema can contain at most 18 INLINE_FILTER elements " +
		"for index: %s"
	// MsgSearchSchemaTwice is an attribute twice in the search schema.
	MsgSearchSchemaTwice = PrefixInvalid + "SearchSchema contains a duplicate AttributeName"
	// MsgVectorUpdateEmpty is an update of a vector index without an action; unsure.
	MsgVectorUpdateEmpty = PrefixInvalid + "One of VectorIndexUpdate.Create, VectorIndexUpdate.Delete " +
		"must not be null"
	// MsgVectorUpdateBoth is an update of a vector index with two actions.
	MsgVectorUpdateBoth = PrefixInvalid + "Only one vector index action is allowed per VectorIndexUpdate object"
)

// prefixInvalidStop begins the texts about values of vectors. Some have a full stop before IndexName, some none.
const prefixInvalidStop = "One or more parameter values were invalid. "

const (
	// MsgVectorType is a vector attribute that is no list; attribute, index.
	MsgVectorType = prefixInvalidStop + "Invalid type for parameter %s, Expected: 32-bit floating point number list IndexName: %s"
	// MsgVectorElement is an element of a vector that is no number; attribute, place from 0, actual type, index.
	MsgVectorElement = prefixInvalidStop + "Invalid type for parameter %s[%d], Expected: 32-bit floating point number, " +
		"Actual: %s. IndexName: %s"
	// MsgVectorSize is a vector of another length; attribute, dimensions, actual length, index.
	MsgVectorSize = prefixInvalidStop + "Invalid size for parameter %s, Expected: %d, Actual: %d IndexName: %s"
	// MsgVectorRange is an element that no 32-bit float can be; attribute, place from 0, number, index.
	MsgVectorRange = prefixInvalidStop + "Invalid value for parameter %s[%d], Value: %s is outside valid range " +
		"[-3.4028235E38, 3.4028235E38]. IndexName: %s"
	// MsgVectorSchemaType is an attribute of the search schema of another type; name, schema's type, actual type, index.
	MsgVectorSchemaType = prefixInvalidStop + "Attribute '%s' type mismatch. Expected: %s, Actual: %s. IndexName: %s"
)

const (
	// MsgTopK is TopK above its bound; TopK.
	MsgTopK = "Provided TopK value '%d' is out of valid range. The value must be between 1 and 100 inclusive"
	// MsgSearchHash is a search without the partition key that its index has.
	MsgSearchHash = "SearchConditionExpression must be provided when SearchSchema has a HASH key"
	// MsgSearchComparator is an operator that a partition key cannot have.
	MsgSearchComparator = prefixSearch + "Invalid comparator used in SearchConditionExpression"
	// MsgSearchAttribute is a condition on an attribute that is not in the search schema; name.
	MsgSearchAttribute = "SearchConditionExpression must not contain any attributes that is not in SearchSchema. " +
		"Invalid attribute: %s"
	// MsgSearchNested is a condition on a nested attribute.
	MsgSearchNested = prefixSearch + "SearchConditionExpression cannot have conditions on nested attributes"
	// MsgSearchHashOnce is a partition key with more than one condition.
	MsgSearchHashOnce = prefixSearch + "SearchConditionExpression must only contain one condition per attribute"
	// MsgSearchHashType is a partition key of another type; name, actual type, schema's type.
	MsgSearchHashType = "Type of '%s' attribute in SearchConditionExpression (%s) does not match type in search schema (%s)"
	// MsgSearchValues is a search vector that holds something else than numbers.
	MsgSearchValues = "Search vector contains invalid values. All values in the search vector must be a " +
		"32-bit floating-point number attribute"
	// MsgSearchDimensions is a search vector of another length; its length, that of the index.
	MsgSearchDimensions = "Input search vector dimension %d does not match vector index dimension %d"
	// MsgVectorBackfilling is a search of an index that is being built; index.
	MsgVectorBackfilling = "Cannot search backfilling vector index: %s"
	// MsgIndexOperation is an operation on an index of another kind; operation. That of Query was seen;
	// unsure: the others.
	MsgIndexOperation = "%s operation not supported on this index type."

	prefixSearch = "Invalid SearchConditionExpression: "
)
