package partiql

// Every text that a client can see from this package stands in this file (wire-facts §6.15). The
// word "unsure" marks what rests on a weak source or on none.
const (
	// msgMalformed is a statement that is no PartiQL; detail.
	msgMalformed = "Statement wasn't well formed, can't be processed: %s"
	// msgOrderSeveral is known from a report (zenn.dev/orbitryota/scraps/4140559c9889e5); that the
	// partition key must stand first is unsure.
	msgOrderSeveral = "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause."
	// msgUnsupported is PartiQL that the service does not run; kind, name, line, column, length;
	// unsure but for the form.
	msgUnsupported = "Unsupported %s: %s at %d:%d:%d"

	// Those without a remark were measured in 2026 by others, who published them in the sources of emulators (floci,
	// dynoxide), or stand in reports of users of the service.
	msgOrderWithoutWhere = "Must have WHERE clause in the statement when using ORDER BY clause."
	msgOrderWithoutHash  = "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
	msgOrderName         = "Attribute %s in ORDER BY clause must be part of the primary key"
	msgNeedsKey          = "Where clause does not contain a mandatory equality on all key attributes"
	msgNoIndex           = "The table does not have the specified index"
	msgNotProjected      = "One or more parameter values were invalid: Secondary index %s does not project one or more filter attributes: [%s]"
	msgConsistentIndex   = "Strongly consistent read is not supported on Global Secondary Indexes"
	msgParameters        = "Number of parameters in request and statement don't match."                                                                             // unsure
	msgInsertSeveral     = `Unsupported operation: Inserting multiple items in a single statement is not supported, use "INSERT INTO tableName VALUE item" instead` // unsure
	msgBatchKey          = "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
	msgTransactKey       = "Select statements within ExecuteTransaction must specify the primary key in the where clause." // unsure: by the text for batches
	msgKeyInList         = "The IN operator is provided with too many operands; number of operands: %d"                    // unsure: the text of expressions
	msgExistsAlone       = "EXISTS can only be used in ExecuteTransaction write requests."
	msgExistsItem        = "EXISTS() must contain a single item read with additional condition"
	msgTransactIndex     = "Reads on indices are not supported within transactions."
	msgTransactReturning = "Validation failed in TransactStatements[%d]: RETURNING clause is not supported in ExecuteTransaction."
	msgDeleteReturning   = "Invalid returning clause: RETURNING %s %s *. Only RETURNING ALL OLD * is allowed in DELETE statements."
	msgExplainAlone      = "EXPLAIN is only supported within ExecuteStatement" // ours
	msgWriteIndex        = "This operation is not supported on an index"
	msgInsertTuple       = "Unsupported operation: INSERT takes a single tuple as its value"                                        // unsure
	msgSetTypes          = "Unsupported set: the elements of a set must be all strings, all numbers or all binaries"                // unsure
	msgSetTarget         = "Unsupported use of %s: its first argument must be the path that is assigned"                            // unsure
	msgSetArgument       = "Unsupported use of %s: its second argument must be a set"                                               // unsure
	msgOrderRange        = "Unsupported clause: ORDER BY the sort key must name its attributes in their order and in one direction" // unsure
	msgTupleKeyTwice     = "Unsupported tuple: key %s is given twice"                                                               // unsure
	msgToken             = "Invalid NextToken"
	msgPathIndex         = "List index is not within the allowable range; index: [%s]"             // as in expressions
	msgPathDepth         = "The document path has too many nesting elements; nesting elements: %d" // as in expressions
	msgParameterEmpty    = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
)

// Details of msgMalformed. The first two are known from reports of the service, the others name
// what is missing in the same manner (unsure).
const (
	msgDetailManipulation = "Expected data manipulation"
	msgDetailKeyword      = "Unexpected keyword"
	msgDetailToken        = "Unexpected token"
	msgDetailEnd          = "Unexpected end of statement"
	msgDetailIdentifier   = "Expected identifier"
	msgDetailExpression   = "Expected expression"
	msgDetailPath         = "Expected path"
	msgDetailCondition    = "Expected condition"
	msgDetailValue        = "Expected value"
	msgDetailSymbol       = "Expected %s"
	msgDetailString       = "Unterminated text"
	msgDetailTuple        = "Expected string as the key of a tuple"
	msgDetailType         = "Expected type name"
	msgDetailArguments    = "Wrong number of arguments for function %s"
	msgDetailDepth        = "Nesting is too deep"
	msgDetailUTF8         = "Text is not UTF-8" // ours: the doors bring UTF-8
)

// Kinds of msgUnsupported.
const (
	kindClause    = "clause"
	kindFunction  = "function"
	kindOperator  = "operator"
	kindOperation = "operation"
)
