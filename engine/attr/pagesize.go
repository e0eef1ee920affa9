package attr

import "slices"

// The form in which the limit of a page of Query and Scan is measured (wire-facts
// 4.3). DynamoDB does this: TestPageSize.
const (
	pageItemBytes  = 2    // of an item
	pageNameBytes  = 1    // of a top-level attribute, however long its name
	pageTypeBytes  = 1    // of a number, a binary or a set, besides its content
	pagePieceBytes = 3072 // an item lies in pieces of that many bytes,
	pageKeyBytes   = 18   // each of which has these and the sort key
)

// Strings have their length before them, seven bits in a byte.
const (
	pageLen2Min = 1 << 7
	pageLen3Min = 1 << 14
)

// PageSize is the Size of the item, and what it counts towards the limit of a page.
// sort names the attributes of the sort key; unsure: they are taken to count in the
// pieces only. It reads the item once and allocates nothing.
func (it Item) PageSize(sort []string) (size, page int) {
	key := 0
	for i := 0; i < len(it); {
		var name Item
		at := i + 1 + int(it[i])
		if it[i] < oneByteMax && at < len(it) {
			name = it[i+1 : at]
		} else {
			head, rest, ok := cutBytes(it[i:])
			if !ok || len(rest) == 0 {
				break
			}
			name, at = head, len(it)-len(rest)
		}
		start, end := bounds(it, at)
		if end == 0 {
			break
		}
		n, extra := end-start, pageTypeBytes
		switch Type(it[at] & typeMask) {
		case S:
			extra = pageLenBytes(n)
		case N, B, Ts:
		default:
			n, extra = Value(it[at:end]).pageSize()
		}
		size += len(name) + n
		if isOneOf(name, sort) {
			key += n
		} else {
			page += pageNameBytes + n + extra
		}
		i = end
	}
	pieces := 1 + (1+page)/pagePieceBytes
	return size, pageItemBytes + page + pieces*(pageKeyBytes+key)
}

// Bounds of PageSize by the length of an item: SizePerByteMax, and for each pagePieceBytes, of which
// one may be begun only, pageKeyBytes and the longest sort key.
const (
	pagePerByteMax = SizePerByteMax + 2
	pageExtraMax   = 1100
)

// PageSizeMax is more than, or exactly, what the item counts towards the limit of a page, for an item
// whose sort key is not longer than the service allows. It looks at the length only.
func (it Item) PageSizeMax() int { return pageExtraMax + pagePerByteMax*len(it) }

func isOneOf(name []byte, list []string) bool {
	return slices.Contains(list, string(name))
}

// pageLenBytes is how many bytes the length of a string has.
func pageLenBytes(n int) int {
	switch {
	case n < pageLen2Min:
		return 1
	case n < pageLen3Min:
		return 2
	}
	return 3
}

// pageSize is the Size of a value other than a string, binary or number, and what
// it counts on a page besides. A BOOL is one byte there and NULL none (unsure: they
// could count besides their Size).
func (v Value) pageSize() (size, extra int) {
	switch v.Type() {
	case SS, NS, BS:
		size, members := v.setSize()
		return size, pageTypeBytes + members
	case NULL:
		size = v.Size()
		return size, -size
	}
	return v.Size(), 0
}
