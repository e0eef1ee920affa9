package schema

import "slices"

// Stream is the change stream of a table: one for each time that a table's stream was enabled. It
// outlives its table.
type Stream struct {
	// ID is part of the first field of the heads of all its records, never reused.
	ID uint64 `json:"id"`
	// Table and Label name the stream, together with the account.
	Table string `json:"table"`
	Label string `json:"label"`
	// View is the service's word for what its records hold beside the keys.
	View string `json:"view"`
	// Key is the table's.
	Key Key `json:"key"`
	// Slots is the number of equal ranges of partition key hashes, whose records lie together. Each has
	// one open shard while the stream is enabled, or several that divide its hashes.
	Slots uint32 `json:"slots"`
	// CreatedMs and ClosedMs are when it was enabled and disabled, in milliseconds since 1970; zero
	// for not yet.
	CreatedMs int64 `json:"createdMs"`
	ClosedMs  int64 `json:"closedMs,omitempty"`
	// Feed: it is the internal feed of a table, which clients do not see.
	Feed bool `json:"feed,omitempty"`
	// Trimmed is the Seq up to which records are gone.
	Trimmed uint64 `json:"trimmed,omitempty"`
	// Shards in order of their beginning.
	Shards []Shard `json:"shards"`
}

// Shard holds the records of one slot, or of some of its hashes, from one Seq to another. Writers do
// not know it: a shard is closed by naming the Seq with which it ends, so that it is closed for them
// all at once. Readers of a shard that was split pass over the records of its siblings.
type Shard struct {
	ID     string `json:"id"`
	Parent string `json:"parent,omitempty"`
	Slot   uint32 `json:"slot"`
	// From and To bound the hashes of a shard that was split: From <= hash < To. To is zero for the
	// whole slot.
	From uint64 `json:"from,omitempty"`
	To   uint64 `json:"to,omitempty"`
	// First and Last bound its Seqs, both inclusive; Last is zero while it is open.
	First     uint64 `json:"first"`
	Last      uint64 `json:"last,omitempty"`
	CreatedMs int64  `json:"createdMs"`
	ClosedMs  int64  `json:"closedMs,omitempty"`
}

// Open says whether the shard takes records.
func (s *Shard) Open() bool { return s.Last == 0 }

// Split says whether the shard has only some of its slot's hashes.
func (s *Shard) Split() bool { return s.To != 0 }

// Holds says whether the records of a partition key with that hash are in the shard, given that they
// are in its slot.
func (s *Shard) Holds(hash uint32) bool {
	return !s.Split() || s.From <= uint64(hash) && uint64(hash) < s.To
}

// Shard returns the shard of that id, nil when there is none.
func (s *Stream) Shard(id string) *Shard {
	for i := range s.Shards {
		if s.Shards[i].ID == id {
			return &s.Shards[i]
		}
	}
	return nil
}

// Clone shares nothing that a change would reach into.
func (s *Stream) Clone() *Stream {
	c := *s
	c.Shards = slices.Clone(s.Shards)
	return &c
}

// SlotOf is the slot of a partition key hash, as it stands in the hash field of keys, among n.
func SlotOf(hash, n uint32) uint32 { return uint32(uint64(hash) * uint64(n) >> 32) }
