package table

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// DatabaseID names a database; it seeds every checksum.
type DatabaseID [16]byte

const (
	// SizeTargetBytes is where a table is cut: up to 4 MiB an extent.
	SizeTargetBytes = 4 << 20
	// LengthMaxBytes bounds one table; more is corruption on reading and an error on writing.
	LengthMaxBytes = 1 << 30
	// BlockBytesDefault is the size up to which a data block is filled, before compression. A block
	// with one entry may be larger.
	BlockBytesDefault = 8 << 10

	// blockRawMaxBytes bounds a decoded data block: the largest entry, or a full block.
	blockRawMaxBytes = 4 << 20
	// sectionRawMaxBytes bounds a decoded filter, index or properties block.
	sectionRawMaxBytes = 256 << 20
	// restartInterval is part of the format only as a hint: readers follow the list of restarts.
	restartInterval = 8
)

const (
	formatVersion = 1
	headerMagic   = "kstntbl\x01"
	footerMagic   = "kstntbl\x02"
	headerBytes   = 80
	footerBytes   = 96
	trailerBytes  = 5 // codec and crc of a block
)

// Meta is what the manifest keeps of a table.
type Meta struct {
	Num            base.ObjectNum
	Length         int64 // bytes, from the beginning of the header to the end of the footer
	Smallest       []byte
	Largest        []byte
	MinLSN, MaxLSN base.LSN
	Entries        int64 // versions, tombstones included
	Tombstones     int64 // keys whose newest version in the table is a tombstone
	// Digest is xxhash64 of all bytes before the footer, which says it too: who copies a table can
	// check it without knowing what is in it.
	Digest uint64
}

// sums computes the checksums of one table.
type sums struct {
	table *crc32.Table
	seed  uint32 // over database id and table number
}

func newSums(id DatabaseID, num base.ObjectNum) sums {
	t := crc32.MakeTable(crc32.Castagnoli)
	var b [24]byte
	copy(b[:], id[:])
	binary.LittleEndian.PutUint64(b[16:], uint64(num))
	return sums{table: t, seed: crc32.Update(0, t, b[:])}
}

// of returns the checksum of the bytes at an offset of the table.
func (s sums) of(offset int64, p []byte) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(offset))
	return crc32.Update(crc32.Update(s.seed, s.table, b[:]), s.table, p)
}

// section is where a block stands in its table, trailer included.
type section struct {
	offset, length uint32
}

func (s section) end() int64 { return int64(s.offset) + int64(s.length) }

// footer of a table.
type footer struct {
	filter, index, properties section
	length                    int64
	digest                    uint64 // of all bytes before the footer
}

// appendHeader writes the header; salt is nil for a plain table.
func appendHeader(dst []byte, id DatabaseID, num base.ObjectNum, salt []byte, s sums) []byte {
	at := len(dst)
	dst = append(dst, headerMagic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = append(dst, make([]byte, 6)...)
	dst = append(dst, id[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(num))
	dst = append(dst, make([]byte, 36)...)
	if salt != nil {
		dst[at+cipherAt] = cipherGCM
		copy(dst[at+saltAt:], salt)
	}
	return binary.LittleEndian.AppendUint32(dst, s.of(0, dst[at:]))
}

func appendFooter(dst []byte, f footer, id DatabaseID, num base.ObjectNum, s sums) []byte {
	at := len(dst)
	for _, sec := range []section{f.filter, f.index, f.properties} {
		dst = binary.LittleEndian.AppendUint32(dst, sec.offset)
		dst = binary.LittleEndian.AppendUint32(dst, sec.length)
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.length))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(num))
	dst = append(dst, id[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, f.digest)
	dst = append(dst, make([]byte, 16)...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = append(dst, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, s.of(f.length-footerBytes, dst[at:]))
	return append(dst, footerMagic...)
}

// checkHeader returns what is wrong with a header; "" if nothing.
func checkHeader(b []byte, s sums) string {
	switch {
	case string(b[:8]) != headerMagic:
		return "no table header"
	case binary.LittleEndian.Uint32(b[headerBytes-4:]) != s.of(0, b[:headerBytes-4]):
		return "header checksum"
	case binary.LittleEndian.Uint16(b[8:]) != formatVersion:
		return "unknown table version"
	case b[cipherAt] > cipherGCM:
		return "unknown cipher"
	}
	return ""
}

// parseFooter decodes a footer and returns what is wrong with it; "" if nothing.
func parseFooter(b []byte, length int64, s sums) (footer, string) {
	le := binary.LittleEndian
	const crcAt = footerBytes - 12
	switch {
	case string(b[footerBytes-8:]) != footerMagic:
		return footer{}, "no table footer"
	case le.Uint32(b[crcAt:]) != s.of(length-footerBytes, b[:crcAt]):
		return footer{}, "footer checksum"
	case le.Uint16(b[crcAt-4:]) != formatVersion:
		return footer{}, "unknown table version"
	}
	sec := func(i int) section { return section{le.Uint32(b[i:]), le.Uint32(b[i+4:])} }
	f := footer{filter: sec(0), index: sec(8), properties: sec(16), length: int64(le.Uint64(b[24:])),
		digest: le.Uint64(b[56:])}
	good := f.length == length &&
		f.filter.offset >= headerBytes && f.filter.length > trailerBytes &&
		int64(f.index.offset) == f.filter.end() && f.index.length > trailerBytes &&
		int64(f.properties.offset) == f.index.end() && f.properties.length > trailerBytes &&
		f.properties.end() == length-footerBytes
	if !good {
		return footer{}, "footer names impossible places"
	}
	return f, ""
}
