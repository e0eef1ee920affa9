// Package capacity is the arithmetic of read and write units (wire-facts §6.5): pure functions over
// sizes in bytes, and a Meter that renders what one request consumed.
package capacity

// Block sizes of the units, in bytes.
const (
	readBlockBytes  = 4096
	writeBlockBytes = 1024
)

// eventualShare is what an eventually consistent read costs of a consistent one.
const eventualShare = 0.5

// transactFactor is what a transaction costs beside a plain operation.
const transactFactor = 2

func blocks(size, block int) float64 {
	if size <= block {
		return 1
	}
	return float64((size + block - 1) / block)
}

func share(consistent bool) float64 {
	if consistent {
		return 1
	}
	return eventualShare
}

// ReadUnits of one item of size bytes, zero for a missing one, which costs as the smallest.
func ReadUnits(size int, consistent bool) float64 {
	return blocks(size, readBlockBytes) * share(consistent)
}

// PageUnits of a Query or Scan that read entries of total bytes. An empty page costs as the
// smallest: unsure (wire-facts §10 #9).
func PageUnits(total int, consistent bool) float64 {
	return blocks(total, readBlockBytes) * share(consistent)
}

// TransactReadUnits of one Get of TransactGetItems.
func TransactReadUnits(size int) float64 { return transactFactor * blocks(size, readBlockBytes) }

// WriteUnits of replacing an item of old bytes by one of new bytes; zero stands for absent.
func WriteUnits(old, new int) float64 { return blocks(max(old, new), writeBlockBytes) }

// TransactWriteUnits of one action of TransactWriteItems.
func TransactWriteUnits(old, new int) float64 { return transactFactor * WriteUnits(old, new) }

// IndexWriteUnits of an index entry that was touched: created, removed, moved to another key (both
// entries are paid), or changed in place.
func IndexWriteUnits(old, new int, moved bool) float64 {
	if moved {
		return blocks(old, writeBlockBytes) + blocks(new, writeBlockBytes)
	}
	return blocks(max(old, new), writeBlockBytes)
}
