// Package client talks to a database over gRPC. A Client has the calls of engine/build, so it reads like
// the embedded database:
//
//	db, err := client.Dial("localhost:50051", client.Options{})
//	defer db.Close()
//	err = db.Table("orders").Put(order).Run(ctx)
//	for item, err := range db.Query("orders").PK("c#1").SKBeginsWith("2026-").Limit(10).Items(ctx) {
//	for change, err := range db.Table("orders").Changes().Records(ctx) {
//
// Client.Service is the same as an api.Service, with errors that equal those of the embedded database:
// *api.Error, and those of the context. A call that failed on the way there is a *TransportError.
//
// Operations that have no call of their own in keystone.proto go by their JSON, where a VecF32 is a list
// and a Ts a number. Lists and maps that are empty arrive as absent, but for those that every answer has.
//
// Scans and statements read page by page, not one stream of all pages: that costs the same, and a page
// can be read again when its answer breaks off, while a stream that broke does not say where to go on.
//
// # What is made again
//
// A call that fails is made again, up to Options.Tries times in all and after waits that grow and are
// random, when that does what it would have done the first time. There are errors that say that nothing
// was done: throttling, ServiceUnavailableException, TransactionConflictException,
// TransactionInProgressException, ReplicatedWriteConflictException, TransactionCanceledException if it
// names nothing but conflicts and throttling, and a connection that could not be made. After them every
// call is made again. After InternalServerError or a connection that broke, of which nobody knows what was
// done, it depends:
//
//	call                                             made again
//	reads: Get…, Query, Scan, BatchGetItem,          yes
//	  TransactGetItems, Describe…, List…,
//	  SearchVectors, statements that SELECT
//	TransactWriteItems, ExecuteTransaction           yes: they have a token, made here if need be, by
//	                                                 which the server knows them again
//	PutItem, DeleteItem without a condition and      yes, unless Options.WriteOnce: done twice they leave
//	  without ReturnValues; BatchWriteItem           what they leave once, but undo the write of another
//	                                                 client that came in between, and are two changes in
//	                                                 the stream
//	PutItem, DeleteItem otherwise                    no: they would meet their own work
//	UpdateItem, statements that write                no: an ADD would add twice
//	tables, settings, all else                       no
//
// The context's deadline holds for all tries together; when it comes before the next try, the call ends
// at once, and its error is both the context's and that of the last try. Other errors are final.
//
// gRPC could do this by its service config, but goes by status codes alone: it cannot tell a request that
// was refused from one that may be done, nor a conflict from a failed condition, knows no tokens, and
// waits by its own clock. So its retries are off, and the loop is here.
//
// # Feeds
//
// A loop over Changes survives a broken connection and a server that is restarted: it goes on behind the
// last delivery, on the same stream, without a gap or a repetition. It fails when it cannot for some
// minutes, and goes on with After and the position of what was handled last.
//
// All calls of a client share a connection, and servers bound how many may run on one at once (1,000,
// grpcapi.StreamsMax); further ones wait. A program with that many feeds needs several clients.
package client
