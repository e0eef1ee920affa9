package input

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/objects"
)

// bodyTries is how often in a row an object is opened again that breaks off before another byte.
const bodyTries = 3

// body is what an object holds. When reading breaks off, it goes on there with the same version of the object,
// so that whoever decompresses it need not begin again. An object that ends before its size has broken off.
type body struct {
	life   context.Context //nolint:containedctx // of the Input
	store  objects.Store
	object objects.Info
	open   io.ReadCloser
	// n is how many bytes of the object were read, or left out in the beginning.
	n     int64
	tries int
}

// begin opens the object where it is to be read.
func (b *body) begin() (err error) {
	b.open, err = b.store.Get(b.life, b.object.Name, b.object.Version, b.n)
	return err
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	for {
		if err := b.life.Err(); err != nil {
			return 0, err
		}
		if b.open == nil {
			err = b.begin()
		}
		if err == nil {
			n, err = b.open.Read(p)
			b.n += int64(n)
		}
		switch {
		case b.n > b.object.Size:
			return n, fmt.Errorf("%w: %s", objects.ErrChanged, b.object.Name)
		case n > 0:
			b.tries = 0
			return n, nil // an error comes again
		case err == nil:
			return 0, nil
		case b.n == b.object.Size: // whatever came behind the last byte
			return 0, io.EOF
		case b.tries == bodyTries || objects.Final(err):
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, fmt.Errorf("input: %s at byte %d: %w", b.object.Name, b.n, err)
		}
		b.tries++
		err = nil
		_ = b.Close() // it is broken
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	if b.open == nil {
		return nil
	}
	open := b.open
	b.open = nil
	return open.Close()
}
