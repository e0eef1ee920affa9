// Package archived is the format of what a log archive keeps of a database: chunks of its log.
//
// A chunk holds consecutive groups of the write-ahead log as they stood in one segment, and the spills
// that their frames name, both in the bytes that the file has: sealed, if it is encrypted. Integers are
// little-endian.
//
//	chunk = head 184 · piece* · xxhash64 of all before 8
//	head  = magic "kstnarc1" 8 · version 4 · pieces 4 · database id 16 · timeline 16 ·
//	        first seq 8 · last seq 8 · first lsn 8 · last lsn 8 · until 8 ·
//	        segment: offset 8 · length 8 · groups: offset 8 · length 8 ·
//	        before: digest 8 · epoch 4 · after: epoch 4 · digest 8 · epoch limit 4 · zero 4 ·
//	        seen 8 · zero 24
//	piece = offset 8 · length 8 · bytes
//
// The first piece is the groups, the others are the extents of spills; offsets are those of the database
// file. first lsn is that of the first frame or
// of the next one, last lsn the last one up to the end of the chunk. "before" is the group before the first, "after" the
// last one. "until" is a time, in milliseconds since 1970: everything that was acknowledged before it is
// in this chunk or one before; 0 says nothing. "seen" is a time, too: nothing in the chunk was written
// later.
package archived
