package lsm

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/inspect"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// InspectOptions say how a file is looked at.
type InspectOptions struct {
	// FS holds the file; nil is the operating system's. Only tests of this module can set it.
	FS vfs.FS
	// EncryptionKey opens an encrypted file; nil prints what of it is in clear.
	EncryptionKey []byte
	// Describe says what a key means; nil prints hexadecimal.
	Describe func(key []byte) string
}

// Inspector prints what stands in a database file, for people who look for a fault. It writes nothing
// to the file and needs none of it to be whole: what does not verify is named, and the rest goes on.
// It is not safe for concurrent use.
type Inspector struct {
	file  vfs.File
	lock  io.Closer // nil when somebody else has it
	parts *inspect.File
}

// OpenInspector looks at a file, beside a database that has it open, too: then what is being written
// may look damaged, and InUse says so. Close it.
func OpenInspector(path string, out io.Writer, opts InspectOptions) (*Inspector, error) {
	if opts.FS == nil {
		opts.FS = vfs.OS()
	}
	lock, err := opts.FS.Lock(path, vfs.LockShared)
	if err != nil && !errors.Is(err, vfs.ErrLocked) {
		return nil, openError(path, err)
	}
	file, err := opts.FS.Open(path, vfs.OpenOptions{Role: vfs.Heap, ReadOnly: true})
	if err != nil {
		if lock != nil {
			err = errors.Join(err, lock.Close())
		}
		return nil, openError(path, err)
	}
	i := &Inspector{file: file, lock: lock}
	if i.parts, err = inspect.New(file, out, opts.EncryptionKey, opts.Describe); err != nil {
		return nil, openError(path, errors.Join(err, i.closeFiles()))
	}
	return i, nil
}

// InUse says that another process, or this one, has the file open for writing.
func (i *Inspector) InUse() bool { return i.lock == nil }

// Summary prints superblocks, segments of the log and tables.
func (i *Inspector) Summary() { i.parts.Summary() }

// Superblocks prints both copies of the superblock.
func (i *Inspector) Superblocks() { i.parts.Superblocks() }

// Manifest prints its groups and records.
func (i *Inspector) Manifest() { i.parts.Manifest() }

// Table prints the parts of a table, and with entries all that is in its blocks.
func (i *Inspector) Table(num uint64, entries bool) { i.parts.Table(base.ObjectNum(num), entries) }

// Block prints the entries of the block that begins at an offset of a table.
func (i *Inspector) Block(num uint64, offset int64) { i.parts.Block(base.ObjectNum(num), offset) }

// Log prints the groups of the write-ahead log with the batches from a number to another, both
// included; 0 and the largest uint64 are all that is there, old laps included.
func (i *Inspector) Log(from, to uint64) { i.parts.Log(base.LSN(from), base.LSN(to)) }

// Close returns an error of the output, one that wraps storage.ErrCorrupt when something that was
// printed does not verify, ErrKeyNeeded when something could not be, or nil.
func (i *Inspector) Close() error { return errors.Join(i.parts.Close(), i.closeFiles()) }

func (i *Inspector) closeFiles() error {
	err := i.file.Close()
	if i.lock != nil {
		err = errors.Join(err, i.lock.Close())
	}
	return err
}

// ParseNumber reads the number of a batch, table or segment as it is printed, epoch.counter, or as one
// whole number.
func ParseNumber(text string) (uint64, error) {
	epoch, counter, split := strings.Cut(text, ".")
	if !split {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no number: want one such as 2.17", text)
		}
		return n, nil
	}
	e, err := strconv.ParseUint(epoch, 10, base.EpochBits)
	c, err2 := strconv.ParseUint(counter, 10, base.CounterBits)
	if err != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no number: want one such as 2.17", text)
	}
	return uint64(base.MakeLSN(base.Epoch(e), c)), nil
}
