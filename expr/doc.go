// Package expr is the service's expression language: conditions, filters, key conditions,
// projections and updates. A text goes through four steps, each ignorant of the next:
//
//	lex     text → tokens with positions
//	parse   tokens → tree (Node); errors that the text alone shows
//	bind    tree + names and values of a request → Condition, KeyCondition, Projection, Update;
//	        errors that need them
//	run     bound expression + binary item → bool, item
//
// Trees are immutable and shared by all requests with the same text (Cache). They can also be
// built without text (the nodes, New…Tree), which is how another language uses the evaluator; the
// parameters from before there were expressions become trees so (legacy.go).
// Binding copies what the placeholders stand for into one small struct and never writes to the
// tree. Running walks the encoded item and makes no maps.
//
// # Order of errors
//
// The first error in this order is the one that the client sees; each is a single text.
//
//  1. empty text, text longer than TextMaxBytes
//  2. syntax, at the first token that cannot stand where it does
//  3. errors of the whole text, by class, each class with its first:
//     conditions: operators > OperatorsMax, redundant parentheses, unknown function, misused
//     function, reserved word, path too deep or index too large
//     updates: operators > OperatorsMax, reserved word, unknown function, clause twice, path
//     projections: reserved word, path
//  4. errors that need names and values.
//     conditions: by innermost condition, left to right, the first that has any: undefined
//     placeholder, number of operands, identical operands, kind or type of an operand
//     updates: undefined name, undefined value, overlapping targets, conflicting targets, type
//     of an ADD or DELETE operand, operands of functions
//     projections: undefined name, overlapping paths, conflicting paths
//  5. key conditions: the reduction to conditions on keys (keycondition.go), texts without prefix
//  6. after all expressions of the request: Binder.Unused, names before values
//
// TestErrors pins the texts and their order. The place of the path and operator limits in the
// order is unsure.
package expr
