package compressed

import (
	"bytes"

	"github.com/klauspost/compress/gzip"
)

// File is the content of a data file, which is compressed by gzip as it is written. The zero File must begin.
type File struct {
	buf bytes.Buffer
	zip *gzip.Writer
}

// Begin forgets what was written.
func (f *File) Begin() {
	f.buf.Reset()
	if f.zip == nil {
		// Most of the time of an export is spent here.
		f.zip, _ = gzip.NewWriterLevel(&f.buf, gzip.BestSpeed) // a level that there is
		return
	}
	f.zip.Reset(&f.buf)
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) { return f.zip.Write(p) }

// End returns the content; it is valid until Begin.
func (f *File) End() ([]byte, error) {
	err := f.zip.Close()
	return f.buf.Bytes(), err
}
