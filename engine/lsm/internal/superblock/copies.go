package superblock

import (
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Copy is one of the two by itself. Err says why it does not hold, nil if it does; ErrNewer is one reason.
type Copy struct {
	Superblock
	Err error
}

// ReadBoth reads each copy without asking for the truth: for those who look for damage. A file that ends
// before a copy does has none. The error is one of reading.
func ReadBoth(src io.ReaderAt) (both [2]Copy, err error) {
	buf := vfs.AlignedBuffer(AreaBytes)
	n, err := src.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return both, fmt.Errorf("read superblocks: %w", err)
	}
	for i := range both {
		if n < (i+1)*CopyBytes {
			both[i].Err = errInvalid
			continue
		}
		both[i].Superblock, both[i].Err = decode(buf[i*CopyBytes : (i+1)*CopyBytes])
	}
	return both, nil
}
