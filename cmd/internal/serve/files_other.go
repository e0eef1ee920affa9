//go:build !unix

package serve

// openFilesMax is not known here.
func openFilesMax() (uint64, bool) { return 0, false }
