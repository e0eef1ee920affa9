package newfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// smallFile takes writes that end below a bound.
type smallFile struct{ data []byte }

var errBeyond = errors.New("beyond the end of the disk")

func (f *smallFile) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > 1<<16 || len(p) > 1<<16 {
		return 0, errBeyond
	}
	if end := int(off) + len(p); end > len(f.data) {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	return copy(f.data[off:], p), nil
}

func sampleStream(t testing.TB) []byte {
	var out bytes.Buffer
	s := NewStream(&out)
	for _, w := range []struct {
		off  int64
		data []byte
	}{{4096, []byte("first")}, {0, bytes.Repeat([]byte{0}, 4096)}, {9000, []byte("second")}} {
		_, err := s.WriteAt(w.data, w.off)
		require.NoError(t, err)
	}
	require.NoError(t, s.End([]byte("note")))
	return out.Bytes()
}

// TestAStreamWithImpossiblePlaces is refused.
func TestAStreamWithImpossiblePlaces(t *testing.T) {
	for _, place := range [][2]uint64{{0, 1 << 63}, {1 << 63, 1}, {1 << 62, 1 << 63}} {
		data := append([]byte(streamMagic), recordZeros)
		data = binary.LittleEndian.AppendUint64(data, place[0])
		data = binary.LittleEndian.AppendUint64(data, place[1])
		_, err := Receive(bytes.NewReader(data), &smallFile{}, nil)
		require.ErrorIs(t, err, ErrCut)
	}
}

// FuzzReceive: what is no stream is an error, and never a panic; what is one is written.
func FuzzReceive(f *testing.F) {
	whole := sampleStream(f)
	f.Add(whole)
	f.Add(whole[:len(whole)-4])
	f.Fuzz(func(t *testing.T, data []byte) {
		var file smallFile
		note, err := Receive(bytes.NewReader(data), &file, nil)
		if bytes.HasPrefix(data, whole) {
			require.NoError(t, err)
			require.Equal(t, "note", string(note))
			require.Equal(t, "first", string(file.data[4096:4101]))
			require.Equal(t, "second", string(file.data[9000:]))
		}
	})
}
