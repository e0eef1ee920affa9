package lsm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

// memArchive is an archive in memory that can be made to fail.
type memArchive struct {
	mu      sync.Mutex
	objects map[string][]byte
	fail    error
	// failAfter makes a put fail although it stored the object, as a lost answer does.
	failAfter error
	puts      int
	// deletes are left until they fail with failDelete, nil for ever.
	deletes    int
	failDelete error
}

func newMemArchive() *memArchive { return &memArchive{objects: map[string][]byte{}} }

func (m *memArchive) set(fail, after error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail, m.failAfter = fail, after
}

// clone is what there is now.
func (m *memArchive) clone() *memArchive {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memArchive{objects: maps.Clone(m.objects)}
}

func (m *memArchive) Put(_ context.Context, name string, body io.ReadSeeker, replace bool) error {
	data, err := io.ReadAll(body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	if err = errors.Join(err, m.fail); err != nil {
		return err
	}
	if _, ok := m.objects[name]; ok && !replace {
		return fs.ErrExist
	}
	m.objects[name] = data
	return m.failAfter
}

func (m *memArchive) Get(_ context.Context, name string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(data)), m.fail
}

func (m *memArchive) List(_ context.Context, prefix, after string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.objects {
		if strings.HasPrefix(name, prefix) && name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, m.fail
}

func (m *memArchive) Sizes(_ context.Context, prefix string) (map[string]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sizes := map[string]int64{}
	for name, data := range m.objects {
		if strings.HasPrefix(name, prefix) {
			sizes[name] = int64(len(data))
		}
	}
	return sizes, m.fail
}

func (m *memArchive) Delete(_ context.Context, names ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		if m.deletes--; m.deletes < 0 && m.failDelete != nil {
			return m.failDelete
		}
		delete(m.objects, name)
	}
	return m.fail
}
