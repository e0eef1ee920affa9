// Package codec turns the JSON bodies of the service's protocol into the structs of engine/api and
// answers back into JSON. It knows types only: whether a value of the right type is acceptable is
// the business of engine/validate.
//
// A server's side of the hot operations, those that carry items, has hand-written codecs that read in
// one pass; all others go through generated tables of shapes (DecodeSlow, AppendSlow). So does a
// client's side of all operations (AppendRequest, DecodeAnswer, DecodeError).
package codec
