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

// Bytes that vectors are counted by (wire-facts §6.28; the formulas are unsure: that a request counts at
// least a kilobyte, and that searches grow with the dimensions and with what they return, are from public
// reports).
const (
	vectorRequestBytes = 1024
	floatBytes         = 4
	// examined is how many vectors a search is counted for at most.
	examined = 16
)

// VectorWriteBytes of an entry of an index of vectors that was touched, as IndexWriteUnits.
func VectorWriteBytes(old, new int, moved bool) float64 {
	if moved {
		return float64(max(vectorRequestBytes, old+new))
	}
	return float64(max(vectorRequestBytes, old, new))
}

// VectorSearchBytes of a search among so many vectors that returns items of so many bytes.
func VectorSearchBytes(vectors, dimensions, returned int) float64 {
	return float64(max(vectorRequestBytes, min(vectors, examined)*dimensions*floatBytes+returned))
}

// IndexWriteUnits of an index entry that was touched: created, removed, moved to another key (both
// entries are paid), or changed in place.
func IndexWriteUnits(old, new int, moved bool) float64 {
	if moved {
		return blocks(old, writeBlockBytes) + blocks(new, writeBlockBytes)
	}
	return blocks(max(old, new), writeBlockBytes)
}
