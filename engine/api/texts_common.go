package api

// Texts of our own: the service has nothing to say here.
const (
	// MsgNotBuilt answers an operation that the contract knows and this version does not serve;
	// operation.
	MsgNotBuilt = "The operation %s is known and not part of this version"
)

// Generic texts (wire-facts §1.4).
const (
	// MsgNotFound is ResourceNotFound of the data plane.
	MsgNotFound = "Requested resource not found"
	// MsgTableNotFound is ResourceNotFound of the control plane; table name.
	MsgTableNotFound = "Requested resource not found: Table: %s not found"
	// MsgConditionFailed is ConditionalCheckFailed, also as a cancellation reason.
	MsgConditionFailed = "The conditional request failed"
	// MsgTransactionConflict is TransactionConflict, also as a cancellation reason.
	MsgTransactionConflict = "Transaction is ongoing for the item"
	// MsgCollectionSize is ItemCollectionSizeLimit as a cancellation reason.
	MsgCollectionSize = "Collection size exceeded."
	// MsgCollectionSizeAlone is ItemCollectionSizeLimit of a single write; unsure.
	MsgCollectionSizeAlone = "Item collection size limit exceeded"
	// MsgInternal is InternalServerError; unsure.
	MsgInternal = "Internal server error"
	// MsgUnavailable is Unavailable; unsure: what the API reference says of the error for all services.
	MsgUnavailable = "The request has failed due to a temporary failure of the server."
	// MsgThroughputTable is ProvisionedThroughputExceeded of a table.
	MsgThroughputTable = "The level of configured provisioned throughput for the table was exceeded. " +
		"Consider increasing your provisioning level with the UpdateTable API."
	// MsgThroughputIndex is ProvisionedThroughputExceeded of an index.
	MsgThroughputIndex = "The level of configured provisioned throughput for one or more global " +
		"secondary indexes of the table was exceeded. Consider increasing your provisioning level " +
		"for the under-provisioned global secondary indexes with the UpdateTable API"
	// MsgThrottledTable is Throttling of an on-demand table.
	MsgThrottledTable = "Throughput exceeds the current capacity of your table or index. DynamoDB is " +
		"automatically scaling your table or index so please try again shortly. If exceptions " +
		"persist, check if you have a hot key: " +
		"https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html."
	// MsgThrottledIndex is Throttling of an index of an on-demand table.
	MsgThrottledIndex = "Throughput exceeds the current capacity for one or more global secondary " +
		"indexes. DynamoDB is automatically scaling your index so please try again shortly."
)

// Prefixes of service errors (wire-facts §0, §3.6).
const (
	// PrefixInvalid begins most texts of service errors.
	PrefixInvalid = "One or more parameter values were invalid: "
	// PrefixNotValid begins the texts about empty key values.
	PrefixNotValid = "One or more parameter values are not valid. "
	// PrefixEnvelope begins the request-validation texts of PutItem and UpdateItem since 2026.
	PrefixEnvelope = "1 validation error detected: "
)

// Constraint errors (wire-facts §3.1, §3.2, §6.12).
const (
	// MsgConstraints begins the list of constraint errors when there are several; number of errors.
	MsgConstraints = "%d validation errors detected: "
	// ConstraintsJoin stands between constraint errors.
	ConstraintsJoin = "; "
	// MsgConstraint is one constraint error; value (quoted, or null), path, constraint.
	MsgConstraint = "Value %s at '%s' failed to satisfy constraint: %s"
	// MsgConstraintBare is a constraint error that leaves the value out; path, constraint.
	MsgConstraintBare = "Value at '%s' failed to satisfy constraint: %s"

	// ConstraintRequired is a missing member.
	ConstraintRequired = "Member must not be null"
	// ConstraintLengthMin is a string, list or map that is too short; length.
	ConstraintLengthMin = "Member must have length greater than or equal to %d"
	// ConstraintLengthMax is a string, list or map that is too long; length.
	ConstraintLengthMax = "Member must have length less than or equal to %d"
	// ConstraintValueMin is a number that is too small; number.
	ConstraintValueMin = "Member must have value greater than or equal to %d"
	// ConstraintValueMax is a number that is too large; number.
	ConstraintValueMax = "Member must have value less than or equal to %d"
	// ConstraintEnum is an unknown name; the allowed names joined with ", ".
	ConstraintEnum = "Member must satisfy enum value set: [%s]"
	// ConstraintPattern is a string of another form; the pattern.
	ConstraintPattern = "Member must satisfy regular expression pattern: %s"
	// ConstraintMapKeys is a map with a bad key; the constraints of a key joined with ", ".
	ConstraintMapKeys = "Map keys must satisfy constraint: [%s]"
	// ConstraintMapValue is a map with a bad value; the constraints of a value joined with ", ".
	ConstraintMapValue = "Map value must satisfy constraint: [%s]"
)

