// Package table writes and reads tables: immutable sorted runs of versions of one stripe, each in
// one extent of the database file.
//
// All integers are little-endian; uvarint is the variable-length form of encoding/binary. Offsets
// inside a table count from its first byte.
//
//	table = header · data block* · filter block · index block · properties block · footer
//
// # Header, 80 bytes
//
//	| magic "kstntbl\x01" 8 | version 2 | cipher 1 | zero 5 | database id 16 | table number 8 |
//	| random 32 | zero 4 | crc 4 |
//
// version is 1. cipher is 0 in a plain table, whose random bytes are zero. 1 is AES-256-GCM: each block's
// payload is sealed after it is compressed (package crypt) and so 16 bytes longer. The key follows from the
// random bytes, the number is the block's offset, the context its codec.
//
// # Block
//
//	| payload | codec 1 | crc 4 |
//
// codec is 0 for bytes as they are, 1 for s2, 2 for zstd: one frame that says how long its content
// is. A block is compressed where that saves at least an eighth. Every crc in a table is CRC-32C over
// database id 16 · table number 8 · offset of the block 8 · the bytes before the crc, so that a block
// which is stale, or stands in another place, does not verify.
//
// # Data block, decoded
//
//	| base lsn 8 | entry* | restart offset 4 * n | n 4 |
//	entry = shared uvarint · unshared uvarint · (value length · 2 + tombstone) uvarint ·
//	        lsn - base lsn, zigzag uvarint · unshared key bytes · value
//
// A key takes its first shared bytes from the key before it; every eighth entry is a restart,
// shares nothing and is listed by its offset. Entries are sorted by key, then newest first. The
// base is the LSN of the first entry.
//
// # Filter block, decoded
//
//	| line 64 * n |
//
// A blocked Bloom filter over each different key and each different filter prefix
// (storage.FilterPrefix), 10 bits for each of them. With h = xxhash64 of the bytes, the line is
// (h >> 32) · n >> 32, and the 6 bits in it are, for i = 0 … 5, (x + i·d) >> 23 with x the low 32
// bits of h and d = x rotated right by 17, all in 32 bits; bit b is bit b%8 of byte b/8.
//
// # Index block, decoded
//
//	| n uvarint | (length uvarint · first key · last key) * n |
//	key = shared uvarint · unshared uvarint · unshared bytes
//
// One entry for each data block, in order; length includes codec and crc; the first block stands
// right behind the header, the others right behind each other. A first key shares bytes with the
// last key before it, a last key with the first key of its own entry.
//
// # Properties block, decoded
//
//	| smallest key · largest key | min lsn 8 | max lsn 8 | n uvarint | counts * n |
//	smallest, largest = length uvarint · bytes
//	counts = length uvarint · prefix · entries uvarint · keys uvarint · tombstones uvarint ·
//	         bytes uvarint
//
// One entry for each different first 12 bytes of a key (fewer for shorter keys), in order. The
// figures of the table are their sums. keys are those whose newest version here is a value,
// tombstones those where it is a tombstone; bytes are the keys and values of these newest versions;
// entries counts all versions.
//
// # Footer, 96 bytes
//
//	| filter offset 4 · length 4 | index offset 4 · length 4 | properties offset 4 · length 4 |
//	| table length 8 | table number 8 | database id 16 | zero 24 | version 2 | zero 2 | crc 4 |
//	| magic "kstntbl\x02" 8 |
//
// The vectors in testdata pin all of this.
package table
