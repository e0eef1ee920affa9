package show

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"github.com/keystone-db/kstone/engine/attr"
)

// Rows writes rows as they come, in bounded memory. Close must be called at the end unless there
// was an error: an array that was cut short then lacks its bracket, so that nobody takes it for
// whole.
type Rows struct {
	o     Options
	w     *bufio.Writer
	count int64
	line  []byte
	// block holds the rows of the next table, blockBytes is their size.
	block      []attr.Item
	blockBytes int
}

// NewRows begins.
func NewRows(w io.Writer, o Options) *Rows { return &Rows{o: o, w: bufio.NewWriter(w)} }

// Count is how many rows came.
func (r *Rows) Count() int64 { return r.count }

// Add writes a row.
func (r *Rows) Add(it attr.Item) error {
	first := r.count == 0
	r.count++
	switch r.o.Format {
	case Table:
		return r.addToTable(it)
	case JSONLines:
		r.line = append(r.o.appendItem(r.line[:0], it), '\n')
	case Compact:
		r.line = r.o.appendItem(append(r.line[:0], opening(first)), it)
	case JSON:
		r.line = append(append(r.line[:0], opening(first), '\n'), indent...)
		var b bytes.Buffer
		if err := json.Indent(&b, r.o.appendItem(nil, it), indent, indent); err != nil {
			return err
		}
		r.line = append(r.line, b.Bytes()...)
	}
	_, err := r.w.Write(r.line)
	return err
}

// opening is what stands before a row of an array.
func opening(first bool) byte {
	if first {
		return '['
	}
	return ','
}

// Flush writes what is buffered, so that rows are seen although the next page takes its time.
func (r *Rows) Flush() error { return r.w.Flush() }

// rowsText ends tables: it says that all is there, and that nothing is.
func rowsText(n int64) string {
	if n == 1 {
		return "(1 row)\n"
	}
	return "(" + strconv.FormatInt(n, 10) + " rows)\n"
}

// Close ends the output.
func (r *Rows) Close() error {
	end := ""
	switch {
	case r.o.Format == Table:
		if err := r.writeBlock(); err != nil {
			return err
		}
		end = rowsText(r.count)
	case r.o.Format == JSONLines:
	case r.count == 0:
		end = "[]\n"
	case r.o.Format == JSON:
		end = "\n]\n"
	default:
		end = "]\n"
	}
	if _, err := r.w.WriteString(end); err != nil {
		return err
	}
	return r.w.Flush()
}
