package build

import "github.com/keystone-db/kstone/engine/attr"

// MarshalValue gives the set; it makes sets parts of what Marshal maps.
func (s Set) MarshalValue() (attr.Value, error) { return s.value, s.err }
