//go:build !unix

package objects

// sync does nothing: folders cannot be synced here.
func (d *Dir) sync(string) error { return nil }
