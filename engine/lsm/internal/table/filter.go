package table

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

const (
	filterBitsPerKey = 10
	filterLineBytes  = 64
	filterProbes     = 6
)

func filterHash(b []byte) uint64 { return xxhash.Sum64(b) }

// appendFilter appends the filter of the hashes.
func appendFilter(dst []byte, hashes []uint64) []byte {
	lineBits := filterLineBytes * 8
	lines := max(1, (len(hashes)*filterBitsPerKey+lineBits-1)/lineBits)
	at := len(dst)
	dst = append(dst, make([]byte, lines*filterLineBytes)...)
	f := dst[at:]
	for _, h := range hashes {
		line := filterLine(f, h)
		x := uint32(h)
		d := bits.RotateLeft32(x, -17)
		for range filterProbes {
			b := x >> 23
			line[b>>3] |= 1 << (b & 7)
			x += d
		}
	}
	return dst
}

func filterLine(f []byte, h uint64) []byte {
	lines := uint64(len(f) / filterLineBytes)
	i := (h >> 32) * lines >> 32 * filterLineBytes
	return f[i : i+filterLineBytes : i+filterLineBytes]
}

// filterHas says whether the bytes of hash h may be in the filter, whose length is a multiple of a
// line and not 0.
func filterHas(f []byte, h uint64) bool {
	line := (*[filterLineBytes]byte)(filterLine(f, h))
	x := uint32(h)
	d := bits.RotateLeft32(x, -17)
	for range filterProbes {
		b := x >> 23
		if line[b>>3&63]&(1<<(b&7)) == 0 {
			return false
		}
		x += d
	}
	return true
}
