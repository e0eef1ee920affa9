// Package table writes and reads tables: immutable sorted runs of versions of one stripe, in one
// extent of the database file.
package table

import (
	"context"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
)

// DatabaseID names a database; it seeds every checksum.
type DatabaseID [16]byte

const (
	// SizeTargetBytes is where a table is cut: up to 4 MiB an extent.
	SizeTargetBytes = 4 << 20
	// LengthMaxBytes bounds one table; more is corruption on reading and an error on writing.
	LengthMaxBytes = 1 << 30
	// BlockBytesDefault is the size at which a data block is closed, before compression.
	BlockBytesDefault = 8 << 10
)

// Codec of a block. On disk: never renumber.
type Codec uint8

const (
	// CodecRaw stores the bytes as they are.
	CodecRaw Codec = 0
	// CodecS2 is the default.
	CodecS2 Codec = 1
	// CodecZstd is reserved for the last level; nothing writes it yet and reading it is an error.
	CodecZstd Codec = 2
)

// Meta is what the manifest keeps of a table.
type Meta struct {
	Num            base.ObjectNum
	Length         int64 // bytes, from the beginning of the header to the end of the footer
	Smallest       []byte
	Largest        []byte
	MinLSN, MaxLSN base.LSN
	Entries        int64 // versions, tombstones included
	Tombstones     int64
}

// WriterOptions of one table.
type WriterOptions struct {
	DatabaseID DatabaseID
	Num        base.ObjectNum
	// BlockBytes is 0 for the default.
	BlockBytes int
	// Raw turns compression off.
	Raw bool
}

// Writer builds one table into a sink.
type Writer struct{}

// NewWriter starts a table. The sink gets the bytes in order, in pieces of about a block; give it
// a buffer (a bytes.Buffer, or one that writes pieces of up to 1 MiB).
func NewWriter(sink io.Writer, opts WriterOptions) *Writer { return &Writer{} }

// Add appends a version; versions come in the order of base.Compare, all of one stripe. Key and
// value are copied.
func (w *Writer) Add(e base.Entry) error { return nil }

// Size is an estimate of the table's length if it were finished now.
func (w *Writer) Size() int64 { return 0 }

// Entries added until now.
func (w *Writer) Entries() int64 { return 0 }

// Finish writes index, filter, properties and footer. A table without entries is an error.
func (w *Writer) Finish() (Meta, error) { return Meta{}, nil }

// PrefixCount is what a table holds under one 12-byte prefix.
type PrefixCount struct {
	Prefix     []byte // shorter for shorter keys; must not be changed
	Entries    int64  // versions, tombstones included
	Tombstones int64
	Keys       int64 // different keys
	Bytes      int64 // keys and values of all versions, before compression
}

// Properties of a table; must not be changed.
type Properties struct {
	Smallest, Largest []byte
	MinLSN, MaxLSN    base.LSN
	Entries           int64
	Tombstones        int64
	Keys              int64
	Bytes             int64 // keys and values, before compression
	Prefixes          []PrefixCount
}

// Resident counts the filters, indexes and properties that open tables keep in memory, and evicts
// those that were not used lately above its bound. Safe for concurrent use; nil counts nothing.
type Resident struct{}

// ResidentBytesDefault bounds the resident parts of all tables of a database.
const ResidentBytesDefault = 64 << 20

// NewResident returns a budget of bytesMax bytes; 0 means the default.
func NewResident(bytesMax int64) *Resident { return &Resident{} }

// Bytes resident now.
func (r *Resident) Bytes() int64 { return 0 }

// ReaderOptions of one table.
type ReaderOptions struct {
	DatabaseID DatabaseID
	Num        base.ObjectNum
	// File holds the table at Offset, Length bytes long.
	File           io.ReaderAt
	Offset, Length int64
	// Cache and Resident are shared by the tables of a database; nil means none.
	Cache    *cache.Cache
	Resident *Resident
}

// Reader reads one table. It is safe for concurrent use, holds no file handle and needs no Close.
type Reader struct{}

// NewReader does no I/O: footer, index, filter and properties are read on first use.
func NewReader(opts ReaderOptions) *Reader { return &Reader{} }

// Get returns the newest version of key with an LSN of at most maxLSN, tombstones included. The
// Key of the entry is the caller's. Value aliases a block that is never changed: it may be kept, at
// the cost of keeping its block (some 8 KiB) in memory.
func (r *Reader) Get(key []byte, maxLSN base.LSN) (e base.Entry, found bool, err error) {
	return base.Entry{}, false, nil
}

// MayContainPrefix asks the filter whether some key has this storage.FilterPrefix.
func (r *Reader) MayContainPrefix(prefix []byte) (bool, error) { return true, nil }

// NewIter returns an iterator over all versions, in both directions. Values stay valid and
// unchanged as long as they are referenced; keys until the next positioning call.
func (r *Reader) NewIter() base.Iterator { return nil }

// Properties of the table.
func (r *Reader) Properties() (*Properties, error) { return &Properties{}, nil }

// Verify reads every byte of the table and checks every checksum and the order of its entries.
func (r *Reader) Verify(ctx context.Context) error { return nil }

// Forget gives back what the table keeps resident. Call it when the table has left all versions.
func (r *Reader) Forget() {}
