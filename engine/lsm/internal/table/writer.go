package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/storage"
)

var (
	errOrder    = errors.New("table: versions out of order")
	errEmpty    = errors.New("table: no entries")
	errTooLarge = errors.New("table: too large")
)

// WriterOptions of one table.
type WriterOptions struct {
	DatabaseID DatabaseID
	Num        base.ObjectNum
	// BlockBytes is 0 for the default.
	BlockBytes  int
	Compression Compression
	// Keys encrypt the blocks; nil leaves them plain. Rand gives the salt of the table's key.
	Keys *crypt.Keys
	Rand io.Reader
}

// Writer builds one table into a sink. It is used by one goroutine. After an error it only repeats
// that error.
type Writer struct {
	sink   io.Writer
	opts   WriterOptions
	sums   sums
	at     int64         // bytes written
	digest xxhash.Digest // of them
	sealer *crypt.Sealer // nil for a plain table
	block  blockBuilder
	index  indexBuilder
	props  Properties
	err    error

	hashes     []uint64
	lastKey    []byte
	lastLSN    base.LSN
	lastPrefix []byte // the last filter prefix
	out        []byte // scratch for a block on its way out
}

// NewWriter starts a table. The sink gets the bytes in order, in pieces of about a block; give it
// a buffer (a bytes.Buffer, or one that writes pieces of up to 1 MiB).
func NewWriter(sink io.Writer, opts WriterOptions) *Writer {
	if opts.BlockBytes <= 0 {
		opts.BlockBytes = BlockBytesDefault
	}
	w := &Writer{sink: sink, opts: opts, sums: newSums(opts.DatabaseID, opts.Num)}
	w.digest.Reset()
	var salt []byte
	if w.sealer, salt, w.err = opts.newSealer(); w.err == nil {
		w.write(appendHeader(nil, opts.DatabaseID, opts.Num, salt, w.sums))
	}
	return w
}

func (w *Writer) write(p []byte) {
	if w.err != nil {
		return
	}
	if w.at+int64(len(p)) > LengthMaxBytes {
		w.err = errTooLarge
		return
	}
	_, w.err = w.sink.Write(p)
	_, _ = w.digest.Write(p) // never fails
	w.at += int64(len(p))
}

// Add appends a version; versions come in the order of base.Compare, all of one stripe. Key and
// value are copied.
func (w *Writer) Add(e base.Entry) error {
	if w.err != nil {
		return w.err
	}
	if err := w.check(e); err != nil {
		w.err = err
		return err
	}
	if e.Kind == base.KindTombstone {
		e.Value = nil
	}
	newKey := w.props.Entries == 0 || !bytes.Equal(e.Key, w.lastKey)
	if newKey {
		w.filter(e.Key)
		w.lastKey = append(w.lastKey[:0], e.Key...)
	}
	w.lastLSN = e.LSN
	if w.props.Entries == 0 {
		w.props.Smallest = bytes.Clone(e.Key)
	}
	w.props.count(e, newKey)
	need := len(e.Key) + len(e.Value) + entryMaxOverheadBytes
	if w.block.n > 0 && w.block.size()+need > w.opts.BlockBytes {
		w.flushBlock()
	}
	w.block.add(e)
	return w.err
}

func (w *Writer) check(e base.Entry) error {
	switch {
	case len(e.Key) > storage.KeyMaxBytes || len(e.Value) > storage.ValueMaxBytes:
		return fmt.Errorf("%w: key %d, value %d bytes", errTooLarge, len(e.Key), len(e.Value))
	case w.props.Entries > 0 && base.Compare(w.lastKey, w.lastLSN, e.Key, e.LSN) >= 0:
		return fmt.Errorf("%w: %x at %v after %x at %v", errOrder, e.Key, e.LSN, w.lastKey, w.lastLSN)
	}
	return nil
}

// filter adds a new key and, where it is new, its filter prefix.
func (w *Writer) filter(key []byte) {
	w.hashes = append(w.hashes, filterHash(key))
	p := storage.FilterPrefix(key)
	if len(p) < len(key) && !bytes.Equal(p, w.lastPrefix) {
		w.hashes = append(w.hashes, filterHash(p))
		w.lastPrefix = append(w.lastPrefix[:0], p...)
	}
}

// flushBlock ends the data block. A table is made beside writers and readers, of which the ones that
// have slept or waited shall not wait for the end of this goroutine's turn, 10 ms: it gives the processor
// up after each block.
func (w *Writer) flushBlock() {
	runtime.Gosched()
	sec := w.seal(w.block.finish(), w.opts.Compression)
	w.index.add(sec.length, w.block.first, w.block.last)
	w.block.reset()
}

// seal compresses, sums and writes a block.
func (w *Writer) seal(raw []byte, how Compression) section {
	out, codec := compress(w.out, raw, how)
	at := w.at
	out = append(out, make([]byte, w.sealer.Overhead())...)
	w.sealer.Seal(out, uint32(codec), uint64(at))
	out = append(out, byte(codec))
	out = binary.LittleEndian.AppendUint32(out, w.sums.of(at, out))
	w.write(out)
	w.out = out
	return section{offset: uint32(at), length: uint32(len(out))}
}

// Size is an estimate of the table's length if it were finished now.
func (w *Writer) Size() int64 {
	return w.at + int64(w.block.size()) + int64(len(w.hashes)*filterBitsPerKey/8) +
		int64(len(w.index.entries)) + footerBytes
}

// Entries added until now.
func (w *Writer) Entries() int64 { return w.props.Entries }

// Finish writes index, filter, properties and footer. A table without entries is an error.
func (w *Writer) Finish() (Meta, error) {
	if w.err == nil && w.props.Entries == 0 {
		w.err = errEmpty
	}
	if w.err != nil {
		return Meta{}, w.err
	}
	w.flushBlock()
	w.props.Largest = bytes.Clone(w.lastKey)
	w.props.sum()
	var f footer
	meta := w.opts.Compression
	if meta == CompressZstd {
		meta = CompressS2
	}
	f.filter = w.seal(appendFilter(nil, w.hashes), CompressNone)
	f.index = w.seal(w.index.append(nil), meta)
	f.properties = w.seal(appendProperties(nil, &w.props), meta)
	f.length, f.digest = w.at+footerBytes, w.digest.Sum64()
	w.write(appendFooter(nil, f, w.opts.DatabaseID, w.opts.Num, w.sums))
	if w.err != nil {
		return Meta{}, w.err
	}
	return Meta{
		Num: w.opts.Num, Length: w.at, Smallest: w.props.Smallest, Largest: w.props.Largest,
		MinLSN: w.props.MinLSN, MaxLSN: w.props.MaxLSN,
		Entries: w.props.Entries, Tombstones: w.props.Tombstones, Digest: f.digest,
	}, nil
}
