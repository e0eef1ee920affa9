package crypt

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	testDatabase = [databaseBytes]byte{1, 2, 3}
	testUser     = bytes.Repeat([]byte{7}, KeyBytes)
)

// Vectors, which OpenSSL's cipher and another HKDF agree with: of New and Wrap with randomness 0, 1, 2, …,
// and of the 6 bytes "kstone" for object 6, context 8, number 9 and a salt of 32 fives.
const (
	vectorWrapped = "01000102030405060708090a0b1880eb73190cdf4e7fbbef97ee5562f5" +
		"f12da49d0c7761260ed779a192ca731a5b13954912bcfd81cfb56e15600c74d4"
	vectorLog   = "3835b8bafca8e55f44710569c9b1edd329b75baa1d80"
	vectorTable = "5cd1c58c6e4697d07f621b3cabf0d257cba0bad05e62"
	vectorSpill = "6b42449a1ac78eb66d7975f405cce3323a27cb45c99f"
)

// counting gives the bytes 0, 1, 2, ….
type counting byte

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*c)
		*c++
	}
	return len(p), nil
}

func testKeys(t testing.TB) *Keys {
	k, err := New(testDatabase, new(counting))
	require.NoError(t, err)
	return k
}

func newSealer(t testing.TB, k *Keys, purpose Purpose, salt byte, object uint64) *Sealer {
	s, err := k.Sealer(purpose, bytes.Repeat([]byte{salt}, SaltBytes), object)
	require.NoError(t, err)
	return s
}

func seal(s *Sealer, plain string, context uint32, number uint64) []byte {
	buf := append([]byte(plain), make([]byte, s.Overhead())...)
	s.Seal(buf, context, number)
	return buf
}

// TestVectors pins the bytes on disk.
func TestVectors(t *testing.T) {
	k := testKeys(t)
	wrapped, err := k.Wrap(testUser, new(counting))
	require.NoError(t, err)
	require.Len(t, wrapped, WrappedBytes)
	assert.Equal(t, vectorWrapped, hex.EncodeToString(wrapped))
	for purpose, want := range map[Purpose]string{Log: vectorLog, Table: vectorTable, Spill: vectorSpill} {
		s := newSealer(t, k, purpose, 5, 6)
		assert.Equal(t, want, hex.EncodeToString(seal(s, "kstone", 8, 9)), purpose)
	}
}

func TestWrap(t *testing.T) {
	k := testKeys(t)
	wrapped, err := k.Wrap(testUser, rand.Reader)
	require.NoError(t, err)
	again, err := Unwrap(testDatabase, testUser, wrapped)
	require.NoError(t, err)
	sealed := seal(newSealer(t, k, Table, 1, 1), "secret", 0, 0)
	plain, err := newSealer(t, again, Table, 1, 1).Open(nil, sealed, 0, 0)
	require.NoError(t, err)
	assert.Equal(t, "secret", string(plain))

	_, err = Unwrap(testDatabase, bytes.Repeat([]byte{8}, KeyBytes), wrapped)
	require.ErrorIs(t, err, ErrWrongKey)
	_, err = Unwrap([databaseBytes]byte{}, testUser, wrapped)
	require.ErrorIs(t, err, ErrWrongKey, "the key of another database")
	_, err = Unwrap(testDatabase, testUser, append([]byte{2}, wrapped[1:]...))
	require.ErrorIs(t, err, errWrapped)
	_, err = Unwrap(testDatabase, testUser, wrapped[1:])
	require.ErrorIs(t, err, errWrapped)
}

