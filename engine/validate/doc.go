// Package validate checks requests before the engine looks at any table: the constraints of the
// service's model, then the rules of each operation that need neither table nor parsed expressions.
// Every front door's requests pass here, so that all doors answer with the same texts in the same
// order.
//
// # Order
//
// Within one request the first failing check wins; the checks come in this order (wire-facts §3,
// §5.1 and the static lists of §6):
//
//  1. TableName of control-plane operations: absent, then its length (CreateTable, UpdateTable,
//     DeleteTable, DescribeTable, the two of time to live). Tag operations: the form of ResourceArn.
//  2. Constraint errors, all together in one text (Constraints).
//  3. TableName is neither a name nor an ARN.
//  4. Expression parameters beside legacy ones, names and values without expressions (§5.1 #1–3).
//  5. ConditionalOperator without enough to combine.
//  6. The operation's own checks in its order: bad values, ReturnValues, item size, legacy
//     parameters, start key, segments, Select.
//  7. ExpressionAttributeNames and -Values (§5.1 #4–9).
//
// Expressions are compiled after that, by package plan, which also looks for unused placeholders;
// its errors pass through Envelope for PutItem and UpdateItem. Operations that compile in the
// middle of their checks (batches and transactions) have a second form here that takes the
// compilation as a function: BatchGetItemWith and its like. KeyConditions of a Query are looked at
// after it, by a function of that name.
//
// # Cost
//
// Hot operations look at their members by hand and allocate nothing while the request is good.
// Constraints reads structs by reflection along generated tables; it serves the other operations
// and composes the text when a hot request is bad. TestFastPathAgrees and its like hold the two
// against each other.
package validate
