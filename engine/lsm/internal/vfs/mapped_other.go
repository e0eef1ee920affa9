//go:build !(linux || darwin || freebsd)

package vfs

import "os"

func mapWindow(*os.File, int64, int) ([]byte, error) { return nil, errNotMappable }

func unmapWindow([]byte) error { return nil }
