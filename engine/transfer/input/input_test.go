package input_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/objects"
	"github.com/keystone-db/kstone/engine/transfer/input"
)

func bucket(t *testing.T, files map[string]string) *objects.Dir {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "b"), 0o700))
	d, err := objects.OpenDir(root, "b")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	for name, text := range files {
		_, err := d.Put(t.Context(), name, strings.NewReader(text), objects.PutOptions{})
		require.NoError(t, err)
	}
	return d
}

func pack(t *testing.T, kind, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case "GZIP":
		w = gzip.NewWriter(&b)
	case "ZSTD":
		z, err := zstd.NewWriter(&b)
		require.NoError(t, err)
		w = z
	default:
		return text
	}
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// step reads one record as a line; "" at the end.
func step(t *testing.T, in *input.Input) string {
	t.Helper()
	rec, object, n, err := in.Next()
	switch {
	case errors.Is(err, io.EOF):
		return ""
	case err != nil:
		return fmt.Sprintf("%s %d: %v", object, n, err)
	}
	return fmt.Sprintf("%s %d: %s", object, n, rec.Item)
}

var texts = map[string]map[string]string{
	"DYNAMODB_JSON": {
		"in/a": "{\"Item\":{\"n\":{\"N\":\"1\"}}}\nbad\n{\"Item\":{\"n\":{\"N\":\"2\"}}}\n", "in/b": "\n",
		"in/c/d": `{"Item":{"n":{"N":"3"}}}`, "other": `{"Item":{"n":{"N":"9"}}}`,
	},
	"ION": {
		"in/a": "$ion_1_0 {Item:{n:1}}\n$ion_1_0 sym $ion_1_0 {Item:{n:2}}", "in/b": "{Item:{n:3}} ) {Item:{n:4}}", "in/c": "{Item:{n:5}}",
	},
	"CSV": {"in/a": "n,s\n1,x\n2\n3,\"y\nz\"\n", "in/b": "s,n\nx,4\n", "in/c": "s,s\nx,4\n", "in/d": "n\n5"},
}

// TestEveryCursor: from each cursor the rest is read, in another process too.
func TestEveryCursor(t *testing.T) {
	for format, files := range texts {
		for _, kind := range []string{"", "NONE", "GZIP", "ZSTD"} {
			packed := map[string]string{}
			for name, text := range files {
				packed[name] = pack(t, kind, text)
			}
			b := bucket(t, packed)
			spec := input.Spec{Prefix: "in/", Format: format, Compression: kind}
			in, err := input.Open(t.Context(), b, spec, input.Cursor{})
			require.NoError(t, err)
			var want []string
			cursors := []input.Cursor{in.Cursor()}
			for line := step(t, in); line != ""; line = step(t, in) {
				want = append(want, line)
				cursors = append(cursors, in.Cursor())
			}
			require.GreaterOrEqual(t, len(want), 4, "%s %q", format, want)
			assert.Equal(t, in.Total(), in.Cursor().Read)
			end := in.Cursor()
			for i, c := range cursors {
				stored, err := json.Marshal(c)
				require.NoError(t, err)
				var back input.Cursor
				require.NoError(t, json.Unmarshal(stored, &back))
				in, err := input.Open(t.Context(), b, spec, back)
				require.NoError(t, err)
				got := []string(nil)
				for line := step(t, in); line != ""; line = step(t, in) {
					got = append(got, line)
				}
				require.Equal(t, want[i:], append([]string{}, got...), "%s %s from %s", format, kind, stored)
				require.Equal(t, end, in.Cursor())
			}
		}
	}
}

