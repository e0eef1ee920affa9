//go:build unix

package objects

import "errors"

// sync makes durable what names a folder holds.
func (d *Dir) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
