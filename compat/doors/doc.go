// Package doors holds the test that a behaviour is the same at every door: one script of operations
// runs through HTTP with the AWS SDK, through gRPC, through PartiQL as far as it can say them, and
// through the embedded API, each on a database of its own, and the answers must agree, errors
// included. What all doors answer is kept in testdata and rewritten with -rewrite.
package doors
