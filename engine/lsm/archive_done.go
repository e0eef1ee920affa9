package lsm

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

// baseDone completes a base backup in an archive:
//
//	bytes of its stream 8 · xxhash64 of them 8 · where the log goes on: seq 8 · digest 8 · epoch 4 · zero 4 ·
//	segment offset 8 · segment length 8 · offset 8
type baseDone struct {
	Size   int64
	Digest uint64
	Next   log.Position
}

const baseDoneBytes = 64

func (d *baseDone) append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(d.Size))
	dst = le.AppendUint64(dst, d.Digest)
	dst = le.AppendUint64(dst, uint64(d.Next.Seq))
	dst = le.AppendUint64(dst, d.Next.Digest)
	dst = le.AppendUint64(dst, uint64(d.Next.Epoch))
	for _, n := range []int64{d.Next.Extent.Offset, d.Next.Extent.Length, d.Next.Offset} {
		dst = le.AppendUint64(dst, uint64(n))
	}
	return dst
}

func readDone(ctx context.Context, store archive.Store, b archived.Base) (baseDone, error) {
	name := b.Prefix() + archived.Done
	r, err := openObject(ctx, store, name)
	if err != nil {
		return baseDone{}, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, baseDoneBytes+1))
	if err != nil {
		return baseDone{}, err
	}
	if len(data) != baseDoneBytes {
		return baseDone{}, fmt.Errorf("%s: %d bytes: want %d", name, len(data), baseDoneBytes)
	}
	u := func(i int) uint64 { return binary.LittleEndian.Uint64(data[8*i:]) }
	return baseDone{
		Size: int64(u(0)), Digest: u(1),
		Next: log.Position{
			Seq: log.Seq(u(2)), Digest: u(3), Epoch: base.Epoch(u(4)),
			Extent: log.Extent{Offset: int64(u(5)), Length: int64(u(6))}, Offset: int64(u(7)),
		},
	}, nil
}

// openObject names the object in the error.
func openObject(ctx context.Context, store archive.Store, name string) (io.ReadCloser, error) {
	r, err := store.Get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("archive object %s: %w", name, err)
	}
	return r, nil
}

func timeOf(millis int64) time.Time { return time.UnixMilli(millis) }
