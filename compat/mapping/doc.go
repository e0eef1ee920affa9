// Package mapping compares the struct mapping of engine/build with the attributevalue package of the AWS
// SDK for Go, which it must agree with. It has tests only: types made at random with every option, types
// that cannot be made so, and the differences that are meant, one by one.
package mapping
