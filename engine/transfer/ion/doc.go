// Package ion reads and writes items in the text form of Amazon Ion, as exports and imports of the service
// have it: one struct a line behind a version marker.
//
//	$ion_1_0 {Item:{Id:103.,Price:2d3,Title:"Book",Tags:$dynamodb_SS::["a","b"]}}
//
// What stands for what:
//
//	S                  string
//	N                  decimal; an int is read too
//	B                  blob
//	BOOL, NULL         bool, null (of any type)
//	L, M               list, struct
//	SS, NS, BS         list annotated with $dynamodb_SS, $dynamodb_NS, $dynamodb_BS
//
// A VecF32 is written as a list of decimals and a Ts as a decimal. Other values of Ion (floats, timestamps,
// symbols, clobs) are in no item: the record with one is refused and reading goes on. S-expressions, local
// symbol tables and the binary form end the object. An incremental export has structs {Record:{…}}.
package ion