// Table names (wire-facts §3.5).
const (
	// MsgTableNameAbsent is a missing TableName in the control plane.
	MsgTableNameAbsent = "The parameter 'TableName' is required but was not present in the request"
	// MsgTableNameLength is a TableName of a wrong length in the control plane.
	MsgTableNameLength = "TableName must be at least 3 characters long and at most 255 characters long"
	// MsgTableNameInvalid is a TableName that is neither a name nor an ARN; unsure. DynamoDB does
	// put two blanks after "name.": TestTableNames.
	MsgTableNameInvalid = "Invalid table/index name.  Table/index names must be between 3 and 255 " +
		"characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
)

// Parameters of expressions (wire-facts §5.1, §8.1).
const (
	// MsgMixed is an expression parameter beside a legacy one; legacy names, expression names,
	// each joined with ", ".
	MsgMixed = "Can not use both expression and non-expression parameters in the same request: " +
		"Non-expression parameters: {%s} Expression parameters: {%s}"
	// MsgNamesWithoutExpression is ExpressionAttributeNames without any expression.
	MsgNamesWithoutExpression = "ExpressionAttributeNames can only be specified when using expressions"
	// MsgValuesWithoutExpression is ExpressionAttributeValues without an expression that takes
	// values; the expression parameters joined with " and ", "is" or "are".
	MsgValuesWithoutExpression = "ExpressionAttributeValues can only be specified when using " +
		"expressions: %s %s null"
	// MsgNamesEmpty is an empty ExpressionAttributeNames.
	MsgNamesEmpty = "ExpressionAttributeNames must not be empty"
	// MsgNamesKey is a placeholder of a wrong form; placeholder.
	MsgNamesKey = "ExpressionAttributeNames contains invalid key: Syntax error; key: \"%s\""
	// MsgNamesKeyLong is a placeholder that is too long; placeholder; unsure: only the refusal is
	// known.
	MsgNamesKeyLong = "ExpressionAttributeNames contains invalid key: The attribute name placeholder " +
		"is too long; key: \"%s\""
	// MsgNamesValueEmpty is a placeholder that stands for an empty name; placeholder; unsure: only
	// the refusal is known.
	MsgNamesValueEmpty = "ExpressionAttributeNames contains invalid value: Empty attribute name; " +
		"key: \"%s\""
	// MsgNamesValueUTF8 is a placeholder that stands for a name that is not UTF-8; placeholder; ours.
	MsgNamesValueUTF8 = "ExpressionAttributeNames contains invalid value: Attribute name is not UTF-8; " +
		"key: \"%s\""
	// MsgValuesEmpty is an empty ExpressionAttributeValues.
	MsgValuesEmpty = "ExpressionAttributeValues must not be empty"
	// MsgValuesKey is a placeholder of a wrong form; placeholder.
	MsgValuesKey = "ExpressionAttributeValues contains invalid key: Syntax error; key: \"%s\""
	// MsgValuesKeyLong is a placeholder that is too long; placeholder; unsure: only the refusal is
	// known.
	MsgValuesKeyLong = "ExpressionAttributeValues contains invalid key: The attribute value " +
		"placeholder is too long; key: \"%s\""
	// MsgValuesValue is a bad value; text of the value's error, placeholder.
	MsgValuesValue = "ExpressionAttributeValues contains invalid value: %s for key %s"
	// MsgSubstitutionSize is more than 2 MB of names and values; unsure: only the refusal is known.
	MsgSubstitutionSize = "ExpressionAttributeNames and ExpressionAttributeValues exceed the maximum " +
		"allowed size of 2 MB"
)
