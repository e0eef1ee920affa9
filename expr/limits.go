package expr

// Limits of the service. They hold for the text as sent, before placeholders are replaced.
const (
	// TextMaxBytes is the longest text of one expression.
	TextMaxBytes = 4096
	// OperatorsMax is the largest number of operators and functions in one expression.
	OperatorsMax = 300
	// InOperandsMax is the largest number of operands to the right of IN.
	InOperandsMax = 100
	// PathDepthMax is the largest number of elements of one document path.
	PathDepthMax = 32
	// ListIndexMax is the largest list index; unsure whether the service stops at 31 or 32 bits.
	ListIndexMax = 1<<31 - 1
	// KeyConditionsMax is the number of conditions that the language takes for a query. How many
	// the key has (2, or up to 8 of an index) is known to the schema only.
	KeyConditionsMax = 8

	// parseDepthMax bounds the recursion of the parser. An expression within OperatorsMax and
	// without redundant parentheses cannot reach it.
	parseDepthMax = 2*OperatorsMax + 8
)
