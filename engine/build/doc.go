// Package build is the database for people: calls, expressions and struct mapping over any
// api.Service. The embedded database, the gRPC client and the command line hand out its Client, so a
// call reads the same whichever way it goes:
//
//	client := build.New(service)
//	orders := client.Table("orders")
//	err := orders.Put(order).If("attribute_not_exists(pk)").Run(ctx)
//	found, err := orders.Get("c#1", "2026-01-02").Into(ctx, &order)
//	for item, err := range client.Query("orders").PK("c#1").SKBeginsWith("2026-").Limit(10).Items(ctx) {
//
// # Calls
//
// A call is built by a chain of methods and runs with the last one, which takes the context. Faults of
// the chain, such as a value that no attribute can hold, are kept until then. A call may run again and
// does the same again; it must not be used by two goroutines at once, while Client and Table may.
// Values and items are encoded when the chain gets them: what the caller changes afterwards does not
// matter, only attr.Value and attr.Item are immutable and shared.
//
// # Values
//
// Wherever a method takes a value of any type, it takes an attr.Value or attr.Item as it is, a Set
// (StringSet, NumberSet, BinarySet), and everything that MarshalValue maps. A key is given by its
// attributes, partition key first, and their names are looked up once for each table; an attr.Item in
// their stead is the whole key.
//
// # Expressions
//
// A condition, filter or key condition is a text with placeholders, which Args explains, or a Condition
// made from Attr and Name. The builders make their own placeholders, which begin with "#_" and ":_",
// for every attribute name and value, so reserved words and odd characters are of no concern.
//
// # Errors
//
// Errors of the service are returned unchanged: *api.Error in nearly all cases. Faults of a call that is
// not sent for them are *api.Error with the code Validation, too.
package build