func TestFaults(t *testing.T) {
	b := bucket(t, map[string]string{"a": "{\"Item\":{}}\n{\"Item\":{}}", "z": "plain text"})
	_, err := input.Open(t.Context(), b, input.Spec{Prefix: "none"}, input.Cursor{})
	require.ErrorIs(t, err, input.ErrNoObjects)
	// A broken object is told once, and the next one is read.
	in, err := input.Open(t.Context(), b, input.Spec{Compression: "GZIP"}, input.Cursor{})
	require.NoError(t, err)
	assert.Contains(t, step(t, in), "a 0: the object cannot be decompressed")
	assert.Contains(t, step(t, in), "z 0: the object cannot be decompressed")
	assert.Empty(t, step(t, in))
	// An object that was changed since its beginning was read is not read on.
	in, err = input.Open(t.Context(), b, input.Spec{}, input.Cursor{})
	require.NoError(t, err)
	assert.Equal(t, "a 0: {}", step(t, in))
	at := in.Cursor()
	in.Close()
	at.Version = "other"
	in, err = input.Open(t.Context(), b, input.Spec{}, at)
	require.NoError(t, err)
	_, _, _, err = in.Next()
	require.ErrorIs(t, err, objects.ErrChanged)
}

// breaking is a store whose objects break off after so many bytes, cleanly or with an error, and count how
// often they were opened from their beginning.
type breaking struct {
	*objects.Dir
	after   int64
	err     error
	opened  int
	version string
}

func (b *breaking) Get(ctx context.Context, name, version string, from int64) (io.ReadCloser, error) {
	if from == 0 {
		b.opened++
	}
	if b.version != "" {
		version = b.version
	}
	r, err := b.Dir.Get(ctx, name, version, from)
	if err != nil {
		return nil, err
	}
	in := io.LimitReader(r, b.after)
	if b.err != nil {
		in = io.MultiReader(in, iotest.ErrReader(b.err))
	}
	return struct {
		io.Reader
		io.Closer
	}{in, r}, nil
}

// TestBrokenOff: reading goes on where a store broke off, without the beginning, and ends when nothing comes.
func TestBrokenOff(t *testing.T) {
	var text strings.Builder
	const records = 3000
	for i := range records {
		fmt.Fprintf(&text, `{"Item":{"n":{"S":"%x"}}}`+"\n", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
	}
	boom := errors.New("boom")
	for _, kind := range []string{"NONE", "GZIP", "ZSTD"} {
		dir := bucket(t, map[string]string{"a": pack(t, kind, text.String())})
		for _, failure := range []error{nil, boom} {
			b := &breaking{Dir: dir, after: 1000, err: failure}
			in, err := input.Open(t.Context(), b, input.Spec{Compression: kind}, input.Cursor{})
			require.NoError(t, err)
			n := 0
			for line := step(t, in); line != ""; line = step(t, in) {
				require.NotContains(t, line, "input:")
				n++
			}
			require.Equal(t, records, n, "%s %v", kind, failure)
			require.Equal(t, 1, b.opened)
			in.Close()
			// Nothing comes any more.
			b.after = 0
			in, err = input.Open(t.Context(), b, input.Spec{Compression: kind}, input.Cursor{})
			require.NoError(t, err)
			_, _, _, err = in.Next()
			require.Error(t, err)
			require.False(t, input.Lost(err), "%v is no fault of the object", err)
			require.Equal(t, 1+1+3, b.opened, "tries have a bound")
			in.Close()
		}
		// The object is replaced while it is read.
		b := &breaking{Dir: dir, after: 1000}
		in, err := input.Open(t.Context(), b, input.Spec{Compression: kind}, input.Cursor{})
		require.NoError(t, err)
		_, _, _, err = in.Next()
		require.NoError(t, err)
		b.version = "another"
		for err == nil {
			_, _, _, err = in.Next()
		}
		require.ErrorIs(t, err, objects.ErrChanged)
		in.Interrupt()
		in.Close()
	}
}

// TestInterrupt ends a Next that waits.
func TestInterrupt(t *testing.T) {
	in, err := input.Open(t.Context(), bucket(t, map[string]string{"a": "{\"Item\":{}}\n"}), input.Spec{}, input.Cursor{})
	require.NoError(t, err)
	in.Interrupt()
	_, _, _, err = in.Next()
	require.ErrorIs(t, err, context.Canceled)
}
