package newfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// suffix of the name that a file has while it is written.
const suffix = ".partial"

var (
	// ErrExists: there is a file of that name, and it was not to be replaced.
	ErrExists = fmt.Errorf("%w: it is left as it is", fs.ErrExist)
	// errBusy: somebody else writes a file of that name.
	errBusy = errors.New("another process, or this one, is making this file")
)

// Place is a file that gets its name when it is whole and durable. Until then it stands beside it, with
// the ending ".partial"; what a crash has left there is removed by the next who writes to the same name.
type Place struct {
	// Last, if not nil, is asked at Commit while nobody else can open the file that is replaced, whether
	// to go on.
	Last func() error

	fs      vfs.FS
	path    string
	replace bool
	lock    io.Closer
	file    vfs.File
}

// Open makes the file. An existing one is left alone without replace, and one that somebody has open is
// never replaced.
func Open(fsys vfs.FS, path string, replace bool) (*Place, error) {
	p := &Place{fs: fsys, path: path, replace: replace}
	held, err := p.vacant()
	if err != nil {
		return nil, err
	}
	if err := closeIf(held); err != nil {
		return nil, err
	}
	f, err := p.create()
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		// What stands under the name once it is locked: before, another one may have put its own file there.
		err = p.TakeBack()
	}
	if err != nil {
		return nil, errors.Join(err, closeIf(p.lock))
	}
	return p, nil
}

// Temporary is the name until Commit.
func (p *Place) Temporary() string { return p.path + suffix }

// File is what to write to, buffered.
func (p *Place) File() vfs.File { return p.file }

// Align is the alignment that log groups on this file system want.
func (p *Place) Align() (int, error) {
	f, err := p.fs.Open(p.Temporary(), vfs.OpenOptions{Role: vfs.Log})
	if err != nil {
		return 0, err
	}
	return f.Align(), f.Close()
}

func closeIf(c io.Closer) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// vacant says whether the name may be taken. It returns the lock of the file that has it, nil for none.
func (p *Place) vacant() (io.Closer, error) {
	f, err := p.fs.Open(p.path, vfs.OpenOptions{ReadOnly: true})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // there is no file and so no lock
	case !p.replace:
		if f != nil {
			_ = f.Close()
		}
		return nil, &fs.PathError{Op: "create", Path: p.path, Err: ErrExists}
	case err != nil:
		return nil, err
	}
	_ = f.Close()
	lock, err := p.fs.Lock(p.path, vfs.LockExclusive)
	if err != nil {
		return nil, err
	}
	return lock, nil
}

// create takes the temporary name; what an earlier try left there goes.
func (p *Place) create() (vfs.File, error) {
	open := func() (vfs.File, error) {
		return p.fs.Open(p.Temporary(), vfs.OpenOptions{Role: vfs.Heap, Create: true})
	}
	f, err := open()
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	lock, err := p.fs.Lock(p.Temporary(), vfs.LockExclusive)
	if err != nil {
		if errors.Is(err, vfs.ErrLocked) {
			err = errBusy
		}
		return nil, &fs.PathError{Op: "create", Path: p.Temporary(), Err: err}
	}
	if err := errors.Join(p.fs.Remove(p.Temporary()), lock.Close()); err != nil {
		return nil, err
	}
	return open()
}

// Lend leaves the file to somebody who opens it by its temporary name. TakeBack must follow before Commit.
func (p *Place) Lend() error {
	err := errors.Join(p.file.Close(), p.lock.Close())
	p.file, p.lock = nil, nil
	return err
}

// TakeBack takes the file again.
func (p *Place) TakeBack() (err error) {
	if p.lock, err = p.fs.Lock(p.Temporary(), vfs.LockExclusive); err != nil {
		return err
	}
	p.file, err = p.fs.Open(p.Temporary(), vfs.OpenOptions{Role: vfs.Heap})
	return err
}

// Commit makes the file durable under its name. After an error there is no file, or the one that was
// there before.
func (p *Place) Commit() error {
	err := p.file.SyncFull()
	if err == nil {
		err = p.file.Close()
		p.file = nil
	}
	return p.rename(err)
}

// rename gives a closed and durable file its name, or ends the try because of an error.
func (p *Place) rename(err error) error {
	var held io.Closer
	if err == nil {
		held, err = p.vacant()
	}
	if err == nil && p.Last != nil {
		err = p.Last()
	}
	if runtime.GOOS == "windows" { // which renames no open file, and nothing onto one
		err = errors.Join(err, closeIf(held), closeIf(p.lock))
		held, p.lock = nil, nil
	}
	if err == nil {
		err = p.fs.Rename(p.Temporary(), p.path)
	}
	if err != nil {
		p.Abandon()
		return errors.Join(err, closeIf(held))
	}
	return errors.Join(p.fs.SyncDir(p.path), closeIf(p.lock), closeIf(held))
}

// Abandon removes what was written. It does nothing after a Commit.
func (p *Place) Abandon() {
	if p.file != nil {
		_ = p.file.Close()
		p.file = nil
	}
	_ = p.fs.Remove(p.Temporary())
	if p.lock != nil {
		_ = p.lock.Close()
	}
}
