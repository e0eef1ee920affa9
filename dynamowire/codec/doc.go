// Package codec turns the JSON bodies of the service's protocol into the structs of engine/api and
// answers back into JSON. It knows types only: whether a value of the right type is acceptable is
// the business of engine/validate.
//
// A server's side of the hot operations, those that carry items, has hand-written codecs that read in
// one pass; all others go through generated tables of shapes (DecodeSlow, AppendSlow). So does a
// client's side of all operations (AppendRequest, DecodeAnswer, DecodeError).
//
// # The types that the wire does not have
//
// attr has two types more than DynamoDB JSON, which programs write through the engine or gRPC: VecF32, a
// vector of float32, and Ts, a time in milliseconds. Clients of this protocol see them as what they are
// equal to (pinned by awslocal's TestNativeTypes):
//
//   - A VecF32 is read as an L of N, each the shortest decimal that reads back as the same float32. A Ts
//     is read as an N, the milliseconds since 1970.
//   - Conditions, filters and attribute_type take them for an L and an N. Limits and capacity count them
//     as these.
//   - An update of other attributes leaves them what they are.
//   - An item that is written back whole, as mappers of objects do, has an L and an N from then on, for
//     gRPC and the engine too; so has one whose vector is changed in an element or whose time takes part
//     in arithmetic. Nothing is lost but the form: the numbers are equal, also as float32, and time to
//     live works with both. To have the types again, write them again through a native door.
//   - Such a rewrite alone is no change: streams have no record of it.
package codec
