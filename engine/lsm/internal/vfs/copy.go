package vfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// copyPieceBytes is how much is copied between two looks at the context.
const copyPieceBytes = 4 << 20

// errNoWay: this way of copying does not work between these files.
var errNoWay = errors.New("vfs: this way of copying is not supported here")

// copyWay copies a range in the kernel. It returns errNoWay, having done nothing or a beginning of the
// work, where another way must be taken.
type copyWay struct {
	name string
	copy func(dst, src *os.File, dstOff, srcOff, n int64) error
}

// Copier copies ranges from file to file in the cheapest way that the file systems have: sharing the
// blocks, then copying inside the kernel, then reading and writing. A way that fails once is not tried
// again. It is used by one goroutine.
type Copier struct {
	dst, src File
	ways     []copyWay
	// Pace, if not nil, is called before each piece of n bytes.
	Pace func(ctx context.Context, n int) error
}

// NewCopier copies from src to dst.
func NewCopier(dst, src File) *Copier { return &Copier{dst: dst, src: src, ways: copyWays()} }

// Copy copies n bytes. They are durable after a Sync of the destination, whose size may change.
func (c *Copier) Copy(ctx context.Context, dstOff, srcOff, n int64) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := min(n, copyPieceBytes)
		if c.Pace != nil {
			if err := c.Pace(ctx, int(piece)); err != nil {
				return err
			}
		}
		if err := c.piece(dstOff, srcOff, piece); err != nil {
			return err
		}
		dstOff, srcOff, n = dstOff+piece, srcOff+piece, n-piece
	}
	return nil
}

func (c *Copier) piece(dstOff, srcOff, n int64) error {
	dst, ok := c.dst.(*osFile)
	src, both := c.src.(*osFile)
	for ok && both && len(c.ways) > 0 {
		err := c.ways[0].copy(dst.f, src.f, dstOff, srcOff, n)
		if !errors.Is(err, errNoWay) {
			return wrapPath(c.ways[0].name, dst.f, err)
		}
		c.ways = c.ways[1:]
	}
	return c.plain(dstOff, srcOff, n)
}

// plain reads and writes.
func (c *Copier) plain(dstOff, srcOff, n int64) error {
	buf := AlignedBuffer(int(min(n, zeroPieceBytes)))
	for n > 0 {
		piece := buf[:min(n, int64(len(buf)))]
		got, err := c.src.ReadAt(piece, srcOff)
		if got < len(piece) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("copy from %d: %w", srcOff, err)
		}
		if _, err := c.dst.WriteAt(piece, dstOff); err != nil {
			return err
		}
		dstOff, srcOff, n = dstOff+int64(got), srcOff+int64(got), n-int64(got)
	}
	return nil
}
