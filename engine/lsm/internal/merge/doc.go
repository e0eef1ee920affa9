// Package merge joins the versions of several sources and decides which of them still matter.
//
// It holds three things that memtable, flush, compaction and reads share, so that they cannot
// disagree:
//
//   - Droppable, the one rule of garbage. Nobody else compares an LSN with the horizon.
//   - Iter, the merge of several base.Iterators by base.Compare; of versions that are equal in
//     key and LSN (a replay may leave the same version in two sources) one is kept.
//   - Compactor, which walks such a merge forward and leaves out what Droppable and the dead list
//     allow; flush and compaction write what it yields.
//   - Scan, which yields the newest version at or below a snapshot for each key of a range, in
//     one direction, without tombstones and dead ranges.
package merge
