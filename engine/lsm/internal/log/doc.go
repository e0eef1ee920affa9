// Package log is the format of the WAL and of the manifest: a chain of groups in extents of the
// database file, how they are built, and how they are read back after a crash.
//
// The unit on disk is the group: one contiguous write that begins at a multiple of the log's
// alignment. All integers are little-endian.
//
//	group  = header · frame* · filler
//	header = magic 8 · log id 8 · database id 16 · epoch 4 · frame count 4 · salt 16 ·
//	         group seq 8 · position 8 · first lsn 8 · digest 8 · synced 8 · length 4 · crc 4
//	frame  = lsn 8 · payload length 4 · payload · crc 4
//
//	offset  0 magic      "kstnlog1"
//	        8 log id     1 is the WAL; a manifest has an object number
//	       16 database   id of the database
//	       32 epoch      in which the group was written
//	       36 count      frames in the group; 0 in an empty group
//	       40 salt       random, new at each open, epoch and log id; the frames' key follows from it
//	       56 seq        number of the group in its log, from 1, without gaps
//	       64 position   the group's own offset in the file
//	       72 first lsn  of frame 0; frame i carries first lsn + i
//	       80 digest     of the group before: xxhash64 over its header and its frames' crcs
//	       88 synced     the last group whose sync the writer saw succeed
//	       96 length     of the group in bytes, filler included: a multiple of SectorBytes
//	      100 crc        crc32c of header bytes 0 to 99
//	      104 frames
//
// A frame's crc is the crc32c of its lsn, length and payload. The header's crc covers the header
// alone, and the digest of a group stands only in its successor; so frames are encoded and summed
// in parallel and only headers are chained. Filler is zeros when written and never read.
//
// In an encrypted database the payload is sealed (package crypt) and so 16 bytes longer: the key follows
// from the salt, the number is the LSN, the context is the header's epoch. The crc is over what is on disk.
//
// # The successor
//
// The successor of group n has the same log and database id, seq n+1, the digest of n, its own
// offset as position, and an epoch between n's and the superblock's. It stands right behind n or at
// the first byte of a linked extent. A group never spans two extents. When an interrupted open
// leaves several such headers, the one of the highest epoch whose frames hold is the successor:
// a later open continues from the same place when it has cut the group that an earlier one tore.
//
// # Torn or damaged
//
// Reading stops at the first place without a valid successor; what follows is dropped whole. It is
// corruption exactly when a genuine header of this log, in the rest of the current extent or in any
// linked one, has synced at or above the missing seq, or when the clean mark names a later group.
// Otherwise it is the torn tail: the writer continues with the missing seq and the digest of the
// last group, at the end of that group. Epoch and seq together are unique, seq alone is not.
//
// # Vector
//
// The first group of a WAL at file offset 8192 with one frame "ab" of LSN 1.1, in TestFormatVector:
//
//	6b73746e6c6f6731 0100000000000000 000102030405060708090a0b0c0d0e0f
//	0100000001000000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0100000000000000
//	0020000000000000 0100000000010000 0000000000000000
//	0000000000000000 000200002234cd3b
//	010000000001000002000000 6162 d84a1d1e
package log
