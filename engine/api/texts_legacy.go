package api

// Condition maps: Expected, QueryFilter, ScanFilter and KeyConditions (wire-facts §8.2, §8.3).
const (
	// MsgArgumentCount is a wrong number of values for an operator; operator.
	MsgArgumentCount = PrefixInvalid +
		"Invalid number of argument(s) for the %s ComparisonOperator"
	// MsgArgumentTypes is values of different types.
	MsgArgumentTypes = PrefixInvalid +
		"AttributeValues inside AttributeValueList must be of same type"
	// MsgArgumentType is a value of a type that the operator does not take; operator, type.
	MsgArgumentType = PrefixInvalid +
		"ComparisonOperator %s is not valid for %s AttributeValue type"
	// MsgBetweenReversed is a BETWEEN whose bounds are reversed.
	MsgBetweenReversed = "The BETWEEN condition was provided a range where the lower bound is " +
		"greater than the upper bound"
	// MsgConditionalAlone is ConditionalOperator without anything to combine; unsure (wire-facts
	// §8.2).
	MsgConditionalAlone = PrefixInvalid + "ConditionalOperator cannot be used without Filter or Expected"
	// MsgConditionalSingle is ConditionalOperator with one entry; unsure like MsgConditionalAlone.
	MsgConditionalSingle = PrefixInvalid +
		"ConditionalOperator can only be used when Filter or Expected has two or more elements"

	// MsgConditionsMany is more entries than are taken; number. Unsure: by the text of expressions.
	MsgConditionsMany = PrefixInvalid + "The expression contains too many operators; operator count: %d"

	// MsgExpectedBoth is Value beside AttributeValueList; name.
	MsgExpectedBoth = PrefixInvalid +
		"Value and AttributeValueList cannot be used together for Attribute: %s"
	// MsgExpectedExists is Exists beside ComparisonOperator; name.
	MsgExpectedExists = PrefixInvalid +
		"Exists and ComparisonOperator cannot be used together for Attribute: %s"
	// MsgExpectedOperand is an operator without the values that it needs; operator, name.
	MsgExpectedOperand = PrefixInvalid +
		"Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s"
	// MsgExpectedList is AttributeValueList without an operator; name.
	MsgExpectedList = PrefixInvalid +
		"AttributeValueList can only be used with a ComparisonOperator for Attribute: %s"
	// MsgExpectedValue is an entry without Value that does not say Exists false; Exists (null or
	// true), name.
	MsgExpectedValue = PrefixInvalid +
		"Value must be provided when Exists is %s for Attribute: %s"
	// MsgExpectedAbsent is a Value for what shall not exist; name.
	MsgExpectedAbsent = PrefixInvalid +
		"Value cannot be used when Exists is false for Attribute: %s"
)

// AttributeUpdates (wire-facts §8.4).
const (
	// MsgUpdateNoValue is an action that needs a value without one.
	MsgUpdateNoValue = PrefixInvalid +
		"Only DELETE action is allowed when no attribute value is specified"
	// MsgUpdateDelete is DELETE of something that is no set; type.
	MsgUpdateDelete = PrefixInvalid + "DELETE action with value is not supported for the type %s"
	// MsgUpdateAdd is ADD of something that cannot be added; type.
	MsgUpdateAdd = PrefixInvalid + "ADD action is not supported for the type %s"
)

// AttributesToGet (wire-facts §8.5).
const (
	// MsgDuplicateAttribute is a name twice in AttributesToGet; name.
	MsgDuplicateAttribute = PrefixInvalid + "Duplicate value in attribute name: %s"
)
