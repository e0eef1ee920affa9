// Package lsm is the embedded backend of engine/storage: one database in one file, or in memory.
//
// A key belongs to one of 256 stripes. Each stripe has a memtable and a short list of tables, and
// all stripes share one write-ahead log, one manifest and one memory budget.
//
// # The way of a put
//
// Update passes the gate (closed, poisoned, full, delayed), locks the named keys in key order,
// reads their newest versions and runs fn. What fn wrote gets an LSN and room for its frame in the
// open group of the log, under the log's mutex; it is encoded and summed there without the mutex,
// beside other frames. The entries go into the memtables of their stripes and the keys are unlocked,
// before anything is on disk: the next update of a key reads this version and stands behind it in
// the same log. Whoever finds no write in flight leads: it waits until the frames of its group are
// whole, seals the group and writes it, the others wait. When the group is written, all its entries
// are inserted and all groups before it are finished, visible moves to its last LSN and everybody is
// woken.
//
// # The way of a get
//
// Get takes the read lock of the key's stripe (in a stripe that is read much, by announcing itself where
// no other core writes: see stripeLock), then loads visible, and asks the memtables for the newest version
// not above it. If they have none it asks the stripe's tables, newest first; each has a filter in memory.
// Before it reads from the file it pins the tables and gives the lock back.
//
// # What moves the log on
//
// The flusher freezes memtables of many stripes, writes their tables in one run with one sync,
// and names them in one manifest record that also moves the tail of the log. Segments before the
// tail are used again.
//
// # Forks
//
// Fork holds back new numbers until every update that has one is published, which needs nothing but the
// processor and, in a file, the log's write. Then it shares each stripe's memtables and version with a
// database in memory: trees are copied on write (package memtable), versions of tables counted. A fork
// has no log and no flushes; over a file its tombstones stay, and dropped ranges are hidden. The file's
// database gives descriptors, keys and lock back when it and all its forks are closed. Backup copies
// tables as they are; Save writes the newest version of every key of a fork into a new file.
//
// # Locks
//
// Order: gate, key locks, log mutex, stripe, leaf locks (snapshots, seqs, space). The manifest's
// mutex stands before the log mutex and is held during I/O; nobody who holds a key lock takes it.
// Flusher and compaction never take key locks and never wait for a writer.
package lsm
