package key

import (
	"bytes"
	"encoding/binary"
)

// Sub fields of the catalog space for background work. On disk: never renumber.
const (
	// SubJob holds how far jobs came, by table id and sub.
	SubJob uint32 = 6
	// SubLease holds leases by name.
	SubLease uint32 = 7
	// SubCount holds what was counted of large tables and indexes, by table id and sub.
	SubCount uint32 = 8
	// SubTask holds long operations by id.
	SubTask uint32 = 9
	// SubBackup holds backups of tables by id.
	SubBackup uint32 = 10
	// SubCursor holds how far the consumers of the feeds of tables came, by stream id and consumer.
	SubCursor uint32 = 12
	// SubInsights holds the keys that were asked for most, by table id and index.
	SubInsights uint32 = 13
)

// aboutBytes is the length of a table id and a sub.
const aboutBytes = 12

// AppendJob appends the key of the row that holds how far the job about a table's sub came.
func AppendJob(dst []byte, table uint64, sub uint32) []byte {
	return appendAbout(dst, SubJob, table, sub)
}

// AppendCount appends the key of the row that holds what was counted under a table's sub.
func AppendCount(dst []byte, table uint64, sub uint32) []byte {
	return appendAbout(dst, SubCount, table, sub)
}

func appendAbout(dst []byte, kind uint32, table uint64, sub uint32) []byte {
	dst = AppendHead(dst, spaceCatalog, kind, 0)
	dst = binary.BigEndian.AppendUint64(dst, table)
	return binary.BigEndian.AppendUint32(dst, sub)
}

// SplitCount returns what a key of AppendCount is about; ok is false for any other key.
func SplitCount(k []byte) (table uint64, sub uint32, ok bool) {
	about, ok := bytes.CutPrefix(k, AppendHead(nil, spaceCatalog, SubCount, 0))
	if !ok || len(about) != aboutBytes {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(about), binary.BigEndian.Uint32(about[8:]), true
}

// AppendTask appends the key of a long operation.
func AppendTask(dst []byte, id string) []byte { return AppendCatalog(dst, SubTask, id) }

// AppendCursor appends the key of the row that holds how far a consumer of a stream came.
func AppendCursor(dst []byte, stream uint64, consumer string) []byte {
	return appendOf(dst, SubCursor, stream, consumer)
}

// AppendInsights appends the key of the row that holds the counted keys of a table, or with a name of its index.
func AppendInsights(dst []byte, table uint64, index string) []byte {
	return appendOf(dst, SubInsights, table, index)
}

// SplitInsights returns what a key of AppendInsights is about; ok is false for any other key.
func SplitInsights(k []byte) (table uint64, index string, ok bool) { return splitOf(k, SubInsights) }

func appendOf(dst []byte, kind uint32, id uint64, name string) []byte {
	dst = AppendHead(dst, spaceCatalog, kind, 0)
	dst = binary.BigEndian.AppendUint64(dst, id)
	return append(dst, name...)
}

func splitOf(k []byte, kind uint32) (id uint64, name string, ok bool) {
	about, ok := bytes.CutPrefix(k, AppendHead(nil, spaceCatalog, kind, 0))
	if !ok || len(about) < 8 {
		return 0, "", false
	}
	return binary.BigEndian.Uint64(about), string(about[8:]), true
}

// CursorRange covers the cursors of all consumers of a stream.
func CursorRange(stream uint64) Range { return PrefixRange(AppendCursor(nil, stream, "")) }

// SplitCursor returns what a key of AppendCursor is about; ok is false for any other key.
func SplitCursor(k []byte) (stream uint64, consumer string, ok bool) {
	return splitOf(k, SubCursor)
}

// AppendLease appends the key of a lease.
func AppendLease(dst []byte, name string) []byte { return AppendCatalog(dst, SubLease, name) }
