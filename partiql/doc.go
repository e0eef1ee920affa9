// Package partiql is the service's second language: statements of PartiQL. A statement goes through
// four steps, each ignorant of the next:
//
//	lex    text → tokens with positions
//	parse  tokens → tree (Statement); errors that the text alone shows
//	bind   tree + parameters → trees of package expr; errors that need them
//	plan   what is bound + the schema of its table → operations of package plan
//
// It runs nothing: the planner makes the very operations that the native requests make, so that
// execution, conditions, capacity and transactions are the same code.
//
// # What becomes of a statement
//
//	SELECT  equality on the whole key of a table: a read of one item; equality on the partition
//	        key of a table or index: a Query; several values of it, by IN or OR: a Query for each;
//	        anything else: a Scan. What the key does not take is the filter.
//	INSERT  a put on the condition that there is no such item
//	UPDATE  an update on the condition that the item is there, and of the rest of WHERE
//	DELETE  a delete, on the condition of the rest of WHERE if there is any
//	EXISTS  a condition check
//
// A filter may name key attributes here, which a Query's may not: a statement has no other place for
// such a condition, and one on the sort key alone is known to scan (TestPlan).
//
// # Order of errors
//
//  1. syntax, at the first token that cannot stand where it does
//  2. number of parameters
//  3. for the façade: the table
//  4. ORDER BY without WHERE, the projection, literals, ORDER BY against the key
//  5. filter and key conditions, then what package plan checks, in its order
//
// # Names and literals
//
// Keywords, functions and the names of types may be in any case. A name is a bare word that is no
// keyword, or stands in double quotes; both are taken as they are written. A string stands in single
// quotes. A quote inside quotes is doubled.
package partiql
