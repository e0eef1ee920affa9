package lsm

import "errors"

// Open opens the database at path, and creates it when there is no file. With Options.InMemory the
// path is empty. The errors are of storage's closed list or of the operating system.
func Open(path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	if err := opts.validate(path); err != nil {
		return nil, err
	}
	return nil, errors.New("lsm: skeleton")
}
