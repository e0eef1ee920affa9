// Package util is badly named and in no table.
package util
