package api

// Query (wire-facts §6.10).
const (
	// MsgKeyConditionAbsent is a Query without any key condition.
	MsgKeyConditionAbsent = "Either the KeyConditions or KeyConditionExpression parameter must be " +
		"specified in the request."
	// MsgKeyConditionCount is more conditions than an ordinary key has attributes.
	MsgKeyConditionCount = "Conditions can be of length 1 or 2 only"
	// MsgSelectSpecific is Select SPECIFIC_ATTRIBUTES without a projection.
	MsgSelectSpecific = "Must specify the AttributesToGet or ProjectionExpression when choosing to " +
		"get SPECIFIC_ATTRIBUTES"
	// MsgSelectProjection is a projection beside a Select that has its own; AttributesToGet or
	// ProjectionExpression, the Select value.
	MsgSelectProjection = "Cannot specify the %s when choosing to get %s"
	// MsgSelectCount is a projection beside Select COUNT; AttributesToGet or ProjectionExpression.
	MsgSelectCount = "Cannot specify the %s when choosing to get only the Count"
	// MsgSelectProjected is Select ALL_PROJECTED_ATTRIBUTES without an index.
	MsgSelectProjected = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
	// MsgIndexUnknown is an index that the table does not have; index.
	MsgIndexUnknown = "The table does not have the specified index: %s"
	// MsgConsistentIndex is a consistent read of a global index.
	MsgConsistentIndex = "Consistent reads are not supported on global secondary indexes"
	// MsgBackfilling is a read of an index that is being built; index.
	MsgBackfilling = "Cannot read from backfilling global secondary index: %s"
	// MsgConditionUnsupported is a key condition that no key can serve.
	MsgConditionUnsupported = "Query key condition not supported"
	// MsgConditionMissed is a key attribute without a condition; name.
	MsgConditionMissed = "Query condition missed key schema element: %s"
	// MsgConditionGap is a condition on a later sort attribute while an earlier one has no
	// equality (§6.1.1); earlier name, later name.
	MsgConditionGap = "RANGE key attributes %s must have equality conditions specified in the query " +
		"because a condition is present on key attribute %s"
	// MsgConditionOperator is a legacy operator that no key condition can have.
	MsgConditionOperator = "Attempted conditional constraint is not an indexable operation"
	// MsgConditionType is a value of another type than the key's.
	MsgConditionType = PrefixInvalid + "Condition parameter type does not match schema type"
	// MsgFilterKey is a filter on a key attribute; name.
	MsgFilterKey = "Filter Expression can only contain non-primary key attributes: Primary key " +
		"attribute: %s"
	// MsgQueryFilterKey is a legacy filter on a key attribute; name.
	MsgQueryFilterKey = "QueryFilter can only contain non-primary key attributes: Primary key " +
		"attribute: %s"
	// MsgSelectAllIndex is ALL_ATTRIBUTES of a global index that does not hold all; index.
	MsgSelectAllIndex = PrefixInvalid + "Select type ALL_ATTRIBUTES is not supported for global " +
		"secondary index %s because its projection type is not ALL"
	// MsgNotProjected is a projection of attributes that a global index does not hold; index,
	// attributes joined with ", ".
	MsgNotProjected = PrefixInvalid + "Global secondary index %s does not project [%s]"
)

// Start keys (wire-facts §4.1 last row, §6.10, §6.11).
const (
	// MsgStartKey is a start key of a wrong shape.
	MsgStartKey = "The provided starting key is invalid"
	// MsgStartKeyValue is a start key with a bad value; text of the value's error.
	MsgStartKeyValue = "The provided starting key is invalid: %s"
	// MsgStartKeySchema is a start key whose table key is wrong.
	MsgStartKeySchema = MsgStartKey + ": " + MsgKeyMismatch
	// MsgStartKeyBounds is a start key of another partition.
	MsgStartKeyBounds = "The provided starting key is outside query boundaries based on provided " +
		"conditions"
	// MsgStartKeyPredicate is a start key that the sort condition excludes.
	MsgStartKeyPredicate = "The provided starting key does not match the range key predicate"
	// MsgStartKeySingle is a start key for a query that finds at most one item.
	MsgStartKeySingle = "The query can return at most one row and cannot be restarted"
	// MsgStartKeySegment is a start key of another segment; TotalSegments, Segment.
	MsgStartKeySegment = MsgStartKey + ": Invalid ExclusiveStartKey. Please use ExclusiveStartKey " +
		"with correct Segment. TotalSegments: %d Segment: %d"
)

// Scan (wire-facts §6.11).
const (
	// MsgTotalSegmentsAbsent is Segment without TotalSegments.
	MsgTotalSegmentsAbsent = "The TotalSegments parameter is required but was not present in the " +
		"request when Segment parameter is present"
	// MsgSegmentAbsent is TotalSegments without Segment.
	MsgSegmentAbsent = "The Segment parameter is required but was not present in the request when " +
		"parameter TotalSegments is present"
	// MsgSegmentRange is a Segment that is not below TotalSegments; Segment, TotalSegments.
	MsgSegmentRange = "The Segment parameter is zero-based and must be less than parameter " +
		"TotalSegments: Segment: %d is not less than TotalSegments: %d"
)
