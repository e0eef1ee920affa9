// Package compat drives the built binary on loopback with the real AWS SDK for Go, aws-cli and
// boto3. It has tests only.
//
// The binary is the one that KSTONE_BIN names, else it is built once for the run. One server and
// its tables serve all tests; keys carry the name of their test, so that a test runs alone and in
// any order. Expected texts come from the service's documentation and from public reports, never
// from our own answers.
package compat
