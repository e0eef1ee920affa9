package validate

import "github.com/keystone-db/kstone/engine/api"

// kind is the kind of a shape.
type kind uint8

const (
	kindStructure kind = iota + 1
	kindList
	kindMap // a slice of entries with Key and Value
	kindItem
	kindNames
	kindValues
	kindValue
	kindString
	kindInteger
	kindLong
	kindDouble
	kindBoolean
	kindTimestamp
	kindBlob
)

// shape is a type of the contract with its constraints. The tables of shapes are generated; nothing
// changes them.
type shape struct {
	name     string
	kind     kind
	min, max api.Opt[int64]
	// hideOverMax leaves the value out of the text of a list that is too long. DynamoDB does this:
	// TestBatchGetConstraints.
	hideOverMax bool
	// bare leaves the value out of every text and begins the member's name with a capital. Some members of operations
	// that DynamoDB moved to another stack in 2026 have that form.
	bare    bool
	pattern string // as printed
	re      string // the same for package regexp, where it differs
	enum    []string
	key, of *shape
	members []member // in the order of the fields of the Go struct
	walk    []int    // order of constraint errors, nil: that of members
}

// member is a member of a structure; name is spelled as in constraint errors.
type member struct {
	name     string
	shape    *shape
	required bool
}

func some(n int64) api.Opt[int64] { return api.Some(n) }

// at returns the index of the i-th member to be walked.
func (s *shape) at(i int) int {
	if s.walk == nil {
		return i
	}
	return s.walk[i]
}
