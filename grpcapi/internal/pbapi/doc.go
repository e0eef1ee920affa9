// Package pbapi turns the messages of keystone.proto into the structs of engine/api and back, for the
// server and the client: protobuf bytes on one side, api structs with items in their binary form on the
// other, without the structs of the generated code in between.
//
// A Codec is made from the description of a message and the type of a struct. Fields belong together by
// name: a field of the message is the member of the struct with the same letters (table_name, TableName);
// a field that ends in _ms is a time. Every field must have its member and every member its field
// (TestEverythingIsMapped); the two flags dynamodb_json and one_page, which steer the door and not the
// database, are in Flags.
//
//	message                      struct
//	optional scalar              api.Opt of string, int64, bool, float64, time.Time (int64, _ms)
//	scalar                       string
//	Item, Value                  attr.Item, attr.Value
//	another message              *struct
//	repeated                     slice of string, float64, attr.Item, attr.Value, struct
//	map                          slice of entries sorted by key
//	message with one repeated    slice, as the value of a map, where protobuf allows no list
//
// Lists and maps that are empty are nil: protobuf does not know the difference.
package pbapi
