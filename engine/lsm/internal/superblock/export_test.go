package superblock

import (
	"encoding/binary"
	"hash/crc32"
)

// reseal makes a changed copy pass its checksum.
func reseal(b []byte) {
	binary.LittleEndian.PutUint32(b[crcAt:], crc32.Checksum(b[:crcAt], castagnoli))
}
