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
// Whoever holds one of these may take those behind it:
//
//	inFlight (shared) · gate · key locks
//	passMu · manifest's mutex · growMu · syncMu of the heap      held during I/O
//	syncMu of the log, before that of the heap                   held during I/O
//	log mutex · stripe · leaf locks: snapshots, seqs, spills, compactions, space, archiver, clock
//
// A row may take those of the rows below it, the manifest's mutex but for syncMu of the log. Nobody who
// holds a key lock takes the manifest's mutex. Flusher and compaction never take key locks and never wait
// for a writer. Close holds inFlight whole while it waits for the background, of which nobody may wait for
// it: note tries. Options.Logger and Options.Clock are called under the log mutex, the manifest's or a
// stripe's.
//
// # Who sees what change
//
//   - A version, its lists, its tables and its dead ranges are never changed, but for counts of references:
//     who holds an old one goes on with what it holds. installTables, installPass and editDead put another
//     one in its place, under the stripe's lock and with the manifest's mutex held, when the edit is
//     durable. Whoever needs the versions of all stripes as of one edit holds the manifest's mutex (view).
//   - The extent of a table is free when no version holds the table, forks' versions included. Whoever
//     reads a table's place in the file (scrub, backup, compaction) holds a version.
//   - What a compaction takes in is its own by a claimed span until its edit: other compactions, DropRange
//     and moves to the front of the file claim, too, and look again whether the version is still the
//     stripe's. Flushes only add to level 0.
//   - A memtable changes under its stripe's lock while it is active. Frozen ones, versions of keys and the
//     nodes that forks share do not.
//   - A snapshot announces its pin before it reads visible, whoever drops versions reads visible before
//     the oldest pin: so no horizon passes a snapshot. One that is taken away says so before the horizon
//     moves, and its readers look after they have read.
//   - A segment of the log, or a spill, is used again when the tail that a durable edit names is past it,
//     and the tail stays before what the archive holds. Who reads the log beside that (archiver, scrub)
//     looks afterwards whether the tail, or a gap, has passed what it read.
//   - Groups become visible in their order, whole; a Seq is finished when its update is visible or will
//     never be.
package lsm
