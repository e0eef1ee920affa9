package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/verify"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// VerifyOptions direct a verification.
type VerifyOptions struct {
	// FS holds the file; nil is the operating system's. Only tests of this module can set it.
	FS vfs.FS
	// EncryptionKey opens an encrypted file: its manifest says where everything is.
	EncryptionKey []byte
	// FaultsMax bounds the list of faults; 0 means 1,000. All are counted.
	FaultsMax int
	// Quick leaves out the data blocks of tables: superblocks, manifest, log, extents, and of tables the
	// header, footer, index, filter and properties.
	Quick bool
	// Progress, if not nil, is called now and then, by one goroutine at a time.
	Progress func(VerifyProgress)
}

type (
	// VerifyReport says what a verification saw.
	VerifyReport = verify.Report
	// VerifyFault is one thing that is wrong.
	VerifyFault = verify.Fault
	// VerifyProgress is how far a verification came.
	VerifyProgress = verify.Progress
)

// ErrInUse: somebody has the file open for writing.
var ErrInUse = errors.New("somebody has the file open for writing: close it there first, or let a server check its " +
	"own file in the background")

// Verify checks every byte of the file that has a checksum and every cross-reference of the storage
// level. It goes beside readers, writes nothing, needs some megabytes of memory, and goes on behind
// what is damaged: all that is wrong is in the report. An error says that the file cannot be opened,
// is in use (ErrInUse) or is no database, or is the context's.
func Verify(ctx context.Context, path string, opts VerifyOptions) (VerifyReport, error) {
	f, err := openClosed(opts.FS, path)
	if err != nil {
		return VerifyReport{}, fmt.Errorf("verify %s: %w", path, err)
	}
	report, err := verify.File(ctx, f.File, f.size, verify.Options{
		EncryptionKey: opts.EncryptionKey, FaultsMax: opts.FaultsMax, Quick: opts.Quick, Workers: defaultWorkers(), Progress: opts.Progress,
	})
	if err = errors.Join(err, f.Close()); err != nil {
		return report, fmt.Errorf("verify %s: %w", path, err)
	}
	return report, nil
}

// closedFile is a file that nobody writes, opened past the page cache where that is possible: what is
// checked is what the disk has.
type closedFile struct {
	vfs.File
	lock io.Closer
	size int64
}

func openClosed(fsys vfs.FS, path string) (*closedFile, error) {
	if fsys == nil {
		fsys = vfs.OS()
	}
	lock, err := fsys.Lock(path, vfs.LockShared)
	if errors.Is(err, vfs.ErrLocked) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, err
	}
	f, err := fsys.Open(path, vfs.OpenOptions{Role: vfs.Log, ReadOnly: true, AlignMax: vfs.AlignMaxBytes})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(err, f.Close(), lock.Close())
	}
	return &closedFile{File: f, lock: lock, size: size}, nil
}

// Close gives the file back.
func (f *closedFile) Close() error { return errors.Join(f.File.Close(), f.lock.Close()) }
