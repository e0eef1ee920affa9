// Package replica keeps what tables with replicas need beside their items: when and where each was last written,
// and which are to be sent to the replicas.
//
// Replication is by state: a row of the outgoing log names an item that was written here, and what is sent is the
// item as it is by then, with its stamp. The later stamp wins wherever two meet, so the order in which items
// arrive, and how often, does not matter: all replicas that have heard of the same writes have the same items.
//
// It is no consumer of a change feed (package follow), which delivers every change with both images, in order: a row
// here has the key of the item alone, a hundred writes of one item while a region is away are sent as one, and what
// comes late or twice is told by its stamp, which the records of a feed do not have.
//
// A stamp, written in the update of its item and kept when the item is deleted, has as value
//
//	| version 1B | flags 1B | time 8B, microseconds since 1970, big-endian | region |
//
// A write here is stamped with the clock's time, or one microsecond above the stamp that it meets, whichever is
// later: who writes over what they could read wins, whatever the clocks say. Equal times are ordered by region.
// An item without a stamp is older than the replication of its table, and than every stamp.
package replica

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/storage"
)

const (
	stampVersion = 1
	stampBytes   = 10
	// flagDeleted: the item was deleted. On disk: never renumber.
	flagDeleted = 1
)

// Stamp is when and where an item was last written. The zero value is before all others.
type Stamp struct {
	// Micros is in microseconds since 1970.
	Micros int64
	Region string
	// Deleted: the write removed the item.
	Deleted bool
}

// After says whether s wins over o.
func (s Stamp) After(o Stamp) bool {
	if s.Micros != o.Micros {
		return s.Micros > o.Micros
	}
	return s.Region > o.Region
}

// Next is the stamp of a write in a region that meets s.
func (s Stamp) Next(now time.Time, region string) Stamp {
	return Stamp{Micros: max(now.UnixMicro(), s.Micros+1), Region: region}
}

// Encode returns the stored form.
func (s Stamp) Encode() []byte {
	b := append(make([]byte, 0, stampBytes+len(s.Region)), stampVersion, 0)
	if s.Deleted {
		b[1] = flagDeleted
	}
	return append(binary.BigEndian.AppendUint64(b, uint64(s.Micros)), s.Region...)
}

// Decode reads the value of a stamp's row, which may be absent. What is none wraps storage.ErrCorrupt.
func Decode(v storage.Value) (Stamp, error) {
	if !v.Present {
		return Stamp{}, nil
	}
	return DecodeBytes(v.Data)
}

// DecodeBytes reads the value of a stamp's row.
func DecodeBytes(b []byte) (Stamp, error) {
	if len(b) <= stampBytes || b[0] != stampVersion || b[1]&^flagDeleted != 0 {
		return Stamp{}, fmt.Errorf("replica: stamp of an item: %w", storage.ErrCorrupt)
	}
	return Stamp{
		Micros: int64(binary.BigEndian.Uint64(b[2:])), Region: string(b[stampBytes:]), Deleted: b[1] == flagDeleted,
	}, nil
}