// TestOpensNowhereElse: what is sealed opens with its own key at its own place only, and unchanged.
func TestOpensNowhereElse(t *testing.T) {
	k := testKeys(t)
	s := newSealer(t, k, Table, 1, 2)
	sealed := seal(s, "secret", 3, 4)
	assert.NotContains(t, string(sealed), "secret")
	plain, err := s.Open([]byte("dst "), sealed, 3, 4)
	require.NoError(t, err)
	assert.Equal(t, "dst secret", string(plain))

	other, err := New(testDatabase, rand.Reader)
	require.NoError(t, err)
	elsewhere := newKeys([databaseBytes]byte{9})
	elsewhere.data = k.data
	for name, open := range map[string]func() ([]byte, error){
		"another data key": func() ([]byte, error) { return newSealer(t, other, Table, 1, 2).Open(nil, sealed, 3, 4) },
		"another database": func() ([]byte, error) { return newSealer(t, elsewhere, Table, 1, 2).Open(nil, sealed, 3, 4) },
		"another purpose":  func() ([]byte, error) { return newSealer(t, k, Spill, 1, 2).Open(nil, sealed, 3, 4) },
		"another salt":     func() ([]byte, error) { return newSealer(t, k, Table, 2, 2).Open(nil, sealed, 3, 4) },
		"another object":   func() ([]byte, error) { return newSealer(t, k, Table, 1, 3).Open(nil, sealed, 3, 4) },
		"another context":  func() ([]byte, error) { return s.Open(nil, sealed, 4, 4) },
		"another number":   func() ([]byte, error) { return s.Open(nil, sealed, 3, 5) },
		"a part":           func() ([]byte, error) { return s.Open(nil, sealed[:len(sealed)-1], 3, 4) },
		"nothing":          func() ([]byte, error) { return s.Open(nil, nil, 3, 4) },
	} {
		_, err := open()
		require.ErrorIs(t, err, ErrSealed, name)
	}
	for bit := range 8 * len(sealed) {
		changed := bytes.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		_, err := s.Open(nil, changed, 3, 4)
		require.ErrorIs(t, err, ErrSealed, bit)
	}
}

func TestNilIsPlain(t *testing.T) {
	var k *Keys
	s, err := k.Sealer(Log, nil, 0)
	require.NoError(t, err)
	assert.Zero(t, k.Overhead())
	assert.Equal(t, []byte("as it is"), seal(s, "as it is", 1, 2))
	plain, err := s.Open(nil, []byte("as it is"), 1, 2)
	require.NoError(t, err)
	assert.Equal(t, "as it is", string(plain))
	k.Clear()
}

func TestKeysAreNotPrinted(t *testing.T) {
	k := testKeys(t)
	holder := struct {
		Keys *Keys
		in   any
	}{k, k}
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, what := range []any{k, holder, &holder} {
			text := fmt.Sprintf(form, what)
			for _, piece := range []string{"3 4 5 6", "3, 0x4, 0x5", "03040506"} {
				assert.NotContains(t, text, piece, form)
			}
		}
	}
}

func TestClear(t *testing.T) {
	k := testKeys(t)
	s := newSealer(t, k, Log, 1, 1)
	k.Clear()
	assert.Zero(t, *k.data)
	seal(s, "whoever has a sealer goes on", 0, 0)
	_, err := k.Sealer(Log, nil, 1)
	require.ErrorIs(t, err, errCleared)
	_, err = k.Wrap(testUser, rand.Reader)
	require.ErrorIs(t, err, errCleared)
}

func TestWatch(t *testing.T) {
	k := testKeys(t)
	var seen []string
	k.Watch(func(u Use) { seen = append(seen, string(u.Purpose)+string(u.Plain)+string('0'+rune(u.Number))) })
	seal(newSealer(t, k, Spill, 1, 1), " x ", 0, 3)
	assert.Equal(t, []string{"kstone spill x 3"}, seen)
}

func TestSealAllocatesNothing(t *testing.T) {
	s := newSealer(t, testKeys(t), Log, 1, 1)
	buf := make([]byte, 400+TagBytes)
	plain := make([]byte, 0, 400)
	var number uint64
	n := testing.AllocsPerRun(100, func() {
		number++
		s.Seal(buf, 1, number)
		if _, err := s.Open(plain, buf, 1, number); err != nil {
			t.Error(err)
		}
	})
	assert.Less(t, n, 0.5) // a pool may lose its entries to the garbage collector, and does under -race
}

func BenchmarkSeal(b *testing.B) {
	s := newSealer(b, testKeys(b), Log, 1, 1)
	for _, n := range []int{450, 8 << 10} {
		b.Run(hex.EncodeToString([]byte{byte(n >> 8), byte(n)}), func(b *testing.B) {
			buf := make([]byte, n+TagBytes)
			b.SetBytes(int64(n))
			for i := uint64(0); b.Loop(); i++ {
				s.Seal(buf, 1, i)
			}
		})
	}
}

func BenchmarkSealer(b *testing.B) {
	k := testKeys(b)
	salt := make([]byte, SaltBytes)
	for b.Loop() {
		if _, err := k.Sealer(Table, salt, 1); err != nil {
			b.Fatal(err)
		}
	}
}
