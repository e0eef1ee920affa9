// Package bug names the faults that the crash harness plants in the engine to prove that it would
// find them. Without the build tag plantedbugs Enabled is the constant false and every planted
// point compiles to nothing.
package bug

// Name of a planted fault.
type Name string

// The faults, each a way in which a real engine has lost data.
const (
	// LogSyncLeftOut answers a write that is only in the page cache.
	LogSyncLeftOut Name = "log sync left out"
	// AckBeforeWrite answers a write when its group is sealed.
	AckBeforeWrite Name = "answer before the group is written"
	// TableSyncLeftOut names tables in the manifest that are only in the page cache.
	TableSyncLeftOut Name = "table sync left out"
	// GrowSyncLeftOut points to space that the file may not have after a crash.
	GrowSyncLeftOut Name = "sync of the file's growth left out"
	// SpillSyncLeftOut logs a frame whose spilled payload is only in the page cache.
	SpillSyncLeftOut Name = "spill sync left out"
	// SpillFreedEarly gives the extents of a spill back while the log still needs them.
	SpillFreedEarly Name = "spill freed early"
	// ExtentReusedEarly allocates an extent before the edit that frees it is durable.
	ExtentReusedEarly Name = "extent reused early"
	// SegmentReusedEarly writes into a log segment before the tail that left it is durable.
	SegmentReusedEarly Name = "segment reused early"
	// TailTooFar moves the log's tail over entries that are in no table.
	TailTooFar Name = "tail moved too far"
	// OldLapAccepted takes a group of an earlier lap for the successor.
	OldLapAccepted Name = "group of an old lap accepted"
	// SyncedTooHigh vouches for a group that nobody has seen synced.
	SyncedTooHigh Name = "header vouches for too much"
	// SuperblocksTogether writes both copies of the superblock in one write.
	SuperblocksTogether Name = "both superblock copies written together"
	// SuperblockBeforeData switches to a manifest that is not durable yet.
	SuperblockBeforeData Name = "superblock before the manifest that it names"
	// RecoveryWithoutRewrite shows groups that only the page cache holds.
	RecoveryWithoutRewrite Name = "recovery does not write the accepted groups again"
	// ReplayHalf applies a batch without its last entry.
	ReplayHalf Name = "batch replayed in half"
	// PublishOutOfOrder publishes a group before the groups before it.
	PublishOutOfOrder Name = "publication out of group order"
	// FlushUnsynced writes entries to a table that the log may lose.
	FlushUnsynced Name = "flush of what the log may lose"
	// TombstoneDroppedEarly lets a deleted key come back from an older table.
	TombstoneDroppedEarly Name = "tombstone dropped early"
	// InputsFreedEarly frees the inputs of a compaction before its outcome is durable.
	InputsFreedEarly Name = "compaction inputs freed early"
	// DropRangeForgotten answers a dropped range whose record is not durable.
	DropRangeForgotten Name = "dropped range not recorded"
)
