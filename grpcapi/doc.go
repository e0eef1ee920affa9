// Package grpcapi serves api.Service over gRPC: the service KeystoneDb of keystonev1/keystone.proto.
//
// A call decodes its message into the structs of engine/api (internal/pbapi), asks whether the caller
// may do that, calls the service and encodes the answer. What the generated code of protobuf would do
// with maps and structs is done on bytes, since items are bytes here anyway; the server presents itself
// by the generated descriptors, so that reflection and any client see the protocol of the file.
//
// Errors have the status of their kind and the detail of internal/fault. What has no code of the
// contract appears as INTERNAL with a text of the service; its own text goes to the log.
package grpcapi
