// Package crypt is the encryption of a database file: AES-256-GCM under keys that are derived from one
// random data key, which stands in the superblock, wrapped by the user's key.
//
//	wrapped key = cipher 1 (1: AES-256-GCM) · nonce 12 · sealed data key 32 + 16
//	  under the user's key, with a random nonce; associated data: "kstone data key" · database id 16
//
//	key of a log, table or spill = HKDF-SHA256(data key, salt, purpose), 32 bytes
//	  purpose  "kstone log", "kstone table" or "kstone spill"
//	  salt     of a log: the 16 bytes in each group's header; of a table or spill: the 32 at its beginning
//
//	sealed  = ciphertext, as long as the plaintext · tag 16
//	  nonce            zero 4 · number 8
//	  associated data  database id 16 · object 8 · context 4 · number 8
//
// Integers are little-endian. What object, number and context are:
//
//	           object         number                          context
//	log frame  log id         LSN, or number of the record     epoch of the group
//	block      table number   offset of the block in the table codec
//	spill      spill number   0                                0
//
// So what is sealed opens at its own place only, and nowhere without the key. FORMAT.md has the proof that
// no nonce is used twice under one key. It needs nothing from this package but that keys differ when
// salts or purposes do.
package crypt
