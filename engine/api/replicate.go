package api

import (
	"context"
	"encoding/json"
)

// Replicator is a database in which tables of other databases have replicas. No operation of the wire stands for
// it: databases call each other so.
type Replicator interface {
	// Replicate does one step of a table's replication and may be called again with the same request. Errors are
	// those of Service; GlobalTableNotFound is a table that has no replica here, or none where the caller is.
	Replicate(ctx context.Context, in *ReplicateInput) (*ReplicateOutput, error)
}

// ReplicateVersion is the form of ReplicateInput. Another one is refused.
const ReplicateVersion = 2

// Steps of replication.
const (
	// ReplicateDescribe asks for the table.
	ReplicateDescribe = "describe"
	// ReplicateCreate makes the table as a replica, which is CREATING until ReplicateActivate.
	ReplicateCreate   = "create"
	ReplicateActivate = "activate"
	// ReplicateJoin tells the table of a replica, or of what changed there.
	ReplicateJoin = "join"
	// ReplicateLeave tells the table that a replica is none any more. With Drain it first sends the replica what it
	// has.
	ReplicateLeave = "leave"
	// ReplicateInvite asks for a replica of the table where the caller is, in another account. The answer has what
	// ReplicateCreate would be called with.
	ReplicateInvite = "invite"
	// ReplicateLink makes the table, which is there, a replica; ReplicateUnlink has it leave, and stay.
	ReplicateLink   = "link"
	ReplicateUnlink = "unlink"
	// ReplicateDelete removes the table.
	ReplicateDelete = "delete"
	// ReplicateShare gives the table the settings that replicas share, ReplicateOverride those of its own.
	ReplicateShare    = "share"
	ReplicateOverride = "override"
	// ReplicateItems writes items.
	ReplicateItems = "items"
	// ReplicateGreet asks how much of the caller's the table has, before anything is sent to a database that was
	// opened anew. ReplicateAgain asks for all items again: the caller is not what it was, as after a restore.
	ReplicateGreet = "greet"
	ReplicateAgain = "again"
	// ReplicateFill says that all items of the caller's come, and with Drain that they have come.
	ReplicateFill = "fill"
	// ReplicateMark says up to which time everything was sent.
	ReplicateMark = "mark"
	// ReplicateCast tells the table that it is no replica any more: it is older than what others have forgotten.
	ReplicateCast = "cast"
)

// ReplicateInput is one step. Settings are the engine's own affair.
type ReplicateInput struct {
	Version int
	// Step is one of the constants above.
	Step string
	// From is the caller's region, and ID the global table.
	From  string
	ID    string
	Table string
	// Session is another one each time when the caller's database is opened.
	Session string
	// To is the session that ReplicateGreet answered last. What comes with items is for no other one.
	To string `json:",omitempty"`
	// Count is how many times ReplicateItems was done with it, this time included; Seq is up to where the caller's
	// log is sent.
	Count uint64 `json:",omitempty"`
	Seq   uint64 `json:",omitempty"`
	// Through and Low are times of writes, in microseconds since 1970: all that the caller wrote up to the first is
	// sent, and it has what anybody wrote up to the second.
	Through int64 `json:",omitempty"`
	Low     int64 `json:",omitempty"`
	// Account is the caller's, for ReplicateInvite.
	Account string `json:",omitempty"`
	// Region is whom ReplicateJoin and ReplicateLeave are about.
	Region string `json:",omitempty"`
	// Member tells the replica that the step is about, the called one or that of Region, from others that were or will
	// be in its region: what comes late must not do it to another one. It is empty when the caller does not know it.
	Member string `json:",omitempty"`
	// Made is what ReplicateCreate answered, when the caller made the table: one that is made by a late call again is
	// another one.
	Made     string           `json:",omitempty"`
	Drain    bool             `json:",omitempty"`
	Settings json.RawMessage  `json:",omitempty"`
	Items    []ReplicatedItem `json:",omitempty"`
}

// ReplicatedItem is an item as it was written somewhere.
type ReplicatedItem struct {
	// Key is the stored form of the key from its hash on, Item that of the item; nil for one that was deleted.
	Key  []byte
	Item []byte `json:",omitempty"`
	// Micros, in microseconds since 1970, and Region are when and where it was written.
	Micros int64
	Region string
}

// ReplicateOutput answers ReplicateDescribe and ReplicateGreet; all others with the session alone.
type ReplicateOutput struct {
	// Session is another one each time when the database is opened.
	Session string
	// Made tells the table that ReplicateCreate made from others.
	Made string `json:",omitempty"`
	// Behind: nothing was done, because the database was opened anew, and is to be greeted first.
	Behind bool `json:",omitempty"`
	// Wants: it is to get all items of the caller's.
	Wants bool `json:",omitempty"`
	// Count, Seq and Low are those of ReplicateInput that came last, and what is here.
	Count uint64 `json:",omitempty"`
	Seq   uint64 `json:",omitempty"`
	Low   int64  `json:",omitempty"`
	// Exists: there is such a table; ID is its global table, empty when it is in none. Member is that of the answering
	// replica, or the caller's in the answer to ReplicateInvite.
	Exists bool
	ID     string
	Member string `json:",omitempty"`
	// Status is that of the table.
	Status string
	// Protected: it may not be deleted. Empty: it has no items.
	Protected bool
	Empty     bool
	// Streams: it has a stream of both images.
	Streams bool
	// Settings are what DescribeGlobalTableSettings and others need.
	Settings json.RawMessage `json:",omitempty"`
}
