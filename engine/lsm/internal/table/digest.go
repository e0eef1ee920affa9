package table

import (
	"context"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// digestPieceBytes is how much of a table is read at once for its digest.
const digestPieceBytes = 1 << 20

// CheckDigest reads the table of this Meta at an offset of the file and checks header, footer and
// digest, so every byte of it, without decoding a block: for copies, whose maker need not be able to
// read them. What does not verify is a *base.CorruptError.
func CheckDigest(ctx context.Context, file io.ReaderAt, id DatabaseID, offset int64, meta Meta) error {
	r := NewReader(ReaderOptions{DatabaseID: id, Num: meta.Num, File: file, Offset: offset, Length: meta.Length})
	f, _, err := r.readEnd(func(f footer) section { return f.properties })
	if err != nil {
		return err
	}
	if f.digest != meta.Digest {
		return r.corrupt(meta.Length-footerBytes, "it is another table than the manifest says")
	}
	var h [headerBytes]byte
	if err := r.readAt(h[:], 0); err != nil {
		return err
	}
	if wrong := checkHeader(h[:], r.sums); wrong != "" {
		return r.corrupt(0, "%s", wrong)
	}
	var d xxhash.Digest
	d.Reset()
	end := meta.Length - footerBytes
	buf := make([]byte, min(end, digestPieceBytes))
	for at := int64(0); at < end; at += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := buf[:min(int64(len(buf)), end-at)]
		if err := r.readAt(piece, at); err != nil {
			return err
		}
		_, _ = d.Write(piece) // never fails
	}
	if d.Sum64() != meta.Digest {
		return &base.CorruptError{Region: "table", Offset: offset, Reason: "table " + meta.Num.String() + ": digest"}
	}
	return nil
}
