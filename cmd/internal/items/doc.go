// Package items reads items and keys as people type them on a command line, and writes items for
// them.
//
// Two forms of JSON are known. Plain JSON is what programs use anyway; DynamoDB JSON names the type
// of each value and can say everything.
//
//	plain              DynamoDB               back as plain
//	"x"                {"S":"x"}              "x"
//	12.50              {"N":"12.50"}          12.5: numbers keep their 38 digits, never a float
//	true, null         {"BOOL":…}, {"NULL":…} the same
//	[1,"x"]            {"L":[…]}              the same
//	{"a":1}            {"M":{…}}              the same
//	                   {"B":"AQI="}           "AQI=", in base64
//	                   {"SS":[…]}, NS, BS     a list in the order of the set
//
// Plain JSON thus makes no binaries and no sets, and loses them on the way out.
//
// Form Auto tells the two apart by shape: an object that is not empty and in which every value is an
// object with one member that has the name of a type is DynamoDB JSON. If such a text then does not
// fit ({"age":{"N":42}}, where the number must be a string), it is an error and not a plain item:
// a slip in DynamoDB JSON must not become a map in the database. A plain item that happens to look
// like that, such as {"sizes":{"S":3}}, needs the form given.
package items
