package expr

// Every text that a client can see from this package stands in this file, letter for letter as
// the service sends it; testdata/texts.golden pins them. Verbs of fmt stand for the variable
// parts. The word "unsure" marks a text or a rule that rests on a weak source.
const (
	// msgInvalid is put before the texts of the compiler: the name of the parameter, the text.
	msgInvalid = "Invalid %s: %s"

	msgEmpty            = "The expression can not be empty;"
	msgTooLong          = "Expression size has exceeded the maximum allowed size;"
	msgTooLongSize      = msgTooLong + " expression size: %d" // unsure for which operations
	msgTooManyOperators = "The expression contains too many operators; operator count: %d"
	msgTooManyInOps     = "The IN operator is provided with too many operands; number of operands: %d"
	msgIndexRange       = "List index is not within the allowable range; index: [%s]"             // unsure
	msgPathTooDeep      = "The document path has too many nesting elements; nesting elements: %d" // unsure
	msgSyntax           = `Syntax error; token: "%s", near: "%s"`
	msgRedundantParens  = "The expression has redundant parentheses;"
	msgUnknownFunction  = "Invalid function name; function: %s"
	msgMisusedFunction  = "The function is not allowed to be used this way in an expression; function: %s"
	msgReserved         = "Attribute name is a reserved keyword; reserved keyword: %s"
	msgUndefinedName    = "An expression attribute name used in the document path is not defined; attribute name: %s"
	msgUndefinedValue   = "An expression attribute value used in expression is not defined; attribute value: %s"
	msgOperandCount     = "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d"
	msgSameOperand      = "The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s"
	msgNeedsPath        = "Operator or function requires a document path; operator or function: %s"
	msgOperandType      = "Incorrect operand type for operator or function; operator or function: %s, operand type: %s"
	msgTypeName         = "Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
	msgBetweenTypes     = "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s"
	msgBetweenOrder     = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s"

	msgOverlap      = "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s"
	msgConflict     = "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s"
	msgClauseTwice  = `The "%s" section can only be used once in an update expression;`
	msgAddType      = "Incorrect operand type for operator or function; operator: ADD, operand type: %s, typeSet: ALLOWED_FOR_ADD_OPERAND"       // unsure: old answers lack typeSet
	msgDeleteType   = "Incorrect operand type for operator or function; operator: DELETE, operand type: %s, typeSet: ALLOWED_FOR_DELETE_OPERAND" // unsure: old answers lack typeSet
	anyTypeOperands = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
)

// The reduction of a key condition is reported bare, with the parameter's name inside the text.
const (
	msgKeyOperator        = "Invalid operator used in KeyConditionExpression: %s"
	msgKeyNestedOperation = "KeyConditionExpressions cannot contain nested operations"
	msgKeyFirstOperand    = "Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand"
	msgKeyTwoPaths        = "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"
	msgKeyNestedPath      = "KeyConditionExpressions cannot have conditions on nested attributes"
	msgKeyNoPath          = "Invalid condition in KeyConditionExpression: No key attribute specified"
	msgKeyTwice           = "KeyConditionExpressions must only contain one condition per key"
	msgKeyTooMany         = "Conditions can be of length 1 or 2 only"
)

// Placeholders that no expression used, reported bare after everything was compiled.
const (
	msgUnusedNames  = "Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}"
	msgUnusedValues = "Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}"
)

// Texts of an update's evaluation, always bare.
const (
	msgEvalMissing     = "The provided expression refers to an attribute that does not exist in the item"
	msgEvalType        = "An operand in the update expression has an incorrect data type"
	msgEvalLegacyType  = "Type mismatch for attribute to update"
	msgEvalPath        = "The document path provided in the update expression is invalid for update"
	msgEvalOverflow    = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	msgEvalUnderflow   = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
	msgEvalPrecision   = "Attempting to store more than 38 significant digits in a Number"
	msgEvalNestedDepth = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)
