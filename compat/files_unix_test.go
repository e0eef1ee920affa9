//go:build unix

package compat

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// needFiles skips the test where fewer files may be open.
func needFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < n {
		missing(t, fmt.Sprintf("limit of %d open files (it is %d)", n, limit.Cur))
	}
}
