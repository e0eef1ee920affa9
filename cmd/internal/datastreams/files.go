package datastreams

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/keystone-db/kstone/engine"
)

const (
	fileSuffix = ".jsonl"
	fileMode   = 0o600
	// tailBytes is how much is read at once to find the end of the last whole line.
	tailBytes = 64 << 10
)

// Files are data streams as files in a folder: NAME.jsonl has a record a line. Each is there when something is
// written to it. It implements engine.DataStreams; one process at a time may use a folder.
type Files struct {
	dir string
	mu  sync.Mutex
}

// OpenFiles opens a folder that is there.
func OpenFiles(dir string) (*Files, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("there is no folder %s: make it", dir)
	}
	return &Files{dir: dir}, nil
}

// Check implements engine.DataStreams.
func (f *Files) Check(_ context.Context, arn string) error {
	_, err := streamOf(arn)
	return err
}

// Put implements engine.DataStreams.
func (f *Files) Put(_ context.Context, arn string, records []engine.DataStreamRecord) (err error) {
	s, err := streamOf(arn)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(filepath.Join(f.dir, s.StreamName+fileSuffix), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	end, err := wholeLines(file)
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	for i := range records {
		lines.Write(records[i].Data)
		lines.WriteByte('\n')
	}
	if _, err := file.WriteAt(lines.Bytes(), end); err != nil {
		return err
	}
	return file.Sync()
}

// wholeLines cuts off the part of a line that a crash left, whose record comes again, and returns the size.
func wholeLines(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	end := info.Size()
	for at := end; at > 0; {
		from := max(0, at-tailBytes)
		b := make([]byte, at-from)
		if _, err := io.ReadFull(io.NewSectionReader(file, from, at-from), b); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			if last := from + int64(i) + 1; last < end {
				return last, file.Truncate(last)
			}
			return end, nil
		}
		at = from
	}
	if end > 0 {
		return 0, file.Truncate(0)
	}
	return 0, nil
}
