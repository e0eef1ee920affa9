package key

import "encoding/binary"

// Sub fields of the catalog space for background work. On disk: never renumber.
const (
	// SubJob holds how far jobs came, by table id and sub.
	SubJob uint32 = 6
	// SubLease holds leases by name.
	SubLease uint32 = 7
)

// AppendJob appends the key of the row that holds how far the job about a table's sub came.
func AppendJob(dst []byte, table uint64, sub uint32) []byte {
	dst = AppendHead(dst, spaceCatalog, SubJob, 0)
	dst = binary.BigEndian.AppendUint64(dst, table)
	return binary.BigEndian.AppendUint32(dst, sub)
}

// AppendLease appends the key of a lease.
func AppendLease(dst []byte, name string) []byte { return AppendCatalog(dst, SubLease, name) }
