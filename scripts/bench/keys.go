package main

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"slices"
)

// The items: partitions of sortKeys sort keys each, valueBytes of value, of which the first half does
// not compress.
const (
	sortKeys   = 10
	valueBytes = 400
	// keyBytes is the length of a key: head, length of the partition part, partition, sort key.
	keyBytes  = 16 + 2 + 12 + 10
	itemBytes = keyBytes + valueBytes
	table     = 0x10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendKey appends the key of item i in kstone's form: space, sub, hash of the partition part,
// partition part, sort key.
func appendKey(dst []byte, i int) []byte {
	var part [14]byte
	p := uint64(i / sortKeys)
	binary.BigEndian.PutUint16(part[:], 12)
	copy(part[2:], "user")
	binary.BigEndian.PutUint64(part[6:], p)
	dst = append(dst, table, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, hashOf(part[:]))
	dst = append(dst, part[:]...)
	dst = append(dst, "order#000"...)
	return append(dst, byte('0'+i%sortKeys))
}

func hashOf(part []byte) uint32 { return bits.RotateLeft32(crc32.Checksum(part, castagnoli), -8) }

// appendMissing appends a key beside item i that nobody wrote.
func appendMissing(dst []byte, i int) []byte {
	dst = appendKey(dst, i)
	dst[len(dst)-2] = 'x'
	return dst
}

// splitmix is a hash of one number that looks random.
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// values makes values without noticeable work: half of each is copied from a pool of random bytes,
// half is text as items have it.
type values struct {
	pool []byte
	text []byte
}

const poolBytes = 8 << 20

func newValues() *values {
	v := &values{pool: make([]byte, poolBytes)}
	for i := 0; i < poolBytes; i += 8 {
		binary.LittleEndian.PutUint64(v.pool[i:], splitmix(uint64(i)))
	}
	for len(v.text) < valueBytes/2 {
		v.text = append(v.text, `{"status":"shipped","currency":"EUR","carrier":"parcel"} `...)
	}
	v.text = v.text[:valueBytes/2]
	return v
}

// append appends the value of item i in its n-th version.
func (v *values) append(dst []byte, i, n int) []byte {
	at := splitmix(uint64(i)<<8|uint64(n)) % (poolBytes - valueBytes/2)
	dst = append(dst, v.pool[at:at+valueBytes/2]...)
	return append(dst, v.text...)
}

// shuffled maps 0 … n-1 one to one onto itself in a random-looking order, by a Feistel network that is
// walked until it stays in range.
type shuffled struct {
	n    uint64
	half uint
	seed uint64
}

func shuffle(n int, seed uint64) shuffled {
	return shuffled{n: uint64(n), half: uint(bits.Len64(uint64(n))+1) / 2, seed: seed}
}

// at needs i < n.
func (s shuffled) at(i int) int {
	mask := uint64(1)<<s.half - 1
	x := uint64(i)
	for {
		l, r := x>>s.half, x&mask
		for round := range uint64(4) {
			l, r = r, l^splitmix(r^s.seed^round<<56)&mask
		}
		if x = l<<s.half | r; x < s.n {
			return int(x)
		}
	}
}

// inKeyOrder returns the partitions of n items in the order of their keys.
func inKeyOrder(n int) []uint32 {
	type part struct{ hash, number uint32 }
	parts := make([]part, n/sortKeys)
	key := make([]byte, 0, keyBytes)
	for i := range parts {
		key = appendKey(key[:0], i*sortKeys)
		parts[i] = part{binary.BigEndian.Uint32(key[12:]), uint32(i)}
	}
	slices.SortFunc(parts, func(a, b part) int {
		if a.hash != b.hash {
			if a.hash < b.hash {
				return -1
			}
			return 1
		}
		return int(int64(a.number) - int64(b.number))
	})
	out := make([]uint32, len(parts))
	for i, p := range parts {
		out[i] = p.number
	}
	return out
}
