package vfs

import "unsafe"

// AlignedBuffer returns n zero bytes that begin at a multiple of AlignMaxBytes in memory, as direct
// I/O demands. Its capacity is n rounded up to AlignMaxBytes.
func AlignedBuffer(n int) []byte {
	size := int(AlignUp(int64(n), AlignMaxBytes))
	raw := make([]byte, size+AlignMaxBytes)
	shift := 0
	if rest := int(uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % AlignMaxBytes); rest != 0 {
		shift = AlignMaxBytes - rest
	}
	return raw[shift : shift+n : shift+size]
}

// AlignUp rounds n up to a multiple of align, a power of two.
func AlignUp(n int64, align int) int64 {
	a := int64(align)
	return (n + a - 1) &^ (a - 1)
}

// isAligned says whether p begins at a multiple of align in memory.
func isAligned(p []byte, align int) bool {
	return len(p) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(p)))%uintptr(align) == 0
}
