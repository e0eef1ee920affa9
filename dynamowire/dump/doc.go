// Package dump writes the tables and items of a database as text, and reads them into one: for
// people, for moving between formats, and for DynamoDB, whose JSON it uses. It works on any
// api.Service: a database in this process or a server.
//
// A dump is lines of JSON, in UTF-8, each an object:
//
//	{"KstoneDump":1}                                      the first line: the version of the form
//	{"Table":{…},"TimeToLive":{…}}                        a table: a request of CreateTable, and if it has
//	                                                      one, its TimeToLiveSpecification
//	{"Items":"orders"}                                    the items of this table follow
//	{"Item":{"pk":{"S":"a"},"n":{"N":"1"}}}               an item in DynamoDB JSON
//	{"Item":{"v":{"L":[{"N":"0.5"}]}},"Native":["/v"]}    one with values of types of this database
//	{"End":{"Tables":1,"Items":2}}                        the last line: without it the dump was cut off
//
// All tables come first, sorted by name, then their items in the same order, each table's in the order
// of its scan. Attributes and members of sets are sorted, numbers have one form: two databases with
// equal content have equal dumps, byte for byte.
//
// Native names the values that DynamoDB JSON has no type for, as JSON pointers (RFC 6901) into the item:
// an L of N that is a VecF32, an N that is a Ts. Who does not look at it has the equal values that
// clients of the service see.
//
// Load also takes lines of items alone, as the service's export to S3 writes them, for one table that is
// there.
package dump

// Version of the form that is written, and the newest that is read.
const Version = 1

const (
	// LineMaxBytes bounds a line: the largest item, with every byte escaped.
	LineMaxBytes = 16 << 20
	// PointersMax bounds the native values of an item.
	PointersMax = 100_000
)

// Counts say what was written or loaded.
type Counts struct {
	Tables, Items int64
}
