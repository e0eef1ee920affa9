package merge

import "github.com/keystone-db/kstone/engine/lsm/internal/base"

// Iter merges several iterators over versions into one, in the order of base.Compare. It
// implements base.Iterator. Of versions equal in key and LSN it yields the one of the source that
// comes first in the list.
type Iter struct {
	sources []base.Iterator
}

// New merges sources, newest first, and takes them over: Close closes them.
func New(sources ...base.Iterator) *Iter { return &Iter{sources: sources} }

// First moves to the first version.
func (m *Iter) First() bool { return false }

// Last moves to the last version.
func (m *Iter) Last() bool { return false }

// SeekGE moves to the first version whose key is at or after key.
func (m *Iter) SeekGE(key []byte) bool { return false }

// SeekLT moves to the last version whose key is before key.
func (m *Iter) SeekLT(key []byte) bool { return false }

// Next moves forward.
func (m *Iter) Next() bool { return false }

// Prev moves backward.
func (m *Iter) Prev() bool { return false }

// Valid says whether the iterator stands on a version.
func (m *Iter) Valid() bool { return false }

// Key of the version; valid until the next positioning call.
func (m *Iter) Key() []byte { return nil }

// LSN of the version.
func (m *Iter) LSN() base.LSN { return 0 }

// Kind of the version.
func (m *Iter) Kind() base.Kind { return 0 }

// Value of the version; never changed afterwards.
func (m *Iter) Value() []byte { return nil }

// Err returns the first error of a source; after one the iterator is not valid.
func (m *Iter) Err() error { return nil }

// Close closes the sources.
func (m *Iter) Close() error { return nil }
