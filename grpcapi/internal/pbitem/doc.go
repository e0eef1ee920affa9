// Package pbitem turns items and values from their protobuf form (keystone.proto) into their binary
// form and back, in one pass and without the maps of the generated code.
//
// Reading follows the rules of protobuf: unknown fields are skipped, of an entry that comes twice the
// last one stays, text must be UTF-8. Two things are refused that protobuf allows and nobody writes: a
// message field that comes twice in one message, whose contents would have to be merged, and a value
// with more than one member.
package pbitem
