// Package keystonev1 is the generated code of keystone.proto, the native protocol of the database, and
// what programs in Go need that talk to it without package grpcapi/client. `make proto` makes it anew.
//
// # How the protocol may change
//
// Clients and servers of different ages talk to each other, so within keystone.v1 the file may only
// grow. Binary form, JSON form and generated code all count:
//
//   - A field keeps its number, its name and its type for ever, and stays singular, repeated or a map
//     as it is. Numbers are never reused.
//   - Nothing is removed. What has no meaning any more says so in its comment and is marked deprecated;
//     were a field ever taken away, its number and its name would go to `reserved`.
//   - Messages, fields, members of the oneof Value and calls may be added. What a server of before does
//     not know it ignores, so a new field of a request must be one that may be ignored; one that may not
//     needs a new call.
//   - A unary call stays unary and a stream a stream, and the order of a stream's messages means what it
//     meant.
//   - Codes of errors may come; the status code of a code never changes.
//   - Anything else is keystone.v2, a package and a service beside this one.
//
// TestOnlyGrows holds the file to this: testdata/fields.txt lists every field and call there ever was.
package keystonev1
