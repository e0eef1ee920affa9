package memtable

import (
	"unsafe"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// Version is one version of a key. It is never changed.
//
// Key and value lie behind it in the same object, which holds no pointers: that is one allocation
// for a version, nothing for the collector to scan, and one line of the cache for a search that
// compares keys. A Version must therefore not be copied, and only newVersion and pack make one.
type Version struct {
	lsn              base.LSN
	keyLen, valueLen uint32
	kind             base.Kind
	multi            bool
	packed           bool // its memory is freed with the memtable only: see pack
}

const versionBytes = int(unsafe.Sizeof(Version{}))

func newVersion(e base.Entry, multi bool) *Version {
	// The allocator aligns what has the size of a Version, or more, as a Version needs it.
	return fillVersion(make([]byte, versionBytes+len(e.Key)+len(e.Value)), e, multi)
}

// fillVersion makes a version of zero bytes that have its size and alignment.
func fillVersion(p []byte, e base.Entry, multi bool) *Version {
	v := (*Version)(unsafe.Pointer(unsafe.SliceData(p)))
	*v = Version{
		lsn: e.LSN, keyLen: uint32(len(e.Key)), valueLen: uint32(len(e.Value)), kind: e.Kind, multi: multi,
	}
	copy(p[versionBytes+copy(p[versionBytes:], e.Key):], e.Value)
	return v
}

// Key must not be changed.
func (v *Version) Key() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(v), versionBytes)), v.keyLen)
}

// Value must not be changed; it is empty for a tombstone.
func (v *Version) Value() []byte {
	if v.valueLen == 0 { // nothing may lie behind the key
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(v), versionBytes+int(v.keyLen))), v.valueLen)
}

// LSN of the batch that wrote the version.
func (v *Version) LSN() base.LSN { return v.lsn }

// Kind of the version.
func (v *Version) Kind() base.Kind { return v.kind }

// Multi says that a transaction wrote the version. It means something only above visible.
func (v *Version) Multi() bool { return v.multi }

// dataBytes is the length of key and value.
func (v *Version) dataBytes() int64 { return int64(v.keyLen) + int64(v.valueLen) }

func (v *Version) cost() int64 { return v.dataBytes() + EntryOverheadBytes }

// chain holds the versions of a key, newest first. What it points to is never changed, only
// replaced: readers share it.
type chain struct {
	head  *Version
	older *chain
}

// at returns the newest version with an LSN of at most maxLSN; nil if there is none.
func (c *chain) at(maxLSN base.LSN) *Version {
	for ; c != nil; c = c.older {
		if c.head.lsn <= maxLSN {
			return c.head
		}
	}
	return nil
}
