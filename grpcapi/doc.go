// Package grpcapi serves api.Service over gRPC: the service KeystoneDb of keystonev1/keystone.proto.
//
// A call decodes its message into the structs of engine/api (internal/pbapi), asks whether the caller
// may do that, calls the service and encodes the answer. What the generated code of protobuf would do
// with maps and structs is done on bytes, since items are bytes here anyway; the server presents itself
// by the generated descriptors, so that reflection and any client see the protocol of the file.
//
// NewServer serves everyone who connects, without limits but those of gRPC; what more a server needs are
// Options:
//
//   - LimitOptions are the limits of connections and calls, and Messages, made by NewMessages, bounds what
//     all clients together may have the server hold, in and out. Its Option takes the credentials of the
//     server: those of TLS or insecure.NewCredentials.
//   - Auth, made by NewAuth, asks callers for an access key and its secret in the metadata, or for a
//     certificate; Options.Access says what a key may do.
//   - Observe tells of every call, for metrics, and with LogCalls for a log.
//
// The example of NewServer has all of them; kstone serve has the same.
//
// Errors have the status of their kind and the detail of internal/fault. What has no code of the
// contract appears as INTERNAL with a text of the service; its own text goes to the log.
package grpcapi
